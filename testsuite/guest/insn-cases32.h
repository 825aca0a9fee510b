// What insn-cases.c needs to know of AArch32: registers, the way into a case and out of it, signal frames. Compiled to A32.
typedef uint32_t reg;
struct regs {
    uint32_t x[15], cpsr, fpscr, entry, tp, unused; // x[13]: SP; x[14]: LR, which a case may take from TPIDRURW
    uint64_t v[32];
};
enum { SP = 13, TP_SLOT = 15, ALIGNMENT = 2, CALL = 7, GETUID = 199 };
// Of CPSR what user mode sees: N, Z, C, V, Q, GE; in frames T and ITSTATE, too.
enum { FLAGS = 0xf80f0000, USER_MODE = 0x10, STATE = 0x0600fc20, THUMB = 0x20 };
static struct regs in, out;

void run(struct regs *in, struct regs *out);
__asm__(".text\n.arm\n.balign 4\n.global run\n.type run, %function\n"
        "run: push {r4-r11, lr}\n vpush {d8-d15}\n vmrs r2, fpscr\n mrc p15, 0, r3, c13, c0, 2\n push {r2, r3}\n"
        " movw r1, #:lower16:saved_sp\n movt r1, #:upper16:saved_sp\n str sp, [r1]\n mov lr, r0\n"
        " ldr r0, [lr, #64]\n vmsr fpscr, r0\n ldr r0, [lr, #72]\n mcr p15, 0, r0, c13, c0, 2\n"
        " add r1, lr, #80\n vldmia r1!, {d0-d15}\n vldmia r1, {d16-d31}\n"
        " ldr r0, [lr, #60]\n msr apsr_nzcvqg, r0\n ldr sp, [lr, #52]\n clrex\n"
        " ldm lr, {r0-r12}\n ldr lr, [lr, #68]\n blx lr\n"
        ".global run_ret\nrun_ret:\n"
        " movw lr, #:lower16:out\n movt lr, #:upper16:out\n stm lr, {r0-r12}\n str sp, [lr, #52]\n"
        " mrs r0, apsr\n str r0, [lr, #60]\n vmrs r0, fpscr\n str r0, [lr, #64]\n"
        " mrc p15, 0, r0, c13, c0, 2\n str r0, [lr, #72]\n add r1, lr, #80\n vstmia r1!, {d0-d15}\n vstmia r1, {d16-d31}\n"
        " movw r1, #:lower16:saved_sp\n movt r1, #:upper16:saved_sp\n ldr sp, [r1]\n"
        " pop {r2, r3}\n vmsr fpscr, r2\n mcr p15, 0, r3, c13, c0, 2\n vpop {d8-d15}\n pop {r4-r11, pc}\n"
        ".size run, . - run\n.bss\n.balign 4\nsaved_sp: .skip 4\n.text\n");

extern char run_ret[];

// Mixes what the frame holds but the pc into a hash.
static uint64_t frame_hash(uint64_t h, ucontext_t *uc)
{
    const unsigned long *r = &uc->uc_mcontext.arm_r0;
    for (int i = 0; i < 15; i++)
        h = mix(h, &(uint64_t){r[i]}, 1);
    h = mix(h, &(uint64_t){uc->uc_mcontext.arm_cpsr & (FLAGS | STATE)}, 1);
    // struct vfp_sigframe: magic, size, D registers, FPSCR.
    const uint32_t *f = (void *)uc->uc_regspace;
    if (f[0] == 0x56465001)
        h = mix(mix(h, &(uint64_t){f[66]}, 1), (const uint64_t *)(f + 2), 32);
    return h;
}

static uint64_t frame_pc(ucontext_t *uc)
{
    return uc->uc_mcontext.arm_pc;
}

// Goes on behind the instruction, or at `to`, if that is not 0.
static void go_on(ucontext_t *uc, uint64_t to)
{
    mcontext_t *m = &uc->uc_mcontext;
    uint32_t cpsr = m->arm_cpsr, it = cpsr >> 8 & 0xfc | cpsr >> 25 & 3;
    if (to) {
        m->arm_pc = to;
        m->arm_cpsr = cpsr & ~STATE;
        return;
    }
    int narrow = cpsr & THUMB && *(uint16_t *)m->arm_pc >> 11 < 0x1d;
    m->arm_pc += narrow ? 2 : 4;
    it = it & 7 ? it & 0xe0 | it << 1 & 0x1f : 0;
    m->arm_cpsr = cpsr & ~0x0600fc00 | (it & 0xfc) << 8 | (it & 3) << 25;
}

// Flags, modes and status of a case.
static void set_modes(uint64_t flags, uint64_t modes, uint64_t status)
{
    in.cpsr = flags >> 32 & FLAGS | USER_MODE;
    in.fpscr = modes | status | (flags & 15) << 28;
}

static uint64_t modes_of(const struct regs *r)
{
    return r->fpscr;
}

// The half of a number that says something.
static reg narrowed(uint64_t v)
{
    return (uint32_t)v ? v : v >> 32;
}

// What differs between `in` and `out`.
static void print_registers(void)
{
    for (int i = 0; i < 14; i++)
        if (in.x[i] != out.x[i])
            printf(" r%d=%x", i, out.x[i]);
    if (in.cpsr != out.cpsr)
        printf(" apsr=%08x", out.cpsr);
    if (in.fpscr != out.fpscr)
        printf(" fpscr=%08x", out.fpscr);
    if (in.tp != out.tp)
        printf(" tp=%x", out.tp);
    for (int i = 0; i < 32; i++)
        if (in.v[i] != out.v[i])
            printf(" d%d=%016llx", i, (unsigned long long)out.v[i]);
}
