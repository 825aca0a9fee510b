// Loops that gcc -O3 vectorises, in float: axpy, a five-point stencil, and a dot product by four sums.
// bench: class=simd flags=-O3 small=4
#include <stdio.h>
#include <stdlib.h>

enum { W = 512, H = 256 };
static float a[H][W], b[H][W];

static void axpy(float *restrict y, const float *restrict x, float k, int n)
{
    for (int i = 0; i < n; i++)
        y[i] += k * x[i];
}

static void relax(float (*restrict to)[W], float (*restrict from)[W])
{
    for (int y = 1; y < H - 1; y++)
        for (int x = 1; x < W - 1; x++)
            to[y][x] = 0.2f * (from[y][x] + from[y][x - 1] + from[y][x + 1] + from[y - 1][x] + from[y + 1][x]);
}

static double dot(const float *x, const float *y, int n)
{
    float s[4] = {0};
    for (int i = 0; i < n; i += 4)
        for (int k = 0; k < 4; k++)
            s[k] += x[i + k] * y[i + k];
    return (double)s[0] + s[1] + s[2] + s[3];
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1500;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            a[y][x] = (float)((x ^ y) & 63) / 64;
            b[y][x] = (float)(x * y % 31) / 32;
        }
    double sum = 0;
    for (long r = 0; r < rounds; r++) {
        relax(b, a);
        relax(a, b);
        axpy(a[0], b[0], 1e-6f, H * W);
        sum += dot(a[0], b[0], H * W) / (H * W);
    }
    printf("%.3f\n", sum / rounds);
    return 0;
}
