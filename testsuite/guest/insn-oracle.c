// Executes single AArch64 instructions: the oracle side of the instruction tests. Reads records from standard input,
// runs each record's instruction once on the record's registers, writes the record back with the registers after it.
// Run under qemu-aarch64 (-cpu max) or on hardware; it knows nothing of the translator.
//
// Build:  aarch64-linux-gnu-gcc -O1 -static -o insn-oracle insn-oracle.c
//
// Record, little-endian, 816 bytes, the same layout in and out:
//
//   offset size
//        0    4  the instruction word
//        4    4  in: flags, bit 0 = 4096 bytes of scratch memory follow the record (in and out);
//                out: 0, or the number of the signal that the instruction raised; ~0: refused (SVC, HVC, SMC)
//        8  248  x0-x30
//      256    8  sp
//      264    8  nzcv (bits 31:28)
//      272    8  fpcr
//      280    8  fpsr
//      288    8  pc: out only; WORD_ADDR + 4 behind an instruction that does not branch; the target of a taken branch
//      296    8  si_addr of the signal: out only
//      304  512  v0-v31, 16 bytes each
//      816 4096  scratch memory, if flags bit 0: copied to SCRATCH_ADDR before, read back from there after
//
// The word executes at WORD_ADDR. What a direct branch can reach is inaccessible or holds undefined words, so a taken
// branch arrives as a signal with pc = the target, which is not WORD_ADDR: the tests take that for a branch
// (exceptions: a branch to WORD_ADDR + 4, and one to the two pages at CODE_ADDR, which the tests avoid). The pages
// next to the scratch page are inaccessible, too. Registers are those before the instruction if it raised a signal (as far as the kernel or
// emulator keeps that). SIGALRM reports an instruction that loops on itself.
//
// The program answers in order; output is buffered up to the end of input, so use files, or write and read at once.
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#define SCRATCH_ADDR 0x10000000ul
#define SCRATCH_SIZE 4096ul
#define WORD_ADDR 0x20000000ul
#define REACH 0x08000000ul // of B and BL, each way
#define CODE_ADDR 0x27f00000ul

struct record {
    uint32_t word, flags;
    uint64_t x[31], sp, nzcv, fpcr, fpsr, pc, addr;
    uint8_t v[32][16];
};
_Static_assert(sizeof(struct record) == 816, "record layout");

// Next to the code page; the assembly below knows these offsets.
struct context {
    struct record r;   // 0
    uint64_t host_sp;  // 816
    uint64_t host_tp;  // 824
};
_Static_assert(offsetof(struct context, host_sp) == 816, "context layout");

static struct context *const ctx = (struct context *)(CODE_ADDR + 0x1000);

// Two code pages: one holds the word and a branch behind it, the other (the last that B reaches) the way out and the way
// in. x30 is the last register that the way in loads and the first that the way out saves (in TPIDR_EL0, which a static
// program's C library needs only between the two).
extern const char way_out[], way_in[], way_end[];
asm(".pushsection .rodata\n"
    ".globl way_out, way_in, way_end\n"
    ".balign 16\n"
    ".macro each_pair op base\n"
    "  \\op x0, x1, [\\base, #8]\n  \\op x2, x3, [\\base, #24]\n  \\op x4, x5, [\\base, #40]\n"
    "  \\op x6, x7, [\\base, #56]\n  \\op x8, x9, [\\base, #72]\n  \\op x10, x11, [\\base, #88]\n"
    "  \\op x12, x13, [\\base, #104]\n  \\op x14, x15, [\\base, #120]\n  \\op x16, x17, [\\base, #136]\n"
    "  \\op x18, x19, [\\base, #152]\n  \\op x20, x21, [\\base, #168]\n  \\op x22, x23, [\\base, #184]\n"
    "  \\op x24, x25, [\\base, #200]\n  \\op x26, x27, [\\base, #216]\n"
    ".endm\n"
    ".macro each_vec op base\n"
    "  \\op q0, q1, [\\base, #304]\n  \\op q2, q3, [\\base, #336]\n  \\op q4, q5, [\\base, #368]\n"
    "  \\op q6, q7, [\\base, #400]\n  \\op q8, q9, [\\base, #432]\n  \\op q10, q11, [\\base, #464]\n"
    "  \\op q12, q13, [\\base, #496]\n  \\op q14, q15, [\\base, #528]\n  \\op q16, q17, [\\base, #560]\n"
    "  \\op q18, q19, [\\base, #592]\n  \\op q20, q21, [\\base, #624]\n  \\op q22, q23, [\\base, #656]\n"
    "  \\op q24, q25, [\\base, #688]\n  \\op q26, q27, [\\base, #720]\n  \\op q28, q29, [\\base, #752]\n"
    "  \\op q30, q31, [\\base, #784]\n"
    ".endm\n"
    "way_out:\n"
    "  msr tpidr_el0, x30\n"
    "  mov x30, #0x27f00000\n"
    "  add x30, x30, #0x1000\n"
    "  each_pair stp x30\n"
    "  stp x28, x29, [x30, #232]\n"
    "  mrs x0, tpidr_el0\n"
    "  str x0, [x30, #248]\n"
    "  mov x0, sp\n"
    "  str x0, [x30, #256]\n"
    "  mrs x0, nzcv\n"
    "  mrs x1, fpcr\n"
    "  stp x0, x1, [x30, #264]\n"
    "  mrs x0, fpsr\n"
    "  str x0, [x30, #280]\n"
    "  each_vec stp x30\n"
    "  msr fpcr, xzr\n"
    "  ldr x0, [x30, #824]\n"
    "  msr tpidr_el0, x0\n"
    "  ldr x0, [x30, #816]\n"
    "  mov sp, x0\n"
    "  ldp x19, x20, [sp], #16\n"
    "  ldp x21, x22, [sp], #16\n"
    "  ldp x23, x24, [sp], #16\n"
    "  ldp x25, x26, [sp], #16\n"
    "  ldp x27, x28, [sp], #16\n"
    "  ldp x29, x30, [sp], #16\n"
    "  ldp d8, d9, [sp], #16\n"
    "  ldp d10, d11, [sp], #16\n"
    "  ldp d12, d13, [sp], #16\n"
    "  ldp d14, d15, [sp], #16\n"
    "  ret\n"
    "way_in:\n"
    "  stp d14, d15, [sp, #-16]!\n"
    "  stp d12, d13, [sp, #-16]!\n"
    "  stp d10, d11, [sp, #-16]!\n"
    "  stp d8, d9, [sp, #-16]!\n"
    "  stp x29, x30, [sp, #-16]!\n"
    "  stp x27, x28, [sp, #-16]!\n"
    "  stp x25, x26, [sp, #-16]!\n"
    "  stp x23, x24, [sp, #-16]!\n"
    "  stp x21, x22, [sp, #-16]!\n"
    "  stp x19, x20, [sp, #-16]!\n"
    "  mov x30, #0x27f00000\n"
    "  add x30, x30, #0x1000\n"
    "  mov x0, sp\n"
    "  str x0, [x30, #816]\n"
    "  mrs x0, tpidr_el0\n"
    "  str x0, [x30, #824]\n"
    "  ldr x0, [x30, #256]\n"
    "  mov sp, x0\n"
    "  ldp x0, x1, [x30, #264]\n"
    "  msr nzcv, x0\n"
    "  msr fpcr, x1\n"
    "  ldr x0, [x30, #280]\n"
    "  msr fpsr, x0\n"
    "  each_vec ldp x30\n"
    "  each_pair ldp x30\n"
    "  ldp x28, x29, [x30, #232]\n"
    "  ldr x30, [x30, #248]\n"
    "  b way_out - 0x07f00000\n"
    "way_end:\n"
    ".popsection\n");

static volatile unsigned long record_number, alarmed_number = -1ul;

// Leaves the instruction: the way out saves the interrupted registers. Touches no thread-local storage.
static void on_signal(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uint64_t pc = uc->uc_mcontext.pc;
    int inside = pc != WORD_ADDR + 4 && pc - CODE_ADDR >= 0x2000;
    if (sig == SIGALRM) {
        // The second alarm in the same instruction: it does not end.
        int again = alarmed_number == record_number;
        alarmed_number = record_number;
        if (pc != WORD_ADDR || !again)
            return;
    } else if (!inside) {
        signal(sig, SIG_DFL); // a bug of this program
        return;
    }
    ctx->r.flags = sig;
    ctx->r.pc = pc;
    ctx->r.addr = sig == SIGALRM ? 0 : (uint64_t)info->si_addr;
    uc->uc_mcontext.pc = CODE_ADDR;
}

static void *map(uint64_t at, uint64_t size, int prot)
{
    void *p = mmap((void *)at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (p == MAP_FAILED) {
        perror("insn-oracle: mmap");
        exit(2);
    }
    return p;
}

int main(void)
{
    static char stack[65536];
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alt, NULL);
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART};
    static const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE, SIGALRM};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &act, NULL);

    map(SCRATCH_ADDR - 0x10000, 0x20000 + SCRATCH_SIZE, PROT_NONE);
    uint8_t *scratch = map(SCRATCH_ADDR, SCRATCH_SIZE, PROT_READ | PROT_WRITE);
    map(WORD_ADDR - REACH, 2 * REACH, PROT_NONE);
    uint32_t *word = map(WORD_ADDR, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC);
    word[1] = 0x14000000 | (CODE_ADDR - (WORD_ADDR + 4)) / 4; // b way_out
    char *code = map(CODE_ADDR, 0x2000, PROT_READ | PROT_WRITE | PROT_EXEC);
    memcpy(code, way_out, (uintptr_t)way_end - (uintptr_t)way_out);
    void (*enter)(void) = (void (*)(void))(code + ((uintptr_t)way_in - (uintptr_t)way_out));
    __builtin___clear_cache(code, code + 0x1000);

    struct itimerval every = {{0, 500000}, {0, 500000}};
    setitimer(ITIMER_REAL, &every, NULL);

    struct record in;
    while (fread(&in, sizeof in, 1, stdin) == 1) {
        int memory = in.flags & 1;
        if (memory && fread(scratch, SCRATCH_SIZE, 1, stdin) != 1)
            break;
        record_number++;
        ctx->r = in;
        if ((in.word & 0xffe0001c) == 0xd4000000 && (in.word & 3)) {
            ctx->r.flags = -1u;
        } else {
            ctx->r.flags = 0;
            ctx->r.pc = WORD_ADDR + 4;
            ctx->r.addr = 0;
            *word = in.word;
            __builtin___clear_cache((char *)word, (char *)(word + 1));
            enter();
        }
        fwrite(&ctx->r, sizeof ctx->r, 1, stdout);
        if (memory)
            fwrite(scratch, SCRATCH_SIZE, 1, stdout);
    }
    return fflush(stdout) != 0;
}
