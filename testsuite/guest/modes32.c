// The modes of 32-bit ARM that change what instructions mean: short vectors of VFP (FPSCR.LEN and STRIDE), and big-endian data
// (SETEND). Each is compared with what the manual says of it, computed without it; and signals come and go in both. Prints a line
// for each check that fails, and how many there were. (qemu 7.2 takes a stride of 2 for 4, which an argument leaves out, reads
// wrong registers for VABS, VNEG, VSQRT and VMOV of vectors of doubles, and lets handlers begin with LEN as it was.)
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

// --- Short vectors ---

struct code {
    void (*f)(void);
    uint16_t op, is_double, d, n, m, elements; // elements 0: as FPSCR.LEN says
};
extern const struct code first_code[], last_code[];

// Assembly begins in A32 state, whatever the compiler makes of C.
#ifdef __thumb__
#define TEXT ".text\n.thumb\n.syntax unified\n.balign 4\n"
#define BIT0 "1"
#else
#define TEXT ".text\n.arm\n.balign 4\n"
#define BIT0 "0"
#endif

// All operations with registers in banks of vectors, where they go round, and in banks of scalars.
__asm__(".fpu neon-vfpv4\n"
        ".macro code op, double, d, n, m, elements, text:vararg\n"
        TEXT "9:\\text\nbx lr\n"
        ".section .rodata.codes, \"a\"\n.word 9b + " BIT0 "\n.short \\op, \\double, \\d, \\n, \\m, \\elements\n.previous\n.endm\n"
        ".macro three op, name, d, n, m\n"
        "code \\op, 0, \\d, \\n, \\m, 0, \\name\\().f32 s\\d, s\\n, s\\m\n.endm\n"
        ".macro three_double op, name, d, n, m\n"
        "code \\op, 1, \\d, \\n, \\m, 0, \\name\\().f64 d\\d, d\\n, d\\m\n.endm\n"
        ".macro two op, name, d, m, elements\n"
        "code \\op, 0, \\d, \\m, \\m, \\elements, \\name\\().f32 s\\d, s\\m\n.endm\n"
        ".macro two_double op, name, d, m, elements\n"
        "code \\op, 1, \\d, \\m, \\m, \\elements, \\name\\().f64 d\\d, d\\m\n.endm\n"
        ".section .rodata.codes, \"a\"\n.balign 4\n.global first_code\nfirst_code:\n.previous\n"
        ".set op, 0\n"
        ".irp name, vadd, vsub, vmul, vnmul, vmla, vmls, vnmla, vnmls, vdiv\n"
        // The first of each is the model of the others.
        "three op, \\name, 2, 16, 24\nthree op, \\name, 8, 16, 24\nthree op, \\name, 15, 22, 27\nthree op, \\name, 25, 17, 5\n"
        "three op, \\name, 10, 10, 18\nthree op, \\name, 20, 1, 20\n"
        "three_double op, \\name, 2, 8, 12\nthree_double op, \\name, 4, 8, 12\nthree_double op, \\name, 7, 10, 13\n"
        "three_double op, \\name, 9, 13, 1\nthree_double op, \\name, 21, 24, 30\nthree_double op, \\name, 26, 20, 17\n"
        "three_double op, \\name, 18, 8, 12\nthree_double op, \\name, 5, 5, 9\n"
        ".set op, op + 1\n.endr\n"
        ".irp name, vabs, vneg, vsqrt, vmov\n"
        "two op, \\name, 2, 24, 0\ntwo op, \\name, 8, 16, 0\ntwo op, \\name, 31, 14, 0\ntwo op, \\name, 11, 4, 0\ntwo op, \\name, 9, 9, 0\n"
        "two_double op, \\name, 2, 12, 0\ntwo_double op, \\name, 4, 8, 0\ntwo_double op, \\name, 15, 6, 0\n"
        "two_double op, \\name, 9, 3, 0\ntwo_double op, \\name, 29, 22, 0\ntwo_double op, \\name, 22, 18, 0\n"
        ".set op, op + 1\n.endr\n"
        "code op, 0, 2, 2, 2, 0, vmov.f32 s2, #-1.5\ncode op, 0, 13, 13, 13, 0, vmov.f32 s13, #-1.5\n"
        "code op, 1, 2, 2, 2, 0, vmov.f64 d2, #-1.5\ncode op, 1, 6, 6, 6, 0, vmov.f64 d6, #-1.5\n"
        ".set op, op + 1\n"
        // What has no vectors.
        "two op, vcvt.s32, 2, 24, 1\ntwo op, vcvt.s32, 8, 16, 1\n"
        ".section .rodata.codes, \"a\"\n.global last_code\nlast_code:\n.previous\n");

union registers {
    float s[32];
    uint32_t w[64];
    uint64_t d[32];
};

// Runs the code with FPSCR as given; gives FPSCR behind it.
uint32_t run(void (*f)(void), union registers *r, uint32_t fpscr);
__asm__(TEXT ".type run, %function\nrun:\n"
        "push {r4, lr}\nvpush {d8-d15}\nmov r4, r1\nvldm r4!, {d0-d15}\nvldm r4, {d16-d31}\nmov r4, r1\n"
        "vmsr fpscr, r2\nblx r0\nvmrs r0, fpscr\nmov r1, #0\nvmsr fpscr, r1\n"
        "vstm r4!, {d0-d15}\nvstm r4, {d16-d31}\nvpop {d8-d15}\npop {r4, pc}\n.size run, .-run\n");

enum { LEN = 7 << 16, STRIDE = 3 << 20, FLAGS = 0x9f };

static const struct code *model(const struct code *c) {
    const struct code *m = c;
    while (m > first_code && m[-1].op == c->op)
        m--;
    while (m->is_double != c->is_double)
        m++;
    return m;
}

static uint64_t get(const union registers *r, int is_double, int n) {
    return is_double ? r->d[n] : r->w[n];
}

static void set(union registers *r, int is_double, int n, uint64_t v) {
    if (is_double)
        r->d[n] = v;
    else
        r->w[n] = v;
}

static void fill(union registers *r, int seed) {
    static const uint32_t values[] = {
        0x3f800000, 0xbf000000, 0x40490fdb, 0x00000001, 0x00800000, 0x7f7fffff, 0x80000000, 0x7f800000,
        0x7fc12345, 0xff812345, 0x3eaaaaab, 0x41200000, 0xc2c80000, 0x33800000, 0x4b000001, 0x1f800000,
    };
    uint32_t x = 12345 + seed * 7919;
    for (int i = 0; i < 64; i++) {
        x = x * 1664525 + 1013904223;
        uint32_t v = values[x >> 28];
        // Of doubles the upper word, so that edges are edges there, too.
        r->w[i] = seed & 1 && !(i & 1) ? x & 0x80000001 : v;
    }
}

static void vectors(const struct code *c, int len, int stride, uint32_t mode, int seed) {
    union registers r, e;
    fill(&r, seed);
    e = r;
    int bank = c->is_double ? 4 : 8, length = len + 1;
    if (c->elements || c->d / bank % 4 == 0)
        length = 1;
    uint32_t flags = 0;
    const struct code *m = model(c);
    int n[3] = {c->d, c->n, c->m};
    for (int i = 0; i < length; i++) {
        union registers one = e;
        uint64_t operands[3];
        for (int k = 0; k < 3; k++)
            operands[k] = get(&e, c->is_double, n[k]);
        set(&one, c->is_double, m->d, operands[0]);
        set(&one, c->is_double, m->n, operands[1]);
        set(&one, c->is_double, m->m, operands[2]);
        flags |= run(m->f, &one, mode) & FLAGS;
        set(&e, c->is_double, n[0], get(&one, c->is_double, m->d));
        for (int k = 0; k < 3; k++)
            if (k < 2 || n[k] / bank % 4 != 0)
                n[k] = n[k] / bank * bank + (n[k] + stride) % bank;
    }
    uint32_t fpscr = mode | len << 16 | (stride == 2 ? STRIDE : 0);
    uint32_t after = run(c->f, &r, fpscr);
    checks++;
    if (memcmp(&r, &e, sizeof r) || after != (fpscr | flags)) {
        failures++;
        printf("code %d, double %d: %d, %d, %d, length %d, stride %d, mode %x: fpscr %x for %x\n", c->op, c->is_double, c->d,
               c->n, c->m, len + 1, stride, (unsigned)mode, (unsigned)after, (unsigned)(fpscr | flags));
    }
}

static void all_vectors(int strides) {
    // Rounding to nearest, towards zero, flush-to-zero, default NaNs.
    static const uint32_t modes[] = {0, 0xc00000, 0x1000000, 0x2000000};
    for (const struct code *c = first_code; c < last_code; c++)
        for (int stride = 1; stride <= strides; stride++)
            for (int len = 0; len < 8; len++)
                for (int mode = 0; mode < 4; mode++)
                    // Longer ones come round to where they began: UNPREDICTABLE.
                    if ((len + 1) * stride <= (c->is_double ? 4 : 8))
                        vectors(c, len, stride, modes[mode], len + mode);
}

// --- Signals ---

static volatile uint32_t handler_fpscr, handler_cpsr, frame_fpscr, frame_cpsr;
static uint32_t fpscr_to_set, cpsr_to_set;
static int sets;

static uint32_t get_fpscr(void) {
    uint32_t v;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(v));
    return v;
}

static uint32_t get_cpsr(void) {
    uint32_t v;
    __asm__ volatile("mrs %0, cpsr" : "=r"(v));
    return v;
}

static void handler(int sig, siginfo_t *info, void *context) {
    (void)sig, (void)info;
    ucontext_t *uc = context;
    uint32_t *vfp = (uint32_t *)uc->uc_regspace, *fpscr = vfp + 2 + 64;
    handler_fpscr = get_fpscr();
    handler_cpsr = get_cpsr();
    frame_fpscr = vfp[0] == 0x56465001 ? *fpscr : ~0u;
    frame_cpsr = uc->uc_mcontext.arm_cpsr;
    if (sets) {
        *fpscr = fpscr_to_set;
        uc->uc_mcontext.arm_cpsr = (frame_cpsr & ~(1u << 9)) | cpsr_to_set;
    }
}

// Sends itself SIGUSR1 under that FPSCR and with that E; then reads the word and FPSCR. FPSCR is 0 and E clear behind it.
void interrupted(int pid, uint32_t fpscr, int big, uint32_t word[2]);
__asm__(TEXT ".type interrupted, %function\ninterrupted:\n"
        "push {r4, r7, lr}\nmov r4, r3\nvmsr fpscr, r1\ncmp r2, #0\nbeq 1f\nsetend be\n1:\n"
        "mov r1, #10\nmov r7, #37\nsvc #0\nldr r0, [r4]\nsetend le\nstr r0, [r4]\nvmrs r0, fpscr\nstr r0, [r4, #4]\n"
        "mov r0, #0\nvmsr fpscr, r0\npop {r4, r7, pc}\n.size interrupted, .-interrupted\n");

static void signals(void) {
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &sa, 0);
    const uint32_t e = 1 << 9;
    for (int i = 0; i < 16; i++) {
        uint32_t before = i & 1 ? LEN | STRIDE : 0xc00000, to_set = i & 4 ? 3 << 16 : 0;
        uint32_t word[2] = {0x11223344, 0};
        sets = i & 8;
        fpscr_to_set = to_set;
        cpsr_to_set = i & 4 ? e : 0;
        interrupted(getpid(), before, i & 2, word);
        CHECK((handler_fpscr & (LEN | STRIDE)) == 0);
        CHECK((handler_cpsr & e) == 0);
        CHECK(frame_fpscr == before);
        CHECK((frame_cpsr & e) == (i & 2 ? e : 0));
        CHECK(word[1] == (sets ? to_set : before));
        CHECK(word[0] == ((sets ? i & 4 : i & 2) ? 0x44332211 : 0x11223344));
    }
}

// --- Big-endian data ---

static uint8_t bytes[64], stored[256];

static uint64_t big(int at, int size) {
    uint64_t v = 0;
    for (int i = 0; i < size; i++)
        v = v << 8 | bytes[at + i];
    return v;
}

// Each function loads from r0, stores what it loaded to r1, both big-endian, and leaves at r2, little-endian, what it had in registers.
#define FUNCTION(name, loads, stores, keeps) \
    void name(const void *from, void *to, void *kept); \
    __asm__(TEXT ".type " #name ", %function\n" #name ":\npush {r4-r7, lr}\nsetend be\n" loads "\n" stores \
            "\nsetend le\n" keeps "\npop {r4-r7, pc}\n.size " #name ", .-" #name "\n");

FUNCTION(words, "ldr r4, [r0]\nldrh r5, [r0, #4]\nldrsh r6, [r0, #6]\nldrb r7, [r0, #8]",
         "str r4, [r1]\nstrh r5, [r1, #4]\nstrh r6, [r1, #6]\nstrb r7, [r1, #8]", "stmia r2!, {r4-r7}")
FUNCTION(lists, "ldmia r0!, {r4, r5, r6}", "push {r4, r5}\npop {r4, r5}\nstmia r1!, {r4, r5, r6}", "stmia r2!, {r4, r5, r6}")
FUNCTION(pairs, "ldrd r4, r5, [r0]", "strd r4, r5, [r1]", "stmia r2!, {r4, r5}")
FUNCTION(exclusive, "ldrex r4, [r0]\nstrex r5, r4, [r0]\nldrexh r6, [r0]\nldrexb r7, [r0]\nclrex",
         "1:ldrex r3, [r1]\nstrex r3, r4, [r1]\ncmp r3, #0\nbne 1b", "stmia r2!, {r4, r5, r6, r7}")
FUNCTION(exclusive_pair, "ldrexd r4, r5, [r0]\nstrexd r3, r4, r5, [r0]", "1:ldrexd r6, r7, [r1]\nstrexd r3, r4, r5, [r1]\ncmp r3, #0\nbne 1b",
         "stmia r2!, {r4, r5}")
FUNCTION(scalars, "vldr s0, [r0]\nvldr d1, [r0, #8]", "vstr s0, [r1]\nvstr d1, [r1, #8]", "vstr s0, [r2]\nvstr d1, [r2, #8]")
FUNCTION(scalar_lists, "mov r4, r0\nvldmia r4!, {s0-s2}\nvldmia r4, {d2-d3}",
         "mov r4, r1\nvstmia r4!, {s0-s2}\nvstmia r4, {d2-d3}", "vstmia r2!, {s0-s2}\nvstmia r2, {d2-d3}")
FUNCTION(elements8, "vld1.8 {q0}, [r0]", "vst1.8 {q0}, [r1]", "vstmia r2, {d0-d1}")
FUNCTION(elements16, "vld1.16 {d0-d2}, [r0]", "vst1.16 {d0-d2}, [r1]", "vstmia r2, {d0-d2}")
FUNCTION(elements32, "vld1.32 {d0-d3}, [r0]", "vst1.32 {d0-d3}, [r1]", "vstmia r2, {d0-d3}")
FUNCTION(elements64, "vld1.64 {d0-d1}, [r0]", "vst1.64 {d0-d1}, [r1]", "vstmia r2, {d0-d1}")
FUNCTION(structures, "vld2.16 {d0-d1}, [r0]", "vst2.16 {d0-d1}, [r1]", "vstmia r2, {d0-d1}")
FUNCTION(lanes, "vmov.i8 q0, #0\nvld2.32 {d0[1], d1[1]}, [r0]", "vst2.32 {d0[1], d1[1]}, [r1]", "vstmia r2, {d0-d1}")
FUNCTION(all_lanes, "vld1.16 {d0[]}, [r0]", "vst1.16 {d0[0]}, [r1]", "vstmia r2, {d0}")
// A literal, a table and a return address from the stack are data, too.
FUNCTION(control, "ldr r4, 5f\nbl 4f\nmrs r6, cpsr\nb 6f\n.balign 4\n5:.word 0x11223344\n4:push {lr}\nmov r5, #7\npop {pc}\n6:",
         "str r4, [r1]", "stmia r2!, {r4-r6}")
// MSR changes E as SETEND does.
FUNCTION(by_msr, "setend le\nmov r4, #0x200\nmsr cpsr_x, r4\nldr r5, [r0]\nmrs r6, cpsr\nmov r4, #0\nmsr cpsr_x, r4\nldr r7, [r0]\nsetend be",
         "str r5, [r1]", "stmia r2!, {r5-r7}")

static void big_endian(void (*f)(const void *, void *, void *), unsigned size, const int *sizes, const char *name) {
    uint8_t kept[64] __attribute__((aligned(8))), expected[64] = {0};
    memset(stored, 0, sizeof stored);
    f(bytes, stored, kept);
    unsigned at = 0;
    for (int i = 0; at < size; i++) {
        uint64_t v = big(at, sizes[i]);
        memcpy(expected + at, &v, sizes[i]);
        at += sizes[i];
    }
    checks++;
    if (memcmp(expected, kept, size) || memcmp(stored, bytes, size)) {
        failures++;
        printf("%s: kept", name);
        for (unsigned i = 0; i < size; i++)
            printf(" %02x", kept[i]);
        printf(", stored");
        for (unsigned i = 0; i < size; i++)
            printf(" %02x", stored[i]);
        printf("\n");
    }
}
#define BIG(f, size, ...) big_endian(f, size, (int[]){__VA_ARGS__}, #f)

static void all_big_endian(void) {
    uint32_t kept[8];
    uint16_t halves[8] __attribute__((aligned(4)));
    for (int i = 0; i < 64; i++)
        bytes[i] = 0x81 + i * 5;
    words(bytes, stored, kept);
    CHECK(kept[0] == big(0, 4) && kept[1] == big(4, 2) && kept[2] == (uint32_t)(int16_t)big(6, 2) && kept[3] == bytes[8]);
    CHECK(!memcmp(stored, bytes, 9));
    BIG(lists, 12, 4, 4, 4);
    BIG(pairs, 8, 4, 4);
    BIG(exclusive_pair, 8, 4, 4);
    BIG(scalar_lists, 28, 4, 4, 4, 8, 8);
    BIG(elements8, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
    BIG(elements16, 24, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2);
    BIG(elements32, 32, 4, 4, 4, 4, 4, 4, 4, 4);
    BIG(elements64, 16, 8, 8);
    exclusive(bytes, stored, kept);
    CHECK(kept[0] == big(0, 4) && kept[1] == 0 && kept[2] == big(0, 2) && kept[3] == bytes[0] && !memcmp(stored, bytes, 4));
    scalars(bytes, stored, kept);
    CHECK(kept[0] == big(0, 4) && kept[2] == big(12, 4) && kept[3] == big(8, 4) && !memcmp(stored + 8, bytes + 8, 8));
    structures(bytes, stored, halves);
    for (int i = 0; i < 8; i++)
        CHECK(halves[i % 2 * 4 + i / 2] == big(2 * i, 2));
    CHECK(!memcmp(stored, bytes, 16));
    lanes(bytes, stored, kept);
    CHECK(kept[0] == 0 && kept[1] == big(0, 4) && kept[2] == 0 && kept[3] == big(4, 4) && !memcmp(stored, bytes, 8));
    all_lanes(bytes, stored, halves);
    CHECK(halves[0] == big(0, 2) && halves[3] == halves[0] && !memcmp(stored, bytes, 2));
    control(bytes, stored, kept);
    CHECK(kept[0] == 0x44332211 && kept[1] == 7 && (kept[2] & 0x200) && stored[0] == 0x44 && stored[3] == 0x11);
    by_msr(bytes, stored, kept);
    CHECK(kept[0] == big(0, 4) && (kept[1] & 0x200) && kept[2] == __builtin_bswap32(big(0, 4)) && !memcmp(stored, bytes, 4));
    CHECK((get_cpsr() & 0x200) == 0);
}

int main(int argc, char **argv) {
    (void)argv;
    all_vectors(argc > 1 ? 1 : 2);
    signals();
    all_big_endian();
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
