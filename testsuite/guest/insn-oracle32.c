// Executes single AArch32 instructions, A32 and Thumb: what insn-oracle.c is for AArch64. Reads records from standard input,
// runs each record's instruction once on the record's registers, writes the record back with the registers after it.
// Run under qemu-arm (-cpu max) or on hardware; it knows nothing of the translator.
//
// Build:  arm-linux-gnueabihf-gcc -marm -mfpu=neon -O1 -static -Wl,-Ttext-segment=0x60000000 -o insn-oracle32 insn-oracle32.c
// (the address of the program is one that few random pointers hit)
//
// Record, little-endian, 352 bytes, the same layout in and out:
//
//   offset size
//        0    4  the instruction: A32; T32 with the first halfword in bits 31:16; T16 with bits 31:16 zero
//        4    4  in: flags, bit 0 = 4096 bytes of scratch memory follow the record (in and out), bit 1 = Thumb state;
//                out: 0, or the number of the signal that the instruction raised; ~0: refused (SVC, HLT)
//        8    4  in: its address: A32_PAGE + 4; in Thumb state T32_PAGE + 4 or T32_PAGE + 6
//       12    4  in: ITSTATE, 0 outside IT blocks
//       16   60  r0-r14
//       76    4  CPSR: N, Z, C, V, Q (bits 31:27) and GE (19:16)
//       80    4  FPSCR
//       84    4  pc: out only; behind the instruction if it does not branch, else the target; bit 0: Thumb state
//       88    4  si_addr of the signal: out only
//       92    4  TPIDRURW
//       96  256  d0-d31
//      352 4096  scratch memory, if flags bit 0: copied to SCRATCH_ADDR before, read back from there after
//
// In Thumb state the instruction is followed by NOPs (a rest of its IT block) up to PAGE + 16. The rest of the page, which can
// be read and executed, and the page on each side, which can be read, hold undefined words. What else a direct branch can reach
// is inaccessible, so a taken branch arrives as a signal with pc = the target; the tests avoid targets in PAGE to PAGE + 24.
// The pages next to the scratch page are inaccessible, too. Registers are those before the instruction if it raised a signal
// (as far as the kernel or emulator keeps that). SIGVTALRM reports an instruction that loops on itself.
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

#define SCRATCH_ADDR 0x10000000u
#define SCRATCH_SIZE 4096u
#define A32_PAGE 0x20001000u
#define T32_PAGE 0x30001000u
#define CODE_ADDR 0x27f00000u
#define WAY_OUT (CODE_ADDR + 0x800)

struct record {
    uint32_t word, flags, place, it;
    uint32_t r[15], cpsr, fpscr, pc, addr, tpidrurw;
    uint64_t d[32];
};
_Static_assert(sizeof(struct record) == 352, "record layout");

// Next to the code page; the assembly below knows these offsets.
struct context {
    struct record r;  // 0
    uint32_t host_sp; // 352
    uint32_t start;   // 356: where to begin, bit 0 the state
};
_Static_assert(offsetof(struct context, start) == 356, "context layout");

static struct context *const ctx = (struct context *)(CODE_ADDR + 0x1000);

// The way out, copied to WAY_OUT, and the way in behind it. Addresses are relative to PC, so lr is the first register that
// the way out saves and the last that the way in loads, and PC is loaded from memory.
extern const char way_out[], way_in[], way_end[];
asm(".pushsection .rodata\n"
    ".globl way_out, way_in, way_end\n"
    ".arm\n"
    ".balign 16\n"
    "way_out:\n"
    "  str lr, [pc, #(0x800 - 8 + 72)]\n"
    "  ldr lr, way_context\n"
    "  add lr, lr, #16\n"
    "  stm lr, {r0-r12}\n"
    "  sub lr, lr, #16\n"
    "  str sp, [lr, #68]\n"
    "  mrs r0, apsr\n"
    "  str r0, [lr, #76]\n"
    "  vmrs r0, fpscr\n"
    "  str r0, [lr, #80]\n"
    "  mrc p15, 0, r0, c13, c0, 2\n"
    "  str r0, [lr, #92]\n"
    "  add r1, lr, #96\n"
    "  vstmia r1!, {d0-d15}\n"
    "  vstmia r1!, {d16-d31}\n"
    "  mov r0, #0\n"
    "  vmsr fpscr, r0\n"
    "  ldr sp, [lr, #352]\n"
    "  pop {r4-r11, lr}\n"
    "  vpop {d8-d15}\n"
    "  bx lr\n"
    "way_context:\n"
    "  .word 0x27f01000\n"
    "way_in:\n"
    "  vpush {d8-d15}\n"
    "  push {r4-r11, lr}\n"
    "  ldr lr, way_context\n"
    "  str sp, [lr, #352]\n"
    "  ldr r0, [lr, #76]\n"
    "  msr apsr_nzcvqg, r0\n"
    "  ldr r0, [lr, #80]\n"
    "  vmsr fpscr, r0\n"
    "  ldr r0, [lr, #92]\n"
    "  mcr p15, 0, r0, c13, c0, 2\n"
    "  add r1, lr, #96\n"
    "  vldmia r1!, {d0-d15}\n"
    "  vldmia r1!, {d16-d31}\n"
    "  ldr sp, [lr, #68]\n"
    "  add lr, lr, #16\n"
    "  ldm lr, {r0-r12}\n"
    "  ldr lr, [lr, #(72 - 16)]\n"
    "way_start:\n"
    "  ldr pc, [pc, #(0x800 - 8 + 356 - (way_start - way_out))]\n"
    "way_end:\n"
    ".popsection\n");

static volatile unsigned long record_number, alarmed_number = -1ul, lost_number;
static volatile int inside;

// Leaves the instruction: the way out saves the interrupted registers. Touches no thread-local storage.
static void on_signal(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uint32_t pc = uc->uc_mcontext.arm_pc;
    if (sig == SIGVTALRM) {
        // The second alarm in the same instruction: it does not end.
        int again = alarmed_number == record_number;
        alarmed_number = record_number;
        if (pc != ctx->r.place || !again)
            return;
    } else if (!inside || (pc - CODE_ADDR < 0x2000 && lost_number == record_number)) {
        signal(sig, SIG_DFL); // a bug of this program
        return;
    } else if (pc - CODE_ADDR < 0x2000) {
        lost_number = record_number;
    }
    ctx->r.flags = sig;
    ctx->r.pc = pc | (uc->uc_mcontext.arm_cpsr >> 5 & 1);
    ctx->r.addr = sig == SIGVTALRM ? 0 : (uint32_t)info->si_addr;
    uc->uc_mcontext.arm_pc = WAY_OUT;
    uc->uc_mcontext.arm_cpsr &= ~0x0600fc20u; // T and ITSTATE
}

static void *map(uint32_t at, uint32_t size, int prot)
{
    void *p = mmap((void *)at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (p == MAP_FAILED) {
        perror("insn-oracle32: mmap");
        exit(2);
    }
    return p;
}

// Maps a page for instructions between two for data.
static void code_page(uint32_t page, uint32_t fill)
{
    uint32_t *p = map(page - 0x1000, 0x3000, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 0x3000 / 4; i++)
        p[i] = fill;
    mprotect(p, 0x3000, PROT_READ);
}

// Writes the instruction and what follows it; where it begins.
static uint32_t place_word(const struct record *r)
{
    int thumb = r->flags >> 1 & 1;
    void *page = (void *)(thumb ? T32_PAGE : A32_PAGE);
    mprotect(page, 0x1000, PROT_READ | PROT_WRITE);
    if (!thumb) {
        uint32_t *p = page;
        p[1] = r->word;
        p[2] = 0xe51ff004; // ldr pc, [pc, #-4]
        p[3] = WAY_OUT;
        __builtin___clear_cache((char *)p, (char *)(p + 6));
        mprotect(page, 0x1000, PROT_READ | PROT_EXEC);
        return r->place;
    }
    uint16_t *p = page;
    for (int i = 0; i < 8; i++)
        p[i] = 0xbf00;
    p[8] = 0xf8df; // ldr.w pc, [pc]
    p[9] = 0xf000;
    *(uint32_t *)(p + 10) = WAY_OUT;
    uint16_t *at = p + (r->place - T32_PAGE) / 2;
    if (r->it)
        at[-1] = 0xbf00 | r->it;
    if (r->word >> 16) {
        at[0] = r->word >> 16;
        at[1] = r->word;
    } else {
        at[0] = r->word;
    }
    __builtin___clear_cache((char *)p, (char *)(p + 12));
    mprotect(page, 0x1000, PROT_READ | PROT_EXEC);
    return (r->place - (r->it ? 2 : 0)) | 1;
}

// Instructions that leave the emulated machine.
static int refused(const struct record *r)
{
    uint32_t w = r->word;
    if (r->flags & 2)
        return (w & 0xffffff00) == 0xdf00 || (w & 0xffffffc0) == 0xba80; // SVC; HLT is semihosting
    return ((w & 0x0f000000) == 0x0f000000 && w >> 28 != 15) || (w & 0x0ff000f0) == 0x01000070;
}

int main(void)
{
    static char stack[65536];
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alt, NULL);
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART};
    static const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE, SIGVTALRM};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &act, NULL);

    map(SCRATCH_ADDR - 0x10000, 0x20000 + SCRATCH_SIZE, PROT_NONE);
    uint8_t *scratch = map(SCRATCH_ADDR, SCRATCH_SIZE, PROT_READ | PROT_WRITE);
    code_page(A32_PAGE, 0xe7f0def0);
    code_page(T32_PAGE, 0xdededede);
    char *code = map(CODE_ADDR, 0x2000, PROT_READ | PROT_WRITE | PROT_EXEC);
    memcpy((char *)WAY_OUT, way_out, way_end - way_out);
    void (*enter)(void) = (void (*)(void))(WAY_OUT + (way_in - way_out));
    __builtin___clear_cache(code, code + 0x1000);

    struct itimerval every = {{0, 500000}, {0, 500000}};
    setitimer(ITIMER_VIRTUAL, &every, NULL);

    struct record in;
    while (fread(&in, sizeof in, 1, stdin) == 1) {
        int memory = in.flags & 1;
        if (memory && fread(scratch, SCRATCH_SIZE, 1, stdin) != 1)
            break;
        record_number++;
        ctx->r = in;
        if (refused(&in)) {
            ctx->r.flags = -1u;
        } else {
            int thumb = in.flags >> 1 & 1;
            ctx->start = place_word(&in);
            ctx->r.flags = 0;
            ctx->r.pc = in.place + (!thumb || in.word >> 16 ? 4 : 2) + thumb;
            ctx->r.addr = 0;
            inside = 1;
            enter();
            inside = 0;
        }
        fwrite(&ctx->r, sizeof ctx->r, 1, stdout);
        if (memory)
            fwrite(scratch, SCRATCH_SIZE, 1, stdout);
    }
    return fflush(stdout) != 0;
}
