// A backtracking matcher of patterns with . * + ? [] () | ^ $, by recursive functions with continuations.
// bench: class=calls small=1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    enum { CHAR, ANY, SET, START, END, ALT, STAR, PLUS, MAYBE, CAT, EMPTY } kind;
    unsigned char c;
    unsigned char set[32];
    struct node *a, *b;
};
struct more { int (*then)(const char *, struct more *); struct node *node; struct more *rest; const char *from; };

static struct node nodes[256];
static int used;
static const char *p, *text_start;
static long steps;

static struct node *make(int kind, struct node *a, struct node *b)
{
    struct node *n = &nodes[used++];
    memset(n, 0, sizeof *n);
    n->kind = kind;
    n->a = a;
    n->b = b;
    return n;
}

static struct node *alternatives(void);

static struct node *atom(void)
{
    struct node *n;
    switch (*p) {
    case '(':
        p++;
        n = alternatives();
        p++;
        return n;
    case '[': {
        n = make(SET, 0, 0);
        int not = *++p == '^';
        for (p += not; *p != ']'; p++) {
            int last = p[1] == '-' && p[2] != ']' ? p[2] : p[0];
            for (int c = (unsigned char)*p; c <= last; c++)
                n->set[c >> 3] |= 1 << (c & 7);
            if (last != *p)
                p += 2;
        }
        for (int i = 0; not && i < 32; i++)
            n->set[i] = ~n->set[i];
        p++;
        return n;
    }
    case '.': p++; return make(ANY, 0, 0);
    case '^': p++; return make(START, 0, 0);
    case '$': p++; return make(END, 0, 0);
    }
    n = make(CHAR, 0, 0);
    n->c = *p++;
    return n;
}

static struct node *sequence(void)
{
    struct node *n = make(EMPTY, 0, 0);
    while (*p && *p != '|' && *p != ')') {
        struct node *a = atom();
        for (; *p == '*' || *p == '+' || *p == '?'; p++)
            a = make(*p == '*' ? STAR : *p == '+' ? PLUS : MAYBE, a, 0);
        n = make(CAT, n, a);
    }
    return n;
}

static struct node *alternatives(void)
{
    struct node *n = sequence();
    while (*p == '|') {
        p++;
        n = make(ALT, n, sequence());
    }
    return n;
}

static int match(struct node *n, const char *s, struct more *more);
static int done(const char *s, struct more *m) { (void)s; (void)m; return 1; }
static int go_on(const char *s, struct more *m) { return match(m->node, s, m->rest); }
static int again(const char *s, struct more *m) { return s != m->from && match(m->node, s, m->rest); }

static int match(struct node *n, const char *s, struct more *more)
{
    steps++;
    switch (n->kind) {
    case CHAR: return *s == (char)n->c && more->then(s + 1, more);
    case ANY: return *s && more->then(s + 1, more);
    case SET: return *s && (n->set[(unsigned char)*s >> 3] >> (*s & 7) & 1) && more->then(s + 1, more);
    case START: return s == text_start && more->then(s, more);
    case END: return !*s && more->then(s, more);
    case EMPTY: return more->then(s, more);
    case ALT: return match(n->a, s, more) || match(n->b, s, more);
    case MAYBE: return match(n->a, s, more) || more->then(s, more);
    case CAT: {
        struct more next = {go_on, n->b, more, s};
        return match(n->a, s, &next);
    }
    case STAR: {
        struct more next = {again, n, more, s};
        return match(n->a, s, &next) || more->then(s, more);
    }
    case PLUS: {
        struct node star = {.kind = STAR, .a = n->a};
        struct more next = {go_on, &star, more, s};
        return match(n->a, s, &next);
    }
    }
    return 0;
}

static int search(struct node *n, const char *s)
{
    struct more end = {done, 0, 0, 0};
    text_start = s;
    do
        if (match(n, s, &end))
            return 1;
    while (*s++);
    return 0;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 40;
    static const char *patterns[] = {"(a|b)*abb$", "^[a-d]+e?[0-9]*(xy|yx)+", "([a-z]+[0-9]+)+_", "a.*b.*c.*d$",
                                     "(ab?)*c(de|d)*e", "[^a-m]+q|zz+top"};
    struct node *compiled[6];
    for (int i = 0; i < 6; i++) {
        p = patterns[i];
        compiled[i] = alternatives();
    }
    static char lines[400][48];
    unsigned s = 5;
    for (int i = 0; i < 400; i++) {
        int n = 20 + i % 24;
        for (int k = 0; k < n; k++) {
            s = s * 1664525u + 1013904223u;
            lines[i][k] = "abcdabcdexy01zq_"[s >> 28];
        }
    }
    long found = 0;
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < 400; i++)
            for (int k = 0; k < 6; k++)
                found += search(compiled[k], lines[i]) << k;
    printf("%ld %ld\n", found, steps);
    return 0;
}
