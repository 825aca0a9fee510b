//! Loads and stores of floating-point registers (Arm ARM F4.1.20): VLDR, VSTR, VLDM, VSTM with VPUSH and VPOP, and the old FLDMX
//! and FSTMX, which are VLDM and VSTM with one word more.

use super::operands::*;
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits, rn};
use crate::a32::table::Row;
use ir::{Align, Inst, Order, Type, Value};

/// Rows of this group.
pub const ROWS: &[Row] = rows! { Vfp:
    "VSTR" "cccc 1101 ud00 nnnn dddd 101s iiii iiii" vstr;
    "VLDR" "cccc 1101 ud01 nnnn dddd 101s iiii iiii" vldr;
    "VSTM (increment after)" "cccc 1100 1dw0 nnnn dddd 101s iiii iiii" multiple;
    "VLDM (increment after)" "cccc 1100 1dw1 nnnn dddd 101s iiii iiii" multiple;
    "VSTM (decrement before)" "cccc 1101 0d10 nnnn dddd 101s iiii iiii" multiple;
    "VLDM (decrement before)" "cccc 1101 0d11 nnnn dddd 101s iiii iiii" multiple;
};

/// What the accesses demand: Linux makes good for none of these what processors refuse, but sends SIGBUS.
const ALIGN: Align = Align::To(4);

/// Loads a D register (`wide`) or an S register; `bytes`: those of each register that the instruction names.
fn load(cx: &mut Cx<'_, '_>, wide: bool, addr: Value, bytes: u32) -> Value {
    let ty = if wide { Type::F64 } else { Type::F32 };
    let v = cx.b.push(Inst::Load { ty, addr, order: Order::Relaxed, align: ALIGN }, Some(ty));
    cx.in_memory(v, bytes)
}

fn store(cx: &mut Cx<'_, '_>, addr: Value, value: Value, bytes: u32) {
    let value = cx.in_memory(value, bytes);
    cx.b.push(Inst::Store { addr, value, order: Order::Relaxed, align: ALIGN }, None);
}

/// Bytes of the word's registers, by bit 8.
const fn register_bytes(w: u32) -> u32 {
    if bit(w, 8) { 8 } else { 4 }
}

/// Address of VLDR and VSTR: offset by up to 255 words.
fn address(cx: &mut Cx<'_, '_>, w: u32) -> Value {
    let offset = 4 * bits(w, 7, 0) as i32;
    let offset = if bit(w, 23) { offset } else { -offset };
    if rn(w) == 15 {
        return cx.literal(offset);
    }
    let base = cx.base(rn(w));
    cx.displaced(base, offset)
}

/// `VLDR Sd, [Rn, #imm]`
fn vldr(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let addr = address(cx, w);
    let v = load(cx, bit(w, 8), addr, register_bytes(w));
    cx.set_scalar_d(w, v);
    Ok(None)
}

/// `VSTR Sd, [Rn, #imm]`
fn vstr(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let addr = address(cx, w);
    let v = if bit(w, 8) { cx.double(dd(w)) } else { cx.single(sd(w)) };
    store(cx, addr, v, register_bytes(w));
    Ok(None)
}

/// `VLDM Rn{!}, list`, `VSTM Rn{!}, list`: S registers that make up a D register are moved together.
fn multiple(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (words, n) = (bits(w, 7, 0), rn(w));
    let (double, write_back, increment) = (bit(w, 8), bit(w, 21), bit(w, 23));
    let (first, count) = if double { (dd(w), words / 2) } else { (sd(w), words) };
    if count == 0 || first + count > 32 || double && count > 16 {
        return Err(Undefined);
    }
    if n == 15 && write_back {
        return Err(Undefined);
    }
    let base = if n == 15 { cx.literal(0) } else { cx.base(n) };
    let bytes = 4 * words as i32;
    let start = if increment { 0 } else { -bytes };
    // Registers of the list: offset, number, and whether it is a D register.
    let mut moves = Vec::new();
    let mut i = 0;
    while i < count {
        let offset = start + (i * if double { 8 } else { 4 }) as i32;
        if double {
            moves.push((offset, first + i, true));
            i += 1;
        } else if (first + i) & 1 == 0 && i + 1 < count {
            moves.push((offset, (first + i) / 2, true));
            i += 2;
        } else {
            moves.push((offset, first + i, false));
            i += 1;
        }
    }
    if bit(w, 20) {
        let mut loaded = Vec::new();
        for &(offset, _, wide) in &moves {
            let addr = cx.displaced(base, offset);
            loaded.push(load(cx, wide, addr, register_bytes(w)));
        }
        for (&(_, r, wide), v) in moves.iter().zip(loaded) {
            if wide { cx.set_double(r, v) } else { cx.set_single(r, v) }
        }
    } else {
        for &(offset, r, wide) in &moves {
            let addr = cx.displaced(base, offset);
            let v = if wide { cx.double(r) } else { cx.single(r) };
            store(cx, addr, v, register_bytes(w));
        }
    }
    if write_back {
        let new = cx.b.add_imm(base, i64::from(if increment { bytes } else { -bytes }));
        cx.set_reg(n, new);
    }
    Ok(None)
}
