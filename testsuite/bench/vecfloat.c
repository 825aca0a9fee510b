// SIMD in gcc's vector extensions on floats: a polynomial for exp, selection by masks, and a 4 x 4 matrix product.
// bench: class=simd small=500
#include <stdio.h>
#include <stdlib.h>

typedef float f4 __attribute__((vector_size(16)));
typedef int i4 __attribute__((vector_size(16)));

// exp by 2^n and a polynomial of degree five.
static f4 exp4(f4 x)
{
    f4 t = x * 1.44269504f;
    i4 n = __builtin_convertvector(t, i4);
    f4 f = t - __builtin_convertvector(n, f4);
    f4 p = f * 0.0013333558f + 0.009618129f;
    p = p * f + 0.05550411f;
    p = p * f + 0.24022651f;
    p = p * f + 0.6931472f;
    p = p * f + 1.0f;
    return p * (f4)((n + 127) << 23);
}

static f4 largest(f4 a, f4 b)
{
    i4 m = a > b;
    return (f4)(((i4)a & m) | ((i4)b & ~m));
}

static void multiply(f4 r[4], const f4 a[4], const f4 b[4])
{
    for (int i = 0; i < 4; i++)
        r[i] = a[0] * b[i][0] + a[1] * b[i][1] + a[2] * b[i][2] + a[3] * b[i][3];
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 50000000;
    f4 x = {0.1f, 0.2f, 0.3f, 0.4f}, sum = {0}, top = {0};
    f4 m[4] = {{0.8f, 0.6f, 0, 0}, {-0.6f, 0.8f, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}, r[4];
    f4 at[4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    for (long i = 0; i < n; i++) {
        f4 e = exp4(x - 2.0f);
        sum = sum * 0.999f + e;
        top = largest(top, e);
        x = x + 0.01f;
        i4 big = x > 3.0f;
        x = (f4)(((i4)(x - 2.9f) & big) | ((i4)x & ~big));
        if ((i & 3) == 0) {
            multiply(r, m, at);
            for (int k = 0; k < 4; k++)
                at[k] = r[k];
        }
    }
    printf("%.0f %.3f %.0f\n", sum[0] + sum[1] + sum[2] + sum[3], top[3], at[2][2] + at[3][3]);
    return 0;
}
