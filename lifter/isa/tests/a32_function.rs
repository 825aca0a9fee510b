//! Lifting of AArch32 functions: conditions divide the blocks of a shape, and ways meet again.

use ir::{Function, GuestAddr, Inst, Term};
use isa::a32::Place;
use isa::{BlockShape, Code, FunctionShape, Isa, lift_function};

/// Code at an address, as halfwords.
struct Halves<'a>(u64, &'a [u16]);

impl Code for Halves<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        let low = self.half(pc)?;
        Some(u32::from(self.half(GuestAddr(pc.0 + 2))?) << 16 | u32::from(low))
    }

    fn half(&self, pc: GuestAddr) -> Option<u16> {
        self.1.get((pc.0.checked_sub(self.0)? / 2) as usize).copied()
    }
}

fn lift(blocks: &[(u64, u64)], halves: &[u16]) -> Function {
    let entry = GuestAddr(blocks[0].0);
    let block = |&(start, end)| BlockShape { start: GuestAddr(start), end: GuestAddr(end), switch: None };
    let blocks = blocks.iter().map(block).collect();
    let f = lift_function(
        &FunctionShape { name: "f".into(), isa: Isa::A32, entry, blocks },
        &Halves(0x1000, halves),
    );
    let problems = ir::verify(&f, Isa::A32.file());
    assert!(problems.is_empty(), "{problems:?} in {f:?}");
    f
}

/// The block at `pc`.
fn at(f: &Function, pc: impl Into<GuestAddr>) -> &ir::Block {
    let pc = pc.into();
    f.blocks.iter().find(|b| b.pc == pc).unwrap_or_else(|| panic!("no block at {pc}: {f:?}"))
}

fn stores(b: &ir::Block) -> usize {
    b.insts.iter().filter(|i| matches!(i, Inst::Store { .. })).count()
}

fn arm(addr: u32) -> Place {
    Place { addr, thumb: false, it: 0, passed: false }
}

#[test]
fn conditions_divide_a_block_and_meet_again() {
    let words: [u32; 4] = [
        0x1581_0000, // strne r0, [r1]
        0xe583_2000, // str r2, [r3]
        0x012f_ff1e, // bxeq lr
        0xeaff_fffb, // b 0x1000
    ];
    let halves: Vec<u16> = words.iter().flat_map(|w| [*w as u16, (*w >> 16) as u16]).collect();
    let f = lift(&[(0x1000, 0x100c), (0x100c, 0x1010)], &halves);
    let target = |b: ir::BlockId| f.blocks[b.0 as usize].pc;
    let head = at(&f, arm(0x1000));
    let Term::Branch { then, els, .. } = head.term else { panic!("{:?}", head.term) };
    assert_eq!((target(then), target(els)), (arm(0x1000).tested().into(), arm(0x1004).into()));
    assert!(head.resume && stores(head) == 0);
    let stored = at(&f, arm(0x1000).tested());
    assert_eq!((stores(stored), &stored.term), (1, &Term::Jump(els)));
    let Term::Branch { then, els, .. } = at(&f, arm(0x1004)).term else {
        panic!("two ways to return or go on")
    };
    assert_eq!((target(then), target(els)), (arm(0x1008).tested().into(), arm(0x100c).into()));
    assert!(matches!(at(&f, arm(0x1008).tested()).term, Term::Return(_)));
    assert_eq!(f.blocks.len(), 5);
    assert_eq!(f.blocks.iter().filter(|b| b.resume).count(), 1, "{f:?}");
    // Blocks that are ends of ways only are no places to go on at.
    assert_eq!(at(&f, arm(0x100c)).term, Term::Jump(ir::BlockId(0)));
}

#[test]
fn both_ways_of_an_it_block() {
    // ite ne; strne r0, [r1]; streq r2, [r1]; bx lr
    let f = lift(&[(0x1001, 0x1008)], &[0xbf14, 0x6008, 0x600a, 0x4770]);
    let first = Place { addr: 0x1002, thumb: true, it: 0x14, passed: true };
    let second = first.next(2).tested();
    let Term::Branch { then, els, .. } = f.blocks[0].term else { panic!("{:?}", f.blocks[0].term) };
    assert_eq!(f.blocks[then.0 as usize].pc, first.into());
    assert_eq!(f.blocks[els.0 as usize].pc, second.into());
    let meet = f.blocks.iter().position(|b| b.pc == GuestAddr(0x1007)).expect("where the ways meet");
    for place in [first, second] {
        let b = at(&f, place);
        assert_eq!((stores(b), &b.term), (1, &Term::Jump(ir::BlockId(meet as u32))));
    }
    assert!(matches!(f.blocks[meet].term, Term::Return(_)));
    assert_eq!(f.blocks.len(), 4);
}

#[test]
fn system_calls_in_the_middle_of_an_it_block() {
    // itt eq; svceq #0; streq r0, [r1]; bx lr
    let f = lift(&[(0x1001, 0x1008)], &[0xbf04, 0xdf00, 0x6008, 0x4770]);
    let svc = Place { addr: 0x1002, thumb: true, it: 0x04, passed: true };
    let behind = Place { addr: 0x1004, thumb: true, it: 0x08, passed: false };
    let Term::Syscall { next, cont, .. } = at(&f, svc).term else { panic!("{f:?}") };
    assert_eq!(next, behind.into());
    assert_eq!(cont.map(|c| f.blocks[c.0 as usize].pc), Some(behind.into()));
    assert!(!at(&f, behind).resume, "only its system call leads there");
    assert_eq!(stores(at(&f, behind.tested())), 1);
}

#[test]
fn conditional_branches_need_no_block_of_their_own() {
    // b<cond> out of the function; bl; b<cond> within, in A32
    let words: [u32; 3] = [0x0a00_0100, 0x1aff_fffd, 0xe12f_ff1e];
    let halves: Vec<u16> = words.iter().flat_map(|w| [*w as u16, (*w >> 16) as u16]).collect();
    let f = lift(&[(0x1000, 0x1004), (0x1004, 0x1008), (0x1008, 0x100c)], &halves);
    let Term::Branch { then, els, .. } = f.blocks[0].term else { panic!("{f:?}") };
    assert_eq!(f.blocks[then.0 as usize].term, Term::Goto(GuestAddr(0x1408)));
    assert_eq!(els, ir::BlockId(1));
    let Term::Branch { then, els, .. } = f.blocks[1].term else { panic!("{f:?}") };
    assert_eq!((then, els), (ir::BlockId(0), ir::BlockId(2)));
    assert_eq!(f.blocks.len(), 4);
}
