// What insn-cases.c needs to know of AArch64: registers, the way into a case and out of it, signal frames.
typedef uint64_t reg;
struct regs {
    uint64_t x[32], nzcv, fpcr, fpsr, entry, unused, tp; // x[31]: SP
    uint64_t v[32][2];
};
enum { SP = 31, TP_SLOT = 31, ALIGNMENT = 4, CALL = 8, GETUID = 174 };
static struct regs in, out;

void run(struct regs *in, struct regs *out);
__asm__(".text\n.global run\n.type run, %function\n"
        "run: stp x29, x30, [sp, #-192]!\n"
        " stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n stp x23, x24, [sp, #48]\n stp x25, x26, [sp, #64]\n"
        " stp x27, x28, [sp, #80]\n stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n"
        " stp d14, d15, [sp, #144]\n mrs x2, fpcr\n str x2, [sp, #160]\n str x1, [sp, #168]\n"
        " mrs x4, tpidr_el0\n str x4, [sp, #176]\n"
        " adrp x3, saved_sp\n mov x4, sp\n str x4, [x3, :lo12:saved_sp]\n"
        " mov x30, x0\n ldr x0, [x30, #264]\n cmp x0, x2\n b.eq 1f\n msr fpcr, x0\n1: ldr x0, [x30, #272]\n msr fpsr, x0\n"
        " ldr x0, [x30, #296]\n msr tpidr_el0, x0\n ldr x0, [x30, #256]\n msr nzcv, x0\n ldr x0, [x30, #248]\n mov sp, x0\n clrex\n"
        " ldp q0, q1, [x30, #304]\n ldp q2, q3, [x30, #336]\n ldp q4, q5, [x30, #368]\n ldp q6, q7, [x30, #400]\n"
        " ldp q8, q9, [x30, #432]\n ldp q10, q11, [x30, #464]\n ldp q12, q13, [x30, #496]\n ldp q14, q15, [x30, #528]\n"
        " ldp q16, q17, [x30, #560]\n ldp q18, q19, [x30, #592]\n ldp q20, q21, [x30, #624]\n ldp q22, q23, [x30, #656]\n"
        " ldp q24, q25, [x30, #688]\n ldp q26, q27, [x30, #720]\n ldp q28, q29, [x30, #752]\n ldp q30, q31, [x30, #784]\n"
        " ldp x0, x1, [x30]\n ldp x2, x3, [x30, #16]\n ldp x4, x5, [x30, #32]\n ldp x6, x7, [x30, #48]\n"
        " ldp x8, x9, [x30, #64]\n ldp x10, x11, [x30, #80]\n ldp x12, x13, [x30, #96]\n ldp x14, x15, [x30, #112]\n"
        " ldp x16, x17, [x30, #128]\n ldp x18, x19, [x30, #144]\n ldp x20, x21, [x30, #160]\n ldp x22, x23, [x30, #176]\n"
        " ldp x24, x25, [x30, #192]\n ldp x26, x27, [x30, #208]\n ldp x28, x29, [x30, #224]\n"
        " ldr x30, [x30, #280]\n blr x30\n"
        ".global run_ret\nrun_ret:\n"
        " adrp x30, out\n add x30, x30, :lo12:out\n"
        " stp x0, x1, [x30]\n stp x2, x3, [x30, #16]\n stp x4, x5, [x30, #32]\n stp x6, x7, [x30, #48]\n"
        " stp x8, x9, [x30, #64]\n stp x10, x11, [x30, #80]\n stp x12, x13, [x30, #96]\n stp x14, x15, [x30, #112]\n"
        " stp x16, x17, [x30, #128]\n stp x18, x19, [x30, #144]\n stp x20, x21, [x30, #160]\n stp x22, x23, [x30, #176]\n"
        " stp x24, x25, [x30, #192]\n stp x26, x27, [x30, #208]\n stp x28, x29, [x30, #224]\n"
        " mov x0, sp\n str x0, [x30, #248]\n mrs x0, nzcv\n str x0, [x30, #256]\n mrs x0, fpsr\n str x0, [x30, #272]\n"
        " mrs x0, fpcr\n str x0, [x30, #264]\n mrs x0, tpidr_el0\n str x0, [x30, #296]\n"
        " stp q0, q1, [x30, #304]\n stp q2, q3, [x30, #336]\n stp q4, q5, [x30, #368]\n stp q6, q7, [x30, #400]\n"
        " stp q8, q9, [x30, #432]\n stp q10, q11, [x30, #464]\n stp q12, q13, [x30, #496]\n stp q14, q15, [x30, #528]\n"
        " stp q16, q17, [x30, #560]\n stp q18, q19, [x30, #592]\n stp q20, q21, [x30, #624]\n stp q22, q23, [x30, #656]\n"
        " stp q24, q25, [x30, #688]\n stp q26, q27, [x30, #720]\n stp q28, q29, [x30, #752]\n stp q30, q31, [x30, #784]\n"
        " adrp x3, saved_sp\n ldr x4, [x3, :lo12:saved_sp]\n mov sp, x4\n"
        " ldr x2, [sp, #160]\n mrs x3, fpcr\n cmp x2, x3\n b.eq 2f\n msr fpcr, x2\n2: ldr x2, [sp, #176]\n msr tpidr_el0, x2\n"
        " ldp x19, x20, [sp, #16]\n ldp x21, x22, [sp, #32]\n ldp x23, x24, [sp, #48]\n ldp x25, x26, [sp, #64]\n"
        " ldp x27, x28, [sp, #80]\n ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n ldp d12, d13, [sp, #128]\n"
        " ldp d14, d15, [sp, #144]\n ldp x29, x30, [sp], #192\n ret\n"
        ".size run, . - run\n.bss\n.balign 8\nsaved_sp: .skip 8\n.text\n");


extern char run_ret[];

// Mixes what the frame holds but the pc into a hash.
static uint64_t frame_hash(uint64_t h, ucontext_t *uc)
{
    mcontext_t *m = &uc->uc_mcontext;
    h = mix(h, (const uint64_t *)m->regs, 31);
    const uint64_t rest[] = {m->sp, m->pstate & 0xf0000000};
    h = mix(h, rest, 2);
    struct fpsimd_context *f = (void *)m->__reserved;
    if (f->head.magic == FPSIMD_MAGIC) {
        const uint64_t modes[] = {f->fpsr, f->fpcr};
        h = mix(mix(h, modes, 2), (const uint64_t *)f->vregs, 64);
    }
    return h;
}

// qemu keeps the tag of a pc.
static uint64_t frame_pc(ucontext_t *uc)
{
    return uc->uc_mcontext.pc & ~0ull >> 8;
}

// Goes on behind the instruction, or at `to`, if that is not 0.
static void go_on(ucontext_t *uc, uint64_t to)
{
    uc->uc_mcontext.pc = to ? to : uc->uc_mcontext.pc + 4;
}

// Flags, modes and status of a case.
static void set_modes(uint64_t flags, uint64_t modes, uint64_t status)
{
    in.nzcv = (flags >> 60) << 28;
    in.fpcr = modes;
    in.fpsr = status;
}

static uint64_t modes_of(const struct regs *r)
{
    return r->fpcr;
}

static reg narrowed(uint64_t v)
{
    return v;
}

// What differs between `in` and `out`.
static void print_registers(void)
{
    for (int i = 0; i < 30; i++)
        if (in.x[i] != out.x[i])
            printf(" x%d=%llx", i, (unsigned long long)out.x[i]);
    if (in.x[SP] != out.x[SP])
        printf(" sp=%llx", (unsigned long long)out.x[SP]);
    if (in.nzcv != out.nzcv)
        printf(" nzcv=%llx", (unsigned long long)out.nzcv >> 28);
    if (in.fpcr != out.fpcr)
        printf(" fpcr=%llx", (unsigned long long)out.fpcr);
    if (in.fpsr != out.fpsr)
        printf(" fpsr=%llx", (unsigned long long)out.fpsr);
    if (in.tp != out.tp)
        printf(" tp=%llx", (unsigned long long)out.tp);
    for (int i = 0; i < 32; i++)
        if (in.v[i][0] != out.v[i][0] || in.v[i][1] != out.v[i][1])
            printf(" v%d=%016llx%016llx", i, (unsigned long long)out.v[i][1], (unsigned long long)out.v[i][0]);
}
