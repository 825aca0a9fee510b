// Asynchronous signals at exact places: interrupts the loops of async-loops.S (A32 and T32: async-loops32.S) by a timer and by another process, and
// checks in each handler that registers, flags, memory and pc belong together. Prints a line for each loop; with
// "-v" on standard error how many places were interrupted. Arguments: [-v] signals per loop.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { MAX = 64 };

#ifdef __aarch64__
typedef uint64_t word;
#else
typedef uint32_t word;
#endif
static word memory[2] __attribute__((aligned(16)));
static volatile word added;
static volatile int signals, wanted, inside, violations, verbose, exclusive, in_recursion;
static volatile word stack_base;
static unsigned seen[MAX];

static void violation(const char *what, uint64_t pc, uint64_t is, uint64_t expected)
{
    if (violations++ < 10)
        fprintf(stderr, "at %llx %s is %llx, expected %llx\n", (unsigned long long)pc, what, (unsigned long long)is, (unsigned long long)expected);
}

#ifdef __aarch64__
#include "async64.h"
#else
#include "async32.h"
#endif

extern const struct loop loops[], loops_end[];
extern void run_loop(const word *x, void *function);
extern void recursing(void);
extern word tight(word, word), tight_sum(const word *, word);

static void look(ucontext_t *uc)
{
    const void *pc = pc_of(uc);
    signals++;
    if (in_recursion) {
        word base;
        int at = recursion_place(uc, &base);
        if (at < 0)
            return;
        if (!stack_base)
            stack_base = base;
        if (stack_base != base)
            violation("sp", (word)pc, base, stack_base);
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
            // The monitor must not survive this: the loop's store fails and its addition is not lost.
            memory[0] += 1000000;
            added += 1000000;
        }
    }
    if (inside >= wanted)
        end_loop(uc);
}

// The timer and the other process wait until their last signal was handled: however slow that is, there is time left for the loops.
static volatile int period;
static volatile int *handled;

static void set_timer(void)
{
    struct itimerval t = {{0, 0}, {0, period}};
    setitimer(ITIMER_REAL, &t, 0);
}

static void handler(int sig, siginfo_t *info, void *context)
{
    (void)info;
    look(context);
    if (sig == SIGUSR1)
        ++*handled;
    else if (period)
        set_timer();
}

static void timer(int microseconds)
{
    period = microseconds;
    set_timer();
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
    handled = mmap(0, sizeof *handled, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t sender = fork(), parent = getppid();
    if (sender == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int sent = 0;; sent++) {
            kill(parent = getppid(), SIGUSR1);
            do
                usleep(60);
            while (*handled <= sent);
        }
    }
    (void)parent;
    double start = seconds();
    int total = 0;
    for (const struct loop *l = loops; l < loops_end; l++) {
        word x[32] = {0};
        clear();
        exclusive = !strncmp(l->name, "exclusive", 9);
        start_loop(l, x);
        walk(l);
        timer(75);
        run_loop(x, (void *)l->function);
        timer(0);
        count = 0;
        total += signals;
        report(l->name);
    }
    word x[32] = {0};
    in_recursion = 1;
    for (int depth = 10; depth <= 20000; depth *= 20) {
        stack_base = 0;
        start_recursion(depth, x);
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
