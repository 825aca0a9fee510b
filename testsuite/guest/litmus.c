// Litmus tests of Arm's memory model: two to four threads meet again and again and run a few accesses each, plain, with
// barriers, acquire and release, or dependencies. Prints the forbidden outcomes that were seen, of which there must be
// none; with LITMUS_VERBOSE on standard error how often each outcome was. Argument: iterations.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Variables on lines of their own, by iteration.
// A variable is a register wide; of AArch32 one location is tested with accesses of two registers, too.
typedef uintptr_t word;
struct cell {
    volatile word x __attribute__((aligned(128))), y __attribute__((aligned(128))), r[4] __attribute__((aligned(128)));
};
enum { CELLS = 512 };
static struct cell cells[CELLS] __attribute__((aligned(128)));

#define THREAD(name) static void name(volatile word *x, volatile word *y, volatile word *r)
#ifdef __aarch64__
#define A(text, ...) __asm__ volatile(text : : __VA_ARGS__ : "x2", "x3", "x4", "memory")

// x0-like operands: %0 first variable, %1 second, %2 results.
#define CODE(name, text) THREAD(name) { A(text, "r"(x), "r"(y), "r"(r)); }

// Message passing: x = 1; y = 1 | r0 = y; r1 = x
CODE(mp_w, "mov x2, #1\n str x2, [%0]\n str x2, [%1]\n")
CODE(mp_w_dmb, "mov x2, #1\n str x2, [%0]\n dmb ish\n str x2, [%1]\n")
CODE(mp_w_st, "mov x2, #1\n str x2, [%0]\n dmb ishst\n str x2, [%1]\n")
CODE(mp_w_rel, "mov x2, #1\n str x2, [%0]\n stlr x2, [%1]\n")
CODE(mp_w_stlxr, "mov x2, #1\n str x2, [%0]\n 1: ldxr x3, [%1]\n stlxr w4, x2, [%1]\n cbnz w4, 1b\n")
CODE(mp_r, "ldr x3, [%1]\n ldr x4, [%0]\n stp x3, x4, [%2]\n")
CODE(mp_r_dmb, "ldr x3, [%1]\n dmb ish\n ldr x4, [%0]\n stp x3, x4, [%2]\n")
CODE(mp_r_ld, "ldr x3, [%1]\n dmb ishld\n ldr x4, [%0]\n stp x3, x4, [%2]\n")
CODE(mp_r_acq, "ldar x3, [%1]\n ldr x4, [%0]\n stp x3, x4, [%2]\n")
CODE(mp_r_ldaxr, "ldaxr x3, [%1]\n ldr x4, [%0]\n clrex\n stp x3, x4, [%2]\n")
CODE(mp_r_addr, "ldr x3, [%1]\n eor x2, x3, x3\n ldr x4, [%0, x2]\n stp x3, x4, [%2]\n")
CODE(mp_r_isb, "ldr x3, [%1]\n cbz x3, 1f\n 1: isb\n ldr x4, [%0]\n stp x3, x4, [%2]\n")
// Store buffering: x = 1; r0 = y | y = 1; r1 = x
CODE(sb_0, "mov x2, #1\n str x2, [%0]\n ldr x3, [%1]\n str x3, [%2]\n")
CODE(sb_1, "mov x2, #1\n str x2, [%1]\n ldr x3, [%0]\n str x3, [%2, #8]\n")
CODE(sb_0_dmb, "mov x2, #1\n str x2, [%0]\n dmb ish\n ldr x3, [%1]\n str x3, [%2]\n")
CODE(sb_1_dmb, "mov x2, #1\n str x2, [%1]\n dmb ish\n ldr x3, [%0]\n str x3, [%2, #8]\n")
CODE(sb_0_dsb, "mov x2, #1\n str x2, [%0]\n dsb sy\n ldr x3, [%1]\n str x3, [%2]\n")
CODE(sb_1_dsb, "mov x2, #1\n str x2, [%1]\n dsb sy\n ldr x3, [%0]\n str x3, [%2, #8]\n")
CODE(sb_0_sc, "mov x2, #1\n stlr x2, [%0]\n ldar x3, [%1]\n str x3, [%2]\n")
CODE(sb_1_sc, "mov x2, #1\n stlr x2, [%1]\n ldar x3, [%0]\n str x3, [%2, #8]\n")
CODE(sb_0_b, "mov w2, #1\n stlrb w2, [%0]\n ldarb w3, [%1]\n str x3, [%2]\n")
CODE(sb_1_b, "mov w2, #1\n stlrb w2, [%1]\n ldarb w3, [%0]\n str x3, [%2, #8]\n")
CODE(sb_0_ex, "1: ldaxr x3, [%0]\n mov x2, #1\n stlxr w4, x2, [%0]\n cbnz w4, 1b\n ldar x3, [%1]\n str x3, [%2]\n")
CODE(sb_1_ex, "1: ldaxr x3, [%1]\n mov x2, #1\n stlxr w4, x2, [%1]\n cbnz w4, 1b\n ldar x3, [%0]\n str x3, [%2, #8]\n")
#ifdef __ARM_FEATURE_ATOMICS
CODE(sb_0_lse, "mov x2, #1\n swpal x2, x3, [%0]\n ldar x3, [%1]\n str x3, [%2]\n")
CODE(sb_1_lse, "mov x2, #1\n swpal x2, x3, [%1]\n ldar x3, [%0]\n str x3, [%2, #8]\n")
#endif
// Load buffering: r0 = x; y = 1 | r1 = y; x = 1
CODE(lb_0, "ldr x3, [%0]\n mov x2, #1\n str x2, [%1]\n str x3, [%2]\n")
CODE(lb_1, "ldr x3, [%1]\n mov x2, #1\n str x2, [%0]\n str x3, [%2, #8]\n")
CODE(lb_0_data, "ldr x3, [%0]\n eor x2, x3, x3\n add x2, x2, #1\n str x2, [%1]\n str x3, [%2]\n")
CODE(lb_1_data, "ldr x3, [%1]\n eor x2, x3, x3\n add x2, x2, #1\n str x2, [%0]\n str x3, [%2, #8]\n")
CODE(lb_0_ctrl, "ldr x3, [%0]\n mov x2, #1\n cbnz x3, 1f\n 1: str x2, [%1]\n str x3, [%2]\n")
CODE(lb_1_ctrl, "ldr x3, [%1]\n mov x2, #1\n cbnz x3, 1f\n 1: str x2, [%0]\n str x3, [%2, #8]\n")
CODE(lb_0_acq, "ldar x3, [%0]\n mov x2, #1\n str x2, [%1]\n str x3, [%2]\n")
CODE(lb_1_rel, "ldr x3, [%1]\n mov x2, #1\n stlr x2, [%0]\n str x3, [%2, #8]\n")
// Independent reads of independent writes
CODE(wx, "mov x2, #1\n str x2, [%0]\n")
CODE(wy, "mov x2, #1\n str x2, [%1]\n")
CODE(wx_rel, "mov x2, #1\n stlr x2, [%0]\n")
CODE(wy_rel, "mov x2, #1\n stlr x2, [%1]\n")
CODE(rxy, "ldr x3, [%0]\n ldr x4, [%1]\n stp x3, x4, [%2]\n")
CODE(ryx, "ldr x3, [%1]\n ldr x4, [%0]\n stp x3, x4, [%2, #16]\n")
CODE(rxy_dmb, "ldr x3, [%0]\n dmb ish\n ldr x4, [%1]\n stp x3, x4, [%2]\n")
CODE(ryx_dmb, "ldr x3, [%1]\n dmb ish\n ldr x4, [%0]\n stp x3, x4, [%2, #16]\n")
CODE(rxy_addr, "ldr x3, [%0]\n eor x2, x3, x3\n ldr x4, [%1, x2]\n stp x3, x4, [%2]\n")
CODE(ryx_addr, "ldr x3, [%1]\n eor x2, x3, x3\n ldr x4, [%0, x2]\n stp x3, x4, [%2, #16]\n")
CODE(rxy_acq, "ldar x3, [%0]\n ldar x4, [%1]\n stp x3, x4, [%2]\n")
CODE(ryx_acq, "ldar x3, [%1]\n ldar x4, [%0]\n stp x3, x4, [%2, #16]\n")
// S: x = 2; y = 1 | r0 = y; x = 1, and x = 2 last
CODE(s_w, "mov x2, #2\n str x2, [%0]\n mov x3, #1\n str x3, [%1]\n")
CODE(s_w_dmb, "mov x2, #2\n str x2, [%0]\n dmb ish\n mov x3, #1\n str x3, [%1]\n")
CODE(s_w_rel, "mov x2, #2\n str x2, [%0]\n mov x3, #1\n stlr x3, [%1]\n")
CODE(s_r, "ldr x3, [%1]\n mov x2, #1\n str x2, [%0]\n str x3, [%2]\n")
CODE(s_r_data, "ldr x3, [%1]\n eor x2, x3, x3\n add x2, x2, #1\n str x2, [%0]\n str x3, [%2]\n")
CODE(s_r_acq, "ldar x3, [%1]\n mov x2, #1\n str x2, [%0]\n str x3, [%2]\n")
// R: x = 1; y = 1 | y = 2; r0 = x, and y = 2 last
CODE(r_w, "mov x2, #1\n str x2, [%0]\n str x2, [%1]\n")
CODE(r_w_dmb, "mov x2, #1\n str x2, [%0]\n dmb ish\n str x2, [%1]\n")
CODE(r_r, "mov x2, #2\n str x2, [%1]\n ldr x3, [%0]\n str x3, [%2]\n")
CODE(r_r_dmb, "mov x2, #2\n str x2, [%1]\n dmb ish\n ldr x3, [%0]\n str x3, [%2]\n")
CODE(r_r_sc, "mov x2, #2\n stlr x2, [%1]\n ldar x3, [%0]\n str x3, [%2]\n")
// 2+2W: x = 1; y = 2 | y = 1; x = 2
CODE(w2_0, "mov x2, #1\n str x2, [%0]\n mov x3, #2\n str x3, [%1]\n")
CODE(w2_1, "mov x2, #1\n str x2, [%1]\n mov x3, #2\n str x3, [%0]\n")
CODE(w2_0_dmb, "mov x2, #1\n str x2, [%0]\n dmb ish\n mov x3, #2\n str x3, [%1]\n")
CODE(w2_1_st, "mov x2, #1\n str x2, [%1]\n dmb ishst\n mov x3, #2\n str x3, [%0]\n")
CODE(w2_0_rel, "mov x2, #1\n str x2, [%0]\n mov x3, #2\n stlr x3, [%1]\n")
CODE(w2_1_rel, "mov x2, #1\n str x2, [%1]\n mov x3, #2\n stlr x3, [%0]\n")
// Coherence: one location
CODE(co_w, "mov x2, #1\n str x2, [%0]\n mov x2, #2\n str x2, [%0]\n")
CODE(co_rr, "ldr x3, [%0]\n ldr x4, [%0]\n stp x3, x4, [%2]\n")
CODE(co_rw, "ldr x3, [%0]\n mov x2, #3\n str x2, [%0]\n ldr x4, [%0]\n stp x3, x4, [%2]\n")
CODE(co_wr, "mov x2, #3\n str x2, [%0]\n ldr x3, [%0]\n ldr x4, [%0]\n stp x3, x4, [%2]\n")
// Eight bytes and pairs of eight in one access: never half.
CODE(whole_w, "mov x2, #-1\n str x2, [%0]\n str xzr, [%0]\n str x2, [%0]\n")
CODE(whole_r, "ldr x3, [%0]\n ldr x4, [%0]\n stp x3, x4, [%2]\n")
// WRC: x = 1 | r0 = x; y = 1 | r1 = y; r2 = x
CODE(wrc_1, "ldr x3, [%0]\n eor x2, x3, x3\n add x2, x2, #1\n str x2, [%1]\n str x3, [%2]\n")
CODE(wrc_2, "ldr x3, [%1]\n eor x2, x3, x3\n ldr x4, [%0, x2]\n stp x3, x4, [%2, #8]\n")
#else
#define A(text, ...) __asm__ volatile(text : : __VA_ARGS__ : "r2", "r3", "r4", "cc", "memory")

// Operands as above.
#define CODE(name, text) THREAD(name) { A(text, "r"(x), "r"(y), "r"(r)); }

// Message passing: x = 1; y = 1 | r0 = y; r1 = x
CODE(mp_w, "mov r2, #1\n str r2, [%0]\n str r2, [%1]\n")
CODE(mp_w_dmb, "mov r2, #1\n str r2, [%0]\n dmb ish\n str r2, [%1]\n")
CODE(mp_w_st, "mov r2, #1\n str r2, [%0]\n dmb ishst\n str r2, [%1]\n")
CODE(mp_w_rel, "mov r2, #1\n str r2, [%0]\n stl r2, [%1]\n")
CODE(mp_w_stlxr, "mov r2, #1\n str r2, [%0]\n 1: ldrex r3, [%1]\n stlex r4, r2, [%1]\n cmp r4, #0\n bne 1b\n")
CODE(mp_r, "ldr r3, [%1]\n ldr r4, [%0]\n stm %2, {r3, r4}\n")
CODE(mp_r_dmb, "ldr r3, [%1]\n dmb ish\n ldr r4, [%0]\n stm %2, {r3, r4}\n")
CODE(mp_r_ld, "ldr r3, [%1]\n dmb ishld\n ldr r4, [%0]\n stm %2, {r3, r4}\n")
CODE(mp_r_acq, "lda r3, [%1]\n ldr r4, [%0]\n stm %2, {r3, r4}\n")
CODE(mp_r_ldaxr, "ldaex r3, [%1]\n ldr r4, [%0]\n clrex\n stm %2, {r3, r4}\n")
CODE(mp_r_addr, "ldr r3, [%1]\n eor r2, r3, r3\n ldr r4, [%0, r2]\n stm %2, {r3, r4}\n")
CODE(mp_r_isb, "ldr r3, [%1]\n cmp r3, #0\n beq 1f\n 1: isb\n ldr r4, [%0]\n stm %2, {r3, r4}\n")
// Store buffering: x = 1; r0 = y | y = 1; r1 = x
CODE(sb_0, "mov r2, #1\n str r2, [%0]\n ldr r3, [%1]\n str r3, [%2]\n")
CODE(sb_1, "mov r2, #1\n str r2, [%1]\n ldr r3, [%0]\n str r3, [%2, #4]\n")
CODE(sb_0_dmb, "mov r2, #1\n str r2, [%0]\n dmb ish\n ldr r3, [%1]\n str r3, [%2]\n")
CODE(sb_1_dmb, "mov r2, #1\n str r2, [%1]\n dmb ish\n ldr r3, [%0]\n str r3, [%2, #4]\n")
CODE(sb_0_dsb, "mov r2, #1\n str r2, [%0]\n dsb sy\n ldr r3, [%1]\n str r3, [%2]\n")
CODE(sb_1_dsb, "mov r2, #1\n str r2, [%1]\n dsb sy\n ldr r3, [%0]\n str r3, [%2, #4]\n")
CODE(sb_0_sc, "mov r2, #1\n stl r2, [%0]\n lda r3, [%1]\n str r3, [%2]\n")
CODE(sb_1_sc, "mov r2, #1\n stl r2, [%1]\n lda r3, [%0]\n str r3, [%2, #4]\n")
CODE(sb_0_b, "mov r2, #1\n stlb r2, [%0]\n ldab r3, [%1]\n str r3, [%2]\n")
CODE(sb_1_b, "mov r2, #1\n stlb r2, [%1]\n ldab r3, [%0]\n str r3, [%2, #4]\n")
CODE(sb_0_ex, "1: ldaex r3, [%0]\n mov r2, #1\n stlex r4, r2, [%0]\n cmp r4, #0\n bne 1b\n lda r3, [%1]\n str r3, [%2]\n")
CODE(sb_1_ex, "1: ldaex r3, [%1]\n mov r2, #1\n stlex r4, r2, [%1]\n cmp r4, #0\n bne 1b\n lda r3, [%0]\n str r3, [%2, #4]\n")
// Load buffering: r0 = x; y = 1 | r1 = y; x = 1
CODE(lb_0, "ldr r3, [%0]\n mov r2, #1\n str r2, [%1]\n str r3, [%2]\n")
CODE(lb_1, "ldr r3, [%1]\n mov r2, #1\n str r2, [%0]\n str r3, [%2, #4]\n")
CODE(lb_0_data, "ldr r3, [%0]\n eor r2, r3, r3\n add r2, r2, #1\n str r2, [%1]\n str r3, [%2]\n")
CODE(lb_1_data, "ldr r3, [%1]\n eor r2, r3, r3\n add r2, r2, #1\n str r2, [%0]\n str r3, [%2, #4]\n")
CODE(lb_0_ctrl, "ldr r3, [%0]\n mov r2, #1\n cmp r3, #0\n bne 1f\n 1: str r2, [%1]\n str r3, [%2]\n")
CODE(lb_1_ctrl, "ldr r3, [%1]\n mov r2, #1\n cmp r3, #0\n bne 1f\n 1: str r2, [%0]\n str r3, [%2, #4]\n")
CODE(lb_0_acq, "lda r3, [%0]\n mov r2, #1\n str r2, [%1]\n str r3, [%2]\n")
CODE(lb_1_rel, "ldr r3, [%1]\n mov r2, #1\n stl r2, [%0]\n str r3, [%2, #4]\n")
// Independent reads of independent writes
CODE(wx, "mov r2, #1\n str r2, [%0]\n")
CODE(wy, "mov r2, #1\n str r2, [%1]\n")
CODE(wx_rel, "mov r2, #1\n stl r2, [%0]\n")
CODE(wy_rel, "mov r2, #1\n stl r2, [%1]\n")
CODE(rxy, "ldr r3, [%0]\n ldr r4, [%1]\n stm %2, {r3, r4}\n")
CODE(ryx, "ldr r3, [%1]\n ldr r4, [%0]\n str r3, [%2, #8]\n str r4, [%2, #12]\n")
CODE(rxy_dmb, "ldr r3, [%0]\n dmb ish\n ldr r4, [%1]\n stm %2, {r3, r4}\n")
CODE(ryx_dmb, "ldr r3, [%1]\n dmb ish\n ldr r4, [%0]\n str r3, [%2, #8]\n str r4, [%2, #12]\n")
CODE(rxy_addr, "ldr r3, [%0]\n eor r2, r3, r3\n ldr r4, [%1, r2]\n stm %2, {r3, r4}\n")
CODE(ryx_addr, "ldr r3, [%1]\n eor r2, r3, r3\n ldr r4, [%0, r2]\n str r3, [%2, #8]\n str r4, [%2, #12]\n")
CODE(rxy_acq, "lda r3, [%0]\n lda r4, [%1]\n stm %2, {r3, r4}\n")
CODE(ryx_acq, "lda r3, [%1]\n lda r4, [%0]\n str r3, [%2, #8]\n str r4, [%2, #12]\n")
// S: x = 2; y = 1 | r0 = y; x = 1, and x = 2 last
CODE(s_w, "mov r2, #2\n str r2, [%0]\n mov r3, #1\n str r3, [%1]\n")
CODE(s_w_dmb, "mov r2, #2\n str r2, [%0]\n dmb ish\n mov r3, #1\n str r3, [%1]\n")
CODE(s_w_rel, "mov r2, #2\n str r2, [%0]\n mov r3, #1\n stl r3, [%1]\n")
CODE(s_r, "ldr r3, [%1]\n mov r2, #1\n str r2, [%0]\n str r3, [%2]\n")
CODE(s_r_data, "ldr r3, [%1]\n eor r2, r3, r3\n add r2, r2, #1\n str r2, [%0]\n str r3, [%2]\n")
CODE(s_r_acq, "lda r3, [%1]\n mov r2, #1\n str r2, [%0]\n str r3, [%2]\n")
// R: x = 1; y = 1 | y = 2; r0 = x, and y = 2 last
CODE(r_w, "mov r2, #1\n str r2, [%0]\n str r2, [%1]\n")
CODE(r_w_dmb, "mov r2, #1\n str r2, [%0]\n dmb ish\n str r2, [%1]\n")
CODE(r_r, "mov r2, #2\n str r2, [%1]\n ldr r3, [%0]\n str r3, [%2]\n")
CODE(r_r_dmb, "mov r2, #2\n str r2, [%1]\n dmb ish\n ldr r3, [%0]\n str r3, [%2]\n")
CODE(r_r_sc, "mov r2, #2\n stl r2, [%1]\n lda r3, [%0]\n str r3, [%2]\n")
// 2+2W: x = 1; y = 2 | y = 1; x = 2
CODE(w2_0, "mov r2, #1\n str r2, [%0]\n mov r3, #2\n str r3, [%1]\n")
CODE(w2_1, "mov r2, #1\n str r2, [%1]\n mov r3, #2\n str r3, [%0]\n")
CODE(w2_0_dmb, "mov r2, #1\n str r2, [%0]\n dmb ish\n mov r3, #2\n str r3, [%1]\n")
CODE(w2_1_st, "mov r2, #1\n str r2, [%1]\n dmb ishst\n mov r3, #2\n str r3, [%0]\n")
CODE(w2_0_rel, "mov r2, #1\n str r2, [%0]\n mov r3, #2\n stl r3, [%1]\n")
CODE(w2_1_rel, "mov r2, #1\n str r2, [%1]\n mov r3, #2\n stl r3, [%0]\n")
// Coherence: one location
CODE(co_w, "mov r2, #1\n str r2, [%0]\n mov r2, #2\n str r2, [%0]\n")
CODE(co_rr, "ldr r3, [%0]\n ldr r4, [%0]\n stm %2, {r3, r4}\n")
CODE(co_rw, "ldr r3, [%0]\n mov r2, #3\n str r2, [%0]\n ldr r4, [%0]\n stm %2, {r3, r4}\n")
CODE(co_wr, "mov r2, #3\n str r2, [%0]\n ldr r3, [%0]\n ldr r4, [%0]\n stm %2, {r3, r4}\n")
// Eight bytes in one access: never half.
CODE(whole_w, "mvn r2, #0\n mvn r3, #0\n strd r2, r3, [%0]\n mov r2, #0\n mov r3, #0\n strd r2, r3, [%0]\n")
CODE(whole_r, "ldrd r2, r3, [%0]\n strd r2, r3, [%2]\n ldrd r2, r3, [%0]\n strd r2, r3, [%2, #8]\n")
CODE(whole_ex, "ldrexd r2, r3, [%0]\n clrex\n strd r2, r3, [%2]\n ldaexd r2, r3, [%0]\n clrex\n strd r2, r3, [%2, #8]\n")
// WRC: x = 1 | r0 = x; y = 1 | r1 = y; r2 = x
CODE(wrc_1, "ldr r3, [%0]\n eor r2, r3, r3\n add r2, r2, #1\n str r2, [%1]\n str r3, [%2]\n")
CODE(wrc_2, "ldr r3, [%1]\n eor r2, r3, r3\n ldr r4, [%0, r2]\n str r3, [%2, #4]\n str r4, [%2, #8]\n")
#endif

typedef void code(volatile word *, volatile word *, volatile word *);
#define R (c->r)
static int seen_mp(const struct cell *c) { return R[0] == 1 && R[1] == 0; }
static int seen_sb(const struct cell *c) { return R[0] == 0 && R[1] == 0; }
static int seen_lb(const struct cell *c) { return R[0] == 1 && R[1] == 1; }
static int seen_iriw(const struct cell *c) { return R[0] == 1 && R[1] == 0 && R[2] == 1 && R[3] == 0; }
static int seen_s(const struct cell *c) { return R[0] == 1 && c->x == 2; }
static int seen_r(const struct cell *c) { return R[0] == 0 && c->y == 2; }
static int seen_2w(const struct cell *c) { return c->x == 1 && c->y == 1; }
static int seen_corr(const struct cell *c) { return R[0] > R[1]; }
static int seen_corw(const struct cell *c) { return R[0] == 3 || (R[1] == 1 && R[0] == 2); }
static int seen_cowr(const struct cell *c) { return R[0] == 0 || R[1] == 0 || (R[0] == 2 && R[1] == 1) || (R[0] != 3 && R[1] == 3); }
#ifdef __arm__
static int seen_part(const struct cell *c) { return R[0] != R[1] || R[2] != R[3]; }
#else
static int seen_part(const struct cell *c)
{
    return (R[0] != 0 && R[0] != UINTPTR_MAX) || (R[1] != 0 && R[1] != UINTPTR_MAX);
}
#endif
static int seen_wrc(const struct cell *c) { return R[0] == 1 && R[1] == 1 && R[2] == 0; }

static const struct test {
    const char *name;
    int forbidden;
    int (*seen)(const struct cell *);
    code *threads[4];
} tests[] = {
    {"MP", 0, seen_mp, {mp_w, mp_r}},
    {"MP+dmb+dmb", 1, seen_mp, {mp_w_dmb, mp_r_dmb}},
    {"MP+dmb.st+dmb.ld", 1, seen_mp, {mp_w_st, mp_r_ld}},
    {"MP+rel+acq", 1, seen_mp, {mp_w_rel, mp_r_acq}},
    {"MP+stlxr+ldaxr", 1, seen_mp, {mp_w_stlxr, mp_r_ldaxr}},
    {"MP+dmb+addr", 1, seen_mp, {mp_w_dmb, mp_r_addr}},
    {"MP+rel+ctrl-isb", 1, seen_mp, {mp_w_rel, mp_r_isb}},
    {"SB", 0, seen_sb, {sb_0, sb_1}},
    {"SB+dmb+dmb", 1, seen_sb, {sb_0_dmb, sb_1_dmb}},
    {"SB+dsb+dsb", 1, seen_sb, {sb_0_dsb, sb_1_dsb}},
    {"SB+stlr-ldar+dmb", 1, seen_sb, {sb_0_sc, sb_1_dmb}},
    {"SB+stlr-ldar", 1, seen_sb, {sb_0_sc, sb_1_sc}},
    {"SB+stlrb-ldarb", 1, seen_sb, {sb_0_b, sb_1_b}},
    {"SB+stlxr-ldar", 1, seen_sb, {sb_0_ex, sb_1_ex}},
#ifdef __ARM_FEATURE_ATOMICS
    {"SB+swpal-ldar", 1, seen_sb, {sb_0_lse, sb_1_lse}},
#endif
    {"LB", 0, seen_lb, {lb_0, lb_1}},
    {"LB+data+data", 1, seen_lb, {lb_0_data, lb_1_data}},
    {"LB+ctrl+ctrl", 1, seen_lb, {lb_0_ctrl, lb_1_ctrl}},
    {"LB+acq+rel", 1, seen_lb, {lb_0_acq, lb_1_rel}},
    {"IRIW", 0, seen_iriw, {wx, wy, rxy, ryx}},
    {"IRIW+dmb+dmb", 1, seen_iriw, {wx, wy, rxy_dmb, ryx_dmb}},
    {"IRIW+addr+addr", 1, seen_iriw, {wx, wy, rxy_addr, ryx_addr}},
    {"IRIW+rel+acq", 1, seen_iriw, {wx_rel, wy_rel, rxy_acq, ryx_acq}},
    {"S", 0, seen_s, {s_w, s_r}},
    {"S+dmb+data", 1, seen_s, {s_w_dmb, s_r_data}},
    {"S+rel+acq", 1, seen_s, {s_w_rel, s_r_acq}},
    {"R", 0, seen_r, {r_w, r_r}},
    {"R+dmb+dmb", 1, seen_r, {r_w_dmb, r_r_dmb}},
    {"R+dmb+stlr-ldar", 1, seen_r, {r_w_dmb, r_r_sc}},
    {"2+2W", 0, seen_2w, {w2_0, w2_1}},
    {"2+2W+dmb+dmb.st", 1, seen_2w, {w2_0_dmb, w2_1_st}},
    {"2+2W+rel+rel", 1, seen_2w, {w2_0_rel, w2_1_rel}},
    {"CoRR", 1, seen_corr, {co_w, co_rr}},
    {"CoRW", 1, seen_corw, {co_w, co_rw}},
    {"CoWR", 1, seen_cowr, {co_w, co_wr}},
    {"8 bytes", 1, seen_part, {whole_w, whole_r}},
#ifdef __arm__
    {"8 bytes+ldrexd", 1, seen_part, {whole_w, whole_ex}},
#endif
    {"WRC+data+addr", 1, seen_wrc, {wx, wrc_1, wrc_2}},
};

static pthread_barrier_t barrier;
static atomic_int next;
static long rounds;
static long seen;

static void *body(void *a)
{
    int me = (int)(long)a;
    for (const struct test *t = tests; t < tests + sizeof tests / sizeof *tests; t++) {
        for (long r = 0; r < rounds; r++) {
            if (!me) {
                memset(cells, 0, sizeof cells);
                next = 0;
            }
            pthread_barrier_wait(&barrier);
            code *mine = t->threads[me];
            if (mine) {
                // All of a test go over the cells in the same direction, at about the same time.
                for (int i = 0; i < CELLS; i++) {
                    if (i % 128 == 0) {
                        // Meet, without a system call unless a processor is short.
                        int threads = t->threads[3] ? 4 : t->threads[2] ? 3 : 2;
                        next++;
                        for (int k = 0; next < (i / 128 + 1) * threads; k++)
                            if (k > (threads == 2 ? 20000 : 500)) sched_yield();
                    }
                    mine(&cells[i].x, &cells[i].y, cells[i].r);
                }
            }
            pthread_barrier_wait(&barrier);
            if (!me) {
                for (int i = 0; i < CELLS; i++) seen += t->seen(&cells[i]);
            }
        }
        if (!me) {
            if (getenv("LITMUS_VERBOSE")) fprintf(stderr, "%s: %ld\n", t->name, seen);
            if (seen && t->forbidden) printf("%s: %ld\n", t->name, seen);
            seen = 0;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    rounds = argc > 1 ? atol(argv[1]) : 10;
    pthread_t t[4];
    pthread_barrier_init(&barrier, 0, 4);
    for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, body, (void *)i);
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    printf("%d tests\n", (int)(sizeof tests / sizeof *tests));
    return 0;
}
