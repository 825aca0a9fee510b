// Allocation: complete binary trees are built, counted and freed.
// bench: class=allocation small=6
#include <stdio.h>
#include <stdlib.h>

struct tree { struct tree *left, *right; };

static struct tree *grow(int depth)
{
    struct tree *t = malloc(sizeof *t);
    t->left = depth ? grow(depth - 1) : NULL;
    t->right = depth ? grow(depth - 1) : NULL;
    return t;
}

static long count(const struct tree *t) { return t->left ? 1 + count(t->left) + count(t->right) : 1; }

static void fell(struct tree *t)
{
    if (t->left) {
        fell(t->left);
        fell(t->right);
    }
    free(t);
}

int main(int argc, char **argv)
{
    int depth = argc > 1 ? atoi(argv[1]) : 18;
    struct tree *lasting = grow(depth);
    for (int d = 4; d <= depth; d += 2) {
        long trees = 1L << (depth - d + 1), sum = 0;
        for (long i = 0; i < trees; i++) {
            struct tree *t = grow(d);
            sum += count(t);
            fell(t);
        }
        printf("%ld trees of depth %d: %ld\n", trees, d, sum);
    }
    printf("%ld\n", count(lasting));
    return 0;
}
