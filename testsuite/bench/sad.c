// SIMD intrinsics, NEON on ARM and SSE2 on x86: motion search by sums of absolute differences, and saturating sums.
// bench: class=simd small=1
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __ARM_NEON
#include <arm_neon.h>
#else
#include <emmintrin.h>
#endif

enum { W = 320, H = 192, BLOCK = 16, RANGE = 8 };
static uint8_t now[H][W], before[H][W];

static unsigned sad16(const uint8_t *a, const uint8_t *b)
{
#ifdef __ARM_NEON
    uint16x8_t s = vdupq_n_u16(0);
    for (int y = 0; y < BLOCK; y++, a += W, b += W) {
        uint8x16_t p = vld1q_u8(a), q = vld1q_u8(b);
        s = vabal_u8(s, vget_low_u8(p), vget_low_u8(q));
#ifdef __aarch64__
        s = vabal_high_u8(s, p, q);
#else
        s = vabal_u8(s, vget_high_u8(p), vget_high_u8(q));
#endif
    }
#ifdef __aarch64__
    return vaddlvq_u16(s);
#else
    uint64x2_t t = vpaddlq_u32(vpaddlq_u16(s));
    return (unsigned)(vgetq_lane_u64(t, 0) + vgetq_lane_u64(t, 1));
#endif
#else
    __m128i s = _mm_setzero_si128();
    for (int y = 0; y < BLOCK; y++, a += W, b += W)
        s = _mm_add_epi32(s, _mm_sad_epu8(_mm_loadu_si128((const void *)a), _mm_loadu_si128((const void *)b)));
    return _mm_cvtsi128_si32(s) + _mm_extract_epi16(s, 4);
#endif
}

static void mix(uint8_t *a, const uint8_t *b, int n)
{
    for (int i = 0; i < n; i += 16) {
#ifdef __ARM_NEON
        uint8x16_t p = vld1q_u8(a + i), q = vld1q_u8(b + i);
        vst1q_u8(a + i, vrhaddq_u8(vqaddq_u8(p, vdupq_n_u8(9)), vqsubq_u8(q, vdupq_n_u8(5))));
#else
        __m128i p = _mm_loadu_si128((const void *)(a + i)), q = _mm_loadu_si128((const void *)(b + i));
        p = _mm_adds_epu8(p, _mm_set1_epi8(9));
        q = _mm_subs_epu8(q, _mm_set1_epi8(5));
        _mm_storeu_si128((void *)(a + i), _mm_avg_epu8(p, q));
#endif
    }
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 500;
    uint32_t s = 8;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            s = s * 1664525u + 1013904223u;
            before[y][x] = (uint8_t)(x * 3 + y * 5 + (s >> 28));
            now[y][x] = (uint8_t)((x + 3) * 3 + (y + 2) * 5 + (s >> 29));
        }
    unsigned sum = 0;
    for (long r = 0; r < rounds; r++) {
        for (int y = RANGE; y + BLOCK + RANGE <= H; y += BLOCK)
            for (int x = RANGE; x + BLOCK + RANGE <= W; x += BLOCK) {
                unsigned best = ~0u;
                int where = 0;
                for (int dy = -RANGE; dy <= RANGE; dy++)
                    for (int dx = -RANGE; dx <= RANGE; dx++) {
                        unsigned d = sad16(&now[y][x], &before[y + dy][x + dx]);
                        if (d < best) {
                            best = d;
                            where = dy * 32 + dx;
                        }
                    }
                sum = sum * 3 + best + (unsigned)where;
            }
        mix(before[0], now[0], W * H);
    }
    printf("%u\n", sum);
    return 0;
}
