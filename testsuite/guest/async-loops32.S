// async-loops.S for A32 and T32: loops in which the pc implies relations between registers. Each instruction says in a table what
// it does (async32.h reads it), because the two encodings differ. Counters: r1–r9 (add #1, or loaded), d0–d7 (vadd with 1.0),
// q8–q11 (vector add of ones), words at r10 (stored). r12 ends the loop when it becomes 0; r7/r8 and r0/r11 are what flags are
// computed from.
    .syntax unified
    .arch armv8-a
    .fpu crypto-neon-fp-armv8
#ifdef __thumb__
    .thumb
#endif

// Effects: counters by register (d0–d7 at bit 16, q8–q11 at bit 24), and kinds (see async32.h).
#define C(r) (1 << (r))
#define D(r) (1 << (16 + (r)))
#define Q(r) (1 << (24 + (r) - 8))
#define STORE0 1
#define STORE1 2
#define WRITTEN(n) (0x80 | (n) << 4)  /* r10 is n words too large from here on */
#define LOOSE 4                       /* memory is old or new here */
#define ADDS 0x100
#define SUBS 0x200
#define EQUAL 0x300
#define UNKNOWN 0x400                 /* flags that are not looked at */
#define IT(n) ((n) << 16)             /* ITSTATE before this instruction, if T32 */

    // An instruction with its effects.
    .macro E counted, kind, insn:vararg
90: \insn
    .pushsection .data.rel.ro.steps, "aw"
    .word 90b, \counted, \kind, 0
    .popsection
    .endm

    // A call of something that has a table of its own.
    .macro CALL to, insn:vararg
90: \insn
    .pushsection .data.rel.ro.steps, "aw"
    .word 90b, 0, 0, \to\()_steps
    .popsection
    .endm

    .macro STEPS name
    .pushsection .data.rel.ro.steps, "aw"
    .p2align 2
\name\()_steps:
    .popsection
    .endm

    .macro END_STEPS
    .pushsection .data.rel.ro.steps, "aw"
    .word 0, 0, 0, 0
    .popsection
    .endm

    .macro TURN
    E 0, 0, sub r12, r12, #1
    E 0, UNKNOWN, cmp r12, #0
    .endm

    // The macro BODY is the loop's body.
    .macro LOOP name, place
    .section .rodata.names, "aS"
98: .asciz "\name"
99: .asciz "\name in a large function"

    .text
    .p2align 2
    .type a_\place, %function
a_\place:
    push {r4, lr}
    STEPS a_\place
1:  BODY
    TURN
    E 0, 0, bne 1b
    END_STEPS
    pop {r4, pc}
    .size a_\place, . - a_\place
    .section .data.rel.ro.loops, "aw"
    .word 98b, a_\place, a_\place\()_steps, 0

    .section .text.large, "ax"
    cmp r0, #number
    bne 2f
    STEPS b_\place
1:  BODY
    TURN
    E 0, 0, bne 1b
    END_STEPS
    b.w_ large_end
2:
    .section .data.rel.ro.loops, "aw"
    .word 99b, large, b_\place\()_steps, number
    .set number, number + 1
    .purgem BODY
    .endm

    .macro b.w_ to
#ifdef __thumb__
    b.w \to
#else
    b \to
#endif
    .endm

    .section .data.rel.ro.loops, "aw"
    .globl loops
    .hidden loops
    .p2align 2
loops:

    .set number, 0
    .section .text.large, "ax"
    .p2align 2
    .type large, %function
large:
    push {r4, lr}
    .rept 130 // blocks enough for this to count as large
    tst r0, #0x40000000
    beq 3f
    add r0, r0, #1
3:
    .endr

    .macro BODY
    E C(1), 0, add r1, r1, #1
    E C(2), 0, add r2, r2, #1
    E 0, 0, eor r8, r8, r1
    E C(3), 0, add r3, r3, #1
    E 0, 0, ror r8, r8, #7
    E C(4), 0, add r4, r4, #1
    E 0, 0, mla r9, r8, r9, r1
    E C(5), 0, add r5, r5, #1
    E C(6), 0, add r6, r6, #1
    .endm
    LOOP registers, registers

    .macro BODY
    E C(1), 0, add r1, r1, #1
    E 0, ADDS, adds r7, r7, r8
    E C(2), 0, add r2, r2, #1
    E 0, 0, it mi
    E 0, IT(0x48), addmi r9, r9, #1
    E 0, SUBS, subs r0, r0, r11
    E 0, 0, it hi
    E 0, IT(0x88), movhi r9, r0
    E C(3), 0, add r3, r3, #1
    .endm
    LOOP flags, flags

    .macro BODY
    E C(1), 0, add r1, r1, #1
    E 0, STORE0, str r1, [r10]
    E C(2), 0, add r2, r2, #1
    E C(9), 0, ldr r9, [r10]
    E C(3), 0, add r3, r3, #1
    E 0, STORE1, str r3, [r10, #4]
    E 0, 0, eor r8, r8, r9
    E C(7), 0, ldr r7, [r10, #4]
    E C(4), 0, add r4, r4, #1
    .endm
    LOOP memory, memory

    .macro BODY
    E C(1), 0, add r1, r1, #1
    E 0, STORE0, str r1, [r10]
    E C(2), 0, add r2, r2, #1
    E 0, STORE1 | WRITTEN(1), str r2, [r10, #4]!
    E C(3), 0, add r3, r3, #1
    E 0, WRITTEN(0), sub r10, r10, #4
    E C(7), WRITTEN(1), ldr r7, [r10], #4
    E C(4), 0, add r4, r4, #1
    E C(9), WRITTEN(0), ldr r9, [r10, #-4]!
    E C(5), 0, add r5, r5, #1
    .endm
    LOOP writeback, writeback

    .macro BODY
    E C(1), 0, add r1, r1, #1
    E C(2), 0, add r2, r2, #1
    E 0, STORE0 | STORE1 | WRITTEN(2) | LOOSE, stmia r10!, {r1, r2}
    E C(3), 0, add r3, r3, #1
    E C(7) | C(9), WRITTEN(0), ldmdb r10!, {r7, r9}
    E C(4), 0, add r4, r4, #1
    E C(5) | C(6), 0, ldmia r10, {r5, r6}
    E C(8), 0, add r8, r8, #1
    .endm
    LOOP multiples, multiples

    .macro BODY
    E C(1), 0, add r1, r1, #1
    E C(2), 0, add r2, r2, #1
    E C(3), 0, add r3, r3, #1
    E 0, STORE0 | STORE1, strd r2, r3, [r10]
    E C(4), 0, add r4, r4, #1
    E C(8) | C(9), 0, ldrd r8, r9, [r10]
    E C(5), 0, add r5, r5, #1
    .endm
    LOOP pairs, pairs

    .macro BODY
    E C(1), 0, add r1, r1, #1
    E 0, EQUAL, cmp r10, r10
    E 0, 0, itett eq
    E C(2), IT(0x09), addeq r2, r2, #1
    E 0, IT(0x12), addne r8, r8, #5
    E 0, IT(0x04) | STORE0, streq r1, [r10]
    E C(7), IT(0x08), ldreq r7, [r10]
    E C(3), 0, add r3, r3, #1
    E 0, 0, itee eq
    E 0, IT(0x0e) | STORE1, streq r2, [r10, #4]
    E 0, IT(0x1c), strne r8, [r10]
    E 0, IT(0x18), ldrne r8, [r8]
    E C(4), 0, add r4, r4, #1
    .endm
    LOOP conditions, conditions

    .macro BODY
    E C(1), 0, add r1, r1, #1
    CALL leaf, bl leaf
    E C(2), 0, add r2, r2, #1
    CALL storing, bl storing
    E C(3), 0, add r3, r3, #1
    .endm
    LOOP calls, calls

    .macro BODY
    E C(1), 0, add r1, r1, #1
    E 0, 0, movw r9, #:lower16:leaf
    E 0, 0, movt r9, #:upper16:leaf
    CALL leaf, blx r9
    E C(2), 0, add r2, r2, #1
    .endm
    LOOP indirect, indirect

    .macro BODY
    E C(1), 0, add r1, r1, #1
    E D(0), 0, vadd.f64 d0, d0, d15
    E 0, 0, vmul.f64 d12, d12, d13
    E D(1), 0, vadd.f64 d1, d1, d15
    E C(2), 0, add r2, r2, #1
    E D(2), 0, vadd.f64 d2, d2, d15
    E 0, 0, vcvt.f32.f64 s28, d2
    E D(3), 0, vadd.f64 d3, d3, d15
    .endm
    LOOP floating, floating

    .macro BODY
    E Q(8), 0, vadd.i32 q8, q8, q15
    E C(1), 0, add r1, r1, #1
    E 0, 0, vext.8 q12, q8, q9, #3
    E Q(9), 0, vadd.i32 q9, q9, q15
    E D(0), 0, vadd.f64 d0, d0, d15
    E Q(10), 0, vadd.i32 q10, q10, q15
    E 0, 0, vmov.u32 r9, d20[1]
    E C(2), 0, add r2, r2, #1
    .endm
    LOOP vectors, vectors

    .macro BODY
    E C(1), 0, add r1, r1, #1
7:  E 0, 0, ldrex r7, [r10]
    E 0, 0, add r7, r7, r6
    E 0, STORE0, strex r9, r7, [r10]
    E 0, LOOSE | UNKNOWN, cmp r9, #0
    E 0, LOOSE, bne 7b
    E C(2), 0, add r2, r2, #1
    .endm
    LOOP exclusive, exclusive

    .section .text.large, "ax"
    udf #1
large_end:
    pop {r4, pc}
    .ltorg
    .size large, . - large
    .section .data.rel.ro.loops, "aw"
    .globl loops_end
    .hidden loops_end
loops_end:

    .text
    .type leaf, %function
leaf:
    STEPS leaf
    E C(5), 0, add r5, r5, #1
    E 0, 0, eor r8, r8, r5
    E C(6), 0, add r6, r6, #1
    E 0, 0, bx lr
    END_STEPS
    .size leaf, . - leaf
    .type storing, %function
storing:
    STEPS storing
    E C(4), 0, add r4, r4, #1
    E 0, STORE0, str r4, [r10]
    E C(9), 0, ldr r9, [r10]
    E 0, 0, bx lr
    END_STEPS
    .size storing, . - storing

// Recursion: sp and the depth in r4 agree at each place; see async32.h for the offsets.
    .globl recurse_steps
    .hidden recurse_steps
    .type recurse, %function
recurse:
    STEPS recurse
    E 0, 0, push {r6, lr}
    E 0, 0, add r4, r4, #1
    E 0, 0, cmp r4, r5
    E 0, 0, bge 1f
    E 0, 0, bl recurse
1:  E 0, 0, sub r4, r4, #1
    E 0, 0, pop {r6, pc}
    END_STEPS
    .size recurse, . - recurse

// Repeats the recursion until r12 is 0.
    .globl recursing
    .type recursing, %function
recursing:
    push {r6, lr}
1:  bl recurse
    subs r12, r12, #1
    bne 1b
    pop {r6, pc}
    .size recursing, . - recursing

// The smallest loops, whose host code is looked at.
    .globl tight
    .type tight, %function
tight:
    add r0, r0, r1
    eor r0, r0, r0, lsr #3
    subs r1, r1, #1
    bne tight
    bx lr
    .size tight, . - tight
    .globl tight_sum
    .type tight_sum, %function
tight_sum:
    mov r2, #0
1:  ldr r3, [r0], #4
    add r2, r2, r3
    subs r1, r1, #1
    bne 1b
    mov r0, r2
    bx lr
    .size tight_sum, . - tight_sum

// void run_loop(const uint32_t *r, void *function): r0–r12 from memory, d15 = 1.0, q15 = ones, all else 0.
    .globl run_loop
    .type run_loop, %function
run_loop:
    push {r4-r11, lr}
    sub sp, sp, #4
    vpush {d8-d15}
    mov lr, r1
    vmov.i32 q0, #0
    .irp q, q1, q2, q3, q4, q5, q6, q8, q9, q10, q11, q12, q13, q14
    vmov \q, q0
    .endr
    vmov.f64 d15, #1.0
    vmov.i32 q15, #1
    ldmia r0, {r0-r12}
    blx lr
    vpop {d8-d15}
    add sp, sp, #4
    pop {r4-r11, pc}
    .size run_loop, . - run_loop
    .section .note.GNU-stack, "", %progbits
