// Non-local jumps: host frames are dropped and healed; a long loop must not grow the host stack.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf env;
static int depth_seen;

static void __attribute__((noinline)) dive(int n)
{
    volatile char pad[32];
    pad[n & 31] = (char)n;
    if (n == 0)
        longjmp(env, 7);
    dive(n - 1);
    depth_seen += pad[n & 31];
}

static int __attribute__((noinline)) once(int depth)
{
    int r = setjmp(env);
    if (r == 0)
        dive(depth);
    return r;
}

int main(void)
{
    long sum = 0;
    for (int i = 0; i < 20000; i++)
        sum += once(i % 50);
    printf("%ld %d\n", sum, depth_seen);
    volatile int count = 0;
    if (setjmp(env) < 100000 && ++count < 100000)
        longjmp(env, 1);
    printf("%d\n", count);
    return 0;
}
