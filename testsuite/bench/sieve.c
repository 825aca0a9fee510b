// Loops over bytes: the sieve of Eratosthenes, repeated.
// bench: class=int small=1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1 << 20 };
static unsigned char composite[N];

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 150;
    int count = 0;
    for (int round = 0; round < rounds; round++) {
        memset(composite, 0, N);
        count = 0;
        for (int i = 2; i < N; i++) {
            if (composite[i])
                continue;
            count++;
            if (i <= N / i)
                for (int j = i * i; j < N; j += i)
                    composite[j] = 1;
        }
    }
    printf("%d\n", count);
    return 0;
}
