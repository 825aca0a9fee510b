// faults-loops.S for AArch32: loops that fault in their middle, after many iterations, with every register live, as A32 or as T32
// code, whichever the assembler is told. Table and driver: faults32.c.
//
// Registers: r0 address, r1 counter; r7, r8, d16–d19 belong to the access; all others are worked on between accesses.
    .syntax unified
    .arch armv8-a
    .fpu neon-fp-armv8
#ifdef __thumb__
    .thumb
#endif

    .equ UNMAPPED, 0
    .equ READONLY, 1
    .equ ALIGN, 2
    .equ JUMP, 3
    .equ TRAP, 4

// A row of the table (`struct row`). `parts`: core registers (bits 15:0) of which qemu may have loaded some; bit 16: d16–d19.
    .macro ROW name, function, kind, start, parts
    .pushsection .rodata.names, "aS"
99: .asciz "\name"
    .popsection
    .pushsection .data.rel.ro.rows, "aw"
    .word 99b, \function, \kind, \start, \parts
    .popsection
    .endm

    .section .data.rel.ro.rows, "aw"
    .globl rows
    .p2align 2
rows:

    .macro BEFORE
    adds r2, r2, r3
    adc r4, r4, r5
    eor r6, r6, r2, ror #7
    uadd8 r9, r9, r2
    qadd r10, r10, r6
    sel r11, r11, r2
    vadd.i32 q1, q1, q2
    vadd.f64 d6, d6, d7
    vcmp.f64 d6, d7
    vqadd.s16 q4, q4, q5
    subs r1, r1, #1
    .endm
    .macro AFTER
    it hi
    addhi r12, r12, #1
    it mi
    movmi r6, r2
    eor r3, r3, r7
    add r5, r5, r8, lsr #5
    veor q5, q5, q8
    vadd.f64 d28, d28, d6
    vmul.f32 s28, s28, s29
    .endm

    .macro LOOP name, kind, start, parts, access
    .text
    .p2align 2
    .type l_\name, %function
l_\name:
1:  BEFORE
    \access
    AFTER
    cmp r1, #0
    bne 1b
    bx lr
    .size l_\name, . - l_\name
    ROW \name, l_\name, \kind, \start, \parts
    .p2align 2
    .type c_\name, %function
c_\name:
    push {r4, lr}
1:  bl helper
    BEFORE
    \access
    AFTER
    cmp r1, #0
    bne 1b
    pop {r4, pc}
    .size c_\name, . - c_\name
    ROW "\name in a calling function", c_\name, \kind, \start, \parts
    .endm

    .text
    .type helper, %function
helper:
    add r9, r9, r10
    bx lr
    .size helper, . - helper
    .type good, %function
good:
    add r9, r9, r10
    bx lr
    .size good, . - good

    LOOP ldr, UNMAPPED, 4, 0, "ldr r7, [r0] ; add r0, r0, #16"
    LOOP ldr_pre, UNMAPPED, 4, 0, "ldr r7, [r0, #16]!"
    LOOP ldr_post, UNMAPPED, 4, 0, "ldr r7, [r0], #16"
    LOOP ldr_crossing, UNMAPPED, 14, 0, "ldr r7, [r0], #16"
    LOOP ldrb, UNMAPPED, 0, 0, "ldrb r7, [r0], #16"
    LOOP ldrsh, UNMAPPED, 2, 0, "ldrsh r7, [r0], #16"
    LOOP ldrd, UNMAPPED, 0, 0x180, "ldrd r8, r9, [r0], #16 ; mov r7, r9"
    LOOP ldrd_second, UNMAPPED, 12, 0x300, "ldrd r8, r9, [r0], #16 ; mov r7, r9"
    LOOP ldm, UNMAPPED, 8, 0x380, "ldmia r0, {r7, r8, r9, r10} ; add r0, r0, #16"
    LOOP ldm_writeback, UNMAPPED, 8, 0xf80, "ldmia r0!, {r7, r8, r9, r11}"
    LOOP ldmdb, UNMAPPED, 8, 0xf80, "ldmdb r0, {r7, r8} ; add r0, r0, #16"
    LOOP ldm_base, UNMAPPED, 12, 0x1ff, "mov r7, r0 ; ldmia r7, {r7, r8} ; add r0, r0, #16"
    LOOP str, READONLY, 4, 0, "str r2, [r0], #16"
    LOOP str_pre, UNMAPPED, 4, 0, "str r2, [r0, #16]!"
    LOOP strb, READONLY, 1, 0, "strb r2, [r0], #16"
    LOOP strh_crossing, UNMAPPED, 15, 0, "strh r2, [r0], #16"
    LOOP strd_second, READONLY, 12, 0, "strd r2, r3, [r0], #16"
    LOOP stm, UNMAPPED, 8, 0, "stmia r0, {r2, r3, r4, r5} ; add r0, r0, #16"
    LOOP stm_writeback, READONLY, 8, 0, "stmia r0!, {r2, r3, r4, r6}"
    LOOP stmdb, UNMAPPED, 8, 0, "add r0, r0, #32 ; stmdb r0!, {r2, r3, r4, r6}"
    LOOP vldr, UNMAPPED, 12, 0, "vldr d16, [r0] ; add r0, r0, #16"
    LOOP vldr_s, UNMAPPED, 4, 0, "vldr s30, [r0] ; add r0, r0, #16"
    LOOP vldm, UNMAPPED, 8, 0x10000, "vldmia r0, {d16-d19} ; add r0, r0, #16"
    LOOP vldm_writeback, UNMAPPED, 24, 0x10000, "vldmia r0!, {d16-d19}"
    LOOP vstm, READONLY, 8, 0, "vstmia r0!, {d2-d3}"
    LOOP vstm_db, UNMAPPED, 8, 0, "add r0, r0, #32 ; vstmdb r0!, {d2-d3}"
    LOOP vld1, UNMAPPED, 8, 0x10000, "vld1.8 {d16-d17}, [r0]!"
    LOOP vld2, UNMAPPED, 16, 0x10000, "vld2.16 {d16-d19}, [r0]!"
    LOOP vld3_lane, UNMAPPED, 6, 0x10000, "vld3.32 {d16[1], d17[1], d18[1]}, [r0] ; add r0, r0, #16"
    LOOP vld4_all, UNMAPPED, 14, 0x10000, "vld4.8 {d16[], d17[], d18[], d19[]}, [r0] ; add r0, r0, #16"
    LOOP vst1, READONLY, 8, 0, "vst1.8 {d2-d3}, [r0]!"
    LOOP vst2, UNMAPPED, 16, 0, "vst2.16 {d2-d5}, [r0]!"
    LOOP vst4_lane, READONLY, 8, 0, "vst4.32 {d2[1], d3[1], d4[1], d5[1]}, [r0] ; add r0, r0, #16"
    LOOP ldrex, UNMAPPED, 4, 0, "ldrex r7, [r0] ; add r7, r7, r2 ; strex r8, r7, [r0] ; add r0, r0, #16"
    LOOP strex, READONLY, 4, 0, "5: ldrex r7, [r0] ; strex r8, r2, [r0] ; cmp r8, #0 ; bne 5b ; add r0, r0, #16"
    LOOP ldrexd, UNMAPPED, 8, 0, "ldrexd r6, r7, [r0] ; strexd r8, r2, r3, [r0] ; add r0, r0, #16"
    LOOP strexb, READONLY, 3, 0, "5: ldrexb r7, [r0] ; strexb r8, r2, [r0] ; cmp r8, #0 ; bne 5b ; add r0, r0, #16"
    LOOP lda, UNMAPPED, 4, 0, "lda r7, [r0] ; add r0, r0, #16"
    LOOP stl, READONLY, 4, 0, "stl r2, [r0] ; add r0, r0, #16"
    LOOP ldrex_misaligned, ALIGN, 4, 0, "ldrex r7, [r0] ; strex r8, r2, [r0] ; add r0, r0, #16 ; cmp r1, #600 ; it eq ; addeq r0, r0, #1"
    LOOP ldrexd_misaligned, ALIGN, 8, 0, "ldrexd r6, r7, [r0] ; strexd r8, r2, r3, [r0] ; add r0, r0, #16 ; cmp r1, #600 ; it eq ; addeq r0, r0, #4"
    LOOP lda_misaligned, ALIGN, 4, 0, "lda r7, [r0] ; add r0, r0, #16 ; cmp r1, #600 ; it eq ; addeq r0, r0, #2"
    LOOP vldr_misaligned, ALIGN, 4, 0, "vldr d16, [r0] ; add r0, r0, #16 ; cmp r1, #600 ; it eq ; addeq r0, r0, #2"
    LOOP vstr_misaligned, ALIGN, 4, 0, "vstr s3, [r0] ; add r0, r0, #16 ; cmp r1, #600 ; it eq ; addeq r0, r0, #1"
    LOOP vldm_misaligned, ALIGN, 4, 0, "vldmia r0!, {d16-d17} ; cmp r1, #600 ; it eq ; addeq r0, r0, #2"

// Conditional accesses: in the middle of IT blocks, or A32's.
    LOOP ldr_conditional, UNMAPPED, 4, 0, "tst r1, #1 ; itee ne ; addne r0, r0, #8 ; ldreq r7, [r0] ; addeq r0, r0, #24"
    LOOP str_conditional, READONLY, 4, 0, "cmp r1, #1 ; ittt ge ; addge r0, r0, #16 ; strge r2, [r0] ; addge r6, r6, #3"
    LOOP ldrd_conditional, UNMAPPED, 12, 0x300, "cmp r1, #0 ; itet pl ; ldrdpl r8, r9, [r0] ; movmi r9, r2 ; addpl r0, r0, #16"
    LOOP ldm_conditional, UNMAPPED, 12, 0x380, "tst r1, #3 ; ite ne ; ldmiane r0!, {r7, r8, r9, r10} ; ldmiaeq r0!, {r8, r9, r10, r11}"
    LOOP vldr_conditional, UNMAPPED, 8, 0, "tst r1, #1 ; itet ne ; vldrne d16, [r0] ; vldreq d17, [r0] ; addne r0, r0, #32"
    LOOP strex_conditional, READONLY, 4, 0, "5: ldrex r7, [r0] ; cmp r1, #0 ; ittee ge ; strexge r8, r2, [r0] ; addge r7, r7, #16 ; movlt r8, #0 ; addlt r0, r0, #1 ; cmp r8, #0 ; bne 5b ; add r0, r0, #16"

// Jumps: r6 is where to when the counter is a multiple of 256; the handler goes on at r11.
    LOOP blx, JUMP, 1, 0, "mov r7, lr ; adr r11, 6f ; ldr r8, =good ; tst r1, #255 ; it eq ; ldreq r8, =jump_to ; it eq ; ldreq r8, [r8] ; blx r8 ; .p2align 2 ; 6: mov lr, r7"
    LOOP bx, JUMP, 1, 0, "adr r11, 6f ; ldr r8, =jump_to ; ldr r8, [r8] ; tst r1, #255 ; bne 6f ; bx r8 ; .p2align 2 ; 6: nop"
    LOOP ldr_pc, JUMP, 1, 0, "adr r11, 6f ; ldr r8, =jump_to ; tst r1, #255 ; bne 6f ; ldr pc, [r8] ; .p2align 2 ; 6: nop"
    LOOP pop_pc, JUMP, 1, 0, "adr r11, 6f ; ldr r8, =jump_to ; ldr r8, [r8] ; tst r1, #255 ; bne 6f ; push {r7, r8} ; pop {r7, pc} ; .p2align 2 ; 6: nop"
    LOOP bx_conditional, JUMP, 1, 0, "adr r11, 6f ; ldr r8, =jump_to ; ldr r8, [r8] ; tst r1, #255 ; itt eq ; addeq r9, r9, #1 ; bxeq r8 ; .p2align 2 ; 6: nop"

// Traps: when the counter is a multiple of 256; the handler goes on behind the instruction.
    LOOP udf, TRAP, 0, 0, "tst r1, #255 ; bne 5f ; udf #7 ; 5: nop"
    LOOP bkpt, TRAP, 0, 0, "tst r1, #255 ; bne 5f ; bkpt #3 ; 5: nop"
#ifdef __thumb__
    LOOP udf_w, TRAP, 0, 0, "tst r1, #255 ; bne 5f ; udf.w #300 ; 5: nop"
    LOOP udf_in_it, TRAP, 0, 0, "tst r1, #255 ; ittt eq ; addeq r6, r6, #1 ; .inst.n 0xde07 ; addeq r6, r6, #5"
    LOOP breakpoint, TRAP, 0, 0, "tst r1, #255 ; bne 5f ; .inst.n 0xde01 ; 5: nop"
    LOOP undefined_coprocessor, TRAP, 0, 0, "tst r1, #255 ; bne 5f ; .inst.w 0xee070510 ; 5: nop"
#else
    LOOP swp, UNMAPPED, 4, 0, ".inst 0xe1007092 ; add r0, r0, #16"
    LOOP swpb, READONLY, 3, 0, ".inst 0xe1407092 ; add r0, r0, #16"
    LOOP undefined_conditional, TRAP, 0, 0, "tst r1, #255 ; .inst 0x07f000f0 ; nop"
    LOOP breakpoint, TRAP, 0, 0, "tst r1, #255 ; bne 5f ; .inst 0xe7f001f0 ; 5: nop"
    LOOP undefined_coprocessor, TRAP, 0, 0, "tst r1, #255 ; bne 5f ; .inst 0xee070510 ; 5: nop"
#endif

    .section .data.rel.ro.rows, "aw"
    .globl rows_end
rows_end:

// void run_case(const struct run *): loads all registers, calls, stores all registers.
    .text
    .p2align 2
    .globl run_case
    .type run_case, %function
run_case:
    push {r0, r4-r11, lr}
    vpush {d8-d15}
    ldr r1, =saved_sp
    mov r2, sp
    str r2, [r1]
    add r1, r0, #64
    vldmia r1!, {d0-d15}
    vldmia r1, {d16-d31}
    mov r1, #0
    vmsr fpscr, r1
    msr APSR_nzcvqg, r1
    ldr sp, [r0, #56]
    ldr lr, [r0, #52]
    ldmia r0, {r0-r12}
    blx lr
    ldr lr, =result
    stmia lr, {r0-r12}
    mov r0, sp
    str r0, [lr, #52]
    mrs r0, APSR
    str r0, [lr, #56]
    vmrs r0, fpscr
    str r0, [lr, #60]
    add r0, lr, #64
    vstmia r0!, {d0-d15}
    vstmia r0, {d16-d31}
    ldr r1, =saved_sp
    ldr sp, [r1]
    vpop {d8-d15}
    pop {r0, r4-r11, pc}
    .size run_case, . - run_case
    .ltorg

    .bss
    .p2align 3
    .globl result, jump_to
result:
    .skip 320
saved_sp:
    .skip 4
jump_to:
    .skip 4
    .section .note.GNU-stack, "", %progbits
