//! The reference meaning of every [`PureOp`], on concrete bits. Interpreter, soft operations, constant folder and
//! tests call [`eval`]; no host floating point takes part, so the result does not depend on the host. It allocates
//! nothing and knows no blocks, registers or memory.

mod crypto;
mod fp;
mod int;
mod saturate;
mod softfloat;
mod vector;

use crate::op::PureOp;
use crate::types::Type;
pub use softfloat::FpEnv;

/// A concrete value: its type and its bits, zero above the type's width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bits {
    /// Type of the value.
    pub ty: Type,
    /// The bits.
    pub bits: u128,
}

impl Bits {
    /// A value; bits above the type's width are dropped.
    pub const fn new(ty: Type, bits: u128) -> Bits {
        Bits { ty, bits: bits & ty.mask() }
    }
}

/// The bits of `op` applied to `args` (as many as [`PureOp::arity`]) with result type `ty`; zero above its width.
///
/// Operations for which [`PureOp::uses_fp_env`] holds read `env.fpcr` and accumulate exceptions into `env.fpsr`; all
/// others leave it alone. Total for well-typed operands; panics only if operands are missing.
pub fn eval(op: PureOp, ty: Type, args: &[Bits], env: &mut FpEnv) -> u128 {
    if !op.standard_fpscr() {
        return eval_in(op, ty, args, env);
    }
    let mut standard = env.standard();
    let result = eval_in(op, ty, args, &mut standard);
    env.fpsr = standard.fpsr;
    result
}

fn eval_in(op: PureOp, ty: Type, args: &[Bits], env: &mut FpEnv) -> u128 {
    let a = args[0].bits;
    let b = || args[1].bits;
    let c = || args[2].bits;
    match op {
        PureOp::Int(op) => int::binary(op, ty.bits(), a, b()),
        PureOp::IntUn(op) => int::unary(op, ty.bits(), a),
        PureOp::Cmp(op) => int::compare(op, args[0].ty.bits(), a, b()) as u128,
        PureOp::CarryOut => int::carry_out(args[0].ty.bits(), a, b(), c()) as u128,
        PureOp::Overflow => int::overflow(args[0].ty.bits(), a, b(), c()) as u128,
        PureOp::Select => {
            if a != 0 {
                b()
            } else {
                c()
            }
        }
        PureOp::Zext | PureOp::Bitcast | PureOp::VFromScalar => a,
        PureOp::Sext => int::sext(a, args[0].ty.bits()) as u128 & ty.mask(),
        PureOp::Trunc | PureOp::VToScalar => a & ty.mask(),
        PureOp::Concat => a << 64 | b(),

        PureOp::F(op, shape) => fp::binary(op, shape, a, b(), env),
        PureOp::FUn(op, shape) => fp::unary(op, shape, a, env),
        PureOp::FMulAdd(shape) => fp::mul_add(shape, a, b(), c(), env),
        PureOp::FCmp { cmp, signaling, shape } => fp::compare(cmp, signaling, shape, a, b(), env),
        PureOp::FConvert(round) => fp::convert(args[0].ty, ty, round, a, env),
        PureOp::FWiden { from, high } => fp::widen(from, high, a, env),
        PureOp::FNarrow { from, round } => fp::narrow(from, round, a, env),
        PureOp::FToInt { shape, signed, round, fbits } => {
            let width = if shape.is_vector() { shape.bits() } else { ty.bits() };
            fp::to_int(shape, width, signed, round, fbits, a, env)
        }
        PureOp::IntToF { shape, signed, fbits } => {
            let width = if shape.is_vector() { shape.bits() } else { args[0].ty.bits() };
            fp::from_int(shape, width, signed, fbits, a, env)
        }
        PureOp::FRound { shape, round, exact } => fp::round_int(shape, round, exact, a, env),

        PureOp::VSplat(lane) => vector::splat(lane, a),
        PureOp::VExtract(lane, index) => vector::extract(lane, index, a),
        PureOp::VInsert(lane, index) => vector::insert(lane, index, a, b()),
        PureOp::V(op, lane) => vector::binary(op, lane, a, b()),
        PureOp::VBit(op) => vector::bitwise(op, a, b()),
        PureOp::VUn(op, lane) => vector::unary(op, lane, a),
        PureOp::VCmp(op, lane) => vector::compare(op, lane, a, b()),
        PureOp::VBitSelect => a & b() | !a & c(),
        PureOp::VShiftImm(op, lane, amount) => vector::shift_imm(op, lane, amount, a),
        PureOp::VShuffle(sel) => vector::shuffle(&sel, a, b()),
        PureOp::VLookup => vector::lookup(a, b()),
        PureOp::VWiden { lane, signed, high } => vector::widen(lane, signed, high, a),
        PureOp::VNarrow(lane) => vector::narrow(lane, a),
        PureOp::VSat(op, lane) => saturate::eval(op, lane, a, b()).0,
        PureOp::VSatQc(op, lane) => saturate::eval(op, lane, a, b()).1 as u128,
        PureOp::VReduce(op, lane) => vector::reduce(op, lane, a),
        PureOp::VLow64 => a as u64 as u128,
        PureOp::VPMull8 { high } => vector::pmull8(high, a, b()),

        PureOp::Helper(h) => {
            crypto::helper(h, a, args.get(1).map_or(0, |v| v.bits), args.get(2).map_or(0, |v| v.bits), env)
        }
    }
}
