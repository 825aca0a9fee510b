// Table look-ups in a dependency chain: CRC-32 by bytes, Adler-32, and CRC-32 by slices of eight.
// bench: class=hash small=1
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t table[8][256];
static unsigned char data[1 << 20];

static uint32_t crc_bytes(uint32_t c, const unsigned char *p, size_t n)
{
    c = ~c;
    while (n--)
        c = table[0][(c ^ *p++) & 255] ^ c >> 8;
    return ~c;
}

static uint32_t crc_slices(uint32_t c, const unsigned char *p, size_t n)
{
    c = ~c;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        w ^= c;
        c = 0;
        for (int k = 0; k < 8; k++)
            c ^= table[7 - k][w >> 8 * k & 255];
    }
    return crc_bytes(~c, p, n);
}

static uint32_t adler(const unsigned char *p, size_t n)
{
    uint32_t a = 1, b = 0;
    while (n) {
        size_t k = n < 5552 ? n : 5552;
        n -= k;
        while (k--) {
            a += *p++;
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 60;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        table[0][i] = c;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++)
            table[k][i] = table[0][table[k - 1][i] & 255] ^ table[k - 1][i] >> 8;
    uint32_t s = 9, c = 0, d = 0, a = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (s = s * 1103515245u + 12345u) >> 16;
    for (long r = 0; r < rounds; r++) {
        c = crc_bytes(c, data, sizeof data);
        d = crc_slices(d, data, sizeof data);
        a = a * 31 + adler(data, sizeof data - (r & 7));
    }
    printf("%08x %s %08x\n", c, c == d ? "same" : "different", a);
    return 0;
}
