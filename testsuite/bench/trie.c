// Pointer chasing: a dictionary as a trie of 26-way nodes, with prefix counts.
// bench: class=int small=3000
#include <stdio.h>
#include <stdlib.h>

struct node { struct node *down[26]; int ends, below; };

static int word(unsigned *s, char *w)
{
    unsigned n = *s = *s * 1664525u + 1013904223u;
    int len = 3 + (n >> 28) % 6;
    for (int i = 0; i < len; i++) {
        w[i] = (n >> (i * 4 & 15) & 31) % 26;
        n = n * 5 + 1;
    }
    return len;
}

static long deepest(const struct node *t)
{
    long most = 0;
    for (int i = 0; i < 26; i++)
        if (t->down[i]) {
            long d = deepest(t->down[i]) + t->ends;
            most = d > most ? d : most;
        }
    return most + 1;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 200000;
    struct node *root = calloc(1, sizeof *root);
    unsigned s = 1;
    char w[16];
    for (long i = 0; i < n; i++) {
        int len = word(&s, w);
        struct node *t = root;
        for (int k = 0; k < len; k++) {
            struct node **next = &t->down[(int)w[k]];
            if (!*next)
                *next = calloc(1, sizeof **next);
            t = *next;
            t->below++;
        }
        t->ends++;
    }
    long hits = 0;
    s = 99;
    for (long i = 0; i < 4 * n; i++) {
        int len = word(&s, w);
        const struct node *t = root;
        int k = 0;
        for (; k < len && t->down[(int)w[k]]; k++)
            t = t->down[(int)w[k]];
        hits += k == len ? t->ends : t->below & 3;
    }
    printf("%ld %ld\n", hits, deepest(root));
    return 0;
}
