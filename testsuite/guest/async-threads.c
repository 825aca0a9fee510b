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
#include <unistd.h>

#include "context.h"

enum { THREADS = 4, N = 20000 };
extern const uint32_t hot_loop[], hot_end[];
#ifdef __aarch64__
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
// The registers of the counters.
enum { MEMORY = 0, FIRST = 9, SECOND, SUM, LOADED, STORED, LEFT };
#else
__asm__(ASSEMBLY ".globl hot_loop, hot_end, hot\n.type hot, %function\n"
        "hot: push {r4-r9, lr}\n mov r9, #0\n mov r2, #0\n mov r3, #0\n mov r4, #0\n mov r8, #0\n movw r6, #20000\n mov r5, #1\n"
        "vmov.i64 q0, #0\n vmov.i64 d4, #0\n vmov.f64 d5, #1.0\n vmov.i64 q1, #0\n vmov d2, r5, r8\n vmov d3, r5, r8\n"
        "hot_loop:\n"
        "add" WIDE "r9, r9, #1\n"          // 0
        "add" WIDE "r2, r2, #1\n"          // 1
        "vadd.i64 q0, q0, q1\n"       // 2
        "ldr" WIDE "r4, [r0]\n"            // 3: what was stored last
        "add" WIDE "r3, r3, r4\n"          // 4
        "add" WIDE "r8, r8, #1\n"          // 5
        "vadd.f64 d4, d4, d5\n"       // 6
        "str" WIDE "r8, [r0]\n"            // 7
        "strd r8, r9, [r0, #8]\n"     // 8
        "subs" WIDE "r6, r6, #1\n"         // 9
        "bne" WIDE "hot_loop\n"            // 10
        "hot_end:\n"
        "str r9, [r0, #16]\n str r2, [r0, #20]\n str r3, [r0, #24]\n str r8, [r0, #28]\n"
        "vmov.32 r1, d0[0]\n str r1, [r0, #32]\n vmov.32 r1, d1[0]\n str r1, [r0, #36]\n mov r1, #0\n str r1, [r0]\n pop {r4-r9, pc}\n");
enum { MEMORY = 0, SECOND = 2, SUM, LOADED, LEFT = 6, STORED = 8, FIRST };
#endif
void hot(word *memory);

static struct thread {
    pthread_t id;
    _Atomic int tid;
    word memory[16];
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
    ucontext_t *uc = context;
    const uint32_t *pc = (const uint32_t *)PC(uc);
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
    const saved *r = REGISTERS(uc);
    int at = pc - hot_loop;
    word i = r[FIRST] - (at > 0);
    EQUAL(r[MEMORY], (word)me->memory);
    EQUAL(r[SECOND], i + (at > 1));
    if (at > 3) EQUAL(r[LOADED], i);
    // The sum of what was loaded: 0 + 1 + … .
    EQUAL(r[SUM], at > 4 ? i * (i + 1) / 2 : i * (i - 1) / 2);
    EQUAL(r[STORED], i + (at > 5));
    EQUAL(me->memory[0], i + (at > 7));
    // Between the two stores of a pair an interrupt may be taken, and the instruction is executed again: Arm ARM (DDI 0487)
    // B2.2.1, on what is single-copy atomic (a sequence of accesses, during which exceptions, interrupts included, can be
    // taken, whatever the type of memory; on return, accesses made before are repeated), and D1, "Taking an interrupt or
    // other exception during a multi-access load or store". (In AArch32, G1.16.5 allows it for LDM and STM only.)
#ifdef __aarch64__
    int stores = at == 8;
#else
    int stores = 0;
#endif
    if (!stores && (i || at > 8)) EQUAL(me->memory[2], i + (at > 8));
    if (!stores && (i || at > 8)) EQUAL(me->memory[3], i + (at > 8));
    EQUAL(r[LEFT], N - i - (at > 9));
    if (at == 10) EQUAL(NZCV(uc), (r[LEFT] ? 2u : 6u));
    EQUAL(fp_record(uc)[0], FP_MAGIC);
    double d;
    memcpy(&d, vector(uc, 2), 8);
    EQUAL(vector(uc, 0)[0], i + (at > 2));
    EQUAL(vector(uc, 0)[1], i + (at > 2));
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
        EQUAL(t->memory[6], (word)N * (N - 1) / 2);
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
