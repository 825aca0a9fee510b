// Floating point and Advanced SIMD of 32-bit ARM: hashes of results over random operands in all rounding modes, cumulative
// exceptions, the C library's mathematics and conversions, structure loads, narrowing, saturation, tables, half precision.
#include <arm_neon.h>
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t hash = 0xcbf29ce484222325;

static void mix(const void *p, size_t n) {
    for (const unsigned char *c = p; n--; c++)
        hash = (hash ^ *c) * 0x100000001b3;
}

static void show(const char *name) {
    printf("%s %016llx\n", name, (unsigned long long)hash);
}

static uint32_t state = 12345;

static uint32_t next(void) {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

static double any_double(void) {
    union { uint64_t u; double d; } x = {(uint64_t)next() << 32};
    x.u |= next();
    return x.d;
}

static float any_float(void) {
    union { uint32_t u; float f; } x = {next()};
    return x.f;
}

static void arithmetic(void) {
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (int m = 0; m < 4; m++) {
        fesetround(modes[m]);
        for (int i = 0; i < 300; i++) {
            volatile double a = any_double(), b = any_double();
            volatile float f = any_float(), g = any_float();
            double d[] = {a + b, a - b, a * b, a / b, sqrt(a), f, fma(a, b, a)};
            float s[] = {f + g, f - g, f * g, f / g, sqrtf(f), a, fmaf(f, g, f)};
            int32_t n[] = {a, f, a < b, f >= g, a == a, isunordered(f, g)};
            uint32_t u[] = {a, f};
            int64_t l[] = {f, a};
            mix(d, sizeof d), mix(s, sizeof s), mix(n, sizeof n), mix(u, sizeof u), mix(l, sizeof l);
        }
        int raised = fetestexcept(FE_ALL_EXCEPT);
        mix(&raised, sizeof raised);
        feclearexcept(FE_ALL_EXCEPT);
        show("arithmetic");
    }
    fesetround(FE_TONEAREST);
}

static void library(void) {
    char text[400];
    for (int i = 1; i < 60; i++) {
        double x = i * 0.37;
        float y = x;
        double d[] = {sin(x), cos(x), tan(x), exp(-x), log(x), pow(x, 1.7), atan2(x, 3), cbrt(x), lgamma(x), erf(x / 9)};
        float s[] = {sinf(y), expf(-y), logf(y), powf(y, 1.3f), floorf(y), ceilf(-y), truncf(y), roundf(y), rintf(y)};
        mix(d, sizeof d), mix(s, sizeof s);
        int n = snprintf(text, sizeof text, "%.17g %a %.3f", any_double(), any_double(), x);
        mix(text, n);
        double back = strtod(text, 0);
        mix(&back, sizeof back);
    }
    show("library");
}

static uint8_t source[1024], result[1024];

static void vectors(void) {
    for (int i = 0; i < 1024; i++)
        source[i] = next();
    for (int i = 0; i + 24 <= 1024; i += 24) {
        uint8x8x3_t v = vld3_u8(source + i);
        uint8x8_t t = v.val[0];
        v.val[0] = vqadd_u8(v.val[2], t);
        v.val[2] = vrhadd_u8(t, v.val[1]);
        vst3_u8(result + i, v);
    }
    mix(result, sizeof result);
    for (int i = 0; i + 64 <= 1024; i += 64) {
        uint16x8x4_t v = vld4q_u16((uint16_t *)(source + i));
        uint32x4_t a = vmull_u16(vget_low_u16(v.val[0]), vget_high_u16(v.val[1]));
        v.val[2] = vcombine_u16(vqshrn_n_u32(a, 7), vaddhn_u32(a, a));
        v.val[3] = vsliq_n_u16(v.val[3], v.val[0], 5);
        vst4q_u16((uint16_t *)(result + i), v);
    }
    mix(result, sizeof result);
    for (int i = 0; i + 32 <= 1024; i += 32) {
        float32x4_t a = vcvtq_f32_s32(vld1q_s32((int32_t *)(source + i)));
        float32x4_t b = vld1q_f32((float *)(source + i + 16));
        float32x4_t r = vmlaq_f32(a, b, a);
        r = vbslq_f32(vcgeq_f32(a, b), r, vrecpeq_f32(a));
        r = vmulq_f32(r, vrsqrtsq_f32(vrsqrteq_f32(vabsq_f32(a)), b));
        vst1q_f32((float *)(result + i), r);
        int8x8_t low = vreinterpret_s8_f32(vget_low_f32(r)), high = vreinterpret_s8_f32(vget_high_f32(a));
        vst2_s8((int8_t *)result + i + 16, vzip_s8(low, high));
        uint8x8x2_t table = {{vld1_u8(source + i), vld1_u8(source + i + 8)}};
        vst1_u8(result + i + 8, vtbl2_u8(table, vand_u8(vld1_u8(source + i + 16), vdup_n_u8(31))));
    }
    mix(result, sizeof result);
    int32x4_t sum = vdupq_n_s32(0);
    for (int i = 0; i + 16 <= 1024; i += 16) {
        int16x8_t a = vld1q_s16((int16_t *)(source + i));
        sum = vqdmlal_s16(sum, vget_low_s16(a), vget_high_s16(a));
        sum = vpadalq_s16(sum, a);
        sum = vqrdmulhq_s32(sum, vreinterpretq_s32_s16(vrev32q_s16(a)));
    }
    mix(&sum, sizeof sum);
    __fp16 half[64];
    for (int i = 0; i < 64; i++)
        half[i] = any_float();
    mix(half, sizeof half);
    uint32_t fpscr;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(fpscr));
    mix(&fpscr, sizeof fpscr);
    show("vectors");
}

int main(void) {
    arithmetic();
    library();
    vectors();
    return 0;
}
