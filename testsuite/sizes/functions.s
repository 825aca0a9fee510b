// Small functions whose host code is measured (tests/sizes): loops, calls and tables as compilers write them.

        .macro  fn name
        .balign 4
        .type   \name, %function
\name:
        .endm
        .macro  end name
        .size   \name, . - \name
        .endm

// size_t strlen(const char *)
        fn      strlen_bytes
        mov     x1, x0
1:      ldrb    w2, [x1], #1
        cbnz    w2, 1b
        sub     x0, x1, x0
        sub     x0, x0, #1
        ret
        end     strlen_bytes

// 16 bytes a turn, all lanes tested at once
        fn      strlen_vector
        mov     x1, x0
1:      ldr     q0, [x1], #16
        cmeq    v0.16b, v0.16b, #0
        shrn    v0.8b, v0.8h, #4
        fmov    x2, d0
        cbz     x2, 1b
        rbit    x2, x2
        clz     x2, x2
        sub     x1, x1, #16
        sub     x0, x1, x0
        add     x0, x0, x2, lsr #2
        ret
        end     strlen_vector

// int strcmp(const char *, const char *)
        fn      strcmp_bytes
1:      ldrb    w2, [x0], #1
        ldrb    w3, [x1], #1
        cmp     w2, #1
        ccmp    w2, w3, #0, cs
        b.eq    1b
        sub     w0, w2, w3
        ret
        end     strcmp_bytes

        fn      memcpy_words
        cbz     x2, 2f
1:      ldr     x3, [x1], #8
        str     x3, [x0], #8
        subs    x2, x2, #8
        b.ne    1b
2:      ret
        end     memcpy_words

        fn      memcpy_vectors
1:      ldp     q0, q1, [x1], #32
        subs    x2, x2, #32
        stp     q0, q1, [x0], #32
        b.hi    1b
        ret
        end     memcpy_vectors

        fn      memset_bytes
        add     x2, x0, x2
1:      cmp     x0, x2
        b.eq    2f
        strb    w1, [x0], #1
        b       1b
2:      ret
        end     memset_bytes

// two calls, a frame
        fn      fib
        cmp     w0, #1
        b.ls    1f
        stp     x29, x30, [sp, #-32]!
        mov     x29, sp
        stp     x19, x20, [sp, #16]
        mov     w19, w0
        sub     w0, w0, #1
        bl      fib
        mov     w20, w0
        sub     w0, w19, #2
        bl      fib
        add     w0, w0, w20
        ldp     x19, x20, [sp, #16]
        ldp     x29, x30, [sp], #32
1:      ret
        end     fib

        fn      list_sum
        mov     x1, #0
        cbz     x0, 2f
1:      ldr     w2, [x0, #8]
        ldr     x0, [x0]
        add     w1, w1, w2
        cbnz    x0, 1b
2:      mov     w0, w1
        ret
        end     list_sum

        fn      dot_integers
        mov     x3, #0
        mov     x4, #0
1:      ldr     w5, [x0, x3, lsl #2]
        ldr     w6, [x1, x3, lsl #2]
        add     x3, x3, #1
        smaddl  x4, w5, w6, x4
        cmp     x3, x2
        b.ne    1b
        mov     x0, x4
        ret
        end     dot_integers

        fn      dot_doubles
        movi    d0, #0
1:      ldr     d1, [x0], #8
        ldr     d2, [x1], #8
        fmul    d1, d1, d2
        fadd    d0, d0, d1
        subs    x2, x2, #1
        b.ne    1b
        ret
        end     dot_doubles

// a row of a matrix product
        fn      matrix_row
        mov     x4, #0
        movi    d0, #0
1:      ldr     d1, [x0, x4, lsl #3]
        ldr     d2, [x1]
        add     x4, x4, #1
        add     x1, x1, x3
        fmadd   d0, d1, d2, d0
        cmp     x4, x2
        b.lt    1b
        ret
        end     matrix_row

        fn      saxpy_vectors
        dup     v0.4s, v0.s[0]
1:      ldr     q1, [x0], #16
        ldr     q2, [x1]
        fmla    v2.4s, v1.4s, v0.4s
        str     q2, [x1], #16
        subs    x2, x2, #4
        b.hi    1b
        ret
        end     saxpy_vectors

        fn      bubble_pass
        sub     x1, x1, #1
1:      ldp     w2, w3, [x0]
        cmp     w2, w3
        b.le    2f
        stp     w3, w2, [x0]
2:      add     x0, x0, #4
        subs    x1, x1, #1
        b.ne    1b
        ret
        end     bubble_pass

        fn      binary_search
        mov     x3, #0
1:      cmp     x3, x1
        b.hs    3f
        add     x4, x3, x1
        lsr     x4, x4, #1
        ldr     w5, [x0, x4, lsl #2]
        cmp     w5, w2
        b.hs    2f
        add     x3, x4, #1
        b       1b
2:      mov     x1, x4
        b       1b
3:      mov     x0, x3
        ret
        end     binary_search

// a switch through a table of bytes
        fn      switch_bytes
        cmp     w0, #3
        b.hi    9f
        adr     x1, 8f
        ldrb    w1, [x1, w0, uxtw]
        adr     x2, 1f
        add     x1, x2, w1, sxtb #2
        br      x1
1:      mov     w0, #5
        ret
2:      mov     w0, #7
        ret
3:      mul     w0, w0, w0
        ret
4:      mov     w0, #30
        ret
9:      mov     w0, #0
        ret
        end     switch_bytes
8:      .byte   0, 2, 4, 6

// the dispatch of an interpreter, through a table of pointers
        fn      dispatch_pointers
        ldrb    w3, [x0], #1
        ldr     x4, [x1, x3, lsl #3]
        br      x4
        end     dispatch_pointers

        fn      virtual_call
        stp     x29, x30, [sp, #-16]!
        mov     x29, sp
        ldr     x1, [x0]
        ldr     x1, [x1, #16]
        blr     x1
        add     w0, w0, #1
        ldp     x29, x30, [sp], #16
        ret
        end     virtual_call

        fn      hash_fnv
        mov     w2, #0x9dc5
        movk    w2, #0x811c, lsl #16
        mov     w4, #0x0193
        movk    w4, #0x0100, lsl #16
1:      ldrb    w3, [x0], #1
        cbz     w3, 2f
        eor     w2, w2, w3
        mul     w2, w2, w4
        b       1b
2:      mov     w0, w2
        ret
        end     hash_fnv

        fn      gcd
1:      cbz     x1, 2f
        udiv    x2, x0, x1
        msub    x2, x2, x1, x0
        mov     x0, x1
        mov     x1, x2
        b       1b
2:      ret
        end     gcd

        fn      collatz
        mov     w1, #0
1:      cmp     x0, #1
        b.eq    2f
        add     x2, x0, x0, lsl #1
        add     x2, x2, #1
        tst     x0, #1
        lsr     x0, x0, #1
        csel    x0, x2, x0, ne
        add     w1, w1, #1
        b       1b
2:      mov     w0, w1
        ret
        end     collatz

        fn      sum_bytes_vector
        movi    v0.4s, #0
1:      ldr     q1, [x0], #16
        uaddlp  v1.8h, v1.16b
        uadalp  v0.4s, v1.8h
        subs    x1, x1, #16
        b.ne    1b
        addv    s0, v0.4s
        fmov    w0, s0
        ret
        end     sum_bytes_vector

        fn      lock_exclusive
        mov     w1, #1
1:      ldaxr   w2, [x0]
        cbnz    w2, 1b
        stxr    w2, w1, [x0]
        cbnz    w2, 1b
        ret
        end     lock_exclusive

        fn      count_atomic
1:      mov     w2, #1
        ldaddal w2, w3, [x0]
        subs    w1, w1, #1
        b.ne    1b
        ret
        end     count_atomic

        fn      add_128
        ldp     x4, x5, [x1]
        ldp     x6, x7, [x2]
        adds    x4, x4, x6
        adc     x5, x5, x7
        stp     x4, x5, [x0]
        ret
        end     add_128
