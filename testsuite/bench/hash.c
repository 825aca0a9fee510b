// Hashing and pointer chasing: words counted in a chained hash table.
// bench: class=hash small=5000
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node { struct node *next; uint32_t hash; int count; char word[12]; };
static struct node *table[1 << 14];

static uint32_t fnv(const char *s)
{
    uint32_t h = 2166136261u;
    while (*s)
        h = (h ^ (unsigned char)*s++) * 16777619u;
    return h;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 2500000;
    uint32_t s = 7;
    long total = 0;
    for (long i = 0; i < n; i++) {
        char word[12];
        s = s * 1103515245u + 12345u;
        uint32_t n = s >> 13;
        int len = 3 + (n & 3);
        for (int k = 0; k < len; k++)
            word[k] = 'a' + (n >> (k * 3) & 7);
        word[len] = 0;
        uint32_t h = fnv(word);
        struct node *p = table[h & ((1 << 14) - 1)];
        while (p && (p->hash != h || strcmp(p->word, word)))
            p = p->next;
        if (!p) {
            p = malloc(sizeof *p);
            p->hash = h;
            p->count = 0;
            strcpy(p->word, word);
            p->next = table[h & ((1 << 14) - 1)];
            table[h & ((1 << 14) - 1)] = p;
        }
        total += ++p->count;
    }
    printf("%ld\n", total);
    return 0;
}
