// A32 or T32 text that was translated ahead of time and changes (as poly.c), and code that is written at run time. The argument
// names the case; status 0 if it holds.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

#define F(name) extern int name(void);
F(f_direct) F(f_indirect) F(f_cycle) F(f_map) F(f_read) F(f_fork) F(f_many) F(f_revert) F(f_none) F(f_tail) F(f_half) F(f_atomic)
F(f_double) F(f_vector) F(f_stm) F(f_forgotten) F(f_tail_caller) F(f_other) F(f_literal)
extern int f_active(void (*)(void)), f_outer(void (*)(void)), f_loop(uint32_t, int), f_pool(uint32_t, int);
extern uint32_t f_active_site[], f_outer_site[], literal[], pool[];

static int failures;

static void want(const char *what, long got, long expected)
{
    if (got != expected) {
        printf("%s: %ld, expected %ld\n", what, got, expected);
        failures++;
    }
}

// movw rd, #n
static uint32_t mov_a32(int d, unsigned n) { return 0xe3000000 | (n >> 12) << 16 | d << 12 | (n & 0xfff); }
static uint32_t mov_t32(int d, unsigned n)
{
    return 0xf240 | (n >> 12) | (n >> 11 & 1) << 10 | ((n >> 8 & 7) << 12 | d << 8 | (n & 0xff)) << 16;
}
#ifdef __thumb__
static uint32_t mov_to(int d, unsigned n) { return mov_t32(d, n); }
static const uint32_t RET = 0xbf004770;
#else
static uint32_t mov_to(int d, unsigned n) { return mov_a32(d, n); }
static const uint32_t RET = 0xe12fff1e;
#endif
static uint32_t mov(unsigned n) { return mov_to(0, n); }

// Where a function's code is.
static uint32_t *code(int (*f)(void)) { return (uint32_t *)((uintptr_t)f & ~1u); }

static void flush(void *at, size_t n) { __builtin___clear_cache((char *)at, (char *)at + n); }

static void protect(void *at, int prot)
{
    if (mprotect((void *)((uintptr_t)at & -PAGE), PAGE, prot)) {
        perror("mprotect");
        exit(2);
    }
}
static void writable(int (*f)(void)) { protect(code(f), PROT_READ | PROT_WRITE | PROT_EXEC); }

static void patch(void *at, uint32_t insn)
{
    *(volatile uint32_t *)at = insn;
    flush(at, 4);
}

static void direct(void)
{
    want("before", f_direct(), 1);
    writable(f_direct);
    want("writable", f_direct(), 1);
    for (int i = 2; i < 100; i++) {
        patch(code(f_direct), mov(i));
        want("direct", f_direct(), i);
    }
}

static void forgotten(void)
{
    writable(f_forgotten);
    want("before", f_forgotten(), 1);
    *(volatile uint32_t *)code(f_forgotten) = mov(7);
    want("without maintenance", f_forgotten(), 7);
}

static void indirect(void)
{
    int (*volatile f)(void) = f_indirect;
    want("before", f(), 1);
    writable(f_indirect);
    patch(code(f_indirect), mov(2));
    want("indirect", f(), 2);
    want("direct", f_indirect(), 2);
}

static void cycle(void)
{
    int (*volatile f)(void) = f_cycle;
    for (int i = 1; i < 200; i++) {
        want("cycle", i & 1 ? f() : f_cycle(), i);
        protect(code(f_cycle), PROT_READ | PROT_WRITE);
        *(volatile uint32_t *)code(f_cycle) = mov(i + 1);
        protect(code(f_cycle), PROT_READ | PROT_EXEC);
        flush(code(f_cycle), 4);
    }
}

static void tail(void)
{
    want("before", f_tail_caller(), 1);
    writable(f_tail);
    patch(code(f_tail), mov(3));
    want("tail", f_tail_caller(), 3);
}

// One halfword of an instruction.
static void half(void)
{
    writable(f_half);
    want("before", f_half(), 1);
    uint32_t insn = mov(5);
#ifdef __thumb__
    ((volatile uint16_t *)code(f_half))[1] = insn >> 16;
#else
    ((volatile uint16_t *)code(f_half))[0] = insn;
#endif
    flush(code(f_half), 4);
    want("halfword", f_half(), 5);
}

static void map(void)
{
    want("before", f_map(), 1);
    munmap(code(f_map), PAGE);
    uint32_t *p = mmap(code(f_map), PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    want("place", p == code(f_map), 1);
    p[0] = mov(4);
    p[1] = RET;
    flush(p, 8);
    protect(p, PROT_READ | PROT_EXEC);
    want("mapped anew", f_map(), 4);
    int (*volatile f)(void) = f_map;
    want("indirect", f(), 4);
}

static void reads(void)
{
    int fd[2];
    want("before", f_read(), 1);
    writable(f_read);
    uint32_t insn = mov(6);
    if (pipe(fd) || write(fd[1], &insn, 4) != 4)
        exit(2);
    want("result", read(fd[0], code(f_read), 4), 4);
    flush(code(f_read), 4);
    want("read", f_read(), 6);
}

static void forks(void)
{
    writable(f_fork);
    int status;
    pid_t child = fork();
    if (child == 0) {
        patch(code(f_fork), mov(40));
        _exit(f_fork());
    }
    waitpid(child, &status, 0);
    want("child", WEXITSTATUS(status), 40);
    want("parent", f_fork(), 1);
    patch(code(f_fork), mov(2));
    want("parent changed", f_fork(), 2);
    if ((child = fork()) == 0)
        _exit(f_fork());
    waitpid(child, &status, 0);
    want("child of it", WEXITSTATUS(status), 2);
}

static void many(void)
{
    writable(f_many);
    long sum = 0;
    for (int i = 0; i < 10000; i++) {
        patch(code(f_many), mov(i));
        sum += f_many();
    }
    want("10,000 changes", sum, 10000L * 9999 / 2);
}

static void revert(void)
{
    for (int i = 0; i < 50; i++) {
        writable(f_revert);
        patch(code(f_revert), mov(2));
        want("changed", f_revert(), 2);
        patch(code(f_revert), mov(1));
        protect(code(f_revert), PROT_READ | PROT_EXEC);
        want("as before", f_revert(), 1);
    }
}

static void stores(void)
{
    writable(f_atomic);
    want("before", f_atomic(), 1);
    uint32_t was = mov(1);
    want("exchanged", __atomic_compare_exchange_n(code(f_atomic), &was, mov(2), 0, 5, 5), 1);
    want("exclusive", f_atomic(), 2);
    writable(f_double);
    want("before", f_double(), 1);
    uint32_t words[4] = {mov(3), RET, RET, RET};
    __asm__ volatile("ldrd r2, r3, [%0]\n\tstrd r2, r3, [%1]" ::"r"(words), "r"(code(f_double)) : "memory", "r2", "r3");
    want("double", f_double(), 3);
    writable(f_vector);
    want("before", f_vector(), 1);
    __asm__ volatile("vld1.8 {q0}, [%0]\n\tvst1.8 {q0}, [%1]" ::"r"(words), "r"(code(f_vector)) : "memory", "q0");
    want("vector", f_vector(), 3);
    writable(f_stm);
    want("before", f_stm(), 1);
    __asm__ volatile("ldmia %0, {r2, r3}\n\tstmia %1, {r2, r3}" ::"r"(words), "r"(code(f_stm)) : "memory", "r2", "r3");
    want("multiple", f_stm(), 3);
}

static sigjmp_buf out;
static uintptr_t fault_address;
static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    fault_address = (uintptr_t)info->si_addr;
    siglongjmp(out, 1);
}

static int faults(int (*f)(void))
{
    fault_address = 0;
    if (sigsetjmp(out, 1) == 0) {
        f();
        return 0;
    }
    return fault_address == (uintptr_t)code(f);
}

static void none(void)
{
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &a, 0);
    want("before", f_none(), 1);
    protect(code(f_none), PROT_NONE);
    want("inaccessible", faults(f_none), 1);
    protect(code(f_none), PROT_READ | PROT_EXEC);
    want("again", f_none(), 1);
    munmap(code(f_none), PAGE);
    want("unmapped", faults(f_none), 1);
}

static void patch_active(void) { patch(f_active_site, mov(2)); }
static void patch_outer(void) { patch(f_outer_site, mov_to(1, 5)); }

static void active(void)
{
    writable((int (*)(void))f_active);
    writable((int (*)(void))f_outer);
    want("active", f_active(patch_active), 2);
    want("callers' caller", f_outer(patch_outer), 15);
}

static void loops(void)
{
    writable((int (*)(void))f_loop);
    want("loop", f_loop(mov_to(3, 3), 50), 50 + 150);
    want("again", f_loop(mov_to(3, 2), 70), 210 + 60);
}

// Constants beside the code that loads them, in its page and in the next; loads see them changed without maintenance.
static void literals(void)
{
    writable(f_literal);
    for (int i = 1; i < 100; i++) {
        want("literal", f_literal(), i);
        *(volatile uint32_t *)literal = i + 1;
    }
    protect(pool, PROT_READ | PROT_WRITE | PROT_EXEC);
    want("of a loop", f_pool(3, 50), 50 + 150);
    want("again", f_pool(2, 70), 210 + 60);
}

// The same page as code of the other state.
static void other_state(void)
{
    writable(f_other);
    want("before", f_other(), 1);
    uint32_t *p = code(f_other);
    for (int i = 0; i < 20; i++) {
        p[0] = mov_a32(0, i), p[1] = 0xe12fff1e;
        flush(p, 8);
        want("A32", ((int (*)(void))(uintptr_t)p)(), i);
        p[0] = mov_t32(0, i + 1), p[1] = 0xbf004770;
        flush(p, 8);
        want("T32", ((int (*)(void))((uintptr_t)p | 1))(), i + 1);
    }
}

// Code that was never in the file: in memory of its own, called often enough to be compiled, rewritten.
static void written(void)
{
    uint32_t *p = mmap(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 20; i++) {
        long sum = 0;
        p[0] = mov_a32(0, i), p[1] = 0xe12fff1e;
        p[2] = mov_t32(0, i + 100), p[3] = 0xbf004770;
        flush(p, 16);
        int (*volatile a32)(void) = (int (*)(void))(uintptr_t)p, (*volatile t32)(void) = (int (*)(void))((uintptr_t)(p + 2) | 1);
        for (int n = 0; n < 300; n++)
            sum += a32() + t32();
        want("written", sum, 300 * (2 * i + 100));
    }
}

static const struct { const char *name; void (*run)(void); } cases[] = {
    {"direct", direct}, {"forgotten", forgotten}, {"indirect", indirect}, {"cycle", cycle}, {"tail", tail}, {"half", half},
    {"map", map}, {"reads", reads}, {"forks", forks}, {"many", many}, {"revert", revert}, {"stores", stores}, {"none", none},
    {"active", active}, {"loops", loops}, {"literals", literals}, {"other_state", other_state}, {"written", written},
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc < 2)
            puts(cases[i].name);
        else if (!strcmp(argv[1], cases[i].name))
            cases[i].run();
    return failures != 0;
}
