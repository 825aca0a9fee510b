// Text that was translated ahead of time and changes: every way in which it can, called directly and through pointers, while
// active, and with and without the architecture's cache maintenance. The argument names the case; status 0 if it holds.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
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
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };

#define F(name) extern int name(void);
F(f_direct) F(f_forgotten) F(f_indirect) F(f_cycle) F(f_map) F(f_remap) F(f_read) F(f_readv) F(f_recv) F(f_pread) F(f_vm)
F(f_mem) F(f_alias) F(f_shared) F(f_fork) F(f_many) F(f_revert) F(f_atomic) F(f_pair) F(f_discard) F(f_none) F(f_lost)
F(f_tail) F(f_tail_caller) F(f_byte) F(f_memcpy) F(f_data) F(f_handler) F(f_vector) F(f_literal)
extern int f_active(void (*)(void)), f_outer(void (*)(void));
extern uint32_t f_active_site[], f_outer_site[], f_alias_site[], f_self_read_site[];
extern int f_loop(int, uint32_t), f_loop_clean(int, uint32_t);
extern int f_alias_line(int, uint32_t, uint32_t *);
extern int f_self_read(int, void *, size_t);
extern volatile unsigned char near_data[];
extern volatile unsigned literal[];

static int failures;

static void want(const char *what, long got, long expected)
{
    if (got != expected) {
        printf("%s: %ld, expected %ld\n", what, got, expected);
        failures++;
    }
}

// mov w0, #n
static uint32_t mov(unsigned n) { return 0x52800000 | n << 5; }
// add w0, w0, #n
static uint32_t add(unsigned n) { return 0x11000000 | n << 10; }
static const uint32_t RET = 0xd65f03c0;

static void flush(void *at, size_t n) { __builtin___clear_cache((char *)at, (char *)at + n); }

static void protect(void *at, int prot)
{
    if (mprotect((void *)((uintptr_t)at & -PAGE), PAGE, prot)) {
        perror("mprotect");
        exit(2);
    }
}
static void writable(void *at) { protect(at, PROT_READ | PROT_WRITE | PROT_EXEC); }

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
        patch(f_direct, mov(i));
        want("direct", f_direct(), i);
    }
}

static void forgotten(void)
{
    writable(f_forgotten);
    want("before", f_forgotten(), 1);
    *(volatile uint32_t *)f_forgotten = mov(7);
    want("without maintenance", f_forgotten(), 7);
}

static void indirect(void)
{
    int (*volatile f)(void) = f_indirect;
    want("before", f(), 1);
    writable(f_indirect);
    patch(f_indirect, mov(2));
    want("indirect", f(), 2);
    want("direct", f_indirect(), 2);
}

static void cycle(void)
{
    int (*volatile f)(void) = f_cycle;
    for (int i = 1; i < 200; i++) {
        want("cycle", i & 1 ? f() : f_cycle(), i);
        protect(f_cycle, PROT_READ | PROT_WRITE);
        *(volatile uint32_t *)f_cycle = mov(i + 1);
        protect(f_cycle, PROT_READ | PROT_EXEC);
        flush(f_cycle, 4);
    }
}

static void tail(void)
{
    want("before", f_tail_caller(), 1);
    writable(f_tail);
    patch(f_tail, mov(3));
    want("tail", f_tail_caller(), 3);
}

static void byte(void)
{
    writable(f_byte);
    want("before", f_byte(), 1);
    ((volatile unsigned char *)f_byte)[0] = 0x60; // mov w0, #3
    want("byte", f_byte(), 3);
}

static void map(void)
{
    want("before", f_map(), 1);
    munmap(f_map, PAGE);
    uint32_t *p = mmap(f_map, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    want("place", p == (void *)f_map, 1);
    p[0] = mov(4);
    p[1] = RET;
    flush(p, 8);
    protect(p, PROT_READ | PROT_EXEC);
    want("mapped anew", f_map(), 4);
    int (*volatile f)(void) = f_map;
    want("indirect", f(), 4);
}

static void remap(void)
{
    want("before", f_remap(), 1);
    uint32_t *p = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p[0] = mov(5);
    p[1] = RET;
    flush(p, 8);
    protect(p, PROT_READ | PROT_EXEC);
    want("place", mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, f_remap) == (void *)f_remap, 1);
    want("moved there", f_remap(), 5);
}

static void fill(int fd[2], uint32_t insn)
{
    if (write(fd[1], &insn, 4) != 4)
        exit(2);
}

static void reads(void)
{
    int fd[2];
    want("before", f_read() + f_readv() + f_recv() + f_pread(), 4);
    writable(f_read);
    writable(f_readv);
    writable(f_recv);
    writable(f_pread);
    if (pipe(fd))
        exit(2);
    fill(fd, mov(6));
    want("result", read(fd[0], f_read, 4), 4);
    flush(f_read, 4);
    want("read", f_read(), 6);
    fill(fd, mov(7));
    struct iovec v[2] = {{f_readv, 2}, {(char *)f_readv + 2, 2}};
    want("result", readv(fd[0], v, 2), 4);
    flush(f_readv, 4);
    want("readv", f_readv(), 7);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
        exit(2);
    fill(fd, mov(8));
    struct iovec w = {f_recv, 4};
    struct msghdr m = {.msg_iov = &w, .msg_iovlen = 1};
    want("result", recvmsg(fd[0], &m, 0), 4);
    flush(f_recv, 4);
    want("recvmsg", f_recv(), 8);
    int file = syscall(SYS_memfd_create, "x", 0);
    uint32_t insn = mov(9);
    want("file", pwrite(file, &insn, 4, 0), 4);
    want("result", pread(file, f_pread, 4, 0), 4);
    flush(f_pread, 4);
    want("pread", f_pread(), 9);
    want("read-only", mprotect(f_pread, PAGE, PROT_READ | PROT_EXEC), 0);
    want("result", pread(file, f_pread, 4, 0), -1);
}

static void self_read(void)
{
    int fd[2];
    writable(f_self_read);
    if (pipe(fd))
        exit(2);
    fill(fd, mov(3));
    want("behind the call", f_self_read(fd[0], f_self_read_site, 4), 3);
}

static void vm(void)
{
    writable(f_vm);
    want("before", f_vm(), 1);
    uint32_t insn = mov(3);
    struct iovec l = {&insn, 4}, r = {f_vm, 4};
    want("result", syscall(SYS_process_vm_writev, getpid(), &l, 1L, &r, 1L, 0L), 4);
    flush(f_vm, 4);
    want("process_vm_writev", f_vm(), 3);
}

static void mem(void)
{
    want("before", f_mem(), 1);
    int fd = open("/proc/self/mem", O_RDWR);
    uint32_t insn = mov(3);
    want("result", pwrite(fd, &insn, 4, (off_t)(uintptr_t)f_mem), 4);
    want("/proc/self/mem", f_mem(), 3);
}

static uint32_t *alias_of(void *page)
{
    int fd = syscall(SYS_memfd_create, "code", 0);
    if (write(fd, page, PAGE) != PAGE)
        exit(2);
    mmap(page, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
    return mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void alias(void)
{
    int (*volatile f)(void) = f_alias;
    uint32_t *rw = alias_of(f_alias);
    for (int i = 1; i < 50; i++) {
        want("alias", i & 1 ? f() : f_alias(), i);
        rw[0] = mov(i + 1);
        __asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %1\n\tdsb ish\n\tisb" ::"r"(rw), "r"(f_alias) : "memory");
    }
}

static void alias_line(void)
{
    uint32_t *rw = alias_of((void *)((uintptr_t)f_alias_line));
    uint32_t *site = rw + (f_alias_site - (uint32_t *)f_alias_line);
    want("before", f_alias_line(0, mov(1), site), 1);
    want("in a straight line", f_alias_line(0, mov(2), site), 2);
    want("again", f_alias_line(0, mov(3), site), 3);
}

static void shared(void)
{
    uint32_t *rw = alias_of(f_shared);
    want("before", f_shared(), 1);
    if (fork() == 0) {
        rw[0] = mov(2);
        _exit(0);
    }
    wait(0);
    flush(f_shared, 4);
    want("by another process", f_shared(), 2);
}

static void forks(void)
{
    writable(f_fork);
    for (int early = 0; early < 2; early++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            patch(f_fork, mov(40));
            _exit(f_fork());
        }
        waitpid(child, &status, 0);
        want("child", WEXITSTATUS(status), 40);
        want("parent", f_fork(), 1 + early);
        patch(f_fork, mov(2));
        want("parent changed", f_fork(), 2);
        if ((child = fork()) == 0)
            _exit(f_fork());
        waitpid(child, &status, 0);
        want("child of it", WEXITSTATUS(status), 2);
    }
}

static void many(void)
{
    writable(f_many);
    long sum = 0;
    for (int i = 0; i < 10000; i++) {
        patch(f_many, mov(i));
        sum += f_many();
    }
    want("10,000 changes", sum, 10000L * 9999 / 2);
}

static void revert(void)
{
    for (int i = 0; i < 50; i++) {
        writable(f_revert);
        patch(f_revert, mov(2));
        want("changed", f_revert(), 2);
        patch(f_revert, mov(1));
        protect(f_revert, PROT_READ | PROT_EXEC);
        want("as before", f_revert(), 1);
    }
}

static void atomics(void)
{
    writable(f_atomic);
    want("before", f_atomic(), 1);
    uint32_t was = mov(1);
    want("exchanged", __atomic_compare_exchange_n((uint32_t *)f_atomic, &was, mov(2), 0, 5, 5), 1);
    want("compare and swap", f_atomic(), 2);
    writable(f_pair);
    want("before", f_pair(), 1);
    __asm__ volatile("stp %w0, %w1, [%2]" ::"r"(mov(3)), "r"(RET), "r"(f_pair) : "memory");
    want("pair", f_pair(), 3);
    writable(f_vector);
    want("before", f_vector(), 1);
    uint32_t code[4] = {mov(4), RET, RET, RET};
    __asm__ volatile("ldr q0, [%0]\n\tstr q0, [%1]" ::"r"(code), "r"(f_vector) : "memory", "v0");
    want("vector", f_vector(), 4);
    writable(f_memcpy);
    want("before", f_memcpy(), 1);
    char page[PAGE];
    memcpy(page, f_memcpy, PAGE);
    memcpy(page, code, sizeof code);
    memcpy(f_memcpy, page, PAGE);
    want("memcpy", f_memcpy(), 4);
}

static void discard(void)
{
    writable(f_discard);
    patch(f_discard, mov(2));
    want("changed", f_discard(), 2);
    uint32_t *p = mmap(f_discard, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    p[0] = mov(1);
    p[1] = RET;
    flush(p, 8);
    want("anonymous", f_discard(), 1);
    madvise(p, PAGE, MADV_DONTNEED);
    want("zero", p[0], 0);
}

static sigjmp_buf out;
static void *fault_address;
static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    fault_address = info->si_addr;
    siglongjmp(out, 1);
}

static int faults(int (*f)(void))
{
    fault_address = 0;
    if (sigsetjmp(out, 1) == 0) {
        f();
        return 0;
    }
    return fault_address == (void *)f;
}

static void none(void)
{
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &a, 0);
    want("before", f_none(), 1);
    protect(f_none, PROT_NONE);
    want("inaccessible", faults(f_none), 1);
    protect(f_none, PROT_READ | PROT_WRITE);
    want("not executable", faults(f_none), 1);
    protect(f_none, PROT_READ | PROT_EXEC);
    want("again", f_none(), 1);
    munmap(f_lost, PAGE);
    want("unmapped", faults(f_lost), 1);
}

static void patch_active(void) { patch(f_active_site, mov(2)); }
static void patch_outer(void) { patch(f_outer_site, add(5)); }

static void active(void)
{
    writable(f_active);
    writable(f_outer);
    want("active", f_active(patch_active), 2);
    want("callers' caller", f_outer(patch_outer), 15);
}

static void loops(void)
{
    writable(f_loop);
    writable(f_loop_clean);
    // Without maintenance what was fetched before may be executed once: qemu and the interpreter do.
    int sum = f_loop(0, add(3));
    want("loop", sum == 198 || sum == 200, 1);
    want("loop, clean", f_loop_clean(0, add(3)), 200);
}

static void handler(int sig)
{
    (void)sig;
    patch(f_handler, mov(2));
}

static void signals(void)
{
    writable(f_handler);
    want("before", f_handler(), 1);
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    want("by a handler", f_handler(), 2);
}

// A constant beside the code that loads it: loads see it changed without maintenance.
static void literals(void)
{
    writable(f_literal);
    for (int i = 1; i < 100; i++) {
        want("literal", f_literal(), i);
        *literal = i + 1;
    }
}

// Writes next to code: the page changes, its code does not.
static void data(void)
{
    writable(f_data);
    long sum = 0;
    for (int i = 0; i < 30000; i++) {
        near_data[i % 1000]++;
        sum += f_data();
    }
    want("data next to code", sum, 30000);
    struct timespec t = {-1, -1};
    want("clock", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, near_data + 64), 0);
    memcpy(&t, (void *)(near_data + 64), sizeof t);
    want("seconds", t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < 1000000000, 1);
    patch(f_data, mov(2));
    want("then the code", f_data(), 2);
}

static const struct { const char *name; void (*run)(void); } cases[] = {
    {"direct", direct}, {"forgotten", forgotten}, {"indirect", indirect}, {"cycle", cycle}, {"tail", tail}, {"byte", byte},
    {"map", map}, {"remap", remap}, {"reads", reads}, {"self_read", self_read}, {"vm", vm}, {"mem", mem}, {"alias", alias},
    {"alias_line", alias_line}, {"shared", shared}, {"forks", forks}, {"many", many}, {"revert", revert},
    {"atomics", atomics}, {"discard", discard}, {"none", none}, {"active", active}, {"loops", loops},
    {"signals", signals}, {"literals", literals}, {"data", data},
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
