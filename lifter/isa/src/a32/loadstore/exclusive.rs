//! Exclusives, load-acquire and store-release, and swaps. All of them demand natural alignment.

use super::single::{pair, set_pair};
use crate::a32::cx::{Cx, Lift, Undefined, bits, rd, rm, rn, rs};
use crate::a32::table::{Row, row_table};
use ir::{Align, Inst, Order, RmwOp, Type, Value};
use {Order::Acquire, Order::Relaxed, Order::Release};
use {Type::I8, Type::I16, Type::I32, Type::I64};

/// Rows of A32.
pub static A32: &[Row] = row_table! { A32:
    "SWP" "cccc 00010000 nnnn tttt zzzz 1001 mmmm" Base |cx, w| swap(cx, I32, w);
    "SWPB" "cccc 00010100 nnnn tttt zzzz 1001 mmmm" Base |cx, w| swap(cx, I8, w);
    "STL" "cccc 00011000 nnnn oooo oo00 1001 tttt" Base |cx, w| store_release(cx, I32, rm(w), rn(w));
    "STLEX" "cccc 00011000 nnnn dddd oo10 1001 tttt" Base |cx, w| store_a32(cx, I32, Release, w);
    "STREX" "cccc 00011000 nnnn dddd oo11 1001 tttt" Base |cx, w| store_a32(cx, I32, Relaxed, w);
    "LDA" "cccc 00011001 nnnn tttt oo00 1001 oooo" Base |cx, w| load_acquire(cx, I32, w);
    "LDAEX" "cccc 00011001 nnnn tttt oo10 1001 oooo" Base |cx, w| load_a32(cx, I32, Acquire, w);
    "LDREX" "cccc 00011001 nnnn tttt oo11 1001 oooo" Base |cx, w| load_a32(cx, I32, Relaxed, w);
    "STLEXD" "cccc 00011010 nnnn dddd oo10 1001 tttt" Base |cx, w| store_a32(cx, I64, Release, w);
    "STREXD" "cccc 00011010 nnnn dddd oo11 1001 tttt" Base |cx, w| store_a32(cx, I64, Relaxed, w);
    "LDAEXD" "cccc 00011011 nnnn tttt oo10 1001 oooo" Base |cx, w| load_a32(cx, I64, Acquire, w);
    "LDREXD" "cccc 00011011 nnnn tttt oo11 1001 oooo" Base |cx, w| load_a32(cx, I64, Relaxed, w);
    "STLB" "cccc 00011100 nnnn oooo oo00 1001 tttt" Base |cx, w| store_release(cx, I8, rm(w), rn(w));
    "STLEXB" "cccc 00011100 nnnn dddd oo10 1001 tttt" Base |cx, w| store_a32(cx, I8, Release, w);
    "STREXB" "cccc 00011100 nnnn dddd oo11 1001 tttt" Base |cx, w| store_a32(cx, I8, Relaxed, w);
    "LDAB" "cccc 00011101 nnnn tttt oo00 1001 oooo" Base |cx, w| load_acquire(cx, I8, w);
    "LDAEXB" "cccc 00011101 nnnn tttt oo10 1001 oooo" Base |cx, w| load_a32(cx, I8, Acquire, w);
    "LDREXB" "cccc 00011101 nnnn tttt oo11 1001 oooo" Base |cx, w| load_a32(cx, I8, Relaxed, w);
    "STLH" "cccc 00011110 nnnn oooo oo00 1001 tttt" Base |cx, w| store_release(cx, I16, rm(w), rn(w));
    "STLEXH" "cccc 00011110 nnnn dddd oo10 1001 tttt" Base |cx, w| store_a32(cx, I16, Release, w);
    "STREXH" "cccc 00011110 nnnn dddd oo11 1001 tttt" Base |cx, w| store_a32(cx, I16, Relaxed, w);
    "LDAH" "cccc 00011111 nnnn tttt oo00 1001 oooo" Base |cx, w| load_acquire(cx, I16, w);
    "LDAEXH" "cccc 00011111 nnnn tttt oo10 1001 oooo" Base |cx, w| load_a32(cx, I16, Acquire, w);
    "LDREXH" "cccc 00011111 nnnn tttt oo11 1001 oooo" Base |cx, w| load_a32(cx, I16, Relaxed, w);
    "CLREX" "1111 01010111 oooo oooo zzzz 0001 oooo" Base clear;
};

/// Rows of T32.
pub static T32: &[Row] = row_table! { T32:
    "STREX" "111010000100 nnnn tttt dddd iiiiiiii" Base |cx, w| {
        let (d, offset) = (rs(w), bits(w, 7, 0) as i32 * 4);
        store_exclusive(cx, I32, Relaxed, [d, rd(w), 0], rn(w), offset)
    };
    "LDREX" "111010000101 nnnn tttt oooo iiiiiiii" Base |cx, w| {
        load_exclusive(cx, I32, Relaxed, [rd(w), 0], rn(w), bits(w, 7, 0) as i32 * 4)
    };
    "STREXB" "111010001100 nnnn tttt oooo 0100 dddd" Base |cx, w| store_t32(cx, I8, Relaxed, w);
    "STREXH" "111010001100 nnnn tttt oooo 0101 dddd" Base |cx, w| store_t32(cx, I16, Relaxed, w);
    "STREXD" "111010001100 nnnn tttt uuuu 0111 dddd" Base |cx, w| store_t32(cx, I64, Relaxed, w);
    "STLEXB" "111010001100 nnnn tttt oooo 1100 dddd" Base |cx, w| store_t32(cx, I8, Release, w);
    "STLEXH" "111010001100 nnnn tttt oooo 1101 dddd" Base |cx, w| store_t32(cx, I16, Release, w);
    "STLEX" "111010001100 nnnn tttt oooo 1110 dddd" Base |cx, w| store_t32(cx, I32, Release, w);
    "STLEXD" "111010001100 nnnn tttt uuuu 1111 dddd" Base |cx, w| store_t32(cx, I64, Release, w);
    "STLB" "111010001100 nnnn tttt oooo 1000 oooo" Base |cx, w| store_release(cx, I8, rd(w), rn(w));
    "STLH" "111010001100 nnnn tttt oooo 1001 oooo" Base |cx, w| store_release(cx, I16, rd(w), rn(w));
    "STL" "111010001100 nnnn tttt oooo 1010 oooo" Base |cx, w| store_release(cx, I32, rd(w), rn(w));
    "LDREXB" "111010001101 nnnn tttt oooo 0100 oooo" Base |cx, w| load_t32(cx, I8, Relaxed, w);
    "LDREXH" "111010001101 nnnn tttt oooo 0101 oooo" Base |cx, w| load_t32(cx, I16, Relaxed, w);
    "LDREXD" "111010001101 nnnn tttt uuuu 0111 oooo" Base |cx, w| load_t32(cx, I64, Relaxed, w);
    "LDAEXB" "111010001101 nnnn tttt oooo 1100 oooo" Base |cx, w| load_t32(cx, I8, Acquire, w);
    "LDAEXH" "111010001101 nnnn tttt oooo 1101 oooo" Base |cx, w| load_t32(cx, I16, Acquire, w);
    "LDAEX" "111010001101 nnnn tttt oooo 1110 oooo" Base |cx, w| load_t32(cx, I32, Acquire, w);
    "LDAEXD" "111010001101 nnnn tttt uuuu 1111 oooo" Base |cx, w| load_t32(cx, I64, Acquire, w);
    "LDAB" "111010001101 nnnn tttt oooo 1000 oooo" Base |cx, w| load_acquire(cx, I8, w);
    "LDAH" "111010001101 nnnn tttt oooo 1001 oooo" Base |cx, w| load_acquire(cx, I16, w);
    "LDA" "111010001101 nnnn tttt oooo 1010 oooo" Base |cx, w| load_acquire(cx, I32, w);
    "CLREX" "111100111011 oooo 10z0 oooo 0010 oooo" Base clear;
};

/// Rt, or Rt and Rt2, as a value of type `ty` in memory.
fn stored(cx: &mut Cx<'_, '_>, ty: Type, t: u32, t2: u32) -> Value {
    if ty == I64 {
        return pair(cx, t, t2);
    }
    let v = cx.reg(t);
    let v = cx.b.zext_or_trunc(ty, v);
    cx.in_memory(v, ty.bytes())
}

/// Load-exclusive of Rt (I64: and Rt2).
fn load_exclusive(
    cx: &mut Cx<'_, '_>,
    ty: Type,
    order: Order,
    [t, t2]: [u32; 2],
    n: u32,
    offset: i32,
) -> Lift {
    if t == 15 || n == 15 || (ty == I64 && (t2 == 15 || t == t2)) {
        return Err(Undefined);
    }
    let base = cx.base(n);
    let addr = cx.displaced(base, offset);
    let v = cx.b.push(Inst::LoadEx { ty, addr, order }, Some(ty));
    if ty == I64 {
        set_pair(cx, v, t, t2);
    } else {
        let v = cx.in_memory(v, ty.bytes());
        cx.set_reg(t, v);
    }
    Ok(None)
}

/// Store-exclusive of Rt (I64: and Rt2), the status to Rd.
fn store_exclusive(
    cx: &mut Cx<'_, '_>,
    ty: Type,
    order: Order,
    [d, t, t2]: [u32; 3],
    n: u32,
    offset: i32,
) -> Lift {
    if d == 15 || t == 15 || n == 15 || d == n || d == t || (ty == I64 && (t2 == 15 || d == t2)) {
        return Err(Undefined);
    }
    let base = cx.base(n);
    let addr = cx.displaced(base, offset);
    let value = stored(cx, ty, t, t2);
    let status = cx.b.push(Inst::StoreEx { addr, value, order }, Some(I32));
    cx.set_reg(d, status);
    Ok(None)
}

/// The pair of even Rt of A32; other types need no Rt2.
fn second(ty: Type, t: u32) -> Result<u32, Undefined> {
    if ty == I64 && !t.is_multiple_of(2) { Err(Undefined) } else { Ok(t + 1) }
}

fn load_a32(cx: &mut Cx<'_, '_>, ty: Type, order: Order, w: u32) -> Lift {
    let t = rd(w);
    load_exclusive(cx, ty, order, [t, second(ty, t)?], rn(w), 0)
}

fn store_a32(cx: &mut Cx<'_, '_>, ty: Type, order: Order, w: u32) -> Lift {
    let t = rm(w);
    store_exclusive(cx, ty, order, [rd(w), t, second(ty, t)?], rn(w), 0)
}

fn load_t32(cx: &mut Cx<'_, '_>, ty: Type, order: Order, w: u32) -> Lift {
    load_exclusive(cx, ty, order, [rd(w), rs(w)], rn(w), 0)
}

fn store_t32(cx: &mut Cx<'_, '_>, ty: Type, order: Order, w: u32) -> Lift {
    store_exclusive(cx, ty, order, [rm(w), rd(w), rs(w)], rn(w), 0)
}

/// `LDA{B,H} Rt, [Rn]`.
fn load_acquire(cx: &mut Cx<'_, '_>, ty: Type, w: u32) -> Lift {
    let (t, n) = (rd(w), rn(w));
    if t == 15 || n == 15 {
        return Err(Undefined);
    }
    let addr = cx.base(n);
    let v = cx.b.push(Inst::Load { ty, addr, order: Acquire, align: Align::Natural }, Some(ty));
    let v = cx.in_memory(v, ty.bytes());
    cx.set_reg(t, v);
    Ok(None)
}

/// `STL{B,H} Rt, [Rn]`.
fn store_release(cx: &mut Cx<'_, '_>, ty: Type, t: u32, n: u32) -> Lift {
    if t == 15 || n == 15 {
        return Err(Undefined);
    }
    let addr = cx.base(n);
    let value = stored(cx, ty, t, 0);
    cx.b.push(Inst::Store { addr, value, order: Release, align: Align::Natural }, None);
    Ok(None)
}

/// `SWP{B} Rt, Rm, [Rn]`. Linux emulates it with barriers, because what locked with it had none.
fn swap(cx: &mut Cx<'_, '_>, ty: Type, w: u32) -> Lift {
    let (t, m, n) = (rd(w), rm(w), rn(w));
    if t == 15 || m == 15 || n == 15 {
        return Err(Undefined);
    }
    let value = stored(cx, ty, m, 0);
    let addr = cx.base(n);
    let op = RmwOp::Swap;
    let old = cx.b.push(Inst::Rmw { op, ty, addr, value, order: Order::AcqRel }, Some(ty));
    let old = cx.in_memory(old, ty.bytes());
    cx.set_reg(t, old);
    Ok(None)
}

/// `CLREX`.
fn clear(cx: &mut Cx<'_, '_>, _: u32) -> Lift {
    cx.b.push(Inst::ClearEx, None);
    Ok(None)
}
