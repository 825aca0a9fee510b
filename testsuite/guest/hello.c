// The smallest program with a C library: output, arguments, exit status.
#include <stdio.h>

int main(int argc, char **argv)
{
    printf("hello from %d argument(s)\n", argc - 1);
    for (int i = 1; i < argc; i++)
        printf("  %s\n", argv[i]);
    return argc + 40;
}
