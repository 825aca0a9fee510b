// Signals against system calls that block: none is lost, whether it comes before the call, at its beginning or during
// it; calls restart or fail with EINTR as SA_RESTART says. Argument: number of signals for each kind of call.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FUTEX_WAIT_PRIVATE 128

static volatile int got, word, jumping;
static int pipe_in[2], acknowledge[2], total;
static sigjmp_buf env;

static void handler(int sig)
{
    got++;
    if (sig == SIGUSR2) { // the self-pipe
        char c = 1;
        if (write(pipe_in[1], &c, 1) != 1)
            _exit(9);
    }
    word = got;
    if (jumping)
        siglongjmp(env, 1);
}

static void set(int sig, int flags)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = handler;
    sa.sa_flags = flags;
    sigaction(sig, &sa, 0);
}

// A process that sends the next signal when the last one is acknowledged, after a delay of its own choosing.
static pid_t sender(int sig, int count)
{
    pid_t parent = getpid(), child = fork();
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(acknowledge[1]);
    unsigned random = 1;
    for (int i = 0; i < count; i++) {
        char c;
        random = random * 1103515245 + 12345;
        for (volatile unsigned n = random >> 20 & 1023; n; n--)
            ;
        kill(parent, sig);
        if (read(acknowledge[0], &c, 1) != 1)
            _exit(1);
    }
    _exit(0);
}

static void acknowledged(void)
{
    char c = 1;
    if (write(acknowledge[1], &c, 1) != 1)
        _exit(8);
}

static void end(const char *name, pid_t child, int wrong)
{
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    printf("%s: %s, %d wrong\n", name, status == 0 && got == total ? "all came" : "LOST", wrong);
    got = 0;
}

// Calls that take a mask: the signal is blocked but inside.
static void with_mask(const char *name, int which)
{
    sigset_t block, open;
    sigemptyset(&open);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, 0);
    set(SIGUSR1, which & 1 ? SA_RESTART : 0);
    int wrong = 0, ep = epoll_create1(0);
    pid_t child = sender(SIGUSR1, total);
    struct pollfd p = {.fd = pipe_in[0], .events = POLLIN};
    for (int i = 0; i < total; i++) {
        struct epoll_event e;
        fd_set f;
        int before = got, r;
        errno = 0;
        switch (which >> 1) {
        case 0:
            r = sigsuspend(&open);
            break;
        case 1:
            r = ppoll(&p, 1, 0, &open);
            break;
        case 2:
            FD_ZERO(&f);
            FD_SET(pipe_in[0], &f);
            r = pselect(pipe_in[0] + 1, &f, 0, 0, 0, &open);
            break;
        default:
            r = epoll_pwait(ep, &e, 1, -1, &open);
            break;
        }
        // Never restarted, exactly one signal, and it is blocked again.
        wrong += r != -1 || errno != EINTR || got != before + 1;
        acknowledged();
    }
    close(ep);
    end(name, child, wrong);
    sigprocmask(SIG_UNBLOCK, &block, 0);
}

// The handler writes what the restarted read finds.
static void self_pipe(const char *name, int flags)
{
    set(SIGUSR2, flags);
    int wrong = 0;
    pid_t child = sender(SIGUSR2, total);
    for (int i = 0; i < total; i++) {
        char c = 0;
        ssize_t n;
        while ((n = read(pipe_in[0], &c, 1)) < 0)
            wrong += errno != EINTR || flags;
        wrong += n != 1 || c != 1;
        acknowledged();
    }
    end(name, child, wrong);
}

static void jump_out(const char *name, int which)
{
    set(SIGUSR1, 0);
    jumping = 1;
    volatile int wrong = 0, i;
    struct timespec hour = {3600, 0};
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, 0);
    pid_t child = sender(SIGUSR1, total);
    for (i = 0; i < total; i++) {
        if (!sigsetjmp(env, 1)) {
            char c;
            sigprocmask(SIG_UNBLOCK, &block, 0);
            if (which == 0)
                nanosleep(&hour, 0);
            else if (read(pipe_in[0], &c, 1) >= 0)
                wrong++;
            wrong++;
        }
        acknowledged();
    }
    jumping = 0;
    end(name, child, wrong);
    sigprocmask(SIG_UNBLOCK, &block, 0);
}

// Waits for the word that the handler changes: a signal before the call is seen in the word, one inside ends it.
static void futex(const char *name, int flags)
{
    set(SIGUSR1, flags);
    word = got = 0;
    int wrong = 0;
    pid_t child = sender(SIGUSR1, total);
    for (int i = 0; i < total; i++) {
        while (word == i) {
            long r = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, i, 0, 0, 0);
            wrong += r != -1 || (errno != EAGAIN && (errno != EINTR || flags));
        }
        acknowledged();
    }
    end(name, child, wrong);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

// What is not restarted says how much is left; what is, ends on time.
static void times(void)
{
    set(SIGALRM, SA_RESTART);
    struct itimerval t = {{0, 2000}, {0, 2000}}, none = {{0, 0}, {0, 0}};
    int wrong = 0, interrupted = 0;
    struct timespec left = {0, 200000000}, until;
    setitimer(ITIMER_REAL, &t, 0);
    double start = now();
    while (nanosleep(&left, &left)) {
        wrong += errno != EINTR || left.tv_sec || left.tv_nsec > 200000000;
        interrupted++;
    }
    wrong += now() - start < 0.2;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 100000000;
    if (until.tv_nsec >= 1000000000)
        until.tv_nsec -= 1000000000, until.tv_sec++;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0) == EINTR)
        interrupted++;
    start = now();
    wrong += start < until.tv_sec + until.tv_nsec * 1e-9;
    // poll is never restarted, whatever the flag.
    int r = poll(0, 0, 1000);
    wrong += r != -1 || errno != EINTR;
    // A socket with a time limit is not restarted either, one without is.
    int s[2];
    char c;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
        _exit(2);
    struct timeval limit = {1, 0};
    setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    wrong += recv(s[0], &c, 1, 0) != -1 || errno != EINTR;
    setitimer(ITIMER_REAL, &none, 0);
    pid_t child = fork();
    if (child == 0) {
        setitimer(ITIMER_REAL, &none, 0);
        usleep(30000);
        _exit(write(s[0], "y", 1) != 1);
    }
    setitimer(ITIMER_REAL, &t, 0);
    int status;
    wrong += recv(s[1], &c, 1, 0) != 1 || c != 'y';
    wrong += waitpid(child, &status, 0) != child || status != 0;
    setitimer(ITIMER_REAL, &none, 0);
    printf("times: interrupted %d, %d wrong\n", interrupted > 5, wrong);
    got = 0;
}

// Several system calls in a row under a flood: each does its work exactly once.
static void flood(void)
{
    set(SIGUSR1, SA_RESTART);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            if (kill(parent, SIGUSR1))
                _exit(0);
    }
    int wrong = 0, fd[2], i;
    if (pipe(fd))
        _exit(2);
    double start = now();
    for (i = 0; i < total || got < total; i++) {
        uint64_t out = i * 0x9e3779b97f4a7c15u, in = 0;
        wrong += write(fd[1], &out, 8) != 8;
        wrong += read(fd[0], &in, 8) != 8 || in != out;
    }
    double time = now() - start;
    kill(child, SIGKILL);
    waitpid(child, 0, 0);
    printf("flood: %s, %d wrong\n", got >= total ? "many" : "few", wrong);
    fprintf(stderr, "flood: %d signals, %.0f a second, %d pairs of calls\n", got, got / time, i);
    got = 0;
}

int main(int argc, char **argv)
{
    total = argc > 1 ? atoi(argv[1]) : 1000;
    setvbuf(stdout, 0, _IOLBF, 0);
    if (pipe(pipe_in) || pipe(acknowledge))
        return 2;
    with_mask("sigsuspend", 0);
    with_mask("sigsuspend, SA_RESTART", 1);
    with_mask("ppoll", 2);
    with_mask("ppoll, SA_RESTART", 3);
    with_mask("pselect", 4);
    with_mask("epoll_pwait", 6);
    self_pipe("read", 0);
    self_pipe("read, SA_RESTART", SA_RESTART);
    jump_out("out of nanosleep", 0);
    jump_out("out of read", 1);
    futex("futex", 0);
    futex("futex, SA_RESTART", SA_RESTART);
    times();
    flood();
    return 0;
}
