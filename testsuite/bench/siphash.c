// 64-bit additions, rotations and xors: SipHash-2-4 over short keys.
// bench: class=hash small=2000
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t rotl(uint64_t x, int n) { return x << n | x >> (64 - n); }

#define ROUND \
    (a += b, b = rotl(b, 13) ^ a, a = rotl(a, 32), c += d, d = rotl(d, 16) ^ c, a += d, d = rotl(d, 21) ^ a, c += b, \
     b = rotl(b, 17) ^ c, c = rotl(c, 32))

static uint64_t sip(uint64_t k0, uint64_t k1, const void *key, size_t n)
{
    uint64_t a = k0 ^ 0x736f6d6570736575u, b = k1 ^ 0x646f72616e646f6du;
    uint64_t c = k0 ^ 0x6c7967656e657261u, d = k1 ^ 0x7465646279746573u, m;
    const unsigned char *p = key;
    for (size_t i = 0; i + 8 <= n; i += 8) {
        memcpy(&m, p + i, 8);
        d ^= m;
        ROUND;
        ROUND;
        a ^= m;
    }
    m = (uint64_t)n << 56;
    for (size_t i = n & ~(size_t)7; i < n; i++)
        m |= (uint64_t)p[i] << 8 * (i & 7);
    d ^= m;
    ROUND;
    ROUND;
    a ^= m;
    c ^= 255;
    ROUND;
    ROUND;
    ROUND;
    ROUND;
    return a ^ b ^ c ^ d;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 20000000;
    unsigned char key[64];
    for (int i = 0; i < 64; i++)
        key[i] = i;
    uint64_t h = 0;
    // The reference vector: bytes 0…14 under the key 0…15 give a129ca6149be45e5.
    printf("%016llx\n", (unsigned long long)sip(0x0706050403020100u, 0x0f0e0d0c0b0a0908u, key, 15));
    for (long i = 0; i < n; i++) {
        memcpy(key, &h, 8);
        h = sip(h, i, key, i & 31);
    }
    printf("%016llx\n", (unsigned long long)h);
    return 0;
}
