// Precise exceptions: runs the loops of faults-loops.S. The handler prints every register of the frame it finds, repairs
// what was wrong and goes on; the result of the loop is printed, too. With an argument the program also checks what
// qemu-user (7.2) does otherwise than Linux and the architecture: the ESR record, fault_address, vector registers of
// which a part was loaded (PARTS), and a few instructions that it gets wrong (OWN); and that each loop's result is that
// of a run without faults.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum kind { UNMAPPED, NONE, READONLY, BEYOND, ALIGN, NOFAULT, JUMP, TRAP, CHAIN };
// PARTS: qemu has loaded some of v16–v19 when it faults. OWN: qemu's state is wrong (pc and a lost iteration for DC ZVA,
// no alignment check of STXR without monitor).
enum { PARTS = 16, OWN = 32 };

struct row {
    const char *name;
    void (*function)(void);
    uint64_t number, kind, start, esr;
};
extern const struct row rows[], rows_end[];

struct run {
    uint64_t x[32]; // x17 unused, x30 the return address, [31] unused
    void *function;
    uint64_t sp;
    __uint128_t v[32];
};
extern void run_case(const struct run *);
extern char result[784], literal_word[];
_Static_assert(__builtin_offsetof(struct run, v) == 272, "faults-loops.S knows the layout");

#define MEMORY ((char *)0x1000000000)
#define SECOND ((char *)0x1100000000)
#define STACK ((char *)0x1200000000)
#define NOTHING 0x1300000000
#define PAGE 4096
enum { PAGES = 32, BAD = 6, STACK_SIZE = 65536 };

static const struct row *row;
static enum kind kind;
static int everything_mapped;
static uint64_t total, stopped_at;
static __uint128_t parts[4];
static uint64_t jump_to;
static int file, strict, faults, failures;
static char *start, *out;

static void flush(void)
{
    for (char *p = start; p < out;) {
        ssize_t n = write(1, p, out - p);
        if (n <= 0)
            _exit(4);
        p += n;
    }
    out = start;
}

static void text(const char *s)
{
    while (*s)
        *out++ = *s++;
}

static void hex(uint64_t v)
{
    char b[17], *p = b + 16;
    *p = 0;
    do
        *--p = "0123456789abcdef"[v & 15];
    while (v >>= 4);
    text(p);
}

static void field(const char *name, uint64_t v)
{
    text(name);
    hex(v);
}

static void registers(const uint64_t *x, const __uint128_t *v, int without_parts)
{
    for (int i = 0; i < 31; i++)
        field(" ", x[i]);
    text("\n ");
    for (int i = 0; i < 32; i++) {
        if (without_parts && i >= 16 && i < 20)
            continue;
        field(" ", v[i] >> 64);
        field(":", v[i]);
    }
    text("\n");
}

static uint64_t hash(void)
{
    uint64_t h = 14695981039346656037u;
    const uint64_t *p = (const uint64_t *)MEMORY;
    for (int i = 0; i < PAGES * PAGE / 8; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return h;
}

static void fill(int first, int last)
{
    uint64_t *p = (uint64_t *)MEMORY;
    for (int i = first * PAGE / 8; i < last * PAGE / 8; i++)
        p[i] = kind == CHAIN ? (uint64_t)MEMORY + i * 8 + 16 : i * 0x9e3779b97f4a7c15u;
}

static void expect(int ok, const char *what, uint64_t got, uint64_t want)
{
    if (ok || !strict)
        return;
    failures++;
    text("WRONG ");
    text(row->name);
    text(": ");
    text(what);
    field(" is ", got);
    field(", not ", want);
    text("\n");
}

// What Linux says beyond qemu; the sources are in the kernel's arch/arm64/mm/fault.c and kernel/traps.c.
static void check(int sig, siginfo_t *info, ucontext_t *uc)
{
    uint64_t esr = 0, records = 0;
    unsigned char *p = (unsigned char *)uc->uc_mcontext.__reserved;
    for (;;) {
        struct _aarch64_ctx *head = (struct _aarch64_ctx *)p;
        if (head->magic == 0) {
            expect(head->size == 0, "terminator's size", head->size, 0);
            break;
        }
        records = records * 16 + (head->magic == FPSIMD_MAGIC ? 1 : head->magic == ESR_MAGIC ? 2 : 15);
        if (head->magic == ESR_MAGIC)
            esr = ((struct esr_context *)p)->esr;
        p += head->size;
    }
    uint64_t want = row->esr, address = (uint64_t)info->si_addr;
    if (kind == JUMP && row->start)
        want = jump_to & 3                     ? 0x8a000000            // PC alignment; no address, as in arm64_notify_die
               : jump_to == (uint64_t)SECOND   ? 0x8200000f            // not executable
               : jump_to >> 48                 ? 0x82000004            // do_bad_area hides the kernel's mappings
                                               : 0x82000007;
    if (kind == TRAP || want == 0x8a000000)
        address = 0;
    expect(sig != SIGILL || info->si_code == ILL_ILLOPC, "si_code", info->si_code, ILL_ILLOPC);
    if (sig == SIGTRAP)
        return; // send_user_sigtrap leaves what an earlier fault put there
    expect(uc->uc_mcontext.fault_address == address, "fault_address", uc->uc_mcontext.fault_address, address);
    expect(esr == want, "ESR", esr, want);
    expect(records == (want ? 0x12 : 1), "list of records", records, want ? 0x12 : 1);
}

static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    struct fpsimd_context *fp = (struct fpsimd_context *)uc->uc_mcontext.__reserved;
    if (++faults > 3000)
        _exit(5);
    if (row->kind & OWN) {
        uint32_t insn = *(uint32_t *)uc->uc_mcontext.pc, first = kind == ALIGN ? 0xc8087c02 : 0xd50b7420;
        uint64_t x0 = uc->uc_mcontext.regs[0];
        expect(insn == first, "instruction", insn, first);
        expect(x0 == (uint64_t)info->si_addr, "si_addr", (uint64_t)info->si_addr, x0);
        expect(uc->uc_mcontext.regs[28] == total - 1 - (x0 - row->start - (uint64_t)MEMORY) / (kind == ALIGN ? 16 : 64),
               "counter", uc->uc_mcontext.regs[28], x0);
    } else {
    field("  signal ", sig);
    // qemu-user says ILL_ILLOPN.
    field(" code ", sig == SIGILL ? 0 : info->si_code);
    field(" address ", (uint64_t)info->si_addr);
    field(" pc ", uc->uc_mcontext.pc);
    field(" sp ", uc->uc_mcontext.sp);
    // Without BTYPE: whether there is BTI is a property of the processor.
    field(" pstate ", uc->uc_mcontext.pstate & ~0xc00ul);
    field(" fpcr ", fp->fpcr);
    field(" fpsr ", fp->fpsr);
    if (fp->head.magic != FPSIMD_MAGIC || fp->head.size != 528)
        text(" no FPSIMD record");
    text("\n ");
    registers((uint64_t *)uc->uc_mcontext.regs, fp->vregs, row->kind & PARTS);
    }
    stopped_at = uc->uc_mcontext.regs[28];
    memcpy(parts, fp->vregs + 16, sizeof parts);
    if (strict)
        check(sig, info, uc);
    char *page = (char *)((uint64_t)info->si_addr & -PAGE);
    switch (kind) {
    case UNMAPPED:
    case CHAIN:
        if (mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != page)
            flush(), _exit(6);
        fill((page - MEMORY) / PAGE, (page - MEMORY) / PAGE + 1);
        break;
    case NONE:
    case READONLY:
        if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
            flush(), _exit(6);
        break;
    case BEYOND:
        if (ftruncate(file, PAGES * PAGE))
            flush(), _exit(6);
        break;
    case ALIGN:
        uc->uc_mcontext.regs[0] &= -16;
        uc->uc_mcontext.regs[0] += row->start;
        break;
    case JUMP:
        if (row->start)
            uc->uc_mcontext.pc = uc->uc_mcontext.regs[24];
        else if (mprotect(page, PAGE, PROT_READ | PROT_EXEC))
            flush(), _exit(6);
        break;
    case TRAP:
        uc->uc_mcontext.pc += 4;
        break;
    case NOFAULT:
        _exit(7);
    }
    flush();
}

static void prepare(void)
{
    munmap(MEMORY, PAGES * PAGE);
    if (kind == BEYOND) {
        if (ftruncate(file, 0) || ftruncate(file, (everything_mapped ? PAGES : BAD) * PAGE))
            _exit(8);
        if (mmap(MEMORY, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) != MEMORY)
            _exit(8);
        fill(0, BAD);
        return;
    }
    if (mmap(MEMORY, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MEMORY)
        _exit(8);
    fill(0, PAGES);
    if (everything_mapped)
        return;
    char *bad = MEMORY + BAD * PAGE;
    if (kind == UNMAPPED || kind == NOFAULT || kind == CHAIN)
        munmap(bad, PAGE);
    if (kind == NONE)
        mprotect(bad, PAGE, PROT_NONE);
    if (kind == READONLY)
        mprotect(bad, PAGE, PROT_READ);
    if (kind == JUMP && !row->start && mprotect(literal_word, PAGE, PROT_NONE))
        _exit(8);
}

// Runs the loop `count` times; gives the hash of the memory.
static uint64_t execute(uint64_t count)
{
    struct run r;
    prepare();
    memset(STACK, 0, STACK_SIZE);
    for (int i = 0; i < 32; i++) {
        r.x[i] = 0x0123456789abcdefu * (i + 3);
        double d = 1.0 + i / 3.0;
        uint64_t bits;
        memcpy(&bits, &d, 8);
        r.v[i] = (__uint128_t)(0x3ff0000000000000u + (uint64_t)i * 0x123456789abu) << 64 | bits;
    }
    r.x[0] = (uint64_t)MEMORY + row->start;
    r.x[1] = (uint64_t)SECOND;
    r.x[16] = row->number;
    r.x[26] = kind == JUMP ? jump_to : 0;
    r.x[28] = count;
    r.function = (void *)row->function;
    r.sp = (uint64_t)STACK + STACK_SIZE;
    memset(SECOND, 1, 16);
    faults = 0;
    run_case(&r);
    return kind == NOFAULT ? 0 : hash();
}

static void run(void)
{
    kind = row->kind & 15;
    total = kind == JUMP || kind == TRAP ? 1000 : strstr(row->name, "dc_zva") ? 600 : 1800;
    // The smallest step needs many turns to the bad page.
    if (strstr(row->name, "straight"))
        total = 7000;
    text(row->name);
    text("\n");
    uint64_t memory = execute(total);
    int met = faults;
    static char end[sizeof result];
    memcpy(end, result, sizeof end);
    if (!(row->kind & OWN)) {
        const uint64_t *x = (uint64_t *)end;
        field("  end: faults ", met);
        field(" sp ", x[30]);
        field(" nzcv ", x[31]);
        field(" fpsr ", x[32]);
        field(" fpcr ", x[33]);
        field(" memory ", memory);
        text("\n ");
        registers(x, (__uint128_t *)(end + 272), 0);
    }
    if (strict && kind != JUMP && kind != TRAP) {
        expect((met != 0) == (kind != NOFAULT), "number of faults", met, 1);
        if (kind != ALIGN && kind != NOFAULT) {
            everything_mapped = 1;
            uint64_t m = execute(total);
            expect(m == memory, "memory at the end", memory, m);
            for (unsigned i = 0; i < sizeof end / 8; i++)
                expect(((uint64_t *)end)[i] == ((uint64_t *)result)[i], "a register at the end", ((uint64_t *)end)[i], i);
            if (row->kind & PARTS && stopped_at + 1 < total) {
                // What the loop had loaded before the iteration that faulted.
                execute(total - 1 - stopped_at);
                expect(!memcmp(result + 272 + 256, parts, sizeof parts), "v16-v19 at the fault", parts[0], 0);
            }
            everything_mapped = 0;
        }
    }
    flush();
}

int main(int argc, char **argv)
{
    strict = argc > 1;
    out = start = malloc(1 << 20);
    FILE *f = tmpfile();
    if (!f)
        return 2;
    file = fileno(f);
    if (mmap(SECOND, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != SECOND ||
        mmap(SECOND + PAGE, PAGE, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ||
        mmap(STACK, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != STACK)
        return 2;
    SECOND[0] = 1;
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = handler;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &sa, 0);
    sigaction(SIGBUS, &sa, 0);
    sigaction(SIGILL, &sa, 0);
    sigaction(SIGTRAP, &sa, 0);
    static const uint64_t targets[] = {NOTHING, (uint64_t)SECOND, (uint64_t)SECOND + PAGE, (uint64_t)run_case + 2, 0xffff000000001000, 8};
    for (row = rows; row < rows_end; row++)
        if (kind == JUMP && row->start)
            for (unsigned i = 0; i < sizeof targets / sizeof *targets; i++) {
                jump_to = targets[i];
                run();
            }
        else
            run();
    return failures != 0;
}
