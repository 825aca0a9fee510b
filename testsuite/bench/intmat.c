// Nested loops over integers of the processor's width: matrix product modulo 2^64 (2^32).
// bench: class=int small=1
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>

// The width of the processor's words; NARROW asks for that of AArch32 on other machines.
#if defined NARROW || __SIZEOF_POINTER__ == 4
typedef uint32_t word;
#else
typedef uint64_t word;
#endif

enum { N = 300 };
static word a[N][N], b[N][N], c[N][N];

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 20;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = i * 31 + j;
            b[i][j] = i ^ j * 7;
        }
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                word s = 0;
                for (int k = 0; k < N; k++)
                    s += a[i][k] * b[k][j];
                c[i][j] += s;
            }
    printf("%llu\n", (unsigned long long)(c[17][42] + c[N - 1][N - 1]));
    return 0;
}
