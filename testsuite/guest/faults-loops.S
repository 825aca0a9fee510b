// Loops that fault in their middle, after many iterations, with every register live: the address runs from memory that
// is there into memory that is not. Each access stands in a leaf function, in a function that calls, and in one very
// large function. Table and driver: faults.c.
//
// Registers: x0 address, x1 second buffer, x16 number of the loop in the large function, x26 an offset, x28 counter;
// x7, x8, v16–v19 belong to the access; all others are worked on between accesses.
    .arch armv8.2-a

// Kinds of page that the address runs into (faults.c).
    .equ UNMAPPED, 0
    .equ NONE, 1
    .equ READONLY, 2
    .equ BEYOND, 3
    .equ ALIGN, 4
    .equ NOFAULT, 5
    .equ JUMP, 6
    .equ TRAP, 7
    .equ CHAIN, 8
    .equ PARTS, 16
    .equ OWN, 32

// A row of the table: what to run, how, and what the kernel says (see `struct row`).
    .macro ROW name, function, number, kind, start, esr
    .pushsection .rodata.names, "aS"
99: .asciz "\name"
    .popsection
    .pushsection .data.rel.ro.rows, "aw"
    .quad 99b, \function, \number, \kind, \start, \esr
    .popsection
    .endm

    .section .data.rel.ro.rows, "aw"
    .globl rows
    .hidden rows
    .p2align 3
rows:

// What happens around an access: flags that live across it, integer and vector values of different widths.
    .macro BEFORE
    adds x2, x2, x3
    adc x4, x4, x5
    eor x6, x6, x2, ror #7
    add v1.4s, v1.4s, v2.4s
    fadd d3, d3, d4
    fmul s5, s5, s6
    add w9, w9, w10
    ror x11, x11, #3
    fmla v12.2d, v13.2d, v14.2d
    umov w20, v1.h[3]
    madd x19, x20, x21, x19
    subs x28, x28, #1
    .endm
    .macro AFTER
    cinc x12, x12, hi
    csel x13, x13, x14, mi
    uzp1 v8.16b, v8.16b, v1.16b
    fcvt s9, d3
    eor x15, x15, x7
    add x22, x22, x8, lsr #5
    eor v10.16b, v10.16b, v16.16b
    add d11, d11, d16
    adc x23, x23, x24
    .endm

// One access in its three surroundings.
    .macro LOOP name, kind, start, esr, access
    .text
    .p2align 2
    .type l_\name, %function
l_\name:
1:  BEFORE
    \access
    AFTER
    b.ne 1b
    ret
    .size l_\name, . - l_\name
    ROW \name, l_\name, 0, \kind, \start, \esr

    .type c_\name, %function
c_\name:
    stp x29, x30, [sp, #-32]!
    mov x29, sp
    str x25, [sp, #16]
1:  bl helper
    BEFORE
    \access
    AFTER
    b.ne 1b
    ldr x25, [sp, #16]
    ldp x29, x30, [sp], #32
    ret
    .size c_\name, . - c_\name
    ROW "\name in a calling function", c_\name, 0, \kind, \start, \esr

    .section .text.large, "ax"
    cmp x16, #number
    b.ne 2f
    adr x17, large // an access outside of the loop: another form of checkpoint
    ldr x17, [x17]
1:  BEFORE
    \access
    AFTER
    b.ne 1b
    b large_end
2:
    ROW "\name in a large function", large, number, \kind, \start, \esr
    .set number, number + 1
    .text
    .endm

    .set number, 0
    .section .text.large, "ax"
    .p2align 2
    .type large, %function
large:
    stp x29, x30, [sp, #-16]!
    .rept 380 // blocks enough for this to count as large (pipeline/src/units.rs)
    tbz x16, #40, 3f
    add x16, x16, #1
3:
    .endr
    // Never executed: so many accesses in a loop within a loop that about half of the loops below get no fault labels.
    tbz x16, #40, 5f
3:  add x16, x16, #1
4:  .rept 400
    ldr x17, [x17]
    .endr
    tbnz x16, #41, 4b
    tbnz x16, #42, 3b
5:

    .text
    .type helper, %function
helper:
    add x25, x25, x28, lsl #2
    eor x27, x27, x25
    tbz x27, #0, 1f
    ror x27, x27, #11
1:  ret
    .size helper, . - helper

    .equ READ_MAP, 0x92000007
    .equ READ_ACC, 0x9200000f
    .equ WRITE_MAP, 0x92000047
    .equ WRITE_ACC, 0x9200004f
    .equ READ_ALIGN, 0x92000021
    .equ WRITE_ALIGN, 0x92000061

    LOOP ldrb, UNMAPPED, 3, READ_MAP, "ldrb w7, [x0], #16"
    LOOP ldrsh_pre, NONE, 2, READ_MAP, "ldrsh w7, [x0, #16]!"
    LOOP ldr_w_register, UNMAPPED, 0, READ_MAP, "ldr w7, [x0, w26, uxtw #2] ; add x0, x0, #16"
    LOOP ldrsw_sxtw, NONE, 4, READ_MAP, "ldrsw x7, [x0, w26, sxtw] ; add x0, x0, #16"
    LOOP ldr_x, UNMAPPED, 8, READ_MAP, "ldr x7, [x0, #8] ; add x0, x0, #16"
    LOOP ldr_x_over_base, CHAIN, 0, READ_MAP, "ldr x0, [x0]"
    LOOP ldr_x_crossing, UNMAPPED, 9, READ_MAP, "ldr x7, [x0, #3] ; add x0, x0, #16"
    LOOP ldr_x_file, BEYOND, 8, READ_MAP, "ldr x7, [x0], #16"
    LOOP ldr_w_straight, UNMAPPED, 0, READ_MAP, "ldr w7, [x0], #4"
    LOOP strb_post, READONLY, 1, WRITE_ACC, "strb w2, [x0], #16"
    LOOP strh_pre, UNMAPPED, 2, WRITE_MAP, "strh w2, [x0, #16]!"
    LOOP str_w_register, READONLY, 0, WRITE_ACC, "str w6, [x0, x26, lsl #2] ; add x0, x0, #16"
    LOOP str_x_post, NONE, 8, WRITE_MAP, "str x6, [x0], #16"
    LOOP str_x_file, BEYOND, 8, WRITE_MAP, "str x6, [x0], #16"
    LOOP str_x_crossing, READONLY, 13, WRITE_ACC, "str x6, [x0], #16"
    LOOP ldp_x, UNMAPPED, 0, READ_MAP, "ldp x7, x8, [x0], #16"
    LOOP ldp_x_second, UNMAPPED, 8, READ_MAP, "ldp x7, x8, [x0], #16"
    LOOP ldp_x_second_pre, NONE, 8, READ_MAP, "ldp x7, x8, [x0, #16]!"
    LOOP ldp_over_base, CHAIN, 0, READ_MAP, "ldp x0, x7, [x0]"
    LOOP ldp_over_base_second, CHAIN, 8, READ_MAP, "ldp x7, x0, [x0]"
    LOOP ldpsw_second, UNMAPPED, 12, READ_MAP, "ldpsw x7, x8, [x0] ; add x0, x0, #16"
    LOOP stp_x_second, UNMAPPED, 8, WRITE_MAP, "stp x2, x6, [x0], #16"
    LOOP stp_w_second, READONLY, 12, WRITE_ACC, "stp w2, w6, [x0], #16"
    LOOP stp_x_second_pre, READONLY, 24, WRITE_ACC, "stp x2, x6, [x0, #-16]! ; add x0, x0, #32"
    LOOP ldr_b, UNMAPPED, 1, READ_MAP, "ldr b16, [x0], #16"
    LOOP ldr_h, NONE, 2, READ_MAP, "ldr h16, [x0], #16"
    LOOP ldr_s, UNMAPPED, 4, READ_MAP, "ldr s16, [x0], #16"
    LOOP ldr_d, UNMAPPED, 8, READ_MAP, "ldr d16, [x0], #16"
    LOOP ldr_q, UNMAPPED, 0, READ_MAP, "ldr q16, [x0], #16"
    LOOP ldr_q_crossing, UNMAPPED, 5, READ_MAP, "ldr q16, [x0], #16"
    LOOP str_s, READONLY, 4, WRITE_ACC, "str s5, [x0], #16"
    LOOP str_d, UNMAPPED, 8, WRITE_MAP, "str d3, [x0], #16"
    LOOP str_q, READONLY, 0, WRITE_ACC, "str q12, [x0], #16"
    // A NaN that the host makes with the other sign, and that shows only behind the access.
    LOOP nan_ldr_d, UNMAPPED, 8, READ_MAP, "mov x7, #0x7ff0000000000000 ; fmov d17, x7 ; fsub d16, d17, d17 ; ldr d18, [x0], #16 ; fmul d19, d16, d18"
    LOOP nan_ldr_x, UNMAPPED, 8, READ_MAP, "mov x7, #0x7ff0000000000000 ; fmov d17, x7 ; fsub d16, d17, d17 ; ldr d19, [x0] ; fadd d18, d16, d3 ; ldr x8, [x0], #16 ; fadd d19, d18, d19 ; fmul d18, d19, d17"
    LOOP nan_str_d, READONLY, 8, WRITE_ACC, "mov w7, #0x7f800000 ; fmov s17, w7 ; fsub s16, s17, s17 ; str d3, [x0], #16 ; fmul s19, s16, s5"
    LOOP nan_ldr_q, UNMAPPED, 0, READ_MAP, "mov x7, #0x7ff0000000000000 ; dup v17.2d, x7 ; fsub v16.2d, v17.2d, v17.2d ; ldr q18, [x0], #16 ; fmul v19.2d, v16.2d, v18.2d"
    LOOP ldp_q_second, UNMAPPED|PARTS, 16, READ_MAP, "ldp q16, q17, [x0], #32"
    LOOP ldp_d_second, UNMAPPED|PARTS, 8, READ_MAP, "ldp d16, d17, [x0], #16"
    LOOP stp_q_second, READONLY, 16, WRITE_ACC, "stp q12, q1, [x0], #32"
    LOOP stp_d_second, UNMAPPED, 8, WRITE_MAP, "stp d3, d12, [x0], #16"
    LOOP ld1, UNMAPPED, 0, READ_MAP, "ld1 {v16.16b}, [x0], #16"
    LOOP ld1_four, UNMAPPED|PARTS, 32, READ_MAP, "ld1 {v16.4s-v19.4s}, [x0], #64"
    LOOP ld2, NONE|PARTS, 16, READ_MAP, "ld2 {v16.8h, v17.8h}, [x0], #32"
    LOOP ld3, UNMAPPED|PARTS, 16, READ_MAP, "ld3 {v16.2d-v18.2d}, [x0], #48"
    LOOP ld4, UNMAPPED|PARTS, 32, READ_MAP, "ld4 {v16.4s-v19.4s}, [x0], #64"
    LOOP ld4_bytes, NONE|PARTS, 48, READ_MAP, "ld4 {v16.16b-v19.16b}, [x0], #64"
    LOOP ld4_lane, UNMAPPED|PARTS, 8, READ_MAP, "ld4 {v16.s-v19.s}[2], [x0], #16"
    LOOP ld1r, UNMAPPED, 4, READ_MAP, "ld1r {v16.4s}, [x0] ; add x0, x0, #16"
    LOOP ld3r, UNMAPPED|PARTS, 8, READ_MAP, "ld3r {v16.4s-v18.4s}, [x0] ; add x0, x0, #16"
    LOOP st1, READONLY, 0, WRITE_ACC, "st1 {v1.16b}, [x0], #16"
    LOOP st2, UNMAPPED, 16, WRITE_MAP, "st2 {v1.4s, v2.4s}, [x0], #32"
    LOOP st3_lane, READONLY, 8, WRITE_ACC, "st3 {v1.s-v3.s}[1], [x0] ; add x0, x0, #16"
    LOOP st4, UNMAPPED, 32, WRITE_MAP, "st4 {v1.2d-v4.2d}, [x0], #64"
    LOOP ldxr, UNMAPPED, 8, READ_MAP, "ldxr x7, [x0] ; add x7, x7, x2 ; stxr w8, x7, [x0] ; add x0, x0, #16"
    LOOP stxr, READONLY, 8, WRITE_ACC, "5: ldxr x7, [x0] ; add x7, x7, x2 ; stxr w8, x7, [x0] ; cbnz w8, 5b ; add x0, x0, #16"
    LOOP ldaxp, UNMAPPED, 0, READ_MAP, "ldaxp x7, x8, [x0] ; stlxp w8, x7, x6, [x0] ; add x0, x0, #16"
    LOOP stlxp, READONLY, 0, WRITE_ACC, "5: ldaxp x7, x8, [x0] ; stlxp w8, x7, x6, [x0] ; cbnz w8, 5b ; add x0, x0, #16"
    LOOP ldar, UNMAPPED, 4, READ_MAP, "ldar w7, [x0] ; add x0, x0, #16"
    LOOP stlr, READONLY, 8, WRITE_ACC, "stlr x6, [x0] ; add x0, x0, #16"
    LOOP ldapr, UNMAPPED, 8, READ_MAP, ".inst 0xf8bfc007 ; add x0, x0, #16"
    LOOP ldadd, UNMAPPED, 8, READ_MAP, "ldadd x2, x7, [x0] ; add x0, x0, #16"
    LOOP ldaddal_w, READONLY, 4, WRITE_ACC, "ldaddal w2, w7, [x0] ; add x0, x0, #16"
    LOOP swp, NONE, 8, READ_MAP, "swp x2, x7, [x0] ; add x0, x0, #16"
    LOOP swpab, READONLY, 3, WRITE_ACC, "swpab w2, w7, [x0] ; add x0, x0, #16"
    LOOP ldsmax, UNMAPPED, 4, READ_MAP, "ldsmax w2, w7, [x0] ; add x0, x0, #16"
    LOOP ldumin, READONLY, 8, WRITE_ACC, "ldumin x2, x7, [x0] ; add x0, x0, #16"
    LOOP stset, READONLY, 8, WRITE_ACC, "stset x2, [x0] ; add x0, x0, #16"
    LOOP ldclr, UNMAPPED, 4, READ_MAP, "ldclr w2, w7, [x0] ; add x0, x0, #16"
    LOOP cas, UNMAPPED, 8, READ_MAP, "cas x7, x2, [x0] ; add x0, x0, #16"
    LOOP casal_fails, READONLY, 4, WRITE_ACC, "casal w6, w2, [x0] ; add x0, x0, #16"
    LOOP casp, UNMAPPED, 0, READ_MAP, "caspal x14, x15, x10, x11, [x0] ; add x0, x0, #16"
    LOOP dc_zva, UNMAPPED|OWN, 0, WRITE_MAP, "dc zva, x0 ; add x0, x0, #64"
    LOOP dc_zva_acc, READONLY|OWN, 0, WRITE_ACC, "dc zva, x0 ; add x0, x0, #64"
    LOOP prfm, NOFAULT, 0, 0, "prfm pldl1keep, [x0, x26] ; prfm pstl2strm, [x0] ; add x0, x0, #16"
    LOOP ldxr_misaligned, ALIGN, 8, READ_ALIGN, "5: ldxr x7, [x0] ; stxr w8, x2, [x0] ; cbnz w8, 5b ; add x0, x0, #16 ; cmp x28, #600 ; cinc x0, x0, eq ; cmp x28, #0"
    LOOP stxr_misaligned, ALIGN|OWN, 8, WRITE_ALIGN, "ldxr x7, [x1] ; stxr w8, x2, [x0] ; add x0, x0, #16 ; cmp x28, #600 ; cinc x0, x0, eq ; cmp x28, #0"
    LOOP ldadd_misaligned, ALIGN, 4, READ_ALIGN, "ldadd w2, w7, [x0] ; add x0, x0, #16 ; cmp x28, #600 ; cinc x0, x0, eq ; cmp x28, #0"
    LOOP casp_misaligned, ALIGN, 0, READ_ALIGN, "casp x14, x15, x10, x11, [x0] ; add x0, x0, #16 ; cmp x28, #600 ; cinc x0, x0, eq ; cmp x28, #0"
    LOOP ldar_misaligned, ALIGN, 8, READ_ALIGN, "ldar x7, [x0] ; add x0, x0, #16 ; cmp x28, #600 ; cinc x0, x0, eq ; cmp x28, #0"
    LOOP literal, JUMP, 0, READ_MAP, "ldr x7, literal_word"

// Jumps: x26 is where to when the counter is a multiple of 256, x25 a function that returns, x24 where to go on.
    LOOP blr, JUMP, 1, 0, "adr x24, 6f ; adr x25, good ; tst x28, #255 ; csel x7, x26, x25, eq ; cmp x28, #0 ; mov x8, x30 ; blr x7 ; 6: mov x30, x8"
    LOOP br, JUMP, 1, 0, "adr x24, 6f ; tst x28, #255 ; csel x7, x26, x24, eq ; cmp x28, #0 ; br x7 ; 6: nop"
    LOOP ret, JUMP, 1, 0, "adr x24, 6f ; tst x28, #255 ; csel x7, x26, x24, eq ; cmp x28, #0 ; mov x8, x30 ; mov x30, x7 ; ret ; 6: mov x30, x8"

// Traps: when the counter is a multiple of 256.
    LOOP udf, TRAP, 0, 0, "tst x28, #255 ; b.ne 5f ; udf #7 ; 5: cmp x28, #0"
    LOOP undefined, TRAP, 0, 0, "tst x28, #255 ; b.ne 5f ; .inst 0xffffffff ; 5: cmp x28, #0"
    LOOP reserved, TRAP, 0, 0, "tst x28, #255 ; b.ne 5f ; .inst 0x1ea04000 ; 5: cmp x28, #0"
    LOOP privileged, TRAP, 0, 0, "tst x28, #255 ; b.ne 5f ; mrs x7, sctlr_el1 ; 5: cmp x28, #0"
    LOOP hvc, TRAP, 0, 0, "tst x28, #255 ; b.ne 5f ; hvc #1 ; 5: cmp x28, #0"
    LOOP brk, TRAP, 0, 0, "tst x28, #255 ; b.ne 5f ; brk #99 ; 5: cmp x28, #0"
    LOOP brk_call, TRAP, 0, 0, "tst x28, #255 ; b.ne 5f ; mov x8, x30 ; bl trapping ; mov x30, x8 ; 5: cmp x28, #0"

    .section .text.large, "ax"
    brk #1
large_end:
    ldp x29, x30, [sp], #16
    ret
    .size large, . - large

    .section .data.rel.ro.rows, "aw"
    .globl rows_end
    .hidden rows_end
rows_end:

    .text
    .type good, %function
good:
    add x9, x9, x10
    ret
    .size good, . - good
    .type trapping, %function
trapping:
    add x9, x9, x10
    brk #100
    sub x9, x9, x11
    ret
    .size trapping, . - trapping

// void run_case(const struct run *): loads all registers, calls, stores all registers.
    .globl run_case
    .type run_case, %function
run_case:
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
    adrp x9, saved_sp
    mov x10, sp
    str x10, [x9, :lo12:saved_sp]
    mov x17, x0
    add x9, x17, #272
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ldr q\n, [x9], #16
    .endr
    msr fpcr, xzr
    msr fpsr, xzr
    msr nzcv, xzr
    ldr x9, [x17, #264]
    mov sp, x9
    ldp x0, x1, [x17]
    ldp x2, x3, [x17, #16]
    ldp x4, x5, [x17, #32]
    ldp x6, x7, [x17, #48]
    ldp x8, x9, [x17, #64]
    ldp x10, x11, [x17, #80]
    ldp x12, x13, [x17, #96]
    ldp x14, x15, [x17, #112]
    ldp x18, x19, [x17, #144]
    ldp x20, x21, [x17, #160]
    ldp x22, x23, [x17, #176]
    ldp x24, x25, [x17, #192]
    ldp x26, x27, [x17, #208]
    ldp x28, x29, [x17, #224]
    ldr x16, [x17, #128]
    ldr x17, [x17, #256]
    blr x17
    adrp x17, result
    add x17, x17, :lo12:result
    stp x0, x1, [x17]
    stp x2, x3, [x17, #16]
    stp x4, x5, [x17, #32]
    stp x6, x7, [x17, #48]
    stp x8, x9, [x17, #64]
    stp x10, x11, [x17, #80]
    stp x12, x13, [x17, #96]
    stp x14, x15, [x17, #112]
    stp x16, xzr, [x17, #128]
    stp x18, x19, [x17, #144]
    stp x20, x21, [x17, #160]
    stp x22, x23, [x17, #176]
    stp x24, x25, [x17, #192]
    stp x26, x27, [x17, #208]
    stp x28, x29, [x17, #224]
    mov x9, sp
    mrs x10, nzcv
    stp x9, x10, [x17, #240]
    mrs x9, fpsr
    mrs x10, fpcr
    stp x9, x10, [x17, #256]
    add x9, x17, #272
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    str q\n, [x9], #16
    .endr
    adrp x9, saved_sp
    ldr x10, [x9, :lo12:saved_sp]
    mov sp, x10
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
    .size run_case, . - run_case

// A word that `ldr` (literal) reads, on a page of its own, which loses its permissions.
    .p2align 12
    .globl literal_word
literal_word:
    .quad 0x1122334455667788
    .p2align 12

    .bss
    .p2align 4
saved_sp:
    .skip 16
    .globl result
result:
    .skip 784
    .section .note.GNU-stack, "", %progbits
