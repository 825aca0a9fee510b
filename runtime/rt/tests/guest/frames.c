// Signals in detail: what the kernel puts into a frame, what a handler may change in it, in which order signals come.
// Each check prints a line only if it fails; the last line says how many there were.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "../../../../testsuite/guest/check.h"

static sigjmp_buf env;
static volatile int got[65], order[64], count;
static siginfo_t last;
static ucontext_t last_uc;
static volatile uint64_t esr;
static volatile int fpsimd_found;

static void find_records(ucontext_t *uc)
{
    unsigned char *p = (unsigned char *)uc->uc_mcontext.__reserved;
    esr = 0, fpsimd_found = 0;
    for (;;) {
        struct _aarch64_ctx *head = (struct _aarch64_ctx *)p;
        if (head->magic == 0)
            break;
        if (head->magic == FPSIMD_MAGIC && head->size == sizeof(struct fpsimd_context))
            fpsimd_found++;
        if (head->magic == ESR_MAGIC)
            esr = ((struct esr_context *)p)->esr;
        p += head->size;
    }
}

static void note(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    got[sig]++;
    order[count++ & 63] = sig;
    last = *info;
    last_uc = *uc;
    find_records(uc);
}

static void escape(int sig, siginfo_t *info, void *context)
{
    note(sig, info, context);
    siglongjmp(env, 1);
}

static void change(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    note(sig, info, context);
    struct fpsimd_context *fp = (struct fpsimd_context *)uc->uc_mcontext.__reserved;
    fp->vregs[9] = ((__uint128_t)0x1122334455667788 << 64) | 0x99aabbccddeeff00;
    fp->fpsr = 0x10;
    uc->uc_mcontext.regs[7] = 77;
    uc->uc_mcontext.pstate = 0xa0000000;
    uc->uc_mcontext.pc += 4;
}

static void set(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = f;
    sa.sa_flags = SA_SIGINFO | flags;
    CHECK(sigaction(sig, &sa, 0) == 0);
}

static void on_stack(int sig, siginfo_t *info, void *context)
{
    stack_t now;
    note(sig, info, context);
    sigaltstack(0, &now);
    got[0] = now.ss_flags;
    stack_t other = {.ss_sp = &now, .ss_size = 65536};
    got[64] = sigaltstack(&other, 0) ? errno : 0;
}

static void raises(int sig)
{
    order[count++ & 63] = sig;
    if (sig == SIGUSR1) {
        raise(SIGUSR2); // masked by sa_mask: after this handler
        raise(SIGUSR1); // masked by itself
        order[count++ & 63] = -SIGUSR1;
        if (count > 6)
            signal(SIGUSR1, SIG_IGN);
    }
}

static int child_status(void (*f)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        f();
        _exit(55);
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    return status;
}

static void blocked_fault(void)
{
    sigset_t s;
    set(SIGSEGV, note, 0);
    sigfillset(&s);
    sigprocmask(SIG_SETMASK, &s, 0);
    *(volatile int *)4 = 1;
}

static void ignored_fault(void)
{
    signal(SIGSEGV, SIG_IGN);
    *(volatile int *)4 = 1;
}

static void sent_segv(void) { kill(getpid(), SIGSEGV); }

static void ignored_segv(void)
{
    signal(SIGSEGV, SIG_IGN);
    kill(getpid(), SIGSEGV);
    _exit(7);
}

static void no_stack(void)
{
    set(SIGUSR1, note, 0);
    __asm__ volatile("mov sp, %0\n\tmov x8, #172\n\tsvc #0\n\tmov x1, #10\n\tmov x8, #129\n\tsvc #0" : : "r"(4096L) : "x0", "x1", "x8", "memory");
}

static void bad_frame(void)
{
    __asm__ volatile("mov sp, %0\n\tmov x8, #139\n\tsvc #0" : : "r"(65536L) : "x0", "x8", "memory");
}

static void aborts(void) { abort(); }

int main(void)
{
    // A fault: address, code, syndrome, pc.
    set(SIGSEGV, escape, SA_NODEFER);
    uint64_t pc;
    if (!sigsetjmp(env, 1))
        __asm__ volatile("adr x9, 1f\n\tstr x9, [%0]\n1:\tstr x9, [%1]" : : "r"(&pc), "r"(24L) : "x9", "memory");
    CHECK(last.si_signo == SIGSEGV && last.si_code == SEGV_MAPERR && last.si_addr == (void *)24);
    CHECK(last_uc.uc_mcontext.fault_address == 24 && last_uc.uc_mcontext.pc == pc && fpsimd_found == 1);
    CHECK(esr == 0x92000047 && last_uc.uc_mcontext.regs[9] == pc);
    CHECK(last_uc.uc_stack.ss_flags == SS_DISABLE && last_uc.uc_link == 0 && last_uc.uc_flags == 0);
    char *page = mmap(0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!sigsetjmp(env, 1))
        page[5] = 1;
    CHECK(last.si_code == SEGV_ACCERR && last.si_addr == page + 5 && esr == 0x9200004f);
    if (!sigsetjmp(env, 1))
        ((void (*)(void))page)();
    CHECK(last.si_code == SEGV_ACCERR && last.si_addr == page && last_uc.uc_mcontext.pc == (uintptr_t)page && esr == 0x8200000f);
    // Across pages the first byte that fails; what the first page holds stays.
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    if (!sigsetjmp(env, 1))
        *(volatile uint64_t *)(page + 4092) = ~0ull;
    CHECK(last.si_addr == page + 4096 && *(uint32_t *)(page + 4092) == 0);
    // A tagged pointer is an ordinary one; a misaligned atomic is not.
    *(volatile int *)((uintptr_t)page | 0xab00000000000000) = 5;
    CHECK(*(int *)page == 5);
    set(SIGBUS, escape, SA_NODEFER);
    if (!sigsetjmp(env, 1))
        __asm__ volatile("ldxr x0, [%0]" : : "r"(page + 1) : "x0");
    CHECK(last.si_signo == SIGBUS && last.si_code == BUS_ADRALN && last.si_addr == page + 1);
    char name[] = "/tmp/xlate-frames-XXXXXX";
    int file = mkstemp(name);
    unlink(name);
    char *beyond = mmap(0, 4096, PROT_READ, MAP_SHARED, file, 0);
    if (!sigsetjmp(env, 1))
        got[0] = *(volatile char *)beyond;
    CHECK(last.si_signo == SIGBUS && last.si_code == BUS_ADRERR && last.si_addr == beyond);

    // A handler that changes registers, flags, a vector register, FPSR.
    set(SIGTRAP, change, 0);
    uint64_t x7, lo, hi, nzcv, fpsr;
    __asm__ volatile("mov x7, #1\n\tmovi v9.16b, #1\n\tmsr fpsr, xzr\n\tbrk #3\n\tmov %0, x7\n\tmov %1, v9.d[0]\n\tmov %2, v9.d[1]\n\t"
                     "mrs %3, nzcv\n\tmrs %4, fpsr"
                     : "=r"(x7), "=r"(lo), "=r"(hi), "=r"(nzcv), "=r"(fpsr)
                     :
                     : "x7", "v9", "cc");
    CHECK(x7 == 77 && lo == 0x99aabbccddeeff00 && hi == 0x1122334455667788 && nzcv == 0xa0000000 && fpsr == 0x10);
    CHECK(last.si_code == TRAP_BRKPT && (uintptr_t)last.si_addr == last_uc.uc_mcontext.pc);

    // Order, masks.
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = raises;
    sigaddset(&sa.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &sa, 0);
    sigemptyset(&sa.sa_mask);
    sigaction(SIGUSR2, &sa, 0);
    count = 0;
    raise(SIGUSR1);
    // The lower number is taken first, and SIGUSR1's mask keeps SIGUSR2 out until SIGUSR1 is ignored.
    static const int expected[] = {SIGUSR1, -SIGUSR1, SIGUSR1, -SIGUSR1, SIGUSR1, -SIGUSR1, SIGUSR1, -SIGUSR1, SIGUSR2};
    CHECK(count == 9);
    int differences = 0;
    for (int i = 0; i < 9; i++)
        differences += order[i] != expected[i];
    CHECK(differences == 0);

    // Real-time signals queue, with values; standard ones do not.
    sigset_t all, old, one;
    sigfillset(&all);
    for (int s = SIGRTMIN; s < SIGRTMIN + 3; s++)
        set(s, note, 0);
    set(SIGUSR1, note, 0);
    sigprocmask(SIG_BLOCK, &all, &old);
    count = 0;
    got[SIGUSR1] = got[SIGRTMIN] = 0;
    for (int i = 0; i < 5; i++) {
        union sigval v = {.sival_int = i};
        CHECK(sigqueue(getpid(), SIGRTMIN, v) == 0);
        kill(getpid(), SIGUSR1);
    }
    sigpending(&one);
    CHECK(sigismember(&one, SIGUSR1) && sigismember(&one, SIGRTMIN) && !sigismember(&one, SIGUSR2));
    CHECK(count == 0);
    sigprocmask(SIG_SETMASK, &old, 0);
    CHECK(got[SIGUSR1] == 1 && got[SIGRTMIN] == 5 && count == 6);
    // All get their frames at once, the lowest number first, so it runs last.
    CHECK(order[0] == SIGRTMIN && order[5] == SIGUSR1 && last.si_code == SI_USER);

    // Waiting for them instead.
    sigprocmask(SIG_BLOCK, &all, &old);
    union sigval v = {.sival_ptr = &v};
    sigqueue(getpid(), SIGRTMIN + 1, v);
    siginfo_t info;
    sigemptyset(&one);
    sigaddset(&one, SIGRTMIN + 1);
    CHECK(sigwaitinfo(&one, &info) == SIGRTMIN + 1 && info.si_code == SI_QUEUE && info.si_value.sival_ptr == &v);
    CHECK(info.si_pid == getpid() && info.si_uid == getuid());
    struct timespec zero = {0, 0};
    CHECK(sigtimedwait(&one, &info, &zero) == -1 && errno == EAGAIN);
    // SIGSEGV sent, though blocked, waits as any other.
    kill(getpid(), SIGSEGV);
    sigpending(&one);
    CHECK(sigismember(&one, SIGSEGV));
    sigemptyset(&one);
    sigaddset(&one, SIGSEGV);
    CHECK(sigwaitinfo(&one, &info) == SIGSEGV && info.si_code == SI_USER);

    // sigsuspend and ppoll with a mask: the handler sees it, the old one comes back.
    got[SIGUSR1] = 0;
    kill(getpid(), SIGUSR1);
    sigfillset(&one);
    sigdelset(&one, SIGUSR1);
    CHECK(sigsuspend(&one) == -1 && errno == EINTR && got[SIGUSR1] == 1);
    sigprocmask(SIG_SETMASK, 0, &one);
    CHECK(sigismember(&one, SIGUSR1) && sigismember(&last_uc.uc_sigmask, SIGUSR2) && sigismember(&last_uc.uc_sigmask, SIGUSR1));
    kill(getpid(), SIGUSR1);
    sigemptyset(&one);
    errno = 0;
    CHECK(ppoll(0, 0, 0, &one) == -1 && errno == EINTR && got[SIGUSR1] == 2);
    sigprocmask(SIG_SETMASK, &old, 0);

    // Alternate stack.
    static char alt[65536];
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
    stack_t small = {.ss_sp = alt, .ss_size = 4096};
    CHECK(sigaltstack(&small, 0) == -1 && errno == ENOMEM);
    CHECK(sigaltstack(&ss, 0) == 0);
    set(SIGUSR2, on_stack, SA_ONSTACK);
    raise(SIGUSR2);
    CHECK(got[0] == SS_ONSTACK && got[64] == EPERM && last_uc.uc_stack.ss_sp == alt && last_uc.uc_stack.ss_flags == 0);
    ss.ss_flags = 1u << 31; // SS_AUTODISARM
    CHECK(sigaltstack(&ss, 0) == 0);
    raise(SIGUSR2);
    CHECK(got[0] == SS_DISABLE && got[64] == 0);
    CHECK(sigaltstack(0, &small) == 0 && small.ss_flags == (int)(1u << 31) && small.ss_sp == alt);
    ss.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&ss, 0) == 0);

    // SA_RESETHAND, SA_NODEFER.
    set(SIGUSR1, note, SA_RESETHAND | SA_NODEFER);
    raise(SIGUSR1);
    sigaction(SIGUSR1, 0, &sa);
    CHECK(sa.sa_handler == SIG_DFL);
    CHECK(!sigismember(&last_uc.uc_sigmask, SIGUSR1));
    CHECK(sigaction(SIGKILL, &sa, 0) == -1 && errno == EINVAL && sigaction(SIGKILL, 0, &sa) == 0);

    // Sleeping goes on after an ignored signal's or stopped child's end, ends with EINTR and what is left.
    set(SIGALRM, note, SA_RESTART);
    struct itimerval timer = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &timer, 0);
    struct timespec second = {1, 0}, left = {9, 9};
    CHECK(nanosleep(&second, &left) == -1 && errno == EINTR && left.tv_sec == 0 && left.tv_nsec > 500000000);

    // Ends.
    set(SIGSEGV, escape, 0);
    int s;
    s = child_status(blocked_fault);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV);
    s = child_status(ignored_fault);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV);
    signal(SIGSEGV, SIG_DFL);
    s = child_status(sent_segv);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV);
    s = child_status(ignored_segv);
    CHECK(WIFEXITED(s) && WEXITSTATUS(s) == 7);
    s = child_status(no_stack);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV);
    s = child_status(bad_frame);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV);
    s = child_status(aborts);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT);

    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
