//! Integer vector operations, lane by lane. Takes and gives 128-bit vectors as `u128`, lane 0 least significant. Lanes
//! are handled as `u64` in two 64-bit halves, which compilers unroll: no lane loop shifts a `u128`.

use super::softfloat::estimate::{unsigned_recip, unsigned_rsqrt};
use crate::op::{IntCmp, VBin, VBit, VReduce, VShift, VUn};
use crate::types::Lane;

/// The low `B` bits set.
pub const fn lane_mask<const B: u32>() -> u64 {
    u64::MAX >> (64 - B)
}

/// A lane as a signed number.
pub const fn signed<const B: u32>(x: u64) -> i64 {
    ((x << (64 - B)) as i64) >> (64 - B)
}

/// `f` on every lane.
#[inline]
fn map1<const B: u32>(a: u128, f: impl Fn(u64) -> u64) -> u128 {
    map2::<B>(a, 0, |x, _| f(x))
}

/// `f` on every pair of lanes; what it gives is cut to the lane's width.
#[inline]
fn map2<const B: u32>(a: u128, b: u128, f: impl Fn(u64, u64) -> u64) -> u128 {
    let half = |a: u64, b: u64| {
        let mut r = 0;
        for i in 0..64 / B {
            let m = lane_mask::<B>();
            r |= (f(a >> (i * B) & m, b >> (i * B) & m) & m) << (i * B);
        }
        r
    };
    half(a as u64, b as u64) as u128 | (half((a >> 64) as u64, (b >> 64) as u64) as u128) << 64
}

/// Calls a function generic over the lane width for a run-time lane shape.
macro_rules! by_lane {
    ($lane:expr, $f:ident($($arg:expr),*)) => {
        match $lane {
            Lane::B16 => $f::<8>($($arg),*),
            Lane::H8 => $f::<16>($($arg),*),
            Lane::S4 => $f::<32>($($arg),*),
            Lane::D2 => $f::<64>($($arg),*),
        }
    };
}
pub(super) use by_lane;

/// `VSplat`.
pub fn splat(lane: Lane, x: u128) -> u128 {
    match lane {
        Lane::B16 => x * (u128::MAX / 0xff),
        Lane::H8 => x * (u128::MAX / 0xffff),
        Lane::S4 => x * (u128::MAX / 0xffff_ffff),
        Lane::D2 => x | x << 64,
    }
}

/// Bit position of a lane; an index beyond the vector wraps.
fn position(lane: Lane, index: u8) -> u32 {
    (index as u32 % lane.count()) * lane.bits()
}

/// `VExtract`.
pub fn extract(lane: Lane, index: u8, v: u128) -> u128 {
    v >> position(lane, index) & lane.scalar().mask()
}

/// `VInsert`.
pub fn insert(lane: Lane, index: u8, v: u128, x: u128) -> u128 {
    let at = position(lane, index);
    v & !(lane.scalar().mask() << at) | x << at
}

/// `V`.
pub fn binary(op: VBin, lane: Lane, a: u128, b: u128) -> u128 {
    by_lane!(lane, lane_binary(op, a, b))
}

fn lane_binary<const B: u32>(op: VBin, a: u128, b: u128) -> u128 {
    match op {
        VBin::Add => map2::<B>(a, b, u64::wrapping_add),
        VBin::Sub => map2::<B>(a, b, u64::wrapping_sub),
        VBin::Mul => map2::<B>(a, b, u64::wrapping_mul),
        VBin::PMul => map2::<B>(a, b, |x, y| clmul(x, y) as u64),
        VBin::SMin => map2::<B>(a, b, |x, y| signed::<B>(x).min(signed::<B>(y)) as u64),
        VBin::SMax => map2::<B>(a, b, |x, y| signed::<B>(x).max(signed::<B>(y)) as u64),
        VBin::UMin => map2::<B>(a, b, u64::min),
        VBin::UMax => map2::<B>(a, b, u64::max),
        // Halving without a wider type: x + y = 2·(x & y) + (x ^ y) = 2·(x | y) − (x ^ y).
        VBin::SHAdd => map2::<B>(a, b, |x, y| {
            let (x, y) = (signed::<B>(x), signed::<B>(y));
            ((x & y) + ((x ^ y) >> 1)) as u64
        }),
        VBin::UHAdd => map2::<B>(a, b, |x, y| (x & y) + ((x ^ y) >> 1)),
        VBin::SRHAdd => map2::<B>(a, b, |x, y| {
            let (x, y) = (signed::<B>(x), signed::<B>(y));
            ((x | y) - ((x ^ y) >> 1)) as u64
        }),
        VBin::URHAdd => map2::<B>(a, b, |x, y| (x | y) - ((x ^ y) >> 1)),
        VBin::SHSub => map2::<B>(a, b, |x, y| {
            let (x, y) = (signed::<B>(x), signed::<B>(y));
            ((x >> 1) - (y >> 1) - (!x & y & 1)) as u64
        }),
        VBin::UHSub => map2::<B>(a, b, |x, y| (x >> 1).wrapping_sub(y >> 1).wrapping_sub(!x & y & 1)),
        VBin::SAbsDiff => map2::<B>(a, b, |x, y| signed::<B>(x).abs_diff(signed::<B>(y))),
        VBin::UAbsDiff => map2::<B>(a, b, u64::abs_diff),
        VBin::SShl => map2::<B>(a, b, |x, y| shift_signed::<B>(x, y as i8, false)),
        VBin::UShl => map2::<B>(a, b, |x, y| shift_unsigned::<B>(x, y as i8, false)),
        VBin::SRShl => map2::<B>(a, b, |x, y| shift_signed::<B>(x, y as i8, true)),
        VBin::URShl => map2::<B>(a, b, |x, y| shift_unsigned::<B>(x, y as i8, true)),
    }
}

/// Arithmetic right shift by any n ≥ 1; rounded means half a unit is added first, in unbounded precision.
pub fn shift_right_signed<const B: u32>(x: i64, n: u32, round: bool) -> i64 {
    if !round {
        x >> n.min(63)
    } else if n >= B {
        0
    } else {
        (x >> n) + (x >> (n - 1) & 1)
    }
}

/// Logical right shift by any n ≥ 1, rounded on demand.
pub fn shift_right_unsigned<const B: u32>(x: u64, n: u32, round: bool) -> u64 {
    let floor = if n >= 64 { 0 } else { x >> n };
    if round && n <= B { floor + (x >> (n - 1) & 1) } else { floor }
}

/// Left if `by` is positive, else right; arithmetic.
fn shift_signed<const B: u32>(x: u64, by: i8, round: bool) -> u64 {
    if by < 0 {
        shift_right_signed::<B>(signed::<B>(x), by.unsigned_abs() as u32, round) as u64
    } else {
        x.checked_shl(by as u32).unwrap_or(0)
    }
}

/// Left if `by` is positive, else right; logical.
fn shift_unsigned<const B: u32>(x: u64, by: i8, round: bool) -> u64 {
    if by < 0 {
        shift_right_unsigned::<B>(x, by.unsigned_abs() as u32, round)
    } else {
        x.checked_shl(by as u32).unwrap_or(0)
    }
}

/// `VBit`.
pub fn bitwise(op: VBit, a: u128, b: u128) -> u128 {
    match op {
        VBit::And => a & b,
        VBit::Or => a | b,
        VBit::Xor => a ^ b,
        VBit::AndNot => a & !b,
        VBit::OrNot => a | !b,
    }
}

/// `VUn`.
pub fn unary(op: VUn, lane: Lane, a: u128) -> u128 {
    by_lane!(lane, lane_unary(op, a))
}

fn lane_unary<const B: u32>(op: VUn, a: u128) -> u128 {
    match op {
        VUn::Neg => map1::<B>(a, u64::wrapping_neg),
        VUn::Abs => map1::<B>(a, |x| signed::<B>(x).unsigned_abs()),
        VUn::Not => !a,
        VUn::Clz => map1::<B>(a, |x| (x.leading_zeros() - (64 - B)) as u64),
        VUn::Cls => map1::<B>(a, |x| {
            let s = signed::<B>(x);
            ((s ^ (s >> 63)).leading_zeros() - (64 - B) - 1) as u64
        }),
        VUn::Popcnt => map1::<B>(a, |x| x.count_ones() as u64),
        VUn::Rbit => map1::<B>(a, |x| x.reverse_bits() >> (64 - B)),
        VUn::RecipEst => map1::<B>(a, |x| unsigned_recip(x as u32) as u64),
        VUn::RsqrtEst => map1::<B>(a, |x| unsigned_rsqrt(x as u32) as u64),
    }
}

/// `VCmp`.
pub fn compare(op: IntCmp, lane: Lane, a: u128, b: u128) -> u128 {
    by_lane!(lane, lane_compare(op, a, b))
}

fn lane_compare<const B: u32>(op: IntCmp, a: u128, b: u128) -> u128 {
    match op {
        IntCmp::Eq => masks::<B>(a, b, |x, y| x == y),
        IntCmp::Ne => masks::<B>(a, b, |x, y| x != y),
        IntCmp::Ult => masks::<B>(a, b, |x, y| x < y),
        IntCmp::Ule => masks::<B>(a, b, |x, y| x <= y),
        IntCmp::Ugt => masks::<B>(a, b, |x, y| x > y),
        IntCmp::Uge => masks::<B>(a, b, |x, y| x >= y),
        IntCmp::Slt => masks::<B>(a, b, |x, y| signed::<B>(x) < signed::<B>(y)),
        IntCmp::Sle => masks::<B>(a, b, |x, y| signed::<B>(x) <= signed::<B>(y)),
        IntCmp::Sgt => masks::<B>(a, b, |x, y| signed::<B>(x) > signed::<B>(y)),
        IntCmp::Sge => masks::<B>(a, b, |x, y| signed::<B>(x) >= signed::<B>(y)),
    }
}

/// All ones in the lanes where `holds`.
#[inline]
fn masks<const B: u32>(a: u128, b: u128, holds: impl Fn(u64, u64) -> bool) -> u128 {
    map2::<B>(a, b, |x, y| if holds(x, y) { u64::MAX } else { 0 })
}

/// `VShiftImm`.
pub fn shift_imm(op: VShift, lane: Lane, amount: u8, a: u128) -> u128 {
    by_lane!(lane, lane_shift_imm(op, amount as u32, a))
}

fn lane_shift_imm<const B: u32>(op: VShift, n: u32, a: u128) -> u128 {
    if n == 0 {
        return a;
    }
    match op {
        VShift::Shl => map1::<B>(a, |x| x.checked_shl(n).unwrap_or(0)),
        VShift::UShr => map1::<B>(a, |x| shift_right_unsigned::<B>(x, n, false)),
        VShift::SShr => map1::<B>(a, |x| shift_right_signed::<B>(signed::<B>(x), n, false) as u64),
        VShift::URShr => map1::<B>(a, |x| shift_right_unsigned::<B>(x, n, true)),
        VShift::SRShr => map1::<B>(a, |x| shift_right_signed::<B>(signed::<B>(x), n, true) as u64),
    }
}

/// `VShuffle`.
pub fn shuffle(sel: &[u8; 16], a: u128, b: u128) -> u128 {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    u128::from_le_bytes(sel.map(|s| match s {
        0..16 => a[s as usize],
        16..32 => b[s as usize - 16],
        _ => 0,
    }))
}

/// `VLookup`.
pub fn lookup(table: u128, indices: u128) -> u128 {
    let t = table.to_le_bytes();
    u128::from_le_bytes(indices.to_le_bytes().map(|i| t.get(i as usize).copied().unwrap_or(0)))
}

/// `VWiden`.
pub fn widen(lane: Lane, sign: bool, high: bool, a: u128) -> u128 {
    let half = if high { (a >> 64) as u64 } else { a as u64 };
    by_lane!(lane, lane_widen(sign, half))
}

fn lane_widen<const B: u32>(sign: bool, half: u64) -> u128 {
    let mut r = 0;
    for i in 0..64 / B {
        let x = half >> (i * B) & lane_mask::<B>();
        let wide =
            if sign { signed::<B>(x) as i128 as u128 & (u128::MAX >> (128 - 2 * B)) } else { x as u128 };
        r |= wide << (2 * i * B);
    }
    r
}

/// `VNarrow`.
pub fn narrow(lane: Lane, a: u128) -> u128 {
    by_lane!(lane, lane_narrow(a))
}

fn lane_narrow<const B: u32>(a: u128) -> u128 {
    let half = |a: u64| {
        let mut r = 0;
        for i in 0..64 / B {
            r |= (a >> (i * B) & (lane_mask::<B>() >> (B / 2))) << (i * B / 2);
        }
        r as u128
    };
    half(a as u64) | half((a >> 64) as u64) << 32
}

/// `VReduce`.
pub fn reduce(op: VReduce, lane: Lane, a: u128) -> u128 {
    by_lane!(lane, lane_reduce(op, a)) as u128
}

fn lane_reduce<const B: u32>(op: VReduce, a: u128) -> u64 {
    let fold = |f: fn(u64, u64) -> u64| {
        let mut r = a as u64 & lane_mask::<B>();
        for i in 1..128 / B {
            r = f(r, (a >> (i * B)) as u64 & lane_mask::<B>()) & lane_mask::<B>();
        }
        r
    };
    match op {
        VReduce::Add => fold(u64::wrapping_add),
        VReduce::SMin => fold(|x, y| signed::<B>(x).min(signed::<B>(y)) as u64),
        VReduce::SMax => fold(|x, y| signed::<B>(x).max(signed::<B>(y)) as u64),
        VReduce::UMin => fold(u64::min),
        VReduce::UMax => fold(u64::max),
    }
}

/// Carry-less product: polynomials over GF(2).
pub fn clmul(a: u64, b: u64) -> u128 {
    let mut r = 0;
    let mut rest = b;
    while rest != 0 {
        r ^= (a as u128) << rest.trailing_zeros();
        rest &= rest - 1;
    }
    r
}

/// `VPMull8`.
pub fn pmull8(high: bool, a: u128, b: u128) -> u128 {
    let at = if high { 64 } else { 0 };
    map2::<16>(widen(Lane::B16, false, false, a >> at), widen(Lane::B16, false, false, b >> at), |x, y| {
        clmul(x, y) as u64
    })
}
