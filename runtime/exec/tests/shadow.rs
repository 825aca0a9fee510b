//! The interpreter beside translated code, whose part another interpreter plays here: what it is told is wrong it finds.

mod memory;

use abi::GuestState;
use exec::{Difference, Event, GuestMemory, Interp, Shadow};
use isa::Isa;
use memory::Flat;

const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x1_1000;

/// add x0, x0, #1; str x0, [x1], #8; eor x2, x0, x1; ldp x3, x4, [x1]; ldadd x0, x5, [x1]; nop
const PIECE: [u32; 6] = [0x9100_0400, 0xf800_8420, 0xca01_0002, 0xa940_1023, 0xf820_0025, 0xd503_201f];

struct Both {
    interp: Interp,
    shadow: Shadow,
    state: Box<GuestState>,
    mem: Flat,
}

impl Both {
    fn new() -> Both {
        let mut mem = Flat::new(CODE, 0x2000);
        mem.words(CODE, &PIECE);
        let mut state = Box::new(GuestState { pc: CODE, ..GuestState::default() });
        state.x[1] = DATA;
        let mut shadow = Shadow::new(Isa::A64);
        shadow.start(&state);
        Both { interp: Interp::new(Isa::A64), shadow, state, mem }
    }

    /// Executes up to the instruction of that index.
    fn to(&mut self, index: u64) {
        while self.state.pc != CODE + 4 * index {
            assert_eq!(self.interp.step(&mut self.state, &mut self.mem), Event::Continue);
        }
    }

    fn follow(&mut self) -> Option<Difference> {
        self.shadow.follow(&self.state, self.state.pc, true, &mut self.mem).err().map(|d| d.difference)
    }
}

#[test]
fn follows_from_access_to_access() {
    let mut b = Both::new();
    for index in [1, 3, 3, 4, 5] {
        b.to(index);
        assert_eq!(b.follow(), None, "at {index}");
    }
    assert_eq!(b.state.x[5], 0);
    assert_eq!(b.mem.load(DATA + 8, 8), Ok(1));
}

#[test]
fn finds_a_register_and_its_writer() {
    let mut b = Both::new();
    b.to(1);
    assert_eq!(b.follow(), None);
    b.to(3);
    b.state.x[2] ^= 4;
    let Some(Difference::Registers(list)) = b.follow() else { panic!("not found") };
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].name, list[0].writer), ("x2", Some(CODE + 8)));
    assert_eq!(list[0].translated ^ list[0].expected, 4);
}

#[test]
fn finds_a_wrong_store() {
    let mut b = Both::new();
    b.to(1);
    assert_eq!(b.follow(), None);
    b.to(3);
    b.mem.store(DATA, 1, 9).expect("in memory");
    let expected = Difference::Memory { pc: CODE + 4, addr: DATA, translated: Some(9), expected: 1 };
    assert_eq!(b.follow(), Some(expected));
}

#[test]
fn finds_an_access_that_was_left_out() {
    let mut b = Both::new();
    b.to(1);
    assert_eq!(b.follow(), None);
    b.to(4);
    assert_eq!(b.follow(), Some(Difference::Access(CODE + 12)));
}

#[test]
fn finds_another_way() {
    let mut b = Both::new();
    b.state.pc = CODE + 0x1000;
    assert!(matches!(b.follow(), Some(Difference::Access(_) | Difference::Path(_))));
}
