// Loops over bytes: the sieve of Eratosthenes, repeated.
#include <stdio.h>
#include <string.h>

enum { N = 1 << 20 };
static unsigned char composite[N];

int main(void)
{
    int count = 0;
    for (int round = 0; round < 60; round++) {
        memset(composite, 0, N);
        count = 0;
        for (int i = 2; i < N; i++) {
            if (composite[i])
                continue;
            count++;
            for (long j = (long)i * i; j < N; j += i)
                composite[j] = 1;
        }
    }
    printf("%d\n", count);
    return 0;
}
