// Functions that guest/poly.c changes, each in a page of its own, so that a page can be replaced. They are translated ahead of
// time; `bl` goes to some of them directly.
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

    .irp name, f_direct, f_forgotten, f_indirect, f_cycle, f_map, f_remap, f_read, f_readv, f_recv, f_pread, f_vm, f_mem, f_alias, f_shared, f_fork, f_many, f_revert, f_atomic, f_pair, f_discard, f_none, f_lost, f_tail, f_byte, f_memcpy, f_handler, f_vector
    function \name
    mov w0, #1
    ret
    done \name
    .endr

// Calls its patcher (x0) while active, and goes on behind the call with changed code.
    function f_active
    stp x29, x30, [sp, #-16]!
    blr x0
    .global f_active_site
f_active_site:
    mov w0, #1
    ldp x29, x30, [sp], #16
    ret
    done f_active

// The same two frames further up, reached by direct calls.
    function f_outer
    stp x29, x30, [sp, #-16]!
    bl f_middle
    .global f_outer_site
f_outer_site:
    add w0, w0, #1
    ldp x29, x30, [sp], #16
    ret
    done f_outer
    function f_middle
    stp x29, x30, [sp, #-16]!
    blr x0
    mov w0, #10
    ldp x29, x30, [sp], #16
    ret
    done f_middle

// Writes the instruction w1 over the next one but one of itself, 50 iterations in; no cache maintenance. w0: the sum.
    function f_loop
    mov w2, #0
    mov w0, #0
    adr x3, 2f
1:  cmp w2, #50
    b.ne 2f
    str w1, [x3]
2:  add w0, w0, #1
    add w2, w2, #1
    cmp w2, #100
    b.ne 1b
    ret
    done f_loop

// The same with all the architecture asks for.
    function f_loop_clean
    mov w2, #0
    mov w0, #0
    adr x3, 2f
1:  cmp w2, #50
    b.ne 2f
    str w1, [x3]
    dc cvau, x3
    dsb ish
    ic ivau, x3
    dsb ish
    isb
2:  add w0, w0, #1
    add w2, w2, #1
    cmp w2, #100
    b.ne 1b
    ret
    done f_loop_clean

// Straight-line: writes w1 through the alias x2 of its own page, with IC on the executable address; no access between
// ISB and the changed instruction. x2: alias address of `2:`.
    function f_alias_line
    adr x3, 2f
    str w1, [x2]
    dc cvau, x2
    dsb ish
    ic ivau, x3
    dsb ish
    isb
2:  mov w0, #1
    ret
    .global f_alias_site
    .set f_alias_site, 2b
    done f_alias_line

// A direct tail call.
    function f_tail_caller
    b f_tail
    done f_tail_caller

// Code and data in one page.
    function f_data
    mov w0, #1
    ret
    done f_data
    .balign 64
    .global near_data
near_data:
    .skip 1024
// Loads a constant that changes.
    function f_literal
    ldr w0, literal
    ret
    .global literal
literal:
    .word 1
    done f_literal

// A system call's result goes into the code of the function that makes it: read(w0, x1, x2) over the instruction behind.
    function f_self_read
    mov x8, #63
    svc #0
    .global f_self_read_site
f_self_read_site:
    mov w0, #1
    ret
    done f_self_read
    .balign 4096
    .section .note.GNU-stack, "", %progbits
