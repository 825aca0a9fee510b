// Calls with three arguments and deep recursion: the Takeuchi and Ackermann functions.
// bench: class=calls small=1
#include <stdio.h>
#include <stdlib.h>

static int tak(int x, int y, int z) __attribute__((noinline));
static int tak(int x, int y, int z)
{
    return y >= x ? z : tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

static int ackermann(int m, int n) __attribute__((noinline));
static int ackermann(int m, int n)
{
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 400;
    long sum = 0;
    for (long r = 0; r < rounds; r++)
        sum += tak(18 + (r & 1), 12, 6) + ackermann(2, 200 + (int)r) + ackermann(3, 7);
    printf("%ld\n", sum);
    return 0;
}
