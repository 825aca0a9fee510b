// Compression: LZ77 with hash chains, then canonical Huffman codes over the bytes of its output; and back again.
// bench: class=compression small=20000
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char byte;
enum { WINDOW = 1 << 15, CHAIN = 16, LONGEST = 130, SHORTEST = 4 };

static uint32_t hash4(const byte *p)
{
    uint32_t w;
    memcpy(&w, p, 4);
    return w * 2654435761u >> 17;
}

// A token is a count of literals and these (0…127), or 128 + length - SHORTEST and a distance of two bytes.
static size_t lz(const byte *in, size_t n, byte *out)
{
    static int head[1 << 15], prev[WINDOW];
    memset(head, -1, sizeof head);
    byte *o = out;
    size_t literal = 0, i = 0;
    while (i < n) {
        size_t best = 0, from = 0;
        if (i + SHORTEST <= n) {
            uint32_t h = hash4(in + i);
            size_t most = n - i < LONGEST ? n - i : LONGEST;
            int k = head[h];
            for (int tries = CHAIN; k >= 0 && i - (size_t)k < WINDOW && tries; tries--, k = prev[k % WINDOW]) {
                size_t m = 0;
                while (m < most && in[k + m] == in[i + m])
                    m++;
                if (m > best)
                    best = m, from = i - k;
            }
        }
        size_t step = best >= SHORTEST ? best : 1;
        int flush = best >= SHORTEST || i + 1 == n || i - literal == 127;
        size_t end = best >= SHORTEST ? i : i + 1;
        if (flush && end > literal) {
            *o++ = (byte)(end - literal - 1);
            memcpy(o, in + literal, end - literal);
            o += end - literal;
            literal = end;
        }
        if (best >= SHORTEST) {
            *o++ = (byte)(128 + best - SHORTEST);
            *o++ = (byte)from;
            *o++ = (byte)(from >> 8);
            literal = i + best;
        }
        for (; step--; i++)
            if (i + SHORTEST <= n) {
                uint32_t h = hash4(in + i);
                prev[i % WINDOW] = head[h];
                head[h] = (int)i;
            }
    }
    return o - out;
}

static size_t unlz(const byte *in, size_t n, byte *out)
{
    byte *o = out;
    for (const byte *end = in + n; in < end;) {
        int t = *in++;
        if (t < 128) {
            memcpy(o, in, t + 1);
            o += t + 1;
            in += t + 1;
        } else {
            const byte *from = o - (in[0] | in[1] << 8);
            in += 2;
            for (int k = t - 128 + SHORTEST; k--;)
                *o++ = *from++;
        }
    }
    return o - out;
}

// Code lengths by repeated merging of the two rarest; a tree of 511 nodes at most.
static void lengths(const uint32_t count[256], byte len[256])
{
    uint32_t weight[512];
    int parent[512], live[512], n = 0, nodes = 256;
    for (int i = 0; i < 256; i++) {
        weight[i] = count[i] ? count[i] : 1;
        live[n++] = i;
    }
    while (n > 1) {
        for (int turn = 0; turn < 2; turn++)
            for (int i = turn + 1; i < n; i++)
                if (weight[live[i]] < weight[live[turn]]) {
                    int t = live[i];
                    live[i] = live[turn];
                    live[turn] = t;
                }
        weight[nodes] = weight[live[0]] + weight[live[1]];
        parent[live[0]] = parent[live[1]] = nodes;
        live[0] = nodes++;
        live[1] = live[--n];
    }
    parent[nodes - 1] = -1;
    for (int i = 0; i < 256; i++) {
        len[i] = 0;
        for (int k = i; parent[k] >= 0; k = parent[k])
            len[i]++;
    }
}

static void codes(const byte len[256], uint64_t code[256])
{
    uint64_t next = 0;
    for (int l = 1; l < 48; l++, next <<= 1)
        for (int i = 0; i < 256; i++)
            if (len[i] == l)
                code[i] = next++;
}

static size_t huffman(const byte *in, size_t n, byte *out)
{
    uint32_t count[256] = {0};
    uint64_t code[256] = {0}, bits = 0;
    byte len[256], *o = out;
    int have = 0;
    for (size_t i = 0; i < n; i++)
        count[in[i]]++;
    lengths(count, len);
    codes(len, code);
    memcpy(o, len, 256);
    o += 256;
    for (size_t i = 0; i < n; i++) {
        bits = bits << len[in[i]] | code[in[i]];
        for (have += len[in[i]]; have >= 8; have -= 8)
            *o++ = (byte)(bits >> (have - 8));
    }
    *o++ = (byte)(bits << (8 - have));
    return o - out;
}

static void unhuffman(const byte *in, byte *out, size_t n)
{
    byte len[256], symbol[256];
    uint64_t first[48], code = 0;
    int from[48], at = 0, have = 0;
    memcpy(len, in, 256);
    in += 256;
    for (int l = 1; l < 48; l++, code <<= 1) {
        from[l] = at;
        first[l] = code;
        for (int i = 0; i < 256; i++)
            if (len[i] == l)
                symbol[at++] = (byte)i, code++;
        if (l + 1 < 48)
            from[l + 1] = at;
    }
    int count[48];
    for (int l = 1; l < 47; l++)
        count[l] = from[l + 1] - from[l];
    unsigned current = 0;
    while (n--) {
        uint64_t c = 0;
        for (int l = 1;; l++) {
            if (!have) {
                current = *in++;
                have = 8;
            }
            c = c << 1 | (current >> --have & 1);
            if (c - first[l] < (uint64_t)count[l]) {
                *out++ = symbol[from[l] + c - first[l]];
                break;
            }
        }
    }
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? atol(argv[1]) : 16000000;
    byte *text = malloc(n + 64), *packed = malloc(2 * n + 64), *coded = malloc(2 * n + 1024);
    byte *back = malloc(2 * n + 64), *again = malloc(n + 64);
    static const char *words[] = {"translate ", "register ", "the ", "of ", "exact ", "and ", "memory ", "fault",
                                  "loop ", "\n", "signal ", "vector ", "a ", "native ", "code, ", "checkpoint. "};
    uint32_t s = 3;
    for (size_t i = 0; i < n;) {
        s = s * 1664525u + 1013904223u;
        const char *w = words[s >> 28];
        while (*w && i < n)
            text[i++] = *w++;
        if ((s >> 20 & 15) == 0 && i < n)
            text[i++] = '0' + (s >> 16) % 10;
    }
    size_t l = lz(text, n, packed), h = huffman(packed, l, coded);
    unhuffman(coded, back, l);
    size_t m = unlz(back, l, again);
    uint32_t sum = 0;
    for (size_t i = 0; i < h; i++)
        sum = (sum ^ coded[i]) * 16777619u;
    printf("%zu %zu %zu %08x %s\n", n, l, h, sum, m == n && !memcmp(text, again, n) ? "same" : "different");
    return 0;
}
