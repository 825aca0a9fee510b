//! What the functions of one unit of compilation share, and how guest registers lie in slots and in the state.

use crate::flow::Registers;
use crate::llvm::{IPred, Llvm, T, V};
use crate::target::Features;
use crate::{ADDRESS_LIMIT, Addresses, Number, Options, Place, Resolve};
use inkwell::context::Context;
use ir::{GuestAddr, Reg, Type};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// What the functions of one unit share.
pub(crate) struct UnitCx<'a, 'c> {
    pub(crate) llvm: Llvm<'c>,
    pub(crate) options: &'a Options,
    pub(crate) features: Features,
    pub(crate) resolve: Resolve<'a>,
    pub(crate) regs: Registers,
    /// The guest's vector registers are registers of the IR (A64), so that a scalar result clears what is above it. Without them
    /// (AArch32), scalars are parts of f64 registers, and nobody asks what is above.
    pub(crate) vector_regs: bool,
    /// Type of a lifted function.
    pub(crate) fn_ty: T,
    /// Soft operations by text.
    pub(crate) soft: RefCell<HashMap<String, V>>,
    /// Numbers of loads that are not tied to old values though they could be (see `tied`), in order; `None` if none is.
    pub(crate) untied: Option<&'a [u32]>,
    /// How many loads can be tied.
    pub(crate) ties: Cell<u32>,
}

impl<'a, 'c> UnitCx<'a, 'c> {
    /// The assembly of a vector instruction in the encoding that the rest of the code has. Where AVX is in use, one instruction of SSE
    /// among others waits for all of its register, or costs a change of states, while an upper half is not zero (Intel 64
    /// Optimization Reference Manual, "Mixing AVX Code with SSE Code"): `sha256` took 24 times as long.
    pub(crate) fn vector_text(&self, text: &str) -> String {
        format!("{}{text}", if self.features.avx { "v" } else { "" })
    }

    pub(crate) fn new(
        context: &'c Context,
        name: &str,
        options: &'a Options,
        features: Features,
        resolve: Resolve<'a>,
        untied: Option<&'a [u32]>,
    ) -> Self {
        let llvm = Llvm::new(context, name);
        llvm.word_aligned_stack();
        let vec = llvm.ivec_ty(64, 2);
        let mut slots = vec![llvm.i64_ty(); abi::HOT_GPRS];
        slots.extend([vec; abi::HOT_VECS]);
        let params: Vec<T> = std::iter::once(llvm.ptr_ty()).chain(slots).collect();
        let fn_ty = llvm.fn_ty(llvm.struct_ty(&params), &params);
        UnitCx {
            llvm,
            options,
            features,
            resolve,
            regs: Registers::new(options.regs, Some(&options.hot), options.checkpoints),
            vector_regs: options.regs.regs.iter().any(|r| r.ty == Type::V128),
            fn_ty,
            soft: RefCell::default(),
            untied,
            ties: Cell::new(0),
        }
    }

    /// Hot registers in the order of their slots.
    pub(crate) fn hot(&self) -> impl Iterator<Item = Reg> {
        self.options.hot.gprs.iter().chain(&self.options.hot.vecs).copied()
    }

    /// The slot of [`crate::Hot::link`].
    pub(crate) fn link_slot(&self) -> u32 {
        let at = self.hot().position(|r| r == self.options.hot.link);
        1 + at.expect("invariant: the link register is hot") as u32
    }

    /// The value of a number that is filled in later.
    pub(crate) fn number(&self, n: Number) -> V {
        let negative = match n {
            Number::MinusPlace(_) | Number::MinusTextBase => true,
            Number::Place(_) | Number::TextWords => false,
        };
        self.llvm.absolute_symbol(&n.name(), ADDRESS_LIMIT, negative)
    }

    /// A link-time address.
    pub(crate) fn link_addr(&self, a: GuestAddr) -> V {
        match self.options.addresses {
            Addresses::Fixed => self.llvm.i64(a.0),
            Addresses::Symbolic => self.number(Number::Place(Place::of(a))),
        }
    }

    /// What stands in the checkpoint entry of the instruction at `pc`: address, and state.
    pub(crate) fn checkpoint_word(&self, pc: GuestAddr) -> (u32, u32) {
        match self.options.addresses {
            Addresses::Fixed => {
                let distance = pc.0.wrapping_sub(self.options.text_base.0);
                (distance as u32, (distance >> 32) as u32)
            }
            Addresses::Symbolic => (Place::of(pc).checkpoint(), 0),
        }
    }

    /// A hot register's value as it travels in its slot.
    pub(crate) fn to_slot(&self, r: Reg, v: V) -> V {
        let l = &self.llvm;
        match self.options.regs.info(r).ty {
            Type::F64 => {
                let lanes = l.insert(l.poison(self.quad_ty()), v, 0);
                l.bitcast(lanes, l.ivec_ty(64, 2))
            }
            _ if self.options.hot.in_vector_slot(r, self.options.regs) => {
                l.insert(l.poison(l.ivec_ty(64, 2)), v, 0)
            }
            _ => v,
        }
    }

    /// The value that travelled in its slot.
    pub(crate) fn out_of_slot(&self, r: Reg, v: V) -> V {
        let l = &self.llvm;
        match self.options.regs.info(r).ty {
            // Not by way of an i64, which LLVM would keep in a general register.
            Type::F64 => l.extract(l.bitcast(v, self.quad_ty()), 0),
            _ if self.options.hot.in_vector_slot(r, self.options.regs) => l.extract(v, 0),
            _ => v,
        }
    }

    /// A Q register of AArch32 as two D registers.
    pub(crate) fn quad_ty(&self) -> T {
        self.llvm.vec_ty(self.llvm.float_ty(64), 2)
    }

    /// LLVM type of a value.
    pub(crate) fn ty(&self, ty: Type) -> T {
        match ty {
            Type::I1 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::I128 => {
                self.llvm.int_ty(ty.bits())
            }
            Type::F16 => self.llvm.int_ty(16),
            Type::F32 | Type::F64 => self.llvm.float_ty(ty.bits()),
            Type::V128 => self.llvm.ivec_ty(64, 2),
        }
    }

    /// Address of the field at that offset of the state.
    pub(crate) fn field(&self, state: V, offset: usize) -> V {
        self.llvm.gep(state, self.llvm.i64(offset as u64))
    }

    /// Reads a register's home.
    pub(crate) fn load_reg(&self, state: V, r: Reg) -> V {
        let l = &self.llvm;
        let info = self.options.regs.info(r);
        let p = self.field(state, info.offset as usize);
        match info.ty {
            Type::I1 => {
                let byte = l.load(l.int_ty(8), p);
                l.icmp(IPred::LLVMIntNE, byte, l.zero(l.int_ty(8)))
            }
            ty => l.load(self.ty(ty), p),
        }
    }

    /// Writes a register's home.
    pub(crate) fn store_reg(&self, state: V, r: Reg, v: V) {
        let l = &self.llvm;
        let info = self.options.regs.info(r);
        let p = self.field(state, info.offset as usize);
        let v = if info.ty == Type::I1 { l.zext(v, l.int_ty(8)) } else { v };
        l.store(v, p);
    }
}
