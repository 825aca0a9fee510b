// Indirect calls: tables of functions that state machines and objects in C style call through.
// bench: class=indirect small=2000
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct shape;
struct ops { long (*area)(const struct shape *); void (*grow)(struct shape *, int); int (*kind)(void); };
struct shape { const struct ops *ops; int w, h; };

static long area_rect(const struct shape *s) { return (long)s->w * s->h; }
static long area_tri(const struct shape *s) { return (long)s->w * s->h / 2; }
static long area_round(const struct shape *s) { return 314L * s->w * s->w / 100; }
static void grow_both(struct shape *s, int k) { s->w = (s->w + k) & 255; s->h = (s->h + k * 3) & 255; }
static void grow_one(struct shape *s, int k) { s->w = (s->w ^ k) & 127; }
static int kind0(void) { return 0; }
static int kind1(void) { return 1; }
static int kind2(void) { return 2; }
static const struct ops kinds[3] = {{area_rect, grow_both, kind0}, {area_tri, grow_both, kind1}, {area_round, grow_one, kind2}};

typedef uint32_t state(uint32_t x, uint32_t *acc);
static uint32_t s0(uint32_t x, uint32_t *acc) { *acc += x; return x & 3; }
static uint32_t s1(uint32_t x, uint32_t *acc) { *acc ^= x; return x >> 2 & 3; }
static uint32_t s2(uint32_t x, uint32_t *acc) { *acc -= x >> 3; return x >> 4 & 3; }
static uint32_t s3(uint32_t x, uint32_t *acc) { *acc = *acc << 1 | *acc >> 31; return x >> 6 & 3; }
static state *const states[4] = {s0, s1, s2, s3};

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 12000000;
    struct shape shapes[64];
    uint32_t s = 1, acc = 0, at = 0;
    for (int i = 0; i < 64; i++) {
        s = s * 1664525u + 1013904223u;
        shapes[i] = (struct shape){&kinds[(s >> 20) % 3], s >> 8 & 63, s >> 14 & 63};
    }
    unsigned sum = 0;
    for (long i = 0; i < n; i++) {
        struct shape *p = &shapes[i & 63];
        p->ops->grow(p, (int)i & 7);
        sum += (unsigned)(p->ops->area(p) + p->ops->kind());
        s = s * 1664525u + 1013904223u;
        at = states[at](s >> 16, &acc);
    }
    printf("%u %u\n", sum, acc);
    return 0;
}
