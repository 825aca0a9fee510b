// Counts checks, and prints a line for each that fails.
#include <errno.h>
#include <stdio.h>

static int checks, failures;
#define CHECK(x) \
    do { \
        checks++; \
        if (!(x)) { \
            failures++; \
            printf("line %d: %s (errno %d)\n", __LINE__, #x, errno); \
        } \
    } while (0)
