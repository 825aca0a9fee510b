//! Threaded code: the dispatch of an interpreter, repeated behind each of its operations, has as many ways as the square of the
//! operations. Beyond a limit it is made one.

use crate::func::{Block, BlockId, Function, Inst, NO_VALUE, Term, Value};
use crate::op::PureOp;
use crate::types::{GuestAddr, Reg, Type};
use std::collections::HashMap;

/// What a switch looks at, where other blocks can find it at its block's end.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    reg: Reg,
    /// It is the register's value, extended with zeros to an address.
    extended: bool,
}

/// What switches that can be one have in common: by what they choose, and among what.
type Choice = (Place, Vec<(GuestAddr, BlockId)>);

/// If switches of `f` have more than `limit` cases together, makes one block of those that have the same cases and the same register
/// to choose by. Of blocks that access memory only: so that the new one is in no loop without accesses, and nobody sees its
/// address, which is that of one of the switches.
pub fn share_switches(f: &mut Function, limit: usize) {
    let cases = |b: &Block| match &b.term {
        Term::Switch { cases, .. } => cases.len(),
        _ => 0,
    };
    if f.blocks.iter().map(cases).sum::<usize>() <= limit {
        return;
    }
    let accesses = |b: &Block| {
        b.insts.iter().any(|i| {
            matches!(i, Inst::Load { .. } | Inst::Store { .. } | Inst::Rmw { .. } | Inst::Cas { .. })
        })
    };
    let mut alike: HashMap<Choice, Vec<usize>> = HashMap::new();
    for (i, b) in f.blocks.iter().enumerate() {
        if let Term::Switch { target, cases } = &b.term
            && accesses(b)
            && let Some(place) = place(&b.insts, *target)
        {
            alike.entry((place, cases.clone())).or_default().push(i);
        }
    }
    let mut groups: Vec<_> = alike.into_iter().filter(|(_, blocks)| blocks.len() > 1).collect();
    groups.sort_by_key(|(_, blocks)| blocks[0]);
    for ((place, cases), blocks) in groups {
        let shared = BlockId(f.blocks.len() as u32);
        let first = &f.blocks[blocks[0]];
        let pc = first.insts.iter().rev().find_map(|i| match *i {
            Inst::Mark(pc) => Some(pc),
            _ => None,
        });
        let (pc, mut insts) = (pc.unwrap_or(first.pc), vec![Inst::Get(place.reg)]);
        if place.extended {
            insts.push(Inst::Pure { op: PureOp::Zext, ty: Type::I64, args: [Value(0), NO_VALUE, NO_VALUE] });
        }
        let target = Value(insts.len() as u32 - 1);
        f.blocks.push(Block { pc, insts, term: Term::Switch { target, cases }, resume: false });
        for b in blocks {
            f.blocks[b].term = Term::Jump(shared);
        }
    }
}

/// The register that has `target` at the end of the block, if there is one.
fn place(insts: &[Inst], target: Value) -> Option<Place> {
    let holder = |v: Value| {
        let mut holds: Vec<Reg> = Vec::new();
        for (i, inst) in insts.iter().enumerate() {
            match *inst {
                Inst::Get(r) if i == v.0 as usize => holds.push(r),
                Inst::Set(r, value) => {
                    holds.retain(|h| *h != r);
                    if value == v {
                        holds.push(r);
                    }
                }
                _ => {}
            }
        }
        holds.first().copied()
    };
    let plain = holder(target).map(|reg| Place { reg, extended: false });
    plain.or_else(|| match insts[target.0 as usize] {
        Inst::Pure { op: PureOp::Zext, args, .. } => holder(args[0]).map(|reg| Place { reg, extended: true }),
        _ => None,
    })
}
