/* Code that only running it shows: labels and functions whose addresses are made at run time from keyed distances, and whose
 * code leads (never in fact) to words that are no instructions, so that no search takes it for code. What each mode
 * prints does not depend on how it is executed. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY 0x1357

/* Never leads to the word, which is no instruction. */
#ifdef __aarch64__
#define GUARD __asm__ volatile("cbnz xzr, 9f\n b 8f\n 9: .word 0\n 8:")
#elif defined __thumb__
#define GUARD __asm__ volatile("cmp sp, #0\n beq 9f\n b 8f\n 9: .inst.w 0xffffffff\n 8:" ::: "cc")
#else
#define GUARD __asm__ volatile("cmp sp, #0\n beq 9f\n b 8f\n 9: .inst 0xffffffff\n 8:" ::: "cc")
#endif

static void **volatile memory;

/* A threaded interpreter: every handler jumps through a table in memory. */
static __attribute__((noinline)) unsigned long threaded(const unsigned char *code, unsigned long n) {
    static const int distances[] = {
        &&stop - &&stop + KEY, &&add3 - &&stop + KEY, &&add2 - &&stop + KEY, &&add1 - &&stop + KEY,
        &&shift - &&stop + KEY, &&xor - &&stop + KEY, &&loop - &&stop + KEY, &&mul - &&stop + KEY,
    };
    void **table = memory = malloc(sizeof(void *) * 8);
    for (int i = 0; i < 8; i++)
        table[i] = (char *)&&stop + distances[i] - KEY;
    unsigned long a = 1;
    const unsigned char *pc = code;
#define NEXT goto *memory[*pc++]
    NEXT;
add3:
    GUARD;
    a += 3;
add2:
    a ^= 2;
add1:
    a += 1;
    NEXT;
shift:
    GUARD;
    a = a << 3 | a >> (8 * sizeof a - 3);
    NEXT;
xor:
    GUARD;
    a ^= (unsigned long)0x9e3779b97f4a7c15;
    NEXT;
mul:
    GUARD;
    a *= 0x10001;
    NEXT;
loop:
    GUARD;
    if (--n)
        pc = code;
    NEXT;
stop:
    GUARD;
    return a;
}

/* A big switch: one jump. */
static __attribute__((noinline)) unsigned long switched(unsigned long n) {
    static const int distances[] = {
#define D(i) &&l##i - &&l0 + KEY
        D(0), D(1), D(2), D(3), D(4), D(5), D(6), D(7), D(8), D(9), D(10), D(11), D(12), D(13), D(14), D(15),
    };
    void **table = memory = malloc(sizeof(void *) * 16);
    for (int i = 0; i < 16; i++)
        table[i] = (char *)&&l0 + distances[i] - KEY;
    unsigned long a = 1;
    while (n--) {
        goto *memory[(a ^ n) & 15];
#define L(i) l##i: GUARD; a = a * (2 * i + 3) + (i << 7); goto joined;
        L(0) L(1) L(2) L(3) L(4) L(5) L(6) L(7) L(8) L(9) L(10) L(11) L(12) L(13) L(14) L(15)
    joined:
        a ^= a >> 17;
    }
    return a;
}

/* Functions at computed addresses. */
#define F(i) __attribute__((used, noinline)) unsigned long f##i(unsigned long a) \
    { GUARD; for (int k = 0; k < i + 2; k++) a = a * 31 + i; return a; }
F(0) F(1) F(2) F(3)
static volatile sig_atomic_t signals;
static sigjmp_buf out;
__attribute__((used)) void on_signal(int sig) {
    GUARD;
    for (int k = 0; k < 20; k++)
        signals += sig;
    if (sig == SIGUSR2)
        siglongjmp(out, 1);
}
extern const int functions[];
/* The linker adds the bit for Thumb state. */
#define EVEN_KEY 0x1358
__attribute__((noinline)) void *function(int i) {
    return (char *)&functions[i] + functions[i] - EVEN_KEY;
}
#define DISTANCE(f) ".word " #f " - . + 0x1358\n"
__asm__(".section .rodata\n.globl functions\n.balign 4\nfunctions:\n"
        DISTANCE(f0) DISTANCE(f1) DISTANCE(f2) DISTANCE(f3) DISTANCE(on_signal) ".text");

static unsigned long pointers(unsigned long n) {
    unsigned long a = 1;
    for (unsigned long i = 0; i < n; i++)
        a = ((unsigned long (*)(unsigned long))function(i & 3))(a);
    return a;
}

static unsigned long handlers(unsigned long n) {
    void (*handler)(int) = (void (*)(int))function(4);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, handler);
    for (volatile unsigned long i = 0; i < n; i++)
        if (sigsetjmp(out, 1) == 0)
            raise(i & 1 ? SIGUSR1 : SIGUSR2);
    return signals;
}

/* A function with so many blocks that few places of it can be entered, to which longjmp returns again and again. */
static jmp_buf again;
static __attribute__((noinline)) void back(void) {
    longjmp(again, 1);
}
static __attribute__((noinline)) unsigned long jumps(unsigned long n, volatile unsigned long *v) {
    volatile unsigned long left = n;
    if (setjmp(again)) {
#define B if (*v & 1) *v = *v * 3 + 1; else *v ^= 0x55;
#define B8 B B B B B B B B
        B8 B8 B8 B8 B8 B8 B8 B8 B8 B8 B8 B8 B8 B8 B8 B8
    }
    if (left-- > 0)
        back();
    return *v;
}

static void mode(const char *name, unsigned long n) {
    static const unsigned char code[] = {1, 4, 2, 5, 3, 7, 6, 0};
    unsigned long v = 7, r = 0;
    if (!strcmp(name, "goto"))
        r = threaded(code, n);
    else if (!strcmp(name, "switch"))
        r = switched(n);
    else if (!strcmp(name, "pointers"))
        r = pointers(n);
    else if (!strcmp(name, "handlers"))
        r = handlers(n);
    else if (!strcmp(name, "jumps"))
        r = jumps(n, &v);
    printf("%s %lx\n", name, r);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static const char *const all[] = {"goto", "switch", "pointers", "handlers", "jumps"};
    unsigned long n = argc > 2 ? atol(argv[2]) : 1000;
    if (argc < 2)
        return 1;
    if (!strcmp(argv[1], "all"))
        for (int i = 0; i < 5; i++)
            mode(all[i], n);
    else if (!strcmp(argv[1], "processes")) {
        /* At once, each another part; every second one by exec. */
        for (int i = 0; i < 5; i++)
            if (fork() == 0) {
                close(1);
                if (i & 1)
                    execl(argv[0], argv[0], all[i], "1000", NULL);
                mode(all[i], 1000);
                _exit(0);
            }
        int status, bad = 0;
        while (wait(&status) > 0)
            bad |= status;
        printf("done %d\n", bad);
    } else if (!strcmp(argv[1], "killed")) {
        mode("goto", n);
        mode("switch", n);
        raise(SIGKILL);
    } else
        mode(argv[1], n);
    return 0;
}
