// Floating-point vectors of 32-bit ARM: each instruction over all pairs of special values, with FPSCR set before and looked at behind
// it, in several modes and with Inexact raised before or not. Prints a hash for each instruction.
#include <stdint.h>
#include <stdio.h>

static uint64_t hash;

static void mix(const void *p, int words) {
    for (const uint32_t *w = p; words--; w++)
        hash = (hash ^ *w) * 0x100000001b3;
}

// `name` computes q0 or d0 of q1 and q2, d2 and d4; they come from and go to memory.
#define FUNCTION(name, text)                                                                                                     \
    void name(void *d, const void *n, const void *m);                                                                            \
    __asm__(".text\n.balign 4\n.type " #name ", %function\n" #name ":\nvld1.32 {q0}, [r0]\nvld1.32 {q1}, [r1]\nvld1.32 {q2}, [r2]\n" \
            text "\nvst1.32 {q0}, [r0]\nbx lr\n.size " #name ", .-" #name "\n");
#define THREE(f, name, text) f(name##_q, text " q0, q1, q2") f(name##_d, text " d0, d2, d4")
#define HALF(f, name, text) f(name, text " d0, d2, d4")
#define TWO(f, name, text, more) f(name##_q, text " q0, q1" more) f(name##_d, text " d0, d2" more)

#define ALL(f)                                                                                                                   \
    THREE(f, vadd, "vadd.f32") THREE(f, vsub, "vsub.f32") THREE(f, vmul, "vmul.f32") THREE(f, vabd, "vabd.f32")                     \
    THREE(f, vmla, "vmla.f32") THREE(f, vmls, "vmls.f32") THREE(f, vfma, "vfma.f32") THREE(f, vfms, "vfms.f32")                     \
    THREE(f, vmax, "vmax.f32") THREE(f, vmin, "vmin.f32") THREE(f, vmaxnm, "vmaxnm.f32") THREE(f, vminnm, "vminnm.f32")             \
    THREE(f, vceq, "vceq.f32") THREE(f, vcge, "vcge.f32") THREE(f, vcgt, "vcgt.f32") THREE(f, vacge, "vacge.f32")                   \
    THREE(f, vacgt, "vacgt.f32") THREE(f, vrecps, "vrecps.f32") THREE(f, vrsqrts, "vrsqrts.f32")                                    \
    HALF(f, vpadd, "vpadd.f32") HALF(f, vpmax, "vpmax.f32") HALF(f, vpmin, "vpmin.f32")                                             \
    f(vmul_lane, "vmul.f32 q0, q1, d4[1]") f(vmla_lane, "vmla.f32 q0, q1, d4[0]")                                                   \
    TWO(f, vcvt_s, "vcvt.s32.f32", "") TWO(f, vcvt_u, "vcvt.u32.f32", "") TWO(f, vcvt_sn, "vcvt.s32.f32", ", #7")                   \
    TWO(f, vcvt_un, "vcvt.u32.f32", ", #31") TWO(f, vcvta_s, "vcvta.s32.f32", "") TWO(f, vcvtn_u, "vcvtn.u32.f32", "")              \
    TWO(f, vcvtp_s, "vcvtp.s32.f32", "") TWO(f, vcvtm_u, "vcvtm.u32.f32", "") TWO(f, vcvt_fs, "vcvt.f32.s32", "")                   \
    TWO(f, vcvt_fu, "vcvt.f32.u32", "") TWO(f, vcvt_fsn, "vcvt.f32.s32", ", #9") TWO(f, vcvt_fun, "vcvt.f32.u32", ", #32")          \
    TWO(f, vrinta, "vrinta.f32", "") TWO(f, vrintn, "vrintn.f32", "") TWO(f, vrintp, "vrintp.f32", "")                              \
    TWO(f, vrintm, "vrintm.f32", "") TWO(f, vrintz, "vrintz.f32", "") TWO(f, vrintx, "vrintx.f32", "")                              \
    TWO(f, vabs, "vabs.f32", "") TWO(f, vneg, "vneg.f32", "") TWO(f, vrecpe, "vrecpe.f32", "") TWO(f, vrsqrte, "vrsqrte.f32", "")   \
    TWO(f, vceq0, "vceq.f32", ", #0") TWO(f, vcle0, "vcle.f32", ", #0") f(vcvt_half, "vcvt.f16.f32 d0, q1")                          \
    f(vcvt_single, "vcvt.f32.f16 q0, d2")                                                                                           \
    f(fixed, "vmov.f32 s0, s4\nvcvt.f32.s32 s0, s0, #5\nvmov.f32 s1, s5\nvcvt.f32.u32 s1, s1, #32")                                  \
    f(run, "vmul.f32 q3, q1, q2\nvadd.f32 q3, q3, q1\nvmul.f32 q3, q3, q2\nvmla.f32 q0, q3, q1\nvadd.f32 s0, s0, s4\nvsub.f32 q0, q0, q2")
ALL(FUNCTION)

struct op {
    const char *name;
    void (*f)(void *, const void *, const void *);
};
#define ENTRY(name, text) {#name, name},
static const struct op ops[] = {ALL(ENTRY)};

static const uint32_t values[] = {
    0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x80800001, 0x1f800000, 0x20000000, 0x9fffffff, 0x20000001,
    0x3f000000, 0x3f800000, 0xbf800001, 0x3f7fffff, 0x40200000, 0xc0600000, 0x4b800001, 0x4f000000, 0xcf000001, 0x4f800000,
    0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00001, 0xff800001,
};
#define COUNT (int)(sizeof values / sizeof values[0])

// Rounding to nearest; the same with Inexact raised; towards zero; flush-to-zero; the same with flags; default NaNs, upwards.
static const uint32_t modes[] = {0, 0x10, 0x00c00000, 0x01000000, 0x01000098, 0x02400000};

int main(void) {
    for (int o = 0; o < (int)(sizeof ops / sizeof ops[0]); o++) {
        hash = 0xcbf29ce484222325;
        for (int i = 0; i < COUNT; i++) {
            for (int j = 0; j < COUNT; j++) {
                // One case in all lanes, so that each shows by its flags; now and then different ones.
                int step = (i + j) % 4 == 3;
                uint32_t d[4], n[4], m[4], fpscr;
                for (int k = 0; k < 4; k++) {
                    n[k] = values[(i + k * step) % COUNT];
                    m[k] = values[(j + 5 * k * step) % COUNT];
                }
                for (int mode = 0; mode < (int)(sizeof modes / sizeof modes[0]); mode++) {
                    for (int k = 0; k < 4; k++)
                        d[k] = values[(i + 3 * j + k * step) % COUNT];
                    __asm__ volatile("vmsr fpscr, %0" : : "r"(modes[mode]));
                    ops[o].f(d, n, m);
                    __asm__ volatile("vmrs %0, fpscr" : "=r"(fpscr));
                    mix(d, 4);
                    mix(&fpscr, 1);
                }
            }
        }
        __asm__ volatile("vmsr fpscr, %0" : : "r"(0));
        printf("%s %016llx\n", ops[o].name, (unsigned long long)hash);
    }
    return 0;
}
