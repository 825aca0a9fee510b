// Floating-point corner cases: NaN choice and sign, conversions, minima, rounding modes, exception flags.
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t bits(double d) { uint64_t u; memcpy(&u, &d, 8); return u; }
static uint32_t bitsf(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static double from(uint64_t u) { double d; memcpy(&d, &u, 8); return d; }
static float fromf(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }

static const uint64_t values[] = {
    0, 0x8000000000000000, 1, 0x000fffffffffffff, 0x0010000000000000, 0x3ff0000000000000, 0xbff0000000000000,
    0x3fe0000000000000, 0x4000000000000000, 0x7fefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000,
    0x7ff8000000000001, 0xfff8000000000002, 0x7ff0000000000003, 0xfff0000000000004, 0x43e0000000000000,
    0x41dfffffffc00000, 0xc1e0000000200000, 0x3ca0000000000000, 0x4330000000000001, 0x4008000000000000,
};
enum { N = sizeof values / sizeof *values };

static void all(const char *mode)
{
    uint64_t h = 14695981039346656037ull;
#define MIX(v) (h = (h ^ (uint64_t)(v)) * 1099511628211ull)
    for (int i = 0; i < N; i++) {
        volatile double a = from(values[i]);
        volatile float fa = (float)a;
        MIX(bitsf(fa)), MIX(bits((double)fa));
        MIX(bits(sqrt(a))), MIX(bits(rint(a))), MIX(bits(floor(a))), MIX(bits(round(a))), MIX(bits(fabs(-a)));
        MIX((int64_t)a), MIX((uint64_t)a), MIX((int32_t)a), MIX((uint32_t)a), MIX((int64_t)fa), MIX((uint32_t)fa);
        MIX(lrint(a)), MIX(lround(a));
        MIX(bits((double)(int64_t)values[i])), MIX(bits((double)values[i])), MIX(bitsf((float)(int64_t)values[i]));
        for (int j = 0; j < N; j++) {
            volatile double b = from(values[j]);
            volatile float fb = fromf((uint32_t)(values[j] >> 32));
            MIX(bits(a + b)), MIX(bits(a - b)), MIX(bits(a * b)), MIX(bits(a / b));
            MIX(bitsf(fa + fb)), MIX(bitsf(fa * fb)), MIX(bitsf(fa / fb));
            MIX(bits(fma(a, b, 1.0))), MIX(bits(fma(a, 3.0, b)));
            MIX(bits(fmax(a, b))), MIX(bits(fmin(a, b)));
            MIX((a < b) | (a <= b) << 1 | (a == b) << 2 | (a > b) << 3 | (a != b) << 4);
            double m, n;
#ifdef __arm__
            __asm__("vmaxnm.f64 %P0, %P2, %P3\n\tvminnm.f64 %P1, %P2, %P3" : "=&w"(m), "=w"(n) : "w"(a), "w"(b));
#else
            __asm__("fmax %d0, %d2, %d3\n\tfmin %d1, %d2, %d3" : "=&w"(m), "=w"(n) : "w"(a), "w"(b));
#endif
            MIX(bits(m)), MIX(bits(n));
        }
    }
    printf("%s %016llx\n", mode, (unsigned long long)h);
}

int main(void)
{
    all("nearest");
    fesetround(FE_UPWARD), all("up");
    fesetround(FE_DOWNWARD), all("down");
    fesetround(FE_TOWARDZERO), all("zero");
    fesetround(FE_TONEAREST);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            volatile double a = from(values[i]), b = from(values[j]), r;
            int f[4];
            feclearexcept(FE_ALL_EXCEPT), r = a + b, f[0] = fetestexcept(FE_ALL_EXCEPT & ~FE_UNDERFLOW);
            feclearexcept(FE_ALL_EXCEPT), r = a * b, f[1] = fetestexcept(FE_ALL_EXCEPT & ~FE_UNDERFLOW);
            feclearexcept(FE_ALL_EXCEPT), r = a / b, f[2] = fetestexcept(FE_ALL_EXCEPT & ~FE_UNDERFLOW);
            feclearexcept(FE_ALL_EXCEPT), r = (float)a, f[3] = fetestexcept(FE_ALL_EXCEPT & ~FE_UNDERFLOW);
            (void)r;
            if (i % 4 == j % 4)
                printf("%d %d: %x %x %x %x\n", i, j, f[0], f[1], f[2], f[3]);
        }
    for (double x = -3; x < 3; x += 0.37)
        printf("%.17g %.17g %.17g %.17g\n", sin(x), exp(x), atan2(x, 2), pow(fabs(x), 1.7));
    return 0;
}
