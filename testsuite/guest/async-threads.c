// Asynchronous signals to four threads in a hot loop whose pc implies relations between registers, memory and flags:
// queued real-time signals from the initial thread, of which none may be lost or come out of order, and from a timer of
// each thread's own. Argument: queued signals for each thread.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { THREADS = 4, N = 20000 };
extern const uint32_t hot_loop[], hot_end[];
__asm__(".text\n"
        "hot: mov x9, #0\n mov x10, #0\n mov x11, #0\n mov x12, #0\n mov x13, #0\n mov x14, #20000\n movi v0.2d, #0\n"
        "mov x15, #1\n dup v1.2d, x15\n fmov d2, xzr\n fmov d3, #1.0\n"
        ".globl hot_loop, hot_end, hot\n"
        "hot_loop:\n"
        "add x9, x9, #1\n"             // 0
        "add x10, x10, #1\n"           // 1
        "add v0.2d, v0.2d, v1.2d\n"    // 2
        "ldr x12, [x0]\n"              // 3: what was stored last
        "add x11, x11, x12\n"          // 4
        "add x13, x13, #1\n"           // 5
        "fadd d2, d2, d3\n"            // 6
        "str x13, [x0]\n"              // 7
        "stp x13, x9, [x0, #16]\n"     // 8
        "subs x14, x14, #1\n"          // 9
        "b.ne hot_loop\n"              // 10
        "hot_end:\n"
        "stp x9, x10, [x0, #32]\n stp x11, x13, [x0, #48]\n str q0, [x0, #64]\n str d2, [x0, #80]\n str xzr, [x0]\n ret\n");
void hot(uint64_t *memory);

static struct thread {
    pthread_t id;
    _Atomic int tid;
    uint64_t memory[16];
    atomic_long queued, timed, inside, next;
} __attribute__((aligned(128))) threads[THREADS];
static __thread struct thread *me;
static atomic_int stop, wrong;

static void check(int what, int line, uint64_t a, uint64_t b)
{
    if (!what && wrong++ < 5) printf("line %d: %lx %lx\n", line, (long)a, (long)b);
}
#define EQUAL(a, b) check((a) == (b), __LINE__, a, b)

static void on_signal(int sig, siginfo_t *info, void *context)
{
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    const uint32_t *pc = (const uint32_t *)m->pc;
    if (info->si_code == SI_TIMER) {
        me->timed++;
    } else {
        EQUAL((uint64_t)info->si_value.sival_int, (uint64_t)me->next);
        me->next = info->si_value.sival_int + 1;
        me->queued++;
    }
    (void)sig;
    if (pc < hot_loop || pc >= hot_end) return;
    me->inside++;
    const uint64_t *x = (const uint64_t *)m->regs;
    int at = pc - hot_loop;
    uint64_t i = x[9] - (at > 0);
    const uint32_t *record = (const uint32_t *)m->__reserved;
    EQUAL(x[0], (uint64_t)me->memory);
    EQUAL(x[10], i + (at > 1));
    if (at > 3) EQUAL(x[12], i);
    // The sum of what was loaded: 0 + 1 + … .
    EQUAL(x[11], at > 4 ? i * (i + 1) / 2 : i * (i - 1) / 2);
    EQUAL(x[13], i + (at > 5));
    EQUAL(me->memory[0], i + (at > 7));
    // Between the two stores of a pair an interrupt may be taken, and the instruction is executed again: Arm ARM (DDI 0487)
    // B2.2.1, on what is single-copy atomic (a sequence of accesses, during which exceptions, interrupts included, can be
    // taken, whatever the type of memory; on return, accesses made before are repeated), and D1, "Taking an interrupt or
    // other exception during a multi-access load or store". (In AArch32, G1.16.5 allows it for LDM and STM only.)
    if (at != 8 && (i || at > 8)) EQUAL(me->memory[2], i + (at > 8));
    if (at != 8 && (i || at > 8)) EQUAL(me->memory[3], i + (at > 8));
    EQUAL(x[14], N - i - (at > 9));
    if (at == 10) EQUAL((m->pstate >> 28), (x[14] ? 2u : 6u));
    EQUAL(record[0], 0x46508001u);
    const uint64_t *v = (const uint64_t *)(record + 4);
    double d;
    memcpy(&d, v + 4, 8);
    EQUAL(v[0], i + (at > 2));
    EQUAL(v[1], i + (at > 2));
    EQUAL((uint64_t)d, i + (at > 6));
}

static void *body(void *a)
{
    struct thread *t = me = a;
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 5};
    struct itimerspec i = {{0, 3000000}, {0, 3000000}}, off = {0};
    timer_t timer;
    t->tid = syscall(SYS_gettid);
    ((int *)&e.sigev_notify)[1] = t->tid; // sigev_notify_thread_id
    if (timer_create(CLOCK_MONOTONIC, &e, &timer)) puts("no timer");
    timer_settime(timer, 0, &i, 0);
    while (!stop) {
        hot(t->memory);
        EQUAL(t->memory[4], N);
        EQUAL(t->memory[5], N);
        EQUAL(t->memory[6], (uint64_t)N * (N - 1) / 2);
        EQUAL(t->memory[7], N);
        EQUAL(t->memory[8], N);
        EQUAL(t->memory[9], N);
    }
    timer_settime(timer, 0, &off, 0);
    return 0;
}

int main(int argc, char **argv)
{
    long each = argc > 1 ? atol(argv[1]) : 2500;
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&sa.sa_mask);
    sigaddset(&sa.sa_mask, SIGRTMIN + 4);
    sigaddset(&sa.sa_mask, SIGRTMIN + 5);
    sigaction(SIGRTMIN + 4, &sa, 0);
    sigaction(SIGRTMIN + 5, &sa, 0);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i].id, 0, body, &threads[i]);
    for (int i = 0; i < THREADS; i++)
        while (!threads[i].tid) sched_yield();
    for (long n = 0; n < each; n++)
        for (int i = 0; i < THREADS; i++) {
            siginfo_t info;
            memset(&info, 0, sizeof info);
            info.si_code = SI_QUEUE;
            info.si_pid = getpid();
            info.si_value.sival_int = n;
            while (syscall(SYS_rt_tgsigqueueinfo, getpid(), threads[i].tid, SIGRTMIN + 4, &info)) sched_yield();
            // Sometimes many at once, sometimes one after the other.
            if (n % 64 == 63)
                while (threads[i].queued <= n) sched_yield();
        }
    long queued = 0, inside = 0, timed = 0;
    for (int i = 0; i < THREADS; i++)
        while (threads[i].queued < each) sched_yield();
    stop = 1;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i].id, 0);
        queued += threads[i].queued;
        inside += threads[i].inside;
        timed += threads[i].timed;
    }
    if (getenv("ASYNC_VERBOSE")) fprintf(stderr, "%ld in the loop, %ld by timers\n", inside, timed);
    printf("queued %ld, violations %d, in the loop %d\n", queued, wrong, inside > queued / 4);
    return 0;
}
