// libffi: calls of functions of all classes of types through it, and closures of them, whose code is written at run time.
#include <complex.h>
#include <ffi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { float a, b; } hfa2;
typedef struct { double a, b, c, d; } hfa4;
typedef struct { float a, b, c, d; } hfaf4;
typedef struct { int64_t a; double b; } mixed16;
typedef struct { int64_t a, b, c; } large;
typedef struct { char c[3]; } three;
typedef struct { int8_t a; int16_t b; int32_t c; } small;
typedef struct { hfa2 in; float c; } nested;
typedef struct { double a, b, c, d, e; } five;
typedef struct { float x[3]; } array;

#define S(...) (ffi_type){0, 0, FFI_TYPE_STRUCT, (ffi_type *[]){__VA_ARGS__, NULL}}

static ffi_type t_hfa2, t_hfa4, t_hfaf4, t_mixed16, t_large, t_three, t_small, t_nested, t_five, t_array;

static int8_t f_i8(int8_t a, uint8_t b) { return (int8_t)(a * 3 + b); }
static uint16_t f_u16(uint16_t a, int16_t b) { return (uint16_t)(a - b); }
static int32_t f_i32(int32_t a, uint32_t b) { return a ^ (int32_t)b; }
static int64_t f_i64(int64_t a, int64_t b) { return a * 7 - b; }
static float f_f(float a, double b) { return a * (float)b; }
static double f_d(double a, float b, int c) { return a / b + c; }
static long double f_ld(long double a, long double b) { return a * b + 1; }
static void *f_p(char *a, long b) { return a + b; }
static hfa2 f_hfa2(hfa2 a, hfa2 b) { return (hfa2){a.a + b.b, a.b * b.a}; }
static hfa4 f_hfa4(hfa4 a, double k) { return (hfa4){a.d * k, a.c, a.b, a.a}; }
static hfaf4 f_hfaf4(int n, hfaf4 a, hfaf4 b, hfaf4 c) { return (hfaf4){a.a + n, b.b, c.c, a.d + b.d + c.d}; }
static mixed16 f_mixed16(mixed16 a, mixed16 b) { return (mixed16){a.a + b.a, a.b - b.b}; }
static large f_large(large a, large b) { return (large){a.a + b.c, a.b * b.b, a.c - b.a}; }
static three f_three(three a, int k) { return (three){{(char)(a.c[2] + k), a.c[1], a.c[0]}}; }
static small f_small(small a, small b) { return (small){(int8_t)(a.a + b.a), (int16_t)(a.b * b.b), a.c ^ b.c}; }
static nested f_nested(nested a) { return (nested){{a.c, a.in.a}, a.in.b}; }
static five f_five(five a, double b) { return (five){a.e, a.d, a.c * b, a.b, a.a}; }
static array f_array(array a) { return (array){{a.x[2], a.x[0], a.x[1]}}; }
static double f_many(int a, float b, int64_t c, double d, uint8_t e, float f, int16_t g, double h, int i, int j, int k, int8_t l, double m,
                     float n, double o, double p, double q, large r, hfa2 s, int8_t t) {
    return a + b + (double)c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + (double)(r.a + r.b + r.c) + s.a + s.b + t;
}
static double _Complex f_cd(double _Complex a, double _Complex b) { return a * b; }
static float _Complex f_cf(float _Complex a) { return a * (1.0f + 2.0f * I); }
static void f_void(int *p, int v) { *p += v; }

static uint64_t digest;

static void add(const void *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        digest = (digest ^ ((const unsigned char *)p)[i]) * 0x100000001b3;
    }
}

// Every closure forwards to the function in its user data, so that a call goes through libffi twice.
typedef struct {
    ffi_cif cif;
    void (*target)(void);
    int calls;
} forward;

static void forwarder(ffi_cif *cif, void *ret, void **args, void *user) {
    forward *f = user;
    f->calls++;
    ffi_call(cif, f->target, ret, args);
}

static void call(const char *name, void (*target)(void), ffi_type *ret, size_t used, int n, ffi_type **types, void **values, int rounds) {
    forward f = {.target = target};
    if (ffi_prep_cif(&f.cif, FFI_DEFAULT_ABI, (unsigned)n, ret, types) != FFI_OK) {
        printf("%s: no cif\n", name);
        return;
    }
    unsigned char direct[128] = {0}, closed[128] = {0};
    ffi_call(&f.cif, target, direct, values);
    int same = 1;
    for (int i = 0; i < rounds; i++) {
        void *code;
        ffi_closure *c = ffi_closure_alloc(sizeof *c, &code);
        if (!c || ffi_prep_closure_loc(c, &f.cif, forwarder, &f, code) != FFI_OK) {
            printf("%s: no closure\n", name);
            return;
        }
        memset(closed, 0, sizeof closed);
        for (int k = 0; k < 3; k++) {
            ffi_call(&f.cif, FFI_FN(code), closed, values);
        }
        same &= memcmp(direct, closed, used) == 0;
        ffi_closure_free(c);
    }
    digest = 0xcbf29ce484222325;
    add(direct, used);
    printf("%s: %016llx %s %d\n", name, (unsigned long long)digest, same ? "same" : "DIFFERENT", f.calls);
}

#define ARGS(...) (ffi_type *[]){__VA_ARGS__}
#define VALUES(...) (void *[]){__VA_ARGS__}
#define CALL(f, ret, used, n, types, values) call(#f, FFI_FN(f), ret, used, n, types, values, rounds)

// Called by its address, as C code calls a closure.
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 20;
    ffi_type *f = &ffi_type_float, *d = &ffi_type_double, *l = &ffi_type_sint64;
    t_hfa2 = S(f, f);
    t_hfa4 = S(d, d, d, d);
    t_hfaf4 = S(f, f, f, f);
    t_mixed16 = S(l, d);
    t_large = S(l, l, l);
    t_three = S(&ffi_type_sint8, &ffi_type_sint8, &ffi_type_sint8);
    t_small = S(&ffi_type_sint8, &ffi_type_sint16, &ffi_type_sint32);
    t_nested = S(&t_hfa2, f);
    t_five = S(d, d, d, d, d);
    t_array = S(f, f, f);

    int8_t i8 = -100, i8b = 55;
    uint8_t u8 = 200;
    uint16_t u16 = 65000;
    int16_t i16 = -30000;
    int32_t i32 = -123456789;
    uint32_t u32 = 0xdeadbeef;
    int64_t i64 = -0x123456789abcdef, i64b = 0x7fffffffffffffff;
    float x = 1.25f, y = -3.5f;
    double u = 2.5, v = 1e100, w = -0.0;
    long double q = 1.1L, r = -3e300L;
    hfa2 h2 = {1.5f, 2.5f}, h2b = {-4, 8};
    hfa4 h4 = {1, 2, 3, 4};
    hfaf4 hf = {1, 2, 3, 4}, hg = {5, 6, 7, 8}, hh = {9, 10, 11, 12};
    mixed16 m = {7, 2.5}, mb = {-9, 1.25};
    large la = {1, 2, 3}, lb = {40, 50, 60};
    three th = {"abc"};
    small sm = {1, 300, 70000}, sn = {-5, 2, 1 << 30};
    nested ne = {{1, 2}, 3};
    five fi = {1, 2, 3, 4, 5};
    array ar = {{1, 2, 3}};
    double _Complex cd = 1 + 2 * I, ce = -3 + 0.5 * I;
    float _Complex cf = 2 - 1.5f * I;
    char text[] = "0123456789";
    char *p = text;
    long n = 4;
    int five_ = 5;

    CALL(f_i8, &ffi_type_sint8, 8, 2, ARGS(&ffi_type_sint8, &ffi_type_uint8), VALUES(&i8, &u8));
    CALL(f_u16, &ffi_type_uint16, 8, 2, ARGS(&ffi_type_uint16, &ffi_type_sint16), VALUES(&u16, &i16));
    CALL(f_i32, &ffi_type_sint32, 8, 2, ARGS(&ffi_type_sint32, &ffi_type_uint32), VALUES(&i32, &u32));
    CALL(f_i64, l, 8, 2, ARGS(l, l), VALUES(&i64, &i64b));
    CALL(f_f, f, 4, 2, ARGS(f, d), VALUES(&x, &u));
    CALL(f_d, d, 8, 3, ARGS(d, f, &ffi_type_sint32), VALUES(&v, &y, &i32));
    CALL(f_ld, &ffi_type_longdouble, 16, 2, ARGS(&ffi_type_longdouble, &ffi_type_longdouble), VALUES(&q, &r));
    CALL(f_hfa2, &t_hfa2, 8, 2, ARGS(&t_hfa2, &t_hfa2), VALUES(&h2, &h2b));
    CALL(f_hfa4, &t_hfa4, 32, 2, ARGS(&t_hfa4, d), VALUES(&h4, &u));
    CALL(f_hfaf4, &t_hfaf4, 16, 4, ARGS(&ffi_type_sint32, &t_hfaf4, &t_hfaf4, &t_hfaf4), VALUES(&five_, &hf, &hg, &hh));
    CALL(f_mixed16, &t_mixed16, 16, 2, ARGS(&t_mixed16, &t_mixed16), VALUES(&m, &mb));
    CALL(f_large, &t_large, 24, 2, ARGS(&t_large, &t_large), VALUES(&la, &lb));
    CALL(f_three, &t_three, 3, 2, ARGS(&t_three, &ffi_type_sint32), VALUES(&th, &five_));
    CALL(f_small, &t_small, 1, 2, ARGS(&t_small, &t_small), VALUES(&sm, &sn));
    CALL(f_nested, &t_nested, 12, 1, ARGS(&t_nested), VALUES(&ne));
    CALL(f_five, &t_five, 40, 2, ARGS(&t_five, d), VALUES(&fi, &u));
    CALL(f_array, &t_array, 12, 1, ARGS(&t_array), VALUES(&ar));
    CALL(f_many, d, 8, 20,
         ARGS(&ffi_type_sint32, f, l, d, &ffi_type_uint8, f, &ffi_type_sint16, d, &ffi_type_sint32, &ffi_type_sint32, &ffi_type_sint32,
              &ffi_type_sint8, d, f, d, d, d, &t_large, &t_hfa2, &ffi_type_sint8),
         VALUES(&i32, &x, &i64, &u, &u8, &y, &i16, &w, &five_, &i32, &five_, &i8, &u, &x, &u, &w, &u, &la, &h2, &i8b));
    CALL(f_cd, &ffi_type_complex_double, 16, 2, ARGS(&ffi_type_complex_double, &ffi_type_complex_double), VALUES(&cd, &ce));
    CALL(f_cf, &ffi_type_complex_float, 8, 1, ARGS(&ffi_type_complex_float), VALUES(&cf));

    // Pointers and nothing.
    ffi_cif cif;
    void *result;
    ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_pointer, ARGS(&ffi_type_pointer, &ffi_type_slong));
    ffi_call(&cif, FFI_FN(f_p), &result, VALUES(&p, &n));
    int counter = 0, *at = &counter;
    ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_void, ARGS(&ffi_type_pointer, &ffi_type_sint32));
    for (int i = 0; i < 1000; i++) {
        ffi_call(&cif, FFI_FN(f_void), NULL, VALUES(&at, &i));
    }
    printf("%s %d\n", (char *)result, counter);

    // Variable arguments.
    char line[200];
    char *to = line;
    size_t size = sizeof line;
    const char *format = "%d %.3f %s %lld %c %Lg";
    const char *word = "word";
    int c = 'Z';
    ffi_prep_cif_var(&cif, FFI_DEFAULT_ABI, 3, 9, &ffi_type_sint32,
                     ARGS(&ffi_type_pointer, &ffi_type_ulong, &ffi_type_pointer, &ffi_type_sint32, d, &ffi_type_pointer, l, &ffi_type_sint32,
                          &ffi_type_longdouble));
    ffi_arg printed;
    ffi_call(&cif, FFI_FN(snprintf), &printed, VALUES(&to, &size, &format, &i32, &u, &word, &i64, &c, &q));
    printf("%d %s\n", (int)printed, line);

    // Closures as callbacks of C code, many at once, each called by its address.
    forward sorter = {.target = FFI_FN(compare)};
    ffi_prep_cif(&sorter.cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint32, ARGS(&ffi_type_pointer, &ffi_type_pointer));
    enum { MANY = 64 };
    ffi_closure *closures[MANY];
    int (*codes[MANY])(const void *, const void *);
    for (int i = 0; i < MANY; i++) {
        closures[i] = ffi_closure_alloc(sizeof(ffi_closure), (void **)&codes[i]);
        ffi_prep_closure_loc(closures[i], &sorter.cif, forwarder, &sorter, (void *)codes[i]);
    }
    int sorted = 1;
    for (int i = 0; i < MANY; i++) {
        int values[100];
        for (int k = 0; k < 100; k++) {
            values[k] = (k * 7919 + i * 31) % 1009;
        }
        qsort(values, 100, sizeof *values, codes[i]);
        for (int k = 1; k < 100; k++) {
            sorted &= values[k - 1] <= values[k];
        }
    }
    for (int i = 0; i < MANY; i++) {
        ffi_closure_free(closures[i]);
    }
    printf("sorted %d, %d calls\n", sorted, sorter.calls);
    return 0;
}
