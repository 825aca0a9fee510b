// Nested loops over 64-bit integers: matrix product modulo 2^64.
#include <stdio.h>
#include <stdint.h>

enum { N = 300 };
static uint64_t a[N][N], b[N][N], c[N][N];

int main(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = i * 31 + j;
            b[i][j] = i ^ j * 7;
        }
    for (int round = 0; round < 8; round++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                uint64_t s = 0;
                for (int k = 0; k < N; k++)
                    s += a[i][k] * b[k][j];
                c[i][j] += s;
            }
    printf("%llu\n", (unsigned long long)(c[17][42] + c[N - 1][N - 1]));
    return 0;
}
