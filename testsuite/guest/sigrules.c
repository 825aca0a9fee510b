// The rules of signals on arm64 Linux, for 64-bit programs and 32-bit ones, each checked against what the kernel does: alternate stacks, flags of sigaction,
// nesting, changed contexts, jumps out of handlers, stack overflow, bad stacks and frames, growing mappings. Prints a line
// for each check that fails, and how many there were.
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

// The kernel's own checks are meant, not the C library's.
#define sigaltstack(new, old) syscall(SYS_sigaltstack, new, old)

#ifdef __arm__
#define SP arm_sp
#define PC arm_pc
#define FLAGS arm_cpsr
#define NUMBER arm_r7
enum { MINIMUM = 2048 };
// The error code of 32-bit frames tells reads and writes apart.
enum { NO_FAULT = 0, READ_FAULT = 0 };
struct vfp { uint32_t magic, size; uint64_t d[32]; uint32_t fpscr, unused, fpexc, fpinst, fpinst2, end; };
#else
#define SP sp
#define PC pc
#define FLAGS pstate
#define NUMBER regs[8]
enum { MINIMUM = 5120 };
enum { NO_FAULT = 0, READ_FAULT = 0x92000007 };
#endif
#define AUTODISARM (1u << 31)
static sigjmp_buf env;
static volatile int got[65], depth, deepest, budget = 100;
static siginfo_t last;
static ucontext_t last_uc;
static volatile uint64_t esr;
static stack_t in_handler;
static char alt[65536] __attribute__((aligned(4096))), other[65536];

static void set(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = f;
    sa.sa_flags = SA_SIGINFO | flags;
    CHECK(sigaction(sig, &sa, 0) == 0);
}

static void note(int sig, siginfo_t *info, void *context)
{
    got[sig]++;
    last = *info;
    last_uc = *(ucontext_t *)context;
    sigaltstack(0, &in_handler);
#ifdef __arm__
    esr = last_uc.uc_mcontext.error_code;
#else
    esr = 0;
    unsigned char *p = (unsigned char *)last_uc.uc_mcontext.__reserved;
    for (; ((uint32_t *)p)[0]; p += ((uint32_t *)p)[1])
        if (((uint32_t *)p)[0] == 0x45535201)
            esr = ((uint64_t *)p)[1];
#endif
}

static void jump(int sig, siginfo_t *info, void *context)
{
    note(sig, info, context);
    siglongjmp(env, 1);
}

static void use(void *sp, size_t size, unsigned flags)
{
    stack_t s = {.ss_sp = sp, .ss_size = size, .ss_flags = (int)flags};
    CHECK(sigaltstack(&s, 0) == 0);
}

static int within(const void *p, const char *base, size_t size) { return (const char *)p > base && (const char *)p <= base + size; }

// --- alternate stacks

static void nested_on_stack(int sig, siginfo_t *info, void *context)
{
    char here;
    (void)info, (void)context;
    got[sig]++;
    CHECK(within(&here, alt, sizeof alt));
    if (sig == SIGUSR1) {
        uintptr_t outer = (uintptr_t)&here;
        got[0] = 0;
        raise(SIGUSR2);
        // Already on the stack: the second frame is below, not at the top again.
        CHECK(got[0] && (uintptr_t)(unsigned)got[0] < (unsigned)outer);
        stack_t s = {.ss_flags = SS_DISABLE};
        CHECK(sigaltstack(&s, 0) == -1 && errno == EPERM);
    } else {
        got[0] = (int)(uintptr_t)&here;
    }
}

static void disarmed(int sig, siginfo_t *info, void *context)
{
    note(sig, info, context);
    CHECK(in_handler.ss_flags == SS_DISABLE && in_handler.ss_size == 0);
    if (got[sig] == 1) {
        use(other, sizeof other, 0);
        raise(sig == SIGUSR1 ? SIGUSR2 : SIGUSR1);
    }
}

static void on_other(int sig, siginfo_t *info, void *context)
{
    char here;
    (void)info, (void)context;
    got[sig]++;
    CHECK(within(&here, other, sizeof other));
}

static void alternate_stacks(void)
{
    stack_t now;
    use(alt, sizeof alt, SS_ONSTACK); // SS_ONSTACK is accepted and means nothing
    CHECK(sigaltstack(0, &now) == 0 && now.ss_flags == 0 && now.ss_sp == alt && now.ss_size == sizeof alt);
    set(SIGUSR1, nested_on_stack, SA_ONSTACK);
    set(SIGUSR2, nested_on_stack, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(got[SIGUSR1] == 1 && got[SIGUSR2] == 1);
    stack_t bad = {.ss_sp = alt, .ss_size = sizeof alt, .ss_flags = 4};
    CHECK(sigaltstack(&bad, 0) == -1 && errno == EINVAL);
    bad.ss_flags = 4, bad.ss_size = 1;
    CHECK(sigaltstack(&bad, 0) == -1 && errno == EINVAL);
    bad.ss_flags = 0, bad.ss_size = MINIMUM - 1;
    CHECK(sigaltstack(&bad, 0) == -1 && errno == ENOMEM);
    bad.ss_size = MINIMUM;
    CHECK(sigaltstack(&bad, &now) == 0 && now.ss_size == sizeof alt);
    CHECK(sigaltstack((stack_t *)8, 0) == -1 && errno == EFAULT);

    // SS_AUTODISARM: off while the handler runs, which may set another, and back when it returns.
    got[SIGUSR1] = got[SIGUSR2] = 0;
    set(SIGUSR1, disarmed, SA_ONSTACK);
    set(SIGUSR2, on_other, SA_ONSTACK);
    use(alt, sizeof alt, AUTODISARM);
    raise(SIGUSR1);
    CHECK(got[SIGUSR2] == 1 && last_uc.uc_stack.ss_sp == alt && (unsigned)last_uc.uc_stack.ss_flags == AUTODISARM);
    CHECK(sigaltstack(0, &now) == 0 && now.ss_sp == alt && (unsigned)now.ss_flags == AUTODISARM);
    // Jumped out of, it stays off.
    set(SIGUSR1, jump, SA_ONSTACK);
    if (!sigsetjmp(env, 1))
        raise(SIGUSR1);
    CHECK(sigaltstack(0, &now) == 0 && now.ss_flags == SS_DISABLE);
    // The frame's uc_stack is what returning restores.
    use(0, 0, SS_DISABLE);
    set(SIGUSR1, note, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(last_uc.uc_stack.ss_flags == SS_DISABLE && in_handler.ss_flags == SS_DISABLE);
}

// --- flags of sigaction

static void deeper(int sig, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    if (++depth > deepest)
        deepest = depth;
    if (depth < 50 && --budget > 0)
        raise(sig);
    depth--;
}

static void plain(int sig) { got[sig]++; }

static int child_status(void (*f)(void))
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        f();
        _exit(55);
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    return status;
}

static void reset_twice(void)
{
    set(SIGUSR1, note, SA_RESETHAND);
    raise(SIGUSR1);
    if (got[SIGUSR1] != 1)
        _exit(1);
    raise(SIGUSR1);
}

static void flags(void)
{
    set(SIGUSR1, deeper, SA_NODEFER);
    raise(SIGUSR1);
    CHECK(deepest == 50);
    deepest = 0, budget = 4;
    set(SIGUSR1, deeper, 0);
    raise(SIGUSR1);
    CHECK(deepest == 1 && depth == 0);
    got[SIGUSR1] = 0;
    int s = child_status(reset_twice);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGUSR1);
    // Unknown flags are forgotten, so that programs can ask what is there.
    struct {
        void *handler;
        unsigned long flags, restorer;
        uint64_t mask;
    } __attribute__((packed)) k = {(void *)plain, 0x04000000 | 0x400 | 0x20 | 0x800 | SA_NODEFER, 0, ~0ull}, old;
    struct sigaction sa;
    sigaction(SIGUSR2, 0, &sa);
    CHECK(syscall(SYS_rt_sigaction, SIGUSR2, 0, &old, 8) == 0);
    k.restorer = old.restorer, k.flags = (k.flags & ~0x04000000ul) | (old.flags & 0x04000000);
    CHECK(syscall(SYS_rt_sigaction, SIGUSR2, &k, 0, 8) == 0 && syscall(SYS_rt_sigaction, SIGUSR2, 0, &old, 8) == 0);
    CHECK(old.flags == (k.flags & ~0xc20ul));
    CHECK(old.mask == (~0ull & ~(1ull << (SIGKILL - 1)) & ~(1ull << (SIGSTOP - 1))));
    CHECK(syscall(SYS_rt_sigaction, SIGUSR2, 0, &old, 16) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_rt_sigaction, 65, 0, &old, 8) == -1 && errno == EINVAL);
    signal(SIGUSR2, SIG_DFL);
    // Who sent it.
    set(SIGUSR1, note, 0);
    kill(getpid(), SIGUSR1);
    CHECK(last.si_code == SI_USER && last.si_pid == getpid() && last.si_uid == getuid());
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    CHECK(last.si_code == SI_TKILL && last.si_pid == getpid());
    union sigval v = {.sival_ptr = &v};
    sigqueue(getpid(), SIGUSR1, v);
    CHECK(last.si_code == SI_QUEUE && last.si_pid == getpid() && last.si_value.sival_ptr == &v);
    // Division by zero is no exception on ARM; SIGFPE comes by kill alone.
#ifdef __arm__
#define DIVIDE "sdiv %0, %1, %2"
#else
#define DIVIDE "sdiv %w0, %w1, %w2"
#endif
    volatile int zero = 0;
    set(SIGFPE, note, 0);
    CHECK(({ int q; __asm__(DIVIDE : "=r"(q) : "r"(5), "r"(zero)); q; }) == 0);
    CHECK(got[SIGFPE] == 0);
    kill(getpid(), SIGFPE);
    CHECK(got[SIGFPE] == 1 && last.si_code == SI_USER && last.si_pid == getpid());
}

// --- changed contexts

#ifdef __arm__
struct all {
    uint32_t r[15], cpsr, fpscr, unused;
    uint64_t d[32];
};
#else
struct all {
    uint64_t x[31], sp, nzcv, fpsr, fpcr, unused;
    __uint128_t v[32];
};
#endif
static struct all all, wanted;
extern char change_target[], change_back[];
void store_everything(void);
uint64_t hot_loop(uint64_t *p, uint64_t n);
#ifdef __arm__
extern char change_target_thumb[], change_target_it[];
// The first instruction of change_target_it is one that an IT block before it may leave out.
#define STORE_ALL \
    "   str r0, [sp, #-8]!\n   str r1, [sp, #4]\n   movw r0, #:lower16:all\n   movt r0, #:upper16:all\n" \
    "   str r1, [r0, #4]\n   ldr r1, [sp]\n   str r1, [r0]\n   add r1, r0, #8\n   stm r1, {r2-r12}\n" \
    "   add r1, sp, #8\n   str r1, [r0, #52]\n   str lr, [r0, #56]\n   mrs r1, apsr\n   str r1, [r0, #60]\n" \
    "   vmrs r1, fpscr\n   str r1, [r0, #64]\n   mov r1, #0\n   vmsr fpscr, r1\n   add r1, r0, #72\n" \
    "   vstmia r1!, {d0-d15}\n   vstmia r1!, {d16-d31}\n" \
    "   movw r1, #:lower16:store_everything\n   movt r1, #:upper16:store_everything\n   bx r1\n"
__asm__(".text\n.syntax unified\n.arm\n.balign 4\n"
        "change_target:\n" STORE_ALL
        ".thumb\n"
        "change_target_it:\n"
        "   .inst.n 0x3001\n" // add r0, #1 in an IT block, adds outside
        "change_target_thumb:\n" STORE_ALL
#ifndef __thumb__
        ".arm\n.balign 4\n"
#endif
        ".type hot_loop, %function\n"
        "hot_loop:\n"
        "   mov r1, #0\n"
        "1: ldr r3, [r0], #8\n"
        "   adds r1, r1, r3\n"
        "   it cs\n   addcs r1, r1, #1\n"
        "   subs r2, r2, #1\n"
        "   bne 1b\n"
        "   mov r0, r1\n"
        "   mov r1, #0\n"
        "   bx lr\n"
        ".size hot_loop, . - hot_loop\n");

static uint64_t table[1024];
static char far_stack[16384] __attribute__((aligned(16)));

static void change(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    struct vfp *fp = (struct vfp *)uc->uc_regspace;
    uint32_t *r = (uint32_t *)&uc->uc_mcontext.arm_r0;
    static unsigned n;
    note(sig, info, context);
    n++;
    for (int i = 0; i < 15; i++)
        wanted.r[i] = r[i] = 0x11111111u * (i % 15 + 1) + i;
    wanted.r[13] = r[13] = (uintptr_t)far_stack + sizeof far_stack - 64;
    // N, Z, C, V, Q and GE.
    wanted.cpsr = n % 32 << 27 | (n * 7 % 16) << 16;
    uint32_t state = 0x10;
    switch (n % 4) {
    case 0:
        uc->uc_mcontext.arm_pc = (uintptr_t)change_target;
        break;
    case 1:
        uc->uc_mcontext.arm_pc = (uintptr_t)change_target_thumb;
        state |= 0x20;
        break;
    default: {
        // ITSTATE: a condition on Z for this instruction alone.
        unsigned equal = n >> 2 & 1, it = (equal ? 0 : 1) << 4 | 8;
        uc->uc_mcontext.arm_pc = (uintptr_t)change_target_it;
        state |= 0x20 | (it & 3) << 25 | (it >> 2) << 10;
        if ((wanted.cpsr >> 30 & 1) == equal)
            wanted.r[0]++;
    }
    }
    uc->uc_mcontext.arm_cpsr = wanted.cpsr | state;
    wanted.fpscr = fp->fpscr = 0x50000011 | (n % 2 ? 0x08400000 : 0x01800000);
    for (int i = 0; i < 32; i++)
        wanted.d[i] = fp->d[i] = 0x0123456789abcdef + i * 0x100000001;
}
#else
__asm__(".text\n"
        "change_target:\n"
        "   str x0, [sp, #-32]!\n   str x1, [sp, #8]\n"
        "   adrp x0, all\n   add x0, x0, :lo12:all\n"
        "   str x1, [x0, #8]\n   ldr x1, [sp]\n   str x1, [x0]\n"
        "   stp x2, x3, [x0, #16]\n   stp x4, x5, [x0, #32]\n   stp x6, x7, [x0, #48]\n   stp x8, x9, [x0, #64]\n"
        "   stp x10, x11, [x0, #80]\n   stp x12, x13, [x0, #96]\n   stp x14, x15, [x0, #112]\n   stp x16, x17, [x0, #128]\n"
        "   stp x18, x19, [x0, #144]\n   stp x20, x21, [x0, #160]\n   stp x22, x23, [x0, #176]\n   stp x24, x25, [x0, #192]\n"
        "   stp x26, x27, [x0, #208]\n   stp x28, x29, [x0, #224]\n   str x30, [x0, #240]\n"
        "   add x1, sp, #32\n   str x1, [x0, #248]\n   mrs x1, nzcv\n   str x1, [x0, #256]\n"
        "   mrs x1, fpsr\n   str x1, [x0, #264]\n   mrs x1, fpcr\n   str x1, [x0, #272]\n   msr fpcr, xzr\n"
        "   add x1, x0, #288\n"
        "   .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "   str q\\n, [x1], #16\n"
        "   .endr\n"
        "   b store_everything\n"
        ".type hot_loop, %function\n"
        "hot_loop:\n"
        "   mov x2, #0\n"
        "1: ldr x3, [x0], #8\n"
        "   adds x2, x2, x3\n"
        "   cinc x2, x2, cs\n"
        "   subs x1, x1, #1\n"
        "   b.ne 1b\n"
        "   mov x0, x2\n"
        "   ret\n"
        ".size hot_loop, . - hot_loop\n");

static uint64_t table[1024];
static char far_stack[16384] __attribute__((aligned(16)));

static void change(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    struct fpsimd_context *fp = (struct fpsimd_context *)uc->uc_mcontext.__reserved;
    note(sig, info, context);
    for (int i = 0; i < 31; i++)
        wanted.x[i] = uc->uc_mcontext.regs[i] = 0x1111111111111111u * (i % 15 + 1) + i;
    wanted.sp = uc->uc_mcontext.sp = (uintptr_t)far_stack + sizeof far_stack - 64;
    wanted.nzcv = uc->uc_mcontext.pstate = (uint64_t)(got[sig] % 16) << 28;
    wanted.fpsr = fp->fpsr = 0x08000011;
    wanted.fpcr = fp->fpcr = got[sig] % 2 ? 0x00400000 : 0x01800000;
    for (int i = 0; i < 32; i++)
        wanted.v[i] = fp->vregs[i] = (__uint128_t)(0x0123456789abcdef + i) << 64 | (0xfedcba9876543210 - i);
    uc->uc_mcontext.pc = (uintptr_t)change_target;
}
#endif

void store_everything(void)
{
#ifdef __arm__
    all.cpsr &= ~0x3ffu; // what MRS shows of the mode is not said
#endif
    siglongjmp(env, 2);
}

static void changed_contexts(void)
{
    set(SIGSEGV, change, SA_ONSTACK);
    set(SIGUSR1, change, SA_ONSTACK);
    set(SIGALRM, change, SA_ONSTACK);
    set(SIGILL, change, SA_ONSTACK);
    use(alt, sizeof alt, 0);
    char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 4096, 4096, PROT_NONE);
    for (int i = 0; i < 64; i++) {
        memset(&all, 0, sizeof all);
        if (!sigsetjmp(env, 1)) {
            struct itimerval t = {{0, 0}, {0, 300}};
            switch (i % 4) {
            case 0:
                hot_loop((uint64_t *)page, 1000); // a fault
                break;
            case 1:
                kill(getpid(), SIGUSR1); // a system call
                break;
            case 2:
                __asm__ volatile("udf #3");
                break;
            case 3:
                setitimer(ITIMER_REAL, &t, 0); // anywhere
                for (;;)
                    hot_loop(table, 1024);
            }
            CHECK(!"returned");
        }
        CHECK(!memcmp(&all, &wanted, sizeof all));
    }
    munmap(page, 8192);
}

// --- jumps out of handlers

static __attribute__((noinline)) uint64_t recurse_to_fault(uint64_t n, volatile int *p)
{
    volatile uint64_t keep = n;
    if (n == 0)
        return *p;
    return recurse_to_fault(n - 1, p) + keep;
}

static void jumps(void)
{
    char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 4096, 4096, PROT_NONE);
    set(SIGSEGV, jump, 0);
    set(SIGUSR1, jump, SA_ONSTACK);
    volatile int n;
    got[SIGSEGV] = got[SIGUSR1] = 0;
    // Out of a loop and out of depths, many times: neither stack nor mask may suffer.
    for (n = 0; n < 20000; n++)
        if (!sigsetjmp(env, 1))
            hot_loop((uint64_t *)(page + 4096 - 8 * (n % 50)), 60);
    CHECK(got[SIGSEGV] == 20000);
    for (n = 0; n < 3000; n++)
        if (!sigsetjmp(env, 1))
            recurse_to_fault(n % 300, (int *)(page + 4096));
    CHECK(got[SIGSEGV] == 23000);
    for (n = 0; n < 20000; n++)
        if (!sigsetjmp(env, 1))
            kill(getpid(), SIGUSR1);
    CHECK(got[SIGUSR1] == 20000);
    munmap(page, 8192);
}

// --- overflow

static volatile uintptr_t overflow_sp;

static void overflowed(int sig, siginfo_t *info, void *context)
{
    char here;
    note(sig, info, context);
    CHECK(within(&here, alt, sizeof alt));
    overflow_sp = last_uc.uc_mcontext.SP;
    siglongjmp(env, 1);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static __attribute__((noinline)) uint64_t endless(uint64_t n, volatile uint64_t *p)
{
    volatile uint64_t keep[4] = {n, n ^ 1, n ^ 2, n ^ 3};
    *p += keep[n & 3];
    return endless(n + 1, p) * 3 + keep[0];
}
#pragma GCC diagnostic pop

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static __attribute__((noinline)) uint64_t endless_large(uint64_t n)
{
    volatile char keep[100000];
    keep[5] = (char)n;
    return endless_large(n + 1) * 3 + keep[5];
}
#pragma GCC diagnostic pop

#ifdef __arm__
// Compiled code moves sp below the stack before it stores; this faults with sp on the stack, as arm64's code does.
static __attribute__((naked)) void endless_pushes(void) { __asm__("1: push {r4-r11}\n\tb 1b"); }
#define ENDLESS() endless_pushes()
#else
#define ENDLESS() endless(0, &sum)
#endif

static void endless_on_alternate(int sig, siginfo_t *info, void *context)
{
    volatile uint64_t sum = 0;
    (void)info, (void)context, (void)sum;
    got[sig]++;
    ENDLESS();
}

static void endless_handler(int sig, siginfo_t *info, void *context)
{
    volatile uint64_t sum = 0;
    (void)info, (void)context;
    got[sig]++;
    endless(0, &sum);
}

static void overflow_alternate(void)
{
    use(alt + 4096, sizeof alt - 4096, 0);
    mprotect(alt, 4096, PROT_NONE);
    set(SIGUSR1, endless_on_alternate, SA_ONSTACK);
    raise(SIGUSR1);
}

static void overflow(void)
{
    volatile uint64_t sum = 0;
    volatile int n;
    set(SIGSEGV, overflowed, SA_ONSTACK);
    set(SIGUSR1, endless_handler, 0);
    use(alt, sizeof alt, 0);
    got[SIGSEGV] = got[SIGUSR1] = 0;
    for (n = 0; n < 6; n++) {
        if (!sigsetjmp(env, 1)) {
            if (n % 2)
                raise(SIGUSR1);
            else
                endless(0, &sum);
        }
        CHECK(last.si_signo == SIGSEGV && last.si_code == SEGV_MAPERR);
        CHECK(overflow_sp - (uintptr_t)last.si_addr + 4096 < 8192 && last_uc.uc_mcontext.fault_address == (uintptr_t)last.si_addr);
    }
    CHECK(got[SIGSEGV] == 6 && got[SIGUSR1] == 3);
    // Frames larger than a page fall into the gap below the stack, too.
    if (!sigsetjmp(env, 1))
        endless_large(0);
    CHECK(got[SIGSEGV] == 7 && last.si_code == SEGV_MAPERR && overflow_sp <= (uintptr_t)last.si_addr);
    // A handler that overflows the alternate stack: sp is still on it, so there is no room for a frame.
    int s = child_status(overflow_alternate);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV);
}

// --- bad stacks and frames

static void repair_sp(int sig, siginfo_t *info, void *context)
{
    note(sig, info, context);
#ifdef __arm__
    ((ucontext_t *)context)->uc_mcontext.arm_sp = ((ucontext_t *)context)->uc_mcontext.arm_r4;
#else
    ((ucontext_t *)context)->uc_mcontext.sp = ((ucontext_t *)context)->uc_mcontext.regs[19];
#endif
}

static void spoil(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)info;
    switch (got[sig]++) {
#ifdef __arm__
    case 0:
        ((struct vfp *)uc->uc_regspace)->magic = 0x12345678;
        break;
    case 1:
        ((struct vfp *)uc->uc_regspace)->size = 280;
        break;
    case 2:
        uc->uc_mcontext.arm_cpsr = 0x1f;
        break;
    case 3:
        uc->uc_mcontext.arm_cpsr |= 0x80;
        break;
#else
    case 0:
        *(uint32_t *)uc->uc_mcontext.__reserved = 0x12345678;
        break;
    case 1:
        ((uint32_t *)uc->uc_mcontext.__reserved)[1] = 520;
        break;
    case 2:
        uc->uc_mcontext.pstate = 5;
        break;
    case 3:
        ((uint32_t *)uc->uc_mcontext.__reserved)[132 + 1] = 16;
        break;
#endif
    }
}

static void die_of_bad_stack(void)
{
    set(SIGUSR1, note, 0);
    signal(SIGSEGV, SIG_DFL);
#ifdef __arm__
    __asm__ volatile("mov r4, sp\n\tmov r0, %1\n\tmov sp, %0\n\tmov r7, #37\n\tmov r1, #10\n\tsvc #0" : : "r"(64L), "r"((long)getpid()) : "r0", "r1", "r7", "r4");
#else
    __asm__ volatile("mov x19, sp\n\tmov x0, %1\n\tmov sp, %0\n\tmov x8, #129\n\tmov x1, #10\n\tsvc #0" : : "r"(64L), "r"((long)getpid()) : "x0", "x1", "x8", "x19");
#endif
}

static void die_of_ignored_fault(void)
{
    signal(SIGSEGV, SIG_IGN);
    hot_loop((uint64_t *)8, 4);
}

static void die_of_blocked_udf(void)
{
    sigset_t all_signals;
    set(SIGILL, note, 0);
    sigfillset(&all_signals);
    sigprocmask(SIG_SETMASK, &all_signals, 0);
    __asm__ volatile("udf #3");
}

#ifdef __arm__
static void die_of_brk(void) { __asm__ volatile("bkpt #1"); }
#else
static void die_of_brk(void) { __asm__ volatile("brk #1"); }
#endif
static void die_of_bus(void)
{
    FILE *f = tmpfile();
    char *p = mmap(0, 4096, PROT_READ, MAP_SHARED, fileno(f), 0);
    hot_loop((uint64_t *)p, 4);
}
static void die_of_pipe(void)
{
    int fd[2];
    if (pipe(fd))
        _exit(1);
    close(fd[0]);
    if (write(fd[1], "x", 1) < 0)
        _exit(2);
}
static void stops(void)
{
    raise(SIGSTOP);
    _exit(6);
}

static void bad_stacks(void)
{
    // No room for a frame: SIGSEGV from the kernel instead, at the same pc; its handler repairs sp.
    use(alt, sizeof alt, 0);
    set(SIGSEGV, repair_sp, SA_ONSTACK);
    set(SIGUSR1, note, 0);
    got[SIGSEGV] = got[SIGUSR1] = 0;
    long pid = getpid();
#ifdef __arm__
    register long x0 __asm__("r0") = pid;
    register long x1 __asm__("r1") = SIGUSR1;
    __asm__ volatile("mov r4, sp\n\tmov r7, #37\n\tmov sp, %2\n\tsvc #0\n\tmov r9, #7" : "+r"(x0) : "r"(x1), "r"(64L) : "r7", "r9", "r4", "memory");
#else
    register long x0 __asm__("x0") = pid;
    register long x1 __asm__("x1") = SIGUSR1;
    register long x8 __asm__("x8") = SYS_kill;
    __asm__ volatile("mov x19, sp\n\tmov sp, %3\n\tsvc #0\n\tmov x9, #7" : "+r"(x0) : "r"(x1), "r"(x8), "r"(64L) : "x9", "x19", "memory");
#endif
    CHECK(x0 == 0 && got[SIGSEGV] == 1 && got[SIGUSR1] == 0);
    CHECK(last.si_code == SI_KERNEL && last.si_addr == 0 && last_uc.uc_mcontext.SP == 64);
#ifdef __arm__
    uint32_t after = *(uint32_t *)last_uc.uc_mcontext.arm_pc;
    CHECK(last_uc.uc_mcontext.arm_cpsr & 0x20 ? after == 0x0907f04f : after == 0xe3a09007); // mov r9, #7
#else
    CHECK(*(uint32_t *)last_uc.uc_mcontext.pc == 0xd28000e9); // mov x9, #7
#endif
    // Frames that sigreturn rejects.
    set(SIGSEGV, jump, SA_ONSTACK);
    set(SIGUSR1, spoil, 0);
    got[SIGSEGV] = got[SIGUSR1] = 0;
    for (volatile int i = 0; i < 4; i++) {
        esr = 1;
        if (!sigsetjmp(env, 1))
            raise(SIGUSR1);
        CHECK(got[SIGSEGV] == i + 1 && last.si_code == SEGV_ACCERR && esr == 0 && last_uc.uc_mcontext.fault_address == 0);
        // The registers came from the frame before its records were looked at: sp is the interrupted one.
        CHECK((uintptr_t)last.si_addr == last_uc.uc_mcontext.SP && (uintptr_t)&i + 2048 - (uintptr_t)last.si_addr < 4096);
#ifdef __arm__
        CHECK((last_uc.uc_mcontext.arm_cpsr & 0x1df) == 0x10);
#else
        CHECK((last_uc.uc_mcontext.pstate & 0xfffffff) == 0);
#endif
    }
    // Sigreturn with a misaligned or unmapped sp.
#ifdef __arm__
#define ODD 4
#define MISALIGNED __asm__ volatile("mov r4, sp\n\tsub sp, sp, #4\n\tmov r7, #173\n\tsvc #0" : : : "r7", "r4", "memory")
#define UNMAPPED __asm__ volatile("mov sp, %0\n\tmov r7, #119\n\tsvc #0" : : "r"(4096L) : "r7", "memory")
#else
#define ODD 8
#define MISALIGNED __asm__ volatile("mov x19, sp\n\tsub sp, sp, #8\n\tmov x8, #139\n\tsvc #0" : : : "x8", "x19", "memory")
#define UNMAPPED __asm__ volatile("mov sp, %0\n\tmov x8, #139\n\tsvc #0" : : "r"(65536L) : "x8", "memory")
#endif
    if (!sigsetjmp(env, 1))
        MISALIGNED;
    CHECK(got[SIGSEGV] == 5 && (last_uc.uc_mcontext.SP & (2 * ODD - 1)) == ODD && (uintptr_t)last.si_addr == last_uc.uc_mcontext.SP);
    if (!sigsetjmp(env, 1))
        UNMAPPED;
    // What cannot be read is 0.
    CHECK(got[SIGSEGV] == 6 && last.si_addr == 0 && last.si_code == SEGV_ACCERR);
    CHECK(last_uc.uc_mcontext.SP == 0 && last_uc.uc_mcontext.PC == 0 && last_uc.uc_mcontext.NUMBER == 0);
    // How it ends otherwise.
    static const struct {
        void (*f)(void);
        int sig;
    } ends[] = {{die_of_bad_stack, SIGSEGV}, {die_of_ignored_fault, SIGSEGV}, {die_of_blocked_udf, SIGILL},
                {die_of_brk, SIGTRAP},       {die_of_bus, SIGBUS},            {die_of_pipe, SIGPIPE}};
    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) {
        signal(SIGBUS, SIG_DFL), signal(SIGTRAP, SIG_DFL), signal(SIGPIPE, SIG_DFL);
        int s = child_status(ends[i].f);
        CHECK(WIFSIGNALED(s) && WTERMSIG(s) == ends[i].sig);
    }
    int s;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        stops();
    CHECK(waitpid(child, &s, WUNTRACED) == child && WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP);
    kill(child, SIGCONT);
    CHECK(waitpid(child, &s, 0) == child && WIFEXITED(s) && WEXITSTATUS(s) == 6);
}

// --- what stays in frames

static void stale(void)
{
    // The kernel keeps a fault's address and syndrome in the thread and writes them into every later frame.
    set(SIGSEGV, jump, SA_ONSTACK);
    set(SIGUSR1, note, 0);
    set(SIGILL, jump, 0);
    if (!sigsetjmp(env, 1))
        hot_loop((uint64_t *)24, 4);
    CHECK(esr == READ_FAULT && last_uc.uc_mcontext.fault_address == 24);
    raise(SIGUSR1);
    CHECK(esr == READ_FAULT && last_uc.uc_mcontext.fault_address == 24);
    if (!sigsetjmp(env, 1))
        __asm__ volatile("udf #3");
    CHECK(esr == NO_FAULT && last_uc.uc_mcontext.fault_address == 0);
    raise(SIGUSR1);
    CHECK(esr == NO_FAULT);
#ifdef __arm__
    if (!sigsetjmp(env, 1))
        *(volatile int *)28 = 1;
    CHECK(esr == 0x800 && last_uc.uc_mcontext.fault_address == 28);
    raise(SIGUSR1);
    CHECK(esr == 0x800 && last_uc.uc_mcontext.fault_address == 28 && last_uc.uc_mcontext.trap_no == 0);
    struct vfp *r = (struct vfp *)((ucontext_t *)&last_uc)->uc_regspace;
    CHECK(r->magic == 0x56465001 && r->size == 288 && r->fpexc == 1u << 30 && r->fpinst == 0 && r->fpinst2 == 0 && r->end == 0);
#else
    // Tagged pointers: shown without tag.
    if (!sigsetjmp(env, 1))
        hot_loop((uint64_t *)0x5a00000000000040, 4);
    CHECK(last.si_addr == (void *)0x40 && last_uc.uc_mcontext.fault_address == 0x40);
    // The list of records: FPSIMD, ESR, terminator, in this order.
    uint32_t *r = (uint32_t *)last_uc.uc_mcontext.__reserved;
    CHECK(r[0] == 0x46508001 && r[1] == 528 && r[132] == 0x45535201 && r[133] == 16 && r[136] == 0 && r[137] == 0);
#endif
    CHECK(last_uc.uc_flags == 0 && last_uc.uc_link == 0);
}

// --- mappings that grow

static void growing(void)
{
    // A hole of known size below, so that nothing else stops the growth.
    char *hole = mmap(0, 16 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    munmap(hole, 16 << 20);
    char *top = mmap(hole + (15 << 20), 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
    CHECK(top == hole + (15 << 20));
    set(SIGSEGV, jump, SA_ONSTACK);
    got[SIGSEGV] = 0;
    if (!sigsetjmp(env, 1))
        for (int i = 0; i < 100; i++)
            top[-4096 * i] = (char)i;
    CHECK(got[SIGSEGV] == 0 && top[-4096 * 50] == 50);
    // What has grown is the program's: it can be protected, described and unmapped.
    char *low = top - 4096 * 99;
    CHECK(mprotect(low, 4096 * 10, PROT_READ) == 0);
    if (!sigsetjmp(env, 1))
        low[5] = 1;
    CHECK(got[SIGSEGV] == 1 && last.si_code == SEGV_ACCERR && last.si_addr == low + 5);
    CHECK(munmap(low, 4096 * 50) == 0);
    if (!sigsetjmp(env, 1))
        CHECK(hot_loop((uint64_t *)low + 1, 2) == 0); // it grows again
    CHECK(got[SIGSEGV] == 1);
    CHECK(top[-4096 * 10] == 10);
    munmap(top - 4096 * 100, 4096 * 101);
    if (!sigsetjmp(env, 1))
        hot_loop((uint64_t *)top, 2);
    CHECK(got[SIGSEGV] == 2 && last.si_code == SEGV_MAPERR);
    // The stack grows, too, for mprotect.
    char *here = (char *)((uintptr_t)&hole & -4096ul);
    CHECK(mprotect(here, 4096, PROT_READ | PROT_WRITE | PROT_GROWSDOWN) == 0);
    CHECK(mprotect(alt, 4096, PROT_READ | PROT_WRITE | PROT_GROWSDOWN) == -1 && errno == EINVAL);
}

int main(int argc, char **argv)
{
    (void)argv;
    for (int i = 0; i < 1024; i++)
        table[i] = i * 0x9e3779b97f4a7c15u;
    if (argc > 1)
        setvbuf(stdout, 0, _IONBF, 0);
#define RUN(f) (argc > 1 ? fputs(#f "\n", stderr) : 0, f())
    RUN(alternate_stacks);
    RUN(flags);
    RUN(changed_contexts);
    RUN(jumps);
    RUN(overflow);
    RUN(bad_stacks);
    RUN(stale);
    RUN(growing);
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
