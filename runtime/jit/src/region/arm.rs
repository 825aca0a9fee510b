//! The walk of a region in AArch32: instructions of two lengths, of which each may have a condition. Blocks are not divided by
//! conditions, nor within IT blocks: lifting does that.

use super::{MAX_ACCESSES, MAX_INSNS};
use crate::Request;
use ir::GuestAddr;
use isa::a32::{self, Place};
use isa::{BlockShape, Flow, FunctionShape, Isa};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An instruction of the region.
struct Seen {
    len: u32,
    /// A block may begin there.
    plain: bool,
    /// The block ends behind it.
    ends: bool,
}

/// Where its bytes lie and in which state, whatever its IT block.
fn key(at: Place) -> GuestAddr {
    at.at(at.addr).into()
}

/// See the A64 one.
pub(super) fn shape(request: &Request<'_>, most: usize) -> Option<(FunctionShape, u32)> {
    let entry = request.pc;
    if Isa::A32.is_inner(entry.0) {
        return None;
    }
    let count = |pc: GuestAddr| request.seen.map_or(1, |seen| seen(pc.0));
    let mut accesses = 0;
    let mut seen: BTreeMap<GuestAddr, Seen> = BTreeMap::new();
    let mut leaders: BTreeSet<GuestAddr> = BTreeSet::from([entry]);
    let mut queue = VecDeque::from([(entry, true)]);
    while let Some((start, mostly)) = queue.pop_front() {
        let most = if mostly { most } else { most.min(MAX_INSNS) };
        let mut at = Place::from(start);
        loop {
            let pc = key(at);
            if seen.contains_key(&pc) || seen.len() >= most || (pc != entry && (request.stop)(pc.0)) {
                break;
            }
            let Some(l) = a32::leaving(request.code, at) else { break };
            if l.accesses {
                if accesses == MAX_ACCESSES {
                    break;
                }
                accesses += 1;
            }
            let mut go = |a: GuestAddr, mostly: bool| {
                if leaders.insert(a) {
                    queue.push_back((a, mostly));
                }
            };
            let next = GuestAddr::from(l.next);
            let ends = match l.flow {
                Flow::Next => false,
                Flow::Jump(a) | Flow::Branch(a) if l.conditional || l.flow == Flow::Branch(a) => {
                    // Who says that neither was executed does not know.
                    let (on, off) = (count(next), count(a));
                    let divides = matches!(l.flow, Flow::Branch(_));
                    if divides && (on != 0 || off == 0) {
                        go(next, mostly && on >= off);
                    }
                    if off != 0 || on == 0 {
                        go(a, mostly && on < off);
                    }
                    divides
                }
                Flow::Jump(a) | Flow::Branch(a) => {
                    go(a, mostly);
                    true
                }
                Flow::Call(a) => {
                    go(a, mostly);
                    if !l.conditional && count(next) != 0 {
                        go(next, mostly);
                    }
                    !l.conditional
                }
                Flow::IndirectCall | Flow::Indirect | Flow::Return | Flow::Syscall | Flow::Trap => {
                    !l.conditional
                }
            };
            seen.insert(pc, Seen { len: l.len, plain: !at.in_it(), ends });
            if ends {
                break;
            }
            at = l.next;
        }
    }
    let mut blocks: Vec<BlockShape> = Vec::new();
    let mut open = false;
    for (&pc, s) in &seen {
        let bytes = Isa::A32.bytes_at(pc.0);
        let end = GuestAddr(bytes + u64::from(s.len));
        match blocks.last_mut() {
            Some(b) if b.end.0 > bytes => return None,
            Some(b) if open && b.end.0 == bytes && !(leaders.contains(&pc) && s.plain) => b.end = end,
            // Only the block's own walk knows what comes within an IT block.
            _ if !s.plain => {
                open = false;
                continue;
            }
            _ => blocks.push(BlockShape { start: pc, end, switch: None }),
        }
        open = !s.ends;
    }
    let shape = FunctionShape { isa: Isa::A32, name: "region".into(), entry, blocks };
    (!seen.is_empty()).then_some((shape, seen.len() as u32))
}
