// Signals at work, in threads: those sent to the process and to one thread, queues and what comes with them, calls that
// restart, timers, signalfd, jumps, nested handlers, and faults that programs use on purpose. Argument: the test.
// Each prints its name; what is not as on Linux is a line of its own. Nothing depends on how fast anything goes.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "context.h"

enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET = 9, FUTEX_PRIVATE_FLAG = 128, FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE };

static atomic_int failures;
static void check(int good, int line, const char *what, long a, long b)
{
    if (!good && failures++ < 10) {
        char text[200];
        int n = snprintf(text, sizeof text, "line %d: %s: %ld, %ld\n", line, what, a, b);
        if (write(1, text, n) < 0) _exit(9);
    }
}
#define CHECK(x) check(!!(x), __LINE__, #x, errno, 0)
#define SAME(a, b) \
    do { \
        long is_ = (long)(a), to_be_ = (long)(b); \
        check(is_ == to_be_, __LINE__, #a " == " #b, is_, to_be_); \
    } while (0)

typedef pthread_t T;
static int tid(void) { return syscall(SYS_gettid); }
static T start(void *(*f)(void *), void *a)
{
    T t;
    if (pthread_create(&t, 0, f, a)) abort();
    return t;
}
static void *join(T t)
{
    void *r;
    pthread_join(t, &r);
    return r;
}
static void handle(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
    struct sigaction sa = {.sa_sigaction = f, .sa_flags = SA_SIGINFO | flags};
    SAME(sigaction(sig, &sa, 0), 0);
}
static sigset_t set_of(int a, int b)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, a);
    if (b) sigaddset(&s, b);
    return s;
}
static void mask(int how, int a, int b)
{
    sigset_t s = set_of(a, b);
    pthread_sigmask(how, &s, 0);
}
static int pending(int sig)
{
    sigset_t s;
    sigpending(&s);
    return sigismember(&s, sig);
}
static int queue_to_thread(int t, int sig, int code, int value)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = code;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = value;
    return syscall(SYS_rt_tgsigqueueinfo, getpid(), t, sig, &info);
}
static void wait_for(atomic_int *a, int n)
{
    while (*a < n) sched_yield();
}

// --- signals that only faults raise, sent to the process: the thread that does not block them takes them

static const int faults[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV};
static __thread int me;
static atomic_int taken[8], ready, stop, value_sum, last_code, last_pid;
static void note(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    last_code = info->si_code;
    last_pid = info->si_pid;
    value_sum += info->si_value.sival_int;
    taken[me]++;
}
static void *spinner(void *a)
{
    me = (long)a;
    for (int i = 0; i < 5; i++) mask(SIG_UNBLOCK, faults[i], 0);
    ready++;
    while (!stop) {}
    return 0;
}
static void *sleeper(void *a)
{
    me = (long)a;
    for (int i = 0; i < 5; i++) mask(SIG_UNBLOCK, faults[i], 0);
    ready++;
    while (!stop) syscall(SYS_futex, &stop, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
    return 0;
}
enum { ROUNDS = 20 };
static void *suspended(void *a)
{
    sigset_t s;
    me = (long)a;
    sigfillset(&s);
    sigdelset(&s, SIGSEGV);
    ready++;
    // One signal each time.
    for (int i = 0; i < ROUNDS; i++) {
        SAME(sigsuspend(&s), -1);
        SAME(errno, EINTR);
    }
    return 0;
}
static void *polling(void *a)
{
    sigset_t s;
    me = (long)a;
    sigfillset(&s);
    sigdelset(&s, SIGSEGV);
    ready++;
    // One signal each time.
    for (int i = 0; i < ROUNDS; i++) {
        SAME(ppoll(0, 0, 0, &s), -1);
        SAME(errno, EINTR);
    }
    return 0;
}
static void *waiting(void *a)
{
    sigset_t s = set_of(SIGSEGV, SIGRTMIN);
    siginfo_t info;
    me = (long)a;
    ready++;
    while (!stop) {
        int r = sigwaitinfo(&s, &info);
        if (r == SIGSEGV) note(r, &info, 0);
        else SAME(r, SIGRTMIN);
    }
    return 0;
}
static void *blocked_reader(void *a)
{
    char c;
    int *fd = a;
    me = 6;
    ready++;
    // It blocks all of them: that the host tells this thread is not to be seen, whatever it waits in.
    struct epoll_event e;
    SAME(epoll_wait(fd[2], &e, 1, -1), 1);
    SAME(read(fd[0], &c, 1), 1);
    return 0;
}
static void *ends_at_once(void *a)
{
    me = (long)a;
    for (int i = 0; i < 5; i++) mask(SIG_UNBLOCK, faults[i], 0);
    return 0;
}
static void *unblocks_later(void *a)
{
    me = (long)a;
    CHECK(pending(SIGSEGV) && pending(SIGFPE));
    int before = taken[me];
    mask(SIG_UNBLOCK, SIGSEGV, SIGFPE);
    SAME(taken[me], before + 2);
    CHECK(!pending(SIGSEGV) && !pending(SIGFPE));
    return 0;
}

static void t_process(void)
{
    void *(*bodies[])(void *) = {spinner, sleeper, suspended, polling, waiting};
    T t;
    for (int i = 0; i < 5; i++) {
        handle(faults[i], note, SA_RESTART);
        mask(SIG_BLOCK, faults[i], 0);
    }
    handle(SIGRTMIN, note, 0);
    mask(SIG_BLOCK, SIGRTMIN, 0);
    for (long kind = 0; kind < 5; kind++) {
        stop = ready = 0;
        taken[1] = 0;
        t = start(bodies[kind], (void *)1L);
        wait_for(&ready, 1);
        for (int i = 0; i < ROUNDS; i++) {
            int sig = kind < 2 ? faults[i % 5] : SIGSEGV;
            if (i & 1) {
                union sigval v = {.sival_int = 7};
                value_sum = 0;
                SAME(sigqueue(getpid(), sig, v), 0);
                wait_for(&taken[1], i + 1);
                SAME(last_code, SI_QUEUE);
                SAME(value_sum, 7);
            } else if (i & 2) {
                pid_t child = fork();
                if (child == 0) _exit(kill(getppid(), sig));
                int status;
                SAME(waitpid(child, &status, 0), child);
                SAME(status, 0);
                wait_for(&taken[1], i + 1);
                SAME(last_code, SI_USER);
                SAME(last_pid, child);
            } else {
                SAME(kill(getpid(), sig), 0);
                wait_for(&taken[1], i + 1);
                SAME(last_code, SI_USER);
                SAME(last_pid, getpid());
            }
        }
        stop = 1;
        syscall(SYS_futex, &stop, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
        if (kind == 4) pthread_kill(t, SIGRTMIN);
        join(t);
        SAME(taken[1], ROUNDS);
    }
    SAME(taken[0], 0);

    // Sent to a thread, they stay with it.
    stop = ready = taken[1] = 0;
    t = start(spinner, (void *)1L);
    wait_for(&ready, 1);
    value_sum = 0;
    SAME(pthread_kill(pthread_self(), SIGSEGV), 0);
    SAME(queue_to_thread(tid(), SIGFPE, SI_QUEUE, 9), 0);
    SAME(kill(getpid(), SIGILL), 0);
    wait_for(&taken[1], 1);
    CHECK(pending(SIGSEGV) && pending(SIGFPE) && !pending(SIGILL));
    siginfo_t info;
    sigset_t s = set_of(SIGSEGV, SIGFPE);
    struct timespec none = {0, 0}, bad = {0, 1000000000};
    SAME(sigtimedwait(&s, &info, &none), SIGFPE);
    CHECK(info.si_code == SI_QUEUE && info.si_value.sival_int == 9);
    SAME(sigtimedwait(&s, &info, &none), SIGSEGV);
    CHECK(info.si_code == -6 && info.si_pid == getpid());
    SAME(sigtimedwait(&s, &info, &none), -1);
    SAME(errno, EAGAIN);
    SAME(sigtimedwait(&s, &info, &bad), -1);
    SAME(errno, EINVAL);
    none.tv_nsec = 1000000;
    SAME(sigtimedwait(&s, &info, &none), -1);
    SAME(errno, EAGAIN);
    stop = 1;
    join(t);
    SAME(taken[1], 1);

    // One each is kept while all block them; who unblocks them first gets them.
    for (int i = 0; i < 3; i++) {
        kill(getpid(), SIGSEGV);
        kill(getpid(), SIGFPE);
    }
    CHECK(pending(SIGSEGV) && pending(SIGFPE));
    taken[2] = 0;
    join(start(unblocks_later, (void *)2L));
    CHECK(!pending(SIGSEGV) && !pending(SIGFPE));
    // A child does not inherit them, and ignoring forgets them.
    kill(getpid(), SIGSEGV);
    pid_t child = fork();
    int status;
    if (child == 0) _exit(pending(SIGSEGV));
    waitpid(child, &status, 0);
    SAME(status, 0);
    CHECK(pending(SIGSEGV));
    signal(SIGSEGV, SIG_IGN);
    CHECK(!pending(SIGSEGV));
    handle(SIGSEGV, note, SA_RESTART);
    // Threads that end while they are to take one: it is the next's.
    SAME(taken[0], 0);
    for (int i = 0; i < 30; i++) {
        taken[3] = taken[4] = 0;
        T a = start(ends_at_once, (void *)3L);
        kill(getpid(), SIGBUS);
        join(a);
        if (!taken[3]) {
            CHECK(pending(SIGBUS));
            join(start(ends_at_once, (void *)4L));
        }
        SAME(taken[3] + taken[4], 1);
        CHECK(!pending(SIGBUS));
    }
    // A thread that blocks them all notices nothing of those of others, in whatever call.
    int fd[3];
    struct epoll_event e = {.events = EPOLLIN};
    CHECK(!pipe(fd));
    fd[2] = epoll_create1(0);
    epoll_ctl(fd[2], EPOLL_CTL_ADD, fd[0], &e);
    stop = ready = taken[1] = 0;
    t = start(spinner, (void *)1L);
    T r = start(blocked_reader, fd);
    wait_for(&ready, 2);
    for (int i = 0; i < 30; i++) {
        kill(getpid(), SIGSEGV);
        wait_for(&taken[1], i + 1);
    }
    CHECK(write(fd[1], "x", 1) == 1);
    join(r);
    // The same with the initial thread in the call, which is the one that the host prefers.
    child = fork();
    if (child == 0) {
        // A new process with one thread.
        taken[0] = 0;
        mask(SIG_UNBLOCK, SIGSEGV, 0);
        kill(getpid(), SIGSEGV);
        _exit(taken[0] != 1);
    }
    SAME(waitpid(child, &status, 0), child);
    SAME(status, 0);
    stop = 1;
    join(t);
    SAME(taken[0], 0);
    puts("process");
}

// They stay pending over the execution of a program, as all do.
static void t_execute(char **argv)
{
    if (argv[2]) {
        CHECK(pending(SIGSEGV) && pending(SIGFPE) && pending(SIGUSR1) && !pending(SIGBUS));
        puts("executed");
        return;
    }
    mask(SIG_BLOCK, SIGSEGV, SIGFPE);
    mask(SIG_BLOCK, SIGUSR1, 0);
    kill(getpid(), SIGSEGV);
    kill(getpid(), SIGUSR1);
    pthread_kill(pthread_self(), SIGFPE);
    char *no[] = {"/nothing/here", 0};
    SAME(execv(no[0], no), -1);
    CHECK(pending(SIGSEGV) && pending(SIGFPE) && pending(SIGUSR1));
    fflush(stdout);
    char *again[] = {argv[0], argv[1], "again", 0};
    execv("/proc/self/exe", again);
    CHECK(!"executed");
}

// --- queues

static struct { int sig, code, value, pid; } log_of[4096];
static atomic_int logged;
static void record(int sig, siginfo_t *info, void *context)
{
    (void)context;
    int i = logged++;
    if (i >= 4096) return;
    log_of[i].sig = sig;
    log_of[i].code = info->si_code;
    log_of[i].value = info->si_value.sival_int;
    log_of[i].pid = info->si_pid;
}
static void *unblock_and_look(void *a)
{
    (void)a;
    mask(SIG_UNBLOCK, SIGRTMIN + 1, SIGRTMIN + 2);
    return 0;
}
static void t_queue(void)
{
    for (int i = 0; i < 4; i++) {
        handle(SIGRTMIN + i, record, 0);
        mask(SIG_BLOCK, SIGRTMIN + i, 0);
    }
    // The handlers of lower numbers run last: each is interrupted at once by the next.
    for (int round = 0; round < 2; round++) {
        logged = 0;
        for (int i = 0; i < 500; i++) {
            union sigval v = {.sival_int = i};
            SAME(sigqueue(getpid(), SIGRTMIN + 2 - i % 2, v), 0);
        }
        if (round) {
            join(start(unblock_and_look, 0));
        } else {
            sigset_t s = set_of(SIGRTMIN + 1, SIGRTMIN + 2);
            for (int i = 0; i < 500; i++) {
                siginfo_t info;
                // Lower numbers first, each in order.
                int want = i < 250 ? 2 * i + 1 : 2 * (i - 250);
                SAME(sigwaitinfo(&s, &info), SIGRTMIN + 1 + (i >= 250));
                SAME(info.si_value.sival_int, want);
                CHECK(info.si_code == SI_QUEUE && info.si_pid == getpid() && info.si_uid == getuid());
            }
            continue;
        }
        SAME(logged, 500);
        int next[2] = {1, 0};
        for (int i = 0; i < 500; i++) {
            int which = log_of[i].sig - SIGRTMIN - 1;
            SAME(log_of[i].value, next[which]);
            next[which] += 2;
            SAME(log_of[i].code, SI_QUEUE);
        }
    }
    // What is said of each kind.
    sigset_t s = set_of(SIGRTMIN, SIGRTMIN + 3);
    siginfo_t info;
    kill(getpid(), SIGRTMIN);
    SAME(sigwaitinfo(&s, &info), SIGRTMIN);
    CHECK(info.si_code == SI_USER && info.si_pid == getpid() && info.si_uid == getuid());
    pthread_kill(pthread_self(), SIGRTMIN);
    SAME(sigwaitinfo(&s, &info), SIGRTMIN);
    CHECK(info.si_code == -6 && info.si_pid == getpid());
    SAME(queue_to_thread(tid(), SIGRTMIN, -42, 5), 0);
    SAME(sigwaitinfo(&s, &info), SIGRTMIN);
    CHECK(info.si_code == -42 && info.si_value.sival_int == 5);
    SAME(queue_to_thread(tid(), SIGRTMIN, -60, 6), 0); // SI_ASYNCNL
    SAME(sigwaitinfo(&s, &info), SIGRTMIN);
    CHECK(info.si_code == -60 && info.si_value.sival_int == 6);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3, .sigev_value.sival_int = 77};
    timer_t timer;
    struct itimerspec soon = {.it_value.tv_nsec = 1000}, repeat = {{0, 1000}, {0, 1000}}, off = {0};
    SAME(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    timer_settime(timer, 0, &soon, 0);
    SAME(sigwaitinfo(&s, &info), SIGRTMIN + 3);
    CHECK(info.si_code == SI_TIMER && info.si_value.sival_int == 77 && info.si_overrun == 0);
    // Only one of a timer is queued at a time; the rest is counted.
    timer_settime(timer, 0, &repeat, 0);
    struct timespec ms = {0, 2000000};
    nanosleep(&ms, 0);
    SAME(sigwaitinfo(&s, &info), SIGRTMIN + 3);
    CHECK(info.si_overrun > 100 && timer_getoverrun(timer) == info.si_overrun);
    timer_settime(timer, 0, &off, 0);
    timer_delete(timer);
    ms.tv_nsec = 0;
    while (sigtimedwait(&s, &info, &ms) > 0) {}
    // A message queue.
    struct { long flags, maxmsg, msgsize, curmsgs, reserved[4]; } attr = {0, 4, 8, 0, {0}};
    char name[40];
    snprintf(name, sizeof name, "xlate-%d", getpid());
    int mq = syscall(SYS_mq_open, name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (mq >= 0) {
        event.sigev_value.sival_int = 78;
        SAME(syscall(SYS_mq_notify, mq, &event), 0);
        SAME(syscall(SYS_mq_timedsend, mq, "x", 1, 0, 0), 0);
        SAME(sigwaitinfo(&s, &info), SIGRTMIN + 3);
        CHECK(info.si_code == SI_MESGQ && info.si_value.sival_int == 78 && info.si_pid == getpid());
        close(mq);
        syscall(SYS_mq_unlink, name);
    }
    // No room for another: who asked for a queue is told, others lose what came with it.
    struct rlimit limit, none;
    getrlimit(RLIMIT_SIGPENDING, &limit);
    none = limit;
    none.rlim_cur = 0;
    SAME(setrlimit(RLIMIT_SIGPENDING, &none), 0);
    union sigval v = {.sival_int = 1};
    SAME(sigqueue(getpid(), SIGRTMIN, v), -1);
    SAME(errno, EAGAIN);
    SAME(pthread_kill(pthread_self(), SIGRTMIN), EAGAIN);
    SAME(kill(getpid(), SIGRTMIN), 0);
    SAME(sigwaitinfo(&s, &info), SIGRTMIN);
    CHECK(info.si_code == SI_USER && info.si_pid == 0);
    s = set_of(SIGUSR1, 0);
    mask(SIG_BLOCK, SIGUSR1, 0);
    SAME(sigqueue(getpid(), SIGUSR1, v), 0);
    SAME(sigwaitinfo(&s, &info), SIGUSR1);
    CHECK(info.si_code == SI_USER && info.si_pid == 0);
    setrlimit(RLIMIT_SIGPENDING, &limit);
    // Others than real-time signals are kept once.
    logged = 0;
    handle(SIGUSR1, record, 0);
    for (int i = 0; i < 10; i++) {
        v.sival_int = i;
        sigqueue(getpid(), SIGUSR1, v);
    }
    mask(SIG_UNBLOCK, SIGUSR1, 0);
    CHECK(logged == 1 && log_of[0].value == 0);
    puts("queue");
}

// --- restarts

static atomic_int handled, inside, returned;
static void count(int sig, siginfo_t *info, void *context) { (void)sig, (void)info, (void)context, handled++; }
static int fds[2], other[2], futex_word, listening, epfd, msgs, sems;
static char fifo[64], lock_file[64];
static const struct timespec long_time = {1000, 0};
// Times as the calls without a C library between take them: 32-bit ones have other numbers for times of 64 bits.
struct kernel_time { long tv_sec, tv_nsec; };
#ifdef SYS_clock_nanosleep_time32
#define SYS_clock_nanosleep SYS_clock_nanosleep_time32
#endif
static const struct kernel_time long_kernel_time = {1000, 0};
static struct kernel_time rest;
static struct kernel_time far_away(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (struct kernel_time){now.tv_sec + 1000, now.tv_nsec};
}

// What a call gives if it is interrupted with SA_RESTART, and how it ends if it goes on.
enum end { BY_WRITE, BY_READ, BY_WAKE, BY_CHILD, BY_CONNECT, BY_UNLOCK, BY_OPEN, NEVER };
static pid_t child;
static int locked;
struct sockaddr_un address;

static long c_read(void) { char c; return read(fds[0], &c, 1); }
static long c_readv(void) { char c; struct { void *p; size_t n; } v = {&c, 1}; return syscall(SYS_readv, fds[0], &v, 1); }
static long c_recv(void) { char c; return recv(other[0], &c, 1, 0); }
static long c_recvmsg(void)
{
    char c[2];
    struct { void *p; size_t n; } v = {c, 1};
    struct msghdr m = {.msg_iov = (void *)&v, .msg_iovlen = 1};
    return recvmsg(other[0], &m, 0);
}
static long c_write(void)
{
    char c[65536];
    memset(c, 1, sizeof c);
    return write(fds[1], c, 4096) == 4096 ? 1 : -1;
}
static long c_wait(void) { return waitpid(child, 0, 0) == child ? 1 : -1; }
static long c_waitid(void) { siginfo_t i; return waitid(P_PID, child, &i, WEXITED) == 0 ? 1 : -1; }
static long c_futex(void) { return syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0) == 0 ? 1 : -1; }
static long c_bitset(void) { return syscall(SYS_futex, &futex_word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, 0, 0, 1) == 0 ? 1 : -1; }
static long c_accept(void) { int f = accept(listening, 0, 0); if (f >= 0) close(f); return f >= 0 ? 1 : -1; }
static long c_flock(void) { int f = open(lock_file, O_RDWR), r = flock(f, LOCK_EX), e = errno; close(f); errno = e; return r == 0 ? 1 : -1; }
static long c_setlkw(void)
{
    struct flock l = {.l_type = F_WRLCK};
    int f = open(lock_file, O_RDWR), r = fcntl(f, 38 /* F_OFD_SETLKW */, &l), e = errno;
    close(f);
    errno = e;
    return r == 0 ? 1 : -1;
}
static long c_open(void) { int f = open(fifo, O_RDONLY); if (f >= 0) close(f); return f >= 0 ? 1 : -1; }
// Never restarted.
static long c_poll(void) { return poll(0, 0, -1); }
static long c_poll_limit(void) { return poll(0, 0, 1000000); }
static long c_ppoll(void) { return ppoll(0, 0, &long_time, 0); }
static long c_select(void) { return select(0, 0, 0, 0, 0); }
static long c_epoll(void) { struct epoll_event e; return epoll_wait(epfd, &e, 1, -1); }
static long c_sigwait(void) { sigset_t s = set_of(SIGRTMIN + 9, 0); siginfo_t i; return syscall(SYS_rt_sigtimedwait, &s, &i, &long_kernel_time, 8); }
static long c_suspend(void) { sigset_t s; sigemptyset(&s); return sigsuspend(&s); }
static long c_msgrcv(void) { long m[4]; return msgrcv(msgs, m, 8, 0, 0); }
static long c_semop(void) { struct sembuf b = {0, -1, 0}; return semop(sems, &b, 1); }
static long c_semtimedop(void) { struct sembuf b = {0, -1, 0}; return semtimedop(sems, &b, 1, &long_time); }
static long c_sleep(void)
{
    rest.tv_sec = -1;
    long r = syscall(SYS_nanosleep, &long_kernel_time, &rest);
    CHECK(rest.tv_sec >= 0 && rest.tv_sec <= 1000);
    return r;
}
static long c_sleep_clock(void)
{
    rest.tv_sec = -1;
    long r = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &long_kernel_time, &rest);
    CHECK(rest.tv_sec >= 0 && rest.tv_sec <= 1000);
    return r;
}
static long c_sleep_until(void)
{
    struct kernel_time t = far_away();
    rest.tv_sec = -1;
    long r = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t, &rest);
    SAME(rest.tv_sec, -1);
    return r;
}
static long c_futex_limit(void) { return syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &long_kernel_time, 0, 0); }
static long c_bitset_limit(void)
{
    struct kernel_time t = far_away();
    return syscall(SYS_futex, &futex_word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, &t, 0, 1);
}
static long c_recv_limit(void)
{
    struct timeval t = {1000, 0};
    char c;
    setsockopt(other[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    return recv(other[1], &c, 1, 0);
}

static const struct call {
    const char *name;
    long (*call)(void);
    enum end end;
} calls[] = {
    {"read", c_read, BY_WRITE}, {"readv", c_readv, BY_WRITE}, {"recv", c_recv, BY_WRITE}, {"recvmsg", c_recvmsg, BY_WRITE},
    {"write", c_write, BY_READ}, {"wait4", c_wait, BY_CHILD}, {"waitid", c_waitid, BY_CHILD}, {"futex", c_futex, BY_WAKE},
    {"futex bitset", c_bitset, BY_WAKE}, {"accept", c_accept, BY_CONNECT}, {"flock", c_flock, BY_UNLOCK},
    {"setlkw", c_setlkw, BY_UNLOCK}, {"open", c_open, BY_OPEN}, {"poll", c_poll, NEVER}, {"poll with limit", c_poll_limit, NEVER},
    {"ppoll", c_ppoll, NEVER}, {"select", c_select, NEVER}, {"epoll", c_epoll, NEVER}, {"sigtimedwait", c_sigwait, NEVER},
    {"sigsuspend", c_suspend, NEVER}, {"msgrcv", c_msgrcv, NEVER}, {"semop", c_semop, NEVER}, {"semtimedop", c_semtimedop, NEVER},
    {"nanosleep", c_sleep, NEVER}, {"clock_nanosleep", c_sleep_clock, NEVER}, {"absolute", c_sleep_until, NEVER},
    {"futex with limit", c_futex_limit, NEVER}, {"bitset with limit", c_bitset_limit, NEVER}, {"recv with limit", c_recv_limit, NEVER},
};
static const struct call *now;
static long result;
static void *caller(void *a)
{
    (void)a;
    inside = tid();
    errno = 0;
    result = now->call();
    if (result < 0) result = -errno;
    returned = 1;
    return 0;
}
static void prepare(const struct call *c)
{
    if (c->end == BY_READ) {
        fcntl(fds[1], F_SETFL, O_NONBLOCK);
        static char fill[4096];
        while (write(fds[1], fill, 4096) > 0) {}
        fcntl(fds[1], F_SETFL, 0);
    }
    if (c->end == BY_CHILD && (child = fork()) == 0) {
        char go;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(read(fds[0], &go, 1) != 1);
    }
    if (c->end == BY_UNLOCK) {
        struct flock l = {.l_type = F_WRLCK};
        locked = open(lock_file, O_RDWR | O_CREAT, 0600);
        CHECK(!flock(locked, LOCK_EX) && !fcntl(locked, 37, &l));
    }
}
// Ends the call, if it has not ended.
static void finish(const struct call *c)
{
    char buffer[4096];
    int f;
    switch (c->end) {
    case BY_WRITE:
        CHECK(write(fds[1], "x", 1) == 1 && write(other[1], "x", 1) == 1);
        break;
    case BY_READ:
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
        while (!returned) {
            if (read(fds[0], buffer, 4096) < 0) sched_yield();
        }
        fcntl(fds[0], F_SETFL, 0);
        break;
    case BY_CHILD:
        CHECK(write(fds[1], "x", 1) == 1);
        break;
    case BY_WAKE:
        // The word stays as it is: the call may just be about to look at it again.
        while (!returned) syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0), sched_yield();
        break;
    case BY_CONNECT:
        f = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK(!connect(f, (struct sockaddr *)&address, sizeof address));
        close(f);
        break;
    case BY_UNLOCK:
        close(locked);
        break;
    case BY_OPEN:
        close(open(fifo, O_WRONLY));
        break;
    case NEVER:
        break;
    }
}
// Takes what is left in pipe and socket.
static void drain(void)
{
    char buffer[4096];
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    fcntl(listening, F_SETFL, O_NONBLOCK);
    while (read(fds[0], buffer, sizeof buffer) > 0 || recv(other[0], buffer, sizeof buffer, MSG_DONTWAIT) > 0) {}
    int f = accept(listening, 0, 0);
    if (f >= 0) close(f);
    fcntl(fds[0], F_SETFL, 0);
    fcntl(listening, F_SETFL, 0);
}
static void t_restart(void)
{
    snprintf(fifo, sizeof fifo, "/tmp/xlate-fifo-%d", getpid());
    snprintf(lock_file, sizeof lock_file, "/tmp/xlate-lock-%d", getpid());
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path + 1, 60, "xlate-%d", getpid());
    CHECK(!pipe(fds) && !socketpair(AF_UNIX, SOCK_STREAM, 0, other) && !mkfifo(fifo, 0600));
    listening = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(!bind(listening, (struct sockaddr *)&address, sizeof address) && !listen(listening, 4));
    epfd = epoll_create1(0);
    msgs = msgget(IPC_PRIVATE, 0600);
    sems = semget(IPC_PRIVATE, 1, 0600);
    handle(SIGUSR1, count, 0);
    handle(SIGUSR2, count, SA_RESTART);
    for (const struct call *c = calls; c < calls + sizeof calls / sizeof *calls; c++) {
        // Restarted: however many signals come, the call goes on to its end.
        now = c;
        if (c->end != NEVER) {
            inside = returned = handled = 0;
            prepare(c);
            T t = start(caller, 0);
            while (!inside) sched_yield();
            for (int i = 0; i < 20; i++) {
                pthread_kill(t, SIGUSR2);
                wait_for(&handled, i + 1);
                if (i % 8 == 7) usleep(200);
            }
            if (returned) printf("%s ended: %ld\n", c->name, result);
            finish(c);
            join(t);
            if (result != 1) printf("%s, SA_RESTART: %ld\n", c->name, result);
            drain();
        }
        // Not restarted: it ends with EINTR, by the first signal that comes when it has begun. So do those that never are.
        inside = returned = handled = 0;
        prepare(c);
        T t = start(caller, 0);
        while (!inside) sched_yield();
        for (int i = 0; !returned; i++) {
            pthread_kill(t, c->end == NEVER && i % 2 ? SIGUSR2 : SIGUSR1);
            usleep(100);
        }
        join(t);
        if (result != -EINTR) printf("%s: %ld\n", c->name, result);
        if (c->end == BY_UNLOCK) close(locked);
        if (c->end == BY_CHILD) {
            CHECK(write(fds[1], "x", 1) == 1);
            waitpid(child, 0, 0);
        }
        drain();
    }
    msgctl(msgs, IPC_RMID, 0);
    semctl(sems, 0, IPC_RMID);
    unlink(fifo);
    unlink(lock_file);

    // Without a handler the call goes on for the rest of its time: stopped and continued.
    child = fork();
    if (child == 0) {
        struct timespec t = {0, 20000000}, a, b;
        struct kernel_time k = {0, 20000000};
        int w = 0;
        for (int i = 0; i < 30; i++) {
            clock_gettime(CLOCK_MONOTONIC, &a);
            int r = i % 3 == 0 ? nanosleep(&t, 0) : i % 3 == 1 ? poll(0, 0, 20) : syscall(SYS_futex, &w, FUTEX_WAIT, 0, &k, 0, 0);
            if (i % 3 == 2 ? r != -1 || errno != ETIMEDOUT : r != 0) _exit(1 + i % 3);
            clock_gettime(CLOCK_MONOTONIC, &b);
            if ((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec < 20000000) _exit(4 + i % 3);
        }
        _exit(0);
    }
    int status, ended = 0;
    while (!ended) {
        kill(child, SIGSTOP);
        usleep(1000);
        kill(child, SIGCONT);
        usleep(2000);
        ended = waitpid(child, &status, WNOHANG) == child;
    }
    SAME(status, 0);
    puts("restart");
}

// --- timers

static atomic_int by_timer[8];
static void tick(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    if (info->si_code == SI_TIMER) SAME(info->si_value.sival_int, 100 + me);
    else SAME(info->si_code, 128); // SI_KERNEL
    by_timer[me]++;
}
static volatile uint64_t sink;
static void *ticking(void *a)
{
    me = (long)a;
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + me % 3, .sigev_value.sival_int = 100 + me};
    struct itimerspec i = {{0, 500000}, {0, 500000}}, left;
    timer_t timer;
    int clocks[] = {CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME};
    ((int *)&e.sigev_notify)[1] = tid(); // sigev_notify_thread_id
    SAME(timer_create(clocks[me % 4], &e, &timer), 0);
    SAME(timer_settime(timer, 0, &i, 0), 0);
    for (uint64_t n = 0; by_timer[me] < 50; n++) sink = n * n;
    SAME(timer_gettime(timer, &left), 0);
    SAME(left.it_interval.tv_nsec, 500000);
    SAME(timer_delete(timer), 0);
    return 0;
}
static void t_timers(void)
{
    T t[4];
    for (int i = 0; i < 3; i++) handle(SIGRTMIN + i, tick, SA_RESTART);
    for (long i = 0; i < 4; i++) t[i] = start(ticking, (void *)i);
    for (int i = 0; i < 4; i++) join(t[i]);
    int which[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}, sigs[] = {SIGALRM, SIGVTALRM, SIGPROF};
    for (int i = 0; i < 3; i++) {
        struct itimerval v = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}}, old;
        handle(sigs[i], tick, SA_RESTART);
        by_timer[0] = 0;
        SAME(setitimer(which[i], &v, 0), 0);
        for (uint64_t n = 0; by_timer[0] < 20; n++) sink = n * n;
        SAME(setitimer(which[i], &off, &old), 0);
        CHECK(old.it_interval.tv_usec >= 1000 && old.it_interval.tv_sec == 0);
        SAME(getitimer(which[i], &old), 0);
        CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
    }
    puts("timers");
}

// --- signalfd, and waiting in several threads

static int signal_fd;
static atomic_int from_fd, from_wait;
static void *fd_reader(void *a)
{
    struct signalfd_siginfo i;
    for (;;) {
        if (read(signal_fd, &i, sizeof i) != sizeof i) return a;
        SAME(i.ssi_code, SI_QUEUE);
        SAME(i.ssi_pid, getpid());
        if (i.ssi_int < 0) return 0;
        value_sum += i.ssi_int;
        from_fd++;
    }
}
static void *info_waiter(void *a)
{
    sigset_t s = set_of(SIGRTMIN + 5, SIGRTMIN + 6);
    siginfo_t i;
    struct timespec limit = {100, 0};
    for (int n = 0;; n++) {
        int r = n & 1 ? sigwaitinfo(&s, &i) : sigtimedwait(&s, &i, &limit);
        if (r < 0) SAME(errno, EINTR);
        if (r < 0) continue;
        CHECK(i.si_code == SI_QUEUE);
        if (i.si_value.sival_int < 0) return a;
        value_sum += i.si_value.sival_int;
        from_wait++;
    }
}
static void t_waiting(void)
{
    T t[4];
    struct signalfd_siginfo i[8];
    for (int n = 4; n < 7; n++) mask(SIG_BLOCK, SIGRTMIN + n, 0);
    sigset_t s = set_of(SIGRTMIN + 4, 0);
    signal_fd = signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);
    CHECK(signal_fd >= 0);
    SAME(read(signal_fd, i, sizeof i), -1);
    SAME(errno, EAGAIN);
    union sigval v;
    for (v.sival_int = 0; v.sival_int < 20; v.sival_int++) sigqueue(getpid(), SIGRTMIN + 4, v);
    struct pollfd p = {.fd = signal_fd, .events = POLLIN};
    SAME(poll(&p, 1, -1), 1);
    for (int n = 0; n < 20;) {
        int r = read(signal_fd, i, sizeof i) / sizeof *i;
        CHECK(r == 8 || r == 4);
        for (int k = 0; k < r; k++, n++) CHECK(i[k].ssi_signo == (unsigned)SIGRTMIN + 4 && i[k].ssi_int == n && i[k].ssi_code == SI_QUEUE);
    }
    close(signal_fd);
    signal_fd = signalfd(-1, &s, 0);
    handle(SIGUSR1, count, SA_RESTART);
    // Each is one thread's, whoever waits; other signals come in between.
    for (int which = 0; which < 2; which++) {
        int sig = SIGRTMIN + 4 + which, sum = 0;
        atomic_int *n = which ? &from_wait : &from_fd;
        value_sum = 0;
        for (long k = 0; k < 4; k++) t[k] = start(which ? info_waiter : fd_reader, 0);
        for (int k = 0; k < 1000; k++) {
            v.sival_int = k;
            sum += k;
            while (sigqueue(getpid(), sig, v)) sched_yield();
            if (k % 50 == 0) pthread_kill(t[k / 50 % 4], SIGUSR1);
            if (k % 100 == 99) wait_for(n, k + 1);
        }
        v.sival_int = -1;
        for (int k = 0; k < 4; k++) sigqueue(getpid(), sig, v);
        for (int k = 0; k < 4; k++) join(t[k]);
        SAME(*n, 1000);
        SAME(value_sum, sum);
    }
    puts("waiting");
}

// --- handlers that jump away, nest and fault, in four threads, each on a stack of its own

static __thread sigjmp_buf away;
static __thread volatile int jumps, depth, deepest, repaired;
static __thread char *stack_low;
static __thread char *hidden;
enum { ALT = 256 * 1024 };
static int on_alternate(const void *p) { return (char *)p > stack_low && (char *)p < stack_low + ALT; }
static void jump_away(int sig, siginfo_t *info, void *context)
{
    char here;
    (void)sig, (void)info, (void)context;
    CHECK(on_alternate(&here));
    jumps++;
    siglongjmp(away, 1);
}
static void nest(int sig, siginfo_t *info, void *context)
{
    char here;
    ucontext_t *uc = context;
    (void)info;
    CHECK(on_alternate(&here) || depth);
    if (++depth > deepest) deepest = depth;
    if (depth < 40) pthread_kill(pthread_self(), sig == SIGUSR1 ? SIGUSR2 : SIGUSR1);
    SAME(uc->uc_flags, 0);
    // A fault in the handler, which its own handler repairs.
    if (depth == 40) *(volatile char *)hidden = 5;
    depth--;
}
static void repair(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    SAME(info->si_addr, hidden);
    SAME(info->si_code, SEGV_ACCERR);
    repaired++;
    mprotect(hidden, 4096, PROT_READ | PROT_WRITE);
}
static void *jumping(void *a)
{
    long kind = (long)a;
    stack_low = malloc(ALT);
    stack_t s = {.ss_sp = stack_low, .ss_size = ALT, .ss_flags = kind & 1 ? (int)(1u << 31) : 0}, after;
    hidden = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SAME(syscall(SYS_sigaltstack, &s, 0), 0);
    inside = 1;
    ready++;
    // The counters agree however often the loop is left in its middle.
    static __thread volatile uint64_t x, y;
    for (volatile int i = 0; i < 100; i++) {
        if (!sigsetjmp(away, 1)) {
            pthread_kill(pthread_self(), SIGRTMIN + 1);
            CHECK(!"jumped");
        }
        SAME(jumps, i + 1);
        x++, y += 2;
    }
    SAME(2 * x, y);
    for (int i = 0; i < 20; i++) {
        pthread_kill(pthread_self(), SIGUSR1);
        SAME(depth, 0);
        mprotect(hidden, 4096, PROT_NONE);
    }
    SAME(deepest, 40);
    SAME(repaired, 20);
    // SS_AUTODISARM comes back with each return, and a jump leaves it disarmed as it was.
    SAME(syscall(SYS_sigaltstack, 0, &after), 0);
    if (kind & 1) CHECK(after.ss_flags & SS_DISABLE || after.ss_flags == (int)(1u << 31));
    else SAME(after.ss_sp, stack_low);
    return 0;
}
// With SS_AUTODISARM a handler that jumps away leaves no alternate stack: it is set again.
static void rearm(int sig, siginfo_t *info, void *context)
{
    stack_t s = {.ss_sp = stack_low, .ss_size = ALT, .ss_flags = (int)(1u << 31)};
    char here;
    (void)sig, (void)info, (void)context;
    CHECK(on_alternate(&here));
    jumps++;
    SAME(syscall(SYS_sigaltstack, &s, 0), 0);
    siglongjmp(away, 1);
}
static void *rearming(void *a)
{
    stack_low = malloc(ALT);
    stack_t s = {.ss_sp = stack_low, .ss_size = ALT, .ss_flags = (int)(1u << 31)};
    SAME(syscall(SYS_sigaltstack, &s, 0), 0);
    for (volatile int i = 0; i < 300; i++)
        if (!sigsetjmp(away, 1)) pthread_kill(pthread_self(), SIGRTMIN + 2);
    SAME(jumps, 300);
    return a;
}
// Sent from outside while the thread counts in a loop that ends when the handler has jumped often enough.
static atomic_int jumped_out;
static void *jumping_loop(void *a)
{
    volatile uint64_t x = 0;
    (void)a;
    stack_low = malloc(ALT);
    stack_t s = {.ss_sp = stack_low, .ss_size = ALT};
    syscall(SYS_sigaltstack, &s, 0);
    sigset_t open;
    pthread_sigmask(SIG_SETMASK, 0, &open);
    sigdelset(&open, SIGRTMIN + 1);
    if (sigsetjmp(away, 1)) jumped_out++;
    else ready++;
    pthread_sigmask(SIG_SETMASK, &open, 0);
    while (jumps < 50) x++;
    return 0;
}
static void t_jumps(void)
{
    T t[4];
    handle(SIGRTMIN + 1, jump_away, SA_ONSTACK);
    handle(SIGRTMIN + 2, rearm, SA_ONSTACK);
    handle(SIGUSR1, nest, SA_ONSTACK | SA_NODEFER);
    handle(SIGUSR2, nest, SA_ONSTACK | SA_NODEFER);
    handle(SIGSEGV, repair, SA_ONSTACK);
    for (long i = 0; i < 4; i++) t[i] = start(i == 3 ? rearming : jumping, (void *)(i & 2));
    for (int i = 0; i < 4; i++) join(t[i]);
    // The one signal more that may be under way when the last jump was made is blocked for ever.
    ready = jumped_out = 0;
    mask(SIG_BLOCK, SIGRTMIN + 1, 0);
    for (long i = 0; i < 4; i++) t[i] = start(jumping_loop, 0);
    wait_for(&ready, 4);
    for (int n = 0; n < 50; n++) {
        int before = jumped_out;
        for (int i = 0; i < 4; i++) SAME(pthread_kill(t[i], SIGRTMIN + 1), 0);
        wait_for(&jumped_out, before + 4);
    }
    for (int i = 0; i < 4; i++) join(t[i]);
    SAME(jumped_out, 200);
    puts("jumps");
}

// --- faults on purpose

enum { PAGES = 64, WORKERS = 4 };
static char *pages;
static atomic_int guarded, parked, release_round;

extern uint32_t add_pair[], add_pair_end[], poll_loop[], poll_load[], poll_done[], null_loop[], null_load[], null_landing[];
// add_all(page, n): adds one to words of the page in different ways, n times. x3 (r3) counts beside them.
// polling(page, stop, out): loops whose counters agree at each poll; stores them when told to stop.
// nulls(table, n): adds what pointers point to; a null is redirected by the handler to where it is counted, at bit 32 of the result.
#ifdef __aarch64__
__asm__(".text\n.globl add_pair, add_pair_end, poll_loop, poll_load, poll_done, null_loop, null_load, null_landing\n"
        ".globl add_all, poll_until, nulls\n"
        ".type add_all, %function\nadd_all:\n mov x3, #0\n mov x8, #1\n movi v0.2d, #0\n dup v1.2d, x8\n"
        "add_pair: ldp x4, x5, [x0]\n add x4, x4, #1\n add x5, x5, #1\n stp x4, x5, [x0]\n"
        "1: ldaxr x6, [x2]\n add x6, x6, #1\n stlxr w7, x6, [x2]\n cbnz w7, 1b\n"
        "ldr q2, [x0, #32]\n add v2.2d, v2.2d, v1.2d\n str q2, [x0, #32]\n"
        "add x3, x3, #1\n ldr x9, [x0, #48]\n add x9, x9, #1\n str x9, [x0, #48]!\n sub x0, x0, #48\n"
        "subs x1, x1, #1\n b.ne add_pair\n"
        "add_pair_end: mov x0, x3\n ret\n.size add_all, . - add_all\n"
        ".type poll_until, %function\npoll_until:\n mov x9, #0\n mov x10, #0\n mov x11, #0\n fmov d2, xzr\n fmov d3, #1.0\n"
        "poll_loop: add x9, x9, #1\n add x10, x10, x9\n add x11, x11, #1\n fadd d2, d2, d3\n"
        "poll_load: ldr wzr, [x0]\n ldr w12, [x1]\n cbz w12, poll_loop\n"
        "poll_done: mov x0, x9\n ret\n.size poll_until, . - poll_until\n"
        ".type nulls, %function\nnulls: mov x9, #0\n mov x4, #0\n"
        "null_loop: ldr x5, [x0], #8\n"
        "null_load: ldr x6, [x5]\n add x4, x4, x6\n"
        "2: subs x1, x1, #1\n b.ne null_loop\n add x0, x4, x9, lsl #32\n ret\n"
        "null_landing: add x9, x9, #1\n b 2b\n.size nulls, . - nulls\n");
enum { PAGE = 0, POINTER = 5, TURNS = 9, TURNS_SUM, TURNS_TOO };
#else
__asm__(ASSEMBLY ".globl add_pair, add_pair_end, poll_loop, poll_load, poll_done, null_loop, null_load, null_landing\n"
        ".globl add_all, poll_until, nulls\n"
        ".type add_all, %function\nadd_all:\n push {r4-r9, lr}\n mov r3, #0\n mov r8, #1\n vdup.32 d1, r8\n"
        "add_pair: ldrd r4, r5, [r0]\n add r4, r4, #1\n add r5, r5, #1\n strd r4, r5, [r0]\n"
        "1: ldaex r6, [r2]\n add r6, r6, #1\n stlex r7, r6, [r2]\n cmp r7, #0\n bne 1b\n"
        "add r7, r0, #16\n vld1.32 {d2}, [r7]\n vadd.i32 d2, d2, d1\n vst1.32 {d2}, [r7]\n"
        "add r3, r3, #1\n ldr r9, [r0, #24]\n add r9, r9, #1\n str r9, [r0, #24]!\n sub r0, r0, #24\n"
        "subs r1, r1, #1\n bne add_pair\n"
        "add_pair_end: mov r0, r3\n pop {r4-r9, pc}\n.size add_all, . - add_all\n"
        ".type poll_until, %function\npoll_until:\n push {r4-r9, lr}\n mov r4, #0\n mov r5, #0\n mov r6, #0\n vmov.i64 d4, #0\n"
        "vmov.f64 d3, #1.0\n"
        "poll_loop: add r4, r4, #1\n add r5, r5, r4\n add r6, r6, #1\n vadd.f64 d4, d4, d3\n"
        "poll_load: ldr r7, [r0]\n ldr r8, [r1]\n cmp r8, #0\n beq poll_loop\n"
        "poll_done: mov r0, r4\n pop {r4-r9, pc}\n.size poll_until, . - poll_until\n"
        ".type nulls, %function\nnulls: push {r4-r9, lr}\n mov r9, #0\n mov r4, #0\n"
        "null_loop: ldr r5, [r0], #4\n"
        "null_load: ldr r6, [r5]\n add r4, r4, r6\n"
        "2: subs r1, r1, #1\n bne null_loop\n mov r0, r4\n mov r1, r9\n pop {r4-r9, pc}\n"
        "null_landing: add r9, r9, #1\n b 2b\n.size nulls, . - nulls\n");
enum { PAGE = 0, POINTER = 5, TURNS = 4, TURNS_SUM, TURNS_TOO };
#endif
word add_all(void *page, word n, void *lock);
word poll_until(void *page, atomic_int *stop);
uint64_t nulls(void *table, word n);

static void on_access(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    const saved *r = REGISTERS(uc);
    const uint32_t *pc = (const uint32_t *)PC(uc);
    char *page = (char *)((uintptr_t)info->si_addr & ~4095ul);
    (void)sig;
    if (pc == null_load) { // an implicit null check
        SAME(info->si_addr, 0);
        SAME(info->si_code, SEGV_MAPERR);
        SAME(r[POINTER], 0);
        PC(uc) = (word)null_landing;
        return;
    }
    SAME(info->si_code, SEGV_ACCERR);
    if (pc == poll_load) { // a safepoint: the registers say where it is, and stay what they are
        uint64_t n = r[TURNS];
        double d;
        memcpy(&d, vector(uc, 2), 8);
        SAME(r[TURNS_SUM], n * (n + 1) / 2);
        SAME(r[TURNS_TOO], n);
        SAME(d, n);
        SAME(r[PAGE], page);
        int round = release_round;
        parked++;
        while (release_round == round) syscall(SYS_futex, &release_round, FUTEX_WAIT_PRIVATE, round, 0, 0, 0);
        return;
    }
    CHECK(pc >= add_pair && pc < add_pair_end);
    guarded++;
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}
static void *mutator(void *a)
{
    word sum = 0;
    long n = (long)a;
    for (int i = 0; i < 480; i++) {
        word *page = (word *)(pages + (n * 16 + i % 16) * 4096);
        sum += add_all(page, 10, page + 3);
    }
    ready++;
    return (void *)sum;
}
static void *poller(void *a)
{
    ready++;
    return (void *)poll_until(a, &stop);
}
static void *null_user(void *a)
{
    static word one = 1;
    word *table[1000];
    int none = 0;
    for (int i = 0; i < 1000; i++) {
        table[i] = i % ((long)a + 3) == 0 ? 0 : &one;
        none += !table[i];
    }
    for (int i = 0; i < 5; i++) {
        uint64_t result = nulls(table, 1000);
        SAME(result >> 32, none);
        SAME((uint32_t)result, 1000 - none);
    }
    return 0;
}
static void t_faults(void)
{
    T t[WORKERS];
    pages = mmap(0, PAGES * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    handle(SIGSEGV, on_access, SA_RESTART);
    // Pages that become accessible at their first access, and are taken away again all the time.
    ready = 0;
    for (long i = 0; i < WORKERS; i++) t[i] = start(mutator, (void *)i);
    unsigned random = 1;
    do {
        random = random * 1103515245 + 12345;
        int first = random >> 16 & (PAGES - 1), n = 1 + (random >> 24 & 7);
        mprotect(pages + first * 4096, (first + n > PAGES ? PAGES - first : n) * 4096, random >> 28 & 1 ? PROT_NONE : PROT_READ);
        sched_yield();
    } while (ready < WORKERS);
    mprotect(pages, PAGES * 4096, PROT_READ | PROT_WRITE);
    word sum = 0;
    for (int i = 0; i < WORKERS; i++) sum += (word)join(t[i]);
    SAME(sum, WORKERS * 4800);
    CHECK(guarded >= PAGES);
    for (int i = 0; i < PAGES; i++) {
        word *w = (word *)(pages + i * 4096);
        for (int k = 0; k < 7; k++) SAME(w[k], k == 2 ? 0 : 300);
    }
    // Each safepoint stops all threads.
    stop = ready = 0;
    for (long i = 0; i < WORKERS; i++) t[i] = start(poller, pages);
    wait_for(&ready, WORKERS);
    for (int round = 0; round < 25; round++) {
        parked = 0;
        mprotect(pages, 4096, PROT_NONE);
        wait_for(&parked, WORKERS);
        mprotect(pages, 4096, PROT_READ);
        release_round++;
        syscall(SYS_futex, &release_round, FUTEX_WAKE_PRIVATE, WORKERS, 0, 0, 0);
    }
    stop = 1;
    for (int i = 0; i < WORKERS; i++) CHECK(join(t[i]));
    for (long i = 0; i < WORKERS; i++) t[i] = start(null_user, (void *)i);
    for (int i = 0; i < WORKERS; i++) join(t[i]);
    puts("faults");
}

// --- userfaultfd, where the host allows it

static int uffd;
static void *filler(void *a)
{
    struct { uint8_t event, r1; uint16_t r2; uint32_t r3; uint64_t flags, address, feature; } m;
    static char page[4096] __attribute__((aligned(4096)));
    for (int n = 0; n < PAGES; n++) {
        if (read(uffd, &m, sizeof m) != sizeof m) return a;
        SAME(m.event, 0x12); // UFFD_EVENT_PAGEFAULT
        memset(page, 1 + (m.address - (uintptr_t)pages) / 4096, 4096);
        struct { uint64_t dst, src, len, mode; int64_t copy; } c = {m.address & ~4095ul, (uintptr_t)page, 4096, 0, 0};
        SAME(ioctl(uffd, 0xc028aa03, &c), 0); // UFFDIO_COPY
        SAME(c.copy, 4096);
    }
    return 0;
}
static void t_userfaultfd(void)
{
    uffd = syscall(SYS_userfaultfd, O_CLOEXEC | 1); // UFFD_USER_MODE_ONLY
    struct { uint64_t api, features, ioctls; } api = {0xaa, 0, 0};
    pages = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (uffd >= 0 && !ioctl(uffd, 0xc018aa3f, &api)) {
        struct { uint64_t start, len, mode, ioctls; } r = {(uintptr_t)pages, PAGES * 4096, 1, 0};
        SAME(ioctl(uffd, 0xc020aa00, &r), 0); // UFFDIO_REGISTER
        T t = start(filler, 0);
        for (int i = 0; i < PAGES; i++) SAME(((volatile unsigned char *)pages)[(i * 37 % PAGES) * 4096 + 9], 1 + i * 37 % PAGES);
        join(t);
    }
    puts("userfaultfd");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    static const struct { const char *name; void (*test)(void); } tests[] = {
        {"process", t_process}, {"queue", t_queue}, {"restart", t_restart}, {"timers", t_timers}, {"waiting", t_waiting},
        {"jumps", t_jumps}, {"faults", t_faults}, {"userfaultfd", t_userfaultfd},
    };
    if (!strcmp(name, "execute")) t_execute(argv);
    for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
        if (!strcmp(tests[i].name, name)) tests[i].test();
    return failures != 0;
}
