// FPCR's (FPSCR's) modes in compiled code: every mode, operands at the edges of the normal range, the result and the flags after
// each operation alone, and the flags as they collect over many.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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

// The control and status registers, the operations `ops`, and the modes in which they are tried.
#ifdef __aarch64__
#include "flush64.h"
#else
#include "flush32.h"
#endif

enum { OPS = sizeof ops / sizeof *ops };

int main(void)
{
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
