// Precise exceptions of AArch32: runs the loops of faults32.S. The handler prints every register of the frame it finds, repairs what
// was wrong and goes on; the result of the loop is printed, too. With an argument the program also checks what qemu-user (7.2) does
// not do as Linux: error_code and fault_address, registers of which qemu had loaded a part (an access that faults loads nothing), and
// that each loop's result is that of a run without faults.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum kind { UNMAPPED, READONLY, ALIGN, JUMP, TRAP };
enum { DOUBLES = 1 << 16, VFP_MAGIC = 0x56465001, VFP_SIZE = 288, WRITE = 1 << 11 };

struct row {
    const char *name;
    void (*function)(void);
    uint32_t kind, start, parts;
};
extern const struct row rows[], rows_end[];

struct run {
    uint32_t r[13];
    void (*function)(void);
    uint32_t sp, unused;
    uint64_t d[32];
};
struct result {
    uint32_t r[13], sp, apsr, fpscr;
    uint64_t d[32];
};
extern void run_case(const struct run *);
extern struct result result;
extern uint32_t jump_to;

#define MEMORY ((char *)0x50000000)
#define SECOND ((char *)0x51000000)
#define STACK ((char *)0x52000000)
#define NOTHING 0x53000000
enum { PAGE = 4096, PAGES = 32, BAD = 6, STACK_SIZE = 65536 };

static const struct row *row;
static int strict, faults, failures, everything_mapped;
static uint32_t total;
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

static void field(const char *name, uint64_t v)
{
    char b[17], *p = b + 16;
    text(name);
    *p = 0;
    do
        *--p = "0123456789abcdef"[v & 15];
    while (v >>= 4);
    text(p);
}

static void doubles(const uint64_t *d, int without_parts)
{
    text("\n ");
    for (int i = 0; i < 32; i++)
        if (!without_parts || i < 16 || i > 19)
            field(" ", d[i]);
    text("\n");
}

static void expect(int ok, const char *what, uint64_t got, uint64_t want)
{
    if (ok)
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

static void fill(int first, int last)
{
    uint32_t *p = (uint32_t *)MEMORY;
    for (int i = first * PAGE / 4; i < last * PAGE / 4; i++)
        p[i] = i * 0x9e3779b9u;
}

static int thumb(void) { return (uintptr_t)row->function & 1; }

// CPSR with ITSTATE advanced by one instruction.
static uint32_t advanced(uint32_t cpsr)
{
    uint32_t it = (cpsr >> 10 & 0x3f) << 2 | (cpsr >> 25 & 3);
    it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
    return (cpsr & ~0x0600fc00u) | (it >> 2) << 10 | (it & 3) << 25;
}

static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    mcontext_t *m = &uc->uc_mcontext;
    uint32_t *head = (uint32_t *)uc->uc_regspace;
    uint64_t *d = (uint64_t *)(head + 2);
    uint32_t *r = (uint32_t *)&m->arm_r0;
    if (++faults > 3000)
        _exit(5);
    uint32_t address = (uintptr_t)info->si_addr;
    field("  signal ", sig);
    // qemu-user says ILL_ILLOPN where Linux says ILL_ILLOPC.
    field(" code ", sig == SIGILL ? 0 : info->si_code);
    field(" address ", address);
    field(" cpsr ", m->arm_cpsr & 0xff0ffe3f);
    field(" fpscr ", (uint32_t)d[32]);
    if (head[0] != VFP_MAGIC || head[1] != VFP_SIZE)
        text(" no VFP record");
    text("\n ");
    for (int i = 0; i < 16; i++)
        if (!(row->parts >> i & 1))
            field(" ", r[i]);
    doubles(d, row->parts & DOUBLES);
    if (strict && sig == SIGSEGV) {
        uint32_t error = strstr(row->name, "st") == row->name || !strcmp(row->name, "vst") ? WRITE : 0;
        expect(m->fault_address == address, "fault_address", m->fault_address, address);
        if (row->kind == READONLY)
            error = WRITE;
        if (row->kind == READONLY || row->kind == JUMP)
            expect(m->error_code == error, "error_code", m->error_code, error);
        expect(m->trap_no == 0, "trap_no", m->trap_no, 0);
    }
    char *page = (char *)(address & -PAGE);
    switch ((enum kind)row->kind) {
    case UNMAPPED:
        if (mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != page)
            flush(), _exit(6);
        fill((page - MEMORY) / PAGE, (page - MEMORY) / PAGE + 1);
        break;
    case READONLY:
        if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
            flush(), _exit(6);
        break;
    case ALIGN:
        r[0] = (r[0] & -16) + row->start;
        break;
    case JUMP:
        r[15] = r[11] & ~1u;
        m->arm_cpsr = (m->arm_cpsr & ~0x0600fc20u) | (thumb() ? 0x20 : 0);
        break;
    case TRAP: {
        uint16_t first;
        memcpy(&first, (void *)(uintptr_t)r[15], 2);
        r[15] += thumb() && first >> 11 < 29 ? 2 : 4;
        m->arm_cpsr = advanced(m->arm_cpsr);
        break;
    }
    }
    flush();
}

static uint64_t execute(uint32_t count)
{
    struct run r;
    munmap(MEMORY, PAGES * PAGE);
    if (mmap(MEMORY, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MEMORY)
        _exit(8);
    fill(0, PAGES);
    if (!everything_mapped && row->kind == UNMAPPED)
        munmap(MEMORY + BAD * PAGE, PAGE);
    if (!everything_mapped && row->kind == READONLY)
        mprotect(MEMORY + BAD * PAGE, PAGE, PROT_READ);
    memset(STACK, 0, STACK_SIZE);
    for (int i = 0; i < 13; i++)
        r.r[i] = 0x12345679u * (i + 3);
    for (int i = 0; i < 32; i++) {
        double v = 1.0 + i / 3.0;
        memcpy(&r.d[i], &v, 8);
    }
    r.r[0] = (uintptr_t)MEMORY + row->start;
    r.r[1] = count;
    r.function = row->function;
    r.sp = (uintptr_t)STACK + STACK_SIZE;
    faults = 0;
    run_case(&r);
    uint64_t h = 14695981039346656037u;
    const uint64_t *p = (const uint64_t *)MEMORY;
    for (int i = 0; i < PAGES * PAGE / 8; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return h;
}

static void run(void)
{
    total = row->kind == JUMP || row->kind == TRAP ? 1000 : 1800;
    text(row->name);
    text("\n");
    uint64_t memory = execute(total);
    struct result end = result;
    field("  end: faults ", faults);
    field(" sp ", end.sp);
    field(" apsr ", end.apsr & 0xf80f0000);
    field(" fpscr ", end.fpscr);
    field(" memory ", memory);
    text("\n ");
    for (int i = 0; i < 13; i++)
        field(" ", end.r[i]);
    doubles(end.d, 0);
    expect(faults != 0, "number of faults", faults, 1);
    if (strict && (row->kind == UNMAPPED || row->kind == READONLY)) {
        everything_mapped = 1;
        uint64_t m = execute(total);
        expect(m == memory, "memory at the end", memory, m);
        expect(!memcmp(&end, &result, sizeof end), "a register at the end", 0, 0);
        everything_mapped = 0;
    }
    flush();
}

int main(int argc, char **argv)
{
    (void)argv;
    strict = argc > 1;
    out = start = malloc(1 << 20);
    int prot = PROT_READ | PROT_WRITE, flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
    if (mmap(SECOND, PAGE, prot, flags, -1, 0) != SECOND || mmap(STACK, STACK_SIZE, prot, flags, -1, 0) != STACK)
        return 2;
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = handler;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &sa, 0);
    sigaction(SIGBUS, &sa, 0);
    sigaction(SIGILL, &sa, 0);
    sigaction(SIGTRAP, &sa, 0);
    static const uint32_t targets[] = {NOTHING, NOTHING + 1, (uintptr_t)SECOND, (uintptr_t)SECOND + 1, 9};
    for (row = rows; row < rows_end; row++)
        if (row->kind == JUMP)
            for (unsigned i = 0; i < sizeof targets / sizeof *targets; i++) {
                jump_to = targets[i];
                run();
            }
        else
            run();
    return failures != 0;
}
