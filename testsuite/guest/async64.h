// The part of async.c that knows A64: what holds at each place is learnt from the code.

struct loop {
    const char *name;
    void (*function)(void);
    const uint32_t *head;
    word number;
};
extern const uint32_t recurse[];

enum flags { NO_FLAGS, ADDS, ADDS_W, SUBS };

// What holds before the instruction at a place of the loop.
struct place {
    const uint32_t *pc;
    uint64_t counted;  // counters that this iteration has incremented: x0–x30; d0–d7 at bit 32, v16–v23 at bit 40
    unsigned stored;   // words at x20 that it has stored
    unsigned written;  // 1 if x20 is 8 too large
    enum flags flags;  // what set the flags last
};

static struct place places[MAX];
static struct place all; // what is incremented anywhere
static int count;

static int64_t field(uint32_t insn, int at, int bits) { return (int64_t)((uint64_t)insn << (64 - at - bits)) >> (64 - bits); }

static void walk(const struct loop *l)
{
    const uint32_t *pc = l->head;
    struct place now = {0};
    const uint32_t *back = 0, *address = 0;
    for (count = 0; count < MAX;) {
        uint32_t i = *pc;
        int rd = i & 31, rn = i >> 5 & 31;
        now.pc = pc;
        places[count++] = now;
        pc++;
        if ((i & 0x7ffffc00) == 0x11000400 && rd == rn)
            now.counted |= 1ull << rd;
        else if ((i & 0xfffffc00) == (0x1e602800 | 31 << 16) && rd == rn)
            now.counted |= 1ull << (32 + rd);
        else if ((i & 0xfffffc00) == (0x4ea08400 | 30 << 16) && rd == rn)
            now.counted |= 1ull << (40 + rd - 16);
        else if ((i & 0xfffffbe0) == 0xf9400280) // ldr xN, [x20, #0 or 8]: what was stored
            now.counted |= 1ull << rd;
        else if ((i & 0xffffffe0) == 0xf9000280 || (i & 0xffe0ffe0) == 0xc800fe80 || (i & 0xffe0ffe0) == 0xf8200280)
            now.stored |= 1; // str, stlxr, ldadd
        else if ((i & 0xffffffe0) == 0xf9000680)
            now.stored |= 2;
        else if ((i & 0xffffffe0) == 0xf8008e80) // str xN, [x20, #8]!
            now.stored |= 2, now.written = 1;
        else if (i == 0xd1002294)
            now.written = 0;
        else if ((i & 0xffe0fc00) == 0xab000000 && rd == 11)
            now.flags = ADDS;
        else if ((i & 0xffe0fc00) == 0x2b000000 && rd == 11)
            now.flags = ADDS_W;
        else if ((i & 0xffe0fc00) == 0xeb000000 && rd == 10)
            now.flags = SUBS;
        else if (i >> 26 == 0x25)
            back = pc, pc = pc - 1 + field(i, 0, 26);
        else if ((i & 0x9f000000) == 0x10000000)
            address = (const uint32_t *)((char *)(pc - 1) + (field(i, 5, 19) * 4 | (i >> 29 & 3)));
        else if ((i & 0xfffffc1f) == 0xd63f0000)
            back = pc, pc = address;
        else if (i == 0xd65f03c0)
            pc = back;
        else if ((i & 0xff00001f) == 0xb500001c)
            break; // cbnz x28
    }
    all = now;
    // The flags at the head are the last iteration's.
    for (int i = 0; i < count && places[i].flags == NO_FLAGS; i++)
        places[i].flags = now.flags;
}

static unsigned flags_of(enum flags f, const uint64_t *x)
{
    uint64_t r, a, b, top = 1ull << 63, carry;
    switch (f) {
    case ADDS:
        r = x[11], b = x[12], a = r - b, carry = r < b;
        break;
    case ADDS_W:
        r = x[11] << 32, b = x[12] << 32, a = r - b, carry = r < b;
        break;
    default:
        r = x[10], b = x[13], a = r + b, carry = a >= b, b = ~b;
        break;
    }
    uint64_t overflow = ~(a ^ b) & (a ^ r) & top;
    return (r >> 63) << 3 | (r == 0) << 2 | carry << 1 | (overflow != 0);
}

static const void *pc_of(const ucontext_t *uc) { return (const void *)uc->uc_mcontext.pc; }
static void end_loop(ucontext_t *uc) { uc->uc_mcontext.regs[28] = 1; }

static void check_place(const ucontext_t *uc, const struct place *p)
{
    const uint64_t *x = (const uint64_t *)uc->uc_mcontext.regs;
    const struct fpsimd_context *fp = (const struct fpsimd_context *)uc->uc_mcontext.__reserved;
    uint64_t pc = uc->uc_mcontext.pc, base = x[1] - (p->counted >> 1 & 1);
    char name[4] = "x00";
    for (int i = 0; i < 48; i++) {
        if (!(all.counted >> i & 1))
            continue;
        uint64_t want = base + (p->counted >> i & 1);
        name[0] = i < 32 ? 'x' : 'v', name[1] = '0' + i / 10, name[2] = '0' + i % 10;
        if (i < 32) {
            if (x[i] != want)
                violation(name, pc, x[i], want);
            continue;
        }
        __uint128_t v = fp->vregs[i < 40 ? i - 32 : i - 40 + 16], w;
        if (i < 40) {
            double d = want;
            uint64_t bits;
            memcpy(&bits, &d, 8);
            w = bits;
        } else {
            w = (uint32_t)want * (((__uint128_t)0x0000000100000001 << 64) | 0x0000000100000001);
        }
        if (v != w)
            violation(name, pc, v, w);
    }
    for (int i = 0; i < 2; i++)
        if (all.stored >> i & 1 && !((*p->pc & 0xff000000) == 0x35000000)) { // not between STLXR and its test
            uint64_t want = base + (p->stored >> i & 1) + (i == 0 ? added : 0);
            if (memory[i] != want)
                violation("memory", pc, memory[i], want);
        }
    if (x[20] != (uint64_t)memory + 8 * p->written)
        violation("x20", pc, x[20], (uint64_t)memory);
    if (p->flags != NO_FLAGS && base != 0) {
        unsigned want = flags_of(p->flags, x);
        if (uc->uc_mcontext.pstate >> 28 != want)
            violation("nzcv", pc, uc->uc_mcontext.pstate >> 28, want);
    }
}

// Where the recursion is, and what its stack pointer would be at its beginning.
static int recursion_place(const ucontext_t *uc, word *base)
{
    long at = (const uint32_t *)pc_of(uc) - recurse;
    if (at < 0 || at > 7)
        return -1;
    *base = uc->uc_mcontext.sp + 16 * uc->uc_mcontext.regs[19] + (at == 1 || at == 6 ? 16 : 0);
    return at;
}

static void start_loop(const struct loop *l, word *x)
{
    x[12] = 0x3fffffffffffff11, x[13] = 0x2ffffffffffffff7;
    x[16] = l->number;
    x[20] = (uint64_t)memory;
    x[24] = 1;
    x[28] = 1ull << 60;
}
static void start_recursion(int depth, word *x)
{
    x[21] = depth;
    x[28] = 1ull << 60;
}
