//! What is compiled together: the guest code that direct jumps reach from an address, up to a limit. Takes code bytes, gives
//! an IR function and the bytes it was made from.

use crate::Request;
use crate::emit::join;
use ir::{Block, BlockId, CacheOp, CallTarget, Fence, Function, GuestAddr, Inst, SysReg, Term};
use isa::{BlockShape, Flow, FunctionShape, Isa, a64};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Guest instructions of a region at most where it is not known what is executed.
pub(crate) const MAX_INSNS: usize = 240;

/// The same where it is, on the way that control mostly takes: traces that other run-time compilers make are one long block with ways out.
const MAX_SEEN: usize = 1000;

/// Instructions that access memory at most: they have to be told apart by Cranelift's trap codes, of which heads of loops need some.
const MAX_ACCESSES: usize = 200;

/// The same for checked regions, all of whose code is compared at each entry.
const MAX_CHECKED: usize = 100;

/// A region in the IR.
pub(crate) struct Region {
    pub(crate) function: Function,
    /// Where each block goes on in the region. Beyond the jumps of the IR: to the callee of a direct call, and from a return to
    /// where such calls return.
    pub(crate) ways: Vec<Vec<BlockId>>,
    pub(crate) ranges: Vec<(u64, u32)>,
    /// Those of the first blocks, which are the region's.
    pub(crate) spans: Vec<(u64, u32)>,
    /// The direct branch at whose target, outside of the region, a block goes on, if there is one.
    pub(crate) exits: Vec<Option<u64>>,
    pub(crate) insns: u32,
    pub(crate) isa: Isa,
}

impl Region {
    pub(crate) fn find(request: &Request<'_>, most: usize) -> Option<Region> {
        let isa = request.isa;
        let (shape, insns) = shape(request, most)?;
        let mut function = isa::lift_function(&shape, request.code);
        // Blocks that conditions make follow those of the shape; those that leave the region come last, and are empty.
        let shaped = match isa {
            Isa::A64 => shape.blocks.len(),
            Isa::A32 => function.blocks.iter().take_while(|b| !b.insts.is_empty()).count(),
        };
        let within = |b: &Block| {
            let at = isa.bytes_at(b.pc.0);
            move |s: &&BlockShape| (isa.bytes_at(s.start.0)..s.end.0).contains(&at)
        };
        let spans: Vec<(u64, u32)> = function
            .blocks
            .iter()
            .take(shaped)
            .filter_map(|b| shape.blocks.iter().find(within(b)))
            .map(|s| words(isa, s))
            .collect();
        let mut exits = match isa {
            Isa::A64 => exits(&function, &spans, request.code),
            Isa::A32 => vec![None; function.blocks.len()],
        };
        for (i, exit) in exits.iter_mut().enumerate() {
            if shorten(&mut function, i) {
                *exit = None;
            }
        }
        // Passes know only the ways of the IR.
        let called: Vec<GuestAddr> = function
            .blocks
            .iter()
            .filter_map(|b| match b.term {
                Term::Call { target: CallTarget::Direct(a), .. } => Some(a),
                _ => None,
            })
            .collect();
        for b in &mut function.blocks {
            // Control may also leave where a loop begins.
            b.resume |= called.contains(&b.pc);
        }
        ir::pass::run_default(&mut function, isa.file());
        let ranges: Vec<(u64, u32)> = shape.blocks.iter().map(|b| words(isa, b)).collect();
        let ways = ways(&function, shaped);
        Some(Region { function, ways, ranges: join(&ranges), spans, exits, insns, isa })
    }
}

/// The words in which the block's instructions lie.
fn words(isa: Isa, b: &BlockShape) -> (u64, u32) {
    let start = isa.bytes_at(b.start.0) & !3;
    (start, (b.end.0.next_multiple_of(4) - start) as u32)
}

/// See [`Region::exits`]. Blocks that leave the region have one way into them each.
fn exits(f: &Function, spans: &[(u64, u32)], code: &dyn isa::Code) -> Vec<Option<u64>> {
    let mut exits = vec![None; f.blocks.len()];
    for (n, (b, &(start, len))) in f.blocks.iter().zip(spans).enumerate() {
        let last = GuestAddr(start + len as u64 - 4);
        let flow = code.word(last).map(|word| a64::flow(word, last));
        match (&b.term, flow) {
            (Term::Branch { then, .. }, Some(Flow::Branch(to))) if then.0 as usize >= spans.len() => {
                debug_assert_eq!(f.block(*then).term, Term::Goto(to));
                exits[then.0 as usize] = Some(last.0);
            }
            (Term::Goto(a), Some(Flow::Jump(to))) if *a == to => exits[n] = Some(last.0),
            (Term::Call { target: CallTarget::Direct(a), .. }, Some(Flow::Call(to))) if *a == to => {
                exits[n] = Some(last.0)
            }
            _ => {}
        }
    }
    exits
}

/// Return sites that a return is compared with, at most.
const RETURN_SITES: usize = 4;

/// See [`Region::ways`]. The first `shaped` blocks are those of the region, what follows leads out of it.
fn ways(f: &Function, shaped: usize) -> Vec<Vec<BlockId>> {
    let find = |a: GuestAddr| f.blocks[..shaped].iter().position(|b| b.pc == a).map(|n| BlockId(n as u32));
    let mut ways: Vec<Vec<BlockId>> = f
        .blocks
        .iter()
        .map(|b| match b.term {
            Term::Call { target: CallTarget::Direct(a), cont: Some(_), .. } => find(a).into_iter().collect(),
            Term::Jump(_) | Term::Branch { .. } => b.term.successors(),
            _ => Vec::new(),
        })
        .collect();
    for b in &f.blocks {
        let Term::Call { target: CallTarget::Direct(callee), cont: Some(cont), .. } = b.term else {
            continue;
        };
        let mut seen = vec![false; f.blocks.len()];
        let mut stack: Vec<BlockId> = find(callee).into_iter().collect();
        while let Some(at) = stack.pop() {
            let n = at.0 as usize;
            if std::mem::replace(&mut seen[n], true) {
                continue;
            }
            match &f.blocks[n].term {
                Term::Return(_) if ways[n].len() < RETURN_SITES && !ways[n].contains(&cont) => {
                    ways[n].push(cont)
                }
                // Calls return behind them.
                Term::Jump(_) | Term::Branch { .. } | Term::Call { .. } => {
                    stack.extend(f.blocks[n].term.successors())
                }
                _ => {}
            }
        }
    }
    ways
}

/// Instructions of a region at most.
pub(crate) fn most(request: &Request<'_>) -> usize {
    match request.seen {
        _ if request.checked => MAX_CHECKED,
        Some(_) if request.first.is_none() => MAX_SEEN,
        _ => MAX_INSNS,
    }
}

/// An instruction of the region.
struct Seen {
    len: u32,
    /// A block may begin there: it is in no IT block.
    plain: bool,
    /// The block ends behind it.
    ends: bool,
}

/// Walks breadth-first along direct jumps; gives the number of instructions, too. AArch32: blocks are not divided by conditions,
/// nor within IT blocks; lifting does that.
fn shape(request: &Request<'_>, most: usize) -> Option<(FunctionShape, u32)> {
    let (isa, entry) = (request.isa, request.pc);
    if isa.is_inner(entry.0) {
        return None;
    }
    let count = |pc: GuestAddr| request.seen.map_or(1, |seen| seen(pc.0));
    let mut accesses = 0;
    let mut seen: BTreeMap<GuestAddr, Seen> = BTreeMap::new();
    let mut leaders: BTreeSet<GuestAddr> = BTreeSet::from([entry]);
    // What calls return to belongs to the region, wherever else it does.
    let mut own: BTreeSet<GuestAddr> = BTreeSet::from([entry]);
    let joins = |pc| request.first.is_some_and(|first| (first.joins)(pc));
    // With what may be on the way that control mostly takes.
    let mut queue = VecDeque::from([(entry, true)]);
    while let Some((start, mostly)) = queue.pop_front() {
        let most = if mostly { most } else { most.min(MAX_INSNS) };
        let mut at = start;
        loop {
            let pc = GuestAddr(isa.plain(at.0));
            if seen.contains_key(&pc) || seen.len() >= most || (pc != entry && (request.stop)(pc.0)) {
                break;
            }
            if pc == at && !own.contains(&pc) && joins(pc.0) {
                break;
            }
            let Some(l) = isa.leaving(request.code, at) else { break };
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
            let ends = match l.flow {
                Flow::Next => false,
                Flow::Jump(a) if !l.conditional => {
                    go(a, mostly);
                    true
                }
                Flow::Jump(a) | Flow::Branch(a) => {
                    // Who says that neither was executed does not know.
                    let (on, off) = (count(l.next), count(a));
                    let divides = matches!(l.flow, Flow::Branch(_));
                    if divides && (on != 0 || off == 0) {
                        go(l.next, mostly && on >= off);
                    }
                    if off != 0 || on == 0 {
                        go(a, mostly && on < off);
                    }
                    divides
                }
                Flow::Call(a) => {
                    go(a, mostly);
                    // Whoever returns from another region does not come there.
                    if !l.conditional && count(l.next) != 0 && !joins(a.0) {
                        own.insert(l.next);
                        go(l.next, mostly);
                    }
                    !l.conditional
                }
                Flow::IndirectCall | Flow::Indirect | Flow::Return | Flow::Syscall | Flow::Trap => {
                    !l.conditional
                }
            };
            seen.insert(pc, Seen { len: l.len, plain: pc == at, ends });
            if ends {
                break;
            }
            at = l.next;
        }
    }
    let mut blocks: Vec<BlockShape> = Vec::new();
    let mut open = false;
    for (&pc, s) in &seen {
        let bytes = isa.bytes_at(pc.0);
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
    let shape = FunctionShape { isa, name: "region".into(), entry, blocks };
    (!seen.is_empty()).then_some((shape, seen.len() as u32))
}

/// Ends a block before the first instruction that is the interpreter's, and behind a barrier that makes changed code visible.
/// True if that is not where it ended.
fn shorten(f: &mut Function, i: usize) -> bool {
    let b = &f.blocks[i];
    let mut mark = None;
    let mut barrier = false;
    let mut end = None;
    for (n, inst) in b.insts.iter().enumerate() {
        match inst {
            Inst::Mark(pc) if barrier => {
                end = Some((n, Term::Goto(*pc)));
                break;
            }
            Inst::Mark(pc) => mark = Some((n, *pc)),
            Inst::Fence(Fence::Instruction) => barrier = true,
            Inst::WriteSys(SysReg::Fpcr | SysReg::Fpsr | SysReg::Endian | SysReg::Counter, _)
            | Inst::Cache { op: CacheOp::InvalidateCode, .. } => {
                if let Some((n, pc)) = mark {
                    end = Some((n, Term::Fallback { pc }));
                }
                break;
            }
            _ => {}
        }
    }
    if end.is_none()
        && barrier
        && let Term::Jump(to) = b.term
    {
        end = Some((b.insts.len(), Term::Goto(f.block(to).pc)));
    }
    let Some((n, term)) = end else { return false };
    let b: &mut Block = &mut f.blocks[i];
    b.insts.truncate(n);
    b.term = term;
    true
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Helpers, Table};

    struct Words(Vec<u32>);

    impl isa::Code for Words {
        fn word(&self, pc: GuestAddr) -> Option<u32> {
            self.0.get((pc.0.checked_sub(0x1000)? / 4) as usize).copied()
        }
    }

    fn request<'a>(code: &'a Words, stop: &'a dyn Fn(u64) -> bool) -> Request<'a> {
        let helpers = Helpers { soft: 0, round: 0, settle: 0, verify: 0, read_sys: 0, atomic: 0 };
        let table = Table { base: 0, log2: 0, shift: 2 };
        Request {
            isa: Isa::A64,
            code,
            pc: GuestAddr(0x1000),
            stop,
            seen: None,
            first: None,
            checked: false,
            verified: false,
            soft_float: false,
            helpers,
            table,
            fma: true,
            debug: false,
        }
    }

    /// The region of that code at 0x1000.
    pub(crate) fn region(words: &[u32], stop: &dyn Fn(u64) -> bool) -> Option<Region> {
        Region::find(&request(&Words(words.to_vec()), stop), MAX_INSNS)
    }

    const NOP: u32 = 0xd503_201f;
    const RET: u32 = 0xd65f_03c0;
    const ISB: u32 = 0xd503_3fdf;

    #[test]
    fn calls_go_to_their_callees_and_back() {
        // 0: bl 8; 4: b 0; 8: ret
        let r = region(&[0x9400_0002, 0x17ff_ffff, RET], &|_| false).unwrap();
        let at = |pc: u64| r.function.blocks.iter().position(|b| b.pc.0 == pc).unwrap();
        let ways = |pc: u64| r.ways[at(pc)].iter().map(|b| r.function.block(*b).pc.0).collect::<Vec<_>>();
        assert_eq!((ways(0x1000), ways(0x1008), ways(0x1004)), (vec![0x1008], vec![0x1004], vec![0x1000]));
        assert_eq!((r.ranges.as_slice(), r.insns), ([(0x1000, 12)].as_slice(), 3));
    }

    #[test]
    fn regions_end_where_other_code_begins_and_behind_barriers() {
        let r = region(&[NOP, NOP, RET], &|pc| pc == 0x1008).unwrap();
        assert_eq!((r.insns, &r.function.blocks[0].term), (2, &Term::Goto(GuestAddr(0x1008))));
        let r = region(&[NOP, ISB, NOP, RET], &|_| false).unwrap();
        assert_eq!(r.function.blocks[0].term, Term::Goto(GuestAddr(0x1008)));
        // msr fpcr, x0
        let r = region(&[NOP, 0xd51b_4400, RET], &|_| false).unwrap();
        assert_eq!(r.function.blocks[0].term, Term::Fallback { pc: GuestAddr(0x1004) });
        assert!(region(&[], &|_| false).is_none());
    }

    #[test]
    fn what_is_compiled_first_goes_on_in_other_regions() {
        let joins = |pc: u64| pc == 0x1008 || pc == 0x100c;
        let first = Some(crate::First { joins: &joins, counter: 0 });
        let insns = |words: &[u32]| {
            let code = Words(words.to_vec());
            let r = Region::find(&Request { first, ..request(&code, &|_| false) }, MAX_INSNS).unwrap();
            (r.insns, r.function.blocks.iter().map(|b| b.term.clone()).collect::<Vec<_>>())
        };
        let (n, terms) = insns(&[NOP, NOP, NOP, NOP, RET]);
        assert_eq!((n, &terms[0]), (2, &Term::Goto(GuestAddr(0x1008))));
        // b 8; bl 8; what bl 16 returns to belongs to the region.
        let (n, terms) = insns(&[0x1400_0002, NOP, RET]);
        assert_eq!((n, &terms[0]), (1, &Term::Goto(GuestAddr(0x1008))));
        assert_eq!(insns(&[0x9400_0002, NOP, RET]).0, 1);
        assert_eq!(insns(&[NOP, 0x9400_0003, RET, NOP, RET]).0, 4);
    }

    /// A register holds an address on the only way into a block that the IR knows; a call comes with another.
    #[test]
    fn callees_take_registers_as_they_come() {
        // 0: adr x0, 0; 4: bl 16; 8: adr x0, 0; 12: b 16; 16: add x1, x0, #1; ret
        let words = [0x1000_0000, 0x9400_0003, 0x1000_0000 | 7, 0x1400_0001, 0x9100_0401, RET];
        let r = region(&words, &|_| false).unwrap();
        let callee = r.function.blocks.iter().find(|b| b.pc.0 == 0x1010).unwrap();
        assert!(callee.resume && callee.insts.iter().any(|i| matches!(i, Inst::Get(r) if r.0 == 0)));
    }

    #[test]
    fn branches_out_of_the_region_are_known() {
        let exits = |words: &[u32], stop: &dyn Fn(u64) -> bool| {
            let r = region(words, stop).unwrap();
            let all = r.exits.iter().zip(&r.function.blocks);
            all.filter_map(|(exit, b)| Some(((*exit)?, b.term.clone()))).collect::<Vec<_>>()
        };
        // 0: cbz x0, 32; 4: tbz x0, #0, 32; 8: b.eq 0; 12: b 40
        let words = [0xb400_0100, 0x3600_00e0, 0x54ff_ffc0, 0x1400_0007];
        let expected = [(0x100c, 0x1028), (0x1000, 0x1020), (0x1004, 0x1020)];
        assert_eq!(exits(&words, &|_| false), expected.map(|(from, to)| (from, Term::Goto(GuestAddr(to)))));
        // bl 32; behind a barrier, and where the region just ends, there is no branch.
        assert_eq!(exits(&[0x9400_0008, RET], &|pc| pc >= 0x1020).len(), 1);
        assert_eq!(exits(&[ISB, 0x1400_0007], &|_| false), []);
        assert_eq!(exits(&[NOP, NOP], &|pc| pc == 0x1004), []);
    }

    /// The blocks of a region that does not begin with its lowest address.
    #[test]
    fn spans_are_those_of_the_blocks() {
        // 0: b 8; 4: ret; 8: cbz x0, 4; 12: b 4, entered at 8
        let code = Words(vec![0x1400_0002, RET, 0xb4ff_ffe0, 0x17ff_fffe]);
        let r = Region::find(&Request { pc: GuestAddr(0x1008), ..request(&code, &|_| false) }, MAX_INSNS)
            .unwrap();
        let blocks: Vec<u64> = r.function.blocks[..r.spans.len()].iter().map(|b| b.pc.0).collect();
        assert_eq!(blocks, [0x1008, 0x1004, 0x100c]);
        assert_eq!(r.spans, [(0x1008, 4), (0x1004, 4), (0x100c, 4)]);
    }

    #[test]
    fn regions_are_bounded() {
        let r = region(&[NOP; 1000], &|_| false).unwrap();
        assert_eq!(r.insns as usize, MAX_INSNS);
        assert_eq!(r.function.blocks[0].term, Term::Goto(GuestAddr(0x1000 + 4 * MAX_INSNS as u64)));
    }
}
