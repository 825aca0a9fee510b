// Signals at a high rate against code of every kind: the same sums must come out as without them.
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int ticks;
static volatile double junk;
static uint64_t table[512];

static void tick(int sig)
{
    ticks++;
    // Work that would damage registers not kept: floating point, vectors, flags, another signal.
    junk = junk * 1.0000001 + sig / 3.0;
    if (ticks % 16 == 0)
        raise(SIGUSR1);
}

static void again(int sig)
{
    volatile uint64_t v[4] = {1, 2, 3, sig};
    junk += v[3];
}

static __attribute__((noinline)) uint64_t fib(uint64_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static __attribute__((noinline)) uint64_t registers(uint64_t n)
{
    uint64_t a = 1, b = 2, c = 3, d = 4;
    while (n--)
        a = a * 5 + b, b = (b << 7 | b >> 57) ^ c, c += d * 3 + (a > b), d ^= a >> 3;
    return a ^ b ^ c ^ d;
}

static __attribute__((noinline)) uint64_t memory(uint64_t n)
{
    uint64_t h = 0;
    for (uint64_t i = 0; i < n; i++) {
        table[i & 511] += h ^ i;
        h = h * 31 + table[h >> 55];
    }
    return h;
}

static __attribute__((noinline)) uint64_t floats(uint64_t n)
{
    volatile double zero = 0;
    double s = 0, nan = 0;
    uint64_t bits, count = 0;
    for (uint64_t i = 0; i < n; i++) {
        s += 1.0 / (double)(i + 1);
        nan = (s - s) / zero; // the slow path: a NaN from nothing
        count += nan != nan;
        s += sqrt(s) * 1e-3;
    }
    memcpy(&bits, &s, 8);
    return bits + count;
}

static __attribute__((noinline)) uint64_t calls(uint64_t n)
{
    uint64_t h = 0;
    while (n--)
        h = h * 3 + (syscall(SYS_getpid) == getpid()) + (getppid() > 0);
    return h;
}

static __attribute__((noinline)) uint64_t copies(uint64_t n)
{
    static char from[4096], to[4096];
    uint64_t h = 0;
    for (uint64_t i = 0; i < n; i++) {
        memset(from, (int)i, sizeof from);
        memcpy(to + i % 64, from, 4000);
        h = h * 7 + (unsigned char)to[i % 4096] + strlen("some text") + (memcmp(from, to + i % 64, 4000) == 0);
    }
    return h;
}

int main(void)
{
    static const struct {
        const char *name;
        uint64_t (*f)(uint64_t);
        uint64_t n;
    } work[] = {{"fib", fib, 22},        {"registers", registers, 300000}, {"memory", memory, 200000},
                {"floats", floats, 20000}, {"calls", calls, 3000},           {"copies", copies, 300}};
    enum { N = sizeof work / sizeof *work };
    uint64_t quiet[N], loud;
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = tick;
    sa.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &sa, 0);
    sa.sa_handler = again;
    sigaction(SIGUSR1, &sa, 0);
    for (int i = 0; i < N; i++) {
        memset(table, 0, sizeof table);
        quiet[i] = work[i].f(work[i].n);
    }
    int bad = 0;
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < N; i++) {
            memset(table, 0, sizeof table);
            struct itimerval t = {{0, 150 + 37 * round}, {0, 150 + 37 * round}};
            setitimer(ITIMER_REAL, &t, 0);
            loud = work[i].f(work[i].n);
            memset(&t, 0, sizeof t);
            setitimer(ITIMER_REAL, &t, 0);
            if (loud != quiet[i])
                bad++, printf("%s: %llx, quiet %llx\n", work[i].name, (unsigned long long)loud, (unsigned long long)quiet[i]);
        }
    printf("bad %d, signals %d\n", bad, ticks > 50);
    return bad != 0;
}
