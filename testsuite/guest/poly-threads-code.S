// Functions that guest/poly-threads.c changes while threads execute them, each in a page of its own.
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

// Counts at x0 until the no-operation is a jump out of the loop.
    function t_loop
1:  ldr x1, [x0]
    add x1, x1, #1
    str x1, [x0]
    .global t_loop_site
t_loop_site:
    nop
    b 1b
    mov x0, #7
    ret
    done t_loop

// The same with hardly any access: every 4,096 turns.
    function t_clean
    mov x2, #0
1:  add x2, x2, #1
    tst x2, #4095
    b.ne 2f
    str x2, [x0]
2:
    .global t_clean_site
t_clean_site:
    nop
    b 1b
    mov x0, #7
    ret
    done t_clean

// The loop's condition is what it calls.
    function t_callee_loop
    stp x29, x30, [sp, #-32]!
    str x19, [sp, #16]
    mov x19, x0
1:  ldr x1, [x19]
    add x1, x1, #1
    str x1, [x19]
    bl t_callee
    cbz w0, 1b
    mov x0, #7
    ldr x19, [sp, #16]
    ldp x29, x30, [sp], #32
    ret
    done t_callee_loop
    function t_callee
    .global t_callee_site
t_callee_site:
    mov w0, #0
    ret
    done t_callee

// Most time passes in what it calls, which stays as it is.
    function t_outer
    stp x29, x30, [sp, #-32]!
    str x19, [sp, #16]
    mov x19, x0
1:  mov x0, x19
    bl t_inner
    .global t_outer_site
t_outer_site:
    nop
    b 1b
    mov x0, #7
    ldr x19, [sp, #16]
    ldp x29, x30, [sp], #32
    ret
    done t_outer
    function t_inner
    mov w2, #100
1:  ldr x1, [x0]
    add x1, x1, #1
    str x1, [x0]
    subs w2, w2, #1
    b.ne 1b
    ret
    done t_inner

// Short host instructions, so that threads stand among the first bytes.
    function t_entry
    .global t_entry_site
t_entry_site:
    add x0, x0, #1
    ret
    done t_entry

    function t_probe
    mov x1, x0
    .global t_probe_site
t_probe_site:
    add x0, x0, #1
    ret
    done t_probe

// Adds one to x0 in each turn, noted at x1, until the third word there is set.
    function t_probed
1:
    .global t_probed_site
t_probed_site:
    add x0, x0, #1
    str x0, [x1]
    ldr x2, [x1, #16]
    cbz x2, 1b
    ret
    done t_probed
    .balign 4096

// What is written there.
    .global t_leave, t_one, t_add_one, t_add_two, t_break
t_leave:
    b . + 8
t_one:
    mov w0, #1
t_add_one:
    add x0, x0, #1
t_add_two:
    add x0, x0, #2
t_break:
    brk #0
    .section .note.GNU-stack, "", %progbits
