//! Integer instructions of T16 (Arm ARM F3.1.2–F3.1.7). Those that set the flags do so outside IT blocks only. What the
//! operations do is in the other files.

use super::Registers;
use super::data::{Op, adr, constant, mov, process, process_register};
use super::media::{Extend, extend, rev, rev16, revsh};
use super::system::{hint, setend};
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits};
use crate::a32::shift::{Shift, decode_imm_shift};
use crate::a32::table::{Row, row_table};

/// Rows of T16. In patterns, `z` are bits that should be 0.
pub static T16: &[Row] = row_table! { T16:
    "MOV, MOVS (register) T2, LSL (immediate)" "00000 iiiii mmm ddd" Base shift_immediate;
    "MOV, MOVS (register) T2, LSR (immediate)" "00001 iiiii mmm ddd" Base shift_immediate;
    "MOV, MOVS (register) T2, ASR (immediate)" "00010 iiiii mmm ddd" Base shift_immediate;
    "ADD, ADDS (register) T1" "0001100 mmm nnn ddd" Base |cx, w| three(cx, w, Op::Add);
    "SUB, SUBS (register) T1" "0001101 mmm nnn ddd" Base |cx, w| three(cx, w, Op::Sub);
    "ADD, ADDS (immediate) T1" "0001110 iii nnn ddd" Base |cx, w| three_immediate(cx, w, Op::Add);
    "SUB, SUBS (immediate) T1" "0001111 iii nnn ddd" Base |cx, w| three_immediate(cx, w, Op::Sub);
    "MOV, MOVS (immediate) T1" "00100 ddd iiiiiiii" Base |cx, w| byte(cx, w, Op::Mov);
    "CMP (immediate) T1" "00101 nnn iiiiiiii" Base |cx, w| byte(cx, w, Op::Cmp);
    "ADD, ADDS (immediate) T2" "00110 ddd iiiiiiii" Base |cx, w| byte(cx, w, Op::Add);
    "SUB, SUBS (immediate) T2" "00111 ddd iiiiiiii" Base |cx, w| byte(cx, w, Op::Sub);
    "AND, ANDS (register) T1" "010000 0000 mmm ddd" Base |cx, w| two(cx, w, Op::And);
    "EOR, EORS (register) T1" "010000 0001 mmm ddd" Base |cx, w| two(cx, w, Op::Eor);
    "MOV, MOVS (register-shifted register) T1, LSL" "010000 0010 mmm ddd" Base |cx, w| shift_register(cx, w, 0);
    "MOV, MOVS (register-shifted register) T1, LSR" "010000 0011 mmm ddd" Base |cx, w| shift_register(cx, w, 1);
    "MOV, MOVS (register-shifted register) T1, ASR" "010000 0100 mmm ddd" Base |cx, w| shift_register(cx, w, 2);
    "ADC, ADCS (register) T1" "010000 0101 mmm ddd" Base |cx, w| two(cx, w, Op::Adc);
    "SBC, SBCS (register) T1" "010000 0110 mmm ddd" Base |cx, w| two(cx, w, Op::Sbc);
    "MOV, MOVS (register-shifted register) T1, ROR" "010000 0111 mmm ddd" Base |cx, w| shift_register(cx, w, 3);
    "TST (register) T1" "010000 1000 mmm nnn" Base |cx, w| test(cx, w, Op::Tst);
    "RSB, RSBS (immediate) T1" "010000 1001 nnn ddd" Base negate;
    "CMP (register) T1" "010000 1010 mmm nnn" Base |cx, w| test(cx, w, Op::Cmp);
    "CMN (register) T1" "010000 1011 mmm nnn" Base |cx, w| test(cx, w, Op::Cmn);
    "ORR, ORRS (register) T1" "010000 1100 mmm ddd" Base |cx, w| two(cx, w, Op::Orr);
    "MUL, MULS T1" "010000 1101 nnn ddd" Base mul;
    "BIC, BICS (register) T1" "010000 1110 mmm ddd" Base |cx, w| two(cx, w, Op::Bic);
    "MVN, MVNS (register) T1" "010000 1111 mmm ddd" Base |cx, w| two(cx, w, Op::Mvn);
    "ADD, ADDS (register) T2" "01000100 d mmmm ddd" Base add_high;
    "CMP (register) T2" "01000101 n mmmm nnn" Base compare_high;
    "MOV, MOVS (register) T1" "01000110 d mmmm ddd" Base move_high;
    "ADR T1" "10100 ddd iiiiiiii" Base |cx, w| adr(cx, bits(w, 10, 8), bits(w, 7, 0) as i32 * 4);
    "ADD, ADDS (SP plus immediate) T1" "10101 ddd iiiiiiii" Base |cx, w| sp(cx, Op::Add, bits(w, 10, 8), bits(w, 7, 0));
    "ADD, ADDS (SP plus immediate) T2" "101100000 iiiiiii" Base |cx, w| sp(cx, Op::Add, 13, bits(w, 6, 0));
    "SUB, SUBS (SP minus immediate) T1" "101100001 iiiiiii" Base |cx, w| sp(cx, Op::Sub, 13, bits(w, 6, 0));
    "SXTH T1" "1011001000 mmm ddd" Base |cx, w| extend(cx, low(w), 0, true, Extend::Half);
    "SXTB T1" "1011001001 mmm ddd" Base |cx, w| extend(cx, low(w), 0, true, Extend::Byte);
    "UXTH T1" "1011001010 mmm ddd" Base |cx, w| extend(cx, low(w), 0, false, Extend::Half);
    "UXTB T1" "1011001011 mmm ddd" Base |cx, w| extend(cx, low(w), 0, false, Extend::Byte);
    "REV T1" "1011101000 mmm ddd" Base |cx, w| rev(cx, low(w));
    "REV16 T1" "1011101001 mmm ddd" Base |cx, w| rev16(cx, low(w));
    "REVSH T1" "1011101011 mmm ddd" Base |cx, w| revsh(cx, low(w));
    "SETEND T1" "10110110010 1 e zzz" Base |cx, w| setend(cx, bit(w, 3));
    "CPS, CPSID, CPSIE T1" "10110110011 e z iii" Base hint;
    "HLT T1" "1011101010 iiiiii" Base |_, _| Err(Undefined);
    "NOP-compatible hint T1" "10111111 hhhh 0000" Base hint;
    "NOP T1" "10111111 0000 0000" Base hint;
    "YIELD T1" "10111111 0001 0000" Base hint;
    "WFE T1" "10111111 0010 0000" Base hint;
    "WFI T1" "10111111 0011 0000" Base hint;
    "SEV T1" "10111111 0100 0000" Base hint;
    "SEVL T1" "10111111 0101 0000" Base hint;
};

/// Rd and Rm in bits 2:0 and 5:3; Rn stands for no register.
const fn low(w: u32) -> Registers {
    Registers { d: bits(w, 2, 0), n: 15, m: bits(w, 5, 3) }
}

/// D:Rd of the instructions with high registers.
const fn high(w: u32) -> u32 {
    bits(w, 7, 7) << 3 | bits(w, 2, 0)
}

fn sets_flags(cx: &Cx<'_, '_>) -> bool {
    !cx.at.in_it()
}

/// `LSL|LSR|ASR{s} Rd, Rm, #n`; LSL by 0 is MOVS.
fn shift_immediate(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shift = decode_imm_shift(bits(w, 12, 11), bits(w, 10, 6));
    let s = sets_flags(cx);
    let r = low(w);
    process_register(cx, Op::Mov, s, [r.d, 0, r.m], shift)
}

/// `LSL|LSR|ASR|ROR{s} Rdm, Rs`.
fn shift_register(cx: &mut Cx<'_, '_>, w: u32, kind: u32) -> Lift {
    let s = sets_flags(cx);
    let r = low(w);
    let (v, amount) = (cx.reg(r.d), cx.reg(r.m));
    let operand = cx.shifted_by_register(v, kind, amount, s);
    process(cx, Op::Mov, s, r.d, 0, operand)
}

/// `ADD|SUB{s} Rd, Rn, Rm`.
fn three(cx: &mut Cx<'_, '_>, w: u32, op: Op) -> Lift {
    let s = sets_flags(cx);
    process_register(cx, op, s, [bits(w, 2, 0), bits(w, 5, 3), bits(w, 8, 6)], Shift::Lsl(0))
}

/// `ADD|SUB{s} Rd, Rn, #imm3`.
fn three_immediate(cx: &mut Cx<'_, '_>, w: u32, op: Op) -> Lift {
    let s = sets_flags(cx);
    let operand = constant(cx, (bits(w, 8, 6), None));
    process(cx, op, s, bits(w, 2, 0), bits(w, 5, 3), operand)
}

/// `MOV|ADD|SUB{s} Rdn, #imm8`, `CMP Rn, #imm8`.
fn byte(cx: &mut Cx<'_, '_>, w: u32, op: Op) -> Lift {
    let s = op == Op::Cmp || sets_flags(cx);
    let operand = constant(cx, (bits(w, 7, 0), None));
    process(cx, op, s, bits(w, 10, 8), bits(w, 10, 8), operand)
}

/// `op{s} Rdn, Rm`.
fn two(cx: &mut Cx<'_, '_>, w: u32, op: Op) -> Lift {
    let s = sets_flags(cx);
    let r = low(w);
    process_register(cx, op, s, [r.d, r.d, r.m], Shift::Lsl(0))
}

/// `TST|CMP|CMN Rn, Rm`.
fn test(cx: &mut Cx<'_, '_>, w: u32, op: Op) -> Lift {
    let r = low(w);
    process_register(cx, op, true, [0, r.d, r.m], Shift::Lsl(0))
}

/// `RSB{s} Rd, Rn, #0`.
fn negate(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let s = sets_flags(cx);
    let r = low(w);
    let operand = constant(cx, (0, None));
    process(cx, Op::Rsb, s, r.d, r.m, operand)
}

/// `MUL{s} Rdm, Rn`.
fn mul(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let s = sets_flags(cx);
    let r = low(w);
    super::multiply::mul(cx, s, Registers { d: r.d, n: r.m, m: r.d })
}

/// A write to R15 must be the last of its IT block.
fn branches(cx: &Cx<'_, '_>, d: u32) -> Result<(), Undefined> {
    if d == 15 && cx.at.in_it() && !cx.at.last_in_it() { Err(Undefined) } else { Ok(()) }
}

/// `ADD Rdn, Rm`, any registers.
fn add_high(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (d, m) = (high(w), bits(w, 6, 3));
    branches(cx, d)?;
    if d == 15 && m == 15 {
        return Err(Undefined);
    }
    process_register(cx, Op::Add, false, [d, d, m], Shift::Lsl(0))
}

/// `CMP Rn, Rm`, any registers.
fn compare_high(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    process_register(cx, Op::Cmp, true, [0, high(w), bits(w, 6, 3)], Shift::Lsl(0))
}

/// `MOV Rd, Rm`, any registers.
fn move_high(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let d = high(w);
    branches(cx, d)?;
    mov(cx, d, bits(w, 6, 3))
}

/// `ADD|SUB Rd, SP, #imm * 4`.
fn sp(cx: &mut Cx<'_, '_>, op: Op, d: u32, imm: u32) -> Lift {
    let operand = constant(cx, (imm * 4, None));
    process(cx, op, false, d, 13, operand)
}
