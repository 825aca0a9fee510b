// Executes the instructions of a generated table, each on several register states, and reports what each changed. The same
// program runs under qemu-user and translated, so that every engine meets the same instructions in ordinary text.
//
// The table (a generated assembly file) defines `case_count`, `case_entry[]` (address of the instructions, which end by
// returning), `case_word[]` (what the states are drawn from) and perhaps `case_info[]` or `case_state[]`. Arguments: number
// of states; FPCR bits that may be set (hexadecimal); seed; `h` for a hash for each execution (8 bytes, the lowest of
// which is the last signal's number), `d` for a line for each (case, state) pair of words on standard input; else a line for all.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static uint64_t mix(uint64_t h, const uint64_t *p, int n)
{
    for (int i = 0; i < n; i++)
        h = (h ^ p[i]) * 1099511628211ull;
    return h ^ h >> 32;
}

#ifdef __aarch64__
#include "insn-cases64.h"
#else
#include "insn-cases32.h"
#endif

// What a case needs of its states.
struct info {
    reg target; // address of its landing place, for registers that are jumped to
    uint32_t kind;
    int32_t bias;               // what the instruction adds to the register: its base, or the one that is jumped to
    uint32_t pointers, indices; // registers, a bit each: that point into the window; with small numbers
    uint32_t fill, unused;      // what the window is filled with, if not 0
};
enum {
    MEMORY = 1,     // accesses the window
    INDEX_WORD = 2, // of index registers the upper half is ignored
    SYSCALL = 4,    // makes a system call
    TARGET = 8,     // the register in bits 8-12 is `target`; TP_SLOT: the thread pointer
    CLASS = 0x70,   // kind of numbers in V registers, 0: any
    ALIGNED = 0x80, // pointers and indices are multiples of 4
    INSIDE = 0x2000, // no access beyond the window
    CLASS_SHIFT = 4,
    REGISTER_SHIFT = 8,
};
extern const uint64_t case_count;
extern const void *const case_entry[];
extern const uint32_t case_word[];
extern const struct info case_info[] __attribute__((weak));
// Given states, one for each case, instead of random ones.
extern const struct regs case_state[] __attribute__((weak));

// Two pages between inaccessible ones; the stack pointer and most addresses are near their middle.
enum { PAGE = 4096, BYTES = 2 * PAGE, WORDS = BYTES / 8 };
static uint64_t *buffer;
// What it holds before a case, and what that is for cases that do not say.
static uint64_t pristine[WORDS], random_words[WORDS];
static volatile int signal_number, signal_code;
static uint64_t signal_addr, signal_pc, signal_hash;

// The complete state in the frame counts, too.
static void on_signal(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    signal_number = sig;
    signal_code = sig == SIGILL ? ILL_ILLOPC : info->si_code;
    // qemu does not know an address that the host cannot have.
    signal_addr = (uintptr_t)info->si_addr;
    if (signal_addr >> 47)
        signal_addr = 0;
    signal_pc = frame_pc(uc);
    const uint64_t rest[] = {signal_pc, sig, signal_code, signal_addr};
    signal_hash = mix(frame_hash(signal_hash, uc), rest, 4);
    // A jump out of the cases ends the case.
    uint64_t low = (uintptr_t)case_entry[0] - PAGE, high = (uintptr_t)case_entry[case_count - 1] + PAGE;
    int inside = signal_pc >= low && signal_pc < high && signal_pc % ALIGNMENT == 0;
    go_on(uc, inside ? 0 : (uintptr_t)run_ret);
}

static uint64_t seed;
static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}
// Of the better half.
static uint32_t below(uint32_t n)
{
    return (uint32_t)(next() >> 33) % n;
}

// Registers are filled from pools, because the slowest engine interprets this program.
enum { X_POOL = 4096, BLOCK = 64, BLOCKS = 128, CLASSES = 4, THEMES = 8 };
static reg x_pool[X_POOL + 32];
static uint64_t v_pool[CLASSES][BLOCKS][2 * BLOCK];

static uint64_t integer(void)
{
    static const uint64_t ends[] = {
        0, 1, ~0ull, 1ull << 63, ~0ull >> 1, 0xffffffff, 0x80000000, 0x7fffffff, 0x100000000, 0x8000, 0x7fff, 0xffff, 0x80, 0x7f,
        0xff, 0xffffffff80000000, 0xffffffff7fffffff, 0x8000000080000000, 0x7fffffff7fffffff, 0xffffffff00000000,
        0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 0x8080808080808080, 0x7f7f7f7f7f7f7f7f, 0x8000800080008000, 0x7fff7fff7fff7fff,
    };
    uint64_t r = next();
    switch (below(8)) {
    case 0: return ends[below(sizeof ends / sizeof *ends)];
    case 1: return ends[below(sizeof ends / sizeof *ends)] + below(5) - 2;
    case 2: return r >> below(64);
    case 3: return below(300);
    case 4: return -(uint64_t)below(300);
    case 5: return 1ull << below(64);
    default: return r;
    }
}

// A floating-point number of `e` exponent and `m` fraction bits, of a theme about the exponent `around`.
static uint64_t number(int e, int m, int theme, uint64_t around)
{
    uint64_t one = 1ull << m, fraction = next() & (one - 1), sign = (next() >> 40 & 1) << (e + m);
    uint64_t top = (1ull << e) - 1, bias = top >> 1, exponent = around;
    // Few bits set at one end or both: sums, products and conversions that are exact, halfway, or next to it.
    switch (below(6)) {
    case 0: fraction = 0; break;
    case 1: fraction = one - 1 - below(3); break;
    case 2: fraction = below(4); break;
    case 3: fraction = one >> (1 + below(m)); break;
    case 4: fraction = (one >> (1 + below(m))) + (below(3) - 1 & one - 1); fraction &= one - 1; break;
    }
    if (theme == 0 || below(8) == 0)
        switch (below(10)) {
        case 0: return sign;
        case 1: return sign | top << m;
        case 2: return sign | top << m | one >> 1 | fraction;
        case 3: return sign | top << m | (fraction & ~(one >> 1)) | 1;
        case 4: return sign | (next() & (one - 1)) >> below(m);
        case 5: return sign | one + below(3) - 1;
        case 6: return sign | (top << m) - 1 - below(2);
        case 7: return sign | bias << m;
        case 8: return sign | 1 + below(2);
        default: return sign | bias + below(m + 3) << m | fraction;
        }
    switch (theme) {
    case 1: exponent = around + below(4); break;
    case 2: exponent = below(top); break;
    // Products near the smallest normal number.
    case 3: exponent = below(2) ? around : bias + 1 - around + below(3) - 1; break;
    // Subnormal, or their neighbourhood.
    case 4: exponent = below(4); break;
    // Near overflow.
    case 5: exponent = below(2) ? top - 1 - below(3) : bias + below(3); break;
    // Conversions to integers, fixed point and narrower formats change here.
    case 6: {
        static const uint8_t limits[] = {7, 8, 15, 16, 31, 32, 63, 64, 0, 1, 2, 10, 11, 23, 24, 52, 53};
        exponent = bias + limits[below(17)] + below(3) - 1;
        break;
    }
    case 7: {
        static const int narrow[] = {-14, -15, -24, -25, -126, -127, -149, -150, 127, 128, -1, -2, -3, -11, -24, -53};
        exponent = bias + narrow[below(16)] + below(2);
        break;
    }
    }
    exponent = exponent & top;
    return sign | exponent << m | fraction;
}

static void fill_pools(void)
{
    static const struct { int e, m; } formats[] = {{5, 10}, {8, 23}, {11, 52}};
    for (int i = 0; i < X_POOL + 32; i++)
        x_pool[i] = narrowed(integer());
    for (int b = 0; b < BLOCKS; b++)
        for (int c = 0; c < CLASSES; c++) {
            uint64_t *block = v_pool[c][b];
            if (c < 3) {
                int e = formats[c].e, m = formats[c].m, bits = 1 + e + m;
                uint64_t around = next() >> 20 & ((1 << e) - 1);
                for (int i = 0; i < BLOCK; i++) {
                    block[i] = 0;
                    for (int at = 0; at < 64; at += bits)
                        block[i] |= number(e, m, b % THEMES, around) << at;
                    // Equal, opposite and neighbouring operands.
                    if (i && below(8) == 0)
                        block[i] = block[below(i)] + (below(2) ? 0 : below(2) ? 1 : 1ull << (bits - 1));
                }
            } else
                for (int i = 0; i < BLOCK; i++) {
                    block[i] = integer();
                    if (b & 1)
                        for (int at = 0; at < 8; at++) {
                            static const uint8_t ends[] = {0, 0xff, 0x80, 0x7f, 1, 0x81, 7, 8, 0xf8, 15, 16, 31, 32, 63, 64, 0xc0};
                            if (below(2))
                                block[i] = block[i] & ~(0xffull << 8 * at) | (uint64_t)ends[below(16)] << 8 * at;
                        }
                }
            memcpy(block + BLOCK, block, sizeof *block * BLOCK);
        }
}

// Where an access shall go: mostly near the middle, aligned or not, or to the edges of the pages.
static uint64_t place(int kind)
{
    uint32_t r = next() >> 33;
    int offset;
    switch (kind & INSIDE && (r & 15) == 1 ? 0 : r & 15) {
    case 0: offset = PAGE - (int)(r >> 8) % 40; break;
    case 1: offset = (r >> 7 & 1 ? BYTES : 0) + 24 - (int)(r >> 8) % 72; break;
    case 2:
    case 3:
    case 4: offset = 3 * PAGE / 4 + (int)(r >> 8) % (PAGE / 2); break;
    default: offset = 3 * PAGE / 4 + (int)(r >> 8) % (PAGE / 2) / 16 * 16;
    }
    return (uintptr_t)buffer + offset & ~(kind & ALIGNED ? 3ull : 0);
}

static void draw(uint64_t c, int s, uint64_t base_seed, uint64_t modes)
{
    uint32_t w = case_word[c];
    const struct info *info = case_info + c;
    seed = (base_seed * 0x9e3779b97f4a7c15ull + (uint64_t)w * 2654435761u + s * 0x632be59bd9b4e019ull) | 1;
    next(), next();
    memcpy(in.x, x_pool + below(X_POOL), sizeof in.x);
    uint64_t r = next();
    in.tp = r;
    // A quarter each: default modes twice, rounding modes, all.
    modes &= next() & (s & 1 ? 0 : s & 2 ? 0xc00000 : ~0ull);
    set_modes(r, modes, r & 1 << 20 ? 0 : 0x0800009f & next());
    in.x[SP] = (uintptr_t)buffer + PAGE;
    int class = (info->kind & CLASS) >> CLASS_SHIFT;
    if (class == 0 || (r >> 30 & 7) == 0)
        class = 1 + (r >> 33) % CLASSES;
    memcpy(in.v, v_pool[class - 1][(r >> 36) % BLOCKS] + (r >> 48) % BLOCK, sizeof in.v);
    for (int i = 0; i < 32 && info->indices >> i; i++)
        if (info->indices >> i & 1) {
            int64_t small = (int64_t)(next() >> 40) % 160;
            if (small >= 128)
                small = 128 - small;
            in.x[i] = info->kind & ALIGNED ? small & ~3 : small;
            if (info->kind & INDEX_WORD)
                in.x[i] = (small & 0xffffffff) | next() << 32;
        }
    for (int i = 0; i < 32 && info->pointers >> i; i++)
        if (info->pointers >> i & 1)
            in.x[i] = place(info->kind) - (int64_t)info->bias;
    if (info->kind & SYSCALL) {
        // Numbers that no kernel has, and getuid, geteuid or getgid.
        in.x[CALL] = r >> 40 & 1 ? 0x10000 + (r >> 41 & 0xffff) : GETUID + (r >> 41 & 1);
    }
    if (info->kind & TARGET) {
        int n = info->kind >> REGISTER_SHIFT & 31;
        *(n == TP_SLOT ? &in.tp : in.x + n) = info->target - info->bias;
    }
}

// Hash of what differs from the pristine window, 0 if nothing does; puts it right. In steps, because the slowest engine
// interprets this.
static uint64_t changed(void)
{
    uint64_t h = 0;
    for (int i = 0; i < WORDS; i += 16) {
        const uint64_t *b = buffer + i, *p = pristine + i;
        uint64_t d = 0;
#pragma GCC unroll 16
        for (int j = 0; j < 16; j++)
            d |= b[j] ^ p[j];
        for (int j = 0; d && j < 16; j++)
            if (b[j] != p[j]) {
                h = (h ^ b[j] ^ (i + j)) * 1099511628211ull | 1;
                buffer[i + j] = p[j];
            }
    }
    return h;
}

static uint64_t execute(uint64_t c)
{
    const struct info *info = case_info && !case_state ? case_info + c : &(struct info){0};
    in.entry = (uintptr_t)case_entry[c];
    out = in;
    signal_number = 0, signal_hash = 0;
    for (int i = 0; i < WORDS && info->fill; i++)
        buffer[i] = pristine[i] = info->fill * 0x100000001ull;
    run(&in, &out);
    uint64_t memory = info->kind & MEMORY ? changed() : 0;
    for (int i = 0; i < WORDS && info->fill; i++)
        buffer[i] = pristine[i] = random_words[i];
    return memory;
}

static uint64_t hash(uint64_t memory)
{
    uint64_t h = mix(memory ^ signal_hash << 1, (const uint64_t *)&out, sizeof out / 8);
    return h << 8 | signal_number;
}

static void print(uint64_t c, int s, uint64_t memory)
{
    uint64_t start = in.entry & ~1ull; // without Thumb state
    printf("%08x/%llx/%d", case_word[c], (unsigned long long)modes_of(&in), s);
    if (signal_number)
        printf(" signal %d code %d%s", signal_number, signal_code, signal_addr == start ? " here" : "");
    if (signal_number && case_info)
        printf(" addr=%llx pc=+%llx frame=%llx", (unsigned long long)signal_addr,
               (unsigned long long)(signal_pc - start), (unsigned long long)signal_hash);
    print_registers();
    if (memory)
        printf(" memory=%016llx", (unsigned long long)memory);
    putchar('\n');
}

int main(int argc, char **argv)
{
    int states = argc > 1 ? atoi(argv[1]) : 2;
    uint64_t modes = argc > 2 ? strtoull(argv[2], 0, 16) : 0;
    uint64_t base_seed = argc > 3 ? strtoull(argv[3], 0, 0) : 1;
    char report = argc > 4 ? argv[4][0] : 0;
    static char outbuf[1 << 16];
    setvbuf(stdout, outbuf, _IOFBF, sizeof outbuf);
    buffer = mmap((void *)0x10000000 - PAGE, BYTES + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    buffer += PAGE / 8;
    mprotect(buffer, BYTES, PROT_READ | PROT_WRITE);
    seed = 88172645463325252ull + base_seed;
    for (int i = 0; i < WORDS; i++)
        buffer[i] = pristine[i] = random_words[i] = next();
    stack_t ss = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    sigaltstack(&ss, 0);
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = on_signal;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (const int *s = (const int[]){SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, 0}; *s; s++)
        sigaction(*s, &sa, 0);
    if (!case_state)
        fill_pools();
    if (report == 'd') {
        for (uint32_t pair[2]; fread(pair, sizeof pair, 1, stdin) == 1;) {
            draw(pair[0], pair[1], base_seed, modes);
            uint64_t memory = execute(pair[0]);
            print(pair[0], pair[1], memory);
        }
        return 0;
    }
    for (uint64_t c = 0; c < case_count; c++)
        for (int s = 0; s < states; s++) {
            if (case_state)
                in = case_state[c];
            else
                draw(c, s, base_seed, modes);
            uint64_t memory = execute(c);
            if (report == 'h') {
                uint64_t h = hash(memory);
                fwrite(&h, sizeof h, 1, stdout);
            } else
                print(c, s, memory);
        }
    return 0;
}
