//! Which types a data operation takes and gives, and which immediates and shapes exist. Takes an operation with types,
//! says whether it is one of the table; verifier, text form and tests share it.

use crate::op::*;
use crate::types::{FShape, Lane, Type};

/// Type of one operand, given the operation and its result type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// This type.
    Is(Type),
    /// A choice; all free operands of an operation have the same type.
    Free,
}

impl PureOp {
    /// True if shape and immediates are among those that the operation's description allows.
    pub fn is_valid(self) -> bool {
        match self {
            PureOp::Int(_)
            | PureOp::IntUn(_)
            | PureOp::Cmp(_)
            | PureOp::CarryOut
            | PureOp::Overflow
            | PureOp::Select
            | PureOp::Zext
            | PureOp::Sext
            | PureOp::Trunc
            | PureOp::Bitcast
            | PureOp::Concat
            | PureOp::F(..)
            | PureOp::FUn(..)
            | PureOp::FMulAdd(_)
            | PureOp::FCmp { .. }
            | PureOp::VSplat(_)
            | PureOp::VFromScalar
            | PureOp::VToScalar
            | PureOp::VBit(_)
            | PureOp::VCmp(..)
            | PureOp::VBitSelect
            | PureOp::VShuffle(_)
            | PureOp::VLookup
            | PureOp::VReduce(..)
            | PureOp::VLow64
            | PureOp::VPMull8 { .. } => true,
            PureOp::FConvert(round) => matches!(round, Round::Current | Round::Odd),
            PureOp::FWiden { from, high: _ } => matches!(from, FShape::V4H | FShape::V2S),
            PureOp::FNarrow { from, round } => {
                matches!(from, FShape::V4S | FShape::V2D | FShape::N4S)
                    && matches!(round, Round::Current | Round::Odd)
            }
            PureOp::FToInt { shape, round, fbits, .. } => round != Round::Odd && fraction_ok(shape, fbits),
            PureOp::IntToF { shape, fbits, .. } => fraction_ok(shape, fbits),
            PureOp::FRound { round, .. } => round != Round::Odd,
            PureOp::VExtract(l, i) | PureOp::VInsert(l, i) => (i as u32) < l.count(),
            PureOp::V(op, l) => op != VBin::PMul || l == Lane::B16,
            PureOp::VUn(op, l) => match op {
                VUn::Neg | VUn::Abs | VUn::Not => true,
                VUn::Clz | VUn::Cls => l != Lane::D2,
                VUn::Popcnt | VUn::Rbit => l == Lane::B16,
                VUn::RecipEst | VUn::RsqrtEst => l == Lane::S4,
            },
            PureOp::VShiftImm(op, l, n) => match op {
                VShift::Shl => (n as u32) < l.bits(),
                VShift::UShr | VShift::SShr | VShift::URShr | VShift::SRShr => n >= 1 && n as u32 <= l.bits(),
            },
            PureOp::VWiden { lane, .. } => lane != Lane::D2,
            PureOp::VNarrow(l) => l != Lane::B16,
            PureOp::VSat(op, l) | PureOp::VSatQc(op, l) => match op {
                VSat::SQDMulH | VSat::SQRDMulH => matches!(l, Lane::H8 | Lane::S4),
                VSat::SQXtn | VSat::UQXtn | VSat::SQXtun => l != Lane::B16,
                VSat::SQAdd
                | VSat::UQAdd
                | VSat::SQSub
                | VSat::UQSub
                | VSat::SUQAdd
                | VSat::USQAdd
                | VSat::SQShl
                | VSat::UQShl
                | VSat::SQRShl
                | VSat::UQRShl
                | VSat::SQShlu
                | VSat::SQAbs
                | VSat::SQNeg => true,
            },
            PureOp::Helper(h) => match h {
                Helper::Crc32 { bits } | Helper::Crc32c { bits } => matches!(bits, 8 | 16 | 32 | 64),
                _ => true,
            },
        }
    }

    /// Types of the operands for a result of type `ty`. Entries from the arity on mean nothing.
    pub fn operands(self, ty: Type) -> [Operand; 3] {
        use Operand::{Free, Is};
        match self {
            PureOp::Int(_) | PureOp::IntUn(_) => [Is(ty); 3],
            PureOp::Cmp(_) => [Free; 3],
            PureOp::CarryOut | PureOp::Overflow => [Free, Free, Is(Type::I1)],
            PureOp::Select => [Is(Type::I1), Is(ty), Is(ty)],
            PureOp::Zext
            | PureOp::Sext
            | PureOp::Trunc
            | PureOp::Bitcast
            | PureOp::FConvert(_)
            | PureOp::VFromScalar => [Free; 3],
            PureOp::Concat => [Is(Type::I64); 3],
            PureOp::F(_, s) | PureOp::FUn(_, s) | PureOp::FMulAdd(s) => [Is(s.ty()); 3],
            PureOp::FCmp { shape, .. } | PureOp::FToInt { shape, .. } | PureOp::FRound { shape, .. } => {
                [Is(shape.ty()); 3]
            }
            PureOp::IntToF { shape, .. } => {
                if shape.is_vector() {
                    [Is(Type::V128); 3]
                } else {
                    [Free; 3]
                }
            }
            PureOp::VSplat(l) => [Is(l.scalar()); 3],
            PureOp::VInsert(l, _) => [Is(Type::V128), Is(l.scalar()), Is(ty)],
            PureOp::FWiden { .. }
            | PureOp::FNarrow { .. }
            | PureOp::VToScalar
            | PureOp::VExtract(..)
            | PureOp::V(..)
            | PureOp::VBit(_)
            | PureOp::VUn(..)
            | PureOp::VCmp(..)
            | PureOp::VBitSelect
            | PureOp::VShiftImm(..)
            | PureOp::VShuffle(_)
            | PureOp::VLookup
            | PureOp::VWiden { .. }
            | PureOp::VNarrow(_)
            | PureOp::VSat(..)
            | PureOp::VSatQc(..)
            | PureOp::VReduce(..)
            | PureOp::VLow64
            | PureOp::VPMull8 { .. } => [Is(Type::V128); 3],
            PureOp::Helper(h) => match h {
                Helper::Crc32 { .. } | Helper::Crc32c { .. } => [Is(Type::I32), Is(Type::I64), Is(ty)],
                Helper::PMull64 => [Is(Type::I64); 3],
                Helper::Sha1H => [Is(Type::I32); 3],
                Helper::JsCvt => [Is(Type::F64); 3],
                Helper::AesE
                | Helper::AesD
                | Helper::AesMc
                | Helper::AesImc
                | Helper::Sha1C
                | Helper::Sha1P
                | Helper::Sha1M
                | Helper::Sha1Su0
                | Helper::Sha1Su1
                | Helper::Sha256H
                | Helper::Sha256H2
                | Helper::Sha256Su0
                | Helper::Sha256Su1
                | Helper::Sha512H
                | Helper::Sha512H2
                | Helper::Sha512Su0
                | Helper::Sha512Su1 => [Is(Type::V128); 3],
            },
        }
    }

    /// True if the operation is valid, gives a result of type `ty` and takes operands of types `args`.
    pub fn accepts(self, ty: Type, args: &[Type]) -> bool {
        if !self.is_valid() || args.len() != self.arity() || !self.result_ok(ty) {
            return false;
        }
        let mut free = None;
        for (&arg, rule) in args.iter().zip(self.operands(ty)) {
            match rule {
                Operand::Is(t) if t == arg => {}
                Operand::Free if free.is_none_or(|t| t == arg) => free = Some(arg),
                Operand::Is(_) | Operand::Free => return false,
            }
        }
        free.is_none_or(|t| self.free_ok(ty, t))
    }

    fn result_ok(self, ty: Type) -> bool {
        if let Some(fixed) = self.fixed_result() {
            return fixed == ty;
        }
        let wide_int = ty.is_int() && ty != Type::I1;
        match self {
            PureOp::Int(IntBin::And | IntBin::Or | IntBin::Xor) | PureOp::IntUn(IntUn::Not) => ty.is_int(),
            PureOp::Int(IntBin::UMulHi | IntBin::SMulHi) => matches!(ty, Type::I32 | Type::I64),
            PureOp::IntUn(IntUn::Bswap) => wide_int && ty != Type::I8,
            PureOp::Int(_) | PureOp::IntUn(_) | PureOp::Zext | PureOp::Sext => wide_int,
            PureOp::Trunc => ty.is_int() && ty != Type::I128,
            PureOp::Bitcast => ty != Type::I1 && ty != Type::I8,
            PureOp::FConvert(_) => ty.is_float(),
            PureOp::FToInt { .. } => matches!(ty, Type::I16 | Type::I32 | Type::I64),
            PureOp::VToScalar => ty != Type::V128 && ty != Type::I1,
            // Select takes any type; the rest fixes its result.
            _ => true,
        }
    }

    /// True if the free operands may have type `from` for a result of type `ty`.
    fn free_ok(self, ty: Type, from: Type) -> bool {
        match self {
            PureOp::Cmp(_) => from.is_int(),
            PureOp::CarryOut | PureOp::Overflow => from.is_int() && from != Type::I1,
            PureOp::Zext | PureOp::Sext => from.is_int() && from.bits() < ty.bits(),
            PureOp::Trunc => from.is_int() && from.bits() > ty.bits(),
            PureOp::Bitcast => from != ty && from.bits() == ty.bits(),
            PureOp::FConvert(_) => from.is_float() && from != ty,
            PureOp::IntToF { .. } => matches!(from, Type::I16 | Type::I32 | Type::I64),
            PureOp::VFromScalar => from != Type::V128 && from != Type::I1,
            // The others have no free operand.
            _ => true,
        }
    }
}

/// Fraction bits: up to the width of the integer, which for scalars is another type than the float's.
fn fraction_ok(shape: FShape, fbits: u8) -> bool {
    fbits as u32 <= if shape.is_vector() { shape.bits() } else { 64 }
}
