// SIMD in gcc's vector extensions on bytes, 16- and 32-bit lanes: alpha blending, thresholds, shuffles, sums.
// bench: class=simd small=2
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef uint8_t u8x8 __attribute__((vector_size(8)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));

enum { SIZE = 1 << 18 };
static uint8_t front[SIZE], back[SIZE], out[SIZE];

static u8x8 load8(const uint8_t *p)
{
    u8x8 v;
    memcpy(&v, p, 8);
    return v;
}

static void blend(uint16_t alpha)
{
    for (int i = 0; i < SIZE; i += 8) {
        u16x8 f = __builtin_convertvector(load8(front + i), u16x8);
        u16x8 b = __builtin_convertvector(load8(back + i), u16x8);
        u16x8 r = (f * alpha + b * (uint16_t)(256 - alpha)) >> 8;
        u8x8 packed = __builtin_convertvector(r, u8x8);
        memcpy(out + i, &packed, 8);
    }
}

static void threshold(uint8_t limit)
{
    for (int i = 0; i < SIZE; i += 16) {
        u8x16 v;
        memcpy(&v, out + i, 16);
        u8x16 bright = (u8x16)(v > limit);
        v = (bright & ~v) | (~bright & (v + (v >> 2)));
        v = __builtin_shuffle(v, (u8x16){2, 1, 0, 3, 6, 5, 4, 7, 10, 9, 8, 11, 14, 13, 12, 15});
        memcpy(out + i, &v, 16);
    }
}

static u32x4 total(u32x4 t)
{
    for (int i = 0; i < SIZE; i += 16) {
        u32x4 v;
        memcpy(&v, out + i, 16);
        t = (t ^ v) * 2654435761u;
        t += (t >> 15) | (v << 3);
    }
    return t;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 900;
    uint32_t s = 4;
    for (int i = 0; i < SIZE; i++) {
        s = s * 1664525u + 1013904223u;
        front[i] = s >> 24;
        back[i] = s >> 16;
    }
    u32x4 t = {1, 2, 3, 4};
    for (long r = 0; r < rounds; r++) {
        blend(r & 255);
        threshold(r * 7 & 255);
        t = total(t);
    }
    printf("%08x %08x %08x %08x\n", t[0], t[1], t[2], t[3]);
    return 0;
}
