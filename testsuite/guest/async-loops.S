// Loops in which the pc implies relations between registers: a counter is incremented at one place each, so that all
// counters are equal but for the increments between the loop's head and the pc. async.c walks the code to learn which.
// Counters: x1–x9 (add #1, or loaded), d0–d7 (fadd with 1.0), v16–v23 (vector add of ones), words at x20 (stored).
// x28 ends the loop when it becomes 0; x11/x12 and x10/x13 are what flags are computed from.
    .arch armv8.2-a

    .macro LOOP name, body
    .text
    .p2align 2
    .type a_\name, %function
a_\name:
    mov x25, x30
1:  \body
    sub x28, x28, #1
    cbnz x28, 1b
    mov x30, x25
    ret
    .size a_\name, . - a_\name
    .section .rodata.names, "aS"
98: .asciz "\name"
    .section .data.rel.ro.loops, "aw"
    .quad 98b, a_\name, 1b, 0

    .section .text.large, "ax"
    cmp x16, #number
    b.ne 2f
1:  \body
    sub x28, x28, #1
    cbnz x28, 1b
    b large_end
2:
    .section .rodata.names, "aS"
99: .asciz "\name in a large function"
    .section .data.rel.ro.loops, "aw"
    .quad 99b, large, 1b, number
    .set number, number + 1
    .endm

    .section .data.rel.ro.loops, "aw"
    .globl loops
    .hidden loops
    .p2align 3
loops:

    .set number, 0
    .section .text.large, "ax"
    .p2align 2
    .type large, %function
large:
    stp x29, x30, [sp, #-16]!
    .rept 130 // blocks enough for this to count as large
    tbz x16, #40, 3f
    add x16, x16, #1
3:
    .endr

    LOOP registers, "add x1, x1, #1 ; add x2, x2, #1 ; eor x22, x22, x1 ; add x3, x3, #1 ; ror x22, x22, #7 ; add w4, w4, #1 ; add x5, x5, #1 ; madd x23, x22, x23, x1 ; add x6, x6, #1"
    LOOP flags, "add x1, x1, #1 ; adds x11, x11, x12 ; add x2, x2, #1 ; cinc x22, x22, mi ; subs x10, x10, x13 ; csel x23, x22, x10, hi ; add x3, x3, #1"
    LOOP narrow_flags, "add x1, x1, #1 ; adds w11, w11, w12 ; add x2, x2, #1 ; cinc x22, x22, vs ; add x3, x3, #1"
    LOOP memory, "add x1, x1, #1 ; str x1, [x20] ; add x2, x2, #1 ; ldr x9, [x20] ; add x3, x3, #1 ; str x3, [x20, #8] ; eor x22, x22, x9 ; ldr x8, [x20, #8] ; add x4, x4, #1"
    LOOP writeback, "add x1, x1, #1 ; str x1, [x20] ; add x2, x2, #1 ; str x2, [x20, #8]! ; add x3, x3, #1 ; sub x20, x20, #8 ; ldr x8, [x20] ; add x4, x4, #1"
    LOOP calls, "add x1, x1, #1 ; bl leaf ; add x2, x2, #1 ; bl storing ; add x3, x3, #1"
    LOOP indirect, "add x1, x1, #1 ; adr x22, leaf ; blr x22 ; add x2, x2, #1"
    LOOP floating, "add x1, x1, #1 ; fadd d0, d0, d31 ; fmul d24, d24, d25 ; fadd d1, d1, d31 ; add x2, x2, #1 ; fadd d2, d2, d31 ; fcvt s26, d2 ; fadd d3, d3, d31"
    LOOP vectors, "add v16.4s, v16.4s, v30.4s ; add x1, x1, #1 ; ext v24.16b, v16.16b, v17.16b, #3 ; add v17.4s, v17.4s, v30.4s ; fadd d0, d0, d31 ; add v18.4s, v18.4s, v30.4s ; umov w22, v18.s[2] ; add x2, x2, #1"
    LOOP exclusive, "add x1, x1, #1 ; 7: ldaxr x7, [x20] ; add x7, x7, x24 ; stlxr w22, x7, [x20] ; cbnz w22, 7b ; add x2, x2, #1"
    LOOP atomic, "add x1, x1, #1 ; ldadd x24, x7, [x20] ; add x2, x2, #1 ; swp x2, x7, [x20, #0] ; add x3, x3, #1"

    .section .text.large, "ax"
    brk #1
large_end:
    ldp x29, x30, [sp], #16
    ret
    .size large, . - large
    .section .data.rel.ro.loops, "aw"
    .globl loops_end
    .hidden loops_end
loops_end:

    .text
    .type leaf, %function
leaf:
    add x5, x5, #1
    eor x22, x22, x5
    add x6, x6, #1
    ret
    .size leaf, . - leaf
    .type storing, %function
storing:
    add x4, x4, #1
    str x4, [x20]
    ldr x9, [x20]
    ret
    .size storing, . - storing

// Recursion: sp and the depth in x19 agree at each place; see async.c for the offsets.
    .globl recurse
    .type recurse, %function
recurse:
    stp x29, x30, [sp, #-16]!
    add x19, x19, #1
    cmp x19, x21
    b.ge 1f
    bl recurse
1:  sub x19, x19, #1
    ldp x29, x30, [sp], #16
    ret
    .size recurse, . - recurse

// Repeats the recursion until x28 is 0.
    .globl recursing
    .type recursing, %function
recursing:
    stp x29, x30, [sp, #-16]!
1:  bl recurse
    sub x28, x28, #1
    cbnz x28, 1b
    ldp x29, x30, [sp], #16
    ret
    .size recursing, . - recursing

// The smallest loops, whose host code is looked at.
    .globl tight
    .type tight, %function
tight:
    add x0, x0, x1
    eor x0, x0, x0, lsr #3
    subs x1, x1, #1
    b.ne tight
    ret
    .size tight, . - tight
    .globl tight_sum
    .type tight_sum, %function
tight_sum:
    mov x2, #0
1:  ldr x3, [x0], #8
    add x2, x2, x3
    subs x1, x1, #1
    b.ne 1b
    mov x0, x2
    ret
    .size tight_sum, . - tight_sum

// void run_loop(const uint64_t *x, void *function): x0–x28 from memory, d31 = 1.0, v30 = ones, all else 0.
    .globl run_loop
    .type run_loop, %function
run_loop:
    stp x29, x30, [sp, #-176]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x17, x0
    str x1, [sp, #160]
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
    movi v\n\().2d, #0
    .endr
    fmov d31, #1.0
    fmov d24, #1.5
    fmov d25, #0.5
    movi v30.4s, #1
    msr nzcv, xzr
    ldp x0, x1, [x17]
    ldp x2, x3, [x17, #16]
    ldp x4, x5, [x17, #32]
    ldp x6, x7, [x17, #48]
    ldp x8, x9, [x17, #64]
    ldp x10, x11, [x17, #80]
    ldp x12, x13, [x17, #96]
    ldp x14, x15, [x17, #112]
    ldr x16, [x17, #128]
    ldp x18, x19, [x17, #144]
    ldp x20, x21, [x17, #160]
    ldp x22, x23, [x17, #176]
    ldp x24, x25, [x17, #192]
    ldp x26, x27, [x17, #208]
    ldr x28, [x17, #224]
    ldr x17, [sp, #160]
    blr x17
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    ldp x29, x30, [sp], #176
    ret
    .size run_loop, . - run_loop
    .section .note.GNU-stack, "", %progbits
