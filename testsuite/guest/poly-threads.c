// Threads execute code that another changes: in a hot loop, in what it calls and in what called it, at a function's entry, and by
// breakpoints. Each instruction is the old or the new one, and the new one soon. Arguments: the case, rounds, and seconds after
// which to give up; status 0 if it holds.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "context.h"

enum { PAGE = 4096, THREADS = 2 };
extern long t_loop(long *), t_clean(long *), t_callee_loop(long *), t_outer(long *), t_entry(long), t_probe(long), t_probed(long, long *);
extern uint32_t t_loop_site[], t_clean_site[], t_callee_site[], t_outer_site[], t_entry_site[], t_probe_site[], t_probed_site[];
// Instructions to write there: out of a loop, a result of one, one and two added to the argument, a breakpoint.
extern const uint32_t t_leave, t_one, t_add_one, t_add_two, t_break;

static int rounds = 100;
static long turns[THREADS][16];
static long bad[THREADS];
static volatile int stop, round_now, done;

static void protect(void *at, int prot)
{
    if (mprotect((void *)((uintptr_t)at & -PAGE), PAGE, prot)) {
        perror("mprotect");
        exit(2);
    }
}

static void patch(uint32_t *at, uint32_t insn)
{
    __atomic_store_n(at, insn, __ATOMIC_RELEASE);
    __builtin___clear_cache((char *)at, (char *)(at + 1));
}

static long turn(int i) { return __atomic_load_n(&turns[i][0], __ATOMIC_ACQUIRE); }

// Every thread has gone through all of its loop since.
static void all_turn(void)
{
    for (int i = 0; i < THREADS; i++)
        for (long was = turn(i); turn(i) < was + 2;)
            sched_yield();
}

static long (*looping)(long *);

static void *loops(void *arg)
{
    long n = (long)arg;
    for (int r = 1; r <= rounds; r++) {
        while (round_now < r)
            sched_yield();
        if (looping(&turns[n][0]) != 7)
            bad[n]++;
        __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
    }
    return 0;
}

static void start(pthread_t t[], void *(*f)(void *))
{
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&t[i], 0, f, (void *)i))
            exit(2);
}

static int join(pthread_t t[])
{
    long sum = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], 0);
        sum += bad[i];
    }
    if (sum)
        printf("bad: %ld\n", sum);
    return sum != 0;
}

// Threads loop until the instruction at `site` is another, `there`.
static int leave_loop(long (*f)(long *), uint32_t *site, uint32_t there)
{
    pthread_t t[THREADS];
    uint32_t was = *site;
    looping = f;
    start(t, loops);
    for (int r = 1; r <= rounds; r++) {
        done = 0;
        round_now = r;
        all_turn();
        protect(site, PROT_READ | PROT_WRITE | PROT_EXEC);
        if (r & 1)
            all_turn();
        patch(site, there);
        while (done < THREADS)
            sched_yield();
        patch(site, was);
        protect(site, PROT_READ | PROT_EXEC);
    }
    return join(t);
}

static int loop(void) { return leave_loop(t_loop, t_loop_site, t_leave); }
static int clean(void) { return leave_loop(t_clean, t_clean_site, t_leave); }
static int callee(void) { return leave_loop(t_callee_loop, t_callee_site, t_one); }
static int outer(void) { return leave_loop(t_outer, t_outer_site, t_leave); }

static void *enters(void *arg)
{
    long n = (long)arg, seen = 0;
    for (long k = 0; !stop; k++) {
        long r = t_entry(k);
        if (r != k + 1 && r != k + 2)
            bad[n]++;
        seen |= 1 << (r - k);
        turns[n][1] = seen;
        __atomic_store_n(&turns[n][0], k, __ATOMIC_RELEASE);
    }
    return 0;
}

// One or two added at the entry of a function of two instructions.
static int entry(void)
{
    uint32_t *site = t_entry_site;
    pthread_t t[THREADS];
    start(t, enters);
    for (int r = 0; r < rounds; r++) {
        protect(site, PROT_READ | PROT_WRITE | PROT_EXEC);
        patch(site, t_add_two);
        if (r % 8 == 0)
            all_turn();
        patch(site, t_add_one);
        protect(site, PROT_READ | PROT_EXEC);
        if (r % 8 == 0)
            all_turn();
    }
    stop = 1;
    int r = join(t);
    for (int i = 0; i < THREADS; i++)
        if (turns[i][1] != 6)
            printf("thread %d has seen %lx\n", i, turns[i][1]), r = 1;
    return r;
}

static void *waits(void *arg)
{
    int *ends = arg;
    char c = 0;
    return write(ends[3], &c, 1) == 1 && read(ends[0], &c, 1) == 0 ? arg : 0;
}

// The same, by the only thread that executes it, while there is another and after.
static int alone(void)
{
    uint32_t *site = t_entry_site;
    int ends[4], r = t_entry(1) != 2;
    char c;
    void *ended = 0;
    pthread_t t;
    // It is there when it has said so.
    if (pipe(ends) || pipe(ends + 2) || pthread_create(&t, 0, waits, ends) || read(ends[2], &c, 1) != 1)
        return 2;
    protect(site, PROT_READ | PROT_WRITE | PROT_EXEC);
    patch(site, t_add_two);
    close(ends[1]);
    pthread_join(t, &ended);
    for (int i = 0; i < 3; i++)
        r |= t_entry(i) != i + 2;
    patch(site, t_add_one);
    protect(site, PROT_READ | PROT_EXEC);
    for (int i = 0; i < 3; i++)
        r |= t_entry(i) != i + 1;
    return r | !ended;
}

// The thread's turns, traps, and what tells it to end.
static __thread volatile long *own;

static void on_trap(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    ucontext_t *uc = context;
    uintptr_t pc = PC(uc);
    if ((pc != (uintptr_t)t_probe_site && pc != (uintptr_t)t_probed_site) || info->si_addr != (void *)pc)
        _exit(3);
    // What is under the breakpoint: one added.
    REGISTERS(uc)[0]++;
    PC(uc) += 4;
    own[1]++;
}

static void *probes(void *arg)
{
    long n = (long)arg;
    own = turns[n];
    for (long k = 0; !stop; k++) {
        if (t_probe(k) != k + 1)
            bad[n]++;
        __atomic_store_n(&turns[n][0], k, __ATOMIC_RELEASE);
    }
    return 0;
}

// A loop within one function that is never left while it is changed.
static void *probed(void *arg)
{
    long n = (long)arg;
    own = turns[n];
    if (t_probed(0, turns[n]) != own[0])
        bad[n]++;
    return 0;
}

static int with_breakpoints(void *(*f)(void *), uint32_t *site)
{
    struct sigaction a = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &a, 0);
    uint32_t was = *site;
    pthread_t t[THREADS];
    start(t, f);
    all_turn();
    for (int r = 0; r < rounds; r++) {
        protect(site, PROT_READ | PROT_WRITE | PROT_EXEC);
        patch(site, t_break);
        for (int i = 0; i < THREADS; i++)
            for (long now = turns[i][1]; *(volatile long *)&turns[i][1] == now;)
                sched_yield();
        all_turn();
        patch(site, was);
        protect(site, PROT_READ | PROT_EXEC);
        all_turn();
    }
    stop = 1;
    for (int i = 0; i < THREADS; i++)
        __atomic_store_n(&turns[i][2], 1, __ATOMIC_RELEASE);
    return join(t);
}

static int probe(void) { return with_breakpoints(probes, t_probe_site); }
static int probe_inside(void) { return with_breakpoints(probed, t_probed_site); }

static const struct { const char *name; int (*run)(void); } cases[] = {
    {"loop", loop}, {"clean", clean}, {"callee", callee}, {"outer", outer}, {"entry", entry}, {"probe", probe},
    {"probe_inside", probe_inside}, {"alone", alone},
};

int main(int argc, char **argv)
{
    if (argc > 2)
        rounds = atoi(argv[2]);
    alarm(argc > 3 ? atoi(argv[3]) : 0);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc < 2)
            puts(cases[i].name);
        else if (!strcmp(argv[1], cases[i].name))
            return cases[i].run();
    return 0;
}
