//! Data processing (Arm ARM F2.4, F4.1.3–F4.1.4): what the sixteen operations do, for all sets, and A32's rows. The value is
//! computed and written first, then the flags.

use super::no_pc;
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits, rd, rm, rn, rs};
use crate::a32::reg;
use crate::a32::shift::{Shift, a32_expand_imm, decode_imm_shift};
use crate::a32::table::{Row, row_table};
use crate::cond::{Compare, FlagSource};
use ir::{IntBin, IntCmp, PureOp, Type, Value};

/// Rows of A32. In patterns, `z` and `o` are bits that should be 0 and 1.
pub static A32: &[Row] = row_table! { A32:
    "AND, ANDS (immediate)" "cccc 0010000 s nnnn dddd iiiiiiiiiiii" Base immediate;
    "EOR, EORS (immediate)" "cccc 0010001 s nnnn dddd iiiiiiiiiiii" Base immediate;
    "SUB, SUBS (immediate)" "cccc 0010010 s nnnn dddd iiiiiiiiiiii" Base immediate;
    "RSB, RSBS (immediate)" "cccc 0010011 s nnnn dddd iiiiiiiiiiii" Base immediate;
    "ADD, ADDS (immediate)" "cccc 0010100 s nnnn dddd iiiiiiiiiiii" Base immediate;
    "ADC, ADCS (immediate)" "cccc 0010101 s nnnn dddd iiiiiiiiiiii" Base immediate;
    "SBC, SBCS (immediate)" "cccc 0010110 s nnnn dddd iiiiiiiiiiii" Base immediate;
    "RSC, RSCS (immediate)" "cccc 0010111 s nnnn dddd iiiiiiiiiiii" Base immediate;
    "TST (immediate)" "cccc 00110001 nnnn zzzz iiiiiiiiiiii" Base immediate;
    "TEQ (immediate)" "cccc 00110011 nnnn zzzz iiiiiiiiiiii" Base immediate;
    "CMP (immediate)" "cccc 00110101 nnnn zzzz iiiiiiiiiiii" Base immediate;
    "CMN (immediate)" "cccc 00110111 nnnn zzzz iiiiiiiiiiii" Base immediate;
    "ORR, ORRS (immediate)" "cccc 0011100 s nnnn dddd iiiiiiiiiiii" Base immediate;
    "MOV, MOVS (immediate) A1" "cccc 0011101 s zzzz dddd iiiiiiiiiiii" Base immediate;
    "BIC, BICS (immediate)" "cccc 0011110 s nnnn dddd iiiiiiiiiiii" Base immediate;
    "MVN, MVNS (immediate)" "cccc 0011111 s zzzz dddd iiiiiiiiiiii" Base immediate;
    "ADR A1" "cccc 00101000 1111 dddd iiiiiiiiiiii" Base |cx, w| adr_a32(cx, w, true);
    "ADR A2" "cccc 00100100 1111 dddd iiiiiiiiiiii" Base |cx, w| adr_a32(cx, w, false);
    "MOV, MOVS (immediate) A2" "cccc 00110000 iiii dddd iiiiiiiiiiii" Base |cx, w| movw(cx, rd(w), imm16(w));
    "MOVT" "cccc 00110100 iiii dddd iiiiiiiiiiii" Base |cx, w| movt(cx, rd(w), imm16(w));
    "AND, ANDS (register)" "cccc 0000000 s nnnn dddd iiiii tt 0 mmmm" Base register;
    "EOR, EORS (register)" "cccc 0000001 s nnnn dddd iiiii tt 0 mmmm" Base register;
    "SUB, SUBS (register)" "cccc 0000010 s nnnn dddd iiiii tt 0 mmmm" Base register;
    "RSB, RSBS (register)" "cccc 0000011 s nnnn dddd iiiii tt 0 mmmm" Base register;
    "ADD, ADDS (register)" "cccc 0000100 s nnnn dddd iiiii tt 0 mmmm" Base register;
    "ADC, ADCS (register)" "cccc 0000101 s nnnn dddd iiiii tt 0 mmmm" Base register;
    "SBC, SBCS (register)" "cccc 0000110 s nnnn dddd iiiii tt 0 mmmm" Base register;
    "RSC, RSCS (register)" "cccc 0000111 s nnnn dddd iiiii tt 0 mmmm" Base register;
    "TST (register)" "cccc 00010001 nnnn zzzz iiiii tt 0 mmmm" Base register;
    "TEQ (register)" "cccc 00010011 nnnn zzzz iiiii tt 0 mmmm" Base register;
    "CMP (register)" "cccc 00010101 nnnn zzzz iiiii tt 0 mmmm" Base register;
    "CMN (register)" "cccc 00010111 nnnn zzzz iiiii tt 0 mmmm" Base register;
    "ORR, ORRS (register)" "cccc 0001100 s nnnn dddd iiiii tt 0 mmmm" Base register;
    "MOV, MOVS (register)" "cccc 0001101 s zzzz dddd iiiii tt 0 mmmm" Base register;
    "BIC, BICS (register)" "cccc 0001110 s nnnn dddd iiiii tt 0 mmmm" Base register;
    "MVN, MVNS (register)" "cccc 0001111 s zzzz dddd iiiii tt 0 mmmm" Base register;
    "AND, ANDS (register-shifted register)" "cccc 0000000 s nnnn dddd ssss 0 tt 1 mmmm" Base shifted;
    "EOR, EORS (register-shifted register)" "cccc 0000001 s nnnn dddd ssss 0 tt 1 mmmm" Base shifted;
    "SUB, SUBS (register-shifted register)" "cccc 0000010 s nnnn dddd ssss 0 tt 1 mmmm" Base shifted;
    "RSB, RSBS (register-shifted register)" "cccc 0000011 s nnnn dddd ssss 0 tt 1 mmmm" Base shifted;
    "ADD, ADDS (register-shifted register)" "cccc 0000100 s nnnn dddd ssss 0 tt 1 mmmm" Base shifted;
    "ADC, ADCS (register-shifted register)" "cccc 0000101 s nnnn dddd ssss 0 tt 1 mmmm" Base shifted;
    "SBC, SBCS (register-shifted register)" "cccc 0000110 s nnnn dddd ssss 0 tt 1 mmmm" Base shifted;
    "RSC, RSCS (register-shifted register)" "cccc 0000111 s nnnn dddd ssss 0 tt 1 mmmm" Base shifted;
    "TST (register-shifted register)" "cccc 00010001 nnnn zzzz ssss 0 tt 1 mmmm" Base shifted;
    "TEQ (register-shifted register)" "cccc 00010011 nnnn zzzz ssss 0 tt 1 mmmm" Base shifted;
    "CMP (register-shifted register)" "cccc 00010101 nnnn zzzz ssss 0 tt 1 mmmm" Base shifted;
    "CMN (register-shifted register)" "cccc 00010111 nnnn zzzz ssss 0 tt 1 mmmm" Base shifted;
    "ORR, ORRS (register-shifted register)" "cccc 0001100 s nnnn dddd ssss 0 tt 1 mmmm" Base shifted;
    "MOV, MOVS (register-shifted register)" "cccc 0001101 s zzzz dddd ssss 0 tt 1 mmmm" Base shifted;
    "BIC, BICS (register-shifted register)" "cccc 0001110 s nnnn dddd ssss 0 tt 1 mmmm" Base shifted;
    "MVN, MVNS (register-shifted register)" "cccc 0001111 s zzzz dddd ssss 0 tt 1 mmmm" Base shifted;
};

/// The operations; those before `Orn` as A32 numbers them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    And,
    Eor,
    Sub,
    Rsb,
    Add,
    Adc,
    Sbc,
    Rsc,
    Tst,
    Teq,
    Cmp,
    Cmn,
    Orr,
    Mov,
    Bic,
    Mvn,
    Orn,
}

impl Op {
    /// As in bits 24:21 of A32.
    fn a32(w: u32) -> Op {
        use Op::*;
        [And, Eor, Sub, Rsb, Add, Adc, Sbc, Rsc, Tst, Teq, Cmp, Cmn, Orr, Mov, Bic, Mvn]
            [bits(w, 24, 21) as usize]
    }

    /// C is the second operand's carry.
    pub const fn is_logical(self) -> bool {
        use Op::*;
        matches!(self, And | Eor | Tst | Teq | Orr | Mov | Bic | Mvn | Orn)
    }

    /// Without first operand.
    const fn is_move(self) -> bool {
        matches!(self, Op::Mov | Op::Mvn)
    }

    /// Without destination.
    const fn is_test(self) -> bool {
        matches!(self, Op::Tst | Op::Teq | Op::Cmp | Op::Cmn)
    }
}

/// The second operand, i32, and the shifter's carry.
pub type Operand = (Value, Option<Value>);

/// `op{s} Rd, Rn, operand`. With a destination of R15 it is a branch.
pub fn process(cx: &mut Cx<'_, '_>, op: Op, s: bool, d: u32, n: u32, (b, carry): Operand) -> Lift {
    let a = if op.is_move() { b } else { cx.reg(n) };
    let mut sum = None;
    let result = match op {
        Op::And | Op::Tst => cx.b.and(a, b),
        Op::Eor | Op::Teq => cx.b.xor(a, b),
        Op::Orr => cx.b.or(a, b),
        Op::Mov => b,
        Op::Mvn => cx.complement(b),
        Op::Bic => {
            let not = cx.complement(b);
            cx.b.and(a, not)
        }
        Op::Orn => {
            let not = cx.complement(b);
            cx.b.or(a, not)
        }
        Op::Sub | Op::Cmp => cx.b.sub(a, b),
        Op::Rsb => cx.b.sub(b, a),
        Op::Add | Op::Cmn => cx.b.add(a, b),
        Op::Adc | Op::Sbc | Op::Rsc => {
            let (x, y) = match op {
                Op::Adc => (a, b),
                Op::Sbc => (a, cx.complement(b)),
                _ => (b, cx.complement(a)),
            };
            let c = cx.b.get(reg::C);
            sum = Some([x, y, c]);
            let c = cx.b.zext_or_trunc(Type::I32, c);
            let v = cx.b.add(x, y);
            cx.b.add(v, c)
        }
    };
    if !op.is_test() {
        if d == 15 {
            // SUBS PC, LR and its like return from exceptions.
            return if s { Err(Undefined) } else { cx.alu_write_pc(result, false) };
        }
        cx.set_reg(d, result);
    }
    if !s {
        return Ok(None);
    }
    match op {
        Op::Sub | Op::Cmp => cx.set_flags_sub(a, b, result),
        Op::Rsb => cx.set_flags_sub(b, a, result),
        Op::Add | Op::Cmn => cx.set_flags_add(a, b, result),
        Op::Adc | Op::Sbc | Op::Rsc => {
            let operands = sum.expect("invariant: made above");
            let zero = cx.i32(0);
            let n = cx.b.cmp(IntCmp::Slt, result, zero);
            let z = cx.b.cmp(IntCmp::Eq, result, zero);
            let c = cx.b.pure(PureOp::CarryOut, &operands);
            let v = cx.b.pure(PureOp::Overflow, &operands);
            let source = wide_comparison(cx, op, a, b);
            cx.set_flags([n, z, c, v], source);
        }
        _ => cx.set_flags_result(result, carry),
    }
    Ok(None)
}

/// What `SBCS` compares if the carry is that of a comparison in the same run: words of 64 bits, as compilers do it.
fn wide_comparison(cx: &mut Cx<'_, '_>, op: Op, a: Value, b: Value) -> Option<FlagSource> {
    let Some(FlagSource { compare: Compare::Sub(low_a, low_b, _), guard: None }) = *cx.flags else {
        return None;
    };
    if op != Op::Sbc {
        return None;
    }
    let [a, b] = [(a, low_a), (b, low_b)].map(|(high, low)| {
        let (high, low) = (cx.b.zext_or_trunc(Type::I64, high), cx.b.zext_or_trunc(Type::I64, low));
        let high = cx.b.shift_imm(IntBin::Shl, high, 32);
        cx.b.or(high, low)
    });
    Some(FlagSource { compare: Compare::Wide(a, b), guard: None })
}

/// A constant operand.
pub fn constant(cx: &mut Cx<'_, '_>, (value, carry): (u32, Option<bool>)) -> Operand {
    let value = cx.i32(value);
    (value, carry.map(|c| cx.b.i1(c)))
}

/// `op{s} Rd, Rn, Rm, shift #n`.
pub fn process_register(cx: &mut Cx<'_, '_>, op: Op, s: bool, [d, n, m]: [u32; 3], shift: Shift) -> Lift {
    if op == Op::Mov && shift == Shift::Lsl(0) && !s {
        return mov(cx, d, m);
    }
    let v = cx.reg(m);
    let operand = cx.shifted(v, shift, s && op.is_logical());
    process(cx, op, s, d, n, operand)
}

/// `MOV Rd, Rm`, both any register; `MOV PC, LR` is a return.
pub fn mov(cx: &mut Cx<'_, '_>, d: u32, m: u32) -> Lift {
    if d == 15 {
        let to = cx.reg(m);
        return cx.alu_write_pc(to, m == 14);
    }
    let v = cx.base(m);
    cx.set(reg::r(d), v);
    Ok(None)
}

/// `op{s} Rd, Rn, #const`.
fn immediate(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let operand = constant(cx, a32_expand_imm(bits(w, 11, 0)));
    process(cx, Op::a32(w), bit(w, 20), rd(w), rn(w), operand)
}

/// `op{s} Rd, Rn, Rm, shift #n`.
fn register(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shift = decode_imm_shift(bits(w, 6, 5), bits(w, 11, 7));
    process_register(cx, Op::a32(w), bit(w, 20), [rd(w), rn(w), rm(w)], shift)
}

/// `op{s} Rd, Rn, Rm, shift Rs`.
fn shifted(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (op, s) = (Op::a32(w), bit(w, 20));
    no_pc(&[rm(w), rs(w)])?;
    if !op.is_test() {
        no_pc(&[rd(w)])?;
    }
    if !op.is_move() {
        no_pc(&[rn(w)])?;
    }
    let (v, amount) = (cx.reg(rm(w)), cx.reg(rs(w)));
    let operand = cx.shifted_by_register(v, bits(w, 6, 5), amount, s && op.is_logical());
    process(cx, op, s, rd(w), rn(w), operand)
}

/// `ADR Rd, label`: Align(PC, 4) + or − the constant.
pub fn adr(cx: &mut Cx<'_, '_>, d: u32, offset: i32) -> Lift {
    let v = cx.literal(offset);
    if d == 15 {
        let v = cx.b.zext_or_trunc(Type::I32, v);
        return cx.alu_write_pc(v, false);
    }
    cx.set(reg::r(d), v);
    Ok(None)
}

fn adr_a32(cx: &mut Cx<'_, '_>, w: u32, add: bool) -> Lift {
    let (offset, _) = a32_expand_imm(bits(w, 11, 0));
    adr(cx, rd(w), if add { offset } else { offset.wrapping_neg() } as i32)
}

/// imm4:imm12.
const fn imm16(w: u32) -> u32 {
    bits(w, 19, 16) << 12 | bits(w, 11, 0)
}

/// `MOVW Rd, #imm16`.
pub fn movw(cx: &mut Cx<'_, '_>, d: u32, imm: u32) -> Lift {
    no_pc(&[d])?;
    let v = cx.i32(imm);
    cx.set_reg(d, v);
    Ok(None)
}

/// `MOVT Rd, #imm16`: the upper half.
pub fn movt(cx: &mut Cx<'_, '_>, d: u32, imm: u32) -> Lift {
    no_pc(&[d])?;
    let old = cx.reg(d);
    let (mask, high) = (cx.i32(0xffff), cx.i32(imm << 16));
    let low = cx.b.and(old, mask);
    let v = cx.b.bin(IntBin::Or, low, high);
    cx.set_reg(d, v);
    Ok(None)
}
