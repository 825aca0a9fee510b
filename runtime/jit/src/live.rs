//! Which registers the guest state does not have yet, and which a region must load at its entry. Takes a region's IR, gives
//! sets per block; knows nothing of host code.

use crate::flags::{self, FLAG_HOMES, Group, is_flag};
use crate::point::{self, Point, Points};
use ir::{BlockId, Function, Inst, RegFile, Term, Walk};

/// A set of registers by index, with the homes of flags behind them.
pub(crate) type Set = u128;

/// The bit of a register.
pub(crate) fn bit(reg: u16) -> Set {
    1 << reg
}

/// See the module.
pub(crate) struct Live {
    /// Flags that each block sets.
    pub(crate) groups: Vec<Vec<Group>>,
    /// Registers that may differ from the state at the block's beginning.
    pub(crate) dirty: Vec<Set>,
    /// The flags' description at the block's beginning, if they are among those and it is always the same constant.
    pub(crate) words: Vec<Option<u32>>,
    /// See there.
    pub(crate) points: Points,
    /// Heads of loops at which the state is made exact: that does for the accesses of a round until one cannot be done again.
    pub(crate) early: Vec<bool>,
    /// Heads of loops with accesses. Whoever enters one makes the state exact before, so that in the loop only what
    /// the loop writes is stored.
    exact: Vec<bool>,
    /// Position in `order`.
    position: Vec<usize>,
    /// Registers whose value is needed at each block's beginning.
    pub(crate) needed: Vec<Set>,
    /// Blocks at which host code looks for signals: heads of loops.
    pub(crate) polls: Vec<bool>,
    /// In checked regions, the blocks of the loops with these heads.
    pub(crate) bodies: Vec<Option<Vec<bool>>>,
    /// Blocks in the order of emission; the others are not reached.
    pub(crate) order: Vec<BlockId>,
}

/// What happens to registers in a block, in order.
enum Event {
    Read(u16),
    /// A flag, whose home is elsewhere.
    Define(Set),
    Write(Set),
    Commit,
}

impl Live {
    /// `checked`: code is compared at heads of loops, where the state is exact for it. `verified`: so is the state with the
    /// interpreter's, there and before each access.
    pub(crate) fn of(
        file: &'static RegFile,
        f: &Function,
        ways: &[Vec<BlockId>],
        checked: bool,
        verified: bool,
    ) -> Live {
        let groups: Vec<Vec<Group>> = f.blocks.iter().map(|b| flags::groups(b, file)).collect();
        let Walk { post: mut order, heads: polls } = Walk::over(ways, [BlockId(0)], |_| true);
        order.reverse();
        let mut position = vec![usize::MAX; f.blocks.len()];
        for (n, b) in order.iter().enumerate() {
            position[b.0 as usize] = n;
        }
        let accesses =
            |b: &ir::Block| b.insts.iter().any(|i| i.is_checkpoint() || matches!(i, Inst::ReadSys(_)));
        let accesses: Vec<bool> = f.blocks.iter().map(accesses).collect();
        let loops = loops(ways, &order, &position, &polls, &accesses);
        let exact: Vec<bool> = loops.iter().map(Option::is_some).collect();
        let early = |l: &Option<Vec<bool>>| l.as_ref().is_some_and(|inside| point::pays(f, inside));
        let early: Vec<bool> =
            loops.iter().zip(&polls).map(|(l, head)| (checked || verified) && *head || early(l)).collect();
        let all = vec![checked; f.blocks.len()];
        let bodies = self::loops(ways, &order, &position, &polls, &all);
        // Without points each access has its own state.
        let begin = if verified { vec![false; f.blocks.len()] } else { early.clone() };
        let points = Points::of(&f.blocks, ways, &order, &polls, &begin);
        let events: Vec<Vec<Event>> = (0..f.blocks.len())
            .map(|n| {
                let b = &f.blocks[n];
                let mut all = events(&b.insts, &groups[n], points.begin(BlockId(n as u32), b.pc.0));
                if early[n] {
                    all.insert(0, Event::Commit);
                }
                all
            })
            .collect();
        let enters = |from: BlockId, to: BlockId| enters(&exact, &position, from, to);
        let mut dirty = vec![0; f.blocks.len()];
        let mut words = vec![Word::None; f.blocks.len()];
        words[0] = Word::Any;
        loop {
            let before = (dirty.clone(), words.clone());
            for &b in &order {
                let mut d: Set = dirty[b.0 as usize];
                let mut word = words[b.0 as usize];
                for e in &events[b.0 as usize] {
                    match e {
                        Event::Read(_) | Event::Define(_) => {}
                        Event::Write(s) => d |= s,
                        Event::Commit => d = 0,
                    }
                }
                if let Some(g) = groups[b.0 as usize].last() {
                    word = g.form.word().map_or(Word::Any, Word::One);
                }
                for &s in &ways[b.0 as usize] {
                    let d = if enters(b, s) { 0 } else { d };
                    dirty[s.0 as usize] |= d;
                    // Who comes with flags in the state brings any description.
                    let w = &mut words[s.0 as usize];
                    *w = w.meet(if d & FLAG_HOMES != 0 { word } else { Word::Any });
                }
            }
            if (&dirty, &words) == (&before.0, &before.1) {
                break;
            }
        }
        let mut needed_at = vec![0; f.blocks.len()];
        loop {
            let before = needed_at.clone();
            for &b in order.iter().rev() {
                let n = b.0 as usize;
                let term = &f.block(b).term;
                let mut d = dirty[n];
                let (mut written, mut needed): (Set, Set) = (0, if polls[n] { d } else { 0 });
                for e in &events[n] {
                    match e {
                        Event::Read(r) => needed |= bit(*r) & !written,
                        Event::Define(s) => written |= s,
                        Event::Write(s) => {
                            written |= s;
                            d |= s;
                        }
                        Event::Commit => {
                            needed |= d & !written;
                            d = 0;
                        }
                    }
                }
                let successors = &ways[n];
                if leaves(term, successors) || successors.iter().any(|&s| enters(b, s)) {
                    needed |= d & !written;
                }
                for &s in successors {
                    needed |= needed_at[s.0 as usize] & !written;
                }
                needed_at[n] = needed;
            }
            if needed_at == before {
                break;
            }
        }
        let words = words.into_iter().map(|w| if let Word::One(d) = w { Some(d) } else { None }).collect();
        Live { groups, dirty, words, points, early, exact, position, needed: needed_at, polls, bodies, order }
    }

    /// True if the state must be exact on the way from one block to the other.
    pub(crate) fn enters(&self, from: BlockId, to: BlockId) -> bool {
        enters(&self.exact, &self.position, from, to)
    }
}

fn enters(exact: &[bool], position: &[usize], from: BlockId, to: BlockId) -> bool {
    exact[to.0 as usize] && position[from.0 as usize] < position[to.0 as usize]
}

/// What is known of the flags' description.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    None,
    One(u32),
    Any,
}

impl Word {
    fn meet(self, other: Word) -> Word {
        match (self, other) {
            (Word::None, w) | (w, Word::None) => w,
            (a, b) if a == b => a,
            _ => Word::Any,
        }
    }
}

/// The blocks of loops in which one accesses memory, by their heads.
fn loops(
    ways: &[Vec<BlockId>],
    order: &[BlockId],
    position: &[usize],
    polls: &[bool],
    accesses: &[bool],
) -> Vec<Option<Vec<bool>>> {
    let mut before: Vec<Vec<BlockId>> = vec![Vec::new(); ways.len()];
    for &b in order {
        for &s in &ways[b.0 as usize] {
            before[s.0 as usize].push(b);
        }
    }
    let mut loops = vec![None; ways.len()];
    for &head in order.iter().filter(|b| polls[b.0 as usize]) {
        let h = head.0 as usize;
        let mut seen = vec![false; ways.len()];
        seen[h] = true;
        let mut stack: Vec<BlockId> =
            before[h].iter().copied().filter(|b| position[b.0 as usize] >= position[h]).collect();
        while let Some(b) = stack.pop() {
            if !std::mem::replace(&mut seen[b.0 as usize], true) {
                stack.extend(&before[b.0 as usize]);
            }
        }
        let inside: Vec<bool> = (0..ways.len()).map(|n| seen[n] && position[n] >= position[h]).collect();
        loops[h] = (0..ways.len()).any(|n| inside[n] && accesses[n]).then_some(inside);
    }
    loops
}

/// True if control may leave the region at the block's end.
fn leaves(term: &Term, ways: &[BlockId]) -> bool {
    match term {
        Term::Jump(_) | Term::Branch { .. } => false,
        Term::Call { .. } => ways.is_empty(),
        _ => true,
    }
}

fn events(insts: &[Inst], groups: &[Group], mut point: Point) -> Vec<Event> {
    let mut out = Vec::new();
    let mut groups = groups.iter().peekable();
    for (i, inst) in insts.iter().enumerate() {
        if point.step(inst) {
            out.push(Event::Commit);
        }
        match inst {
            Inst::Get(r) => out.push(Event::Read(r.0)),
            Inst::Set(r, _) if is_flag(*r) => out.push(Event::Define(bit(r.0))),
            Inst::Set(r, _) => out.push(Event::Write(bit(r.0))),
            _ => {}
        }
        if let Some(g) = groups.next_if(|g| g.at == i) {
            for r in g.reads() {
                out.push(Event::Read(r));
            }
            out.push(Event::Write(FLAG_HOMES));
        }
    }
    out
}
