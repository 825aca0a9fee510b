// The part of async.c that knows A32 and T32: what holds at each place stands in the tables of async-loops32.S.

struct step {
    const void *pc;
    uint32_t counted, kind;
    const struct step *call;
};
struct loop {
    const char *name;
    void (*function)(void);
    const struct step *head;
    word number;
};
extern const struct step recurse_steps[];

enum { STORED = 3, LOOSE = 4, WRITTEN = 0x80, FLAGS = 0x700, ADDS = 0x100, SUBS = 0x200, EQUAL = 0x300 };

// What holds before the instruction at a place of the loop.
struct place {
    const void *pc;
    uint32_t counted;  // counters that this iteration has incremented: r0–r12; d0–d7 at bit 16, q8–q11 at bit 24
    unsigned stored;   // words at r10 that it has stored
    unsigned loose;    // a store is under way: memory is as before or as behind it
    unsigned written;  // by how much r10 is too large
    unsigned flags;    // what set the flags last
    unsigned it;       // ITSTATE
};

static struct place places[MAX];
static struct place all; // what is incremented anywhere
static int count;

static void walk_steps(const struct step *s, struct place *now)
{
    for (; s->pc && count < MAX; s++) {
        now->pc = s->pc;
        now->loose = s->kind & LOOSE;
        now->it = s->kind >> 16;
        places[count++] = *now;
        now->counted |= s->counted;
        now->stored |= s->kind & STORED;
        if (s->kind & WRITTEN) now->written = (s->kind >> 4 & 7) * 4;
        if (s->kind & FLAGS) now->flags = s->kind & FLAGS;
        if (s->call) walk_steps(s->call, now);
    }
}

static void walk(const struct loop *l)
{
    struct place now = {0};
    walk_steps(l->head, &now);
    all = now;
    all.loose = 0;
}

static const void *pc_of(const ucontext_t *uc) { return (const void *)uc->uc_mcontext.arm_pc; }
static void end_loop(ucontext_t *uc) { uc->uc_mcontext.arm_ip = 1; }

static unsigned flags_of(unsigned kind, const word *r)
{
    uint32_t v, a, b, carry;
    if (kind == EQUAL) return 6;
    if (kind == ADDS) v = r[7], b = r[8], a = v - b, carry = v < b;
    else v = r[0], b = r[11], a = v + b, carry = a >= b, b = ~b;
    uint32_t overflow = ~(a ^ b) & (a ^ v) & 1u << 31;
    return v >> 31 << 3 | (v == 0) << 2 | carry << 1 | (overflow != 0);
}

static void check_place(const ucontext_t *uc, const struct place *p)
{
    const word *r = (const word *)&uc->uc_mcontext.arm_r0;
    const uint32_t *vfp = (const uint32_t *)uc->uc_regspace;
    const uint64_t *d = (const uint64_t *)(vfp + 2);
    word pc = uc->uc_mcontext.arm_pc, base = r[1] - (p->counted >> 1 & 1), cpsr = uc->uc_mcontext.arm_cpsr;
    if (vfp[0] != 0x56465001)
        violation("magic", pc, vfp[0], 0x56465001);
    for (int i = 0; i < 28; i++) {
        if (!(all.counted >> i & 1))
            continue;
        uint32_t want = base + (p->counted >> i & 1);
        if (i < 16) {
            char name[4] = {'r', '0' + i / 10, '0' + i % 10};
            if (r[i] != want)
                violation(name, pc, r[i], want);
        } else if (i < 24) {
            double f = want;
            uint64_t bits;
            memcpy(&bits, &f, 8);
            if (d[i - 16] != bits)
                violation("d", pc, d[i - 16], bits);
        } else {
            const uint64_t *q = d + 16 + 2 * (i - 24), twice = want * 0x100000001ull;
            if (q[0] != twice || q[1] != twice)
                violation("q", pc, q[0], twice);
        }
    }
    for (int i = 0; i < 2; i++)
        if (all.stored >> i & 1 && !p->loose) {
            word want = base + (p->stored >> i & 1) + (i == 0 ? added : 0);
            if (memory[i] != want)
                violation("memory", pc, memory[i], want);
        }
    if (r[10] != (word)memory + p->written)
        violation("r10", pc, r[10], (word)memory);
    if (p->flags == ADDS || p->flags == SUBS || p->flags == EQUAL) {
        unsigned want = flags_of(p->flags, r);
        if (cpsr >> 28 != want)
            violation("nzcv", pc, cpsr >> 28, want);
    }
#ifdef __thumb__
    unsigned state = 0x20, it = p->it;
#else
    unsigned state = 0, it = 0;
#endif
    if ((cpsr & 0x20) != state)
        violation("state", pc, cpsr, state);
    unsigned is = (cpsr >> 25 & 3) | (cpsr >> 10 & 63) << 2;
    if (is != it)
        violation("itstate", pc, is, it);
}

// Where the recursion is, and what its stack pointer would be at its beginning.
static int recursion_place(const ucontext_t *uc, word *base)
{
    for (int at = 0; recurse_steps[at].pc; at++)
        if (recurse_steps[at].pc == pc_of(uc)) {
            *base = uc->uc_mcontext.arm_sp + 8 * uc->uc_mcontext.arm_r4 + (at == 1 || at == 6 ? 8 : 0);
            return at;
        }
    return -1;
}

static void start_loop(const struct loop *l, word *r)
{
    r[8] = strncmp(l->name, "flags", 5) ? 0 : 0x3fffff11;
    r[11] = 0x2ffffff7;
    r[0] = l->number;
    r[10] = (word)memory;
    if (exclusive) r[6] = 1;
    r[12] = 0xffffffff;
}
static void start_recursion(int depth, word *r)
{
    r[5] = depth;
    r[12] = 0xffffffff;
}
