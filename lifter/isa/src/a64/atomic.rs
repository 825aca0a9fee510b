//! Exclusives, ordered accesses, compare-and-swap and atomic memory operations (Arm ARM C4.1.67). All of them demand
//! natural alignment (FEAT_LSE2 is not advertised).

use super::cx::{Cx, Lift, Undefined, bit, bits, ra, rd, rm, rn, sbits};
use super::table::{Row, row_table};
use ir::{Align, Inst, IntBin, Order, PureOp, RmwOp, Type, Value};

/// Rows of this group.
pub static ROWS: &[Row] = row_table! {
    "STXR{B,H}" "ss001000 000 sssss 0 uuuuu nnnnn ttttt" Base store_exclusive;
    "STLXR{B,H}" "ss001000 000 sssss 1 uuuuu nnnnn ttttt" Base store_exclusive;
    "LDXR{B,H}" "ss001000 010 sssss 0 uuuuu nnnnn ttttt" Base load_exclusive;
    "LDAXR{B,H}" "ss001000 010 sssss 1 uuuuu nnnnn ttttt" Base load_exclusive;
    "STXP" "1x001000 001 sssss 0 uuuuu nnnnn ttttt" Base store_exclusive_pair;
    "STLXP" "1x001000 001 sssss 1 uuuuu nnnnn ttttt" Base store_exclusive_pair;
    "LDXP" "1x001000 011 sssss 0 uuuuu nnnnn ttttt" Base load_exclusive_pair;
    "LDAXP" "1x001000 011 sssss 1 uuuuu nnnnn ttttt" Base load_exclusive_pair;
    "CASP{A}{L}" "0x001000 0A1 sssss R 11111 nnnnn ttttt" Lse cas_pair;
    "STLLR{B,H}" "ss001000 100 sssss 0 uuuuu nnnnn ttttt" Base store_release;
    "STLR{B,H}" "ss001000 100 sssss 1 uuuuu nnnnn ttttt" Base store_release;
    "LDLAR{B,H}" "ss001000 110 sssss 0 uuuuu nnnnn ttttt" Base load_acquire;
    "LDAR{B,H}" "ss001000 110 sssss 1 uuuuu nnnnn ttttt" Base load_acquire;
    "CAS{A}{L}{B,H}" "ss001000 1A1 sssss R 11111 nnnnn ttttt" Lse cas;
    "LDAPR{B,H}" "ss111000 101 11111 1 100 00 nnnnn ttttt" Lrcpc load_acquire_pc;
    "STLUR{B,H}" "ss011001 00 0 iiiiiiiii 00 nnnnn ttttt" Lrcpc store_release_unscaled;
    "LDAPUR{B,H}" "ss011001 01 0 iiiiiiiii 00 nnnnn ttttt" Lrcpc load_acquire_unscaled;
    "LDAPURSB, LDAPURSH (64-bit)" "0s011001 10 0 iiiiiiiii 00 nnnnn ttttt" Lrcpc load_acquire_unscaled;
    "LDAPURSW" "10011001 10 0 iiiiiiiii 00 nnnnn ttttt" Lrcpc load_acquire_unscaled;
    "LDAPURSB, LDAPURSH (32-bit)" "0s011001 11 0 iiiiiiiii 00 nnnnn ttttt" Lrcpc load_acquire_unscaled;
    "LDADD{A}{L}{B,H}" "ss111000 AR1 sssss 0 000 00 nnnnn ttttt" Lse rmw;
    "LDCLR{A}{L}{B,H}" "ss111000 AR1 sssss 0 001 00 nnnnn ttttt" Lse rmw;
    "LDEOR{A}{L}{B,H}" "ss111000 AR1 sssss 0 010 00 nnnnn ttttt" Lse rmw;
    "LDSET{A}{L}{B,H}" "ss111000 AR1 sssss 0 011 00 nnnnn ttttt" Lse rmw;
    "LDSMAX{A}{L}{B,H}" "ss111000 AR1 sssss 0 100 00 nnnnn ttttt" Lse rmw;
    "LDSMIN{A}{L}{B,H}" "ss111000 AR1 sssss 0 101 00 nnnnn ttttt" Lse rmw;
    "LDUMAX{A}{L}{B,H}" "ss111000 AR1 sssss 0 110 00 nnnnn ttttt" Lse rmw;
    "LDUMIN{A}{L}{B,H}" "ss111000 AR1 sssss 0 111 00 nnnnn ttttt" Lse rmw;
    "SWP{A}{L}{B,H}" "ss111000 AR1 sssss 1 000 00 nnnnn ttttt" Lse rmw;
};

/// The type in memory by size, bits 31:30.
fn size_type(w: u32) -> Type {
    Type::int(8 << bits(w, 31, 30))
}

fn order(acquire: bool, release: bool) -> Order {
    match (acquire, release) {
        (false, false) => Order::Relaxed,
        (true, false) => Order::Acquire,
        (false, true) => Order::Release,
        (true, true) => Order::AcqRel,
    }
}

/// Register `n`, cut to `ty`.
fn operand(cx: &mut Cx<'_, '_>, ty: Type, n: u32) -> Value {
    let v = cx.gpr(ty == Type::I64, n);
    cx.b.zext_or_trunc(ty, v)
}

/// Registers `lo` and `hi` as one value of twice `is64`'s width.
fn joined(cx: &mut Cx<'_, '_>, is64: bool, lo: u32, hi: u32) -> Value {
    let (lo, hi) = (cx.gpr(true, lo), cx.gpr(true, hi));
    if is64 {
        return cx.b.pure(PureOp::Concat, &[hi, lo]);
    }
    let mask = cx.b.i64(0xffff_ffff);
    let lo = cx.b.and(lo, mask);
    let hi = cx.b.shift_imm(IntBin::Shl, hi, 32);
    cx.b.or(hi, lo)
}

/// Low and high half of a value, to registers `lo` and `hi`.
fn set_joined(cx: &mut Cx<'_, '_>, v: Value, lo: u32, hi: u32) {
    let half = cx.b.ty(v).bits() / 2;
    let low = cx.b.zext_or_trunc(Type::int(half), v);
    let high = cx.b.shift_imm(IntBin::Lshr, v, half);
    let high = cx.b.zext_or_trunc(Type::int(half), high);
    cx.set_gpr(lo, low);
    cx.set_gpr(hi, high);
}

fn pair_type(is64: bool) -> Type {
    if is64 { Type::I128 } else { Type::I64 }
}

/// `LDXR|LDAXR{B,H} Rt, [Xn|SP]`.
fn load_exclusive(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let ty = size_type(w);
    let addr = cx.gpr_sp(true, rn(w));
    let v = cx.b.push(Inst::LoadEx { ty, addr, order: order(bit(w, 15), false) }, Some(ty));
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `STXR|STLXR{B,H} Ws, Rt, [Xn|SP]`.
fn store_exclusive(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let value = operand(cx, size_type(w), rd(w));
    store_exclusive_value(cx, w, value)
}

fn store_exclusive_value(cx: &mut Cx<'_, '_>, w: u32, value: Value) -> Lift {
    let addr = cx.gpr_sp(true, rn(w));
    let status = cx.b.push(Inst::StoreEx { addr, value, order: order(false, bit(w, 15)) }, Some(Type::I32));
    cx.set_gpr(rm(w), status);
    Ok(None)
}

/// `LDXP|LDAXP Rt, Rt2, [Xn|SP]`.
fn load_exclusive_pair(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let ty = pair_type(bit(w, 30));
    let addr = cx.gpr_sp(true, rn(w));
    let v = cx.b.push(Inst::LoadEx { ty, addr, order: order(bit(w, 15), false) }, Some(ty));
    set_joined(cx, v, rd(w), ra(w));
    Ok(None)
}

/// `STXP|STLXP Ws, Rt, Rt2, [Xn|SP]`.
fn store_exclusive_pair(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let value = joined(cx, bit(w, 30), rd(w), ra(w));
    store_exclusive_value(cx, w, value)
}

/// `STLR|STLLR{B,H} Rt, [Xn|SP]`.
fn store_release(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let addr = cx.gpr_sp(true, rn(w));
    store_ordered(cx, w, addr)
}

fn store_ordered(cx: &mut Cx<'_, '_>, w: u32, addr: Value) -> Lift {
    let value = operand(cx, size_type(w), rd(w));
    cx.b.push(Inst::Store { addr, value, order: Order::Release, align: Align::Natural }, None);
    Ok(None)
}

fn load_ordered(cx: &mut Cx<'_, '_>, ty: Type, addr: Value, order: Order) -> Value {
    cx.b.push(Inst::Load { ty, addr, order, align: Align::Natural }, Some(ty))
}

/// `LDAR|LDLAR{B,H} Rt, [Xn|SP]`.
fn load_acquire(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let addr = cx.gpr_sp(true, rn(w));
    let v = load_ordered(cx, size_type(w), addr, Order::Acquire);
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `LDAPR{B,H} Rt, [Xn|SP]`.
fn load_acquire_pc(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let addr = cx.gpr_sp(true, rn(w));
    let v = load_ordered(cx, size_type(w), addr, Order::AcquirePc);
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `STLUR{B,H} Rt, [Xn|SP, #imm9]`.
fn store_release_unscaled(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let base = cx.gpr_sp(true, rn(w));
    let addr = cx.b.add_imm(base, sbits(w, 20, 12));
    store_ordered(cx, w, addr)
}

/// `LDAPUR{B,H,SB,SH,SW} Rt, [Xn|SP, #imm9]`.
fn load_acquire_unscaled(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let base = cx.gpr_sp(true, rn(w));
    let addr = cx.b.add_imm(base, sbits(w, 20, 12));
    let v = load_ordered(cx, size_type(w), addr, Order::AcquirePc);
    let v = match bits(w, 23, 22) {
        2 => cx.b.sext_or_trunc(Type::I64, v),
        3 => cx.b.sext_or_trunc(Type::I32, v),
        _ => v,
    };
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `CAS{A}{L}{B,H} Rs, Rt, [Xn|SP]`: Rs is compared with and receives the old value.
fn cas(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let ty = size_type(w);
    let (expected, new) = (operand(cx, ty, rm(w)), operand(cx, ty, rd(w)));
    let addr = cx.gpr_sp(true, rn(w));
    let old =
        cx.b.push(Inst::Cas { ty, addr, expected, new, order: order(bit(w, 22), bit(w, 15)) }, Some(ty));
    cx.set_gpr(rm(w), old);
    Ok(None)
}

/// `CASP{A}{L} Rs, R(s+1), Rt, R(t+1), [Xn|SP]`; odd registers are UNDEFINED.
fn cas_pair(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (s, t, is64) = (rm(w), rd(w), bit(w, 30));
    if s % 2 != 0 || t % 2 != 0 {
        return Err(Undefined);
    }
    let ty = pair_type(is64);
    let (expected, new) = (joined(cx, is64, s, s + 1), joined(cx, is64, t, t + 1));
    let addr = cx.gpr_sp(true, rn(w));
    let old =
        cx.b.push(Inst::Cas { ty, addr, expected, new, order: order(bit(w, 22), bit(w, 15)) }, Some(ty));
    set_joined(cx, old, s, s + 1);
    Ok(None)
}

/// `LD<op>{A}{L}{B,H} Rs, Rt, [Xn|SP]`, `SWP…`; `ST<op>` if Rt is 31 (then A has no effect).
fn rmw(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let op = match bits(w, 15, 12) {
        0 => RmwOp::Add,
        1 => RmwOp::Clear,
        2 => RmwOp::Xor,
        3 => RmwOp::Or,
        4 => RmwOp::SMax,
        5 => RmwOp::SMin,
        6 => RmwOp::UMax,
        7 => RmwOp::UMin,
        _ => RmwOp::Swap,
    };
    let ty = size_type(w);
    let value = operand(cx, ty, rm(w));
    let addr = cx.gpr_sp(true, rn(w));
    let old = cx.b.push(Inst::Rmw { op, ty, addr, value, order: order(bit(w, 23), bit(w, 22)) }, Some(ty));
    cx.set_gpr(rd(w), old);
    Ok(None)
}
