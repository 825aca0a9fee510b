// C++ exceptions thrown through several frames with destructors, caught by type.
// bench: class=c++ small=2000
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

static long alive, sum;

struct Guard {
    int k;
    explicit Guard(int n) : k(n) { alive++; }
    ~Guard() { alive--; sum += k; }
};

struct Problem : std::runtime_error {
    int code;
    explicit Problem(int c) : std::runtime_error("problem"), code(c) {}
};

__attribute__((noinline)) static int deep(int n, int what)
{
    Guard g(n);
    if (n == 0) {
        if (what % 3 == 0)
            throw Problem(what);
        if (what % 3 == 1)
            throw what;
        return what;
    }
    return deep(n - 1, what) + 1;
}

__attribute__((noinline)) static int middle(int what)
{
    Guard g(7);
    try {
        return deep(what & 3, what);
    } catch (const Problem &p) {
        if (p.code & 1)
            throw;
        return p.code;
    }
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 150000;
    for (long i = 0; i < n; i++) {
        try {
            sum += middle((int)(i % 1000));
        } catch (int v) {
            sum += 2 * v;
        } catch (const std::exception &e) {
            sum += e.what()[0];
        }
    }
    printf("%ld %ld\n", sum, alive);
    return 0;
}
