//! S registers (AArch32): a D register of which a function mostly uses the singles is two values there, so that what works on
//! one single neither takes it out of the pair nor puts it back.

use crate::flow::RegSet;
use crate::function::Fx;
use crate::llvm::V;
use crate::slots::Slot;
use ir::{Function, Inst, Lane, PureOp, Reg, RegFile, Type, Value};

/// The registers of which `f` reads and writes singles more often than the whole, counted by the depth of loops.
pub(crate) fn split(f: &Function, regs: &RegFile, depth: &[u32]) -> RegSet {
    let mut gain = vec![0i64; regs.regs.len()];
    for (b, depth) in f.blocks.iter().zip(depth) {
        let weight = 8i64.pow((*depth).min(4));
        // The register that a value was read from, singles of it changed or not.
        let mut origin: Vec<Option<Reg>> = Vec::with_capacity(b.insts.len());
        for inst in &b.insts {
            let of = |v: &Value| origin[v.0 as usize];
            let passed = match inst {
                Inst::Get(r) if regs.info(*r).ty == Type::F64 => Some(*r),
                Inst::Pure { op, ty, args } => match (part(*op, *ty), of(&args[0])) {
                    (Part::Pair, r) => r,
                    (Part::Single(_), Some(r)) => {
                        gain[r.0 as usize] += weight;
                        None
                    }
                    _ => {
                        args[..op.arity()].iter().filter_map(of).for_each(|r| gain[r.0 as usize] -= weight);
                        None
                    }
                },
                Inst::Set(r, v) if regs.info(*r).ty == Type::F64 => {
                    match of(v) {
                        Some(o) if o == *r => gain[r.0 as usize] += weight,
                        Some(_) => {}
                        None => gain[r.0 as usize] -= weight,
                    }
                    None
                }
                _ => {
                    inst.for_each_arg(|v| {
                        if let Some(r) = of(&v) {
                            gain[r.0 as usize] -= weight;
                        }
                    });
                    None
                }
            };
            origin.push(passed);
        }
    }
    let mut set = RegSet::default();
    for (n, _) in gain.iter().enumerate().filter(|(_, gain)| **gain > 0) {
        set.insert(Reg(n as u16));
    }
    set
}

/// What an operation does with the low 64 bits of its first operand.
enum Part {
    /// Passes them on, of which a single may be another.
    Pair,
    /// Takes a single.
    Single(usize),
    Other,
}

fn part(op: PureOp, ty: Type) -> Part {
    match op {
        PureOp::VFromScalar | PureOp::VLow64 => Part::Pair,
        PureOp::VInsert(Lane::S4, 0 | 1) => Part::Pair,
        PureOp::VToScalar if ty == Type::F64 => Part::Pair,
        PureOp::VToScalar if ty == Type::F32 => Part::Single(0),
        PureOp::VExtract(Lane::S4, n @ (0 | 1)) => Part::Single(n as usize),
        _ => Part::Other,
    }
}

impl Fx<'_, '_> {
    /// Two singles as a D register.
    pub(crate) fn pair(&self, [low, high]: [V; 2]) -> V {
        let l = self.l;
        let pair = l.poison(l.vec_ty(l.float_ty(32), 2));
        l.bitcast(l.insert(l.insert(pair, low, 0), high, 1), l.float_ty(64))
    }

    pub(crate) fn load_singles(&self, slots: [V; 2]) -> [V; 2] {
        slots.map(|p| self.l.load(self.l.float_ty(32), p))
    }

    /// The singles of a register that is in two slots.
    pub(crate) fn get_singles(&self, r: Reg) -> Option<[V; 2]> {
        match self.slot(r) {
            Slot::Whole(_) | Slot::Half(..) => None,
            Slot::Singles(slots) => Some(self.load_singles(slots)),
        }
    }

    /// The singles of what the operation gives, if those of its first operand are at hand.
    pub(crate) fn singles_of(&self, op: PureOp, ty: Type, args: &[Value]) -> Option<[V; 2]> {
        let mut singles = self.singles[args.first()?.0 as usize]?;
        let Part::Pair = part(op, ty) else { return None };
        if let PureOp::VInsert(_, n) = op {
            singles[n as usize] = self.l.bitcast(self.value(args[1]), self.l.float_ty(32));
        }
        Some(singles)
    }

    /// The single that the operation takes out of its operand, if it is at hand.
    pub(crate) fn single_of(&self, op: PureOp, ty: Type, arg: Value) -> Option<V> {
        let singles = self.singles[arg.0 as usize]?;
        match part(op, ty) {
            Part::Single(n) => Some(singles[n]),
            Part::Pair | Part::Other => None,
        }
    }
}
