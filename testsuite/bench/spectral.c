// Divisions and dot products in doubles: the largest singular value of an infinite matrix by power iteration.
// bench: class=fp small=40
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double cell(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void times(int n, const double *v, double *r)
{
    for (int i = 0; i < n; i++) {
        double s = 0;
        for (int j = 0; j < n; j++)
            s += cell(i, j) * v[j];
        r[i] = s;
    }
}

static void times_transposed(int n, const double *v, double *r)
{
    for (int i = 0; i < n; i++) {
        double s = 0;
        for (int j = 0; j < n; j++)
            s += cell(j, i) * v[j];
        r[i] = s;
    }
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 2500;
    double *u = malloc(n * sizeof *u), *v = malloc(n * sizeof *v), *t = malloc(n * sizeof *t);
    for (int i = 0; i < n; i++)
        u[i] = 1;
    for (int k = 0; k < 10; k++) {
        times(n, u, t);
        times_transposed(n, t, v);
        times(n, v, t);
        times_transposed(n, t, u);
    }
    double uv = 0, vv = 0;
    for (int i = 0; i < n; i++) {
        uv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    printf("%.9f\n", sqrt(uv / vv));
    return 0;
}
