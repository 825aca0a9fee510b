// C++ virtual calls, templates and inlining: an expression tree evaluated many times.
// bench: class=c++ small=100
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

struct Expr {
    virtual ~Expr() = default;
    virtual int eval(const int *vars) const = 0;
    virtual int size() const { return 1; }
};
using P = std::unique_ptr<Expr>;

struct Const final : Expr {
    int v;
    explicit Const(int n) : v(n) {}
    int eval(const int *) const override { return v; }
};
struct Var final : Expr {
    int i;
    explicit Var(int n) : i(n) {}
    int eval(const int *vars) const override { return vars[i]; }
};
template <class F> struct Binary final : Expr {
    P a, b;
    Binary(P x, P y) : a(std::move(x)), b(std::move(y)) {}
    int eval(const int *vars) const override { return F()(a->eval(vars), b->eval(vars)); }
    int size() const override { return 1 + a->size() + b->size(); }
};
struct Add { int operator()(int x, int y) const { return (int)((unsigned)x + (unsigned)y); } };
struct Mul { int operator()(int x, int y) const { return (int)((unsigned)x * (unsigned)y); } };
struct Max { int operator()(int x, int y) const { return x > y ? x : y; } };
struct Choose final : Expr {
    P c, a, b;
    Choose(P x, P y, P z) : c(std::move(x)), a(std::move(y)), b(std::move(z)) {}
    int eval(const int *vars) const override { return c->eval(vars) & 1 ? a->eval(vars) : b->eval(vars); }
    int size() const override { return 1 + c->size() + a->size() + b->size(); }
};

static unsigned seed = 17;

static P make(int depth)
{
    seed = seed * 1664525u + 1013904223u;
    unsigned k = seed >> 27;
    if (depth == 0)
        return k & 1 ? P(new Var(k >> 1 & 7)) : P(new Const(k));
    P a = make(depth - 1), b = make(depth - 1);
    switch (k & 3) {
    case 0: return P(new Binary<Add>(std::move(a), std::move(b)));
    case 1: return P(new Binary<Mul>(std::move(a), std::move(b)));
    case 2: return P(new Binary<Max>(std::move(a), std::move(b)));
    default: return P(new Choose(make(depth - 1), std::move(a), std::move(b)));
    }
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 100000;
    std::vector<P> trees;
    for (int i = 0; i < 8; i++)
        trees.push_back(make(6));
    int vars[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    unsigned sum = 0;
    for (long i = 0; i < n; i++) {
        for (auto &t : trees)
            sum = sum * 3 + (unsigned)t->eval(vars);
        vars[i & 7] += (int)i;
    }
    int size = 0;
    for (auto &t : trees)
        size += t->size();
    printf("%u %d\n", sum, size);
    return 0;
}
