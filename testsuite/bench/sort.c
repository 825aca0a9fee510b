// Three sorts of our own: quicksort with insertion below 16, heapsort, and a radix sort.
// bench: class=int small=2000
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void quick(uint32_t *v, long n)
{
    while (n > 16) {
        uint32_t a = v[0], b = v[n / 2], c = v[n - 1];
        uint32_t pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
        long i = 0, j = n - 1;
        for (;;) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i >= j)
                break;
            uint32_t t = v[i];
            v[i++] = v[j];
            v[j--] = t;
        }
        quick(v, i);
        v += i;
        n -= i;
    }
    for (long i = 1; i < n; i++) {
        uint32_t x = v[i];
        long j = i;
        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

static void sift(uint32_t *v, long i, long n)
{
    uint32_t x = v[i];
    for (long child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && v[child + 1] > v[child])
            child++;
        if (v[child] <= x)
            break;
        v[i] = v[child];
    }
    v[i] = x;
}

static void heap(uint32_t *v, long n)
{
    for (long i = n / 2; i-- > 0;)
        sift(v, i, n);
    for (long i = n; i-- > 1;) {
        uint32_t t = v[0];
        v[0] = v[i];
        v[i] = t;
        sift(v, 0, i);
    }
}

static void radix(uint32_t *v, uint32_t *spare, long n)
{
    for (int shift = 0; shift < 32; shift += 8) {
        long at[257] = {0};
        for (long i = 0; i < n; i++)
            at[(v[i] >> shift & 255) + 1]++;
        for (int k = 0; k < 256; k++)
            at[k + 1] += at[k];
        for (long i = 0; i < n; i++)
            spare[at[v[i] >> shift & 255]++] = v[i];
        uint32_t *t = v;
        v = spare;
        spare = t;
    }
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 500000;
    uint32_t *v = malloc(n * sizeof *v), *w = malloc(n * sizeof *w), *spare = malloc(n * sizeof *v);
    uint32_t s = 42;
    unsigned sum = 0;
    for (int kind = 0; kind < 4; kind++) {
        for (long i = 0; i < n; i++) {
            s = s * 1664525u + 1013904223u;
            v[i] = kind == 3 ? s >> 24 : s;
        }
        memcpy(w, v, n * sizeof *v);
        quick(v, n);
        if (kind & 1)
            heap(w, n);
        else
            radix(w, spare, n);
        if (memcmp(v, w, n * sizeof *v))
            return puts("not sorted"), 1;
        for (long i = 0; i < n; i++)
            sum = sum * 3 + v[i];
    }
    printf("%u\n", sum);
    return 0;
}
