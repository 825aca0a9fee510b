// Calls between a program and a library (the first argument) in both directions: deep, out by jumps, with stacks exchanged, with signals,
// threads and fork, and into functions whose code is changed while they wait. The second argument: only many plain calls.
#include <dlfcn.h>
#include <pthread.h>
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

typedef long function(long);

static long (*step)(function *, long), (*apply)(function *, long), (*plain)(long), (*forward)(function *, long);
static volatile long sink;

// Deep recursion through both, deeper than a stack of host frames is kept.
__attribute__((noinline)) static long down(long n) {
    if (n == 0)
        return 0;
    long below = step(down, n);
    sink += below;
    return below;
}

// A call from some frames down, whose callers go on in theirs.
__attribute__((noinline)) static long nest(long depth, long n) {
    if (depth == 0)
        return plain(n);
    long r = nest(depth - 1, n);
    sink += r;
    return r + depth;
}

static long many(long turns) {
    long sum = 0;
    for (long i = 0; i < turns; i++)
        sum += nest(i % 6, i) ^ apply(plain, i);
    return sum;
}

// Jumps out of the library's frames.
static __thread jmp_buf out;
static long jumping(long n) {
    if (n % 3 == 0)
        longjmp(out, (int)(n % 1000) + 1);
    return plain(n);
}

static long jumps(long turns) {
    static __thread volatile long i, sum;
    for (i = 1, sum = 0; i <= turns; i++) {
        long value = setjmp(out);
        sum += value ? value : step(jumping, i);
    }
    return sum;
}

// To a function that the library called, out of one that the library called in turn.
static long outer(long n) {
    jmp_buf mine;
    memcpy(&mine, &out, sizeof mine);
    long value = setjmp(out);
    if (value == 0)
        value = step(jumping, n * 3 + 1) * 2;
    memcpy(&out, &mine, sizeof mine);
    return value + n;
}

static long nested_jumps(long turns) {
    long sum = 0;
    for (long i = 1; i <= turns; i++)
        sum += apply(outer, i);
    return sum;
}

// Two stacks, exchanged in the middle of calls; one of them lies below the other.
static ucontext_t here, there;
static long produced;
static long yield(long n) {
    produced = n;
    swapcontext(&there, &here);
    return plain(n);
}
static void producer(void) {
    for (long i = 1;; i++)
        sink += nest(2, step(yield, i));
}
static long resume(long n) {
    swapcontext(&here, &there);
    return produced + n;
}
static long coroutines(long turns) {
    static char stack[64 << 10];
    long sum = 0;
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    makecontext(&there, producer, 0);
    for (long i = 0; i < turns; i++)
        sum += i % 2 ? apply(resume, i) : resume(i);
    return sum;
}

// Signals at calls and in them.
static volatile sig_atomic_t signals;
static sigjmp_buf from_handler;
static void handler(int signal) {
    signals++;
    sink += apply(plain, signal);
    if (signal == SIGUSR2)
        siglongjmp(from_handler, 9);
}
static long raising(long n) {
    raise(n % 2 ? SIGUSR1 : SIGUSR2);
    return plain(n);
}
static long signalling(long turns) {
    static volatile long sum;
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sum = 0;
    for (volatile long i = 0; i < turns; i++) {
        int value = sigsetjmp(from_handler, 1);
        sum += value ? value : apply(raising, i);
    }
    // At any moment.
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &often, NULL);
    sum += many(30000);
    setitimer(ITIMER_REAL, &never, NULL);
    return sum;
}

static int compare(const void *a, const void *b) {
    long x = plain(*(const long *)a), y = plain(*(const long *)b);
    return x < y ? -1 : x > y;
}
static long sorted(long n) {
    static __thread long values[1000];
    unsigned long seed = (unsigned long)n;
    for (int i = 0; i < 1000; i++)
        values[i] = (long)((seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 8);
    qsort(values, 1000, sizeof *values, compare);
    for (int i = 1; i < 1000; i++)
        if (values[i - 1] > values[i])
            return -1;
    return values[500];
}

// A child of fork returns through the same frames.
static long forking(long n) {
    pid_t child = fork();
    if (child == 0)
        return -n;
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status) + n;
}
static long fork_below(long n) {
    long r = nest(0, apply(forking, n));
    if (r < 0)
        _exit((int)(-r % 100));
    return r;
}

// Its code changes while it waits for the library.
extern char changed[];
__attribute__((noinline, noclone)) static long waiting(function *f) {
    long r = apply(f, 5);
#ifdef __aarch64__
    register long v __asm__("x0");
    __asm__ volatile(".globl changed\nchanged: mov x0, #1" : "=r"(v));
#elif defined __thumb__
    register long v __asm__("r0");
    __asm__ volatile(".globl changed\n.balign 4\nchanged: mov.w r0, #1" : "=r"(v));
#else
    register long v __asm__("r0");
    __asm__ volatile(".globl changed\nchanged: mov r0, #1" : "=r"(v));
#endif
    return r * 100 + v;
}
static long change(long n) {
#ifdef __aarch64__
    uint32_t other = 0xd2800000 | (uint32_t)n << 5;
#elif defined __thumb__
    uint32_t other = 0x0000f04f | (uint32_t)n << 16;
#else
    uint32_t other = 0xe3a00000 | (uint32_t)n;
#endif
    long page = sysconf(_SC_PAGESIZE);
    char *start = (char *)((uintptr_t)changed & ~(uintptr_t)1 & -(uintptr_t)page), *to = (char *)((uintptr_t)changed & ~(uintptr_t)1);
    if (mprotect(start, 2 * (size_t)page, PROT_READ | PROT_WRITE | PROT_EXEC))
        perror("mprotect");
    memcpy(to, &other, 4);
    __builtin___clear_cache(to, to + 4);
    if (mprotect(start, 2 * (size_t)page, PROT_READ | PROT_EXEC))
        perror("mprotect");
    return n;
}

static void *thread(void *arg) {
    long n = (long)(intptr_t)arg, sum = 0;
    for (int i = 0; i < 3; i++)
        sum += many(5000 + n) + jumps(3000 + n) + nested_jumps(1000 + n) + down(2000 + n) + sorted(n);
    return (void *)(intptr_t)sum;
}

// More calls than there is room for on a host stack.
static void *deeper(void *arg) { return (void *)(intptr_t)down((long)(intptr_t)arg); }

static void last(void) { printf("last: %ld\n", nest(1, 4)); }
static long leaving(long n) { exit((int)n); }

int main(int argc, char **argv) {
    void *lib = dlopen(argv[1], RTLD_NOW);
    if (!lib)
        return printf("%s\n", dlerror()), 1;
    step = (long (*)(function *, long))dlsym(lib, "step");
    apply = (long (*)(function *, long))dlsym(lib, "apply");
    plain = (long (*)(long))dlsym(lib, "plain");
    forward = (long (*)(function *, long))dlsym(lib, "forward");
    printf("many: %ld\n", many(100000));
    if (argc > 2)
        return 0;
    printf("deep: %ld %ld\n", down(1000), down(30000));
    printf("jumps: %ld %ld\n", jumps(20000), nested_jumps(10000));
    printf("forward: %ld\n", forward(plain, 3) + forward(down, 100));
    printf("coroutines: %ld\n", coroutines(2000));
    printf("signals: %ld\n", signalling(2000));
    printf("sorted: %ld\n", sorted(1));
    printf("fork: %ld\n", fork_below(3));
    printf("changed: %ld %ld\n", waiting(plain), waiting(change));
    pthread_t threads[4];
    long sum = 0;
    for (long i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, thread, (void *)(intptr_t)i);
    for (int i = 0; i < 4; i++) {
        void *r;
        pthread_join(threads[i], &r);
        sum += (long)(intptr_t)r;
    }
    printf("threads: %ld\n", sum);
    pthread_attr_t large;
    void *r;
    pthread_attr_init(&large);
    pthread_attr_setstacksize(&large, 64 << 20);
    pthread_create(&threads[0], &large, deeper, (void *)(intptr_t)200000);
    pthread_join(threads[0], &r);
    printf("deeper: %ld\n", (long)(intptr_t)r);
    atexit(last);
    fflush(stdout);
    return (int)apply(leaving, 7);
}
