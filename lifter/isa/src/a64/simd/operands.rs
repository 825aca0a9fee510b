//! Operand readers and result writers that all Advanced SIMD classes share, and short names for the IR operations they
//! compose. Takes the fields of a word, gives shapes and values; knows no single instruction.

use crate::a64::cx::{Cx, Undefined, bit, bits, rd, rm, rn};
use ir::{FShape, Lane, PureOp, Type, VBin, VBit, VSat, VShift, VUn, Value};

/// How much of a V register an instruction computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// One element; the rest of the destination becomes zero.
    Scalar,
    /// The low 64 bits; the rest of the destination becomes zero.
    Half,
    /// All 128 bits.
    Full,
}

/// Q.
pub const fn q(w: u32) -> bool {
    bit(w, 30)
}

/// Bits 23:22.
pub const fn size(w: u32) -> u32 {
    bits(w, 23, 22)
}

/// Scalar (bit 28) or by Q.
pub const fn width(w: u32) -> Width {
    if bit(w, 28) {
        Width::Scalar
    } else if q(w) {
        Width::Full
    } else {
        Width::Half
    }
}

/// Integer elements by size: any for vectors (64-bit ones only with Q), any for scalars.
pub fn lanes(w: u32) -> Result<(Lane, Width), Undefined> {
    let (lane, width) = (Lane::of_bits(8 << size(w)), width(w));
    if lane == Lane::D2 && width == Width::Half { Err(Undefined) } else { Ok((lane, width)) }
}

/// Integer elements of 8, 16 or 32 bits.
pub fn lanes_to_s(w: u32) -> Result<(Lane, Width), Undefined> {
    let (lane, width) = lanes(w)?;
    if lane == Lane::D2 { Err(Undefined) } else { Ok((lane, width)) }
}

/// Integer elements of 16 or 32 bits.
pub fn lanes_h_s(w: u32) -> Result<(Lane, Width), Undefined> {
    match lanes(w)? {
        (Lane::B16 | Lane::D2, _) => Err(Undefined),
        ok => Ok(ok),
    }
}

/// Integer elements of instructions whose scalar form exists for 64 bits only.
pub fn lanes_or_d(w: u32) -> Result<(Lane, Width), Undefined> {
    match lanes(w)? {
        (lane, Width::Scalar) if lane != Lane::D2 => Err(Undefined),
        ok => Ok(ok),
    }
}

/// The float shape with elements of that many bits.
pub fn float_shape(element: u32, width: Width) -> Result<FShape, Undefined> {
    match width {
        Width::Scalar => Ok(FShape::scalar(element)),
        Width::Half => FShape::vector(element, false).ok_or(Undefined),
        Width::Full => FShape::vector(element, true).ok_or(Undefined),
    }
}

/// Float shape of "three same" and "two-register miscellaneous" words, vector or scalar: half precision by class, else
/// single or double by bit 22.
pub fn floats(w: u32) -> Result<FShape, Undefined> {
    let three_same = bit(w, 10);
    let half = if three_same { !bit(w, 21) } else { bits(w, 20, 17) == 0b1100 };
    float_shape(if half { 16 } else { 32 << bits(w, 22, 22) }, width(w))
}

/// Bytes of a shuffle that selects, for each byte of the result, a byte by `f`; `None` gives zero.
pub fn selector(f: impl Fn(u8) -> Option<u8>) -> [u8; 16] {
    std::array::from_fn(|i| f(i as u8).unwrap_or(255))
}

/// Shuffle of elements of `bytes` bytes: element i of the result is element `f(i)` of both operands' concatenation.
pub fn element_selector(bytes: u8, f: impl Fn(u8) -> Option<u8>) -> [u8; 16] {
    selector(|i| f(i / bytes).map(|e| e * bytes + i % bytes))
}

/// Repeats the low `n` bits of `v` through 128 bits.
pub fn repeat(v: u64, n: u32) -> u128 {
    let v = if n == 64 { v } else { v & ((1 << n) - 1) };
    (0..128 / n).fold(0, |acc, i| acc | (v as u128) << (i * n))
}

impl Cx<'_, '_> {
    /// A vector constant.
    pub fn vconst(&mut self, v: u128) -> Value {
        self.b.konst(Type::V128, v)
    }

    /// Lane-wise operation on two vectors.
    pub fn v2(&mut self, op: VBin, lane: Lane, a: Value, b: Value) -> Value {
        self.b.pure(PureOp::V(op, lane), &[a, b])
    }

    /// Bitwise operation on two vectors.
    pub fn vbit(&mut self, op: VBit, a: Value, b: Value) -> Value {
        self.b.pure(PureOp::VBit(op), &[a, b])
    }

    /// Lane-wise operation on one vector.
    pub fn v1(&mut self, op: VUn, lane: Lane, a: Value) -> Value {
        self.b.pure(PureOp::VUn(op, lane), &[a])
    }

    /// Lanes shifted by a constant; a left shift by 0 is the operand itself.
    pub fn vshift(&mut self, op: VShift, lane: Lane, a: Value, amount: u32) -> Value {
        if amount == 0 { a } else { self.b.pure(PureOp::VShiftImm(op, lane, amount as u8), &[a]) }
    }

    /// Saturating operation, with QC. Lanes that the instruction does not cover must be zero in the operands.
    pub fn saturate(&mut self, op: VSat, lane: Lane, a: Value, b: Value) -> Value {
        let result = self.b.pure(PureOp::VSat(op, lane), &[a, b]);
        let saturated = self.b.pure(PureOp::VSatQc(op, lane), &[a, b]);
        self.accumulate_qc(saturated);
        result
    }

    /// Shuffle of two vectors.
    pub fn shuffle(&mut self, a: Value, b: Value, sel: [u8; 16]) -> Value {
        self.b.pure(PureOp::VShuffle(sel), &[a, b])
    }

    /// The low (high) half of `a`, lanes of shape `lane`, extended to twice the width.
    pub fn widen(&mut self, lane: Lane, signed: bool, high: bool, a: Value) -> Value {
        self.b.pure(PureOp::VWiden { lane, signed, high }, &[a])
    }

    /// The low half of each lane, in the low 64 bits.
    pub fn narrow(&mut self, lane: Lane, a: Value) -> Value {
        self.b.pure(PureOp::VNarrow(lane), &[a])
    }

    /// What `width` and `lane` cover of `v`; zero elsewhere.
    pub fn covered(&mut self, v: Value, lane: Lane, width: Width) -> Value {
        match width {
            Width::Full => v,
            Width::Half => self.b.pure(PureOp::VLow64, &[v]),
            Width::Scalar if lane == Lane::D2 => self.b.pure(PureOp::VLow64, &[v]),
            Width::Scalar => {
                let s = self.b.pure_ty(PureOp::VToScalar, lane.scalar(), &[v]);
                self.b.pure(PureOp::VFromScalar, &[s])
            }
        }
    }

    /// V`n`, zero where `width` and `lane` do not cover it: the operand of a saturating operation.
    pub fn vec_covered(&mut self, n: u32, lane: Lane, width: Width) -> Value {
        let v = self.vec(n);
        self.covered(v, lane, width)
    }

    /// Writes what `width` and `lane` cover of `v` to V`n`, and zero above.
    pub fn set_covered(&mut self, n: u32, lane: Lane, width: Width, v: Value) {
        let v = self.covered(v, lane, width);
        self.set_vec(n, v);
    }

    /// Writes a narrowed result, which is zero above its low 64 bits: to the low half of V`n` with zero above, or
    /// (`high`) to the high half, the low one kept.
    pub fn set_half(&mut self, n: u32, high: bool, v: Value) {
        let v = if high {
            let old = self.vec(n);
            self.shuffle(old, v, selector(|i| Some(if i < 8 { i } else { i + 8 })))
        } else {
            v
        };
        self.set_vec(n, v);
    }

    /// V`n` as operand of a float operation: a scalar or the whole vector.
    pub fn float(&mut self, shape: FShape, n: u32) -> Value {
        if shape.is_vector() { self.vec(n) } else { self.scalar(shape.ty(), n) }
    }

    /// Writes the result of a float operation: a scalar, or a vector with zero in the lanes that the shape leaves out.
    pub fn set_float(&mut self, n: u32, v: Value) {
        if self.b.ty(v) == Type::V128 { self.set_vec(n, v) } else { self.set_scalar(n, v) }
    }

    /// Vn and Vm.
    pub fn vec_nm(&mut self, w: u32) -> (Value, Value) {
        (self.vec(rn(w)), self.vec(rm(w)))
    }

    /// Vd, Vn and Vm.
    pub fn vec_dnm(&mut self, w: u32) -> (Value, Value, Value) {
        (self.vec(rd(w)), self.vec(rn(w)), self.vec(rm(w)))
    }

    /// Even and odd elements of the concatenation Vm:Vn, as pairwise instructions take them.
    pub fn pairs(&mut self, lane: Lane, width: Width, n: Value, m: Value) -> (Value, Value) {
        let bytes = (lane.bits() / 8) as u8;
        let per_register = if width == Width::Full { 16 / bytes } else { 8 / bytes };
        let pick = |odd: u8| {
            element_selector(bytes, |i| {
                if i >= per_register {
                    return None;
                }
                let e = 2 * i + odd;
                Some(if e < per_register { e } else { e - per_register + 16 / bytes })
            })
        };
        (self.shuffle(n, m, pick(0)), self.shuffle(n, m, pick(1)))
    }
}
