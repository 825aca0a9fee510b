//! Q registers of AArch32 in compiled code: instructions on them whole, on their D and S registers and from and to general registers,
//! at random between stores that fault, in loops of several blocks, against the IR's evaluator.

mod harness;

use emit_llvm::Checkpoints;
use harness::Random;
use harness::graph::assemble;
use isa::Isa;

/// An instruction on q0–q3 (d0–d5 are hot), their halves, and r3 and r4.
fn instruction(random: &mut Random) -> u32 {
    let mut below = |n: u32| (random.next() >> 33) as u32 % n;
    // The fields of D registers with numbers below 16 and of Q registers are the same.
    let fields = |d: u32, n: u32, m: u32| d << 12 | n << 16 | m;
    let (qd, qn, qm) = (2 * below(4), 2 * below(4), 2 * below(4));
    let (dd, dn, dm) = (below(8), below(8), below(8));
    let d = fields(dd, dn, dm);
    let lane = below(2) << 21;
    match below(26) {
        // VADD, VEOR, VMOV, VEXT, VNEG, VPADAL of Q registers.
        0..=3 => 0xf210_0840 | fields(qd, qn, qm),
        4 | 5 => 0xf300_0150 | fields(qd, qn, qm),
        6 | 7 => 0xf220_0150 | fields(qd, qm, qm),
        8 => 0xf2b0_0540 | fields(qd, qn, qm),
        9 => 0xf3b9_03c0 | fields(qd, 0, qm),
        10 => 0xf3b0_06c0 | fields(qd, 0, qm),
        // VABAL, VADDL, VMOVL, VDUP, VMOVN between both.
        11 | 12 => 0xf380_0500 | fields(qd, dn, dm),
        13 => 0xf380_0000 | fields(qd, dn, dm),
        14 => 0xf390_0a10 | fields(qd, 0, dm),
        15 => 0xf3b7_0c40 | fields(qd, 0, dm),
        16 => 0xf3b2_0200 | fields(dd, 0, qm),
        // VADD, VMOV, VSWP, VTBL of D registers.
        17 => 0xf210_0800 | d,
        18 => 0xf220_0110 | fields(dd, dm, dm),
        19 => 0xf3b2_0000 | fields(dd, 0, dm),
        20 => 0xf3b0_0800 | d,
        // VMOV between S registers, to and from a lane, two words, of immediates.
        21 => 0xeeb0_0a40 | below(2) << 22 | below(2) << 5 | fields(dd, 0, dm),
        22 => 0xee00_3b10 | lane | dd << 16,
        23 => [0xec44_3b10 | dd, 0xec54_3b10 | dd][below(2) as usize],
        24 => 0xee10_3a90 | dd << 16,
        _ => [0xf280_0050 | qd << 12, 0xf287_001f | dd << 12][below(2) as usize],
    }
}

#[test]
fn random_loops() {
    harness::a32::random_loops(0x0123_4567_89ab_cdef, instruction, |random, s| {
        s.v[..8].iter_mut().flatten().for_each(|half| *half = random.next());
    });
}

/// An accumulator of a loop, in q8, with halves of what is loaded: nothing is joined or taken apart in the loop.
#[test]
fn a_loop_keeps_a_whole_register() {
    let words = vec![
        // vld1.8 {q9}, [r3]!; vld1.8 {q10}, [r4]!
        0xf463_2a0d,
        0xf464_4a0d,
        // vabal.u8 q8, d18, d20; vabal.u8 q8, d19, d21; vadd.i16 q11, q8, q9; cmp r3, r0
        0xf3c2_05a4,
        0xf3c3_05a5,
        0xf250_68e2,
        0xe153_0000,
        0,
    ];
    let end = vec![0xe48b_0004, 1 << 8];
    let f = assemble(Isa::A32, 0x10000, vec![words, end], |kind, offset| {
        let cond = if kind & harness::graph::LAST != 0 { 0xe } else { 0x1 };
        cond << 28 | 0x0a00_0000 | offset.wrapping_sub(2) & 0xff_ffff
    });
    let options = harness::a32::options(2, Checkpoints::Callbr);
    let text = emit_llvm::emit_asm_text(&f, &options, &|_| None).unwrap();
    let apart = |l: &&str| {
        let shuffles = [
            "punpcklqdq",
            "pshufd",
            "psrldq",
            "qdq",
            "unpcklp",
            "unpckhp",
            "movlhps",
            "movhlps",
            "blend",
            "shufp",
        ];
        shuffles.iter().any(|a| l.contains(a)) || l.contains("movq\t%xmm") && l.contains(", %xmm")
    };
    let found: Vec<&str> = text.lines().filter(apart).collect();
    assert_eq!(found, [""; 0], "{text}");
}
