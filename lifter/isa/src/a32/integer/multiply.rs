//! Multiplication and division (Arm ARM F4.1.5, F4.1.18, F3.1.17, F3.1.18). Sums that can overflow 32 bits are made in 64.

use super::{Registers, no_pc};
use crate::a32::cx::{Cx, Lift, Undefined, bit, rd, rm, rn, rs};
use crate::a32::reg;
use crate::a32::table::{Row, row_table};
use ir::{IntBin, IntCmp, PureOp, Type, Value};

/// Rows of A32. In patterns, `z` and `o` are bits that should be 0 and 1.
pub static A32: &[Row] = row_table! { A32:
    "MUL, MULS" "cccc 0000000 s dddd zzzz mmmm 1001 nnnn" Base |cx, w| {
        let f = a32(w);
        mul(cx, bit(w, 20), Registers { d: f.d, n: f.n, m: f.m })
    };
    "MLA, MLAS" "cccc 0000001 s dddd aaaa mmmm 1001 nnnn" Base |cx, w| mla(cx, a32(w), IntBin::Add, bit(w, 20));
    "UMAAL" "cccc 00000100 hhhh llll mmmm 1001 nnnn" Base |cx, w| umaal(cx, a32(w));
    "MLS" "cccc 00000110 dddd aaaa mmmm 1001 nnnn" Base |cx, w| mla(cx, a32(w), IntBin::Sub, false);
    "UMULL, UMULLS" "cccc 0000100 s hhhh llll mmmm 1001 nnnn" Base |cx, w| long(cx, a32(w), false, false, bit(w, 20));
    "UMLAL, UMLALS" "cccc 0000101 s hhhh llll mmmm 1001 nnnn" Base |cx, w| long(cx, a32(w), false, true, bit(w, 20));
    "SMULL, SMULLS" "cccc 0000110 s hhhh llll mmmm 1001 nnnn" Base |cx, w| long(cx, a32(w), true, false, bit(w, 20));
    "SMLAL, SMLALS" "cccc 0000111 s hhhh llll mmmm 1001 nnnn" Base |cx, w| long(cx, a32(w), true, true, bit(w, 20));
    "SMLABB, SMLABT, SMLATB, SMLATT" "cccc 00010000 dddd aaaa mmmm 1 y x 0 nnnn" Base |cx, w| smla(cx, a32(w), bit(w, 5), bit(w, 6));
    "SMLAWB, SMLAWT" "cccc 00010010 dddd aaaa mmmm 1 y 00 nnnn" Base |cx, w| smlaw(cx, a32(w), bit(w, 6));
    "SMULWB, SMULWT" "cccc 00010010 dddd zzzz mmmm 1 y 10 nnnn" Base |cx, w| smulw(cx, a32(w), bit(w, 6));
    "SMLALBB, SMLALBT, SMLALTB, SMLALTT" "cccc 00010100 hhhh llll mmmm 1 y x 0 nnnn" Base |cx, w| smlal(cx, a32(w), bit(w, 5), bit(w, 6));
    "SMULBB, SMULBT, SMULTB, SMULTT" "cccc 00010110 dddd zzzz mmmm 1 y x 0 nnnn" Base |cx, w| smul(cx, a32(w), bit(w, 5), bit(w, 6));
    "SMLAD, SMLADX" "cccc 01110000 dddd aaaa mmmm 00 x 1 nnnn" Base |cx, w| dual(cx, a32(w), IntBin::Add, bit(w, 5), true);
    "SMUAD, SMUADX" "cccc 01110000 dddd 1111 mmmm 00 x 1 nnnn" Base |cx, w| dual(cx, a32(w), IntBin::Add, bit(w, 5), false);
    "SMLSD, SMLSDX" "cccc 01110000 dddd aaaa mmmm 01 x 1 nnnn" Base |cx, w| dual(cx, a32(w), IntBin::Sub, bit(w, 5), true);
    "SMUSD, SMUSDX" "cccc 01110000 dddd 1111 mmmm 01 x 1 nnnn" Base |cx, w| dual(cx, a32(w), IntBin::Sub, bit(w, 5), false);
    "SMLALD, SMLALDX" "cccc 01110100 hhhh llll mmmm 00 x 1 nnnn" Base |cx, w| dual_long(cx, a32(w), IntBin::Add, bit(w, 5));
    "SMLSLD, SMLSLDX" "cccc 01110100 hhhh llll mmmm 01 x 1 nnnn" Base |cx, w| dual_long(cx, a32(w), IntBin::Sub, bit(w, 5));
    "SMMLA, SMMLAR" "cccc 01110101 dddd aaaa mmmm 00 r 1 nnnn" Base |cx, w| high(cx, a32(w), Some(IntBin::Add), bit(w, 5));
    "SMMUL, SMMULR" "cccc 01110101 dddd 1111 mmmm 00 r 1 nnnn" Base |cx, w| high(cx, a32(w), None, bit(w, 5));
    "SMMLS, SMMLSR" "cccc 01110101 dddd aaaa mmmm 11 r 1 nnnn" Base |cx, w| high(cx, a32(w), Some(IntBin::Sub), bit(w, 5));
    "SDIV" "cccc 01110001 dddd oooo mmmm 0001 nnnn" Idiv |cx, w| divide(cx, a32(w), IntBin::SDiv);
    "UDIV" "cccc 01110011 dddd oooo mmmm 0001 nnnn" Idiv |cx, w| divide(cx, a32(w), IntBin::UDiv);
};

/// Rows of T32.
pub static T32: &[Row] = row_table! { T32:
    "MUL" "111110110000 nnnn 1111 dddd 0000 mmmm" Base |cx, w| mul(cx, false, super::t32(w));
    "MLA" "111110110000 nnnn aaaa dddd 0000 mmmm" Base |cx, w| mla(cx, t32(w), IntBin::Add, false);
    "MLS" "111110110000 nnnn aaaa dddd 0001 mmmm" Base |cx, w| mla(cx, t32(w), IntBin::Sub, false);
    "SMLABB, SMLABT, SMLATB, SMLATT" "111110110001 nnnn aaaa dddd 00 x y mmmm" Base |cx, w| smla(cx, t32(w), bit(w, 5), bit(w, 4));
    "SMULBB, SMULBT, SMULTB, SMULTT" "111110110001 nnnn 1111 dddd 00 x y mmmm" Base |cx, w| smul(cx, t32(w), bit(w, 5), bit(w, 4));
    "SMLAD, SMLADX" "111110110010 nnnn aaaa dddd 000 x mmmm" Base |cx, w| dual(cx, t32(w), IntBin::Add, bit(w, 4), true);
    "SMUAD, SMUADX" "111110110010 nnnn 1111 dddd 000 x mmmm" Base |cx, w| dual(cx, t32(w), IntBin::Add, bit(w, 4), false);
    "SMLAWB, SMLAWT" "111110110011 nnnn aaaa dddd 000 y mmmm" Base |cx, w| smlaw(cx, t32(w), bit(w, 4));
    "SMULWB, SMULWT" "111110110011 nnnn 1111 dddd 000 y mmmm" Base |cx, w| smulw(cx, t32(w), bit(w, 4));
    "SMLSD, SMLSDX" "111110110100 nnnn aaaa dddd 000 x mmmm" Base |cx, w| dual(cx, t32(w), IntBin::Sub, bit(w, 4), true);
    "SMUSD, SMUSDX" "111110110100 nnnn 1111 dddd 000 x mmmm" Base |cx, w| dual(cx, t32(w), IntBin::Sub, bit(w, 4), false);
    "SMMLA, SMMLAR" "111110110101 nnnn aaaa dddd 000 r mmmm" Base |cx, w| high(cx, t32(w), Some(IntBin::Add), bit(w, 4));
    "SMMUL, SMMULR" "111110110101 nnnn 1111 dddd 000 r mmmm" Base |cx, w| high(cx, t32(w), None, bit(w, 4));
    "SMMLS, SMMLSR" "111110110110 nnnn aaaa dddd 000 r mmmm" Base |cx, w| high(cx, t32(w), Some(IntBin::Sub), bit(w, 4));
    "SMULL, SMULLS" "111110111000 nnnn llll hhhh 0000 mmmm" Base |cx, w| long(cx, t32(w), true, false, false);
    "SDIV" "111110111001 nnnn oooo dddd 1111 mmmm" Idiv |cx, w| divide(cx, t32(w), IntBin::SDiv);
    "UMULL, UMULLS" "111110111010 nnnn llll hhhh 0000 mmmm" Base |cx, w| long(cx, t32(w), false, false, false);
    "UDIV" "111110111011 nnnn oooo dddd 1111 mmmm" Idiv |cx, w| divide(cx, t32(w), IntBin::UDiv);
    "SMLAL, SMLALS" "111110111100 nnnn llll hhhh 0000 mmmm" Base |cx, w| long(cx, t32(w), true, true, false);
    "SMLALBB, SMLALBT, SMLALTB, SMLALTT" "111110111100 nnnn llll hhhh 10 x y mmmm" Base |cx, w| smlal(cx, t32(w), bit(w, 5), bit(w, 4));
    "SMLALD, SMLALDX" "111110111100 nnnn llll hhhh 110 x mmmm" Base |cx, w| dual_long(cx, t32(w), IntBin::Add, bit(w, 4));
    "SMLSLD, SMLSLDX" "111110111101 nnnn llll hhhh 110 x mmmm" Base |cx, w| dual_long(cx, t32(w), IntBin::Sub, bit(w, 4));
    "UMLAL, UMLALS" "111110111110 nnnn llll hhhh 0000 mmmm" Base |cx, w| long(cx, t32(w), false, true, false);
    "UMAAL" "111110111110 nnnn llll hhhh 0110 mmmm" Base |cx, w| umaal(cx, t32(w));
};

/// Registers: d the result, or its upper half; a what is added, or the lower half of the result.
#[derive(Clone, Copy)]
struct Fields {
    d: u32,
    a: u32,
    n: u32,
    m: u32,
}

const fn a32(w: u32) -> Fields {
    Fields { d: rn(w), a: rd(w), n: rm(w), m: rs(w) }
}

const fn t32(w: u32) -> Fields {
    Fields { d: rs(w), a: rd(w), n: rn(w), m: rm(w) }
}

impl Fields {
    fn no_pc(self) -> Result<(), Undefined> {
        no_pc(&[self.d, self.n, self.m])
    }

    fn all_no_pc(self) -> Result<(), Undefined> {
        no_pc(&[self.d, self.a, self.n, self.m])
    }

    /// A result in two registers.
    fn pair(self) -> Result<(), Undefined> {
        self.all_no_pc()?;
        if self.d == self.a { Err(Undefined) } else { Ok(()) }
    }
}

/// R`n` extended to i64.
fn wide(cx: &mut Cx<'_, '_>, n: u32, signed: bool) -> Value {
    if !signed {
        return cx.base(n);
    }
    let v = cx.reg(n);
    cx.b.sext_or_trunc(Type::I64, v)
}

/// The upper (`top`) or lower half of R`n`, sign-extended to `ty`.
fn half(cx: &mut Cx<'_, '_>, n: u32, top: bool, ty: Type) -> Value {
    let v = cx.reg(n);
    let v = cx.b.shift_imm(IntBin::Lshr, v, if top { 16 } else { 0 });
    let v = cx.b.pure_ty(PureOp::Trunc, Type::I16, &[v]);
    cx.b.sext_or_trunc(ty, v)
}

/// d:a as i64.
fn accumulator(cx: &mut Cx<'_, '_>, f: Fields) -> Value {
    let (high, low) = (cx.base(f.d), cx.base(f.a));
    let high = cx.b.shift_imm(IntBin::Shl, high, 32);
    cx.b.or(high, low)
}

/// Writes an i64 to d:a.
fn set_pair(cx: &mut Cx<'_, '_>, f: Fields, v: Value) {
    let high = cx.b.shift_imm(IntBin::Lshr, v, 32);
    cx.set(reg::r(f.d), high);
    cx.set_reg(f.a, v);
}

/// Writes the low half of the i64 sum `v`; Q if it is not all.
fn set_sum(cx: &mut Cx<'_, '_>, d: u32, v: Value) {
    let low = cx.b.zext_or_trunc(Type::I32, v);
    let back = cx.b.sext_or_trunc(Type::I64, low);
    let overflow = cx.b.cmp(IntCmp::Ne, back, v);
    cx.set_reg(d, low);
    cx.accumulate_q(overflow);
}

/// `MUL{S} Rd, Rn, Rm`.
pub fn mul(cx: &mut Cx<'_, '_>, s: bool, f: Registers) -> Lift {
    let f = f.no_pc()?;
    let (n, m) = (cx.reg(f.n), cx.reg(f.m));
    let v = cx.b.bin(IntBin::Mul, n, m);
    cx.set_reg(f.d, v);
    if s {
        cx.set_flags_result(v, None);
    }
    Ok(None)
}

/// `MLA{S}|MLS Rd, Rn, Rm, Ra`.
fn mla(cx: &mut Cx<'_, '_>, f: Fields, op: IntBin, s: bool) -> Lift {
    f.all_no_pc()?;
    let (n, m, a) = (cx.reg(f.n), cx.reg(f.m), cx.reg(f.a));
    let product = cx.b.bin(IntBin::Mul, n, m);
    let v = cx.b.bin(op, a, product);
    cx.set_reg(f.d, v);
    if s {
        cx.set_flags_result(v, None);
    }
    Ok(None)
}

/// `UMAAL RdLo, RdHi, Rn, Rm`: the product plus both.
fn umaal(cx: &mut Cx<'_, '_>, f: Fields) -> Lift {
    f.pair()?;
    let [n, m, high, low] = [f.n, f.m, f.d, f.a].map(|r| cx.base(r));
    let v = cx.b.bin(IntBin::Mul, n, m);
    let v = cx.b.add(v, high);
    let v = cx.b.add(v, low);
    set_pair(cx, f, v);
    Ok(None)
}

/// `UMULL|UMLAL|SMULL|SMLAL{S} RdLo, RdHi, Rn, Rm`.
fn long(cx: &mut Cx<'_, '_>, f: Fields, signed: bool, accumulate: bool, s: bool) -> Lift {
    f.pair()?;
    let (n, m) = (wide(cx, f.n, signed), wide(cx, f.m, signed));
    let mut v = cx.b.bin(IntBin::Mul, n, m);
    if accumulate {
        let old = accumulator(cx, f);
        v = cx.b.add(old, v);
    }
    set_pair(cx, f, v);
    if s {
        cx.set_flags_result(v, None);
    }
    Ok(None)
}

/// `SMLA<x><y> Rd, Rn, Rm, Ra`.
fn smla(cx: &mut Cx<'_, '_>, f: Fields, x: bool, y: bool) -> Lift {
    f.all_no_pc()?;
    let (n, m, a) = (half(cx, f.n, x, Type::I64), half(cx, f.m, y, Type::I64), wide(cx, f.a, true));
    let product = cx.b.bin(IntBin::Mul, n, m);
    let v = cx.b.add(product, a);
    set_sum(cx, f.d, v);
    Ok(None)
}

/// `SMUL<x><y> Rd, Rn, Rm`.
fn smul(cx: &mut Cx<'_, '_>, f: Fields, x: bool, y: bool) -> Lift {
    f.no_pc()?;
    let (n, m) = (half(cx, f.n, x, Type::I32), half(cx, f.m, y, Type::I32));
    let v = cx.b.bin(IntBin::Mul, n, m);
    cx.set_reg(f.d, v);
    Ok(None)
}

/// Rn times a half of Rm, bits 47:16, sign-extended.
fn word_by_half(cx: &mut Cx<'_, '_>, f: Fields, top: bool) -> Value {
    let (n, m) = (wide(cx, f.n, true), half(cx, f.m, top, Type::I64));
    let v = cx.b.bin(IntBin::Mul, n, m);
    cx.b.shift_imm(IntBin::Ashr, v, 16)
}

/// `SMLAW<y> Rd, Rn, Rm, Ra`.
fn smlaw(cx: &mut Cx<'_, '_>, f: Fields, y: bool) -> Lift {
    f.all_no_pc()?;
    let (product, a) = (word_by_half(cx, f, y), wide(cx, f.a, true));
    let v = cx.b.add(product, a);
    set_sum(cx, f.d, v);
    Ok(None)
}

/// `SMULW<y> Rd, Rn, Rm`.
fn smulw(cx: &mut Cx<'_, '_>, f: Fields, y: bool) -> Lift {
    f.no_pc()?;
    let v = word_by_half(cx, f, y);
    cx.set_reg(f.d, v);
    Ok(None)
}

/// `SMLAL<x><y> RdLo, RdHi, Rn, Rm`.
fn smlal(cx: &mut Cx<'_, '_>, f: Fields, x: bool, y: bool) -> Lift {
    f.pair()?;
    let (n, m) = (half(cx, f.n, x, Type::I64), half(cx, f.m, y, Type::I64));
    let product = cx.b.bin(IntBin::Mul, n, m);
    let old = accumulator(cx, f);
    let v = cx.b.add(old, product);
    set_pair(cx, f, v);
    Ok(None)
}

/// Product of the lower halves `op` that of the upper halves, i64; `x`: Rm's halves exchanged.
fn dual_product(cx: &mut Cx<'_, '_>, f: Fields, op: IntBin, x: bool) -> Value {
    let (n, m) = (half(cx, f.n, false, Type::I64), half(cx, f.m, x, Type::I64));
    let low = cx.b.bin(IntBin::Mul, n, m);
    let (n, m) = (half(cx, f.n, true, Type::I64), half(cx, f.m, !x, Type::I64));
    let high = cx.b.bin(IntBin::Mul, n, m);
    cx.b.bin(op, low, high)
}

/// `SMLAD|SMLSD{X} Rd, Rn, Rm, Ra`, `SMUAD|SMUSD{X} Rd, Rn, Rm`.
fn dual(cx: &mut Cx<'_, '_>, f: Fields, op: IntBin, x: bool, accumulate: bool) -> Lift {
    f.no_pc()?;
    let mut v = dual_product(cx, f, op, x);
    if accumulate {
        let a = wide(cx, f.a, true);
        v = cx.b.add(v, a);
    } else if op == IntBin::Sub {
        // The difference of two products fits.
        cx.set_reg(f.d, v);
        return Ok(None);
    }
    set_sum(cx, f.d, v);
    Ok(None)
}

/// `SMLALD|SMLSLD{X} RdLo, RdHi, Rn, Rm`.
fn dual_long(cx: &mut Cx<'_, '_>, f: Fields, op: IntBin, x: bool) -> Lift {
    f.pair()?;
    let v = dual_product(cx, f, op, x);
    let old = accumulator(cx, f);
    let v = cx.b.add(old, v);
    set_pair(cx, f, v);
    Ok(None)
}

/// `SMMUL|SMMLA|SMMLS{R} Rd, Rn, Rm{, Ra}`: the upper half of the product, of Ra:0 plus or minus it.
fn high(cx: &mut Cx<'_, '_>, f: Fields, accumulate: Option<IntBin>, round: bool) -> Lift {
    f.no_pc()?;
    let (n, m) = (wide(cx, f.n, true), wide(cx, f.m, true));
    let mut v = cx.b.bin(IntBin::Mul, n, m);
    if let Some(op) = accumulate {
        no_pc(&[f.a])?;
        let a = cx.base(f.a);
        let a = cx.b.shift_imm(IntBin::Shl, a, 32);
        v = cx.b.bin(op, a, v);
    }
    if round {
        v = cx.b.add_imm(v, 1 << 31);
    }
    let v = cx.b.shift_imm(IntBin::Lshr, v, 32);
    cx.set(reg::r(f.d), v);
    Ok(None)
}

/// `SDIV|UDIV Rd, Rn, Rm`.
fn divide(cx: &mut Cx<'_, '_>, f: Fields, op: IntBin) -> Lift {
    f.no_pc()?;
    let (n, m) = (cx.reg(f.n), cx.reg(f.m));
    let v = cx.b.bin(op, n, m);
    cx.set_reg(f.d, v);
    Ok(None)
}
