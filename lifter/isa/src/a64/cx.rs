//! Operand readers and writers that every group of A64 shares. Takes the block builder and the instruction's address;
//! knows registers, not encodings.

use super::reg;
use ir::{GuestAddr, IntBin, Type, Value};

pub use crate::cx::{Cx, Lift, Undefined, bit, bits, sbits};

/// Rd / Rt, bits 4:0.
pub const fn rd(word: u32) -> u32 {
    bits(word, 4, 0)
}

/// Rn, bits 9:5.
pub const fn rn(word: u32) -> u32 {
    bits(word, 9, 5)
}

/// Ra / Rt2, bits 14:10.
pub const fn ra(word: u32) -> u32 {
    bits(word, 14, 10)
}

/// Rm / Rs, bits 20:16.
pub const fn rm(word: u32) -> u32 {
    bits(word, 20, 16)
}

impl Cx<'_, '_> {
    /// A constant of 64 or 32 bits.
    pub fn konst(&mut self, is64: bool, v: u64) -> Value {
        self.b.konst(if is64 { Type::I64 } else { Type::I32 }, v as u128)
    }

    /// X`n` or, with `is64` false, W`n`; 31 reads as zero.
    pub fn gpr(&mut self, is64: bool, n: u32) -> Value {
        let ty = if is64 { Type::I64 } else { Type::I32 };
        if n == 31 {
            return self.b.konst(ty, 0);
        }
        let v = self.b.get(reg::x(n));
        self.b.zext_or_trunc(ty, v)
    }

    /// X`n` or W`n`; 31 is the stack pointer.
    pub fn gpr_sp(&mut self, is64: bool, n: u32) -> Value {
        let v = if n == 31 { self.b.get(reg::SP) } else { self.b.get(reg::x(n)) };
        self.b.zext_or_trunc(if is64 { Type::I64 } else { Type::I32 }, v)
    }

    /// Writes an i64, i32 or narrower value, zero-extended, to X`n`; 31 discards it.
    pub fn set_gpr(&mut self, n: u32, v: Value) {
        if n != 31 {
            let v = self.b.zext_or_trunc(Type::I64, v);
            self.b.set(reg::x(n), v);
        }
    }

    /// Writes to X`n`, zero-extended; 31 is the stack pointer.
    pub fn set_gpr_sp(&mut self, n: u32, v: Value) {
        let v = self.b.zext_or_trunc(Type::I64, v);
        self.b.set(if n == 31 { reg::SP } else { reg::x(n) }, v);
    }

    /// V`n`, all 128 bits.
    pub fn vec(&mut self, n: u32) -> Value {
        self.b.get(reg::v(n))
    }

    /// Writes all 128 bits of V`n`.
    pub fn set_vec(&mut self, n: u32, v: Value) {
        self.b.set(reg::v(n), v);
    }

    /// The low bits of V`n` as a scalar of type `ty` (int or float): Bn, Hn, Sn, Dn.
    pub fn scalar(&mut self, ty: Type, n: u32) -> Value {
        let v = self.vec(n);
        self.b.pure_ty(ir::PureOp::VToScalar, ty, &[v])
    }

    /// Writes a scalar to the low bits of V`n` and zero above.
    pub fn set_scalar(&mut self, n: u32, v: Value) {
        let v = self.b.pure(ir::PureOp::VFromScalar, &[v]);
        self.set_vec(n, v);
    }

    /// Writes V`n`; with `q` false only the low 64 bits of `v`, and zero above.
    pub fn set_vec_q(&mut self, n: u32, q: bool, v: Value) {
        let v = if q { v } else { self.b.pure(ir::PureOp::VLow64, &[v]) };
        self.set_vec(n, v);
    }

    /// Ors an i1 into FPSR.QC.
    pub fn accumulate_qc(&mut self, saturated: Value) {
        let old = self.b.get(reg::QC);
        let new = self.b.bin(IntBin::Or, old, saturated);
        self.b.set(reg::QC, new);
    }

    /// Address of the next instruction.
    pub fn next_pc(&self) -> GuestAddr {
        self.pc.offset(4)
    }
}
