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
#include <unistd.h>

#include "context.h"

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

// A loop that calls what lies CALLEE words behind its beginning, and one whose first instruction becomes `own_new`: (sum, turns,
// instruction, place).
extern const uint32_t callee_loop[], callee_end[], own_loop[], own_end[], own_new;
enum { CALLEE = 16 };
#ifdef __aarch64__
enum { WORDS = 2, STATE = 0, UNDEFINED = 0 };
static void put(uint32_t *at, int value)
{
    at[0] = 0x91000000 | (uint32_t)value << 10; // add x0, x0, #value
    at[1] = 0xd65f03c0;                         // ret
}
__asm__(".text\n.globl callee_loop, callee_end, own_loop, own_end, own_new\n"
        "callee_loop: stp x29, x30, [sp, #-32]!\n str x19, [sp, #16]\n mov x19, x1\n"
        "1: bl callee_loop + 64\n subs x19, x19, #1\n b.ne 1b\n"
        "ldr x19, [sp, #16]\n ldp x29, x30, [sp], #32\n ret\n"
        "callee_end:\n"
        "own_loop: add x0, x0, #1\n subs x1, x1, #1\n b.eq 1f\n cmp x1, #200\n b.ne own_loop\n"
        "str w2, [x3]\n dc cvau, x3\n dsb ish\n ic ivau, x3\n dsb ish\n isb\n b own_loop\n"
        "1: ret\n"
        "own_end:\n"
        "own_new: add x0, x0, #7\n");
#else
#ifdef __thumb__
enum { WORDS = 2, STATE = 1, UNDEFINED = 0xde00de00 };
static void put(uint32_t *at, int value)
{
    // movw r1, #value
    at[0] = 0xf240 | (uint32_t)value >> 12 | (value >> 11 & 1) << 10 | ((value >> 8 & 7) << 12 | 1 << 8 | (value & 0xff)) << 16;
    at[1] = 0x47704408; // add r0, r1; bx lr
}
#else
enum { WORDS = 3, STATE = 0, UNDEFINED = 0xe7f000f0 };
static void put(uint32_t *at, int value)
{
    at[0] = 0xe3001000 | (value >> 12) << 16 | (value & 0xfff); // movw r1, #value
    at[1] = 0xe0800001;                                         // add r0, r0, r1
    at[2] = 0xe12fff1e;                                         // bx lr
}
#endif
__asm__(ASSEMBLY ".globl callee_loop, callee_end, own_loop, own_end, own_new\n"
        "callee_loop: push {r4, lr}\n mov r4, r1\n"
        "1: bl callee_loop + 64\n subs r4, r4, #1\n bne 1b\n"
        "pop {r4, pc}\n"
        ".balign 4\ncallee_end:\n"
        "own_loop: add" WIDE "r0, r0, #1\n subs r1, r1, #1\n beq 2f\n cmp r1, #200\n bne own_loop\n"
        "str r2, [r3]\n push {r0-r3, r7, lr}\n mov r0, r3\n add r1, r3, #4\n mov r2, #0\n movw r7, #2\n movt r7, #15\n svc #0\n"
        "pop {r0-r3, r7, lr}\n b own_loop\n"
        "2: bx lr\n"
        ".balign 4\nown_end:\n"
        "own_new: add" WIDE "r0, r0, #7\n");
#endif
enum { SIZE = 4 * WORDS };

static function executable(const uint32_t *code)
{
    return (function)((word)code | STATE);
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
    uint32_t *p = pages(3, RWX);
    for (int round = 1; round < 20; round++)
        // In the middle, and across the pages' border.
        for (int at = 0; at < 2048; at += 1023) {
            put(p + at, round + at);
            clear(p + at, SIZE);
            check("in place", often(executable(p + at)), round + at);
        }
    munmap(p, 12288);
}

// A loop that calls what is rewritten in it: direct calls from generated code, so that they are linked.
static void callee(void)
{
    uint32_t *p = pages(1, RWX);
    memcpy(p, callee_loop, (char *)callee_end - (char *)callee_loop);
    long (*loop)(long, long) = (void *)executable(p);
    for (int round = 1; round < 30; round++) {
        put(p + CALLEE, round);
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
        clear(p, SIZE);
        check("not executable", often(executable(p)), round);
    }
    munmap(p, 4096);
}

static void mapped_anew(void)
{
    uint32_t *p = pages(1, RWX);
    for (int round = 1; round < 10; round++) {
        put(p, round);
        clear(p, SIZE);
        check("mapped anew", often(executable(p)), round);
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
        clear(w, SIZE);
        clear(x, SIZE);
        check("two views", often(executable(x)), round);
        // By a system call.
        uint32_t code[WORDS];
        put(code, round + 100);
        check("pwrite", pwrite(fd, code, SIZE, 0), SIZE);
        clear(x, SIZE);
        check("pwrite", often(executable(x)), round + 100);
    }
    munmap(w, 4096);
    munmap(x, 4096);
    // Mapped privately over code, from the file.
    uint32_t *p = pages(1, RWX);
    put(p, 7);
    clear(p, SIZE);
    check("before", often(executable(p)), 7);
    check("over it", mmap(p, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) == p, 1);
    check("file", often(executable(p)), 109);
    munmap(p, 4096);
    close(fd);
}

static void by_read(void)
{
    uint32_t *p = pages(1, RWX);
    int fd[2];
    check("pipe", pipe(fd), 0);
    for (int round = 1; round < 10; round++) {
        uint32_t code[WORDS];
        put(code, round);
        check("write", write(fd[1], code, SIZE), SIZE);
        check("read", read(fd[0], p + 64, SIZE), SIZE);
        clear(p + 64, SIZE);
        check("read", often(executable(p + 64)), round);
    }
    munmap(p, 4096);
}

static void moved(void)
{
    uint32_t *p = pages(2, RWX);
    put(p, 1);
    put(p + 1024, 2);
    clear(p, 8192);
    check("first", often(executable(p)), 1);
    check("second", often(executable(p + 1024)), 2);
    // The second page over the first.
    check("mremap", mremap(p + 1024, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p, 1);
    check("moved", often(executable(p)), 2);
    munmap(p, 4096);
}

// A loop changes its own increment.
static void own(void)
{
    uint32_t *p = pages(1, RWX);
    memcpy(p, own_loop, (char *)own_end - (char *)own_loop);
    clear(p, 128);
    long (*f)(long, long, long, void *) = (void *)executable(p);
    // 300 turns: 100 add one, 200 add seven.
    check("own loop", f(0, 300, own_new, p), 100 + 7 * 200);
    munmap(p, 4096);
}

static volatile long faults;
static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    faults++;
    leave(uc);
    REGISTERS(uc)[0] = 1000 + sig;
}

static void gone(void)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &sa, 0);
    sigaction(SIGILL, &sa, 0);
    uint32_t *p = pages(1, RWX);
    put(p, 3);
    clear(p, SIZE);
    check("there", often(executable(p)), 3);
    mprotect(p, 4096, PROT_READ | PROT_WRITE);
    check("not executable", executable(p)(5), 1000 + SIGSEGV);
    mprotect(p, 4096, PROT_READ | PROT_EXEC);
    check("again", often(executable(p)), 3);
    munmap(p, 4096);
    check("unmapped", executable(p)(5), 1000 + SIGSEGV);
    p = mmap(p, 4096, RWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    *p = UNDEFINED;
    clear(p, 4);
    check("undefined", executable(p)(5), 1000 + SIGILL);
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
            sum = executable(p + i * 128)(sum);
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
    own();
    gone();
    many();
    printf("%ld checks, %ld failures\n", checks, failures);
    return failures != 0;
}
