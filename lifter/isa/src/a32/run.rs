//! Straight runs of AArch32: conditional instructions, IT blocks, control flow. An instruction whose condition is not known
//! either becomes one that keeps its registers by selection, if it and its neighbours under the same condition only compute;
//! or the run ends before it with a branch, to the same place with the condition known to hold, or past the instructions that
//! share it.

use super::cx::{Cx, Predicate};
use super::table::{self, Insn, Set, is_wide};
use super::{FILE, Modes, Place, reg};
use crate::cond::FlagSource;
use crate::{Code, Exit, Flow, Leaving, Run};
use ir::{Builder, CallTarget, GuestAddr, Inst, PureOp, Reg, Term, TrapKind, Value};

/// Instructions in a row that are made conditional by selection; longer groups are branched over.
const SELECTED: usize = 4;
/// Instructions in a row under one condition that are looked at.
const GROUP: usize = 16;
const ALWAYS: u32 = 14;

/// The instruction at `at`, if its bytes can be fetched.
pub fn fetch(code: &dyn Code, at: Place) -> Option<Insn> {
    let addr = |a: u32| GuestAddr(u64::from(a));
    if !at.thumb {
        return code.word(addr(at.addr)).map(|w| table::decode(at, w));
    }
    let first = code.half(addr(at.addr))?;
    if !is_wide(first) {
        return Some(table::decode(at, u32::from(first)));
    }
    let second = code.half(addr(at.addr.wrapping_add(2)))?;
    Some(table::decode(at, u32::from(first) << 16 | u32::from(second)))
}

/// Lifts `insn` as if its condition held.
fn lift(
    b: &mut Builder<'_>,
    flags: &mut Option<FlagSource>,
    insn: &Insn,
    at: Place,
    modes: Modes,
    predicate: Option<Predicate>,
) -> crate::cx::Lift {
    let Some(row) = insn.row else { return Err(crate::cx::Undefined) };
    let mut cx = Cx::new(b, flags, at, insn.len, predicate);
    cx.modes = modes;
    (row.lift)(&mut cx, insn.word)
}

/// The instructions from `from` on change nothing but registers without flags, and only by selection.
fn only_selects(insts: &[Inst], from: usize) -> bool {
    insts[from..].iter().all(|i| match *i {
        Inst::Const { .. } | Inst::CodeAddr(_) | Inst::Get(_) | Inst::Mark(_) => true,
        Inst::Pure { op, .. } => !op.uses_fp_env(),
        Inst::Set(r, v) => {
            let selected = |v: Value| matches!(insts[v.0 as usize], Inst::Pure { op: PureOp::Select, .. });
            match insts[v.0 as usize] {
                Inst::Pure { op: PureOp::Zext, args, .. } => !is_flag(r) && selected(args[0]),
                _ => !is_flag(r) && selected(v),
            }
        }
        Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Rmw { .. }
        | Inst::Cas { .. }
        | Inst::LoadEx { .. }
        | Inst::StoreEx { .. }
        | Inst::ClearEx
        | Inst::Fence(_)
        | Inst::Cache { .. }
        | Inst::ReadSys(_)
        | Inst::WriteSys(..) => false,
    })
}

/// True if `insts` leave `next` in LR: `MOV LR, PC` before an indirect jump, as calls were made before BLX, and as helpers of the
/// kernel are called.
fn links(insts: &[Inst], next: Place) -> bool {
    let set = insts.iter().rev().find_map(|i| match *i {
        Inst::Set(reg::LR, v) => Some(v),
        _ => None,
    });
    let Some(mut v) = set else { return false };
    loop {
        match insts[v.0 as usize] {
            Inst::Pure { op: PureOp::Zext | PureOp::Trunc, args, .. } => v = args[0],
            Inst::CodeAddr(a) => return a == next.into(),
            _ => return false,
        }
    }
}

/// True for N, Z, C and V.
fn is_flag(r: Reg) -> bool {
    (reg::N..=reg::V).contains(&r)
}

/// True if `insts` write N, Z, C or V.
fn sets_flags(insts: &[Inst]) -> bool {
    insts.iter().any(|i| matches!(i, Inst::Set(r, _) if is_flag(*r)))
}

fn inside(at: Place, end: GuestAddr) -> bool {
    u64::from(at.addr) < end.0 & !1
}

/// The instructions from `insn` at `at` on, up to `end`, that stand under its condition or the inverse, the place behind them, and
/// the address behind the last byte looked at.
fn group(code: &dyn Code, at: Place, insn: Insn, end: GuestAddr) -> (Vec<(Place, Insn)>, Place, u32) {
    let mut group = vec![(at, insn)];
    let mut next = at.next(insn.len);
    let mut seen = next.addr;
    while group.len() < GROUP && inside(next, end) && (next.in_it() || !at.in_it()) {
        let Some(i) = fetch(code, next) else { break };
        seen = next.addr.wrapping_add(i.len);
        if i.cond >> 1 != insn.cond >> 1 {
            break;
        }
        group.push((next, i));
        next = next.next(i.len);
    }
    (group, next, seen)
}

/// Where the ways meet again that part before the instruction at `at`, which has a condition.
fn join(code: &dyn Code, at: Place, end: GuestAddr) -> Option<GuestAddr> {
    let insn = fetch(code, at)?;
    Some(group(code, at, insn, end).1.into())
}

/// Lifts what stands from `start` to `end` as runs, the first one beginning at `start`, the others where a run before ends because
/// of a condition: at tested places, in IT blocks, and where ways meet. Runs end where ways meet, so that none has what another has.
pub fn lift_block(code: &dyn Code, start: GuestAddr, end: GuestAddr) -> Vec<Run> {
    let (first, last) = (Place::from(start).addr, end.0 & !1);
    let within = |a: GuestAddr| {
        let addr = Place::from(a).addr;
        first <= addr && u64::from(addr) < last && a != start
    };
    let mut runs: Vec<Run> = Vec::new();
    let mut work = vec![(start, end)];
    while let Some((at, stop)) = work.pop() {
        if runs.iter().any(|r| r.pc == at) {
            continue;
        }
        let run = lift_run(code, at, stop, usize::MAX);
        let mut go_on = |a: GuestAddr, meet: Option<GuestAddr>| {
            if within(a) {
                let stop = if inside(a.into(), stop) { stop } else { end };
                work.push((a, meet.unwrap_or(stop)));
            }
        };
        match run.exit {
            Exit::Branch { then, els, .. } => {
                let tested = |a: GuestAddr| Place::from(a).passed;
                let meet =
                    [then, els].into_iter().find(|&a| tested(a)).and_then(|a| join(code, a.into(), stop));
                go_on(els, meet.filter(|_| tested(els)));
                if tested(then) {
                    go_on(then, meet);
                }
            }
            Exit::Next(a) | Exit::Call { ret: a, .. } | Exit::Syscall { next: a, .. } => go_on(a, None),
            Exit::Jump(_)
            | Exit::Indirect(_)
            | Exit::Return(_)
            | Exit::Trap { .. }
            | Exit::Fallback { .. } => {}
        }
        runs.push(run);
    }
    runs
}

/// What is known while a run is lifted.
struct Lifting<'a, 'r> {
    code: &'a dyn Code,
    b: Builder<'r>,
    flags: Option<FlagSource>,
    /// A condition that holds.
    known: Option<u32>,
    /// Behind the last byte looked at.
    seen: u32,
    end: GuestAddr,
    modes: Modes,
}

impl Lifting<'_, '_> {
    fn fetch(&mut self, at: Place) -> Option<Insn> {
        let insn = fetch(self.code, at)?;
        self.seen = self.seen.max(at.addr.wrapping_add(insn.len));
        Some(insn)
    }

    fn inside(&self, at: Place) -> bool {
        inside(at, self.end)
    }

    /// See [`group`].
    fn group(&mut self, at: Place, insn: Insn) -> (Vec<(Place, Insn)>, Place) {
        let (group, behind, seen) = group(self.code, at, insn, self.end);
        self.seen = self.seen.max(seen);
        (group, behind)
    }

    /// Lifts the group from `at` on by selections, if that can be done; gives the place behind it.
    fn select(&mut self, at: Place, insn: Insn) -> Option<Place> {
        let cond = insn.cond;
        let (group, next) = self.group(at, insn);
        if group.len() > SELECTED {
            return None;
        }
        let (start, flags) = (self.b.len(), self.flags);
        let holds = Cx::new(&mut self.b, &mut self.flags, at, insn.len, None).condition(cond);
        for (n, &(place, i)) in group.iter().enumerate() {
            let predicate = Predicate { cond: holds, is: i.cond == cond };
            if n > 0 {
                self.b.mark(place.into());
            }
            let from = self.b.len();
            let lifted = lift(&mut self.b, &mut self.flags, &i, place, self.modes, Some(predicate));
            if lifted != Ok(None) || !only_selects(self.b.insts(), from) {
                self.b.truncate(start);
                self.flags = flags;
                return None;
            }
        }
        Some(next)
    }

    /// Ends the run before the instruction at `at`, whose condition is open.
    fn branch(&mut self, at: Place, insn: Insn) -> Exit {
        let cond = Cx::new(&mut self.b, &mut self.flags, at, insn.len, None).condition(insn.cond);
        let (group, behind) = self.group(at, insn);
        // Past all that does not hold either; the first of the inverse condition holds.
        let els = group.iter().find(|(_, i)| i.cond != insn.cond).map_or(behind, |(p, _)| p.tested());
        let mut alone = Builder::new(&FILE, at.into());
        let then = match lift(&mut alone, &mut None, &insn, at, self.modes, None) {
            Ok(Some(Exit::Jump(target))) => target,
            _ => at.tested().into(),
        };
        Exit::Branch { cond, then, els: els.into() }
    }
}

/// Lifts the straight run that begins at `pc` and ends before `end`, after `max_insns` instructions, or at the first
/// instruction that transfers control. Bytes that cannot be fetched end it with `Exit::Next` there (if they are not the first;
/// the first give `Fallback`).
pub fn lift_run(code: &dyn Code, pc: GuestAddr, end: GuestAddr, max_insns: usize) -> Run {
    lift_run_in(Modes::default(), code, pc, end, max_insns)
}

/// As [`lift_run`], for other modes than the usual ones.
pub fn lift_run_in(modes: Modes, code: &dyn Code, pc: GuestAddr, end: GuestAddr, max_insns: usize) -> Run {
    let start = Place::from(pc);
    // Conditional instructions are lifted in groups; one alone is none.
    let alone = (max_insns <= 1).then(|| fetch(code, start)).flatten();
    let end = alone.map_or(end, |first| end.min(GuestAddr(start.next(first.len).addr.into())));
    let b = Builder::new(&FILE, pc);
    let mut l = Lifting { code, b, flags: None, known: None, seen: start.addr, end, modes };
    let mut at = start;
    let mut exit = None;
    for n in 0..max_insns.max(1) {
        if n > 0 && !l.inside(at) {
            break;
        }
        let Some(insn) = l.fetch(at) else { break };
        l.b.mark(at.into());
        if at.passed {
            l.known = Some(insn.cond);
        }
        let next = at.next(insn.len);
        if insn.cond != ALWAYS && l.known != Some(insn.cond) {
            if l.known == Some(insn.cond ^ 1) {
                at = next;
                continue;
            }
            match l.select(at, insn) {
                Some(behind) => {
                    at = behind;
                    continue;
                }
                None => {
                    exit = Some(l.branch(at, insn));
                    break;
                }
            }
        }
        let from = l.b.len();
        match lift(&mut l.b, &mut l.flags, &insn, at, modes, None) {
            Ok(None) => {
                if sets_flags(&l.b.insts()[from..]) {
                    l.known = None;
                }
            }
            Ok(Some(Exit::Indirect(target))) if links(l.b.insts(), next) => {
                exit = Some(Exit::Call { target: CallTarget::Indirect(target), ret: next.into() });
                break;
            }
            Ok(Some(e)) => {
                exit = Some(e);
                break;
            }
            Err(crate::cx::Undefined) => {
                l.b.truncate(from);
                exit = Some(Exit::Trap { kind: TrapKind::Undefined, pc: at.into() });
                break;
            }
        }
        at = match insn.row {
            // IT's own lifter changes nothing: the state is part of the places behind it.
            Some(row) if row.set == Set::T16 && super::is_it(insn.word) => {
                Place { it: insn.word as u8, ..next }
            }
            _ => next,
        };
    }
    let exit =
        exit.unwrap_or(if l.seen == start.addr { Exit::Fallback { pc } } else { Exit::Next(at.into()) });
    let len = l.seen.wrapping_sub(start.addr).max(if start.thumb { 2 } else { 4 });
    let block = l.b.finish(Term::Fallback { pc });
    Run { pc, len, insts: block.insts, exit }
}

/// True if A32's `MOV LR, PC` stands before `at`.
fn follows_link(code: &dyn Code, at: Place) -> bool {
    let before = GuestAddr(u64::from(at.addr.wrapping_sub(4)));
    !at.thumb && code.word(before).is_some_and(|w| w & 0x0fff_ffff == 0x01a0_e00f)
}

/// Control flow of the instruction at `at`; `None` if its bytes cannot be fetched.
pub fn leaving(code: &dyn Code, at: Place) -> Option<Leaving> {
    let insn = fetch(code, at)?;
    let mut b = Builder::new(&FILE, at.into());
    let lifted = lift(&mut b, &mut None, &insn, at, Modes::default(), None);
    let mut next = at.next(insn.len);
    let flow = match lifted {
        Err(crate::cx::Undefined) => Flow::Trap,
        Ok(None) => Flow::Next,
        Ok(Some(exit)) => match exit {
            Exit::Next(_) => Flow::Next,
            Exit::Jump(a) => Flow::Jump(a),
            Exit::Branch { then, .. } => Flow::Branch(then),
            Exit::Indirect(_) if follows_link(code, at) => Flow::IndirectCall,
            Exit::Indirect(_) => Flow::Indirect,
            Exit::Call { target: ir::CallTarget::Direct(a), .. } => Flow::Call(a),
            Exit::Call { target: ir::CallTarget::Indirect(_), .. } => Flow::IndirectCall,
            Exit::Return(_) => Flow::Return,
            Exit::Syscall { .. } => Flow::Syscall,
            Exit::Trap { .. } | Exit::Fallback { .. } => Flow::Trap,
        },
    };
    if insn.row.is_some_and(|r| r.set == Set::T16) && super::is_it(insn.word) {
        next.it = insn.word as u8;
    }
    let accesses = b.insts().iter().any(Inst::is_checkpoint);
    Some(Leaving { len: insn.len, flow, conditional: insn.cond != ALWAYS, accesses, next: next.into() })
}
