/* A little of everything that lifted code does between checkpoints: integers, floats, vectors, pairs, atomics, calls,
 * indirect calls, system calls, faults that a handler jumps out of. Short: verification steps through it. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile sig_atomic_t alarms;

static void fault(int sig) { siglongjmp(back, sig); }
static void alarmed(int sig) { alarms += sig == SIGALRM; }

__attribute__((noinline)) static unsigned seed(unsigned n) { return 0x5eed1234u * n; }
__attribute__((noinline)) static int twice(int x) { return 2 * x; }
__attribute__((noinline)) static int negative(int x) { return -x; }

// One of two neighbouring words, by loads under opposite conditions.
__attribute__((noinline)) static unsigned either(const unsigned long *a, int second)
{
#ifdef __aarch64__
    return a[second];
#else
    unsigned r;
    __asm__ volatile("cmp %2, #0\n\tite eq\n\tldreq %0, [%1]\n\tldrne %0, [%1, #4]" : "=&r"(r) : "r"(a), "r"(second) : "cc", "memory");
    return r;
#endif
}

int main(int argc, char **argv) {
    int (*volatile calls[2])(int) = {twice, negative};
    unsigned long a[16], sum = 0;
    float f[16];
    for (int i = 0; i < 16; i++) {
        a[i] = seed(i + argc) ^ (unsigned)calls[i & 1](i);
        f[i] = (float)a[i] / 3;
    }
    double d = 0;
    for (int i = 0; i < 16; i++) {
        sum += a[i] * a[15 - i];
        d += f[i] * 0.25 + (i == 7 ? 0.0 / (argc - 1) : 0);
    }
    sum += either(a, 0) ^ either(a, 1);
    __atomic_fetch_add(&a[3], sum, __ATOMIC_SEQ_CST);
    __atomic_compare_exchange_n(&a[4], &a[5], 7, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    signal(SIGSEGV, fault);
    signal(SIGALRM, alarmed);
    int sig = sigsetjmp(back, 1);
    if (!sig)
        *(volatile int *)(argc * 16L) = 1;
    raise(SIGALRM);
    unsigned char text[64];
    memset(text, argc, sizeof text);
    memcpy(text + 1, argv[0] ? "some text, moved" : "", 16);
    for (int i = 0; i < 64; i++)
        sum = (sum << 7 | sum >> (8 * sizeof sum - 7)) ^ text[i];
    printf("%lx %lx %lx %d %d %d\n", sum, a[3], a[5], d != d, sig, (int)alarms);
    return 0;
}
