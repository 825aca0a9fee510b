//! Scalar floating point (Arm ARM C4.1.96): moves, arithmetic, comparison, conversion. Operands are the low bits of V
//! registers; results put zero above. The precision comes from the field ptype.

use super::cx::{Cx, Lift, Undefined, bit, bits, ra, rd, rm, rn};
use super::simd::rows;
use super::simd::shift::expand_float;
use super::simd::{concatenate, count};
use super::table::{Feature, Row};
use ir::{FBin, FCmp, FShape, FUn, Helper, IntBin, Lane, PureOp, Round, Type, Value};

/// Rows of this group.
pub static ROWS: &[Row] = &concatenate::<{ count(CLASSES) }>(CLASSES);

const CLASSES: &[&[&[Row]]] = &[&[MOVE, ARITHMETIC, COMPARE, CONVERT, FRINTTS, JSCVT]];

const MOVE: &[Row] = rows! { Fp:
    "FMOV (register)" "00011110 tt100000 010000 nnnnnddddd" fmov_register;
    "FMOV (scalar, immediate)" "00011110 tt1iiiii iii100 00000ddddd" fmov_immediate;
    "FMOV (to general)" "s0011110 tt100110 000000 nnnnnddddd" fmov_to_general;
    "FMOV (from general)" "s0011110 tt100111 000000 nnnnnddddd" fmov_from_general;
    "FMOV (top half to general)" "10011110 10101110 000000 nnnnnddddd" fmov_top_to_general;
    "FMOV (general to top half)" "10011110 10101111 000000 nnnnnddddd" fmov_general_to_top;
    "FCSEL" "00011110 tt1mmmmm cccc11 nnnnnddddd" fcsel;
};

const ARITHMETIC: &[Row] = rows! { Fp:
    "FABS (scalar)" "00011110 tt100000 110000 nnnnnddddd" |cx, w| unary(cx, w, FUn::Abs);
    "FNEG (scalar)" "00011110 tt100001 010000 nnnnnddddd" |cx, w| unary(cx, w, FUn::Neg);
    "FSQRT (scalar)" "00011110 tt100001 110000 nnnnnddddd" |cx, w| unary(cx, w, FUn::Sqrt);
    "FMUL (scalar)" "00011110 tt1mmmmm 000010 nnnnnddddd" |cx, w| binary(cx, w, FBin::Mul);
    "FDIV (scalar)" "00011110 tt1mmmmm 000110 nnnnnddddd" |cx, w| binary(cx, w, FBin::Div);
    "FADD (scalar)" "00011110 tt1mmmmm 001010 nnnnnddddd" |cx, w| binary(cx, w, FBin::Add);
    "FSUB (scalar)" "00011110 tt1mmmmm 001110 nnnnnddddd" |cx, w| binary(cx, w, FBin::Sub);
    "FMAX (scalar)" "00011110 tt1mmmmm 010010 nnnnnddddd" |cx, w| binary(cx, w, FBin::Max);
    "FMIN (scalar)" "00011110 tt1mmmmm 010110 nnnnnddddd" |cx, w| binary(cx, w, FBin::Min);
    "FMAXNM (scalar)" "00011110 tt1mmmmm 011010 nnnnnddddd" |cx, w| binary(cx, w, FBin::MaxNum);
    "FMINNM (scalar)" "00011110 tt1mmmmm 011110 nnnnnddddd" |cx, w| binary(cx, w, FBin::MinNum);
    "FNMUL (scalar)" "00011110 tt1mmmmm 100010 nnnnnddddd" fnmul;
    "FMADD" "00011111 tt0mmmmm 0aaaaa nnnnnddddd" |cx, w| multiply_add(cx, w, false, false);
    "FMSUB" "00011111 tt0mmmmm 1aaaaa nnnnnddddd" |cx, w| multiply_add(cx, w, false, true);
    "FNMADD" "00011111 tt1mmmmm 0aaaaa nnnnnddddd" |cx, w| multiply_add(cx, w, true, true);
    "FNMSUB" "00011111 tt1mmmmm 1aaaaa nnnnnddddd" |cx, w| multiply_add(cx, w, true, false);
};

const COMPARE: &[Row] = rows! { Fp:
    "FCMP" "00011110 tt1mmmmm 001000 nnnnn00000" |cx, w| compare(cx, w, false, false);
    "FCMP (zero)" "00011110 tt1mmmmm 001000 nnnnn01000" |cx, w| compare(cx, w, false, true);
    "FCMPE" "00011110 tt1mmmmm 001000 nnnnn10000" |cx, w| compare(cx, w, true, false);
    "FCMPE (zero)" "00011110 tt1mmmmm 001000 nnnnn11000" |cx, w| compare(cx, w, true, true);
    "FCCMP" "00011110 tt1mmmmm cccc01 nnnnn0ffff" |cx, w| compare_if(cx, w, false);
    "FCCMPE" "00011110 tt1mmmmm cccc01 nnnnn1ffff" |cx, w| compare_if(cx, w, true);
};

const CONVERT: &[Row] = rows! { Fp:
    "FCVT (to single)" "00011110 tt100010 010000 nnnnnddddd" |cx, w| convert(cx, w, 32);
    "FCVT (to double)" "00011110 tt100010 110000 nnnnnddddd" |cx, w| convert(cx, w, 64);
    "FCVT (to half)" "00011110 tt100011 110000 nnnnnddddd" |cx, w| convert(cx, w, 16);
    "FRINTN (scalar)" "00011110 tt100100 010000 nnnnnddddd" |cx, w| round(cx, w, Round::TieEven, false);
    "FRINTP (scalar)" "00011110 tt100100 110000 nnnnnddddd" |cx, w| round(cx, w, Round::PlusInf, false);
    "FRINTM (scalar)" "00011110 tt100101 010000 nnnnnddddd" |cx, w| round(cx, w, Round::MinusInf, false);
    "FRINTZ (scalar)" "00011110 tt100101 110000 nnnnnddddd" |cx, w| round(cx, w, Round::Zero, false);
    "FRINTA (scalar)" "00011110 tt100110 010000 nnnnnddddd" |cx, w| round(cx, w, Round::TieAway, false);
    "FRINTX (scalar)" "00011110 tt100111 010000 nnnnnddddd" |cx, w| round(cx, w, Round::Current, true);
    "FRINTI (scalar)" "00011110 tt100111 110000 nnnnnddddd" |cx, w| round(cx, w, Round::Current, false);
    "FCVTNS (scalar)" "s0011110 tt100000 000000 nnnnnddddd" |cx, w| to_int(cx, w, true, Round::TieEven);
    "FCVTNU (scalar)" "s0011110 tt100001 000000 nnnnnddddd" |cx, w| to_int(cx, w, false, Round::TieEven);
    "FCVTAS (scalar)" "s0011110 tt100100 000000 nnnnnddddd" |cx, w| to_int(cx, w, true, Round::TieAway);
    "FCVTAU (scalar)" "s0011110 tt100101 000000 nnnnnddddd" |cx, w| to_int(cx, w, false, Round::TieAway);
    "FCVTPS (scalar)" "s0011110 tt101000 000000 nnnnnddddd" |cx, w| to_int(cx, w, true, Round::PlusInf);
    "FCVTPU (scalar)" "s0011110 tt101001 000000 nnnnnddddd" |cx, w| to_int(cx, w, false, Round::PlusInf);
    "FCVTMS (scalar)" "s0011110 tt110000 000000 nnnnnddddd" |cx, w| to_int(cx, w, true, Round::MinusInf);
    "FCVTMU (scalar)" "s0011110 tt110001 000000 nnnnnddddd" |cx, w| to_int(cx, w, false, Round::MinusInf);
    "FCVTZS (scalar, integer)" "s0011110 tt111000 000000 nnnnnddddd" |cx, w| to_int(cx, w, true, Round::Zero);
    "FCVTZU (scalar, integer)" "s0011110 tt111001 000000 nnnnnddddd" |cx, w| to_int(cx, w, false, Round::Zero);
    "SCVTF (scalar, integer)" "s0011110 tt100010 000000 nnnnnddddd" |cx, w| from_int(cx, w, true);
    "UCVTF (scalar, integer)" "s0011110 tt100011 000000 nnnnnddddd" |cx, w| from_int(cx, w, false);
    "SCVTF (scalar, fixed-point)" "s0011110 tt000010 ffffff nnnnnddddd" |cx, w| from_int(cx, w, true);
    "UCVTF (scalar, fixed-point)" "s0011110 tt000011 ffffff nnnnnddddd" |cx, w| from_int(cx, w, false);
    "FCVTZS (scalar, fixed-point)" "s0011110 tt011000 ffffff nnnnnddddd" |cx, w| to_int(cx, w, true, Round::Zero);
    "FCVTZU (scalar, fixed-point)" "s0011110 tt011001 ffffff nnnnnddddd" |cx, w| to_int(cx, w, false, Round::Zero);
};

const FRINTTS: &[Row] = rows! { FrintTs:
    "FRINT32Z (scalar)" "00011110 0t101000 010000 nnnnnddddd" |cx, w| round_to_size(cx, w, 32, Round::Zero);
    "FRINT32X (scalar)" "00011110 0t101000 110000 nnnnnddddd" |cx, w| round_to_size(cx, w, 32, Round::Current);
    "FRINT64Z (scalar)" "00011110 0t101001 010000 nnnnnddddd" |cx, w| round_to_size(cx, w, 64, Round::Zero);
    "FRINT64X (scalar)" "00011110 0t101001 110000 nnnnnddddd" |cx, w| round_to_size(cx, w, 64, Round::Current);
};

const JSCVT: &[Row] = rows! { JsCvt:
    "FJCVTZS" "00011110 01111110 000000 nnnnnddddd" fjcvtzs;
};

/// The precision in ptype, bits 23:22.
fn shape(w: u32) -> Result<FShape, Undefined> {
    match bits(w, 23, 22) {
        0 => Ok(FShape::S),
        1 => Ok(FShape::D),
        3 => Ok(FShape::H),
        _ => Err(Undefined),
    }
}

/// Type of the general register, by sf.
fn int_type(w: u32) -> Type {
    if bit(w, 31) { Type::I64 } else { Type::I32 }
}

fn read(cx: &mut Cx<'_, '_>, shape: FShape, n: u32) -> Value {
    cx.scalar(shape.ty(), n)
}

/// `FMOV Sd, Sn`
fn fmov_register(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let n = read(cx, shape(w)?, rn(w));
    cx.set_scalar(rd(w), n);
    Ok(None)
}

/// `FMOV Sd, #imm`
fn fmov_immediate(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shape = shape(w)?;
    let imm = expand_float(bits(w, 20, 13), shape.bits());
    let v = cx.b.konst(Type::V128, u128::from(imm));
    cx.set_vec(rd(w), v);
    Ok(None)
}

/// Shape of a move between register files: halves go to and from both W and X, else the widths are equal.
fn fmov_shape(w: u32) -> Result<FShape, Undefined> {
    let shape = shape(w)?;
    if shape != FShape::H && shape.bits() != int_type(w).bits() { Err(Undefined) } else { Ok(shape) }
}

/// `FMOV Rd, Sn`
fn fmov_to_general(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shape = fmov_shape(w)?;
    let n = cx.scalar(Type::int(shape.bits()), rn(w));
    cx.set_gpr(rd(w), n);
    Ok(None)
}

/// `FMOV Sd, Rn`
fn fmov_from_general(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shape = fmov_shape(w)?;
    let n = cx.gpr(true, rn(w));
    let n = cx.b.zext_or_trunc(Type::int(shape.bits()), n);
    cx.set_scalar(rd(w), n);
    Ok(None)
}

/// `FMOV Xd, Vn.D[1]`
fn fmov_top_to_general(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let n = cx.vec(rn(w));
    let r = cx.b.pure(PureOp::VExtract(Lane::D2, 1), &[n]);
    cx.set_gpr(rd(w), r);
    Ok(None)
}

/// `FMOV Vd.D[1], Xn`
fn fmov_general_to_top(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (n, d) = (cx.gpr(true, rn(w)), cx.vec(rd(w)));
    let r = cx.b.pure(PureOp::VInsert(Lane::D2, 1), &[d, n]);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `FCSEL Sd, Sn, Sm, cond`
fn fcsel(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shape = shape(w)?;
    let cond = cx.condition(bits(w, 15, 12));
    let (n, m) = (read(cx, shape, rn(w)), read(cx, shape, rm(w)));
    let r = cx.b.select(cond, n, m);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `FSQRT Sd, Sn`
fn unary(cx: &mut Cx<'_, '_>, w: u32, op: FUn) -> Lift {
    let shape = shape(w)?;
    let n = read(cx, shape, rn(w));
    let r = cx.b.pure(PureOp::FUn(op, shape), &[n]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `FADD Sd, Sn, Sm`
fn binary(cx: &mut Cx<'_, '_>, w: u32, op: FBin) -> Lift {
    let shape = shape(w)?;
    let (n, m) = (read(cx, shape, rn(w)), read(cx, shape, rm(w)));
    let r = cx.b.pure(PureOp::F(op, shape), &[n, m]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `FNMUL Sd, Sn, Sm`: the product negated, a NaN's sign, too.
fn fnmul(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shape = shape(w)?;
    let (n, m) = (read(cx, shape, rn(w)), read(cx, shape, rm(w)));
    let product = cx.b.pure(PureOp::F(FBin::Mul, shape), &[n, m]);
    let r = cx.b.pure(PureOp::FUn(FUn::Neg, shape), &[product]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `FMADD Sd, Sn, Sm, Sa`: the manual negates operands, not results.
fn multiply_add(cx: &mut Cx<'_, '_>, w: u32, negate_addend: bool, negate_factor: bool) -> Lift {
    let shape = shape(w)?;
    let (mut n, m, mut a) = (read(cx, shape, rn(w)), read(cx, shape, rm(w)), read(cx, shape, ra(w)));
    if negate_addend {
        a = cx.b.pure(PureOp::FUn(FUn::Neg, shape), &[a]);
    }
    if negate_factor {
        n = cx.b.pure(PureOp::FUn(FUn::Neg, shape), &[n]);
    }
    let r = cx.b.pure(PureOp::FMulAdd(shape), &[n, m, a]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `FCMP Sn, Sm`; `zero`: `FCMP Sn, #0.0` (Rm is ignored).
fn compare(cx: &mut Cx<'_, '_>, w: u32, signaling: bool, zero: bool) -> Lift {
    let shape = shape(w)?;
    let n = read(cx, shape, rn(w));
    let m = if zero { cx.b.konst(shape.ty(), 0) } else { read(cx, shape, rm(w)) };
    cx.set_flags_fcmp(n, m, shape, signaling);
    Ok(None)
}

/// `FCCMP Sn, Sm, #nzcv, cond`
fn compare_if(cx: &mut Cx<'_, '_>, w: u32, signaling: bool) -> Lift {
    let shape = shape(w)?;
    let operands = [read(cx, shape, rn(w)), read(cx, shape, rm(w))];
    cx.set_flags_fccmp(operands, shape, signaling, bits(w, 15, 12), bits(w, 3, 0));
    Ok(None)
}

/// `FCVT Dd, Sn`
fn convert(cx: &mut Cx<'_, '_>, w: u32, to: u32) -> Lift {
    let from = shape(w)?;
    if from.bits() == to {
        return Err(Undefined);
    }
    let n = read(cx, from, rn(w));
    let r = cx.b.pure_ty(PureOp::FConvert(Round::Current), Type::float(to), &[n]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `FRINTN Sd, Sn`
fn round(cx: &mut Cx<'_, '_>, w: u32, round: Round, exact: bool) -> Lift {
    let shape = shape(w)?;
    let n = read(cx, shape, rn(w));
    let r = cx.b.pure(PureOp::FRound { shape, round, exact }, &[n]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// Fraction bits: 0 for the integer encodings (bit 21), else 64 − scale, which is at most the general register's width.
fn fraction_bits(w: u32) -> Result<u8, Undefined> {
    if bit(w, 21) {
        return Ok(0);
    }
    let fbits = 64 - bits(w, 15, 10);
    if fbits > int_type(w).bits() { Err(Undefined) } else { Ok(fbits as u8) }
}

/// `FCVTZS Rd, Sn` and `FCVTZS Rd, Sn, #fbits`
fn to_int(cx: &mut Cx<'_, '_>, w: u32, signed: bool, round: Round) -> Lift {
    let (shape, fbits) = (shape(w)?, fraction_bits(w)?);
    let n = read(cx, shape, rn(w));
    let r = cx.b.pure_ty(PureOp::FToInt { shape, signed, round, fbits }, int_type(w), &[n]);
    cx.set_gpr(rd(w), r);
    Ok(None)
}

/// `SCVTF Sd, Rn` and `SCVTF Sd, Rn, #fbits`
fn from_int(cx: &mut Cx<'_, '_>, w: u32, signed: bool) -> Lift {
    let (shape, fbits) = (shape(w)?, fraction_bits(w)?);
    let n = cx.gpr(bit(w, 31), rn(w));
    let r = cx.b.pure(PureOp::IntToF { shape, signed, fbits }, &[n]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `FRINT32Z Sd, Sn`
fn round_to_size(cx: &mut Cx<'_, '_>, w: u32, int_bits: u32, round: Round) -> Lift {
    let shape = shape(w)?;
    let n = read(cx, shape, rn(w));
    let r = cx.round_to_int_size(n, shape, int_bits, round);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

impl Cx<'_, '_> {
    /// The manual's FPRoundIntN: `v` rounded to an integral float that an integer of `int_bits` can hold; else, and for
    /// NaNs, the least such integer. Exceptions are those of the conversion to that integer, which is made for them.
    pub(super) fn round_to_int_size(
        &mut self,
        v: Value,
        shape: FShape,
        int_bits: u32,
        round: Round,
    ) -> Value {
        let to_int = PureOp::FToInt { shape, signed: true, round, fbits: 0 };
        self.b.pure_ty(to_int, Type::int(int_bits), &[v]);
        let rounded = self.b.pure(PureOp::FRound { shape, round, exact: false }, &[v]);
        // ±2^(int_bits − 1)
        let (bias, fraction) = if shape == FShape::S { (127, 23) } else { (1023, 52) };
        let limit = u128::from(bias + int_bits - 1) << fraction;
        let high = self.b.konst(shape.ty(), limit);
        let low = self.b.konst(shape.ty(), limit | 1 << (shape.bits() - 1));
        let quiet = |cmp| PureOp::FCmp { cmp, signaling: false, shape };
        let above = self.b.pure(quiet(FCmp::Ge), &[rounded, low]);
        let below = self.b.pure(quiet(FCmp::Lt), &[rounded, high]);
        let fits = self.b.and(above, below);
        self.b.select(fits, rounded, low)
    }
}

/// `FJCVTZS Wd, Dn`: Z tells whether the conversion was exact; N, C and V are 0.
fn fjcvtzs(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let n = read(cx, FShape::D, rn(w));
    let both = cx.b.pure(PureOp::Helper(Helper::JsCvt), &[n]);
    let result = cx.b.zext_or_trunc(Type::I32, both);
    let z = cx.b.shift_imm(IntBin::Lshr, both, 32);
    let z = cx.b.zext_or_trunc(Type::I1, z);
    let no = cx.b.i1(false);
    cx.set_gpr(rd(w), result);
    cx.set_flags([no, z, no, no], None);
    Ok(None)
}
