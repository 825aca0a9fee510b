// Indirect calls: the C library's qsort with a comparison function.
#include <stdio.h>
#include <stdlib.h>

enum { N = 400000 };
static unsigned v[N];

static int compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    unsigned long sum = 0;
    for (int round = 0; round < 4; round++) {
        unsigned s = 12345 + round;
        for (int i = 0; i < N; i++)
            v[i] = s = s * 1664525u + 1013904223u;
        qsort(v, N, sizeof *v, compare);
        sum += v[N / 2];
    }
    printf("%lu\n", sum);
    return 0;
}
