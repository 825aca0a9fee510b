// Functions that a program calls and that call it back.
typedef long function(long);

long step(function *f, long n) { return f(n - 1) + n; }

long apply(function *f, long n) { return f(n) * 3 + 1; }

long plain(long n) { return n * 7 + 2; }

// The caller's frame is gone when `f` runs.
long forward(function *f, long n) { return f(n); }
