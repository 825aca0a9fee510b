// Deep recursion: far more host frames than a host stack of ordinary size holds.
#include <stdio.h>

static unsigned __attribute__((noinline)) deep(unsigned n, unsigned x)
{
    if (n == 0)
        return x;
    unsigned r = deep(n - 1, x * 3 + 1);
    return r + n;
}

static int __attribute__((noinline)) ackermann(int m, int n)
{
    if (m == 0)
        return n + 1;
    return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

int main(void)
{
    printf("%u\n", deep(150000, 1));
    printf("%d\n", ackermann(2, 300));
    for (int i = 0; i < 50; i++)
        deep(20000, i);
    puts("done");
    return 0;
}
