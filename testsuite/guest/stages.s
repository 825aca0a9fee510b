// A small program that shows something at every stage: a loop over memory, a call, a jump table, flags that live across a
// block, floating point, vectors, an exclusive pair, a system call. Its exit status is 42.
        .text
        .global _start
        .type _start, %function
_start: adrp    x0, numbers
        add     x0, x0, :lo12:numbers
        mov     x1, #4
        bl      sum
        mov     x19, x0                 // 10
        mov     x0, #2
        bl      choose
        add     x19, x19, x0            // 30
        adrp    x0, cell
        add     x0, x0, :lo12:cell
        bl      increment
        add     x19, x19, x0            // 31
        bl      half
        add     x0, x19, x0             // 42
        mov     x8, #93
        svc     #0
        udf     #0
        .size _start, . - _start

        .type sum, %function
sum:    mov     x2, #0                  // x0: numbers, x1: their count
1:      ldr     x3, [x0], #8
        add     x2, x2, x3
        subs    x1, x1, #1
        b.ne    1b
        mov     x0, x2
        ret
        .size sum, . - sum

        .type choose, %function
choose: cmp     x0, #3
        b.hi    9f
        adr     x1, table
        ldrb    w2, [x1, x0]
        adr     x3, 1f
        add     x3, x3, w2, sxtb #2
        br      x3
1:      mov     x0, #5
        ret
2:      mov     x0, #7
        ret
3:      mov     x0, #20
        ret
4:      mov     x0, #30
        ret
9:      mov     x0, #0
        ret
        .size choose, . - choose

        .type increment, %function
increment:
1:      ldaxr   w1, [x0]
        add     w1, w1, #1
        stlxr   w2, w1, [x0]
        cbnz    w2, 1b
        mov     w0, w1
        ret
        .size increment, . - increment

        .type half, %function
half:   fmov    d0, #5.5
        fmov    d1, #2.0
        fmul    d0, d0, d1
        dup     v1.4s, wzr
        add     v1.4s, v1.4s, v1.4s
        fcmp    d0, #0.0
        csetm   x1, mi
        fcvtzs  x0, d0
        orr     x0, x0, x1
        ret
        .size half, . - half

        .section .rodata
table:  .byte   0, 2, 4, 6
        .data
        .balign 8
numbers: .quad  1, 2, 3, 4
cell:   .word   0
