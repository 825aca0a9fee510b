//! Data processing of T32 (Arm ARM F3.1.9–F3.1.15): shifted registers, modified and plain immediates, shifts by register. What
//! the operations do is in `data`.

use super::data::{Op, adr, constant, movt, movw, process, process_register};
use super::no_pc;
use crate::a32::cx::{Cx, Lift, bit, bits, rm, rn, rs};
use crate::a32::shift::{decode_imm_shift, t32_expand_imm};
use crate::a32::table::{Row, row_table};

/// Rows of T32. In patterns, `z` are bits that should be 0.
pub static T32: &[Row] = row_table! { T32:
    "AND, ANDS (register)" "1110101 0000 s nnnn z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::And);
    "TST (register)" "1110101 0000 1 nnnn z iii 1111 ii tt mmmm" Base |cx, w| register(cx, w, Op::Tst);
    "BIC, BICS (register)" "1110101 0001 s nnnn z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Bic);
    "ORR, ORRS (register)" "1110101 0010 s nnnn z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Orr);
    "MOV, MOVS (register)" "1110101 0010 s 1111 z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Mov);
    "ORN, ORNS (register)" "1110101 0011 s nnnn z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Orn);
    "MVN, MVNS (register)" "1110101 0011 s 1111 z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Mvn);
    "EOR, EORS (register)" "1110101 0100 s nnnn z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Eor);
    "TEQ (register)" "1110101 0100 1 nnnn z iii 1111 ii tt mmmm" Base |cx, w| register(cx, w, Op::Teq);
    "ADD, ADDS (register)" "1110101 1000 s nnnn z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Add);
    "CMN (register)" "1110101 1000 1 nnnn z iii 1111 ii tt mmmm" Base |cx, w| register(cx, w, Op::Cmn);
    "ADC, ADCS (register)" "1110101 1010 s nnnn z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Adc);
    "SBC, SBCS (register)" "1110101 1011 s nnnn z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Sbc);
    "SUB, SUBS (register)" "1110101 1101 s nnnn z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Sub);
    "CMP (register)" "1110101 1101 1 nnnn z iii 1111 ii tt mmmm" Base |cx, w| register(cx, w, Op::Cmp);
    "RSB, RSBS (register)" "1110101 1110 s nnnn z iii dddd ii tt mmmm" Base |cx, w| register(cx, w, Op::Rsb);
    "AND, ANDS (immediate)" "11110i0 0000 s nnnn 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::And);
    "TST (immediate)" "11110i0 0000 1 nnnn 0 iii 1111 iiiiiiii" Base |cx, w| immediate(cx, w, Op::Tst);
    "BIC, BICS (immediate)" "11110i0 0001 s nnnn 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Bic);
    "ORR, ORRS (immediate)" "11110i0 0010 s nnnn 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Orr);
    "MOV, MOVS (immediate) T2" "11110i0 0010 s 1111 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Mov);
    "ORN, ORNS (immediate)" "11110i0 0011 s nnnn 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Orn);
    "MVN, MVNS (immediate)" "11110i0 0011 s 1111 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Mvn);
    "EOR, EORS (immediate)" "11110i0 0100 s nnnn 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Eor);
    "TEQ (immediate)" "11110i0 0100 1 nnnn 0 iii 1111 iiiiiiii" Base |cx, w| immediate(cx, w, Op::Teq);
    "ADD, ADDS (immediate) T3" "11110i0 1000 s nnnn 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Add);
    "CMN (immediate)" "11110i0 1000 1 nnnn 0 iii 1111 iiiiiiii" Base |cx, w| immediate(cx, w, Op::Cmn);
    "ADC, ADCS (immediate)" "11110i0 1010 s nnnn 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Adc);
    "SBC, SBCS (immediate)" "11110i0 1011 s nnnn 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Sbc);
    "SUB, SUBS (immediate) T3" "11110i0 1101 s nnnn 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Sub);
    "CMP (immediate)" "11110i0 1101 1 nnnn 0 iii 1111 iiiiiiii" Base |cx, w| immediate(cx, w, Op::Cmp);
    "RSB, RSBS (immediate)" "11110i0 1110 s nnnn 0 iii dddd iiiiiiii" Base |cx, w| immediate(cx, w, Op::Rsb);
    "ADD, ADDS (immediate) T4" "11110i1 00000 nnnn 0 iii dddd iiiiiiii" Base |cx, w| plain(cx, w, Op::Add);
    "SUB, SUBS (immediate) T4" "11110i1 01010 nnnn 0 iii dddd iiiiiiii" Base |cx, w| plain(cx, w, Op::Sub);
    "ADR T3" "11110i1 00000 1111 0 iii dddd iiiiiiii" Base |cx, w| adr_t32(cx, w, true);
    "ADR T2" "11110i1 01010 1111 0 iii dddd iiiiiiii" Base |cx, w| adr_t32(cx, w, false);
    "MOV, MOVS (immediate) T3" "11110i1 00100 iiii 0 iii dddd iiiiiiii" Base |cx, w| movw(cx, rs(w), imm16(w));
    "MOVT" "11110i1 01100 iiii 0 iii dddd iiiiiiii" Base |cx, w| movt(cx, rs(w), imm16(w));
    "MOV, MOVS (register-shifted register)" "11111010 0 tt s mmmm 1111 dddd 0000 ssss" Base shift;
};

/// i:imm3:imm8.
const fn imm12(w: u32) -> u32 {
    bits(w, 26, 26) << 11 | bits(w, 14, 12) << 8 | bits(w, 7, 0)
}

/// imm4:i:imm3:imm8.
const fn imm16(w: u32) -> u32 {
    bits(w, 19, 16) << 12 | imm12(w)
}

/// imm3:imm2.
pub const fn imm5(w: u32) -> u32 {
    bits(w, 14, 12) << 2 | bits(w, 7, 6)
}

/// R15 has no meaning here. Where it stands for no destination or no first operand, the row says so.
fn check(w: u32, op: Op) -> Result<(), crate::cx::Undefined> {
    match op {
        Op::Tst | Op::Teq | Op::Cmp | Op::Cmn => no_pc(&[rn(w)]),
        Op::Mov | Op::Mvn => no_pc(&[rs(w)]),
        _ => no_pc(&[rn(w), rs(w)]),
    }
}

/// `op{s} Rd, Rn, Rm, shift #n`.
fn register(cx: &mut Cx<'_, '_>, w: u32, op: Op) -> Lift {
    check(w, op)?;
    no_pc(&[rm(w)])?;
    let shift = decode_imm_shift(bits(w, 5, 4), imm5(w));
    process_register(cx, op, bit(w, 20), [rs(w), rn(w), rm(w)], shift)
}

/// `op{s} Rd, Rn, #const`.
fn immediate(cx: &mut Cx<'_, '_>, w: u32, op: Op) -> Lift {
    check(w, op)?;
    let operand = constant(cx, t32_expand_imm(imm12(w)));
    process(cx, op, bit(w, 20), rs(w), rn(w), operand)
}

/// `ADDW|SUBW Rd, Rn, #imm12`.
fn plain(cx: &mut Cx<'_, '_>, w: u32, op: Op) -> Lift {
    check(w, op)?;
    let operand = constant(cx, (imm12(w), None));
    process(cx, op, false, rs(w), rn(w), operand)
}

fn adr_t32(cx: &mut Cx<'_, '_>, w: u32, add: bool) -> Lift {
    no_pc(&[rs(w)])?;
    let offset = imm12(w) as i32;
    adr(cx, rs(w), if add { offset } else { -offset })
}

/// `LSL|LSR|ASR|ROR{s} Rd, Rm, Rs`.
fn shift(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (d, m, amount) = (rs(w), rn(w), rm(w));
    no_pc(&[d, m, amount])?;
    let s = bit(w, 20);
    let (v, amount) = (cx.reg(m), cx.reg(amount));
    let operand = cx.shifted_by_register(v, bits(w, 22, 21), amount, s);
    process(cx, Op::Mov, s, d, 0, operand)
}
