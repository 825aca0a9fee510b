// Atomic operations of every size and kind, in one thread.
#include <stdint.h>
#include <stdio.h>

#define ONE(T)                                                                                                       \
    do {                                                                                                             \
        static T x;                                                                                                  \
        x = (T)0x8123456789abcdefull;                                                                                \
        T e = x;                                                                                                     \
        uint64_t h = 0;                                                                                              \
        h = h * 31 + (uint64_t)__atomic_fetch_add(&x, (T)77, __ATOMIC_SEQ_CST);                                      \
        h = h * 31 + (uint64_t)__atomic_fetch_sub(&x, (T)7, __ATOMIC_ACQUIRE);                                       \
        h = h * 31 + (uint64_t)__atomic_fetch_and(&x, (T)0xfefefefefefefefe, __ATOMIC_RELEASE);                      \
        h = h * 31 + (uint64_t)__atomic_fetch_or(&x, (T)0x41, __ATOMIC_RELAXED);                                     \
        h = h * 31 + (uint64_t)__atomic_fetch_xor(&x, (T)0x5555, __ATOMIC_ACQ_REL);                                  \
        h = h * 31 + (uint64_t)__atomic_exchange_n(&x, (T)99, __ATOMIC_SEQ_CST);                                     \
        h = h * 31 + (uint64_t)__atomic_compare_exchange_n(&x, &e, (T)5, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);     \
        h = h * 31 + (uint64_t)__atomic_compare_exchange_n(&x, &e, (T)5, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);     \
        h = h * 31 + (uint64_t)__atomic_load_n(&x, __ATOMIC_ACQUIRE);                                                \
        __atomic_store_n(&x, (T)1234567, __ATOMIC_RELEASE);                                                          \
        h = h * 31 + (uint64_t)x;                                                                                    \
        printf(#T " %016llx\n", (unsigned long long)h);                                                              \
    } while (0)

int main(void)
{
    ONE(uint8_t);
    ONE(int8_t);
    ONE(uint16_t);
    ONE(int16_t);
    ONE(uint32_t);
    ONE(int32_t);
    ONE(uint64_t);
    ONE(int64_t);
#ifdef __aarch64__
    static _Alignas(16) unsigned __int128 q = 5;
    unsigned long ok, lo, hi;
    __asm__ volatile("1: ldxp %0, %1, [%3]\n\tadd %0, %0, #1\n\tmov %1, #9\n\tstxp %w2, %0, %1, [%3]\n\tcbnz %w2, 1b"
                     : "=&r"(lo), "=&r"(hi), "=&r"(ok) : "r"(&q) : "memory");
    printf("pair %lu %lu\n", (unsigned long)q, (unsigned long)(q >> 64));
    // A store-exclusive without an open monitor fails.
    __asm__ volatile("clrex\n\tstxr %w0, %1, [%2]" : "=&r"(ok) : "r"(7ul), "r"(&q) : "memory");
    printf("closed %lu %lu\n", ok, (unsigned long)q);
#else
    static uint64_t q = 5;
    uint64_t v;
    unsigned ok;
    __asm__ volatile("1: ldrexd %0, %H0, [%2]\n\tadd %0, %0, #1\n\tmov %H0, #9\n\tstrexd %1, %0, %H0, [%2]\n\tcmp %1, #0\n\tbne 1b"
                     : "=&r"(v), "=&r"(ok) : "r"(&q) : "cc", "memory");
    printf("pair %u %u\n", (unsigned)q, (unsigned)(q >> 32));
    // A store-exclusive without an open monitor fails.
    __asm__ volatile("clrex\n\tstrex %0, %1, [%2]" : "=&r"(ok) : "r"(7), "r"(&q) : "memory");
    printf("closed %u %u\n", ok, (unsigned)q);
#endif
    return 0;
}
