// Ordinary signals: handlers, masks, timers, faults that are repaired or escaped from, an alternate stack. Argument: how
// often to go round a loop that ticks interrupt.
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t got;
static sigjmp_buf env;
static void *fault_page;

static void count(int sig) { got += sig == SIGALRM ? 1 : 100; }

static void escape(int sig, siginfo_t *info, void *uc)
{
    (void)uc;
    printf("signal %d code %d addr %s\n", sig, info->si_code, info->si_addr == (void *)16 ? "16" : "other");
    siglongjmp(env, sig);
}

static void repair(int sig, siginfo_t *info, void *uc)
{
    (void)sig, (void)uc;
    got++;
    if (mprotect((void *)((uintptr_t)info->si_addr & -4096), 4096, PROT_READ | PROT_WRITE))
        _exit(9);
}

static void skip(int sig, siginfo_t *info, void *context)
{
    (void)info;
    ucontext_t *uc = context;
    got = sig;
#ifdef __arm__
    uc->uc_mcontext.arm_pc += uc->uc_mcontext.arm_cpsr & 32 ? 2 : 4;
    uc->uc_mcontext.arm_r5 = 1234;
#else
    uc->uc_mcontext.pc += 4;
    uc->uc_mcontext.regs[5] = 1234;
#endif
}

static void on_alt(int sig)
{
    (void)sig;
    stack_t now;
    sigaltstack(0, &now);
    got = now.ss_flags & SS_ONSTACK ? 1 : 2;
}

static void install(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = f;
    sa.sa_flags = SA_SIGINFO | flags;
    sigaction(sig, &sa, 0);
}

static unsigned long spin(volatile sig_atomic_t *flag)
{
    unsigned long n = 0;
    while (!*flag)
        n++;
    return n;
}

static unsigned long long spin_registers(unsigned long long n)
{
    // No memory access in the loop: a signal must get in all the same.
    unsigned long long x = 1;
    while (n--)
        x = x * 6364136223846793005ull + 1442695040888963407ull;
    return x;
}

int main(int argc, char **argv)
{
    // A timer against a loop that only looks at memory.
    signal(SIGALRM, count);
    struct itimerval t = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &t, 0);
    printf("spun %d\n", spin(&got) > 0);

    // Many ticks against a loop in registers.
    got = 0;
    struct itimerval many = {{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &many, 0);
    unsigned long long x;
    do
        x = spin_registers(argc > 1 ? strtoul(argv[1], 0, 0) : 50000000);
    while (got <= 10);
    struct itimerval none = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &none, 0);
    printf("%llx ticks %d\n", x, got > 10);

    // Raise, mask, pending.
    got = 0;
    signal(SIGUSR1, count);
    raise(SIGUSR1);
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    kill(getpid(), SIGUSR1);
    int before = got;
    sigpending(&set);
    printf("raise %d pending %d\n", before, sigismember(&set, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, 0);
    printf("after %d\n", got);

    // Faults.
    install(SIGSEGV, escape, SA_NODEFER);
    if (!sigsetjmp(env, 1))
        *(volatile int *)16 = 1;
    if (!sigsetjmp(env, 1))
        printf("%d\n", *(volatile int *)(uintptr_t)0x7000dead0000);
    if (!sigsetjmp(env, 1))
        ((void (*)(void))(uintptr_t)16)();
    fault_page = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    install(SIGSEGV, repair, 0);
    got = 0;
    ((volatile char *)fault_page)[5] = 42;
    printf("repaired %d %d\n", got, ((volatile char *)fault_page)[5]);

    // Trap instructions, skipped by the handler, which also changes a register.
    install(SIGTRAP, skip, 0);
    install(SIGILL, skip, 0);
    long r;
#ifdef __arm__
#define TRAP(insn) __asm__ volatile("mov r5, #1\n\t" insn "\n\tmov %0, r5" : "=r"(r) : : "r5", "memory")
#define BREAKPOINT "bkpt #7"
#define UNDEFINED "udf #0"
#else
#define TRAP(insn) __asm__ volatile("mov x5, #1\n\t" insn "\n\tmov %0, x5" : "=r"(r) : : "x5", "memory")
#define BREAKPOINT "brk #7"
#define UNDEFINED ".inst 0"
#endif
    TRAP(BREAKPOINT);
    printf("brk %d x5 %ld\n", got, r);
    TRAP(UNDEFINED);
    printf("udf %d x5 %ld\n", got, r);

    // Alternate stack.
    stack_t ss = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&ss, 0);
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_alt;
    sa.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &sa, 0);
    raise(SIGUSR2);
    printf("altstack %d\n", got);

    // Interrupted and restarted system calls.
    int fd[2];
    char c = 0;
    if (pipe(fd))
        return 1;
    signal(SIGALRM, count);
    siginterrupt(SIGALRM, 1);
    got = 0;
    // Again and again: on a busy machine the first one may come before the call.
    t.it_value.tv_usec = t.it_interval.tv_usec = 30000;
    setitimer(ITIMER_REAL, &t, 0);
    ssize_t n = read(fd[0], &c, 1);
    printf("read %zd %s\n", n, n < 0 && errno == EINTR ? "EINTR" : "?");
    siginterrupt(SIGALRM, 0);
    if (fork() == 0) {
        usleep(80000);
        if (write(fd[1], "x", 1) != 1)
            _exit(1);
        _exit(0);
    }
    setitimer(ITIMER_REAL, &t, 0);
    n = read(fd[0], &c, 1);
    printf("restarted %zd %c\n", n, c);
    setitimer(ITIMER_REAL, &none, 0);

    // How children end.
    int status;
    wait(&status);
    printf("child %d\n", status);
    for (int sig = 1; sig < 16; sig += 2) {
        if (sig == SIGALRM || sig == SIGTRAP)
            continue;
        pid_t pid = fork();
        if (pid == 0) {
            signal(sig, SIG_DFL);
            kill(getpid(), sig);
            _exit(3);
        }
        waitpid(pid, &status, 0);
        printf("%d: %s %d\n", sig, WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    signal(SIGSEGV, SIG_DFL);
    fflush(stdout);
    *(volatile int *)8 = 0;
    return 0;
}
