// Nested loops over doubles: matrix product.
// bench: class=fp small=1
#include <stdio.h>
#include <stdlib.h>

enum { N = 300 };
static double a[N][N], b[N][N], c[N][N];

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 40;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = i - j;
            b[i][j] = i * 0.5 + j;
        }
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double s = 0;
                for (int k = 0; k < N; k++)
                    s += a[i][k] * b[k][j];
                c[i][j] = s;
            }
    printf("%.3f\n", c[17][42] + c[N - 1][N - 1]);
    return 0;
}
