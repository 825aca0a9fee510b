//! The closed table of data operations: pure functions of their operands, save that floating-point operations read
//! the guest's FPCR and accumulate exceptions into its FPSR. Every engine has one exhaustive `match` over it.
//! The meaning of each operation is defined once, by `eval`; the comments here are its contract.

use crate::types::{FShape, Lane, Type};

/// Two-operand integer operations; operands and result of one integer type (also `i1` for the bitwise ones).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntBin {
    /// a + b modulo 2ⁿ.
    Add,
    /// a − b modulo 2ⁿ.
    Sub,
    /// Low n bits of a × b.
    Mul,
    /// High n bits of the unsigned product (i32, i64).
    UMulHi,
    /// High n bits of the signed product (i32, i64).
    SMulHi,
    /// Unsigned quotient; x / 0 = 0.
    UDiv,
    /// Signed quotient toward zero; x / 0 = 0, MIN / −1 = MIN.
    SDiv,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Shift left by b (unsigned, of a's type); b ≥ n gives 0.
    Shl,
    /// Logical shift right; b ≥ n gives 0.
    Lshr,
    /// Arithmetic shift right; b ≥ n gives the sign.
    Ashr,
    /// Rotate right by b mod n.
    Rotr,
    /// Signed minimum.
    SMin,
    /// Signed maximum.
    SMax,
    /// Unsigned minimum.
    UMin,
    /// Unsigned maximum.
    UMax,
}

/// One-operand integer operations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntUn {
    /// Bitwise complement.
    Not,
    /// Two's complement negation.
    Neg,
    /// Leading zeros; n for 0.
    Clz,
    /// Leading bits equal to the sign, not counting it.
    Cls,
    /// Trailing zeros; n for 0.
    Ctz,
    /// Bit reversal.
    Rbit,
    /// Byte reversal (i16, i32, i64, i128).
    Bswap,
    /// Number of one bits.
    Popcnt,
}

/// Integer comparisons.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntCmp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Unsigned less.
    Ult,
    /// Unsigned less or equal.
    Ule,
    /// Unsigned greater.
    Ugt,
    /// Unsigned greater or equal.
    Uge,
    /// Signed less.
    Slt,
    /// Signed less or equal.
    Sle,
    /// Signed greater.
    Sgt,
    /// Signed greater or equal.
    Sge,
}

impl IntCmp {
    /// The comparison that holds exactly where this one does not.
    pub const fn inverse(self) -> IntCmp {
        match self {
            IntCmp::Eq => IntCmp::Ne,
            IntCmp::Ne => IntCmp::Eq,
            IntCmp::Ult => IntCmp::Uge,
            IntCmp::Ule => IntCmp::Ugt,
            IntCmp::Ugt => IntCmp::Ule,
            IntCmp::Uge => IntCmp::Ult,
            IntCmp::Slt => IntCmp::Sge,
            IntCmp::Sle => IntCmp::Sgt,
            IntCmp::Sgt => IntCmp::Sle,
            IntCmp::Sge => IntCmp::Slt,
        }
    }

    /// The comparison that holds where this one does with its operands exchanged.
    pub const fn mirrored(self) -> IntCmp {
        match self {
            IntCmp::Eq => IntCmp::Eq,
            IntCmp::Ne => IntCmp::Ne,
            IntCmp::Ult => IntCmp::Ugt,
            IntCmp::Ule => IntCmp::Uge,
            IntCmp::Ugt => IntCmp::Ult,
            IntCmp::Uge => IntCmp::Ule,
            IntCmp::Slt => IntCmp::Sgt,
            IntCmp::Sle => IntCmp::Sge,
            IntCmp::Sgt => IntCmp::Slt,
            IntCmp::Sge => IntCmp::Sle,
        }
    }
}

/// Rounding mode of a floating-point operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Round {
    /// To nearest, ties to even.
    TieEven,
    /// Toward +∞.
    PlusInf,
    /// Toward −∞.
    MinusInf,
    /// Toward zero.
    Zero,
    /// To nearest, ties away from zero.
    TieAway,
    /// FPCR.RMode.
    Current,
    /// To odd (FCVTXN).
    Odd,
}

/// Two-operand floating-point operations (Arm ARM FPAdd … semantics: NaN processing, FZ, DN, FPSR flags).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FBin {
    /// FPAdd.
    Add,
    /// FPSub.
    Sub,
    /// FPMul.
    Mul,
    /// FPDiv.
    Div,
    /// FPMulX: ∞ × 0 gives ±2.
    MulX,
    /// FPMax.
    Max,
    /// FPMin.
    Min,
    /// FPMaxNum.
    MaxNum,
    /// FPMinNum.
    MinNum,
    /// FPRecipStepFused: 2 − a × b.
    RecipStep,
    /// FPRSqrtStepFused: (3 − a × b) / 2.
    RsqrtStep,
    /// |FPSub(a, b)| (FABD).
    AbsDiff,
}

/// One-operand floating-point operations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FUn {
    /// Sign cleared; no NaN processing.
    Abs,
    /// Sign inverted; no NaN processing.
    Neg,
    /// FPSqrt.
    Sqrt,
    /// FPRecipEstimate (FRECPE).
    RecipEst,
    /// FPRSqrtEstimate (FRSQRTE).
    RsqrtEst,
    /// FPRecpX (FRECPX).
    RecpX,
}

/// Floating-point comparisons; false if unordered, but for `Unordered`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FCmp {
    /// a = b.
    Eq,
    /// a > b.
    Gt,
    /// a ≥ b.
    Ge,
    /// a < b.
    Lt,
    /// a ≤ b.
    Le,
    /// Either is a NaN.
    Unordered,
}

/// Lane-wise two-operand vector operations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VBin {
    /// Lane sum modulo 2ⁿ.
    Add,
    /// Lane difference modulo 2ⁿ.
    Sub,
    /// Low half of the lane product.
    Mul,
    /// Polynomial product over GF(2), low half (16b only).
    PMul,
    /// Signed minimum.
    SMin,
    /// Signed maximum.
    SMax,
    /// Unsigned minimum.
    UMin,
    /// Unsigned maximum.
    UMax,
    /// (a + b) >> 1 signed, without overflow.
    SHAdd,
    /// (a + b) >> 1 unsigned, without overflow.
    UHAdd,
    /// (a + b + 1) >> 1 signed.
    SRHAdd,
    /// (a + b + 1) >> 1 unsigned.
    URHAdd,
    /// (a − b) >> 1 signed.
    SHSub,
    /// (a − b) >> 1 unsigned.
    UHSub,
    /// |a − b| signed, modulo 2ⁿ.
    SAbsDiff,
    /// |a − b| unsigned.
    UAbsDiff,
    /// SSHL: shift by the signed low byte of b's lane, left if positive, arithmetic right if negative.
    SShl,
    /// USHL: the same, logical.
    UShl,
    /// SRSHL: the same as `SShl`, right shifts rounded.
    SRShl,
    /// URSHL.
    URShl,
}

/// Bitwise vector operations on all 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VBit {
    /// a & b.
    And,
    /// a | b.
    Or,
    /// a ^ b.
    Xor,
    /// a & !b (BIC).
    AndNot,
    /// a | !b (ORN).
    OrNot,
}

/// Lane-wise one-operand vector operations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VUn {
    /// Negation modulo 2ⁿ.
    Neg,
    /// Absolute value modulo 2ⁿ.
    Abs,
    /// Bitwise complement (lane shape without effect).
    Not,
    /// Leading zeros (not 2d).
    Clz,
    /// Leading sign bits (not 2d).
    Cls,
    /// One bits (16b only).
    Popcnt,
    /// Bit reversal (16b only).
    Rbit,
    /// URECPE (4s only).
    RecipEst,
    /// URSQRTE (4s only).
    RsqrtEst,
}

/// Shift of every lane by the same constant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VShift {
    /// Left by 0…n−1.
    Shl,
    /// Logical right by 1…n (n gives 0).
    UShr,
    /// Arithmetic right by 1…n.
    SShr,
    /// Logical right by 1…n, rounded (half added first, without overflow).
    URShr,
    /// Arithmetic right by 1…n, rounded.
    SRShr,
}

/// Saturating lane operations. `PureOp::VSat` gives the result, `PureOp::VSatQc` whether any lane saturated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VSat {
    /// SQADD.
    SQAdd,
    /// UQADD.
    UQAdd,
    /// SQSUB.
    SQSub,
    /// UQSUB.
    UQSub,
    /// SUQADD: a (accumulator) signed + b unsigned, signed saturation.
    SUQAdd,
    /// USQADD: a (accumulator) unsigned + b signed, unsigned saturation.
    USQAdd,
    /// SQDMULH: high half of 2·a·b (8h, 4s).
    SQDMulH,
    /// SQRDMULH: the same, rounded.
    SQRDMulH,
    /// SQSHL (register).
    SQShl,
    /// UQSHL (register).
    UQShl,
    /// SQRSHL.
    SQRShl,
    /// UQRSHL.
    UQRShl,
    /// SQSHLU: a signed, b ≥ 0 the shift of each lane, unsigned saturation.
    SQShlu,
    /// SQABS (b ignored).
    SQAbs,
    /// SQNEG (b ignored).
    SQNeg,
    /// SQXTN: lanes of the shape narrowed to half width, signed to signed, into the low 64 bits (b ignored; not 16b).
    SQXtn,
    /// UQXTN: unsigned to unsigned.
    UQXtn,
    /// SQXTUN: signed to unsigned.
    SQXtun,
}

/// Sum, minimum or maximum over lanes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VReduce {
    /// Sum modulo 2ⁿ.
    Add,
    /// Signed minimum.
    SMin,
    /// Signed maximum.
    SMax,
    /// Unsigned minimum.
    UMin,
    /// Unsigned maximum.
    UMax,
}

/// Cryptography and other large operations: named helpers, implemented once and called by every engine. Operands and
/// results are `v128` unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Helper {
    /// CRC32B/H/W/X: (i32 accumulator, i64 data, of which the low `bits`) → i32.
    Crc32 {
        /// 8, 16, 32 or 64.
        bits: u8,
    },
    /// CRC32CB/CH/CW/CX, as `Crc32`.
    Crc32c {
        /// 8, 16, 32 or 64.
        bits: u8,
    },
    /// AESE Vd, Vn: (d, n).
    AesE,
    /// AESD: (d, n).
    AesD,
    /// AESMC: (n).
    AesMc,
    /// AESIMC: (n).
    AesImc,
    /// PMULL 1q: (i64, i64) → v128.
    PMull64,
    /// SHA1C Qd, Sn, Vm: (d, n, m), n in lane 0 of a v128.
    Sha1C,
    /// SHA1P.
    Sha1P,
    /// SHA1M.
    Sha1M,
    /// SHA1H: (i32) → i32.
    Sha1H,
    /// SHA1SU0: (d, n, m).
    Sha1Su0,
    /// SHA1SU1: (d, n).
    Sha1Su1,
    /// SHA256H: (d, n, m).
    Sha256H,
    /// SHA256H2: (d, n, m).
    Sha256H2,
    /// SHA256SU0: (d, n).
    Sha256Su0,
    /// SHA256SU1: (d, n, m).
    Sha256Su1,
    /// SHA512H: (d, n, m).
    Sha512H,
    /// SHA512H2: (d, n, m).
    Sha512H2,
    /// SHA512SU0: (d, n).
    Sha512Su0,
    /// SHA512SU1: (d, n, m).
    Sha512Su1,
    /// FJCVTZS: (f64) → i64: bits 31:0 the result, bit 32 the Z flag. Reads FPCR, accumulates FPSR.
    JsCvt,
}

/// A data operation without its operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PureOp {
    /// Integer, two operands of type `ty`.
    Int(IntBin),
    /// Integer, one operand; result of its type.
    IntUn(IntUn),
    /// Integer comparison → i1.
    Cmp(IntCmp),
    /// (a, b, carry-in i1) → i1: carry out of a + b + carry-in. (C after SUBS: a, !b, 1.)
    CarryOut,
    /// (a, b, carry-in i1) → i1: signed overflow of a + b + carry-in.
    Overflow,
    /// (i1, a, b) → a if the condition holds, else b; any type.
    Select,
    /// Zero-extension to the result type (from i1, too).
    Zext,
    /// Sign-extension to the result type.
    Sext,
    /// Low bits.
    Trunc,
    /// Same bits, other type of the same width (int ↔ float, i128 ↔ v128).
    Bitcast,
    /// (hi, lo: i64) → i128.
    Concat,

    /// Floating point, two operands.
    F(FBin, FShape),
    /// Floating point, one operand.
    FUn(FUn, FShape),
    /// (a, b, addend): FPMulAdd, fused, one rounding. Negate operands with `FUn::Neg` for FMSUB and the like.
    FMulAdd(FShape),
    /// Scalar: (a, b) → i1. Vector: (a, b) → v128 mask per lane. `signaling`: a quiet NaN raises Invalid Operation, too
    /// (FCMPE, FCMGE, FCMGT; FCMEQ and FCMP are quiet).
    FCmp {
        /// The relation.
        cmp: FCmp,
        /// True if any NaN raises Invalid Operation.
        signaling: bool,
        /// Operand shape.
        shape: FShape,
    },
    /// Scalar precision conversion from the operand's float type to the result type (FCVT). `round` is `Current` or,
    /// for FCVTXN, `Odd`.
    FConvert(Round),
    /// FCVTL: the low (or high) half lanes of a v128, each of `from`'s width, to lanes twice as wide. `from` is V4H or
    /// V2S.
    FWiden {
        /// Shape of the source half.
        from: FShape,
        /// True for the upper 64 bits (FCVTL2).
        high: bool,
    },
    /// FCVTN, FCVTXN: lanes of `from` (V4S, V2D) to half the width, in the low 64 bits.
    FNarrow {
        /// Source shape.
        from: FShape,
        /// `Current` or `Odd`.
        round: Round,
    },
    /// Float to integer or fixed point, saturating, NaN gives 0. Scalar: float → integer of the result type (i16, i32,
    /// i64). Vector: lanes of the same width.
    FToInt {
        /// Source shape.
        shape: FShape,
        /// Signed result.
        signed: bool,
        /// Rounding of the conversion.
        round: Round,
        /// Fraction bits of the result (0 for integers).
        fbits: u8,
    },
    /// Integer or fixed point to float, rounded by FPCR. Scalar: integer (i16, i32, i64) → float of `shape`. Vector:
    /// lanes of the same width.
    IntToF {
        /// Result shape.
        shape: FShape,
        /// Signed source.
        signed: bool,
        /// Fraction bits of the source.
        fbits: u8,
    },
    /// Round to an integral float (FRINT*). `exact` raises Inexact (FRINTX).
    FRound {
        /// Shape.
        shape: FShape,
        /// Mode.
        round: Round,
        /// Raise Inexact when the value changes.
        exact: bool,
    },

    /// Vector with the scalar integer operand (of the lane's type) in every lane.
    VSplat(Lane),
    /// Vector with the operand (any int or float scalar type) in its low bits and zero above.
    VFromScalar,
    /// Low bits of a vector as a scalar of the result type (int or float).
    VToScalar,
    /// Lane `index` as an integer of the lane's type.
    VExtract(Lane, u8),
    /// (v, scalar of the lane's type): the vector with lane `index` replaced.
    VInsert(Lane, u8),
    /// Lane-wise, two operands.
    V(VBin, Lane),
    /// Bitwise, two operands.
    VBit(VBit),
    /// Lane-wise, one operand.
    VUn(VUn, Lane),
    /// Lanes compared; all ones or zero.
    VCmp(IntCmp, Lane),
    /// (mask, a, b): each bit from a where the mask bit is 1, else from b.
    VBitSelect,
    /// Lanes shifted by a constant.
    VShiftImm(VShift, Lane, u8),
    /// (a, b): byte i of the result is byte `sel[i]` of a (0–15) or b (16–31), zero if `sel[i]` ≥ 32.
    VShuffle([u8; 16]),
    /// (table, indices): byte i is byte `indices[i]` of the table, zero if that is ≥ 16.
    VLookup,
    /// Lower (or upper) half lanes of the given shape extended to twice the width (not 2d).
    VWiden {
        /// Source lane.
        lane: Lane,
        /// Sign- or zero-extension.
        signed: bool,
        /// Upper half.
        high: bool,
    },
    /// Low half of each lane of the given shape, in the low 64 bits; zero above (not 16b).
    VNarrow(Lane),
    /// Saturating operation: its result.
    VSat(VSat, Lane),
    /// Saturating operation: i1, true if any lane saturated.
    VSatQc(VSat, Lane),
    /// Reduction over all lanes → scalar of the lane's type.
    VReduce(VReduce, Lane),
    /// The low 64 bits kept, zero above.
    VLow64,
    /// 8 × (8 × 8 → 16) polynomial product of the lower (upper) halves (PMULL 8h).
    VPMull8 {
        /// Upper halves (PMULL2).
        high: bool,
    },

    /// A named helper.
    Helper(Helper),
}

impl PureOp {
    /// Number of operands (1–3).
    pub const fn arity(self) -> usize {
        match self {
            PureOp::Int(_)
            | PureOp::Cmp(_)
            | PureOp::Concat
            | PureOp::F(..)
            | PureOp::FCmp { .. }
            | PureOp::VInsert(..)
            | PureOp::V(..)
            | PureOp::VBit(_)
            | PureOp::VCmp(..)
            | PureOp::VShuffle(_)
            | PureOp::VLookup
            | PureOp::VSat(..)
            | PureOp::VSatQc(..)
            | PureOp::VPMull8 { .. } => 2,
            PureOp::CarryOut
            | PureOp::Overflow
            | PureOp::Select
            | PureOp::FMulAdd(_)
            | PureOp::VBitSelect => 3,
            PureOp::IntUn(_)
            | PureOp::Zext
            | PureOp::Sext
            | PureOp::Trunc
            | PureOp::Bitcast
            | PureOp::FUn(..)
            | PureOp::FConvert(_)
            | PureOp::FWiden { .. }
            | PureOp::FNarrow { .. }
            | PureOp::FToInt { .. }
            | PureOp::IntToF { .. }
            | PureOp::FRound { .. }
            | PureOp::VSplat(_)
            | PureOp::VFromScalar
            | PureOp::VToScalar
            | PureOp::VExtract(..)
            | PureOp::VUn(..)
            | PureOp::VShiftImm(..)
            | PureOp::VWiden { .. }
            | PureOp::VNarrow(_)
            | PureOp::VReduce(..)
            | PureOp::VLow64 => 1,
            PureOp::Helper(h) => h.arity(),
        }
    }

    /// True if the operation reads FPCR and may set bits of FPSR. It may then not be removed, unless FPSR is dead.
    pub const fn uses_fp_env(self) -> bool {
        match self {
            PureOp::F(..)
            | PureOp::FMulAdd(_)
            | PureOp::FCmp { .. }
            | PureOp::FConvert(_)
            | PureOp::FWiden { .. }
            | PureOp::FNarrow { .. }
            | PureOp::FToInt { .. }
            | PureOp::IntToF { .. }
            | PureOp::FRound { .. } => true,
            PureOp::FUn(op, _) => !matches!(op, FUn::Abs | FUn::Neg),
            PureOp::Helper(h) => matches!(h, Helper::JsCvt),
            _ => false,
        }
    }

    /// The shape in which a floating-point operation takes its operands or gives its result, if it has one.
    pub const fn float_shape(self) -> Option<FShape> {
        match self {
            PureOp::F(_, shape)
            | PureOp::FUn(_, shape)
            | PureOp::FMulAdd(shape)
            | PureOp::FCmp { shape, .. }
            | PureOp::FWiden { from: shape, .. }
            | PureOp::FNarrow { from: shape, .. }
            | PureOp::FToInt { shape, .. }
            | PureOp::IntToF { shape, .. }
            | PureOp::FRound { shape, .. } => Some(shape),
            _ => None,
        }
    }

    /// True if the operation is computed under AArch32's standard FPSCR.
    pub const fn standard_fpscr(self) -> bool {
        matches!(self.float_shape(), Some(shape) if shape.standard())
    }

    /// The result type if the operation fixes it, else `None` (it is then a choice of the instruction, or equals the
    /// operand's type).
    pub const fn fixed_result(self) -> Option<Type> {
        match self {
            PureOp::Cmp(_) | PureOp::CarryOut | PureOp::Overflow | PureOp::VSatQc(..) => Some(Type::I1),
            PureOp::Concat => Some(Type::I128),
            PureOp::F(_, s) | PureOp::FUn(_, s) | PureOp::FMulAdd(s) => Some(s.ty()),
            PureOp::FRound { shape, .. } | PureOp::IntToF { shape, .. } => Some(shape.ty()),
            PureOp::FCmp { shape, .. } => Some(if shape.is_vector() { Type::V128 } else { Type::I1 }),
            PureOp::FToInt { shape, .. } => {
                if shape.is_vector() {
                    Some(Type::V128)
                } else {
                    None
                }
            }
            PureOp::VExtract(l, _) | PureOp::VReduce(_, l) => Some(l.scalar()),
            PureOp::FWiden { .. }
            | PureOp::FNarrow { .. }
            | PureOp::VSplat(_)
            | PureOp::VFromScalar
            | PureOp::VInsert(..)
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
            | PureOp::VLow64
            | PureOp::VPMull8 { .. } => Some(Type::V128),
            PureOp::Helper(h) => Some(h.result()),
            PureOp::Int(_)
            | PureOp::IntUn(_)
            | PureOp::Select
            | PureOp::Zext
            | PureOp::Sext
            | PureOp::Trunc
            | PureOp::Bitcast
            | PureOp::FConvert(_)
            | PureOp::VToScalar => None,
        }
    }
}

impl Helper {
    /// Number of operands.
    pub const fn arity(self) -> usize {
        match self {
            Helper::AesMc | Helper::AesImc | Helper::Sha1H | Helper::JsCvt => 1,
            Helper::Crc32 { .. }
            | Helper::Crc32c { .. }
            | Helper::AesE
            | Helper::AesD
            | Helper::PMull64
            | Helper::Sha1Su1
            | Helper::Sha256Su0
            | Helper::Sha512Su0 => 2,
            Helper::Sha1C
            | Helper::Sha1P
            | Helper::Sha1M
            | Helper::Sha1Su0
            | Helper::Sha256H
            | Helper::Sha256H2
            | Helper::Sha256Su1
            | Helper::Sha512H
            | Helper::Sha512H2
            | Helper::Sha512Su1 => 3,
        }
    }

    /// Result type.
    pub const fn result(self) -> Type {
        match self {
            Helper::Crc32 { .. } | Helper::Crc32c { .. } | Helper::Sha1H => Type::I32,
            Helper::JsCvt => Type::I64,
            _ => Type::V128,
        }
    }
}
