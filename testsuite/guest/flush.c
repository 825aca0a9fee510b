// FPCR's modes in compiled code: every mode, operands at the edges of the normal range, the result and FPSR after each
// operation alone, and FPSR as it collects over many.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t fpcr(void) { uint64_t v; __asm__ volatile("mrs %0, fpcr" : "=r"(v)); return v; }
static void set_fpcr(uint64_t v) { __asm__ volatile("msr fpcr, %0" ::"r"(v)); }
static uint64_t fpsr(void) { uint64_t v; __asm__ volatile("mrs %0, fpsr" : "=r"(v) :: "memory"); return v; }
static void set_fpsr(uint64_t v) { __asm__ volatile("msr fpsr, %0" ::"r"(v) : "memory"); }

static const uint64_t values[] = {
    0, 1, 0x8000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x8010000000000000, 0x0010000000000001,
    0x001fffffffffffff, 0x0020000000000000, 0x3fefffffffffffff, 0x3fe0000000000000, 0x3ff0000000000000,
    0x3ff0000000000001, 0xbfe8000000000000, 0x4004000000000000, 0x7fefffffffffffff, 0x7ff0000000000000,
    0x7ff8000000000123, 0xfff0000000000456, 0x1ff0000000000001, 0x2000000000000000, 0x1fffffffffffffff,
};
enum { N = sizeof values / sizeof *values };

static double of(uint64_t v) { double d; memcpy(&d, &v, 8); return d; }
static uint64_t bits(double d) { uint64_t v; memcpy(&v, &d, 8); return v; }
static float low(uint64_t v) { uint32_t w = v >> 32; float f; memcpy(&f, &w, 4); return f; }
static uint64_t bitsf(float f) { uint32_t w; memcpy(&w, &f, 4); return w; }

#define D2(name, text) \
    static uint64_t name(double a, double b) { double r; __asm__ volatile(text : "=w"(r) : "w"(a), "w"(b)); return bits(r); }
#define S2(name, text) \
    static uint64_t name(double a, double b) \
    { float r; __asm__ volatile(text : "=w"(r) : "w"(low(bits(a))), "w"(low(bits(b)))); return bitsf(r); }
#define X1(name, text) \
    static uint64_t name(double a, double b) { uint64_t r; (void)b; __asm__ volatile(text : "=r"(r) : "w"(a)); return r; }
#define V2(name, text) \
    static uint64_t name(double a, double b) \
    { \
        typedef double v2 __attribute__((vector_size(16))); \
        v2 x = {a, b}, y = {b, 1}, r; \
        __asm__ volatile(text : "=w"(r) : "w"(x), "w"(y)); \
        return bits(r[0]) ^ bits(r[1]) * 3; \
    }
D2(add, "fadd %d0, %d1, %d2")
D2(sub, "fsub %d0, %d1, %d2")
D2(mul, "fmul %d0, %d1, %d2")
D2(div_, "fdiv %d0, %d1, %d2")
D2(max, "fmax %d0, %d1, %d2")
D2(minnm, "fminnm %d0, %d1, %d2")
D2(fma_, "fmadd %d0, %d1, %d2, %d1")
D2(fms, "fnmsub %d0, %d1, %d2, %d2")
D2(abd, "fabd %d0, %d1, %d2")
D2(sqrt_, "fsqrt %d0, %d1")
D2(rint_, "frintx %d0, %d1")
D2(ceil_, "frintp %d0, %d1")
D2(mulx, "fmulx %d0, %d1, %d2")
S2(adds, "fadd %s0, %s1, %s2")
S2(muls, "fmul %s0, %s1, %s2")
S2(divs, "fdiv %s0, %s1, %s2")
S2(fmas, "fmadd %s0, %s1, %s2, %s2")
D2(widen, "fcvt %d0, %s1")
D2(narrow, "fcvt %s0, %d1")
D2(half, "fcvt %h0, %d1")
D2(abs_, "fabs %d0, %d1")
X1(to_x, "fcvtzs %x0, %d1")
X1(to_wu, "fcvtpu %w0, %d1")
V2(vadd, "fadd %0.2d, %1.2d, %2.2d")
V2(vmul, "fmul %0.2d, %1.2d, %2.2d")
V2(vmuls, "fmul %0.4s, %1.4s, %2.4s")
V2(vfma, "fmla %0.2d, %1.2d, %2.2d")
V2(vgt, "fcmgt %0.2d, %1.2d, %2.2d")
V2(vmax, "fmax %0.4s, %1.4s, %2.4s")
V2(vround, "frintm %0.2d, %1.2d")
static uint64_t cmp(double a, double b)
{
    uint64_t r;
    __asm__ volatile("fcmp %d1, %d2\n\tmrs %0, nzcv" : "=r"(r) : "w"(a), "w"(b) : "cc");
    return r;
}

static const struct { const char *name; uint64_t (*f)(double, double); } ops[] = {
    {"add", add}, {"sub", sub}, {"mul", mul}, {"div", div_}, {"max", max}, {"minnm", minnm}, {"fma", fma_}, {"fms", fms},
    {"abd", abd}, {"sqrt", sqrt_}, {"rint", rint_}, {"ceil", ceil_}, {"mulx", mulx}, {"adds", adds}, {"muls", muls},
    {"divs", divs}, {"fmas", fmas}, {"widen", widen}, {"narrow", narrow}, {"half", half}, {"abs", abs_}, {"to_x", to_x},
    {"to_wu", to_wu}, {"vadd", vadd}, {"vmul", vmul}, {"vmuls", vmuls}, {"vfma", vfma}, {"vgt", vgt}, {"vmax", vmax},
    {"vround", vround}, {"cmp", cmp},
};
enum { OPS = sizeof ops / sizeof *ops };

int main(void)
{
    static const uint64_t modes[] = {0, 1, 2, 3, 4 | 0, 4 | 2, 8, 12 | 1};
    for (unsigned m = 0; m < sizeof modes / sizeof *modes; m++) {
        uint64_t mode = modes[m] << 22;
        set_fpcr(mode);
        uint64_t now = fpcr();
        for (int o = 0; o < OPS; o++) {
            uint64_t h = 0, collected = 0, first = 0;
            for (int again = 0; again < 2; again++)
                for (int i = 0; i < N; i++)
                    for (int j = 0; j < N; j++) {
                        double a = of(values[i]), b = of(values[j]);
                        // Alone, from clear flags; then collecting.
                        if (again == 0 || i + j == 0)
                            set_fpsr(0);
                        uint64_t r = ops[o].f(a, b);
                        uint64_t s = fpsr();
                        if (again == 0 && i == 3 && j == 9)
                            first = r ^ s << 56;
                        h = (h ^ r ^ s << 40) * 0x9e3779b97f4a7c15 + (h >> 29);
                        collected |= s;
                    }
            printf("%llx %s %llx %llx %llx\n", (unsigned long long)now, ops[o].name, (unsigned long long)h,
                   (unsigned long long)collected, (unsigned long long)first);
        }
    }
    set_fpcr(0);
    return 0;
}
