// Scalar floating point with square roots and divisions: planets.
// bench: class=fp small=1000
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct body { double x[3], v[3], m; };
static struct body bodies[5] = {
    {{0, 0, 0}, {0, 0, 0}, 39.478},
    {{4.84, -1.16, -0.10}, {0.606, 2.81, -0.02}, 0.037},
    {{8.34, 4.12, -0.40}, {-1.01, 1.82, 0.008}, 0.011},
    {{12.89, -15.11, -0.22}, {1.08, 0.868, -0.010}, 0.0017},
    {{15.37, -25.9, 0.179}, {0.979, 0.594, -0.034}, 0.0020},
};

static double energy(void)
{
    double e = 0;
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++)
            e += 0.5 * bodies[i].m * bodies[i].v[k] * bodies[i].v[k];
    return e;
}

int main(int argc, char **argv)
{
    long steps = argc > 1 ? atol(argv[1]) : 5000000;
    for (long step = 0; step < steps; step++) {
        for (int i = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++) {
                double d[3], r = 0;
                for (int k = 0; k < 3; k++) {
                    d[k] = bodies[i].x[k] - bodies[j].x[k];
                    r += d[k] * d[k];
                }
                double f = 0.001 / (r * sqrt(r));
                for (int k = 0; k < 3; k++) {
                    bodies[i].v[k] -= d[k] * bodies[j].m * f;
                    bodies[j].v[k] += d[k] * bodies[i].m * f;
                }
            }
        for (int i = 0; i < 5; i++)
            for (int k = 0; k < 3; k++)
                bodies[i].x[k] += 0.001 * bodies[i].v[k];
    }
    printf("%.9f\n", energy());
    return 0;
}
