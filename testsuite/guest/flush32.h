// AArch32's part of flush.c: VFP in FPSCR's modes, and Advanced SIMD, which has modes of its own (standard FPSCR).
static uint32_t fpscr(void) { uint32_t v; __asm__ volatile("vmrs %0, fpscr" : "=r"(v) :: "memory"); return v; }
static void set_fpscr(uint32_t v) { __asm__ volatile("vmsr fpscr, %0" ::"r"(v) : "memory"); }

enum { MODES = 0x07c00000, FLAGS = 0x0800009f };
static uint64_t fpcr(void) { return fpscr() & MODES; }
static void set_fpcr(uint64_t v) { set_fpscr((fpscr() & ~MODES) | v); }
static uint64_t fpsr(void) { return fpscr() & FLAGS; }
static void set_fpsr(uint64_t v) { set_fpscr((fpscr() & ~FLAGS) | v); }

// FPSCR bits 22 and up: rounding, FZ, DN, AHP.
static const uint64_t modes[] = {0, 1, 2, 3, 4 | 0, 4 | 2, 8, 12 | 1, 16 | 8};

// The result register is an operand, too, where the operation accumulates: it begins as the first operand.
#define D2(name, text) \
    static uint64_t name(double a, double b) \
    { double r = a; __asm__ volatile(text : "+w"(r) : "w"(a), "w"(b)); return bits(r); }
#define S2(name, text) \
    static uint64_t name(double a, double b) \
    { \
        float x = low(bits(a)), y = low(bits(b)), r = x; \
        __asm__ volatile(text : "+t"(r) : "t"(x), "t"(y)); \
        return bitsf(r); \
    }
#define SD(name, text) \
    static uint64_t name(double a, double b) { float r; (void)b; __asm__ volatile(text : "=t"(r) : "w"(a)); return bitsf(r); }
#define DS(name, text) \
    static uint64_t name(double a, double b) \
    { double r; (void)b; __asm__ volatile(text : "=w"(r) : "t"(low(bits(a)))); return bits(r); }
#define V2(name, text) \
    static uint64_t name(double a, double b) \
    { \
        typedef uint64_t v2 __attribute__((vector_size(16))); \
        v2 x = {bits(a), bits(b)}, y = {bits(b), bits(1)}, r = x; \
        __asm__ volatile(text : "+w"(r) : "w"(x), "w"(y)); \
        return r[0] ^ r[1] * 3; \
    }
D2(add, "vadd.f64 %P0, %P1, %P2")
D2(sub, "vsub.f64 %P0, %P1, %P2")
D2(mul, "vmul.f64 %P0, %P1, %P2")
D2(nmul, "vnmul.f64 %P0, %P1, %P2")
D2(div_, "vdiv.f64 %P0, %P1, %P2")
D2(mla, "vmla.f64 %P0, %P1, %P2")
D2(nmls, "vnmls.f64 %P0, %P1, %P2")
D2(fma_, "vfma.f64 %P0, %P1, %P2")
D2(fnms, "vfnms.f64 %P0, %P2, %P2")
D2(maxnm, "vmaxnm.f64 %P0, %P1, %P2")
D2(minnm, "vminnm.f64 %P0, %P1, %P2")
D2(sqrt_, "vsqrt.f64 %P0, %P1")
D2(rintx, "vrintx.f64 %P0, %P1")
D2(rintp, "vrintp.f64 %P0, %P1")
D2(abs_, "vabs.f64 %P0, %P1")
D2(fixed, "vmov %P0, %P1\n\tvcvt.s32.f64 %P0, %P0, #7")
S2(adds, "vadd.f32 %0, %1, %2")
S2(muls, "vmul.f32 %0, %1, %2")
S2(divs, "vdiv.f32 %0, %1, %2")
S2(fmas, "vfma.f32 %0, %1, %2")
S2(nmlas, "vnmla.f32 %0, %1, %2")
S2(half, "vcvtb.f16.f32 %0, %1")
S2(halft, "vcvtt.f16.f32 %0, %1")
S2(whole, "vcvtb.f32.f16 %0, %1")
DS(widen, "vcvt.f64.f32 %P0, %1")
SD(narrow, "vcvt.f32.f64 %0, %P1")
SD(to_s, "vcvt.s32.f64 %0, %P1")
SD(to_ur, "vcvtr.u32.f64 %0, %P1")
SD(to_p, "vcvtp.s32.f64 %0, %P1")
V2(vadd, "vadd.f32 %q0, %q1, %q2")
V2(vmul, "vmul.f32 %q0, %q1, %q2")
V2(vmla, "vmla.f32 %q0, %q1, %q2")
V2(vfma, "vfma.f32 %q0, %q1, %q2")
V2(vgt, "vcgt.f32 %q0, %q1, %q2")
V2(vmax, "vmax.f32 %q0, %q1, %q2")
V2(vrecps, "vrecps.f32 %q0, %q1, %q2")
V2(vrsqrte, "vrsqrte.f32 %q0, %q1")
V2(vpadd, "vpadd.f32 %e0, %e1, %f2")
V2(vround, "vrintm.f32 %q0, %q1")
V2(vto, "vcvt.s32.f32 %q0, %q1")
static uint64_t cmp(double a, double b)
{
    __asm__ volatile("vcmp.f64 %P0, %P1" ::"w"(a), "w"(b));
    return fpscr() >> 28;
}

static const struct { const char *name; uint64_t (*f)(double, double); } ops[] = {
    {"add", add}, {"sub", sub}, {"mul", mul}, {"nmul", nmul}, {"div", div_}, {"mla", mla}, {"nmls", nmls}, {"fma", fma_},
    {"fnms", fnms}, {"maxnm", maxnm}, {"minnm", minnm}, {"sqrt", sqrt_}, {"rintx", rintx}, {"rintp", rintp}, {"abs", abs_},
    {"fixed", fixed}, {"adds", adds}, {"muls", muls}, {"divs", divs}, {"fmas", fmas}, {"nmlas", nmlas}, {"half", half},
    {"halft", halft}, {"whole", whole}, {"widen", widen}, {"narrow", narrow}, {"to_s", to_s}, {"to_ur", to_ur}, {"to_p", to_p},
    {"vadd", vadd}, {"vmul", vmul}, {"vmla", vmla}, {"vfma", vfma}, {"vgt", vgt}, {"vmax", vmax}, {"vrecps", vrecps},
    {"vrsqrte", vrsqrte}, {"vpadd", vpadd}, {"vround", vround}, {"vto", vto}, {"cmp", cmp},
};
