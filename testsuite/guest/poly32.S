// Functions that guest/poly32.c changes, each in a page of its own, as A32 or T32 code. They are translated ahead of time.
    .syntax unified
    .arch armv8-a
#ifdef __thumb__
    .thumb
#endif
    .text

    .macro function name
    .balign 4096
    .global \name
    .type \name, %function
\name:
    .endm

    .irp name, f_direct, f_indirect, f_cycle, f_map, f_read, f_fork, f_many, f_revert, f_none, f_tail, f_half, f_atomic, f_double, f_vector, f_stm, f_forgotten, f_other
    function \name
    movw r0, #1
    bx lr
    .size \name, . - \name
    .endr

// Calls its patcher (r0) while active, and goes on behind the call with changed code.
    function f_active
    push {r4, lr}
    blx r0
    .p2align 2
    .global f_active_site
f_active_site:
    movw r0, #1
    pop {r4, pc}
    .size f_active, . - f_active

    function f_outer
    push {r4, lr}
    bl f_middle
    .p2align 2
    .global f_outer_site
f_outer_site:
    movw r1, #1
    add r0, r0, r1
    pop {r4, pc}
    .size f_outer, . - f_outer
    function f_middle
    push {r4, lr}
    blx r0
    movw r0, #10
    pop {r4, pc}
    .size f_middle, . - f_middle

    function f_tail_caller
    b f_tail
    .size f_tail_caller, . - f_tail_caller

// Changes an instruction of its own loop (r0, at the turn r1 of 100) as the architecture asks.
    function f_loop
    push {r4, r5, r6, r7, r8, lr}
    mov r4, r0
    mov r5, #0
    mov r6, #0
    mov r8, r1
1:  cmp r5, r8
    bne 2f
    ldr r0, =2f
    str r4, [r0]
    mov r1, r0
    add r1, r1, #4
    mov r2, #0
    movw r7, #2
    movt r7, #15
    svc #0
    .p2align 2
2:  movw r3, #1
    add r6, r6, r3
    add r5, r5, #1
    cmp r5, #100
    bne 1b
    mov r0, r6
    pop {r4, r5, r6, r7, r8, pc}
    .ltorg
    .size f_loop, . - f_loop

// Loads a constant that changes.
    function f_literal
    ldr r0, literal
    bx lr
    .p2align 2
    .global literal
literal:
    .word 1
    .size f_literal, . - f_literal

// Changes (to r0, at the turn r1 of 100) the constant in the next page that it adds up.
    .balign 4096
    .skip 4000
    .global f_pool
    .type f_pool, %function
f_pool:
    adr r12, pool
    mov r2, #0
    mov r3, #0
1:  cmp r3, r1
    bne 2f
    str r0, [r12]
2:  push {r4}
    ldr r4, pool
    add r2, r2, r4
    pop {r4}
    add r3, r3, #1
    cmp r3, #100
    bne 1b
    mov r0, r2
    bx lr
    .size f_pool, . - f_pool
    .balign 4096
    .global pool
pool:
    .word 1
    .balign 4096
    .section .note.GNU-stack, "", %progbits
