// Code that changes, in all ways that Linux allows, each time after it was executed often enough to be compiled: rewritten in
// place, under a caller that goes on, through another mapping, while it is not executable, unmapped and mapped again, moved,
// read from a file, and by the loop that it is part of.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

typedef long (*function)(long);
static long failures, checks;

static void check(const char *what, long got, long expected)
{
    checks++;
    if (got != expected) {
        printf("%s: %ld, expected %ld\n", what, got, expected);
        failures++;
    }
}

static void put(uint32_t *at, int value)
{
    at[0] = 0x91000000 | (uint32_t)value << 10; // add x0, x0, #value
    at[1] = 0xd65f03c0;                         // ret
}

static void clear(void *at, long size)
{
    __builtin___clear_cache(at, (char *)at + size);
}

static long often(function f)
{
    long sum = 0;
    for (int i = 0; i < 100; i++)
        sum = f(sum);
    return sum / 100;
}

static uint32_t *pages(int n, int prot)
{
    return mmap(0, n * 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static const int RWX = PROT_READ | PROT_WRITE | PROT_EXEC;

static void in_place(void)
{
    uint32_t *p = pages(2, RWX);
    for (int round = 1; round < 20; round++)
        // In the middle, and across the pages' border.
        for (int at = 0; at < 2048; at += 1023) {
            put(p + at, round + at);
            clear(p + at, 8);
            check("in place", often((function)(p + at)), round + at);
        }
    munmap(p, 8192);
}

// A loop that calls what is rewritten in it: direct calls from generated code, so that they are linked.
static void callee(void)
{
    uint32_t *p = pages(1, RWX);
    // stp x29, x30, [sp, #-32]!; str x19, [sp, #16]; mov x19, x1; 1: bl f; subs x19, x19, #1; b.ne 1b; ldr x19 …; ldp …; ret
    uint32_t code[] = {0xa9be7bfd, 0xf9000bf3, 0xaa0103f3, 0x94000000 | 13, 0xf1000673, 0x54ffffc1, 0xf9400bf3, 0xa8c27bfd, 0xd65f03c0};
    memcpy(p, code, sizeof code);
    long (*loop)(long, long) = (void *)p;
    for (int round = 1; round < 30; round++) {
        put(p + 16, round);
        clear(p, 128);
        check("callee", loop(0, 200), 200 * round);
    }
    munmap(p, 4096);
}

static void not_executable(void)
{
    uint32_t *p = pages(1, PROT_READ | PROT_WRITE);
    for (int round = 1; round < 10; round++) {
        mprotect(p, 4096, PROT_READ | PROT_WRITE);
        put(p, round);
        mprotect(p, 4096, PROT_READ | PROT_EXEC);
        clear(p, 8);
        check("not executable", often((function)p), round);
    }
    munmap(p, 4096);
}

static void mapped_anew(void)
{
    uint32_t *p = pages(1, RWX);
    for (int round = 1; round < 10; round++) {
        put(p, round);
        clear(p, 8);
        check("mapped anew", often((function)p), round);
        munmap(p, 4096);
        uint32_t *q = mmap(p, 4096, RWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        check("the same place", q == p, 1);
    }
    munmap(p, 4096);
}

static void two_views(void)
{
    int fd = memfd_create("code", 0);
    check("memfd", ftruncate(fd, 4096), 0);
    uint32_t *w = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint32_t *x = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    for (int round = 1; round < 10; round++) {
        put(w, round);
        clear(w, 8);
        clear(x, 8);
        check("two views", often((function)x), round);
        // By a system call.
        uint32_t code[2];
        put(code, round + 100);
        check("pwrite", pwrite(fd, code, 8, 0), 8);
        clear(x, 8);
        check("pwrite", often((function)x), round + 100);
    }
    munmap(w, 4096);
    munmap(x, 4096);
    // Mapped privately over code, from the file.
    uint32_t *p = pages(1, RWX);
    put(p, 7);
    clear(p, 8);
    check("before", often((function)p), 7);
    check("over it", mmap(p, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) == p, 1);
    check("file", often((function)p), 109);
    munmap(p, 4096);
    close(fd);
}

static void by_read(void)
{
    uint32_t *p = pages(1, RWX);
    int fd[2];
    check("pipe", pipe(fd), 0);
    for (int round = 1; round < 10; round++) {
        uint32_t code[2];
        put(code, round);
        check("write", write(fd[1], code, 8), 8);
        check("read", read(fd[0], p + 64, 8), 8);
        clear(p + 64, 8);
        check("read", often((function)(p + 64)), round);
    }
    munmap(p, 4096);
}

static void moved(void)
{
    uint32_t *p = pages(2, RWX);
    put(p, 1);
    put(p + 1024, 2);
    clear(p, 8192);
    check("first", often((function)p), 1);
    check("second", often((function)(p + 1024)), 2);
    // The second page over the first.
    check("mremap", mremap(p + 1024, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p, 1);
    check("moved", often((function)p), 2);
    munmap(p, 4096);
}

// add x0, x0, #1; subs x1, x1, #1; … str w2, [x3]; (dc, ic, barriers); b.ne: the loop changes its own increment.
static void own_loop(void)
{
    uint32_t *p = pages(1, RWX);
    uint32_t code[] = {
        0x91000400, // 0: add x0, x0, #1
        0xf1000421, // subs x1, x1, #1
        0x540000e0, // b.eq ret
        0xf103203f, // cmp x1, #200
        0x54ffff81, // b.ne 0
        0xb9000062, // str w2, [x3]
        0xd50b7b23, // dc cvau, x3
        0xd5033b9f, // dsb ish
        0xd50b7523, // ic ivau, x3
    };
    memcpy(p, code, sizeof code);
    p[2] = 0x54000180; // b.eq to 14
    p[9] = 0xd5033b9f;  // dsb ish
    p[10] = 0xd5033fdf; // isb
    p[11] = 0x17fffff5; // b 0
    p[14] = 0xd65f03c0;
    clear(p, 64);
    long (*f)(long, long, long, void *) = (void *)p;
    // 300 turns: 100 add one, 200 add seven.
    check("own loop", f(0, 300, 0x91001c00, p), 100 + 7 * 200);
    munmap(p, 4096);
}

static volatile long faults;
static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    faults++;
    // Goes back to the caller.
    uc->uc_mcontext.pc = uc->uc_mcontext.regs[30];
    uc->uc_mcontext.regs[0] = 1000 + sig;
}

static void gone(void)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &sa, 0);
    sigaction(SIGILL, &sa, 0);
    uint32_t *p = pages(1, RWX);
    put(p, 3);
    clear(p, 8);
    check("there", often((function)p), 3);
    mprotect(p, 4096, PROT_READ | PROT_WRITE);
    check("not executable", ((function)p)(5), 1000 + SIGSEGV);
    mprotect(p, 4096, PROT_READ | PROT_EXEC);
    check("again", often((function)p), 3);
    munmap(p, 4096);
    check("unmapped", ((function)p)(5), 1000 + SIGSEGV);
    p = mmap(p, 4096, RWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    check("zeros", ((function)p)(5), 1000 + SIGILL);
    check("faults", faults, 3);
    munmap(p, 4096);
}

// More functions than a small cache holds, each compiled again and again.
static void many(void)
{
    enum { N = 300 };
    uint32_t *p = pages(N / 8 + 1, RWX);
    for (int i = 0; i < N; i++)
        put(p + i * 128, i);
    clear(p, N * 512);
    long sum = 0;
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < N; i++)
            sum = ((function)(p + i * 128))(sum);
    check("many", sum, 20L * N * (N - 1) / 2);
}

int main(void)
{
    in_place();
    callee();
    not_executable();
    mapped_anew();
    two_views();
    by_read();
    moved();
    own_loop();
    gone();
    many();
    printf("%ld checks, %ld failures\n", checks, failures);
    return failures != 0;
}
