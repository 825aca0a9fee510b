//! The forward walk of simplification: constants, algebra (by `rules`) and register forwarding in one pass, which
//! rebuilds the instruction list.

use super::rules::{Rule, rewrite};
use crate::eval::{Bits, FpEnv, eval};
use crate::func::{Inst, NO_VALUE, Value};
use crate::op::{IntBin, PureOp};
use crate::types::{GuestAddr, Reg, RegFile, Type};
use crate::verify::result_type;

/// The list under construction.
pub(super) struct Out<'r> {
    regs: &'r RegFile,
    insts: Vec<Inst>,
    types: Vec<Option<Type>>,
    /// Per register: the value that it holds at this point.
    held: Vec<Option<Value>>,
}

pub(super) fn insts(list: &mut Vec<Inst>, roots: &mut [Value], regs: &RegFile) {
    let mut out = Out {
        regs,
        insts: Vec::with_capacity(list.len()),
        types: Vec::with_capacity(list.len()),
        held: vec![None; regs.regs.len()],
    };
    let mut map = Vec::with_capacity(list.len());
    for mut inst in list.drain(..) {
        inst.map_args(|v| map[v.0 as usize]);
        map.push(out.add(inst));
    }
    for r in roots {
        *r = map[r.0 as usize];
    }
    *list = out.insts;
}

impl Out<'_> {
    fn push(&mut self, inst: Inst) -> Value {
        self.types.push(result_type(&inst, self.regs));
        self.insts.push(inst);
        Value(self.insts.len() as u32 - 1)
    }

    /// Adds an instruction whose operands are of the new list; gives the value that stands for its own.
    fn add(&mut self, inst: Inst) -> Value {
        match inst {
            Inst::Get(r) => {
                if let Some(v) = self.held[r.0 as usize] {
                    return v;
                }
                let v = self.push(inst);
                self.held[r.0 as usize] = Some(v);
                v
            }
            Inst::Set(r, v) => self.set(r, v),
            Inst::Pure { op, ty, args } => self.pure(op, ty, args),
            Inst::WriteSys(..) => {
                self.held.fill(None);
                self.push(inst)
            }
            _ => self.push(inst),
        }
    }

    fn set(&mut self, r: Reg, v: Value) -> Value {
        let held = &mut self.held[r.0 as usize];
        if *held == Some(v) {
            // The register has this value already. Nothing uses the value of a `Set`.
            return NO_VALUE;
        }
        *held = Some(v);
        self.push(Inst::Set(r, v))
    }

    /// Appends a constant.
    pub(super) fn konst(&mut self, ty: Type, bits: u128) -> Value {
        self.push(Inst::Const { ty, bits: bits & ty.mask() })
    }

    /// Type of a value of the new list.
    pub(super) fn ty(&self, v: Value) -> Type {
        self.types[v.0 as usize].expect("invariant: operands define values")
    }

    /// The bits of `v` if it is a constant.
    pub(super) fn as_const(&self, v: Value) -> Option<u128> {
        match self.insts[v.0 as usize] {
            Inst::Const { bits, .. } => Some(bits),
            _ => None,
        }
    }

    /// The data operation that defines `v`.
    pub(super) fn as_pure(&self, v: Value) -> Option<(PureOp, [Value; 3])> {
        match self.insts[v.0 as usize] {
            Inst::Pure { op, args, .. } => Some((op, args)),
            _ => None,
        }
    }

    /// The code address that `op` of `args` is: one plus a constant. Both wrap at 64 bits, so that the place to which the file
    /// is loaded makes no difference.
    fn code_addr(&self, op: PureOp, args: [Value; 3]) -> Option<GuestAddr> {
        let (Inst::CodeAddr(a), k) = (self.insts[args[0].0 as usize], self.as_const(args[1])? as u64) else {
            return None;
        };
        match op {
            PureOp::Int(IntBin::Add) => Some(GuestAddr(a.0.wrapping_add(k))),
            PureOp::Int(IntBin::Sub) => Some(GuestAddr(a.0.wrapping_sub(k))),
            _ => None,
        }
    }

    /// Adds a data operation, simplified.
    fn pure(&mut self, mut op: PureOp, ty: Type, mut args: [Value; 3]) -> Value {
        // Every rule makes the operation simpler, so this ends; the bound is for a rule that would not.
        for _ in 0..8 {
            if op.uses_fp_env() {
                break;
            }
            if let Some(bits) = self.fold(op, ty, &args[..op.arity()]) {
                return self.konst(ty, bits);
            }
            match rewrite(self, op, ty, args) {
                Rule::Keep => break,
                Rule::Value(v) => return v,
                Rule::Const(bits) => return self.konst(ty, bits),
                Rule::Op(new, operands) => (op, args) = (new, operands),
            }
        }
        if matches!(op, PureOp::Int(_))
            && let Some(a) = self.code_addr(op, args)
        {
            return self.push(Inst::CodeAddr(a));
        }
        self.push(Inst::Pure { op, ty, args })
    }

    fn fold(&self, op: PureOp, ty: Type, args: &[Value]) -> Option<u128> {
        let mut bits = [Bits::new(ty, 0); 3];
        for (b, &a) in bits.iter_mut().zip(args) {
            *b = Bits::new(self.ty(a), self.as_const(a)?);
        }
        Some(eval(op, ty, &bits[..args.len()], &mut FpEnv::default()))
    }
}
