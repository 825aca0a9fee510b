//! Flags of AArch32 in compiled code: instructions that write all of them, N and Z, or these and C, at random between stores
//! that fault, in loops of several blocks, against the IR's evaluator.

mod harness;

use harness::Random;

/// An instruction on r1–r5: what writes flags, what reads them, what overwrites operands. Every fourth has a condition.
fn instruction(random: &mut Random) -> u32 {
    let mut below = |n: u32| (random.next() >> 33) as u32 % n;
    let cond = if below(4) == 0 { below(14) } else { 14 };
    let (n, d, m, s) = (1 + below(5), 1 + below(5), 1 + below(5), 1 + below(5));
    let (nd, dm, dsm) = (n << 16 | d << 12, d << 12 | m, d << 12 | s << 8 | m);
    let shift = below(32) << 7 | below(4) << 5;
    // With and without rotation.
    let immediate = [1, 0x7f, 0x102, 0x2ff][below(4) as usize];
    cond << 28
        | match below(20) {
            // CMP, SUBS, ADDS, CMN.
            0 => 0x0150_0000 | n << 16 | m,
            1 => 0x0350_0000 | n << 16 | immediate,
            2 => 0x0050_0000 | nd | m,
            3 => 0x0290_0000 | nd | immediate,
            4 => 0x0170_0000 | n << 16 | m,
            // ADCS, SBC.
            5 => 0x00b0_0000 | nd | m,
            6 => 0x00c0_0000 | nd | m,
            // TST, TEQ, ANDS, ORRS, MOVS, MVNS, with shifts and without.
            7 => 0x0110_0000 | n << 16 | m,
            8 => 0x0330_0000 | n << 16 | immediate,
            9 => 0x0010_0000 | nd | m,
            10 => 0x0190_0000 | nd | shift | m,
            11 | 12 => 0x01b0_0000 | shift | dm,
            13 => 0x03b0_0000 | d << 12 | immediate,
            14 => 0x01f0_0000 | shift | dm,
            // MOVS, TST with shifts by registers.
            15 => 0x01b0_0010 | below(4) << 5 | dsm,
            16 => 0x0110_0010 | below(4) << 5 | n << 16 | s << 8 | m,
            // MULS, UMULLS.
            17 => 0x0010_0090 | d << 16 | s << 8 | m,
            18 if d != n => 0x0090_0090 | nd | s << 8 | m,
            // MSR APSR_nzcvq, MRS, MOV.
            _ => [0x0128_f000 | m, 0x010f_0000 | d << 12, 0x01a0_0000 | dm][below(3) as usize],
        }
}

/// Whatever is pending, in registers or kept from before must be right at each store.
#[test]
fn random_loops() {
    harness::a32::random_loops(0x51de_0a32_9e37_79b9, instruction, |random, s| {
        for x in &mut s.x[1..6] {
            *x = [u32::MAX, 0, 1, 2, 0x8000_0000, 33][(random.next() >> 40) as usize % 6] as u64;
        }
        s.nzcv = std::array::from_fn(|n| (random.next() >> (20 + n) & 1) as u8);
    });
}
