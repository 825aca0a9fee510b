// Indirect calls: the C library's qsort with a comparison function.
// bench: class=indirect small=3000
#include <stdio.h>
#include <stdlib.h>

enum { N = 300000 };
static unsigned v[N];

static int compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : N;
    unsigned sum = 0;
    for (int round = 0; round < 2; round++) {
        unsigned s = 12345 + round;
        for (int i = 0; i < n; i++)
            v[i] = s = s * 1664525u + 1013904223u;
        qsort(v, n, sizeof *v, compare);
        sum += v[n / 2];
    }
    printf("%u\n", sum);
    return 0;
}
