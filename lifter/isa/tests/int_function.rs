//! Lifting whole functions: block order, ids for addresses, what leaves the shape, resume points.

use ir::{BlockId, CallTarget, GuestAddr, Term};
use isa::{BlockShape, Code, FunctionShape, lift_function};

struct Words<'a>(u64, &'a [u32]);

impl Code for Words<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        self.1.get((pc.0.checked_sub(self.0)? / 4) as usize).copied()
    }
}

fn shape(entry: u64, blocks: &[(u64, u64)]) -> FunctionShape {
    let block = |&(start, end)| BlockShape { start: GuestAddr(start), end: GuestAddr(end), switch: None };
    FunctionShape {
        isa: isa::Isa::A64,
        name: "f".into(),
        entry: GuestAddr(entry),
        blocks: blocks.iter().map(block).collect(),
    }
}

#[test]
fn a_loop_with_a_call() {
    let code = [
        0xd503_201f, // 1000: nop
        0x9400_0100, // 1004: bl 1404
        0xf100_0400, // 1008: subs x0, x0, #1
        0x54ff_ffc1, // 100c: b.ne 1004
        0xb400_0100, // 1010: cbz x0, 1030 (outside)
        0xd65f_03c0, // 1014: ret
    ];
    let f = lift_function(
        &shape(
            0x1000,
            &[(0x1000, 0x1004), (0x1004, 0x1008), (0x1008, 0x1010), (0x1010, 0x1014), (0x1014, 0x1018)],
        ),
        &Words(0x1000, &code),
    );
    assert!(ir::verify(&f, &isa::a64::FILE).is_empty());
    assert_eq!(f.blocks.len(), 6);
    assert_eq!(f.blocks[0].term, Term::Jump(BlockId(1)));
    assert_eq!(
        f.blocks[1].term,
        Term::Call {
            target: CallTarget::Direct(GuestAddr(0x1404)),
            ret: GuestAddr(0x1008),
            cont: Some(BlockId(2))
        }
    );
    assert!(matches!(f.blocks[2].term, Term::Branch { then: BlockId(1), els: BlockId(3), .. }));
    // The way out of the function is a block of its own.
    assert!(matches!(f.blocks[3].term, Term::Branch { then: BlockId(5), els: BlockId(4), .. }));
    assert_eq!(f.blocks[5].term, Term::Goto(GuestAddr(0x1030)));
    assert!(matches!(f.blocks[4].term, Term::Return(_)));
    // The return site, and the loop head.
    let resume: Vec<bool> = f.blocks.iter().map(|b| b.resume).collect();
    assert_eq!(resume, [false, true, true, false, false, false]);
}

#[test]
fn ways_back_out_of_a_function_are_no_loops() {
    // cbnz x0, f00; ret
    let code = [0xb5ff_f800, 0xd65f_03c0];
    let f = lift_function(&shape(0x1000, &[(0x1000, 0x1004), (0x1004, 0x1008)]), &Words(0x1000, &code));
    assert_eq!(f.blocks[2].term, Term::Goto(GuestAddr(0xf00)));
    assert!(f.blocks.iter().all(|b| !b.resume));
}

#[test]
fn the_entry_comes_first_and_tables_become_switches() {
    let code = [
        0xd65f_03c0, // 1000: ret
        0xd61f_0200, // 1004: br x16
        0xd65f_03c0, // 1008: ret
    ];
    let mut s = shape(0x1004, &[(0x1000, 0x1004), (0x1004, 0x1008), (0x1008, 0x100c)]);
    s.blocks[1].switch = Some(vec![GuestAddr(0x1000), GuestAddr(0x1008), GuestAddr(0x2000)]);
    let f = lift_function(&s, &Words(0x1000, &code));
    assert!(ir::verify(&f, &isa::a64::FILE).is_empty());
    assert_eq!(f.blocks.iter().map(|b| b.pc.0).collect::<Vec<_>>(), [0x1004, 0x1000, 0x1008]);
    let Term::Switch { cases, .. } = &f.blocks[0].term else { panic!("{:?}", f.blocks[0].term) };
    assert_eq!(*cases, [(GuestAddr(0x1000), BlockId(1)), (GuestAddr(0x1008), BlockId(2))]);
}

#[test]
fn blocks_that_end_in_nothing_go_on_behind() {
    // svc #0, and no block behind it; a block cut short.
    let code = [0xd400_0001, 0xd503_201f];
    let f = lift_function(&shape(0x1000, &[(0x1000, 0x1004)]), &Words(0x1000, &code));
    assert_eq!(f.blocks[0].term, Term::Syscall { imm: 0, next: GuestAddr(0x1004), cont: None });
    let f = lift_function(&shape(0x1004, &[(0x1004, 0x1008)]), &Words(0x1000, &code));
    assert_eq!(f.blocks[0].term, Term::Goto(GuestAddr(0x1008)));
}
