//! Builds one block: each method appends an instruction and gives its value. Takes values of the block under
//! construction, folds what is trivially constant, gives a finished [`Block`]. Knows nothing of registers' meaning.

use crate::func::*;
use crate::op::*;
use crate::types::*;

/// A block under construction.
#[derive(Debug)]
pub struct Builder<'r> {
    regs: &'r RegFile,
    pc: GuestAddr,
    insts: Vec<Inst>,
    types: Vec<Option<Type>>,
}

impl<'r> Builder<'r> {
    /// An empty block at `pc` for that register file.
    pub fn new(regs: &'r RegFile, pc: GuestAddr) -> Self {
        Builder { regs, pc, insts: Vec::new(), types: Vec::new() }
    }

    /// The register file.
    pub fn regs(&self) -> &'r RegFile {
        self.regs
    }

    /// The instructions so far.
    pub fn insts(&self) -> &[Inst] {
        &self.insts
    }

    /// Ends the block.
    pub fn finish(self, term: Term) -> Block {
        Block { pc: self.pc, insts: self.insts, term, resume: false }
    }

    /// Number of instructions so far; with [`Builder::truncate`] it undoes a lift that failed half-way.
    pub fn len(&self) -> usize {
        self.insts.len()
    }

    /// True if nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.insts.is_empty()
    }

    /// Drops all instructions from index `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.insts.truncate(len);
        self.types.truncate(len);
    }

    /// Type of a value of this block.
    pub fn ty(&self, v: Value) -> Type {
        self.types[v.0 as usize].expect("invariant: operand defines a value")
    }

    /// The bits of `v` if it is a constant.
    pub fn as_const(&self, v: Value) -> Option<u128> {
        match self.insts[v.0 as usize] {
            Inst::Const { bits, .. } => Some(bits),
            _ => None,
        }
    }

    /// Appends any instruction.
    pub fn push(&mut self, inst: Inst, ty: Option<Type>) -> Value {
        let v = Value(self.insts.len() as u32);
        self.insts.push(inst);
        self.types.push(ty);
        v
    }

    /// Marks the start of a guest instruction.
    pub fn mark(&mut self, pc: GuestAddr) {
        self.push(Inst::Mark(pc), None);
    }

    /// A constant; bits above the type's width are dropped.
    pub fn konst(&mut self, ty: Type, bits: u128) -> Value {
        self.push(Inst::Const { ty, bits: bits & ty.mask() }, Some(ty))
    }

    /// An `i64` constant.
    pub fn i64(&mut self, v: u64) -> Value {
        self.konst(Type::I64, v as u128)
    }

    /// An `i32` constant.
    pub fn i32(&mut self, v: u32) -> Value {
        self.konst(Type::I32, v as u128)
    }

    /// An `i1` constant.
    pub fn i1(&mut self, v: bool) -> Value {
        self.konst(Type::I1, v as u128)
    }

    /// Run-time address of a link-time address.
    pub fn code_addr(&mut self, a: GuestAddr) -> Value {
        self.push(Inst::CodeAddr(a), Some(Type::I64))
    }

    /// Reads a register.
    pub fn get(&mut self, r: Reg) -> Value {
        let ty = self.regs.info(r).ty;
        self.push(Inst::Get(r), Some(ty))
    }

    /// Writes a register.
    pub fn set(&mut self, r: Reg, v: Value) {
        debug_assert_eq!(self.ty(v), self.regs.info(r).ty, "set {}", self.regs.info(r).name);
        self.push(Inst::Set(r, v), None);
    }

    /// Appends a data operation with an explicit result type.
    pub fn pure_ty(&mut self, op: PureOp, ty: Type, args: &[Value]) -> Value {
        debug_assert_eq!(args.len(), op.arity(), "{op:?}");
        let mut a = [NO_VALUE; 3];
        a[..args.len()].copy_from_slice(args);
        self.push(Inst::Pure { op, ty, args: a }, Some(ty))
    }

    /// Appends a data operation whose result type is fixed by it or is that of its first operand (`Select`: of the
    /// second).
    pub fn pure(&mut self, op: PureOp, args: &[Value]) -> Value {
        let ty = match op {
            PureOp::Select => self.ty(args[1]),
            _ => op.fixed_result().unwrap_or_else(|| self.ty(args[0])),
        };
        self.pure_ty(op, ty, args)
    }

    /// Two-operand integer operation.
    pub fn bin(&mut self, op: IntBin, a: Value, b: Value) -> Value {
        debug_assert_eq!(self.ty(a), self.ty(b), "{op:?}");
        self.pure(PureOp::Int(op), &[a, b])
    }

    /// One-operand integer operation.
    pub fn un(&mut self, op: IntUn, a: Value) -> Value {
        self.pure(PureOp::IntUn(op), &[a])
    }

    /// a + b.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.bin(IntBin::Add, a, b)
    }

    /// a − b.
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.bin(IntBin::Sub, a, b)
    }

    /// a & b.
    pub fn and(&mut self, a: Value, b: Value) -> Value {
        self.bin(IntBin::And, a, b)
    }

    /// a | b.
    pub fn or(&mut self, a: Value, b: Value) -> Value {
        self.bin(IntBin::Or, a, b)
    }

    /// a ^ b.
    pub fn xor(&mut self, a: Value, b: Value) -> Value {
        self.bin(IntBin::Xor, a, b)
    }

    /// !a.
    pub fn not(&mut self, a: Value) -> Value {
        self.un(IntUn::Not, a)
    }

    /// a + constant; `a` itself if that is zero.
    pub fn add_imm(&mut self, a: Value, imm: i64) -> Value {
        if imm == 0 {
            return a;
        }
        let ty = self.ty(a);
        let c = self.konst(ty, imm as i128 as u128);
        self.add(a, c)
    }

    /// Shift by a constant amount.
    pub fn shift_imm(&mut self, op: IntBin, a: Value, amount: u32) -> Value {
        if amount == 0 {
            return a;
        }
        let ty = self.ty(a);
        let c = self.konst(ty, amount as u128);
        self.bin(op, a, c)
    }

    /// Integer comparison.
    pub fn cmp(&mut self, op: IntCmp, a: Value, b: Value) -> Value {
        debug_assert_eq!(self.ty(a), self.ty(b), "{op:?}");
        self.pure(PureOp::Cmp(op), &[a, b])
    }

    /// c ? a : b.
    pub fn select(&mut self, c: Value, a: Value, b: Value) -> Value {
        debug_assert_eq!(self.ty(a), self.ty(b), "select");
        self.pure(PureOp::Select, &[c, a, b])
    }

    /// Zero-extension, truncation or nothing, to `ty`.
    pub fn zext_or_trunc(&mut self, ty: Type, v: Value) -> Value {
        let from = self.ty(v);
        if from == ty {
            v
        } else if from.bits() < ty.bits() {
            self.pure_ty(PureOp::Zext, ty, &[v])
        } else {
            self.pure_ty(PureOp::Trunc, ty, &[v])
        }
    }

    /// Sign-extension, truncation or nothing, to `ty`.
    pub fn sext_or_trunc(&mut self, ty: Type, v: Value) -> Value {
        let from = self.ty(v);
        if from == ty {
            v
        } else if from.bits() < ty.bits() {
            self.pure_ty(PureOp::Sext, ty, &[v])
        } else {
            self.pure_ty(PureOp::Trunc, ty, &[v])
        }
    }

    /// Same bits as another type.
    pub fn bitcast(&mut self, ty: Type, v: Value) -> Value {
        if self.ty(v) == ty { v } else { self.pure_ty(PureOp::Bitcast, ty, &[v]) }
    }

    /// Plain load.
    pub fn load(&mut self, ty: Type, addr: Value) -> Value {
        self.push(Inst::Load { ty, addr, order: Order::Relaxed, align: Align::Any }, Some(ty))
    }

    /// Plain store.
    pub fn store(&mut self, addr: Value, value: Value) {
        self.push(Inst::Store { addr, value, order: Order::Relaxed, align: Align::Any }, None);
    }
}
