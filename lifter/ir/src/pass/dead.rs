//! Dead value elimination: values that nothing uses go, unless computing them can be noticed.

use super::{retain, with_roots};
use crate::func::{Function, Inst, Value};

/// Removes values that nothing uses. Accesses stay (they can fault), and so do operations that may set bits of FPSR.
pub fn remove_dead_values(f: &mut Function) {
    for b in &mut f.blocks {
        with_roots(b, insts);
    }
}

pub(super) fn insts(insts: &mut Vec<Inst>, roots: &mut [Value]) {
    let mut used = vec![false; insts.len()];
    for r in roots.iter() {
        used[r.0 as usize] = true;
    }
    for (i, inst) in insts.iter().enumerate().rev() {
        if used[i] || has_effect(inst) {
            used[i] = true;
            inst.for_each_arg(|v| used[v.0 as usize] = true);
        }
    }
    retain(insts, roots, |i| used[i]);
}

fn has_effect(inst: &Inst) -> bool {
    match inst {
        Inst::Const { .. } | Inst::CodeAddr(_) | Inst::Get(_) | Inst::ReadSys(_) => false,
        Inst::Pure { op, .. } => op.uses_fp_env(),
        Inst::Mark(_)
        | Inst::Set(..)
        | Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Rmw { .. }
        | Inst::Cas { .. }
        | Inst::LoadEx { .. }
        | Inst::StoreEx { .. }
        | Inst::ClearEx
        | Inst::Fence(_)
        | Inst::Cache { .. }
        | Inst::WriteSys(..) => true,
    }
}
