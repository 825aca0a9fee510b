//! Advanced SIMD instructions that move whole elements: VEXT, VTBL, VTBX, VDUP, VSWP, VTRN, VUZP, VZIP, VREV (Arm ARM F4.1.22).

use super::operands::*;
use crate::a32::cx::{Cx, Lift, Undefined, bits};
use crate::a32::table::Row;
use ir::{IntCmp, Lane, PureOp, VBin, VBit};

/// Rows of this group.
pub const ROWS: &[Row] = rows! { Neon:
    "VEXT" "1111 0010 1d11 nnnn dddd iiii nqm0 mmmm" vext;
    "VTBL" "1111 0011 1d11 nnnn dddd 10ll n0m0 mmmm" |cx, w| table(cx, w, false);
    "VTBX" "1111 0011 1d11 nnnn dddd 10ll n1m0 mmmm" |cx, w| table(cx, w, true);
    "VDUP (scalar)" "1111 0011 1d11 iiii dddd 1100 0qm0 mmmm" vdup;
    "VREV64" "1111 0011 1d11 ss00 dddd 0000 0qm0 mmmm" |cx, w| reverse(cx, w, 8);
    "VREV32" "1111 0011 1d11 ss00 dddd 0000 1qm0 mmmm" |cx, w| reverse(cx, w, 4);
    "VREV16" "1111 0011 1d11 ss00 dddd 0001 0qm0 mmmm" |cx, w| reverse(cx, w, 2);
    "VSWP" "1111 0011 1d11 0010 dddd 0000 0qm0 mmmm" vswp;
    "VTRN" "1111 0011 1d11 ss10 dddd 0000 1qm0 mmmm" |cx, w| rearrange(cx, w, true, |i, n, second| (i & !1) + second + (i & 1) * n);
    "VUZP" "1111 0011 1d11 ss10 dddd 0001 0qm0 mmmm" |cx, w| rearrange(cx, w, false, |i, _, second| 2 * i + second);
    "VZIP" "1111 0011 1d11 ss10 dddd 0001 1qm0 mmmm" |cx, w| rearrange(cx, w, false, |i, n, second| i / 2 + second * n / 2 + (i & 1) * n);
};

/// `VEXT.8 Qd, Qn, Qm, #imm`
fn vext(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (count, index) = (if q(w) { 16 } else { 8 }, bits(w, 11, 8) as u8);
    if index >= count {
        return Err(Undefined);
    }
    let (n, m) = cx.vector_nm(w)?;
    let sel = selector(|i| {
        let e = i + index;
        (i < count).then(|| if e < count { e } else { e - count + 16 })
    });
    let r = cx.shuffle(n, m, sel);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VTBL.8 Dd, {list}, Dm`; `keep`: VTBX, which leaves bytes with an index beyond the list.
fn table(cx: &mut Cx<'_, '_>, w: u32, keep: bool) -> Lift {
    let (first, registers) = (dn(w), bits(w, 9, 8) + 1);
    if first + registers > 32 {
        return Err(Undefined);
    }
    let indices = cx.half(dm(w));
    let part = |cx: &mut Cx<'_, '_>, i: u32| {
        let table = if i + 1 < registers { cx.pair(first + i) } else { cx.half(first + i) };
        // An index of the other part wraps to 16 or more, and gives zero.
        let base = cx.vconst(repeat(u64::from(8 * i), 8));
        let local = if i == 0 { indices } else { cx.v2(VBin::Sub, Lane::B16, indices, base) };
        cx.b.pure(PureOp::VLookup, &[table, local])
    };
    let mut r = part(cx, 0);
    if registers > 2 {
        let high = part(cx, 2);
        r = cx.vbit(VBit::Or, r, high);
    }
    if keep {
        let end = cx.vconst(repeat(u64::from(8 * registers), 8));
        let mask = cx.b.pure(PureOp::VCmp(IntCmp::Ult, Lane::B16), &[indices, end]);
        let d = cx.half(dd(w));
        r = cx.b.pure(PureOp::VBitSelect, &[mask, r, d]);
    }
    cx.set_vector(false, dd(w), r);
    Ok(None)
}

/// `VDUP.8 Qd, Dm[x]`: the lowest set bit of imm4 tells the size, the bits above it the index.
fn vdup(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let imm = bits(w, 19, 16);
    let size = imm.trailing_zeros();
    if size > 2 {
        return Err(Undefined);
    }
    if q(w) {
        even(&[dd(w)])?;
    }
    let m = cx.half(dm(w));
    let r = cx.splat_lane(Lane::of_bits(8 << size), m, imm >> (size + 1));
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VREV64.8 Qd, Qm`: elements reversed within containers of `container` bytes.
fn reverse(cx: &mut Cx<'_, '_>, w: u32, container: u8) -> Lift {
    let bytes = 1 << bits(w, 19, 18);
    if bytes >= container {
        return Err(Undefined);
    }
    if q(w) {
        even(&[dd(w), dm(w)])?;
    }
    let per_container = container / bytes;
    let m = cx.vector(q(w), dm(w));
    let r = cx.shuffle(m, m, element_selector(bytes, |i| Some(i ^ (per_container - 1))));
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VSWP Qd, Qm`
fn vswp(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    if q(w) {
        even(&[dd(w), dm(w)])?;
    }
    let (d, m) = (cx.vector(q(w), dd(w)), cx.vector(q(w), dm(w)));
    cx.set_vector_d(w, m);
    cx.set_vector(q(w), dm(w), d);
    Ok(None)
}

/// `VTRN.8 Qd, Qm`: element i of the first (0) and the second (1) result is element `f(i, n, 0 or 1)` of Vm:Vd, n being the
/// elements of a register. `words`: words of D registers are possible, too.
fn rearrange(cx: &mut Cx<'_, '_>, w: u32, words: bool, f: fn(u8, u8, u8) -> u8) -> Lift {
    let size = bits(w, 19, 18);
    if size == 3 || size == 2 && !q(w) && !words {
        return Err(Undefined);
    }
    if q(w) {
        even(&[dd(w), dm(w)])?;
    }
    let bytes = 1 << size;
    let count = if q(w) { 16 } else { 8 } / bytes;
    let (d, m) = (cx.vector(q(w), dd(w)), cx.vector(q(w), dm(w)));
    let pick = |second: u8| {
        element_selector(bytes, |i| {
            let e = f(i, count, second);
            (i < count).then(|| if e < count { e } else { e - count + 16 / bytes })
        })
    };
    let (first, second) = (cx.shuffle(d, m, pick(0)), cx.shuffle(d, m, pick(1)));
    cx.set_vector_d(w, first);
    cx.set_vector(q(w), dm(w), second);
    Ok(None)
}
