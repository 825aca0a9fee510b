// The C library's sin, cos, exp, log, pow, atan2, cbrt and fmod.
// bench: class=fp small=500
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 4000000;
    double sum = 0, x = 0.1;
    float small = 0;
    for (long i = 0; i < n; i++) {
        x += 0.37;
        if (x > 60)
            x -= 59.5;
        sum += sin(x) * cos(x * 0.5) + exp(-x) + log(x) + pow(x, 1.3) * 1e-3;
        sum += atan2(x, 3.0) + cbrt(x) + fmod(x * 7, 3.1);
        small += sinf((float)x) + expf(-(float)x);
    }
    printf("%.4f %.0f\n", sum / n, small / n);
    return 0;
}
