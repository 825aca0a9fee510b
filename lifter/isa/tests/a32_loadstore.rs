//! AArch32's loads and stores where the oracle cannot look: which loads of PC are returns, where they may stand in
//! IT blocks, which access an instruction makes.

use ir::{GuestAddr, Inst, TrapKind, Type};
use isa::a32::{self, Place};
use isa::{Code, Exit, Isa, Run};

struct Halves<'a>(&'a [u16]);

const BASE: u64 = 0x1_0000;

impl Code for Halves<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        Some(u32::from(self.half(pc)?) | u32::from(self.half(GuestAddr(pc.0 + 2))?) << 16)
    }

    fn half(&self, pc: GuestAddr) -> Option<u16> {
        self.0.get((pc.0.checked_sub(BASE)? / 2) as usize).copied()
    }
}

fn lift(place: GuestAddr, code: &[u16]) -> Run {
    let run = Isa::A32.lift_run(&Halves(code), place, GuestAddr(BASE + 2 * code.len() as u64), 16);
    assert_eq!(ir::verify_insts(&run.insts, &a32::FILE), [], "{code:04x?}");
    run
}

fn a32(word: u32) -> Exit {
    lift(GuestAddr(BASE), &[word as u16, (word >> 16) as u16]).exit
}

fn thumb(code: &[u16]) -> Exit {
    lift(GuestAddr(BASE | 1), code).exit
}

const UNDEFINED: TrapKind = TrapKind::Undefined;

#[test]
fn loads_of_pc_that_take_the_stack_down_are_returns() {
    for word in [
        0xe49d_f004, // pop {pc}
        0xe49d_f008, // ldr pc, [sp], #8
        0xe8bd_8010, // pop {r4, pc}
        0xe89d_a800, // ldm sp, {fp, sp, pc}
        0xe91b_a800, // ldmdb fp, {fp, sp, pc}
    ] {
        assert!(matches!(a32(word), Exit::Return(_)), "{word:08x}");
    }
    assert!(matches!(thumb(&[0xbd10]), Exit::Return(_)), "pop {{r4, pc}}");
    assert!(matches!(thumb(&[0xe8bd, 0x8ff0]), Exit::Return(_)), "pop.w {{r4-r11, pc}}");
    assert!(matches!(thumb(&[0xf85d, 0xfb04]), Exit::Return(_)), "ldr pc, [sp], #4");
}

#[test]
fn other_loads_of_pc_are_jumps() {
    for word in [
        0xe51f_f004, // ldr pc, [pc, #-4]
        0xe79f_f103, // ldr pc, [pc, r3, lsl #2]
        0xe5bc_f010, // ldr pc, [ip, #16]!
        0xe59d_f004, // ldr pc, [sp, #4]
        0xe890_8010, // ldm r0, {r4, pc}
    ] {
        assert!(matches!(a32(word), Exit::Indirect(_)), "{word:08x}");
    }
    assert!(matches!(thumb(&[0xf8df, 0xf000]), Exit::Indirect(_)), "ldr pc, [pc]");
    assert!(matches!(thumb(&[0xe8df, 0xf003]), Exit::Indirect(_)), "tbb [pc, r3]");
    assert!(matches!(thumb(&[0xe8df, 0xf013]), Exit::Indirect(_)), "tbh [pc, r3, lsl #1]");
}

#[test]
fn a_load_of_pc_ends_its_it_block() {
    let passed = |it: u8| GuestAddr::from(Place { addr: BASE as u32, thumb: true, it, passed: true });
    // Within: undefined; the last: a return; under a condition that is open: a branch first.
    let within = Exit::Trap { kind: UNDEFINED, pc: passed(0x04) };
    assert_eq!(lift(passed(0x04), &[0xbd10, 0xbf00]).exit, within);
    assert!(matches!(lift(passed(0x08), &[0xbd10]).exit, Exit::Return(_)));
    let Exit::Branch { then, els, .. } = thumb(&[0xbf08, 0xbd10]) else { panic!("it eq; popeq {{r4, pc}}") };
    assert_eq!(then, GuestAddr::from(Place { addr: BASE as u32 + 2, thumb: true, it: 0x08, passed: true }));
    assert_eq!(els, GuestAddr((BASE + 4) | 1));
}

/// The accesses of the A32 instruction `word`: their types.
fn accesses(word: u32) -> Vec<Type> {
    let run = lift(GuestAddr(BASE), &[word as u16, (word >> 16) as u16]);
    let stored = |v: ir::Value| ir::value_types(&run.insts, &a32::FILE)[v.0 as usize];
    let access = |i: &Inst| match *i {
        Inst::Load { ty, .. } | Inst::LoadEx { ty, .. } | Inst::Rmw { ty, .. } => Some(ty),
        Inst::Store { value, .. } | Inst::StoreEx { value, .. } => stored(value),
        _ => None,
    };
    run.insts.iter().filter_map(access).collect()
}

#[test]
fn pairs_are_one_access() {
    for word in [
        0xe1c0_20d0, // ldrd r2, r3, [r0]
        0xe1c0_20f0, // strd r2, r3, [r0]
        0xe1b0_2f9f, // ldrexd r2, r3, [r0]
        0xe1a0_1f92, // strexd r1, r2, r3, [r0]
    ] {
        assert_eq!(accesses(word), [Type::I64], "{word:08x}");
    }
    assert_eq!(accesses(0xe890_000e), [Type::I32; 3], "ldm r0, {{r1, r2, r3}}");
}

#[test]
fn unpredictable_forms_are_undefined() {
    for word in [
        0xe5bf_1004, // ldr r1, [pc, #4]!
        0xe5d0_f000, // ldrb pc, [r0]
        0xe5c0_f000, // strb pc, [r0]
        0xe790_100f, // ldr r1, [r0, pc]
        0xe1c0_30d0, // ldrd r3, r4, [r0]
        0xe1c0_e0d0, // ldrd lr, pc, [r0]
        0xe0e0_20d4, // ldrd with P = 0, W = 1
        0xe8b0_0003, // ldm r0!, {r0, r1}
        0xe890_0000, // ldm r0, {}
        0xe89f_0002, // ldm pc, {r1}
        0xe8d0_0002, // ldm r0, {r1}^
        0xe1a0_1f91, // strexd r1, r1, r2, [r0]
        0xe180_0f91, // strex r0, r1, [r0]
        0xf8bd_0a00, // rfeia sp!
    ] {
        assert_eq!(a32(word), Exit::Trap { kind: UNDEFINED, pc: GuestAddr(BASE) }, "{word:08x}");
    }
}
