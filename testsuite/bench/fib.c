// Calls: naive Fibonacci numbers.
// bench: class=calls small=20
#include <stdio.h>
#include <stdlib.h>

static long fib(long n) __attribute__((noinline));
static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 40;
    printf("%ld\n", fib(n));
    return 0;
}
