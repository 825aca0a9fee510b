@ Two functions of AArch32 for the snapshots of stages, one in each state.
    .syntax unified
    .arch armv7-a
    .fpu neon
    .global _start
    .type _start, %function
    .arm
_start:
    mov r0, sp
    mov r1, #4
    blx sum
    adds r1, r0, r0, lsl #1
    ldrne r2, [sp, #4]
    strcs r2, [sp, r1, lsr #2]
    vmov d0, r0, r1
    vadd.f64 d0, d0, d0
    ldmib sp, {r3, r4}
    ldr r5, =0x12345678
    ldr r6, 2f
1:  add r6, pc, r6
    str r5, [r6]
    mov r7, #1
    svc #0
2:  .word variable - 1b - 8
    .ltorg
    .size _start, .-_start

    .type sum, %function
    .thumb
sum:
    push {r4, lr}
    movs r2, #0
1:  ldr r3, [r0], #4
    cmp r3, #3
    ite gt
    addgt r2, r2, r3
    suble r2, r2, #1
    cmp r1, #2
    it eq
    streq r2, [r0]
    subs r1, r1, #1
    bne 1b
    mov r0, r2
    pop {r4, pc}
    .size sum, .-sum

    .data
variable:
    .word 0
