//! The context in which one AArch32 instruction is lifted: operand readers and writers that every group shares. Takes the
//! block builder and the instruction's place; knows registers, not encodings. Lifters write registers only through
//! [`Cx::set`] and what is built on it, so that an instruction can be made conditional without a branch.

use super::{Modes, Place, reg};
use crate::Exit;
use crate::cond::FlagSource;
use ir::{Builder, GuestAddr, IntBin, IntCmp, IntUn, PureOp, Reg, Type, Value};
use std::ops::{Deref, DerefMut};

pub use crate::cx::{Lift, Undefined, bit, bits, sbits};

/// Context of one instruction.
pub struct Cx<'b, 'r> {
    core: crate::cx::Cx<'b, 'r>,
    /// Where it stands.
    pub at: Place,
    /// Its length in bytes.
    pub len: u32,
    /// What it is lifted for.
    pub modes: Modes,
    /// Registers are written only if it holds.
    predicate: Option<Predicate>,
}

/// What decides whether an instruction is executed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Predicate {
    /// An i1.
    pub cond: Value,
    /// Executed if it is this.
    pub is: bool,
}

impl<'b, 'r> Deref for Cx<'b, 'r> {
    type Target = crate::cx::Cx<'b, 'r>;

    fn deref(&self) -> &Self::Target {
        &self.core
    }
}

impl DerefMut for Cx<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.core
    }
}

/// Rd of A32's data processing, bits 15:12; also Rt.
pub const fn rd(word: u32) -> u32 {
    bits(word, 15, 12)
}

/// Rn, bits 19:16.
pub const fn rn(word: u32) -> u32 {
    bits(word, 19, 16)
}

/// Rm, bits 3:0.
pub const fn rm(word: u32) -> u32 {
    bits(word, 3, 0)
}

/// Rs of A32, bits 11:8; also T32's Rd.
pub const fn rs(word: u32) -> u32 {
    bits(word, 11, 8)
}

impl<'b, 'r> Cx<'b, 'r> {
    /// A context for the instruction of `len` bytes at `at`, lifted for the usual modes.
    pub(super) fn new(
        b: &'b mut Builder<'r>,
        flags: &'b mut Option<FlagSource>,
        at: Place,
        len: u32,
        predicate: Option<Predicate>,
    ) -> Self {
        Cx { core: crate::cx::Cx { b, pc: at.into(), flags }, at, len, modes: Modes::default(), predicate }
    }

    /// Writes a register; kept as it is if the instruction is conditional and its condition does not hold.
    pub fn set(&mut self, r: Reg, v: Value) {
        let v = match self.predicate {
            Some(p) => {
                let old = self.b.get(r);
                self.selected(p, v, old)
            }
            None => v,
        };
        self.b.set(r, v);
    }

    fn selected(&mut self, p: Predicate, new: Value, old: Value) -> Value {
        if p.is { self.b.select(p.cond, new, old) } else { self.b.select(p.cond, old, new) }
    }

    /// A constant of 32 bits.
    pub fn i32(&mut self, v: u32) -> Value {
        self.b.i32(v)
    }

    /// The run-time address of an address in this program, i64, zero-extended.
    pub fn address_of(&mut self, addr: u32) -> Value {
        self.b.code_addr(GuestAddr(u64::from(addr)))
    }

    /// R`n` as i32; 15 reads as the address two instructions on.
    pub fn reg(&mut self, n: u32) -> Value {
        let v = self.base(n);
        self.b.zext_or_trunc(Type::I32, v)
    }

    /// R`n` as i64, zero-extended, as addresses are built on it; 15 reads as the address two instructions on (not aligned).
    pub fn base(&mut self, n: u32) -> Value {
        if n == 15 {
            let pc = self.at.pc();
            return self.address_of(pc);
        }
        self.b.get(reg::r(n))
    }

    /// Align(PC, 4) + `offset`, i64: the base of literals.
    pub fn literal(&mut self, offset: i32) -> Value {
        let addr = (self.at.pc() & !3).wrapping_add_signed(offset);
        self.address_of(addr)
    }

    /// `base` + `offset`: an address, as i64 without reduction modulo 2³²: accesses beyond the address space fault in lifted
    /// code, and the engine that looks at the fault reduces them.
    pub fn displaced(&mut self, base: Value, offset: i32) -> Value {
        self.b.add_imm(base, i64::from(offset))
    }

    /// `base` + or − the i32 `offset`, modulo 2³², as an i64 address.
    pub fn indexed(&mut self, base: Value, offset: Value, add: bool) -> Value {
        let base = self.b.zext_or_trunc(Type::I32, base);
        let sum = self.b.bin(if add { IntBin::Add } else { IntBin::Sub }, base, offset);
        self.b.zext_or_trunc(Type::I64, sum)
    }

    /// Writes an integer of 32 bits or fewer, zero-extended, or the low 32 bits of an i64, to R`n`, n ≤ 14.
    pub fn set_reg(&mut self, n: u32, v: Value) {
        let mut v = self.b.zext_or_trunc(Type::I32, v);
        if let Some(p) = self.predicate {
            // With 32 bits, so that the choice does not stand between extensions.
            let old = self.reg(n);
            v = self.selected(p, v, old);
        }
        let v = self.b.zext_or_trunc(Type::I64, v);
        self.b.set(reg::r(n), v);
    }

    /// Jump to where the i32 `target` says, bit 0 choosing the state (BXWritePC, LoadWritePC; A32's ALUWritePC). In an IT
    /// block only its last instruction may jump.
    pub fn exchange(&mut self, target: Value, is_return: bool) -> Lift {
        if self.at.in_it() && !self.at.last_in_it() {
            return Err(Undefined);
        }
        let target = self.b.zext_or_trunc(Type::I64, target);
        Ok(Some(if is_return {
            self.b.set(reg::RETURN, target);
            Exit::Return(target)
        } else {
            Exit::Indirect(target)
        }))
    }

    /// Jump to the i32 `target` in this state (BranchWritePC).
    pub fn branch_to(&mut self, target: Value, is_return: bool) -> Lift {
        let target = if self.at.thumb {
            let one = self.i32(1);
            self.b.bin(IntBin::Or, target, one)
        } else {
            let mask = self.i32(!3);
            self.b.bin(IntBin::And, target, mask)
        };
        self.exchange(target, is_return)
    }

    /// Writes R15 as data processing does: interworking in A32, within Thumb in T32.
    pub fn alu_write_pc(&mut self, target: Value, is_return: bool) -> Lift {
        if self.at.thumb { self.branch_to(target, is_return) } else { self.exchange(target, is_return) }
    }

    /// The place of the next instruction.
    pub fn next_place(&self) -> Place {
        self.at.next(self.len)
    }

    /// Ors an i1 into APSR.Q.
    pub fn accumulate_q(&mut self, saturated: Value) {
        let old = self.b.get(reg::Q);
        let new = self.b.bin(IntBin::Or, old, saturated);
        self.set(reg::Q, new);
    }

    /// N and Z of an integer result; C too, if it is given; V stays.
    pub fn set_flags_result(&mut self, result: Value, carry: Option<Value>) {
        let ty = self.b.ty(result);
        let zero = self.b.konst(ty, 0);
        let n = self.b.cmp(IntCmp::Slt, result, zero);
        let z = self.b.cmp(IntCmp::Eq, result, zero);
        self.set(reg::N, n);
        self.set(reg::Z, z);
        if let Some(c) = carry {
            self.set(reg::C, c);
        }
        let compare = crate::cond::Compare::Result(result);
        *self.flags = Some(FlagSource { compare, guard: None });
    }

    /// What is stored for `v`, or loaded as `v`: elements of `bytes` bytes each, in the order of the addresses, are turned round if
    /// data are big-endian. `v` is an integer or a float, or a v128.
    pub fn in_memory(&mut self, v: Value, bytes: u32) -> Value {
        let ty = self.b.ty(v);
        if !self.modes.big_endian || bytes == 1 {
            return v;
        }
        if bytes == ty.bytes() {
            let bits = self.b.bitcast(Type::int(ty.bits()), v);
            let turned = self.b.un(IntUn::Bswap, bits);
            return self.b.bitcast(ty, turned);
        }
        let turned = PureOp::VShuffle(std::array::from_fn(|i| i as u8 ^ (bytes as u8 - 1)));
        if ty == Type::V128 {
            return self.b.pure(turned, &[v, v]);
        }
        let half = self.b.bitcast(Type::F64, v);
        let half = self.b.pure(PureOp::VFromScalar, &[half]);
        let half = self.b.pure(turned, &[half, half]);
        let half = self.b.pure_ty(PureOp::VToScalar, Type::F64, &[half]);
        self.b.bitcast(ty, half)
    }

    /// A load of a value that is one element.
    pub fn load(&mut self, ty: Type, addr: Value) -> Value {
        let v = self.b.load(ty, addr);
        self.in_memory(v, ty.bytes())
    }

    /// A store of a value that is one element.
    pub fn store(&mut self, addr: Value, value: Value) {
        let bytes = self.b.ty(value).bytes();
        let value = self.in_memory(value, bytes);
        self.b.store(addr, value);
    }

    /// D`n` as f64.
    pub fn double(&mut self, n: u32) -> Value {
        self.b.get(reg::d(n))
    }

    /// Writes D`n`: an f64 or i64.
    pub fn set_double(&mut self, n: u32, v: Value) {
        let v = self.b.bitcast(Type::F64, v);
        self.set(reg::d(n), v);
    }
}
