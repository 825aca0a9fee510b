//! Operand fields of floating-point and Advanced SIMD words, and the registers that they name: S and Q registers are views of
//! the D registers that the guest state has. Knows no single instruction.

use crate::a32::cx::{Cx, Undefined, bit, bits};
use crate::a32::reg;
use ir::{IntBin, Lane, PureOp, Type, VSat, Value};

pub use crate::a64::simd::operands::{element_selector, repeat, selector};

/// Rows of one feature, in the form that both instruction sets share: `Feature: "name" "pattern" lift;`.
macro_rules! rows {
    ($feature:ident: $($name:literal $pattern:literal $lift:expr;)*) => {
        &[$($crate::a32::table::Row {
            name: $name,
            set: $crate::a32::table::Set::Both,
            pattern: $pattern,
            feature: $crate::a32::table::Feature::$feature,
            lift: $lift,
        }),*]
    };
}
pub(super) use rows;

/// D:Vd, the D register of bits 22 and 15:12.
pub const fn dd(w: u32) -> u32 {
    bits(w, 22, 22) << 4 | bits(w, 15, 12)
}

/// N:Vn, the D register of bits 7 and 19:16.
pub const fn dn(w: u32) -> u32 {
    bits(w, 7, 7) << 4 | bits(w, 19, 16)
}

/// M:Vm, the D register of bits 5 and 3:0.
pub const fn dm(w: u32) -> u32 {
    bits(w, 5, 5) << 4 | bits(w, 3, 0)
}

/// Vd:D, an S register.
pub const fn sd(w: u32) -> u32 {
    bits(w, 15, 12) << 1 | bits(w, 22, 22)
}

/// Vn:N, an S register.
pub const fn sn(w: u32) -> u32 {
    bits(w, 19, 16) << 1 | bits(w, 7, 7)
}

/// Vm:M, an S register.
pub const fn sm(w: u32) -> u32 {
    bits(w, 3, 0) << 1 | bits(w, 5, 5)
}

/// Q of Advanced SIMD, bit 6.
pub const fn q(w: u32) -> bool {
    bit(w, 6)
}

/// Size of elements of three-register words, bits 21:20.
pub const fn size(w: u32) -> u32 {
    bits(w, 21, 20)
}

/// `Err` if one of these D registers begins no Q register.
pub fn even(registers: &[u32]) -> Result<(), Undefined> {
    if registers.iter().any(|r| r & 1 != 0) { Err(Undefined) } else { Ok(()) }
}

impl Cx<'_, '_> {
    /// S`n` as f32.
    pub fn single(&mut self, n: u32) -> Value {
        let d = self.double(n / 2);
        let v = self.b.pure(PureOp::VFromScalar, &[d]);
        if n & 1 == 0 {
            return self.b.pure_ty(PureOp::VToScalar, Type::F32, &[v]);
        }
        let s = self.b.pure(PureOp::VExtract(Lane::S4, 1), &[v]);
        self.b.bitcast(Type::F32, s)
    }

    /// Writes S`n`: an f32 or i32.
    pub fn set_single(&mut self, n: u32, v: Value) {
        let d = self.double(n / 2);
        let old = self.b.pure(PureOp::VFromScalar, &[d]);
        let v = self.b.bitcast(Type::I32, v);
        let new = self.b.pure(PureOp::VInsert(Lane::S4, (n & 1) as u8), &[old, v]);
        let new = self.b.pure_ty(PureOp::VToScalar, Type::F64, &[new]);
        self.set_double(n / 2, new);
    }

    /// D`n` with zero above, as v128.
    pub fn half(&mut self, n: u32) -> Value {
        let d = self.double(n);
        self.b.pure(PureOp::VFromScalar, &[d])
    }

    /// D`n` and above it D`n + 1`, as v128.
    pub fn pair(&mut self, n: u32) -> Value {
        let low = self.half(n);
        let high = self.double(n + 1);
        let high = self.b.bitcast(Type::I64, high);
        self.b.pure(PureOp::VInsert(Lane::D2, 1), &[low, high])
    }

    /// Writes the halves of a v128 to D`n` and D`n + 1`.
    pub fn set_pair(&mut self, n: u32, v: Value) {
        let low = self.b.pure_ty(PureOp::VToScalar, Type::F64, &[v]);
        let high = self.b.pure(PureOp::VExtract(Lane::D2, 1), &[v]);
        self.set_double(n, low);
        self.set_double(n + 1, high);
    }

    /// The Q or D register at D`n`, as v128 with zero above a D register.
    pub fn vector(&mut self, q: bool, n: u32) -> Value {
        if q { self.pair(n) } else { self.half(n) }
    }

    /// Writes the Q or D register at D`n`; of a D register the low half of `v`.
    pub fn set_vector(&mut self, q: bool, n: u32, v: Value) {
        if q {
            return self.set_pair(n, v);
        }
        let low = self.b.pure_ty(PureOp::VToScalar, Type::F64, &[v]);
        self.set_double(n, low);
    }

    /// The saturating operation, with FPSCR.QC. Lanes that the instruction does not cover must be zero in the operands.
    pub fn saturating(&mut self, op: VSat, lane: Lane, a: Value, b: Value) -> Value {
        let result = self.b.pure(PureOp::VSat(op, lane), &[a, b]);
        let saturated = self.b.pure(PureOp::VSatQc(op, lane), &[a, b]);
        let old = self.b.get(reg::QC);
        let new = self.b.bin(IntBin::Or, old, saturated);
        self.set(reg::QC, new);
        result
    }
}
