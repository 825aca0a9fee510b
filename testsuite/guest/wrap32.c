// Addresses of 32-bit ARM are modulo 2^32: bases at the end of the address space with indices and displacements that lead to its
// start, where memory is (results as usual) or is not (SIGSEGV with the address that was meant). Prints a line for each check that
// fails, and how many there were.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include "check.h"

#define LOW 0x20000u
#define SIZE 0x2000u

// Each of these is an address of a register and a small index, in a way that compilers make one instruction of.
#define INDEXED(name, type, index_type) \
    static __attribute__((noinline)) type name(uint32_t base, uint32_t i) { return *(volatile type *)(base + (index_type)i * sizeof(type)); } \
    static __attribute__((noinline)) void set_##name(uint32_t base, uint32_t i, type v) { *(volatile type *)(base + (index_type)i * sizeof(type)) = v; }
INDEXED(byte, uint8_t, uint16_t)
INDEXED(half, uint16_t, uint16_t)
INDEXED(word, uint32_t, uint16_t)
INDEXED(pair, uint64_t, uint16_t)
INDEXED(word_by_byte, uint32_t, uint8_t)
INDEXED(word_by_any, uint32_t, uint32_t)

static __attribute__((noinline)) uint32_t word_by_top(uint32_t base, uint32_t i) { return *(volatile uint32_t *)(base + (i >> 12 << 2)); }
static __attribute__((noinline)) uint32_t behind(uint32_t base) { return *(volatile uint32_t *)(base + 4092); }
static __attribute__((noinline)) uint32_t before(uint32_t base) { return *(volatile uint32_t *)(base - 252); }

// The same in a loop that stays in translated code when nothing faults.
static __attribute__((noinline)) uint32_t sum(uint32_t base, uint32_t from, uint32_t count)
{
    uint32_t s = 0;
    for (uint32_t i = from; i != from + count; i++)
        s = s * 31 + *(volatile uint32_t *)(base + (uint16_t)i * 4);
    return s;
}

static sigjmp_buf back;
static volatile uint32_t address, code;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    address = (uint32_t)info->si_addr;
    code = info->si_code;
    siglongjmp(back, 1);
}

#define FAULTS(x, at) \
    do { \
        address = 1; \
        if (!sigsetjmp(back, 1)) { \
            (void)(x); \
            CHECK(!#x); \
        } \
        CHECK(address == (at) && code == SEGV_MAPERR); \
    } while (0)

int main(void)
{
    void *low = mmap((void *)LOW, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (low != (void *)LOW) {
        puts("no memory at the start of the address space");
        return 1;
    }
    uint32_t *w = low;
    for (uint32_t i = 0; i < SIZE / 4; i++)
        w[i] = i * 0x9e3779b9u;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);

    // Base and index meet at LOW + 8 times n.
    for (uint32_t n = 0; n < 40; n++) {
        uint32_t at = LOW + 8 * n;
        const uint8_t *b = (uint8_t *)at;
        CHECK(word(at - 4 * 0xff00, 0xff00) == w[2 * n]);
        CHECK(word(at - 4 * 0x8001, 0x8001) == w[2 * n]);
        CHECK(half(at + 2 - 2 * 0xffff, 0xffff) == (b[2] | b[3] << 8));
        CHECK(pair(at - 8 * 0x5000, 0x5000) == (w[2 * n] | (uint64_t)w[2 * n + 1] << 32));
        CHECK(word_by_top(at - 4 * 0xfffff, 0xffffffff) == w[2 * n]);
        CHECK(word_by_any(at - 4 * 0x3fffffff, 0x3fffffff) == w[2 * n]);
        CHECK(word_by_any(at + 400, -100u) == w[2 * n]);
        set_word(at - 4 * 0xc000, 0xc000, n);
        CHECK(w[2 * n] == n);
        set_half(at - 2 * 0xffff, 0xffff, 0x1234);
        CHECK(w[2 * n] == 0x1234);
        set_pair(at - 8 * 0xffff, 0xffff, n * 0x100000007ull);
        CHECK(w[2 * n] == n * 7 && w[2 * n + 1] == n);
    }
    uint32_t expected = 0;
    for (uint32_t i = 0; i < 64; i++)
        expected = expected * 31 + w[i];
    CHECK(sum(LOW - 4 * 0xf000, 0xf000, 64) == expected);

    // Nothing is mapped below LOW; the page at 4 GiB - 4096 is the kernel's.
    FAULTS(word(0xffffffe0, 8), 0);
    FAULTS(word(0xfffff000, 0x0500), 0x400);
    FAULTS(word_by_byte(0xfffffff0, 0xff), 0x3ec);
    FAULTS(byte(0xffffffff, 0x1001), 0x1000);
    FAULTS(pair(0xfffff000, 0x1000), 0x7000);
    FAULTS(word_by_top(0xfffffffc, 0x2000), 4);
    FAULTS(set_word(0xfffffffc, 0xffff, 1), 0x3fff8);
    FAULTS(behind(0xfffff00c), 8);
    FAULTS(before(8), 0xffffff0c);
    printf("%d checks, %d failed\n", checks, failures);
    return failures != 0;
}
