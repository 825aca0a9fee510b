// Functions that guest/poly-threads.c changes while threads execute them, each in a page of its own, as A32 or T32 code. What is
// changed are aligned words.
    .syntax unified
    .arch armv8-a
#ifdef __thumb__
    .thumb
#define WIDE(instruction) instruction.w
#else
#define WIDE(instruction) instruction
#endif
    .text

    .macro function name
    .balign 4096
    .global \name
    .type \name, %function
\name:
    .endm
    .macro done name
    .size \name, . - \name
    .endm
    .macro site name
    .balign 4
    .global \name
\name:
    .endm

// Counts at r0 until the no-operation is a jump out of the loop.
    function t_loop
1:  ldr r1, [r0]
    add r1, r1, #1
    str r1, [r0]
    site t_loop_site
    WIDE(nop)
    WIDE(b) 1b
    mov r0, #7
    bx lr
    done t_loop

// The same with hardly any access: every 4,096 turns.
    function t_clean
    mov r2, #0
1:  add r2, r2, #1
    lsls r3, r2, #20
    bne 2f
    str r2, [r0]
2:  site t_clean_site
    WIDE(nop)
    WIDE(b) 1b
    mov r0, #7
    bx lr
    done t_clean

// The loop's condition is what it calls.
    function t_callee_loop
    push {r4, lr}
    mov r4, r0
1:  ldr r1, [r4]
    add r1, r1, #1
    str r1, [r4]
    bl t_callee
    cmp r0, #0
    beq 1b
    mov r0, #7
    pop {r4, pc}
    done t_callee_loop
    function t_callee
    site t_callee_site
    WIDE(mov) r0, #0
    bx lr
    done t_callee

// Most time passes in what it calls, which stays as it is.
    function t_outer
    push {r4, lr}
    mov r4, r0
1:  mov r0, r4
    bl t_inner
    site t_outer_site
    WIDE(nop)
    WIDE(b) 1b
    mov r0, #7
    pop {r4, pc}
    done t_outer
    function t_inner
    mov r2, #100
1:  ldr r1, [r0]
    add r1, r1, #1
    str r1, [r0]
    subs r2, r2, #1
    bne 1b
    bx lr
    done t_inner

// Short host instructions, so that threads stand among the first bytes.
    function t_entry
    site t_entry_site
    WIDE(add) r0, r0, #1
    bx lr
    done t_entry

    function t_probe
    mov r1, r0
    site t_probe_site
    WIDE(add) r0, r0, #1
    bx lr
    done t_probe

// Adds one to r0 in each turn, noted at r1, until the third word there is set.
    function t_probed
1:  site t_probed_site
    WIDE(add) r0, r0, #1
    str r0, [r1]
    ldr r2, [r1, #8]
    cmp r2, #0
    beq 1b
    bx lr
    done t_probed
    .balign 4096

// What is written there.
    .global t_leave, t_one, t_add_one, t_add_two, t_break
t_leave:
    WIDE(b) . + 8
t_one:
    WIDE(mov) r0, #1
t_add_one:
    WIDE(add) r0, r0, #1
t_add_two:
    WIDE(add) r0, r0, #2
t_break:
#ifdef __thumb__
    .inst.w 0xf7f0a000
#else
    .inst 0xe7f001f0
#endif
    .section .note.GNU-stack, "", %progbits
