// The C library's string functions on short and long strings: strlen, strchr, strstr, memcpy, memmove, strcmp, strtoll.
// bench: class=string small=20
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1 << 16 };
static char text[SIZE], copy[SIZE + 16];

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 700;
    unsigned s = 11;
    for (int i = 0; i < SIZE - 1; i++) {
        s = s * 1103515245u + 12345u;
        unsigned k = s >> 16 & 63;
        text[i] = k < 8 ? ' ' : k < 40 ? 'a' + k % 26 : '0' + k % 10;
    }
    memcpy(text + SIZE - 16, " needle in hay ", 15);
    unsigned sum = 0;
    for (long r = 0; r < rounds; r++) {
        memcpy(copy + r % 16, text, SIZE - 16);
        memmove(copy, copy + r % 16, SIZE - 16);
        sum += strlen(text + r % 64);
        const char *found = strstr(text + r % 64, "needle in");
        sum += found ? found - text : 7;
        int numbers = 0;
        for (char *p = text; p; p = strchr(p, ' ')) {
            char *end;
            long long v = strtoll(p, &end, 10);
            numbers += end != p;
            sum += v & 0xffff;
            p += strspn(p, " ");
            size_t word = strcspn(p, " 0123456789");
            if (word && strncmp(p, "mother", word) < 0)
                sum++;
            p += word;
        }
        sum += numbers + (strcmp(copy, text) > 0) + (memcmp(copy, text, SIZE / 2) > 0);
    }
    printf("%u\n", sum);
    return 0;
}
