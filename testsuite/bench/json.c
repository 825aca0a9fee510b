// Parsing: a document in JSON is written, parsed into a tree by recursive descent, and written again.
// bench: class=string small=2
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUL, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT };
struct value {
    enum kind kind;
    double number;
    char *string, *key;
    struct value *first, *next;
};

static struct value pool[1 << 18];
static char chars[1 << 21];
static int used;
static size_t used_chars;
static const char *at;

static void space(void)
{
    while (*at == ' ' || *at == '\n' || *at == '\t')
        at++;
}

static char *string(void)
{
    char *s = chars + used_chars;
    for (at++; *at != '"'; at++) {
        char c = *at;
        if (c == '\\') {
            c = *++at;
            if (c == 'n')
                c = '\n';
            else if (c == 't')
                c = '\t';
        }
        chars[used_chars++] = c;
    }
    at++;
    chars[used_chars++] = 0;
    return s;
}

static double number(void)
{
    int minus = *at == '-';
    double v = 0, scale = 1;
    for (at += minus; *at >= '0' && *at <= '9'; at++)
        v = v * 10 + (*at - '0');
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++)
            v += (*at - '0') * (scale *= 0.1);
    return minus ? -v : v;
}

static struct value *parse(void)
{
    struct value *v = pool + used++, **link = &v->first;
    memset(v, 0, sizeof *v);
    space();
    switch (*at) {
    case '{':
    case '[': {
        char close = *at == '{' ? '}' : ']';
        v->kind = *at == '{' ? OBJECT : ARRAY;
        at++;
        for (space(); *at != close; space()) {
            char *key = NULL;
            if (v->kind == OBJECT) {
                key = string();
                space();
                at++;
            }
            *link = parse();
            (*link)->key = key;
            link = &(*link)->next;
            space();
            at += *at == ',';
        }
        at++;
        break;
    }
    case '"': v->kind = STRING; v->string = string(); break;
    case 't': v->kind = TRUE; at += 4; break;
    case 'f': v->kind = FALSE; at += 5; break;
    case 'n': v->kind = NUL; at += 4; break;
    default: v->kind = NUMBER; v->number = number();
    }
    return v;
}

static unsigned walk(const struct value *v, int depth)
{
    unsigned h = v->kind + depth;
    if (v->key)
        for (const char *p = v->key; *p; p++)
            h = h * 31 + *p;
    switch (v->kind) {
    case NUL: case FALSE: case TRUE: break;
    case NUMBER: h += (unsigned)(int)(v->number * 16); break;
    case STRING:
        for (const char *p = v->string; *p; p++)
            h = h * 33 + *p;
        break;
    case ARRAY:
    case OBJECT:
        for (const struct value *k = v->first; k; k = k->next)
            h = h * 17 + walk(k, depth + 1);
    }
    return h;
}

static char *put(char *o, const char *s)
{
    while (*s)
        *o++ = *s++;
    return o;
}

static char *digits(char *o, unsigned n)
{
    char d[12];
    int k = 0;
    do
        d[k++] = '0' + n % 10;
    while (n /= 10);
    while (k)
        *o++ = d[--k];
    return o;
}

static char document[1 << 20];

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 300;
    char *o = put(document, "[");
    unsigned s = 77;
    for (int i = 0; i < 7000; i++) {
        s = s * 1664525u + 1013904223u;
        o = put(o, i ? ",\n {\"id\": " : "\n {\"id\": ");
        o = digits(o, i);
        o = put(o, ", \"name\": \"item \\\"");
        o = digits(o, s >> 10);
        o = put(o, "\\\"\\n\", \"price\": -");
        o = digits(o, s >> 20);
        *o++ = '.';
        o = digits(o, s >> 16 & 255);
        o = put(o, s >> 31 ? ", \"in\": true" : ", \"in\": null");
        o = put(o, ", \"tags\": [\"a\", \"bc\", [], {}, ");
        o = digits(o, s & 1023);
        o = put(o, "]}");
    }
    *put(o, "]\n") = 0;
    unsigned h = 0;
    for (long r = 0; r < rounds; r++) {
        used = 0;
        used_chars = 0;
        at = document;
        h = h * 7 + walk(parse(), 0);
    }
    printf("%u %d %zu\n", h, used, used_chars);
    return 0;
}
