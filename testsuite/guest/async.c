// Asynchronous signals at exact places: interrupts the loops of async-loops.S by a timer and by another process, and
// checks in each handler that registers, flags, memory and pc belong together. Prints a line for each loop; with
// "-v" on standard error how many places were interrupted. Arguments: [-v] signals per loop.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

struct loop {
    const char *name;
    void (*function)(void);
    const uint32_t *head;
    uint64_t number;
};
extern const struct loop loops[], loops_end[];
extern void run_loop(const uint64_t *x, void *function);
extern uint32_t recurse[];
extern void recursing(void);
extern uint64_t tight(uint64_t, uint64_t), tight_sum(const uint64_t *, uint64_t);

enum flags { NO_FLAGS, ADDS, ADDS_W, SUBS };
enum { MAX = 64 };

// What holds before the instruction at a place of the loop.
static struct place {
    const uint32_t *pc;
    uint64_t counted;  // counters that this iteration has incremented: x0–x30; d0–d7 at bit 32, v16–v23 at bit 40
    unsigned stored;   // words at x20 that it has stored
    unsigned written;  // 1 if x20 is 8 too large
    enum flags flags;  // what set the flags last
} places[MAX];
static int count;
static struct place all; // what is incremented anywhere

static uint64_t memory[2] __attribute__((aligned(16)));
static volatile uint64_t added;
static volatile int signals, wanted, inside, violations, verbose, exclusive, in_recursion;
static volatile uint64_t stack_base;
static unsigned seen[MAX];

static int64_t field(uint32_t insn, int at, int bits) { return (int64_t)((uint64_t)insn << (64 - at - bits)) >> (64 - bits); }

static void walk(const uint32_t *pc)
{
    struct place now = {0};
    const uint32_t *back = 0, *address = 0;
    for (count = 0; count < MAX;) {
        uint32_t i = *pc;
        int rd = i & 31, rn = i >> 5 & 31;
        now.pc = pc;
        places[count++] = now;
        pc++;
        if ((i & 0x7ffffc00) == 0x11000400 && rd == rn)
            now.counted |= 1ull << rd;
        else if ((i & 0xfffffc00) == (0x1e602800 | 31 << 16) && rd == rn)
            now.counted |= 1ull << (32 + rd);
        else if ((i & 0xfffffc00) == (0x4ea08400 | 30 << 16) && rd == rn)
            now.counted |= 1ull << (40 + rd - 16);
        else if ((i & 0xfffffbe0) == 0xf9400280) // ldr xN, [x20, #0 or 8]: what was stored
            now.counted |= 1ull << rd;
        else if ((i & 0xffffffe0) == 0xf9000280 || (i & 0xffe0ffe0) == 0xc800fe80 || (i & 0xffe0ffe0) == 0xf8200280)
            now.stored |= 1; // str, stlxr, ldadd
        else if ((i & 0xffffffe0) == 0xf9000680)
            now.stored |= 2;
        else if ((i & 0xffffffe0) == 0xf8008e80) // str xN, [x20, #8]!
            now.stored |= 2, now.written = 1;
        else if (i == 0xd1002294)
            now.written = 0;
        else if ((i & 0xffe0fc00) == 0xab000000 && rd == 11)
            now.flags = ADDS;
        else if ((i & 0xffe0fc00) == 0x2b000000 && rd == 11)
            now.flags = ADDS_W;
        else if ((i & 0xffe0fc00) == 0xeb000000 && rd == 10)
            now.flags = SUBS;
        else if (i >> 26 == 0x25)
            back = pc, pc = pc - 1 + field(i, 0, 26);
        else if ((i & 0x9f000000) == 0x10000000)
            address = (const uint32_t *)((char *)(pc - 1) + (field(i, 5, 19) * 4 | (i >> 29 & 3)));
        else if ((i & 0xfffffc1f) == 0xd63f0000)
            back = pc, pc = address;
        else if (i == 0xd65f03c0)
            pc = back;
        else if ((i & 0xff00001f) == 0xb500001c)
            break; // cbnz x28
    }
    all = now;
    // The flags at the head are the last iteration's.
    for (int i = 0; i < count && places[i].flags == NO_FLAGS; i++)
        places[i].flags = now.flags;
}

static unsigned flags_of(enum flags f, const uint64_t *x)
{
    uint64_t r, a, b, top = 1ull << 63, carry;
    switch (f) {
    case ADDS:
        r = x[11], b = x[12], a = r - b, carry = r < b;
        break;
    case ADDS_W:
        r = x[11] << 32, b = x[12] << 32, a = r - b, carry = r < b;
        break;
    default:
        r = x[10], b = x[13], a = r + b, carry = a >= b, b = ~b;
        break;
    }
    uint64_t overflow = ~(a ^ b) & (a ^ r) & top;
    return (r >> 63) << 3 | (r == 0) << 2 | carry << 1 | (overflow != 0);
}

static void violation(const char *what, uint64_t pc, uint64_t is, uint64_t expected)
{
    if (violations++ < 10)
        fprintf(stderr, "at %llx %s is %llx, expected %llx\n", (unsigned long long)pc, what, (unsigned long long)is, (unsigned long long)expected);
}

static void check_place(const ucontext_t *uc, const struct place *p)
{
    const uint64_t *x = (const uint64_t *)uc->uc_mcontext.regs;
    const struct fpsimd_context *fp = (const struct fpsimd_context *)uc->uc_mcontext.__reserved;
    uint64_t pc = uc->uc_mcontext.pc, base = x[1] - (p->counted >> 1 & 1);
    char name[4] = "x00";
    for (int i = 0; i < 48; i++) {
        if (!(all.counted >> i & 1))
            continue;
        uint64_t want = base + (p->counted >> i & 1);
        name[0] = i < 32 ? 'x' : 'v', name[1] = '0' + i / 10, name[2] = '0' + i % 10;
        if (i < 32) {
            if (x[i] != want)
                violation(name, pc, x[i], want);
            continue;
        }
        __uint128_t v = fp->vregs[i < 40 ? i - 32 : i - 40 + 16], w;
        if (i < 40) {
            double d = want;
            uint64_t bits;
            memcpy(&bits, &d, 8);
            w = bits;
        } else {
            w = (uint32_t)want * (((__uint128_t)0x0000000100000001 << 64) | 0x0000000100000001);
        }
        if (v != w)
            violation(name, pc, v, w);
    }
    for (int i = 0; i < 2; i++)
        if (all.stored >> i & 1 && !((*p->pc & 0xff000000) == 0x35000000)) { // not between STLXR and its test
            uint64_t want = base + (p->stored >> i & 1) + (i == 0 ? added : 0);
            if (memory[i] != want)
                violation("memory", pc, memory[i], want);
        }
    if (x[20] != (uint64_t)memory + 8 * p->written)
        violation("x20", pc, x[20], (uint64_t)memory);
    if (p->flags != NO_FLAGS && base != 0) {
        unsigned want = flags_of(p->flags, x);
        if (uc->uc_mcontext.pstate >> 28 != want)
            violation("nzcv", pc, uc->uc_mcontext.pstate >> 28, want);
    }
}

static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    const uint32_t *pc = (const uint32_t *)uc->uc_mcontext.pc;
    (void)sig, (void)info;
    signals++;
    if (in_recursion) {
        long at = pc - recurse;
        if (at < 0 || at > 7)
            return;
        uint64_t base = uc->uc_mcontext.sp + 16 * uc->uc_mcontext.regs[19] + (at == 1 || at == 6 ? 16 : 0);
        if (!stack_base)
            stack_base = base;
        if (stack_base != base)
            violation("sp", (uint64_t)pc, base, stack_base);
        seen[at]++, inside++;
    } else {
        int i;
        for (i = 0; i < count && places[i].pc != pc; i++)
            ;
        if (i == count)
            return;
        check_place(uc, &places[i]);
        seen[i]++, inside++;
        if (exclusive) {
            // The monitor must not survive this: the loop's STLXR fails and its addition is not lost.
            memory[0] += 1000000;
            added += 1000000;
        }
    }
    if (inside >= wanted)
        uc->uc_mcontext.regs[28] = 1;
}

static void timer(int microseconds)
{
    struct itimerval t = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &t, 0);
}

static void report(const char *name)
{
    int different = 0;
    for (int i = 0; i < MAX; i++)
        different += seen[i] != 0;
    printf("%s: interrupted %s, %d violations\n", name, inside >= wanted ? "often" : "seldom", violations);
    if (verbose)
        fprintf(stderr, "%s: %d signals, %d in the loop at %d places\n", name, signals, inside, different);
}

static void clear(void)
{
    signals = inside = 0;
    memset(seen, 0, sizeof seen);
    memory[0] = memory[1] = added = 0;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    verbose = argc > 1 && !strcmp(argv[1], "-v");
    wanted = argc > 1 + verbose ? atoi(argv[1 + verbose]) : 500;
    static char alternate[65536];
    stack_t ss = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&ss, 0);
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = handler;
    sa.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaddset(&sa.sa_mask, SIGUSR1);
    sigaddset(&sa.sa_mask, SIGALRM);
    sigaction(SIGALRM, &sa, 0);
    sa.sa_flags |= SA_ONSTACK;
    sigaction(SIGUSR1, &sa, 0);
    pid_t sender = fork(), parent = getppid();
    if (sender == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            kill(parent = getppid(), SIGUSR1);
            usleep(60);
        }
    }
    (void)parent;
    double start = seconds();
    int total = 0;
    for (const struct loop *l = loops; l < loops_end; l++) {
        uint64_t x[32] = {0};
        x[12] = 0x3fffffffffffff11, x[13] = 0x2ffffffffffffff7;
        x[16] = l->number;
        x[20] = (uint64_t)memory;
        x[24] = 1;
        x[28] = 1ull << 60;
        clear();
        exclusive = !strncmp(l->name, "exclusive", 9);
        walk(l->head);
        timer(75);
        run_loop(x, (void *)l->function);
        timer(0);
        count = 0;
        total += signals;
        report(l->name);
    }
    uint64_t x[32] = {0};
    in_recursion = 1;
    for (int depth = 10; depth <= 20000; depth *= 20) {
        stack_base = 0;
        x[21] = depth;
        x[28] = 1ull << 60;
        clear();
        timer(75);
        run_loop(x, (void *)recursing);
        timer(0);
        total += signals;
        stack_base = 0;
        report("recursion");
    }
    double time = seconds() - start;
    kill(sender, SIGKILL);
    waitpid(sender, 0, 0);
    if (verbose)
        fprintf(stderr, "%d signals, %.0f a second\n", total, total / time);
    printf("%llx\n", (unsigned long long)(tight(1, 100) + tight_sum(memory, 2) - memory[0] - memory[1]));
    return violations != 0;
}
