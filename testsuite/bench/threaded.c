// An interpreter's loop with computed goto: a register machine that runs a small sieve.
// bench: class=interpreter small=2000
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// The width of the processor's words; NARROW asks for that of AArch32 on other machines.
#if defined NARROW || __SIZEOF_POINTER__ == 4
typedef int32_t word;
typedef uint32_t uword;
#else
typedef int64_t word;
typedef uint64_t uword;
#endif

enum op { LI, ADD, ADDI, SUB, LOAD, STORE, LT, BNZ, BEZ, JMP, HALT };
struct insn { uint8_t op, a, b, c; int32_t imm; };

static word run(const struct insn *code, word *memory, word n)
{
    static void *const labels[] = {&&li, &&add, &&addi, &&sub, &&load, &&store, &&lt, &&bnz, &&bez, &&jmp, &&halt};
    word r[16] = {0};
    const struct insn *pc = code;
    r[1] = n;
#define NEXT goto *labels[(++pc)->op]
#define TO(k) do { pc = code + (k); goto *labels[pc->op]; } while (0)
    goto *labels[pc->op];
li: r[pc->a] = pc->imm; NEXT;
add: r[pc->a] = r[pc->b] + r[pc->c]; NEXT;
addi: r[pc->a] = r[pc->b] + pc->imm; NEXT;
sub: r[pc->a] = r[pc->b] - r[pc->c]; NEXT;
load: r[pc->a] = memory[r[pc->b]]; NEXT;
store: memory[r[pc->b]] = r[pc->a]; NEXT;
lt: r[pc->a] = r[pc->b] < r[pc->c]; NEXT;
bnz: if (r[pc->a]) TO(pc->imm); NEXT;
bez: if (!r[pc->a]) TO(pc->imm); NEXT;
jmp: TO(pc->imm);
halt: return r[0];
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 1000000;
    word *memory = calloc(n + 1, sizeof *memory);
    static const struct insn code[] = {
        {LI, 0, 0, 0, 0},     // 0: count = 0
        {LI, 2, 0, 0, 2},     // 1: i = 2
        {LT, 3, 2, 1, 0},     // 2: i < n?
        {BEZ, 3, 0, 0, 14},   // 3
        {LOAD, 4, 2, 0, 0},   // 4: composite?
        {ADDI, 4, 4, 0, 0},   // 5
        {BNZ, 4, 0, 0, 12},   // 6
        {ADDI, 0, 0, 0, 1},   // 7: count++
        {ADD, 5, 2, 2, 0},    // 8: j = 2 i
        {LI, 6, 0, 0, 1},     // 9
        {JMP, 0, 0, 0, 15},   // 10
        {JMP, 0, 0, 0, 15},   // 11
        {ADDI, 2, 2, 0, 1},   // 12: i++
        {JMP, 0, 0, 0, 2},    // 13
        {HALT, 0, 0, 0, 0},   // 14
        {LT, 7, 5, 1, 0},     // 15: j < n?
        {BEZ, 7, 0, 0, 12},   // 16
        {STORE, 6, 5, 0, 0},  // 17
        {ADD, 5, 5, 2, 0},    // 18
        {JMP, 0, 0, 0, 15},   // 19
    };
    uword sum = 0;
    for (int round = 0; round < 15; round++) {
        for (long i = 0; i <= n; i++)
            memory[i] = 0;
        sum = sum * 3 + (uword)run(code, memory, n - round);
    }
    printf("%lld\n", (long long)(word)sum);
    return 0;
}
