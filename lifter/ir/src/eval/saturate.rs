//! Saturating vector operations: the result and whether any lane saturated (FPSR.QC). Each lane is computed in `i128`,
//! which holds every unsaturated value of 64-bit lanes, then clamped.

use super::vector::{by_lane, lane_mask, shift_right_signed, shift_right_unsigned, signed};
use crate::op::VSat;
use crate::types::Lane;

/// `VSat` and `VSatQc`.
pub fn eval(op: VSat, lane: Lane, a: u128, b: u128) -> (u128, bool) {
    match op {
        VSat::SQXtn | VSat::UQXtn | VSat::SQXtun => by_lane!(lane, narrow(op, a)),
        _ => by_lane!(lane, lanes(op, a, b)),
    }
}

/// Clamped to `bits` signed bits.
fn to_signed(v: i128, bits: u32) -> (u64, bool) {
    let max = (1i128 << (bits - 1)) - 1;
    let r = v.clamp(-max - 1, max);
    (r as u64, r != v)
}

/// Clamped to `bits` unsigned bits.
fn to_unsigned(v: i128, bits: u32) -> (u64, bool) {
    let r = v.clamp(0, (1i128 << bits) - 1);
    (r as u64, r != v)
}

/// x · 2ⁿ, or far out of every lane's range where that overflows.
fn shift_left(x: i128, n: u32, bits: u32) -> i128 {
    if x == 0 || n < bits { x << n.min(127) } else { x.signum() << 100 }
}

fn lanes<const B: u32>(op: VSat, a: u128, b: u128) -> (u128, bool) {
    let (mut r, mut qc) = (0, false);
    for i in 0..128 / B {
        let x = (a >> (i * B)) as u64 & lane_mask::<B>();
        let y = (b >> (i * B)) as u64 & lane_mask::<B>();
        let (v, saturated) = one::<B>(op, x, y);
        r |= ((v & lane_mask::<B>()) as u128) << (i * B);
        qc |= saturated;
    }
    (r, qc)
}

fn one<const B: u32>(op: VSat, x: u64, y: u64) -> (u64, bool) {
    let (ux, uy) = (x as i128, y as i128);
    let (sx, sy) = (signed::<B>(x) as i128, signed::<B>(y) as i128);
    // Register shifts take the signed low byte of the lane.
    let by = y as i8;
    let right = by.unsigned_abs() as u32;
    let signed_shift = |round| {
        if by < 0 {
            (shift_right_signed::<B>(signed::<B>(x), right, round) as u64, false)
        } else {
            to_signed(shift_left(sx, by as u32, B), B)
        }
    };
    let unsigned_shift = |round| {
        if by < 0 {
            (shift_right_unsigned::<B>(x, right, round), false)
        } else {
            to_unsigned(shift_left(ux, by as u32, B), B)
        }
    };
    match op {
        VSat::SQAdd => to_signed(sx + sy, B),
        VSat::UQAdd => to_unsigned(ux + uy, B),
        VSat::SQSub => to_signed(sx - sy, B),
        VSat::UQSub => to_unsigned(ux - uy, B),
        VSat::SUQAdd => to_signed(sx + uy, B),
        VSat::USQAdd => to_unsigned(ux + sy, B),
        VSat::SQDMulH => to_signed((sx * sy) >> (B - 1), B),
        VSat::SQRDMulH => to_signed((sx * sy + (1 << (B - 2))) >> (B - 1), B),
        VSat::SQShl => signed_shift(false),
        VSat::UQShl => unsigned_shift(false),
        VSat::SQRShl => signed_shift(true),
        VSat::UQRShl => unsigned_shift(true),
        VSat::SQShlu => to_unsigned(shift_left(sx, y.min(127) as u32, B), B),
        VSat::SQAbs => to_signed(sx.abs(), B),
        VSat::SQNeg => to_signed(-sx, B),
        VSat::SQXtn => to_signed(sx, B / 2),
        VSat::UQXtn => to_unsigned(ux, B / 2),
        VSat::SQXtun => to_unsigned(sx, B / 2),
    }
}

/// The narrowing operations: results of half the width in the low 64 bits.
fn narrow<const B: u32>(op: VSat, a: u128) -> (u128, bool) {
    let (mut r, mut qc) = (0, false);
    for i in 0..128 / B {
        let (v, saturated) = one::<B>(op, (a >> (i * B)) as u64 & lane_mask::<B>(), 0);
        r |= (v & (lane_mask::<B>() >> (B / 2))) << (i * B / 2);
        qc |= saturated;
    }
    (r as u128, qc)
}
