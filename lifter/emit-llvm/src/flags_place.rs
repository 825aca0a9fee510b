//! Where the flags are: takes the flag writes that `flags` found, gives for each whether anything can see it and which of its
//! operands guest registers keep until then, and for each block where the flags are at its start. No LLVM.

use crate::flags::{Descriptions, Form, Group, Operand, Part, Parts, holder};
use crate::flow::{self, Flow, RegSet, Registers};
use abi::{GuestState, flag};
use ir::{Block, Function, Inst, Reg, RegFile, Term};
use std::mem::offset_of;

/// Where the flags are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FlagsAt {
    /// Nothing looks at them any more.
    Nowhere,
    /// As this word describes, which may not be in the state yet. Operands that it does not hold or name are.
    Pending(u32),
    /// In the state.
    Memory(Descriptions),
}

impl FlagsAt {
    /// The description, if there is but one.
    pub(crate) fn single(&self) -> Option<u32> {
        match self {
            FlagsAt::Nowhere => None,
            FlagsAt::Pending(d) => Some(*d),
            FlagsAt::Memory(set) => set.single(),
        }
    }
}

impl FlagsAt {
    /// True if a description that may hold names that register.
    fn names(&self, r: u32) -> bool {
        let names = |d: u32| [false, true].iter().any(|&b| flag::register(d, b) == Some(r));
        match self {
            FlagsAt::Nowhere => false,
            FlagsAt::Pending(d) => names(*d),
            FlagsAt::Memory(set) => set.few.iter().any(|&d| names(d)),
        }
    }

    /// True if a description that may hold names one of these registers.
    fn names_any(&self, registers: u32) -> bool {
        (0..32).any(|r| registers >> r & 1 != 0 && self.names(r))
    }

    /// As it is once operands have been moved from registers to the state.
    pub(crate) fn settled(&self) -> FlagsAt {
        match self {
            FlagsAt::Nowhere => FlagsAt::Nowhere,
            FlagsAt::Pending(d) => FlagsAt::Memory(Descriptions::one(flag::without_registers(*d))),
            FlagsAt::Memory(set) => FlagsAt::Memory(set.without_registers()),
        }
    }
}

/// What is to be done for the flags on the way to another block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Nothing,
    /// The word goes to the state.
    Note(u32),
    /// Word and operands go to the state, from registers that the word names.
    Settle(u32),
    /// As `Settle`, of whichever of these words is in the state, if one is.
    SettleOf(Vec<u32>),
}

/// Flag writes of a function, of one part.
#[derive(Debug)]
pub(crate) struct Flags {
    /// By block, in order.
    pub(crate) groups: Vec<Vec<Group>>,
    /// At block starts.
    pub(crate) start: Vec<FlagsAt>,
    /// By block: instructions that overwrite a register which flags need then; these are to be settled before.
    pub(crate) settle: Vec<Vec<usize>>,
}

impl Flags {
    /// Those of a part that does not exist.
    fn nowhere(f: &Function) -> Flags {
        let n = f.blocks.len();
        Flags { groups: vec![Vec::new(); n], start: vec![FlagsAt::Nowhere; n], settle: vec![Vec::new(); n] }
    }

    /// What to do at the end of a block where the flags are at `from`, on the way to block `to`.
    pub(crate) fn step(&self, from: &FlagsAt, to: usize) -> Step {
        let (wanted, noted) = match &self.start[to] {
            FlagsAt::Nowhere => return Step::Nothing,
            FlagsAt::Pending(d) => (Descriptions::one(*d), false),
            FlagsAt::Memory(set) => (set.clone(), true),
        };
        let known = |d: u32| d == flag::without_registers(d) || wanted.few.contains(&d);
        match from {
            FlagsAt::Nowhere => Step::Nothing,
            FlagsAt::Pending(d) if !known(*d) => Step::Settle(*d),
            FlagsAt::Pending(d) if noted => Step::Note(*d),
            FlagsAt::Pending(_) => Step::Nothing,
            FlagsAt::Memory(set) => settle_of(set, |d| !known(d)),
        }
    }
}

/// What to do where lifted code is left for other lifted code, which knows nothing of registers' uses here.
pub(crate) fn publish(from: &FlagsAt) -> Step {
    match from {
        FlagsAt::Nowhere => Step::Nothing,
        FlagsAt::Pending(d) if flag::without_registers(*d) != *d => Step::Settle(*d),
        FlagsAt::Pending(d) => Step::Note(*d),
        FlagsAt::Memory(set) => settle_of(set, |_| true),
    }
}

fn settle_of(set: &Descriptions, which: impl Fn(u32) -> bool) -> Step {
    let words: Vec<u32> = set.with_registers().filter(|&d| which(d)).collect();
    if words.is_empty() { Step::Nothing } else { Step::SettleOf(words) }
}

/// More words with registers are not told apart where ways meet in a loop.
const MOST: usize = 3;

/// Completes `groups` and finds the places, for each part of the flags. With commits the state must be exact at each access, so
/// that nothing is pending.
pub(crate) fn analyse(
    f: &Function,
    regs: &Registers,
    file: &RegFile,
    flow: &Flow,
    groups: Parts<Vec<Vec<Group>>>,
) -> Parts<Flags> {
    let mut groups = groups.into_iter();
    Part::EVERY.map(|part| {
        let groups = groups.next().expect("invariant: there are groups for each part");
        match part == Part::All || regs.parts {
            true => arrivals(f, regs, file, &flow.poll, &flow.depth, part, groups).0,
            false => Flags::nowhere(f),
        }
    })
}

/// As `analyse`, for one part; and for each block where that is on the ways there from the ends of others.
pub(crate) fn arrivals(
    f: &Function,
    regs: &Registers,
    file: &RegFile,
    poll: &[bool],
    depth: &[u32],
    part: Part,
    mut groups: Vec<Vec<Group>>,
) -> (Flags, Arrivals) {
    let look = Look { f, regs, poll, depth, part };
    if !regs.commit {
        choose_words(&look, file, &mut groups);
    }
    let behind = look.back(&groups);
    let walks: Vec<Walk> = f
        .blocks
        .iter()
        .zip(&groups)
        .enumerate()
        .map(|(i, (b, groups))| Walk::new(&look, b, file, groups, look.end_of(b, &behind, i)))
        .collect();
    let overwritten =
        |b: &Behind| b.written.iter().filter_map(|r| number_of(file, r)).fold(0, |set, n| set | 1 << n);
    let ahead: Vec<Ahead> =
        behind.iter().map(|b| Ahead { seen: b.seen, overwritten: overwritten(b) }).collect();
    let (start, arrivals) = places(f, regs.commit, &ahead, depth, &walks);
    let settle = start.iter().zip(&walks).map(|(start, walk)| {
        let mut settle = Vec::new();
        walk.end(Some(start.clone()), regs.commit, |at| settle.push(at));
        settle
    });
    let settle = settle.collect();
    (Flags { groups, start, settle }, arrivals)
}

/// What of a block matters for where the flags are: its flag writes, and between them writes of registers that
/// descriptions can name while flags are seen.
struct Walk<'a>(Vec<(usize, Event<'a>)>);

#[derive(Clone, Copy)]
enum Event<'a> {
    Flags(&'a Group),
    Overwrite(u32),
}

impl<'a> Walk<'a> {
    fn new(look: &Look<'_>, b: &Block, file: &RegFile, groups: &'a [Group], end: Behind) -> Walk<'a> {
        let mut events = Vec::new();
        let mut seen = end.seen;
        let mut groups = groups.iter().rev().peekable();
        for (i, inst) in b.insts.iter().enumerate().rev() {
            if let Some(g) = groups.next_if(|g| g.at == i) {
                events.push((i, Event::Flags(g)));
                seen = g.form.keeps();
            }
            if let Inst::Set(r, _) = inst
                && seen
                && let Some(n) = number_of(file, *r)
            {
                events.push((i, Event::Overwrite(n)));
            }
            seen = look.before(inst, Behind { seen, ..Behind::default() }).seen;
        }
        events.reverse();
        Walk(events)
    }

    /// Where the flags are at the block's end; tells where they are to be settled.
    fn end(&self, start: Option<FlagsAt>, commit: bool, mut settle: impl FnMut(usize)) -> Option<FlagsAt> {
        let mut place = start;
        for &(at, event) in &self.0 {
            match (event, &place) {
                (Event::Flags(g), _) => place = Some(behind(g, commit)),
                (Event::Overwrite(r), Some(p)) if p.names(r) => {
                    settle(at);
                    place = Some(p.settled());
                }
                (Event::Overwrite(_), _) => {}
            }
        }
        place
    }
}

/// What happens to flags and registers from a point on, until flags are written.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Behind {
    /// Something looks at the flags.
    seen: bool,
    /// Registers written before something does.
    written: RegSet,
}

impl Behind {
    fn union(self, other: Behind) -> Behind {
        Behind { seen: self.seen || other.seen, written: self.written.union(other.written) }
    }
}

/// Looks at what follows points of a function.
struct Look<'a> {
    f: &'a Function,
    regs: &'a Registers,
    poll: &'a [bool],
    depth: &'a [u32],
    part: Part,
}

impl Look<'_> {
    /// Passes an instruction backwards, flag writes excluded.
    fn before(&self, inst: &Inst, mut now: Behind) -> Behind {
        match inst {
            Inst::Get(r) if self.regs.flag(*r).is_some_and(|n| self.part.has(n)) => now.seen = true,
            Inst::Set(r, _) if self.regs.flag(*r).is_none() && now.seen => now.written.insert(*r),
            Inst::ReadSys(_) | Inst::WriteSys(..) | Inst::Cache { .. } => now.seen = true,
            inst if inst.is_checkpoint() => now.seen = true,
            _ => {}
        }
        now
    }

    /// Walks a block backwards from `end`, telling what follows each group.
    fn back_through(
        &self,
        b: &Block,
        groups: &[Group],
        end: Behind,
        mut tell: impl FnMut(usize, Behind),
    ) -> Behind {
        let mut now = end;
        let mut left = groups.len();
        for (i, inst) in b.insts.iter().enumerate().rev() {
            if left != 0 && groups[left - 1].at == i {
                left -= 1;
                tell(left, now);
                now = Behind { seen: groups[left].form.keeps(), written: RegSet::default() };
            }
            now = self.before(inst, now);
        }
        now
    }

    /// What follows the starts of blocks.
    fn back(&self, groups: &[Vec<Group>]) -> Vec<Behind> {
        let mut start = vec![Behind::default(); self.f.blocks.len()];
        loop {
            let mut changed = false;
            for (i, b) in self.f.blocks.iter().enumerate().rev() {
                let mut now = self.back_through(b, &groups[i], self.end_of(b, &start, i), |_, _| {});
                now.seen |= self.poll[i];
                changed |= now != start[i];
                start[i] = now;
            }
            if !changed {
                return start;
            }
        }
    }

    /// What follows the end of block `i`. Writes of registers outside of its loop do not count: settling flags there costs less
    /// than storing operands in the loop.
    fn end_of(&self, b: &Block, start: &[Behind], i: usize) -> Behind {
        let end = Behind { seen: flow::leaves(&b.term), written: RegSet::default() };
        match b.term {
            // Whoever is called writes flags, as far as is known here.
            Term::Call { .. } | Term::Syscall { .. } => end,
            _ => b.term.successors().into_iter().fold(end, |e, s| {
                let s = s.0 as usize;
                let next = Behind { seen: start[s].seen, ..Behind::default() };
                e.union(if self.depth[s] < self.depth[i] { next } else { start[s] })
            }),
        }
    }
}

/// Decides for each comparison which operands to leave in registers: those that are not overwritten while flags are seen.
fn choose_words(look: &Look<'_>, file: &RegFile, groups: &mut [Vec<Group>]) {
    let start = look.back(groups);
    for (i, b) in look.f.blocks.iter().enumerate() {
        let mut behind = vec![Behind::default(); groups[i].len()];
        look.back_through(b, &groups[i], look.end_of(b, &start, i), |g, now| behind[g] = now);
        for (g, behind) in groups[i].iter_mut().zip(behind) {
            g.seen = behind.seen;
            // Behind a choice of descriptions, leaving the function would take a branch.
            let choice = match g.form {
                Form::Guarded(..) => look.depth[i] == 0,
                Form::Unless(..) => true,
                _ => false,
            };
            let Some(c) = g.form.compare() else { continue };
            if choice || c.kind & flag::KIND == flag::FLOAT {
                continue;
            }
            let number = |v| {
                let r = holder(b, v, c.kind & flag::WIDE == 0, g.at)?;
                if behind.written.contains(r) { None } else { number_of(file, r) }
            };
            let a = number(c.a).map(|n| flag::A_REGISTER | n << flag::A_SHIFT);
            let b = match c.b {
                Operand::Value(v) => Some(number(v).map_or(0, |n| flag::B_REGISTER | n << flag::B_SHIFT)),
                Operand::Immediate(k) if a.is_none() => Some(flag::IMMEDIATE | k << flag::IMMEDIATE_SHIFT),
                Operand::Immediate(k) if k < 1 << (32 - flag::B_SHIFT) => {
                    Some(flag::IMMEDIATE | k << flag::B_SHIFT)
                }
                Operand::Immediate(_) => None,
            };
            if let Some(b) = b {
                g.word = c.kind | a.unwrap_or(0) | b;
            }
        }
    }
}

/// The number by which descriptions name a register.
pub(crate) fn number_of(file: &RegFile, r: Reg) -> Option<u32> {
    let offset = (file.info(r).offset as usize).checked_sub(offset_of!(GuestState, x))?;
    (offset < 32 * 8).then_some(offset as u32 / 8)
}

/// The register that a description names by that number.
pub(crate) fn register_of(file: &RegFile, n: u32) -> Reg {
    let offset = offset_of!(GuestState, x) as u32 + 8 * n;
    let at = file.regs.iter().position(|r| r.offset == offset);
    Reg(at.expect("invariant: the number is one of a register") as u16)
}

const _: () = assert!(offset_of!(GuestState, sp) == offset_of!(GuestState, x) + 31 * 8);

/// Where the flags are behind a group.
pub(crate) fn behind(g: &Group, commit: bool) -> FlagsAt {
    let place = match g.form {
        _ if !g.seen => FlagsAt::Nowhere,
        Form::Known(d) => FlagsAt::Pending(d),
        Form::Compare(_) => FlagsAt::Pending(g.word),
        Form::Guarded(_, _, otherwise) => {
            FlagsAt::Memory(Descriptions::one(g.word).union(&Descriptions::one(otherwise)))
        }
        Form::Bytes(_) | Form::Merge(_) => FlagsAt::Pending(flag::BYTES),
        Form::Unless(..) => FlagsAt::Memory(Descriptions::ANY),
    };
    match place {
        FlagsAt::Pending(d) if commit => FlagsAt::Memory(Descriptions::one(d)),
        place => place,
    }
}

/// What follows a block's start: whether something looks at the flags, and which registers, by number, are written before.
struct Ahead {
    seen: bool,
    overwritten: u32,
}

/// For each block, the blocks that lead there and where the flags are then.
pub(crate) type Arrivals = Vec<Vec<(usize, FlagsAt)>>;

/// Where the flags are at block starts, and on the ways to them.
fn places(
    f: &Function,
    commit: bool,
    ahead: &[Ahead],
    depth: &[u32],
    walks: &[Walk<'_>],
) -> (Vec<FlagsAt>, Arrivals) {
    let n = f.blocks.len();
    let mut preds = vec![Vec::new(); n];
    let mut outside = vec![None::<Descriptions>; n];
    let mut comes = |i: usize, d: Descriptions| {
        outside[i] = Some(outside[i].take().map_or(d.clone(), |o| o.union(&d)));
    };
    comes(0, Descriptions::ANY);
    for (i, b) in f.blocks.iter().enumerate() {
        if b.resume {
            // The runtime settles flags.
            comes(i, Descriptions::one(flag::BYTES));
        }
        for s in b.term.successors() {
            match b.term {
                Term::Call { .. } | Term::Syscall { .. } => comes(s.0 as usize, Descriptions::ANY),
                _ => preds[s.0 as usize].push(i),
            }
        }
    }
    // Where the flags are at the end of block `p`, on the way to block `i`.
    let arrival = |p: usize, i: usize, start: Option<FlagsAt>| {
        let end = walks[p].end(start, commit, |_| {})?;
        // What the loop overwrites is settled on the way in, not each time round. An interpreter's
        // switch goes to blocks of all depths, each time round.
        let inward = depth[p] < depth[i]
            && !matches!(f.blocks[p].term, Term::Switch { .. })
            && end.names_any(ahead[i].overwritten);
        Some(if inward { end.settled() } else { end })
    };
    // Descriptions that name registers are settled on the way out of loops, and where too many meet.
    let mut plain: Vec<bool> = depth.iter().map(|&d| d == 0).collect();
    let mut start: Vec<Option<FlagsAt>> = vec![None; n];
    loop {
        let mut changed = false;
        for i in 0..n {
            let new = if ahead[i].seen {
                let ends = preds[i].iter().filter_map(|&p| arrival(p, i, start[p].clone()));
                meet(outside[i].as_ref(), ends, &mut plain[i])
            } else {
                Some(FlagsAt::Nowhere)
            };
            changed |= new != start[i];
            start[i] = new;
        }
        if !changed {
            break;
        }
    }
    let come = |i: usize| {
        let from = preds[i].iter();
        from.filter_map(|&p| Some((p, arrival(p, i, start[p].clone())?))).collect()
    };
    let arrivals = (0..n).map(come).collect();
    (start.into_iter().map(|p| p.unwrap_or(FlagsAt::Memory(Descriptions::ANY))).collect(), arrivals)
}

/// Where the flags are when control comes from several places.
fn meet(
    outside: Option<&Descriptions>,
    ends: impl Iterator<Item = FlagsAt>,
    plain: &mut bool,
) -> Option<FlagsAt> {
    let mut all: Option<Descriptions> = outside.cloned();
    let mut pending = false;
    for e in ends {
        let d = match e {
            FlagsAt::Nowhere => continue,
            FlagsAt::Pending(d) => {
                pending = true;
                Descriptions::one(d)
            }
            FlagsAt::Memory(d) => d,
        };
        all = Some(all.map_or(d.clone(), |a| a.union(&d)));
    }
    let all = all?;
    if let (Some(d), true) = (all.single(), pending) {
        return Some(FlagsAt::Pending(d));
    }
    *plain |= all.with_registers().count() > MOST;
    Some(FlagsAt::Memory(if *plain { all.without_registers() } else { all }))
}
