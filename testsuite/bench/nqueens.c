// Recursion with bit masks: the number of ways to place n queens.
// bench: class=calls small=8
#include <stdio.h>
#include <stdlib.h>

static long place(unsigned all, unsigned columns, unsigned left, unsigned right)
{
    if (columns == all)
        return 1;
    long ways = 0;
    for (unsigned free = all & ~(columns | left | right); free; free &= free - 1) {
        unsigned bit = free & -free;
        ways += place(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return ways;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 14;
    long total = 0;
    for (long k = 4; k <= n; k++)
        total = total * 7 + place((1u << k) - 1, 0, 0, 0);
    printf("%ld\n", total);
    return 0;
}
