// A short dependency chain of multiplications and additions: points in the Mandelbrot set.
// bench: class=fp small=40
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1800;
    long inside = 0, steps = 0;
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            // Multiples of a power of two: the first squares are exact, with and without fused operations.
            double cr = (double)(x * 3072 / n - 2048) / 1024, ci = (double)(y * 2048 / n - 1024) / 1024;
            double r = 0, i = 0, rr = 0, ii = 0;
            int k = 0;
            for (; k < 150 && rr + ii <= 4; k++) {
                i = 2 * r * i + ci;
                r = rr - ii + cr;
                rr = r * r;
                ii = i * i;
            }
            inside += k == 150;
            steps += k;
        }
    // Rounded, since a fused multiply-add moves a few points at the edge.
    printf("%ld %ld\n", inside / 256, steps / (1 << 20));
    return 0;
}
