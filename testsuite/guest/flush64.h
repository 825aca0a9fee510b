// A64's part of flush.c: every kind of floating-point operation, on scalars and vectors.
static uint64_t fpcr(void) { uint64_t v; __asm__ volatile("mrs %0, fpcr" : "=r"(v)); return v; }
static void set_fpcr(uint64_t v) { __asm__ volatile("msr fpcr, %0" ::"r"(v)); }
static uint64_t fpsr(void) { uint64_t v; __asm__ volatile("mrs %0, fpsr" : "=r"(v) :: "memory"); return v; }
static void set_fpsr(uint64_t v) { __asm__ volatile("msr fpsr, %0" ::"r"(v) : "memory"); }

// FPCR bits 22 and up: rounding, FZ, DN.
static const uint64_t modes[] = {0, 1, 2, 3, 4 | 0, 4 | 2, 8, 12 | 1};

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
