// Code that is written at run time and changes without any of the cache maintenance that the architecture asks for, as programs do
// that were only tried where it is not needed. The argument names the case, the second one seconds after which to give up; status 0
// if what is executed is what was written.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, CALLS = 60 };
static const uint32_t RET = 0xd65f03c0, NOP = 0xd503201f;
static int failures;

static void want(const char *what, long got, long expected)
{
    if (got != expected && failures++ < 5)
        printf("%s: %ld, expected %ld\n", what, got, expected);
}

// mov w0, #n
static uint32_t mov(unsigned n) { return 0x52800000 | n << 5; }

static uint32_t *page(int flags)
{
    void *p = mmap(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, flags | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        exit(2);
    return p;
}

// Often enough to be compiled.
static long call(volatile uint32_t *code)
{
    long sum = 0;
    for (int i = 0; i < CALLS; i++)
        sum += ((int (*)(void))(uintptr_t)code)();
    return sum;
}

static void patch(void)
{
    volatile uint32_t *code = page(MAP_PRIVATE);
    code[1] = RET;
    for (int i = 0; i < 200; i++) {
        code[0] = mov(i);
        want("patched", call(code), CALLS * i);
    }
}

// In the middle of a longer function, and in what it calls.
static void inside(void)
{
    volatile uint32_t *code = page(MAP_PRIVATE);
    static const uint32_t f[] = {0xa9bf7bfd, 0x52800000, 0x11000400, 0x94000006, 0x11000400, 0xa8c17bfd, 0xd65f03c0, 0xd503201f,
                                 0xd503201f, 0x11000400, 0xd65f03c0};
    for (unsigned i = 0; i < sizeof f / sizeof *f; i++)
        code[i] = f[i];
    want("before", call(code), CALLS * 3);
    // add w0, w0, #n
    for (int i = 1; i < 30; i++) {
        code[4] = 0x11000000 | i << 10;
        want("behind the call", call(code), CALLS * (2 + i));
        code[9] = 0x11000000 | i << 10;
        want("callee", call(code), CALLS * (1 + i + i));
        code[9] = 0x11000400;
    }
}

// A loop that overwrites an instruction of itself.
static void loop(void)
{
    volatile uint32_t *code = page(MAP_PRIVATE);
    // mov w2, #0; mov w0, #0; 1: cmp w2, #50; b.ne 2f; str w1, [x3]; 2: add w0, w0, #1; add w2, w2, #1; cmp w2, #100; b.ne 1b; ret
    static const uint32_t f[] = {0x52800002, 0x52800000, 0x7100c85f, 0x54000041, 0xb9000061, 0x11000400, 0x11000442, 0x7101905f,
                                 0x54ffff41, 0xd65f03c0};
    for (unsigned i = 0; i < sizeof f / sizeof *f; i++)
        code[i] = f[i];
    int (*g)(int, uint32_t, int, volatile uint32_t *) = (void *)(uintptr_t)code;
    for (int i = 0; i < CALLS; i++)
        want("as it is", g(0, 0x11000400, 0, code + 5), 100);
    // add w0, w0, #3: what was fetched before may be executed once.
    int sum = g(0, 0x11000c00, 0, code + 5);
    want("loop", sum == 198 || sum == 200, 1);
}

static void data(void)
{
    volatile uint32_t *code = page(MAP_PRIVATE);
    code[1] = RET;
    code[0] = mov(1);
    long sum = 0;
    for (int i = 0; i < 20000; i++) {
        code[100 + i % 900]++;
        if (i % 1000 == 999)
            code[0] = mov(i / 1000 + 2);
        sum += ((int (*)(void))(uintptr_t)code)();
    }
    want("data and code", sum, 1000L * 210 + 20);
}

static void stack(void)
{
    for (int i = 1; i < 100; i++) {
        volatile uint32_t code[4];
        uintptr_t at = (uintptr_t)code & -PAGE, end = (uintptr_t)(code + 4);
        if (i == 1 && mprotect((void *)at, end - at, PROT_READ | PROT_WRITE | PROT_EXEC))
            exit(2);
        code[0] = mov(i);
        code[1] = RET;
        want("on the stack", call(code), CALLS * i);
    }
}

static void reads(void)
{
    volatile uint32_t *code = page(MAP_PRIVATE);
    int fd[2];
    if (pipe(fd))
        exit(2);
    code[1] = RET;
    for (int i = 0; i < 20; i++) {
        uint32_t insn = mov(i);
        if (write(fd[1], &insn, 4) != 4)
            exit(2);
        struct iovec v[2] = {{(void *)code, 2}, {(char *)code + 2, 2}};
        want("result", i & 1 ? read(fd[0], (void *)code, 4) : readv(fd[0], v, 2), 4);
        want("read", call(code), CALLS * i);
    }
}

static void vforks(void)
{
    volatile uint32_t *code = page(MAP_PRIVATE);
    code[1] = RET;
    for (int i = 0; i < 10; i++) {
        code[0] = mov(i);
        want("parent", call(code), CALLS * i);
        pid_t child = vfork();
        if (child == 0) {
            code[0] = mov(100 + i);
            _exit(call(code) != CALLS * (100 + i));
        }
        int status;
        waitpid(child, &status, 0);
        want("child", status, 0);
        want("changed by it", call(code), CALLS * (100 + i));
    }
}

// By another process, through a shared mapping.
static void shared(void)
{
    volatile uint32_t *code = page(MAP_SHARED);
    code[1] = RET;
    code[0] = mov(1);
    want("before", call(code), CALLS);
    for (int i = 2; i < 6; i++) {
        if (fork() == 0) {
            code[0] = mov(i);
            _exit(0);
        }
        wait(0);
        want("by another process", call(code), CALLS * i);
    }
}

// Through a second mapping of the same memory.
static void alias(void)
{
    int fd = syscall(SYS_memfd_create, "code", 0);
    if (ftruncate(fd, PAGE))
        exit(2);
    volatile uint32_t *rw = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    volatile uint32_t *code = mmap(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
    rw[1] = RET;
    for (int i = 0; i < 20; i++) {
        rw[0] = mov(i);
        want("alias", call(code), CALLS * i);
    }
}

static volatile uint32_t *place;
static volatile long turns;

static void *spin(void *arg)
{
    ((void (*)(volatile long *))(uintptr_t)place)(&turns);
    return arg;
}

// A thread loops in code until another changes it.
static void thread(void)
{
    place = page(MAP_PRIVATE);
    // 1: ldr x1, [x0]; add x1, x1, #1; str x1, [x0]; nop; b 1b; ret
    static const uint32_t f[] = {0xf9400001, 0x91000421, 0xf9000001, 0xd503201f, 0x17fffffc, 0xd65f03c0};
    for (unsigned i = 0; i < sizeof f / sizeof *f; i++)
        place[i] = f[i];
    for (int i = 0; i < 5; i++) {
        pthread_t t;
        if (pthread_create(&t, 0, spin, 0))
            exit(2);
        for (long was = turns; turns < was + 1000;)
            sched_yield();
        place[3] = 0x14000002; // b out
        pthread_join(t, 0);
        place[3] = NOP;
    }
}

static const struct { const char *name; void (*run)(void); } cases[] = {
    {"patch", patch}, {"inside", inside}, {"loop", loop}, {"data", data}, {"stack", stack}, {"reads", reads},
    {"vforks", vforks}, {"shared", shared}, {"alias", alias}, {"thread", thread},
};

int main(int argc, char **argv)
{
    alarm(argc > 2 ? atoi(argv[2]) : 0);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc < 2)
            puts(cases[i].name);
        else if (!strcmp(argv[1], cases[i].name))
            cases[i].run();
    return failures != 0;
}
