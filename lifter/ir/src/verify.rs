//! The verifier. Takes a function or a straight run of instructions and its register file, gives every violation of the
//! IR's rules with its place: types, definition before use, block ids, and the order of accesses and register writes
//! within a guest instruction.

use crate::func::*;
use crate::types::*;
use std::fmt;

/// A violation of the IR's rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyError {
    /// The block; `None` for the function as a whole, or if only instructions were verified.
    pub block: Option<BlockId>,
    /// Index of the instruction; `None` for the block as a whole or its terminator.
    pub inst: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(b) = self.block {
            write!(f, "{b}: ")?;
        }
        if let Some(i) = self.inst {
            write!(f, "instruction {i}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for VerifyError {}

/// Verifies a function; no errors if it is well-formed.
pub fn verify(f: &Function, regs: &RegFile) -> Vec<VerifyError> {
    let mut errors = Vec::new();
    match f.blocks.first() {
        None => errors.push(VerifyError { block: None, inst: None, message: "no blocks".into() }),
        Some(b) if b.pc != f.entry => errors.push(VerifyError {
            block: None,
            inst: None,
            message: format!("entry {} but the first block is at {}", f.entry, b.pc),
        }),
        Some(_) => {}
    }
    for (i, b) in f.blocks.iter().enumerate() {
        let mut v = Verifier { regs, block: Some(BlockId(i as u32)), inst: None, types: Vec::new(), errors };
        v.insts(&b.insts);
        v.inst = None;
        v.term(&b.term, f.blocks.len());
        errors = v.errors;
    }
    errors
}

/// Verifies a straight run of instructions.
pub fn verify_insts(insts: &[Inst], regs: &RegFile) -> Vec<VerifyError> {
    let mut v = Verifier { regs, block: None, inst: None, types: Vec::new(), errors: Vec::new() };
    v.insts(insts);
    v.errors
}

/// Types of the values that instructions define, by index; `None` where none is defined. Ill-typed code does not matter.
pub fn value_types(insts: &[Inst], regs: &RegFile) -> Vec<Option<Type>> {
    insts.iter().map(|i| result_type(i, regs)).collect()
}

/// Type of the value that `inst` defines.
pub(crate) fn result_type(inst: &Inst, regs: &RegFile) -> Option<Type> {
    match *inst {
        Inst::Const { ty, .. }
        | Inst::Pure { ty, .. }
        | Inst::Load { ty, .. }
        | Inst::Rmw { ty, .. }
        | Inst::Cas { ty, .. }
        | Inst::LoadEx { ty, .. } => Some(ty),
        Inst::CodeAddr(_) | Inst::ReadSys(_) => Some(Type::I64),
        Inst::StoreEx { .. } => Some(Type::I32),
        Inst::Get(r) => regs.regs.get(r.0 as usize).map(|i| i.ty),
        Inst::Mark(_)
        | Inst::Set(..)
        | Inst::Store { .. }
        | Inst::ClearEx
        | Inst::Fence(_)
        | Inst::Cache { .. }
        | Inst::WriteSys(..) => None,
    }
}

struct Verifier<'r> {
    regs: &'r RegFile,
    block: Option<BlockId>,
    inst: Option<usize>,
    types: Vec<Option<Type>>,
    errors: Vec<VerifyError>,
}

impl Verifier<'_> {
    fn error(&mut self, message: impl Into<String>) {
        self.errors.push(VerifyError { block: self.block, inst: self.inst, message: message.into() });
    }

    /// Type of an operand; reports one that is not defined before.
    fn ty(&mut self, v: Value) -> Option<Type> {
        let t = self.types.get(v.0 as usize).copied().flatten();
        if t.is_none() {
            self.error(format!("{v} is not a value defined before"));
        }
        t
    }

    fn want(&mut self, what: &str, v: Value, ty: Type) {
        if let Some(t) = self.ty(v)
            && t != ty
        {
            self.error(format!("{what} {v} is {t}, not {ty}"));
        }
    }

    fn want_memory(&mut self, ty: Type, ok: bool) {
        if !ok {
            self.error(format!("no access of type {ty}"));
        }
    }

    fn insts(&mut self, insts: &[Inst]) {
        // Once a guest instruction has written a register, none of its accesses may fault any more.
        let mut written = false;
        for (i, inst) in insts.iter().enumerate() {
            self.inst = Some(i);
            match inst {
                Inst::Mark(_) => written = false,
                Inst::Set(..) => written = true,
                _ if inst.is_checkpoint() && written => {
                    self.error(
                        "an access that can fault behind a register write of the same guest instruction",
                    );
                }
                _ => {}
            }
            self.inst(inst);
            self.types.push(result_type(inst, self.regs));
        }
    }

    fn inst(&mut self, inst: &Inst) {
        let int = |ty: Type, max: u32| ty.is_int() && ty != Type::I1 && ty.bits() <= max;
        match *inst {
            Inst::Mark(_) | Inst::CodeAddr(_) | Inst::ClearEx | Inst::Fence(_) | Inst::ReadSys(_) => {}
            Inst::Const { ty, bits } => {
                if bits & !ty.mask() != 0 {
                    self.error(format!("the constant does not fit {ty}"));
                }
            }
            Inst::Get(r) => {
                if r.0 as usize >= self.regs.regs.len() {
                    self.error(format!("no register {}", r.0));
                }
            }
            Inst::Set(r, v) => match self.regs.regs.get(r.0 as usize) {
                Some(info) => self.want(info.name, v, info.ty),
                None => self.error(format!("no register {}", r.0)),
            },
            Inst::Pure { op, ty, args } => {
                let args = &args[..op.arity()];
                let mut types = [ty; 3];
                for (t, &a) in types.iter_mut().zip(args) {
                    match self.ty(a) {
                        Some(known) => *t = known,
                        None => return,
                    }
                }
                let types = &types[..args.len()];
                if !op.is_valid() {
                    self.error(format!("no operation {op}"));
                } else if !op.accepts(ty, types) {
                    let list: Vec<&str> = types.iter().map(|t| t.name()).collect();
                    self.error(format!("{op} does not give {ty} for ({})", list.join(", ")));
                }
            }
            Inst::Load { ty, addr, .. } => {
                self.want("address", addr, Type::I64);
                self.want_memory(ty, ty != Type::I1);
            }
            Inst::Store { addr, value, .. } => {
                self.want("address", addr, Type::I64);
                if let Some(ty) = self.ty(value) {
                    self.want_memory(ty, ty != Type::I1);
                }
            }
            Inst::Rmw { ty, addr, value, .. } => {
                self.want("address", addr, Type::I64);
                self.want("operand", value, ty);
                self.want_memory(ty, int(ty, 64));
            }
            Inst::Cas { ty, addr, expected, new, .. } => {
                self.want("address", addr, Type::I64);
                self.want("expected value", expected, ty);
                self.want("new value", new, ty);
                self.want_memory(ty, int(ty, 128));
            }
            Inst::LoadEx { ty, addr, .. } => {
                self.want("address", addr, Type::I64);
                self.want_memory(ty, int(ty, 128));
            }
            Inst::StoreEx { addr, value, .. } => {
                self.want("address", addr, Type::I64);
                if let Some(ty) = self.ty(value) {
                    self.want_memory(ty, int(ty, 128));
                }
            }
            Inst::Cache { addr, .. } => self.want("address", addr, Type::I64),
            Inst::WriteSys(r, v) => {
                self.want("value", v, Type::I64);
                if r == SysReg::Counter {
                    self.error("the counter is read only");
                }
            }
        }
    }

    fn target(&mut self, b: BlockId, blocks: usize) {
        if b.0 as usize >= blocks {
            self.error(format!("no block {b}"));
        }
    }

    fn term(&mut self, term: &Term, blocks: usize) {
        for b in term.successors() {
            self.target(b, blocks);
        }
        match term {
            Term::Branch { cond, .. } => self.want("condition", *cond, Type::I1),
            Term::Switch { target, cases } => {
                self.want("target", *target, Type::I64);
                if !cases.is_sorted_by(|a, b| a.0 < b.0) {
                    self.error("the cases are not sorted, or not unique");
                }
            }
            Term::Indirect(v) | Term::Return(v) | Term::Call { target: CallTarget::Indirect(v), .. } => {
                self.want("target", *v, Type::I64);
            }
            Term::Jump(_)
            | Term::Goto(_)
            | Term::Call { target: CallTarget::Direct(_), .. }
            | Term::Syscall { .. }
            | Term::Trap { .. }
            | Term::Fallback { .. } => {}
        }
    }
}
