// Butterflies over complex doubles: a radix-2 fast Fourier transform there and back.
// bench: class=fp small=2
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOG = 13, N = 1 << LOG };
struct complex { double re, im; };
static struct complex data[N], root[N / 2];

static void fft(struct complex *v, int inverse)
{
    for (int i = 1, j = 0; i < N; i++) {
        int bit = N >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            struct complex t = v[i];
            v[i] = v[j];
            v[j] = t;
        }
    }
    for (int len = 2; len <= N; len <<= 1)
        for (int i = 0; i < N; i += len)
            for (int k = 0; k < len / 2; k++) {
                struct complex w = root[k * (N / len)], *a = v + i + k, *b = a + len / 2;
                double wi = inverse ? -w.im : w.im;
                double re = b->re * w.re - b->im * wi, im = b->re * wi + b->im * w.re;
                b->re = a->re - re;
                b->im = a->im - im;
                a->re += re;
                a->im += im;
            }
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1600;
    for (int i = 0; i < N / 2; i++)
        root[i] = (struct complex){cos(2 * M_PI * i / N), sin(2 * M_PI * i / N)};
    for (int i = 0; i < N; i++)
        data[i] = (struct complex){i % 17 - 8, i % 5};
    double peak = 0;
    for (long r = 0; r < rounds; r++) {
        fft(data, 0);
        peak += data[N / 5].re;
        fft(data, 1);
        for (int i = 0; i < N; i++) {
            data[i].re /= N;
            data[i].im /= N;
        }
    }
    int lost = 0;
    for (int i = 0; i < N; i++)
        if (fabs(data[i].re - (i % 17 - 8)) > 1e-9 || fabs(data[i].im - i % 5) > 1e-9)
            lost++;
    printf("%.6f %s\n", peak / rounds, lost ? "lost" : "restored");
    return 0;
}
