//! Cold general registers whose home is a vector slot instead of the state: callers' values that functions save and restore.
//! A function stores such a register from there and loads it to there, without a way through the state or a general register.
//! Takes functions, gives which accesses do that. No LLVM.

use ir::{Block, Function, Inst, PureOp, Reg, Term, Type, Value};

/// The register that value `v`, or what it is the lower half of, was read from and that the block has not written before: where
/// it is clean, its home has the value.
pub(crate) fn read_from(b: &Block, v: Value) -> Option<Reg> {
    let at = match b.insts[v.0 as usize] {
        Inst::Pure { op: PureOp::Trunc, ty: Type::I32, args: [a, ..] } => a.0 as usize,
        _ => v.0 as usize,
    };
    let Inst::Get(r) = b.insts[at] else { return None };
    let written = |i: &Inst| matches!(*i, Inst::Set(w, _) if w == r);
    (!b.insts[..at].iter().any(written)).then_some(r)
}

/// The registers that value `i` of a block becomes, extended with zeros if it is shorter, if the function ends there and nothing
/// else uses it.
pub(crate) fn restored(b: &Block, i: usize) -> Option<Vec<Reg>> {
    let goes_on_at = match b.term {
        Term::Return(v) | Term::Indirect(v) => Some(v),
        Term::Goto(_) => None,
        _ => return None,
    };
    let mut same = vec![Value(i as u32)];
    let mut to = Vec::new();
    for (n, inst) in b.insts.iter().enumerate().skip(i + 1) {
        match *inst {
            Inst::Set(r, v) if same.contains(&v) => to.push(r),
            Inst::Pure { op: PureOp::Zext, ty: Type::I64, args: [v, ..] } if same.contains(&v) => {
                same.push(Value(n as u32))
            }
            _ => {
                let mut used = false;
                inst.for_each_arg(|v| used |= same.contains(&v));
                if used {
                    return None;
                }
            }
        }
    }
    let leaves_by_it = goes_on_at.is_some_and(|v| same.contains(&v));
    (!leaves_by_it && !to.is_empty()).then_some(to)
}

/// For each of `registers` of the file: how often a run of `f` saves it and restores it, each occasion counted with its block's
/// weight. What is saved and not restored is an argument.
pub(crate) fn traffic(f: &Function, registers: usize, weight: &[u64]) -> Vec<u64> {
    let (mut saves, mut restores) = (vec![0; registers], vec![0; registers]);
    for (b, w) in f.blocks.iter().zip(weight) {
        for (i, inst) in b.insts.iter().enumerate() {
            match *inst {
                Inst::Store { value, .. } => {
                    if let Some(r) = read_from(b, value) {
                        saves[r.0 as usize] += w;
                    }
                }
                Inst::Load { ty: Type::I32 | Type::I64, .. } => {
                    for r in restored(b, i).into_iter().flatten() {
                        restores[r.0 as usize] += w;
                    }
                }
                _ => {}
            }
        }
    }
    saves.into_iter().zip(restores).map(|(s, r): (u64, u64)| 2 * s.min(r)).collect()
}
