//! Where registers must be loaded from and stored to the guest state. Takes a function, gives per block which registers
//! may differ from the state at its start ("dirty") and which must be in their slots there ("live"). No LLVM.

use crate::loops::{self, Loops};
use crate::rare;
use crate::{Checkpoints, Hot};
use ir::{Block, BlockId, Function, Inst, Reg, RegFile, SysReg, Term, Walk};
use std::mem::offset_of;

/// A set of registers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct RegSet(u128);

impl RegSet {
    /// Every register.
    pub(crate) const ALL: RegSet = RegSet(u128::MAX);

    pub(crate) fn insert(&mut self, r: Reg) {
        self.0 |= 1 << r.0;
    }

    pub(crate) fn remove(&mut self, r: Reg) {
        self.0 &= !(1 << r.0);
    }

    pub(crate) fn contains(self, r: Reg) -> bool {
        self.0 >> r.0 & 1 != 0
    }

    pub(crate) fn union(self, other: RegSet) -> RegSet {
        RegSet(self.0 | other.0)
    }

    pub(crate) fn intersection(self, other: RegSet) -> RegSet {
        RegSet(self.0 & other.0)
    }

    /// Those that are not in `other`.
    pub(crate) fn without(self, other: RegSet) -> RegSet {
        RegSet(self.0 & !other.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Reg> {
        (0..128u16).filter(move |i| self.0 >> i & 1 != 0).map(Reg)
    }
}

/// What the analysis depends on.
#[derive(Clone, Copy)]
pub(crate) struct Registers {
    pub(crate) hot: RegSet,
    /// Cold registers whose home is a vector slot: see `homes`.
    pub(crate) homed: RegSet,
    /// The register whose home is `GuestState::qc`, which FPSR accesses touch.
    pub(crate) qc: Option<Reg>,
    /// N, Z, C and V, known by their homes. They are not kept in slots: see `flags`.
    flags: [Option<Reg>; 4],
    /// FPSCR's, which are in the state always: see `fp_flags`.
    fp_flags: [Option<Reg>; 4],
    /// Instructions keep some of them as a rule (AArch32): flags have parts (see `flags::Part`).
    pub(crate) parts: bool,
    /// Some blocks commit before access: hot registers are stored at their checkpoints, too.
    pub(crate) commit: bool,
    /// Not all do.
    mixed: bool,
}

impl Registers {
    pub(crate) fn new(file: &'static RegFile, hot: Option<&Hot>, checkpoints: Checkpoints) -> Registers {
        assert!(file.regs.len() <= 128, "invariant: a register set has 128 bits");
        let commit = matches!(checkpoints, Checkpoints::Commit | Checkpoints::Mixed);
        let (mut set, mut homed) = (RegSet::default(), RegSet::default());
        for (h, &r) in hot.iter().flat_map(|h| h.gprs.iter().chain(&h.vecs).map(move |r| (h, r))) {
            // With commits the state is every register's home.
            if !commit && h.in_vector_slot(r, file) { homed.insert(r) } else { set.insert(r) }
        }
        let home =
            |offset: usize| file.regs.iter().position(|r| r.offset as usize == offset).map(|i| Reg(i as u16));
        let qc = home(offset_of!(abi::GuestState, qc));
        let flags = std::array::from_fn(|n| home(offset_of!(abi::GuestState, nzcv) + n));
        let fp_flags = std::array::from_fn(|n| home(offset_of!(abi::GuestState, fp_nzcv) + n));
        // Only AArch32 has more flags.
        let parts = home(offset_of!(abi::GuestState, a32_flags)).is_some();
        Registers {
            hot: set,
            homed,
            qc,
            flags,
            fp_flags,
            parts,
            commit,
            mixed: checkpoints == Checkpoints::Mixed,
        }
    }

    /// Which of N, Z, C, V (0–3) the register is.
    pub(crate) fn flag(&self, r: Reg) -> Option<usize> {
        self.flags.iter().position(|&f| f == Some(r))
    }

    /// Which of FPSCR's N, Z, C, V (0–3) the register is.
    pub(crate) fn fp_flag(&self, r: Reg) -> Option<usize> {
        self.fp_flags.iter().position(|&f| f == Some(r))
    }

    /// The register of FPSCR's N, Z, C or V (0–3).
    pub(crate) fn fp_flag_register(&self, n: usize) -> Option<Reg> {
        self.fp_flags[n]
    }

    /// True if the register has a slot: flags have none.
    pub(crate) fn has_slot(&self, r: Reg) -> bool {
        self.flag(r).is_none() && self.fp_flag(r).is_none()
    }

    /// The register of N, Z, C or V (0–3).
    pub(crate) fn flag_register(&self, n: usize) -> Option<Reg> {
        self.flags[n]
    }

    /// Registers that are dirty when lifted code begins or a call is back: with commits, the hot ones, which travel in host
    /// registers.
    pub(crate) fn dirty_at_entry(&self) -> RegSet {
        if self.commit { self.hot } else { RegSet::default() }
    }

    /// Registers whose writes make them dirty.
    fn tracked(&self, r: Reg) -> bool {
        self.has_slot(r) && (self.commit || !self.hot.contains(r))
    }

    /// The dirty set after `inst` of a block that commits or not.
    pub(crate) fn after(&self, mut dirty: RegSet, inst: &Inst, commits: bool) -> RegSet {
        match inst {
            Inst::Set(r, _) if self.tracked(*r) => dirty.insert(*r),
            Inst::ReadSys(SysReg::Fpsr) | Inst::WriteSys(SysReg::Fpsr, _) => {
                if let Some(qc) = self.qc {
                    dirty.remove(qc);
                }
            }
            i if commits && i.is_checkpoint() => dirty = RegSet::default(),
            _ => {}
        }
        dirty
    }
}

/// Result of the analysis.
pub(crate) struct Flow {
    /// May differ from the state at block starts.
    pub(crate) dirty: Vec<RegSet>,
    /// Do not: ways to the block store them first.
    clean: Vec<RegSet>,
    /// Must be in their slots at block starts (not hot ones, which always are).
    need: Vec<RegSet>,
    /// Are in their slots at block ends, whichever way led there.
    available: Vec<RegSet>,
    /// Registers named anywhere, and all hot ones.
    pub(crate) used: RegSet,
    /// Blocks that start with an empty checkpoint, so that every cycle has one.
    pub(crate) poll: Vec<bool>,
    /// Blocks that commit before access.
    pub(crate) commits: Vec<bool>,
    /// Around how many loops each block stands.
    pub(crate) depth: Vec<u32>,
    /// The successor that each block's branch goes to rarely.
    pub(crate) rare: Vec<Option<BlockId>>,
}

impl Flow {
    /// What must be stored on the way to `to` where `dirty` may differ from the state.
    pub(crate) fn stored(&self, dirty: RegSet, to: BlockId) -> RegSet {
        dirty.intersection(self.clean[to.0 as usize])
    }

    /// What must be loaded on the way to `to`: from the end of block `from`, or from where all is in the state.
    pub(crate) fn missing(&self, from: Option<usize>, to: BlockId) -> RegSet {
        let have = from.map_or(RegSet::default(), |b| self.available[b]);
        RegSet(self.need[to.0 as usize].0 & !have.0)
    }
}

pub(crate) fn analyse(f: &Function, regs: &Registers) -> Flow {
    let poll = polls(f);
    let loops = loops::analyse(f);
    let commits = commits(f, regs, &loops.depth);
    let (dirty, clean) = dirty(f, regs, &loops, &poll, &commits);
    let summary = summaries(f, regs, &dirty, &clean, &poll, &commits);
    let live = live(f, regs, &summary);
    let (need, available) = needs(f, &loops.depth, &summary, &dirty, &live);
    let mut used = regs.hot;
    for inst in f.blocks.iter().flat_map(|b| &b.insts) {
        match inst {
            Inst::Get(r) | Inst::Set(r, _) if regs.has_slot(*r) => used.insert(*r),
            Inst::WriteSys(SysReg::Fpsr, _) | Inst::ReadSys(SysReg::Fpsr) => {
                if let Some(qc) = regs.qc {
                    used.insert(qc);
                }
            }
            _ => {}
        }
    }
    let rare = rare::analyse(f, &loops);
    Flow { dirty, clean, need, available, used, poll, commits, depth: loops.depth, rare }
}

/// Accesses and polls of a function with `Checkpoints::Mixed` that get fault labels. Each costs LLVM some milliseconds.
const MIXED_CALLBR: usize = 500;

/// Which blocks commit before access: all or none, or all but those of the deepest loops.
fn commits(f: &Function, regs: &Registers, depth: &[u32]) -> Vec<bool> {
    let mut commits = vec![regs.commit; f.blocks.len()];
    if regs.mixed {
        let mut order: Vec<usize> = (0..f.blocks.len()).filter(|&i| depth[i] != 0).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(depth[i]));
        let mut left = MIXED_CALLBR;
        for i in order {
            // One for a poll.
            let cost = 1 + f.blocks[i].insts.iter().filter(|inst| inst.is_checkpoint()).count();
            if cost <= left {
                left -= cost;
                commits[i] = false;
            }
        }
    }
    commits
}

/// Which registers must be in their slots at block starts, and which are at block ends.
///
/// Loads from the state are put off to where a register is wanted, so that a short way through a function, and a turn of a
/// loop that calls, loads no more than it needs. In loops a register that is already there on most of the ways that meet
/// stays there, and is loaded on the others: so what a loop reads is loaded before it, and behind the calls that it hardly
/// ever makes. What is dirty is not in the state, so it stays in its slot.
fn needs(
    f: &Function,
    depth: &[u32],
    summary: &[(RegSet, RegSet)],
    dirty: &[RegSet],
    live: &[RegSet],
) -> (Vec<RegSet>, Vec<RegSet>) {
    let n = f.blocks.len();
    let wanted: Vec<RegSet> = (0..n).map(|i| summary[i].0.union(dirty[i]).intersection(live[i])).collect();
    // Ways to blocks in loops: how often they are taken, and from the end of which block, if not from where everything is
    // in the state.
    let mut ways: Vec<Vec<(u64, Option<usize>)>> = vec![Vec::new(); n];
    for (i, b) in f.blocks.iter().enumerate() {
        let successors = b.term.successors();
        let weight = 64 * 8u64.pow(depth[i].min(4)) / successors.len().max(1) as u64;
        let call = matches!(b.term, Term::Call { .. } | Term::Syscall { .. });
        for s in successors {
            ways[s.0 as usize].push((weight, (!call).then_some(i)));
        }
    }
    let mut need: Vec<RegSet> = (0..n).map(|i| if depth[i] != 0 { live[i] } else { wanted[i] }).collect();
    loop {
        let available = available(f, summary, &need);
        let mut changed = false;
        for i in 0..n {
            for r in need[i].without(wanted[i]).iter() {
                let (there, not) = ways[i].iter().fold((0, 0), |(there, not), &(weight, from)| {
                    match from.is_some_and(|p| available[p].contains(r)) {
                        true => (there + weight, not),
                        false => (there, not + weight),
                    }
                });
                if not > there {
                    need[i].remove(r);
                    changed = true;
                }
            }
        }
        if !changed {
            return (need, available);
        }
    }
}

/// For each register of the file: how often it would go between the state and a host register if it were not hot, each
/// occasion counted with its block's weight.
pub(crate) fn traffic(f: &Function, file: &'static RegFile, weight: &[u64]) -> Vec<u64> {
    let regs = Registers::new(file, None, Checkpoints::Callbr);
    let flow = analyse(f, &regs);
    let mut count = vec![0u64; file.regs.len()];
    let mut add = |set: RegSet, w: u64| {
        for r in set.iter() {
            count[r.0 as usize] += w;
        }
    };
    add(flow.missing(None, BlockId(0)), weight[0]);
    for (i, b) in f.blocks.iter().enumerate() {
        let call = matches!(b.term, Term::Call { .. } | Term::Syscall { .. });
        let dirty = b.insts.iter().fold(flow.dirty[i], |d, inst| regs.after(d, inst, false));
        for s in b.term.successors() {
            let weight = weight[i].min(weight[s.0 as usize]);
            add(flow.missing((!call).then_some(i), s), weight);
            if !call {
                add(flow.stored(dirty, s), weight);
            }
        }
        if leaves(&b.term) {
            add(dirty, weight[i]);
        }
    }
    count
}

/// True if the block's end can leave the function, or calls: what is dirty is stored there.
pub(crate) fn leaves(term: &Term) -> bool {
    match term {
        Term::Jump(_) | Term::Branch { .. } => false,
        Term::Switch { .. }
        | Term::Goto(_)
        | Term::Indirect(_)
        | Term::Call { .. }
        | Term::Return(_)
        | Term::Syscall { .. }
        | Term::Trap { .. }
        | Term::Fallback { .. } => true,
    }
}

/// Which registers are in their slots at block ends, given that `need` is at their starts.
fn available(f: &Function, summary: &[(RegSet, RegSet)], need: &[RegSet]) -> Vec<RegSet> {
    let mut preds = vec![Vec::new(); f.blocks.len()];
    let mut outside = vec![false; f.blocks.len()];
    outside[0] = true;
    for (i, b) in f.blocks.iter().enumerate() {
        outside[i] |= b.resume;
        for s in b.term.successors() {
            let s = s.0 as usize;
            match b.term {
                Term::Call { .. } | Term::Syscall { .. } => outside[s] = true,
                _ => preds[s].push(i),
            }
        }
    }
    let end = |i: usize, start: RegSet| start.union(need[i]).union(summary[i].1);
    let mut at = vec![RegSet(u128::MAX); f.blocks.len()];
    loop {
        let mut changed = false;
        for i in 0..f.blocks.len() {
            let start = if outside[i] || preds[i].is_empty() {
                RegSet::default()
            } else {
                RegSet(preds[i].iter().fold(u128::MAX, |s, &p| s & at[p].0))
            };
            let new = end(i, start);
            changed |= new != at[i];
            at[i] = new;
        }
        if !changed {
            return at;
        }
    }
}

/// Which registers may differ from the state at block starts, and which must not, so that the ways there store them.
///
/// A register that was written before a loop and is only read in it would be dirty at the loop's head for the first turn's sake,
/// and calls in the loop would store it in each turn, and behind them load it for the next. Such loops begin clean instead,
/// but for what is written between their last call and their end.
fn dirty(
    f: &Function,
    regs: &Registers,
    loops: &Loops,
    poll: &[bool],
    commits: &[bool],
) -> (Vec<RegSet>, Vec<RegSet>) {
    let end = |i: usize, start: RegSet| dirty_at_end(&f.blocks[i], regs, start, poll[i], commits[i]);
    let mut clean = vec![RegSet::default(); f.blocks.len()];
    for l in &loops.loops {
        if l.blocks.iter().any(|&i| cleans(&f.blocks[i], poll[i], commits[i])) {
            l.heads.iter().for_each(|&head| clean[head] = RegSet::ALL);
        }
    }
    loop {
        let at = dirty_with(f, regs, &clean, &end);
        let mut changed = false;
        for &(i, head) in loops.loops.iter().flat_map(|l| &l.backward) {
            let left = clean[head].without(end(i, at[i]));
            changed |= left != clean[head];
            clean[head] = left;
        }
        if !changed {
            break;
        }
    }
    let mut joins = vec![true; f.blocks.len()];
    for l in &loops.loops {
        let calls = l.blocks.iter().any(|&i| cleans(&f.blocks[i], poll[i], commits[i]));
        l.blocks.iter().for_each(|&b| joins[b] = calls);
    }
    meet_clean(f, regs, &joins, &mut clean, &end);
    (dirty_with(f, regs, &clean, &end), clean)
}

/// Makes registers clean where ways meet at `joins`, some of which they are dirty on and some not, if nothing reads them
/// there: on the latter they would have to be loaded, only to be stored again at the next call or exit. Where a loop makes no
/// calls, they stay in their slots instead.
fn meet_clean(
    f: &Function,
    regs: &Registers,
    joins: &[bool],
    clean: &mut [RegSet],
    end: &dyn Fn(usize, RegSet) -> RegSet,
) {
    let read = read(f, regs);
    loop {
        let at = dirty_with(f, regs, clean, end);
        // Dirty on all ways.
        let mut all: Vec<RegSet> =
            f.blocks.iter().map(|b| if b.resume { RegSet::default() } else { RegSet::ALL }).collect();
        all[0] = regs.dirty_at_entry();
        for (i, b) in f.blocks.iter().enumerate() {
            let end = end(i, at[i]);
            for s in b.term.successors() {
                let s = &mut all[s.0 as usize];
                *s = s.intersection(end);
            }
        }
        let mut changed = false;
        for i in (0..f.blocks.len()).filter(|&i| joins[i]) {
            let stored = at[i].without(all[i]).without(read[i]).without(regs.hot);
            changed |= stored != RegSet::default();
            clean[i] = clean[i].union(stored);
        }
        if !changed {
            return;
        }
    }
}

/// Which registers the instructions behind block starts read before they write them, calls and exits left aside.
fn read(f: &Function, regs: &Registers) -> Vec<RegSet> {
    let own: Vec<(RegSet, RegSet)> = f
        .blocks
        .iter()
        .map(|b| {
            let (mut reads, mut kills) = (RegSet::default(), RegSet::default());
            for inst in &b.insts {
                match inst {
                    Inst::Get(r) if !kills.contains(*r) => reads.insert(*r),
                    Inst::Set(r, _) => kills.insert(*r),
                    _ => {}
                }
            }
            (reads, kills)
        })
        .collect();
    live(f, regs, &own)
}

/// True if something in the block stores what is dirty.
fn cleans(b: &Block, poll: bool, commits: bool) -> bool {
    matches!(b.term, Term::Call { .. } | Term::Syscall { .. })
        || commits && (poll || b.insts.iter().any(Inst::is_checkpoint))
}

/// What is dirty where `b` leads to its successors.
fn dirty_at_end(b: &Block, regs: &Registers, start: RegSet, poll: bool, commits: bool) -> RegSet {
    match b.term {
        Term::Call { .. } | Term::Syscall { .. } => regs.dirty_at_entry(),
        _ => {
            let start = if commits && poll { RegSet::default() } else { start };
            b.insts.iter().fold(start, |d, inst| regs.after(d, inst, commits))
        }
    }
}

/// Goes through blocks with `end`, which tells what is dirty at a block's end by what is at its start.
fn dirty_with(
    f: &Function,
    regs: &Registers,
    clean: &[RegSet],
    end: &dyn Fn(usize, RegSet) -> RegSet,
) -> Vec<RegSet> {
    let mut at = vec![RegSet::default(); f.blocks.len()];
    // Who enters at a resume point comes from the dispatcher, with everything in the state.
    at[0] = regs.dirty_at_entry().without(clean[0]);
    let mut work: Vec<usize> = (0..f.blocks.len()).rev().collect();
    while let Some(i) = work.pop() {
        let b = &f.blocks[i];
        let end = end(i, at[i]);
        for s in b.term.successors() {
            let s = s.0 as usize;
            let new = at[s].union(end.without(clean[s]));
            if new != at[s] {
                at[s] = new;
                work.push(s);
            }
        }
    }
    at
}

/// Per block: read before written, and written.
fn summaries(
    f: &Function,
    regs: &Registers,
    dirty: &[RegSet],
    clean: &[RegSet],
    poll: &[bool],
    commits: &[bool],
) -> Vec<(RegSet, RegSet)> {
    f.blocks
        .iter()
        .enumerate()
        .map(|(i, b)| {
            let (mut reads, mut kills) = (RegSet::default(), RegSet::default());
            let mut d = dirty[i];
            let mut read = |s: RegSet, kills: &RegSet| reads.0 |= s.0 & !kills.0;
            if poll[i] {
                read(d, &kills);
                if commits[i] {
                    d = RegSet::default();
                }
            }
            for inst in &b.insts {
                match inst {
                    Inst::Get(r) if regs.has_slot(*r) => read(RegSet(1 << r.0), &kills),
                    Inst::Set(r, _) => kills.insert(*r),
                    // Exits: whatever is dirty is stored. A write of FPCR is one, a write of FPSR redefines QC.
                    Inst::WriteSys(..) | Inst::ReadSys(_) => {
                        read(d, &kills);
                        if let (Inst::WriteSys(SysReg::Fpsr, _), Some(qc)) = (inst, regs.qc) {
                            kills.insert(qc);
                        }
                    }
                    i if i.is_checkpoint() => read(d, &kills),
                    _ => {}
                }
                d = regs.after(d, inst, commits[i]);
            }
            if leaves(&b.term) {
                read(d, &kills);
            }
            for s in b.term.successors() {
                read(d.intersection(clean[s.0 as usize]), &kills);
            }
            (reads, kills)
        })
        .collect()
}

fn live(f: &Function, regs: &Registers, summary: &[(RegSet, RegSet)]) -> Vec<RegSet> {
    let cold = |s: RegSet| RegSet(s.0 & !regs.hot.0);
    let mut preds = vec![Vec::new(); f.blocks.len()];
    for (i, b) in f.blocks.iter().enumerate() {
        // Behind a call everything is loaded again.
        if !matches!(b.term, Term::Call { .. } | Term::Syscall { .. }) {
            for s in b.term.successors() {
                preds[s.0 as usize].push(i);
            }
        }
    }
    let mut live: Vec<RegSet> = summary.iter().map(|s| cold(s.0)).collect();
    let mut work: Vec<usize> = (0..f.blocks.len()).collect();
    while let Some(i) = work.pop() {
        for &p in &preds[i] {
            let new = RegSet(live[p].0 | cold(live[i]).0 & !summary[p].1.0);
            if new != live[p] {
                live[p] = new;
                work.push(p);
            }
        }
    }
    live
}

/// Blocks that need an empty checkpoint: targets of the retreating edges of a depth-first walk over the blocks that
/// have no checkpoint of their own; and the entry, if its block has none and the function can leave by a call or jump
/// (two such functions can make a cycle).
pub(crate) fn polls(f: &Function) -> Vec<bool> {
    let has = |i: usize| f.blocks[i].insts.iter().any(Inst::is_checkpoint);
    let mut poll = Walk::over(&f.ways(), f.ids(), |b| !has(b.0 as usize)).heads;
    let leaves = f.blocks.iter().any(|b| {
        matches!(b.term, Term::Goto(_) | Term::Indirect(_) | Term::Call { .. } | Term::Switch { .. })
    });
    if leaves && !has(0) {
        poll[0] = true;
    }
    poll
}
