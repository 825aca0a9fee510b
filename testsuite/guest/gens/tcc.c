// libtcc: C programs compiled to memory and run, the same memory again and again. `tcc [ROUNDS]`.
#include <libtcc.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int twice(int x) { return 2 * x; }
static jmp_buf out;
static void leave(int code) { longjmp(out, code); }

static const struct {
    const char *name, *text;
} programs[] = {
    {"fib", "int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); } int run(int n) { return fib(15 + n % 3); }"},
    {"sieve", "static char f[2000]; int run(int n) { int c = 0; for (int i = 0; i < 2000; i++) f[i] = 1; for (int i = 2; i < 2000; i++) if (f[i]) { "
              "c++; for (int k = 2 * i; k < 2000; k += i) f[k] = 0; } return c + n; }"},
    {"floats", "double sqrt(double); float h(float x) { return x * 0.5f + 1; } int run(int n) { double s = n; for (int i = 1; i < 200; i++) s += "
               "1.0 / i + h(i) - sqrt(s > 0 ? s : -s) / 3; long double l = s; l = l * 1.5L; return (int)(s * 1000) + (int)l + (s < 0 ? 7 : "
               "(int)(unsigned long)s); }"},
    {"structs", "typedef struct { int a; double b; char c[9]; } T; typedef struct { float x, y; } V; static T make(int a, double b) { T t = {a, b, \"text\"}; "
                "t.c[5] = a; return t; } static V add(V a, V b) { V r = {a.x + b.x, a.y - b.y}; return r; } int run(int n) { T t = make(n, n * 0.5); T u = t; "
                "u.a += t.c[5]; V v = {1, 2}; for (int i = 0; i < 10; i++) v = add(v, v); return u.a + (int)(u.b * 2) + t.c[1] + (int)v.x + (int)v.y; }"},
    {"switch", "static int op(int k, int a, int b) { switch (k % 9) { case 0: return a + b; case 1: return a - b; case 2: return a * b; case 3: return b ? a / b : 0; "
               "case 4: return b ? a % b : 1; case 5: return a << (b & 7); case 6: return a >> (b & 7); case 7: return a ^ b; default: return ~a | b; } } int run(int "
               "n) { int s = n; for (int i = 0; i < 300; i++) s = op(i + n, s, i) & 0xffffff; return s; }"},
    {"pointers", "static int add(int a, int b) { return a + b; } static int mul(int a, int b) { return a * b % 9973; } static int (*t[2])(int, int) = {add, mul}; int "
                 "run(int n) { int s = 1; for (int i = 1; i < 200; i++) s = t[(i ^ n) & 1](s, i); return s; }"},
    {"library", "int printf(const char *, ...); int snprintf(char *, unsigned long, const char *, ...); int strcmp(const char *, const char *); void *malloc(unsigned long); "
                "void free(void *); int twice(int); int run(int n) { char b[100]; int k = snprintf(b, 100, \"%d %s %.3f %lld\", n, \"str\", n / 7.0, 1LL << 40); char *p = "
                "malloc(64); for (int i = 0; i < 64; i++) p[i] = b[i % k]; int s = 0; for (int i = 0; i < 64; i++) s = s * 31 + p[i]; free(p); return s ^ twice(n) ^ "
                "strcmp(b, \"1\"); }"},
    {"jump", "void leave(int); int run(int n) { if (n % 2) leave(n + 1000); return n; }"},
    {"bits", "unsigned long long rotate(unsigned long long x, int k) { return x << k | x >> (64 - k); } int run(int n) { unsigned long long h = 14695981039346656037ULL; "
             "for (int i = 0; i < 300; i++) { h ^= (unsigned char)(i * n); h *= 1099511628211ULL; h = rotate(h, 1 + i % 63); } long long s = (long long)h; return "
             "(int)(h >> 33) ^ (int)(s >> 40) ^ (int)(h % 1000003) ^ (int)(s / 77); }"},
    {"varargs", "typedef __builtin_va_list va; static int sum(int n, ...) { return n; } int run(int n) { return sum(n, 1, 2.0, \"x\") * 3; }"},
    {"goto", "int run(int n) { int i = 0, s = 0; again: if (i < 100) { if (i % 7 == 3) goto skip; s += i * n; skip: i++; goto again; } do { s--; } while (s & 15); return s; }"},
};

// What generated code calls for what the processor has no instruction for.
#ifdef __aarch64__
#define HELPERS(H) H(__extenddftf2) H(__multf3) H(__fixtfsi) H(__fixtfdi)
#else
#define HELPERS(H) \
    H(__aeabi_idiv) H(__aeabi_idivmod) H(__aeabi_uidiv) H(__aeabi_uidivmod) H(__aeabi_ldivmod) H(__aeabi_uldivmod) H(__aeabi_llsl) \
    H(__aeabi_llsr) H(__aeabi_lasr) H(__aeabi_memcpy) H(__aeabi_memcpy4) H(__aeabi_memcpy8) H(__aeabi_memset) H(__aeabi_memmove) H(__aeabi_memmove4) H(__aeabi_memmove8) H(__fixunsdfsi)
#endif
#define DECLARE(name) extern void name(void);
HELPERS(DECLARE)

static void complain(void *data, const char *text) {
    (void)data;
    const char *colon = strstr(text, ": ");
    printf("[%s]\n", colon ? colon + 2 : text);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 3;
    // The same memory for all of them: what was compiled before is overwritten.
    size_t room = 1 << 18;
    char *memory = NULL;
    if (posix_memalign((void **)&memory, 1 << 16, room)) {
        return 1;
    }
    int fresh = 0;
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
            TCCState *s = tcc_new();
            tcc_set_error_func(s, NULL, complain);
            tcc_set_options(s, "-nostdlib -nostdinc");
            tcc_set_output_type(s, TCC_OUTPUT_MEMORY);
            char text[4096];
            snprintf(text, sizeof text, "#define ROUND %d\n%s\nint again(int n) { return run(n) + ROUND; }\n", round, programs[i].text);
            if (tcc_compile_string(s, text)) {
                return 1;
            }
            tcc_add_symbol(s, "twice", twice);
            tcc_add_symbol(s, "leave", leave);
            tcc_add_symbol(s, "printf", printf);
            tcc_add_symbol(s, "snprintf", snprintf);
            tcc_add_symbol(s, "strcmp", strcmp);
            tcc_add_symbol(s, "malloc", malloc);
            tcc_add_symbol(s, "free", free);
            tcc_add_symbol(s, "sqrt", sqrt);
            tcc_add_symbol(s, "memset", memset);
            tcc_add_symbol(s, "memcpy", memcpy);
            tcc_add_symbol(s, "memmove", memmove);
#define ADD(name) tcc_add_symbol(s, #name, name);
            HELPERS(ADD)
            int size = tcc_relocate(s, NULL);
            if (size < 0 || (size_t)size > room) {
                printf("size %d\n", size);
                return 1;
            }
            // Every third time the compiler's own memory.
            int own = (round + (int)i) % 3 == 0;
            fresh += own;
            if (tcc_relocate(s, own ? TCC_RELOCATE_AUTO : memory) < 0) {
                return 1;
            }
            int (*again)(int) = (int (*)(int))tcc_get_symbol(s, "again");
            unsigned sum = 0;
            for (volatile int n = 0; n < 12; n++) {
                int jumped = setjmp(out);
                sum = sum * 31 + (unsigned)(jumped ? jumped : again(n));
            }
            if (round < 2 || round == rounds - 1) {
                printf("%s %u\n", programs[i].name, sum);
            }
            tcc_delete(s);
        }
    }
    TCCState *s = tcc_new();
    tcc_set_error_func(s, NULL, complain);
    tcc_set_options(s, "-nostdlib -nostdinc");
    tcc_set_output_type(s, TCC_OUTPUT_MEMORY);
    printf("%d\n", tcc_compile_string(s, "int f(void) { return undeclared + ; }"));
    tcc_delete(s);
    printf("%d of their own\n", fresh);
    return 0;
}
