// Executes the instructions of a generated table, each on several register states, and prints what each changed. The same
// program runs under qemu-user and translated, so that every engine meets the same instructions in ordinary text.
//
// The table (a generated assembly file) defines `case_count`, `case_entry[]` (address of the instruction, followed by a
// `ret`), `case_word[]` and perhaps `case_state[]`. Argument 1: number of states; argument 2: first FPCR (hexadecimal), 3: seed.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

extern const uint64_t case_count;
extern const void *const case_entry[];
extern const uint32_t case_word[];

struct regs {
    uint64_t x[31], sp, nzcv, fpcr, fpsr, entry, host_sp, pad;
    uint64_t v[32][2];
};
static struct regs in, out;
// Given states, one for each case, instead of random ones.
extern const struct regs case_state[] __attribute__((weak));
// Accesses reach from 1 KiB below the base register to 64 KiB above it.
enum { BELOW = 0x1000, WORDS = (BELOW + 0x11000) / 8 };
static uint64_t *buffer;
static uint64_t pristine[WORDS];
static volatile int signal_number, signal_code;
static uint64_t signal_addr;

void run(struct regs *in, struct regs *out);
__asm__(".text\n.global run\n.type run, %function\n"
        "run: stp x29, x30, [sp, #-176]!\n"
        " stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n stp x23, x24, [sp, #48]\n stp x25, x26, [sp, #64]\n"
        " stp x27, x28, [sp, #80]\n stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n"
        " stp d14, d15, [sp, #144]\n mrs x2, fpcr\n str x2, [sp, #160]\n str x1, [sp, #168]\n"
        " adrp x3, saved_sp\n mov x4, sp\n str x4, [x3, :lo12:saved_sp]\n"
        " mov x30, x0\n ldr x0, [x30, #264]\n cmp x0, x2\n b.eq 1f\n msr fpcr, x0\n1: ldr x0, [x30, #272]\n msr fpsr, x0\n"
        " ldr x0, [x30, #256]\n msr nzcv, x0\n ldr x0, [x30, #248]\n mov sp, x0\n clrex\n"
        " ldp q0, q1, [x30, #304]\n ldp q2, q3, [x30, #336]\n ldp q4, q5, [x30, #368]\n ldp q6, q7, [x30, #400]\n"
        " ldp q8, q9, [x30, #432]\n ldp q10, q11, [x30, #464]\n ldp q12, q13, [x30, #496]\n ldp q14, q15, [x30, #528]\n"
        " ldp q16, q17, [x30, #560]\n ldp q18, q19, [x30, #592]\n ldp q20, q21, [x30, #624]\n ldp q22, q23, [x30, #656]\n"
        " ldp q24, q25, [x30, #688]\n ldp q26, q27, [x30, #720]\n ldp q28, q29, [x30, #752]\n ldp q30, q31, [x30, #784]\n"
        " ldp x0, x1, [x30]\n ldp x2, x3, [x30, #16]\n ldp x4, x5, [x30, #32]\n ldp x6, x7, [x30, #48]\n"
        " ldp x8, x9, [x30, #64]\n ldp x10, x11, [x30, #80]\n ldp x12, x13, [x30, #96]\n ldp x14, x15, [x30, #112]\n"
        " ldp x16, x17, [x30, #128]\n ldp x18, x19, [x30, #144]\n ldp x20, x21, [x30, #160]\n ldp x22, x23, [x30, #176]\n"
        " ldp x24, x25, [x30, #192]\n ldp x26, x27, [x30, #208]\n ldp x28, x29, [x30, #224]\n"
        " ldr x30, [x30, #280]\n blr x30\n"
        " adrp x30, out\n add x30, x30, :lo12:out\n"
        " stp x0, x1, [x30]\n stp x2, x3, [x30, #16]\n stp x4, x5, [x30, #32]\n stp x6, x7, [x30, #48]\n"
        " stp x8, x9, [x30, #64]\n stp x10, x11, [x30, #80]\n stp x12, x13, [x30, #96]\n stp x14, x15, [x30, #112]\n"
        " stp x16, x17, [x30, #128]\n stp x18, x19, [x30, #144]\n stp x20, x21, [x30, #160]\n stp x22, x23, [x30, #176]\n"
        " stp x24, x25, [x30, #192]\n stp x26, x27, [x30, #208]\n stp x28, x29, [x30, #224]\n"
        " mov x0, sp\n str x0, [x30, #248]\n mrs x0, nzcv\n str x0, [x30, #256]\n mrs x0, fpsr\n str x0, [x30, #272]\n"
        " stp q0, q1, [x30, #304]\n stp q2, q3, [x30, #336]\n stp q4, q5, [x30, #368]\n stp q6, q7, [x30, #400]\n"
        " stp q8, q9, [x30, #432]\n stp q10, q11, [x30, #464]\n stp q12, q13, [x30, #496]\n stp q14, q15, [x30, #528]\n"
        " stp q16, q17, [x30, #560]\n stp q18, q19, [x30, #592]\n stp q20, q21, [x30, #624]\n stp q22, q23, [x30, #656]\n"
        " stp q24, q25, [x30, #688]\n stp q26, q27, [x30, #720]\n stp q28, q29, [x30, #752]\n stp q30, q31, [x30, #784]\n"
        " adrp x3, saved_sp\n ldr x4, [x3, :lo12:saved_sp]\n mov sp, x4\n"
        " ldr x2, [sp, #160]\n mrs x3, fpcr\n cmp x2, x3\n b.eq 2f\n msr fpcr, x2\n2:\n"
        " ldp x19, x20, [sp, #16]\n ldp x21, x22, [sp, #32]\n ldp x23, x24, [sp, #48]\n ldp x25, x26, [sp, #64]\n"
        " ldp x27, x28, [sp, #80]\n ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n ldp d12, d13, [sp, #128]\n"
        " ldp d14, d15, [sp, #144]\n ldp x29, x30, [sp], #176\n ret\n"
        ".size run, . - run\n.bss\n.balign 8\nsaved_sp: .skip 8\n.text\n");

static void on_signal(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    signal_number = sig;
    signal_code = info->si_code;
    signal_addr = (uint64_t)info->si_addr;
    uc->uc_mcontext.pc += 4;
}

static uint64_t seed;
static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}

static uint64_t special(void)
{
    static const uint64_t values[] = {
        0, 1, ~0ull, 1ull << 63, ~0ull >> 1, 0xffffffff, 0x80000000, 0x7fffffff, 0x3ff0000000000000, 0x7ff0000000000000,
        0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 0xfff8000000000123, 0x8000000000000000, 0x000fffffffffffff,
        0x3f8000007f800000, 0x7fc000007f800001, 0xff800000bf800000, 0x0000000100800000, 0x3c007c007e007c01, 0xfc0080000001bc00,
        0x43e0000000000000, 0xc3e0000000000000, 0x41efffffffe00000, 0x4f0000005f000000, 0x7fefffffffffffff, 0x7f7fffff00000001,
    };
    return values[next() % (sizeof values / sizeof *values)];
}

static uint64_t pick(void)
{
    switch (next() % 5) {
    case 0: return special();
    case 1: return next() % 300;
    case 2: { // Four halves, or two singles, of ordinary size.
        uint64_t r = next();
        return next() & 1 ? (r & 0x8fff8fff8fff8fff) | 0x3000300030003000 : (r & 0x80ffffff80ffffff) | 0x3f0000003f000000;
    }
    case 3: return (next() & 0x800fffffffffffff) | (0x3f0 + next() % 40) << 52;
    default: return next();
    }
}

// Hash of what differs from the pristine buffer, 0 if nothing does; puts it right. In steps, because the slowest engine
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

int main(int argc, char **argv)
{
    int states = argc > 1 ? atoi(argv[1]) : 2;
    uint64_t fpcr = argc > 2 ? strtoull(argv[2], 0, 16) : 0;
    uint64_t base_seed = argc > 3 ? strtoull(argv[3], 0, 0) : 1;
    static char outbuf[1 << 16];
    setvbuf(stdout, outbuf, _IOFBF, sizeof outbuf);
    buffer = mmap((void *)0x10000000, WORDS * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    seed = 88172645463325252ull;
    for (int i = 0; i < WORDS; i++)
        buffer[i] = pristine[i] = next();
    stack_t ss = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    sigaltstack(&ss, 0);
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = on_signal;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (const int *s = (const int[]){SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, 0}; *s; s++)
        sigaction(*s, &sa, 0);
    for (uint64_t c = 0; c < case_count; c++)
        for (int s = 0; s < states; s++) {
            uint32_t w = case_word[c];
            int memory = (w >> 25 & 5) == 4 || (w & 0xfff80000) == 0xd5080000;
            seed = base_seed * 0x9e3779b97f4a7c15ull + (uint64_t)w * 2654435761u + s;
            next();
            for (int i = 0; i < 31; i++)
                in.x[i] = pick();
            if (memory) {
                for (int i = 0; i < 8; i++)
                    in.x[i] = next() % 256;
                for (int i = 16; i < 24; i++)
                    in.x[i] = (uint64_t)buffer + BELOW + (s % 3 == 2 ? next() % 64 : 16 * (next() % 64));
            }
            in.sp = (uint64_t)buffer + BELOW;
            in.nzcv = (next() & 15) << 28;
            in.fpcr = fpcr;
            in.fpsr = next() & 1 ? 0 : 0x0800009f & next();
            for (int i = 0; i < 32; i++)
                in.v[i][0] = pick(), in.v[i][1] = pick();
            if (next() & 1)
                for (int i = 0; i < 32; i++)
                    in.v[i][1] = in.v[i][0] = i & 1 ? special() : in.v[i][0];
            if (case_state)
                in = case_state[c], memory = 0;
            in.entry = (uint64_t)case_entry[c];
            out = in;
            signal_number = 0;
            run(&in, &out);
            printf("%08x/%llx/%d", w, (unsigned long long)in.fpcr, s);
            if (signal_number)
                printf(" signal %d code %d%s", signal_number, signal_code, signal_addr == in.entry ? " here" : "");
            for (int i = 0; i < 30; i++)
                if (in.x[i] != out.x[i])
                    printf(" x%d=%llx", i, (unsigned long long)out.x[i]);
            if (in.sp != out.sp)
                printf(" sp=%llx", (unsigned long long)out.sp);
            if (in.nzcv != out.nzcv)
                printf(" nzcv=%llx", (unsigned long long)out.nzcv >> 28);
            if (in.fpsr != out.fpsr)
                printf(" fpsr=%llx", (unsigned long long)out.fpsr);
            for (int i = 0; i < 32; i++)
                if (in.v[i][0] != out.v[i][0] || in.v[i][1] != out.v[i][1])
                    printf(" v%d=%016llx%016llx", i, (unsigned long long)out.v[i][1], (unsigned long long)out.v[i][0]);
            uint64_t h = memory ? changed() : 0;
            if (h)
                printf(" memory=%016llx", (unsigned long long)h);
            putchar('\n');
        }
    return 0;
}
