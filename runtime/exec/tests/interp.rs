//! The interpreter on short pieces of A64 code in memory of its own: events, exact state at faults, changed code,
//! exclusives, tagged addresses, system registers.

mod memory;

use abi::GuestState;
use exec::{Access, Event, Fault, FaultKind, Interp};
use ir::TrapKind;
use isa::Isa;
use memory::Flat;

const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x1_1000;

fn machine(code: &[u32]) -> (Interp, Box<GuestState>, Flat) {
    let mut mem = Flat::new(CODE, 0x2000);
    mem.words(CODE, code);
    let state = Box::new(GuestState { pc: CODE, ..GuestState::default() });
    (Interp::new(Isa::A64), state, mem)
}

fn never(_: u64) -> bool {
    false
}

/// mov x0, #0; mov x1, #100; 1: add x0, x0, x1; subs x1, x1, #1; b.ne 1b; svc #0x12
const SUM: [u32; 6] = [0xd280_0000, 0xd280_0c81, 0x8b01_0000, 0xf100_0421, 0x54ff_ffc1, 0xd400_0241];

#[test]
fn runs_a_loop_to_a_system_call() {
    let (mut interp, mut state, mut mem) = machine(&SUM);
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Syscall { imm: 0x12 });
    assert_eq!((state.x[0], state.x[1], state.pc), (5050, 0, CODE + 24));
    assert_eq!(state.nzcv, [0, 1, 1, 0]);
}

#[test]
fn single_steps_agree_with_runs() {
    let (mut interp, mut state, mut mem) = machine(&SUM);
    let mut steps = 0;
    while interp.step(&mut state, &mut mem) == Event::Continue {
        steps += 1;
    }
    assert_eq!(steps, 2 + 300);
    assert_eq!((state.x[0], state.x[1], state.pc), (5050, 0, CODE + 24));
    assert_eq!(state.nzcv, [0, 1, 1, 0]);
}

#[test]
fn stops_where_asked_and_when_a_signal_is_pending() {
    let (mut interp, mut state, mut mem) = machine(&SUM);
    assert_eq!(interp.run(&mut state, &mut mem, |pc| pc == CODE + 8), Event::Continue);
    assert_eq!((state.x[0], state.x[1], state.pc), (100, 99, CODE + 8));
    state.pending = 1;
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Continue);
    assert_eq!((state.x[0], state.x[1], state.pc), (199, 98, CODE + 8));
}

#[test]
fn faults_leave_the_state_before_the_instruction() {
    // add x0, x0, #1; ldp x2, x3, [x1]; add x0, x0, #1; stp x2, x3, [x4, #16]!; brk #7
    let (mut interp, mut state, mut mem) =
        machine(&[0x9100_0400, 0xa940_0c22, 0x9100_0400, 0xa981_0c82, 0xd420_00e0]);
    let end = CODE + 0x2000;
    state.x[1] = end - 8;
    state.x[2] = 7;
    let fault = |kind, access, addr| Event::Fault(Fault { kind, access, addr });
    assert_eq!(interp.run(&mut state, &mut mem, never), fault(FaultKind::Unmapped, Access::Read, end));
    assert_eq!((state.pc, state.x[0], state.x[2]), (CODE + 4, 1, 7));
    state.x[1] = DATA;
    state.x[4] = 0x400;
    assert_eq!(interp.run(&mut state, &mut mem, never), fault(FaultKind::Unmapped, Access::Write, 0x410));
    assert_eq!((state.pc, state.x[0], state.x[2], state.x[4]), (CODE + 12, 2, 0, 0x400));
    state.x[4] = DATA;
    mem.read_only = 0x1018;
    assert_eq!(
        interp.run(&mut state, &mut mem, never),
        fault(FaultKind::Permission, Access::Write, DATA + 24)
    );
    mem.read_only = 0x2000;
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Trap(TrapKind::Breakpoint(7)));
    assert_eq!((state.pc, state.x[4]), (CODE + 16, DATA + 16));
}

#[test]
fn fetch_faults_and_undefined_words_are_events() {
    let (mut interp, mut state, mut mem) = machine(&[0]);
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Trap(TrapKind::Undefined));
    assert_eq!(state.pc, CODE);
    for (pc, kind) in [(0x40, FaultKind::Unmapped), (CODE + 2, FaultKind::Alignment)] {
        state.pc = pc;
        let fault = Event::Fault(Fault { kind, access: Access::Execute, addr: pc });
        assert_eq!(interp.run(&mut state, &mut mem, never), fault);
        assert_eq!(interp.step(&mut state, &mut mem), fault);
        assert_eq!(state.pc, pc);
    }
    // A run that reaches the end of the code stops exactly there.
    mem.words(CODE + 0x1ff8, &[0x9100_0400, 0x9100_0400]);
    state.pc = CODE + 0x1ff8;
    let fault = Fault { kind: FaultKind::Unmapped, access: Access::Execute, addr: CODE + 0x2000 };
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Fault(fault));
    assert_eq!((state.pc, state.x[0]), (CODE + 0x2000, 2));
}

#[test]
fn changed_code_is_seen() {
    // movz w0, #1; str w2, [x3]; dc cvau, x3; dsb ish; ic ivau, x3; dsb ish; isb; movz w0, #1; svc #0
    let (mut interp, mut state, mut mem) = machine(&[
        0x5280_0020,
        0xb900_0062,
        0xd50b_7b23,
        0xd503_3b9f,
        0xd50b_7523,
        0xd503_3b9f,
        0xd503_3fdf,
        0x5280_0020,
        0xd400_0001,
    ]);
    state.x[2] = 0x5280_0540; // movz w0, #42
    state.x[3] = CODE + 28;
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::InvalidateCode { addr: CODE + 28 });
    assert_eq!(state.pc, CODE + 20);
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Syscall { imm: 0 });
    assert_eq!(state.x[0], 42);
    // Again from the start, without any cache maintenance: the first word changes.
    mem.words(CODE, &[0xd280_00e0, 0xd400_0001]); // mov x0, #7; svc #0
    state.pc = CODE;
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Syscall { imm: 0 });
    assert_eq!(state.x[0], 7);
}

#[test]
fn exclusives_and_atomics() {
    // 1: ldxr x2, [x1]; add x2, x2, #1; stlxr w3, x2, [x1]; cbnz w3, 1b; clrex; stxr w4, x2, [x1]
    // ldadd x5, x6, [x1]; casal x7, x8, [x1]; svc #0
    let (mut interp, mut state, mut mem) = machine(&[
        0xc85f_7c22,
        0x9100_0442,
        0xc803_fc22,
        0x35ff_ffa3,
        0xd503_3f5f,
        0xc804_7c22,
        0xf825_0026,
        0xc8e7_fc28,
        0xd400_0001,
    ]);
    state.x[1] = DATA;
    state.x[5] = 10;
    state.x[7] = 11;
    state.x[8] = 99;
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Syscall { imm: 0 });
    assert_eq!((state.x[2], state.x[3], state.x[4]), (1, 0, 1));
    assert_eq!((state.x[6], state.x[7], mem.u64_at(DATA)), (1, 11, 99));
    // A misaligned exclusive is an alignment fault, before anything happens.
    (state.pc, state.x[1]) = (CODE, DATA + 4);
    let fault = Fault { kind: FaultKind::Alignment, access: Access::Read, addr: DATA + 4 };
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Fault(fault));
    assert_eq!(state.pc, CODE);
    // The value changed between load and store: the store fails.
    state.x[1] = DATA;
    assert_eq!(interp.step(&mut state, &mut mem), Event::Continue);
    mem.words(DATA, &[5]);
    assert_eq!(interp.step(&mut state, &mut mem), Event::Continue);
    assert_eq!(interp.step(&mut state, &mut mem), Event::Continue);
    assert_eq!((state.x[3], mem.u64_at(DATA)), (1, 5));
}

#[test]
fn the_top_byte_of_addresses_is_ignored() {
    // ldr x0, [x1]; str x0, [x2]; br x3
    let (mut interp, mut state, mut mem) = machine(&[0xf940_0020, 0xf900_0040, 0xd61f_0060]);
    mem.words(DATA, &[77]);
    mem.words(CODE + 0x40, &[0xd400_0001]);
    state.x[1] = DATA | 0xa5 << 56;
    state.x[2] = (DATA + 8) | 0x12 << 56;
    state.x[3] = (CODE + 0x40) | 0x7f << 56;
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Syscall { imm: 0 });
    assert_eq!((state.x[0], mem.u64_at(DATA + 8), state.pc), (77, 77, CODE + 0x44));
    // An address of the kernel's half stays one.
    (state.pc, state.x[1]) = (CODE, 1 << 55);
    let fault = Fault { kind: FaultKind::Unmapped, access: Access::Read, addr: 0xff80_0000_0000_0000 };
    assert_eq!(interp.run(&mut state, &mut mem, never), Event::Fault(fault));
}

#[test]
fn hot_code_goes_on_the_same() {
    // Long enough for the passes to have run, with every part of the state compared to single steps.
    let (mut interp, mut state, mut mem) = machine(&SUM);
    let (mut interp2, mut state2, mut mem2) = machine(&SUM);
    for _ in 0..3 {
        (state.pc, state2.pc) = (CODE, CODE);
        assert_eq!(interp.run(&mut state, &mut mem, never), Event::Syscall { imm: 0x12 });
        while interp2.step(&mut state2, &mut mem2) == Event::Continue {}
        assert_eq!((state.x, state.nzcv, state.pc), (state2.x, state2.nzcv, state2.pc));
    }
}
