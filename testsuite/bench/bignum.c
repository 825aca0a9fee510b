// Multi-word arithmetic with 64 x 64 -> 128-bit products: factorials and Fibonacci numbers of thousands of digits.
// bench: class=int small=300
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef unsigned __int128 wide;
enum { WORDS = 8192 };
struct big { int n; uint64_t w[WORDS]; };
static struct big a, b, c, f;

static void times_word(struct big *x, uint64_t k)
{
    uint64_t carry = 0;
    for (int i = 0; i < x->n; i++) {
        wide t = (wide)x->w[i] * k + carry;
        x->w[i] = (uint64_t)t;
        carry = (uint64_t)(t >> 64);
    }
    if (carry)
        x->w[x->n++] = carry;
}

static void add(struct big *r, const struct big *x, const struct big *y)
{
    unsigned char carry = 0;
    int n = x->n > y->n ? x->n : y->n;
    for (int i = 0; i < n; i++) {
        wide t = (wide)(i < x->n ? x->w[i] : 0) + (i < y->n ? y->w[i] : 0) + carry;
        r->w[i] = (uint64_t)t;
        carry = (unsigned char)(t >> 64);
    }
    r->n = n;
    if (carry)
        r->w[r->n++] = 1;
}

static void multiply(struct big *r, const struct big *x, const struct big *y)
{
    r->n = x->n + y->n;
    for (int i = 0; i < r->n; i++)
        r->w[i] = 0;
    for (int i = 0; i < x->n; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < y->n; j++) {
            wide t = (wide)x->w[i] * y->w[j] + r->w[i + j] + carry;
            r->w[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        r->w[i + y->n] = carry;
    }
    while (r->n > 1 && !r->w[r->n - 1])
        r->n--;
}

static uint64_t digest(const struct big *x)
{
    uint64_t h = (uint64_t)x->n;
    for (int i = 0; i < x->n; i++)
        h = (h ^ x->w[i]) * 0x9e3779b97f4a7c15u;
    return h;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 30000;
    f.n = 1;
    f.w[0] = 1;
    for (long k = 2; k <= n; k++)
        times_word(&f, (uint64_t)k);
    a.n = b.n = 1;
    a.w[0] = 0;
    b.w[0] = 1;
    for (long k = 0; k < n * 5; k++) {
        add(&a, &a, &b);
        struct big *x = &a, *y = &b;
        for (int i = 0; i < x->n || i < y->n; i++) {
            uint64_t t = i < x->n ? x->w[i] : 0;
            x->w[i] = i < y->n ? y->w[i] : 0;
            y->w[i] = t;
        }
        int t = x->n;
        x->n = y->n;
        y->n = t;
    }
    uint64_t h = 0;
    for (int round = 0; round < 40; round++) {
        multiply(&c, &a, &b);
        h = h * 31 + digest(&c);
        a.w[round % a.n] ^= h;
    }
    printf("%016llx %016llx %d\n", (unsigned long long)digest(&f), (unsigned long long)h, c.n);
    return 0;
}
