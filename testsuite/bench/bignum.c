// Multi-word arithmetic with products of two words (64 x 64 -> 128 bits): factorials and Fibonacci numbers of thousands of digits.
// bench: class=int small=300
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// The width of the processor's words; NARROW asks for that of AArch32 on other machines.
#if defined NARROW || __SIZEOF_POINTER__ == 4
typedef uint32_t word;
typedef uint64_t wide;
enum { WORDS = 8192, BITS = 32, SIZE = 15000 };
#else
typedef uint64_t word;
typedef unsigned __int128 wide;
enum { WORDS = 8192, BITS = 64, SIZE = 30000 };
#endif
struct big { int n; word w[WORDS]; };
static struct big a, b, c, f;

static void times_word(struct big *x, word k)
{
    word carry = 0;
    for (int i = 0; i < x->n; i++) {
        wide t = (wide)x->w[i] * k + carry;
        x->w[i] = (word)t;
        carry = (word)(t >> BITS);
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
        r->w[i] = (word)t;
        carry = (unsigned char)(t >> BITS);
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
        word carry = 0;
        for (int j = 0; j < y->n; j++) {
            wide t = (wide)x->w[i] * y->w[j] + r->w[i + j] + carry;
            r->w[i + j] = (word)t;
            carry = (word)(t >> BITS);
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
    long n = argc > 1 ? atol(argv[1]) : SIZE;
    f.n = 1;
    f.w[0] = 1;
    for (long k = 2; k <= n; k++)
        times_word(&f, (word)k);
    a.n = b.n = 1;
    a.w[0] = 0;
    b.w[0] = 1;
    for (long k = 0; k < n * 5; k++) {
        add(&a, &a, &b);
        struct big *x = &a, *y = &b;
        for (int i = 0; i < x->n || i < y->n; i++) {
            word t = i < x->n ? x->w[i] : 0;
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
        a.w[round % a.n] ^= (word)h;
    }
    printf("%016llx %016llx %d\n", (unsigned long long)digest(&f), (unsigned long long)h, c.n);
    return 0;
}
