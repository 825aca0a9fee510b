//! Loads and stores of one general register or a pair, preloads, and table branches. An encoding says what moves
//! ([`Move`]) and where ([`Address`]); [`transfer`] does it for all of them.
//!
//! Overlaps of the base with a loaded or stored register that are CONSTRAINED UNPREDICTABLE do what qemu does: a store
//! stores the old value, a load leaves the loaded one, a load of a pair the new base.

use crate::a32::cx::{Cx, Lift, Undefined, bit, bits, rd, rm, rn, rs};
use crate::a32::shift::{Shift, decode_imm_shift};
use crate::a32::table::{Row, row_table};
use ir::{CacheOp, Inst, IntBin, PureOp, Type, Value};

/// Rows of A32.
pub static A32: &[Row] = row_table! { A32:
    "STR (immediate)" "cccc 010pu0w0 nnnn tttt iiiiiiiiiiii" Base |cx, w| word(cx, STORE, w);
    "LDR (immediate)" "cccc 010pu0w1 nnnn tttt iiiiiiiiiiii" Base |cx, w| word(cx, LOAD, w);
    "LDR (literal)" "cccc 010pu0w1 1111 tttt iiiiiiiiiiii" Base |cx, w| word(cx, LOAD, w);
    "STRT (immediate)" "cccc 0100u010 nnnn tttt iiiiiiiiiiii" Base |cx, w| word(cx, STORE, w);
    "LDRT (immediate)" "cccc 0100u011 nnnn tttt iiiiiiiiiiii" Base |cx, w| word(cx, LOAD, w);
    "STRB (immediate)" "cccc 010pu1w0 nnnn tttt iiiiiiiiiiii" Base |cx, w| word(cx, STORE_BYTE, w);
    "LDRB (immediate)" "cccc 010pu1w1 nnnn tttt iiiiiiiiiiii" Base |cx, w| word(cx, LOAD_BYTE, w);
    "LDRB (literal)" "cccc 010pu1w1 1111 tttt iiiiiiiiiiii" Base |cx, w| word(cx, LOAD_BYTE, w);
    "STRBT (immediate)" "cccc 0100u110 nnnn tttt iiiiiiiiiiii" Base |cx, w| word(cx, STORE_BYTE, w);
    "LDRBT (immediate)" "cccc 0100u111 nnnn tttt iiiiiiiiiiii" Base |cx, w| word(cx, LOAD_BYTE, w);
    "STR (register)" "cccc 011pu0w0 nnnn tttt iiiiikk0 mmmm" Base |cx, w| word(cx, STORE, w);
    "LDR (register)" "cccc 011pu0w1 nnnn tttt iiiiikk0 mmmm" Base |cx, w| word(cx, LOAD, w);
    "STRT (register)" "cccc 0110u010 nnnn tttt iiiiikk0 mmmm" Base |cx, w| word(cx, STORE, w);
    "LDRT (register)" "cccc 0110u011 nnnn tttt iiiiikk0 mmmm" Base |cx, w| word(cx, LOAD, w);
    "STRB (register)" "cccc 011pu1w0 nnnn tttt iiiiikk0 mmmm" Base |cx, w| word(cx, STORE_BYTE, w);
    "LDRB (register)" "cccc 011pu1w1 nnnn tttt iiiiikk0 mmmm" Base |cx, w| word(cx, LOAD_BYTE, w);
    "STRBT (register)" "cccc 0110u110 nnnn tttt iiiiikk0 mmmm" Base |cx, w| word(cx, STORE_BYTE, w);
    "LDRBT (register)" "cccc 0110u111 nnnn tttt iiiiikk0 mmmm" Base |cx, w| word(cx, LOAD_BYTE, w);
    "STRH (immediate)" "cccc 000pu1w0 nnnn tttt iiii 1011 iiii" Base |cx, w| extra(cx, STORE_HALF, w);
    "LDRH (immediate)" "cccc 000pu1w1 nnnn tttt iiii 1011 iiii" Base |cx, w| extra(cx, LOAD_HALF, w);
    "LDRH (literal)" "cccc 000pu1w1 1111 tttt iiii 1011 iiii" Base |cx, w| extra(cx, LOAD_HALF, w);
    "STRHT (immediate)" "cccc 0000u110 nnnn tttt iiii 1011 iiii" Base |cx, w| extra(cx, STORE_HALF, w);
    "LDRHT (immediate)" "cccc 0000u111 nnnn tttt iiii 1011 iiii" Base |cx, w| extra(cx, LOAD_HALF, w);
    "LDRSB (immediate)" "cccc 000pu1w1 nnnn tttt iiii 1101 iiii" Base |cx, w| extra(cx, LOAD_SBYTE, w);
    "LDRSB (literal)" "cccc 000pu1w1 1111 tttt iiii 1101 iiii" Base |cx, w| extra(cx, LOAD_SBYTE, w);
    "LDRSBT (immediate)" "cccc 0000u111 nnnn tttt iiii 1101 iiii" Base |cx, w| extra(cx, LOAD_SBYTE, w);
    "LDRSH (immediate)" "cccc 000pu1w1 nnnn tttt iiii 1111 iiii" Base |cx, w| extra(cx, LOAD_SHALF, w);
    "LDRSH (literal)" "cccc 000pu1w1 1111 tttt iiii 1111 iiii" Base |cx, w| extra(cx, LOAD_SHALF, w);
    "LDRSHT (immediate)" "cccc 0000u111 nnnn tttt iiii 1111 iiii" Base |cx, w| extra(cx, LOAD_SHALF, w);
    "LDRD (immediate)" "cccc 000pu1w0 nnnn tttt iiii 1101 iiii" Base |cx, w| extra(cx, Move::LoadPair, w);
    "LDRD (literal)" "cccc 000pu1w0 1111 tttt iiii 1101 iiii" Base |cx, w| extra(cx, Move::LoadPair, w);
    "STRD (immediate)" "cccc 000pu1w0 nnnn tttt iiii 1111 iiii" Base |cx, w| extra(cx, Move::StorePair, w);
    "STRH (register)" "cccc 000pu0w0 nnnn tttt zzzz 1011 mmmm" Base |cx, w| extra(cx, STORE_HALF, w);
    "LDRH (register)" "cccc 000pu0w1 nnnn tttt zzzz 1011 mmmm" Base |cx, w| extra(cx, LOAD_HALF, w);
    "STRHT (register)" "cccc 0000u010 nnnn tttt zzzz 1011 mmmm" Base |cx, w| extra(cx, STORE_HALF, w);
    "LDRHT (register)" "cccc 0000u011 nnnn tttt zzzz 1011 mmmm" Base |cx, w| extra(cx, LOAD_HALF, w);
    "LDRSB (register)" "cccc 000pu0w1 nnnn tttt zzzz 1101 mmmm" Base |cx, w| extra(cx, LOAD_SBYTE, w);
    "LDRSBT (register)" "cccc 0000u011 nnnn tttt zzzz 1101 mmmm" Base |cx, w| extra(cx, LOAD_SBYTE, w);
    "LDRSH (register)" "cccc 000pu0w1 nnnn tttt zzzz 1111 mmmm" Base |cx, w| extra(cx, LOAD_SHALF, w);
    "LDRSHT (register)" "cccc 0000u011 nnnn tttt zzzz 1111 mmmm" Base |cx, w| extra(cx, LOAD_SHALF, w);
    "LDRD (register)" "cccc 000pu0w0 nnnn tttt zzzz 1101 mmmm" Base |cx, w| extra(cx, Move::LoadPair, w);
    "STRD (register)" "cccc 000pu0w0 nnnn tttt zzzz 1111 mmmm" Base |cx, w| extra(cx, Move::StorePair, w);
    "PLD, PLDW (immediate)" "1111 0101ur01 nnnn oooo iiiiiiiiiiii" Base |cx, w| word(cx, Move::Prefetch, w);
    "PLD (literal)" "1111 0101uo01 1111 oooo iiiiiiiiiiii" Base |cx, w| word(cx, Move::Prefetch, w);
    "PLD, PLDW (register)" "1111 0111ur01 nnnn oooo iiiiikk0 mmmm" Base |cx, w| word(cx, Move::Prefetch, w);
    "PLI (immediate, literal)" "1111 0100u101 nnnn oooo iiiiiiiiiiii" Base |_, _| Ok(None);
    "PLI (register)" "1111 0110u101 nnnn oooo iiiiikk0 mmmm" Base |_, _| Ok(None);
    "Memory hint (immediate)" "1111 0100x001 xxxx xxxx xxxxxxxxxxxx" Base |_, _| Ok(None);
    "Memory hint (register)" "1111 0110x001 xxxx xxxx xxxxxxx0 xxxx" Base |_, _| Ok(None);
};

/// Rows of T16.
pub static T16: &[Row] = row_table! { T16:
    "LDR (literal)" "01001 ttt iiiiiiii" Base |cx, w| narrow_offset(cx, LOAD, bits(w, 10, 8), 15, bits(w, 7, 0) * 4);
    "STR (register)" "0101000 mmm nnn ttt" Base |cx, w| narrow_register(cx, STORE, w);
    "STRH (register)" "0101001 mmm nnn ttt" Base |cx, w| narrow_register(cx, STORE_HALF, w);
    "STRB (register)" "0101010 mmm nnn ttt" Base |cx, w| narrow_register(cx, STORE_BYTE, w);
    "LDRSB (register)" "0101011 mmm nnn ttt" Base |cx, w| narrow_register(cx, LOAD_SBYTE, w);
    "LDR (register)" "0101100 mmm nnn ttt" Base |cx, w| narrow_register(cx, LOAD, w);
    "LDRH (register)" "0101101 mmm nnn ttt" Base |cx, w| narrow_register(cx, LOAD_HALF, w);
    "LDRB (register)" "0101110 mmm nnn ttt" Base |cx, w| narrow_register(cx, LOAD_BYTE, w);
    "LDRSH (register)" "0101111 mmm nnn ttt" Base |cx, w| narrow_register(cx, LOAD_SHALF, w);
    "STR (immediate)" "01100 iiiii nnn ttt" Base |cx, w| narrow_immediate(cx, STORE, w, 4);
    "LDR (immediate)" "01101 iiiii nnn ttt" Base |cx, w| narrow_immediate(cx, LOAD, w, 4);
    "STRB (immediate)" "01110 iiiii nnn ttt" Base |cx, w| narrow_immediate(cx, STORE_BYTE, w, 1);
    "LDRB (immediate)" "01111 iiiii nnn ttt" Base |cx, w| narrow_immediate(cx, LOAD_BYTE, w, 1);
    "STRH (immediate)" "10000 iiiii nnn ttt" Base |cx, w| narrow_immediate(cx, STORE_HALF, w, 2);
    "LDRH (immediate)" "10001 iiiii nnn ttt" Base |cx, w| narrow_immediate(cx, LOAD_HALF, w, 2);
    "STR (immediate, SP)" "10010 ttt iiiiiiii" Base
        |cx, w| narrow_offset(cx, STORE, bits(w, 10, 8), 13, bits(w, 7, 0) * 4);
    "LDR (immediate, SP)" "10011 ttt iiiiiiii" Base
        |cx, w| narrow_offset(cx, LOAD, bits(w, 10, 8), 13, bits(w, 7, 0) * 4);
};

/// Rows of T32. Loads from PC are literals in every form, which patterns cannot say: see [`wide`].
pub static T32: &[Row] = row_table! { T32:
    "STRB (register)" "111110000000 nnnn tttt 000000 ii mmmm" Base |cx, w| wide(cx, STORE_BYTE, w);
    "STRB (immediate, 8 bits)" "111110000000 nnnn tttt 1puw iiiiiiii" Base |cx, w| wide(cx, STORE_BYTE, w);
    "STRBT" "111110000000 nnnn tttt 1110 iiiiiiii" Base |cx, w| wide(cx, STORE_BYTE, w);
    "STRB (immediate, 12 bits)" "111110001000 nnnn tttt iiiiiiiiiiii" Base |cx, w| wide(cx, STORE_BYTE, w);
    "STRH (register)" "111110000010 nnnn tttt 000000 ii mmmm" Base |cx, w| wide(cx, STORE_HALF, w);
    "STRH (immediate, 8 bits)" "111110000010 nnnn tttt 1puw iiiiiiii" Base |cx, w| wide(cx, STORE_HALF, w);
    "STRHT" "111110000010 nnnn tttt 1110 iiiiiiii" Base |cx, w| wide(cx, STORE_HALF, w);
    "STRH (immediate, 12 bits)" "111110001010 nnnn tttt iiiiiiiiiiii" Base |cx, w| wide(cx, STORE_HALF, w);
    "STR (register)" "111110000100 nnnn tttt 000000 ii mmmm" Base |cx, w| wide(cx, STORE, w);
    "STR (immediate, 8 bits)" "111110000100 nnnn tttt 1puw iiiiiiii" Base |cx, w| wide(cx, STORE, w);
    "STRT" "111110000100 nnnn tttt 1110 iiiiiiii" Base |cx, w| wide(cx, STORE, w);
    "STR (immediate, 12 bits)" "111110001100 nnnn tttt iiiiiiiiiiii" Base |cx, w| wide(cx, STORE, w);
    "LDRB (register)" "111110000001 nnnn tttt 000000 ii mmmm" Base |cx, w| wide(cx, LOAD_BYTE, w);
    "LDRB (immediate, 8 bits)" "111110000001 nnnn tttt 1puw iiiiiiii" Base |cx, w| wide(cx, LOAD_BYTE, w);
    "LDRBT" "111110000001 nnnn tttt 1110 iiiiiiii" Base |cx, w| wide(cx, LOAD_BYTE, w);
    "LDRB (immediate, 12 bits)" "111110001001 nnnn tttt iiiiiiiiiiii" Base |cx, w| wide(cx, LOAD_BYTE, w);
    "LDRB (literal)" "11111000u001 1111 tttt iiiiiiiiiiii" Base |cx, w| wide(cx, LOAD_BYTE, w);
    "LDRH (register)" "111110000011 nnnn tttt 000000 ii mmmm" Base |cx, w| wide(cx, LOAD_HALF, w);
    "LDRH (immediate, 8 bits)" "111110000011 nnnn tttt 1puw iiiiiiii" Base |cx, w| wide(cx, LOAD_HALF, w);
    "LDRHT" "111110000011 nnnn tttt 1110 iiiiiiii" Base |cx, w| wide(cx, LOAD_HALF, w);
    "LDRH (immediate, 12 bits)" "111110001011 nnnn tttt iiiiiiiiiiii" Base |cx, w| wide(cx, LOAD_HALF, w);
    "LDRH (literal)" "11111000u011 1111 tttt iiiiiiiiiiii" Base |cx, w| wide(cx, LOAD_HALF, w);
    "LDR (register)" "111110000101 nnnn tttt 000000 ii mmmm" Base |cx, w| wide(cx, LOAD, w);
    "LDR (immediate, 8 bits)" "111110000101 nnnn tttt 1puw iiiiiiii" Base |cx, w| wide(cx, LOAD, w);
    "LDRT" "111110000101 nnnn tttt 1110 iiiiiiii" Base |cx, w| wide(cx, LOAD, w);
    "LDR (immediate, 12 bits)" "111110001101 nnnn tttt iiiiiiiiiiii" Base |cx, w| wide(cx, LOAD, w);
    "LDR (literal)" "11111000u101 1111 tttt iiiiiiiiiiii" Base |cx, w| wide(cx, LOAD, w);
    "LDRSB (register)" "111110010001 nnnn tttt 000000 ii mmmm" Base |cx, w| wide(cx, LOAD_SBYTE, w);
    "LDRSB (immediate, 8 bits)" "111110010001 nnnn tttt 1puw iiiiiiii" Base |cx, w| wide(cx, LOAD_SBYTE, w);
    "LDRSBT" "111110010001 nnnn tttt 1110 iiiiiiii" Base |cx, w| wide(cx, LOAD_SBYTE, w);
    "LDRSB (immediate, 12 bits)" "111110011001 nnnn tttt iiiiiiiiiiii" Base |cx, w| wide(cx, LOAD_SBYTE, w);
    "LDRSB (literal)" "11111001u001 1111 tttt iiiiiiiiiiii" Base |cx, w| wide(cx, LOAD_SBYTE, w);
    "LDRSH (register)" "111110010011 nnnn tttt 000000 ii mmmm" Base |cx, w| wide(cx, LOAD_SHALF, w);
    "LDRSH (immediate, 8 bits)" "111110010011 nnnn tttt 1puw iiiiiiii" Base |cx, w| wide(cx, LOAD_SHALF, w);
    "LDRSHT" "111110010011 nnnn tttt 1110 iiiiiiii" Base |cx, w| wide(cx, LOAD_SHALF, w);
    "LDRSH (immediate, 12 bits)" "111110011011 nnnn tttt iiiiiiiiiiii" Base |cx, w| wide(cx, LOAD_SHALF, w);
    "LDRSH (literal)" "11111001u011 1111 tttt iiiiiiiiiiii" Base |cx, w| wide(cx, LOAD_SHALF, w);
    "PLD, PLDW (register)" "1111100000w1 nnnn 1111 000000 ii mmmm" Base |cx, w| wide(cx, Move::Prefetch, w);
    "PLD, PLDW (immediate, 8 bits)" "1111100000w1 nnnn 1111 1100 iiiiiiii" Base |cx, w| wide(cx, Move::Prefetch, w);
    "PLD (immediate, 12 bits)" "111110001001 nnnn 1111 iiiiiiiiiiii" Base |cx, w| wide(cx, Move::Prefetch, w);
    "PLDW (immediate, 12 bits)" "111110001011 nnnn 1111 iiiiiiiiiiii" Base |cx, w| wide(cx, Move::Prefetch, w);
    "PLD (literal)" "1111100010z1 1111 1111 iiiiiiiiiiii" Base |cx, w| wide(cx, Move::Prefetch, w);
    "PLD (literal, minus)" "111110000001 1111 1111 iiiiiiiiiiii" Base |cx, w| wide(cx, Move::Prefetch, w);
    "PLD (literal, minus), W" "111110000011 1111 1111 iiiiiiiiiiii" Base |cx, w| wide(cx, Move::Prefetch, w);
    "PLI, memory hint (register)" "1111100100x1 nnnn 1111 000000 ii mmmm" Base |_, _| Ok(None);
    "PLI, memory hint (immediate, 8 bits)" "1111100100x1 nnnn 1111 1100 iiiiiiii" Base |_, _| Ok(None);
    "PLI (immediate, 12 bits)" "111110011001 nnnn 1111 iiiiiiiiiiii" Base |_, _| Ok(None);
    "Memory hint (immediate, 12 bits)" "111110011011 nnnn 1111 iiiiiiiiiiii" Base |_, _| Ok(None);
    "PLI, memory hint (literal)" "1111100110x1 1111 1111 iiiiiiiiiiii" Base |_, _| Ok(None);
    "PLI (literal, minus)" "111110010001 1111 1111 iiiiiiiiiiii" Base |_, _| Ok(None);
    "Memory hint (literal, minus)" "111110010011 1111 1111 iiiiiiiiiiii" Base |_, _| Ok(None);
    "STRD (immediate, offset and pre-index)" "11101001u1w0 nnnn tttt uuuu iiiiiiii" Base |cx, w| wide_pair(cx, Move::StorePair, w);
    "STRD (immediate, post-index)" "11101000u110 nnnn tttt uuuu iiiiiiii" Base |cx, w| wide_pair(cx, Move::StorePair, w);
    "LDRD (immediate, offset and pre-index)" "11101001u1w1 nnnn tttt uuuu iiiiiiii" Base |cx, w| wide_pair(cx, Move::LoadPair, w);
    "LDRD (immediate, post-index)" "11101000u111 nnnn tttt uuuu iiiiiiii" Base |cx, w| wide_pair(cx, Move::LoadPair, w);
    "LDRD (literal)" "11101001u101 1111 tttt uuuu iiiiiiii" Base |cx, w| wide_pair(cx, Move::LoadPair, w);
    "TBB" "111010001101 nnnn oooo zzzz 0000 mmmm" Base |cx, w| table_branch(cx, Type::I8, w);
    "TBH" "111010001101 nnnn oooo zzzz 0001 mmmm" Base |cx, w| table_branch(cx, Type::I16, w);
};

/// What an instruction moves.
#[derive(Clone, Copy, PartialEq)]
enum Move {
    /// Low bits of Rt to memory.
    Store(Type),
    /// Memory, zero-extended, to Rt.
    Load(Type),
    /// Memory, sign-extended, to Rt.
    LoadSigned(Type),
    /// Rt and Rt2 to memory.
    StorePair,
    /// Memory to Rt and Rt2.
    LoadPair,
    /// Nothing.
    Prefetch,
}

const STORE: Move = Move::Store(Type::I32);
const STORE_HALF: Move = Move::Store(Type::I16);
const STORE_BYTE: Move = Move::Store(Type::I8);
const LOAD: Move = Move::Load(Type::I32);
const LOAD_HALF: Move = Move::Load(Type::I16);
const LOAD_BYTE: Move = Move::Load(Type::I8);
const LOAD_SHALF: Move = Move::LoadSigned(Type::I16);
const LOAD_SBYTE: Move = Move::LoadSigned(Type::I8);

/// What is added to the base register.
#[derive(Clone, Copy)]
enum Offset {
    Immediate(i32),
    /// Rm, shifted, added or subtracted.
    Register(u32, Shift, bool),
}

/// An addressing mode.
#[derive(Clone, Copy)]
struct Address {
    /// The base register; with an immediate, 15 is Align(PC, 4).
    n: u32,
    offset: Offset,
    /// The offset counts for the access: not post-indexed.
    index: bool,
    /// Rn becomes Rn + offset.
    writeback: bool,
}

/// `imm` with the sign that bit U gives.
fn signed(up: bool, imm: u32) -> i32 {
    if up { imm as i32 } else { -(imm as i32) }
}

/// Makes the access of Rt (and Rt2) at `a`.
fn transfer(cx: &mut Cx<'_, '_>, what: Move, t: u32, t2: u32, a: Address) -> Lift {
    if a.writeback && a.n == 15 {
        return Err(Undefined);
    }
    let base = match a.offset {
        Offset::Immediate(imm) if a.n == 15 => cx.literal(imm),
        _ => cx.base(a.n),
    };
    let new = match a.offset {
        Offset::Immediate(_) if a.n == 15 => base,
        Offset::Immediate(imm) => cx.displaced(base, imm),
        Offset::Register(15, ..) if what == Move::Prefetch => return Ok(None),
        Offset::Register(15, ..) => return Err(Undefined),
        Offset::Register(m, shift, add) => {
            let offset = cx.reg(m);
            let (offset, _) = cx.shifted(offset, shift, false);
            cx.indexed(base, offset, add)
        }
    };
    let addr = if a.index { new } else { base };
    let writeback = |cx: &mut Cx<'_, '_>| {
        if a.writeback {
            cx.set_reg(a.n, new);
        }
    };
    match what {
        Move::Prefetch => {
            cx.b.push(Inst::Cache { op: CacheOp::Prefetch, addr }, None);
        }
        Move::Store(ty) => {
            if t == 15 && (ty != Type::I32 || cx.at.thumb) {
                return Err(Undefined);
            }
            let v = cx.reg(t);
            let v = cx.b.zext_or_trunc(ty, v);
            cx.store(addr, v);
            writeback(cx);
        }
        Move::Load(Type::I32) if t == 15 => {
            let to = cx.load(Type::I32, addr);
            writeback(cx);
            return cx.exchange(to, a.n == 13 && a.writeback && !a.index);
        }
        Move::Load(_) | Move::LoadSigned(_) | Move::LoadPair | Move::StorePair if t == 15 || t2 == 15 => {
            return Err(Undefined);
        }
        Move::Load(ty) => {
            let v = cx.load(ty, addr);
            writeback(cx);
            cx.set_reg(t, v);
        }
        Move::LoadSigned(ty) => {
            let v = cx.load(ty, addr);
            let v = cx.b.sext_or_trunc(Type::I32, v);
            writeback(cx);
            cx.set_reg(t, v);
        }
        // One access: aligned ones are single-copy atomic (with the Large Physical Address Extension), and programs rely on it.
        Move::LoadPair => {
            let v = cx.b.load(Type::I64, addr);
            set_pair(cx, v, t, t2);
            writeback(cx);
        }
        Move::StorePair => {
            let v = pair(cx, t, t2);
            cx.b.store(addr, v);
            writeback(cx);
        }
    }
    Ok(None)
}

/// Rt and Rt2 as one i64 in memory, Rt at the lower address.
pub fn pair(cx: &mut Cx<'_, '_>, t: u32, t2: u32) -> Value {
    let (low, high) = (cx.base(t), cx.base(t2));
    let high = cx.b.shift_imm(IntBin::Shl, high, 32);
    let v = cx.b.or(high, low);
    cx.in_memory(v, 4)
}

/// The halves of an i64 in memory, to Rt and Rt2.
pub fn set_pair(cx: &mut Cx<'_, '_>, v: Value, t: u32, t2: u32) {
    let v = cx.in_memory(v, 4);
    let low = cx.b.pure_ty(PureOp::Trunc, Type::I32, &[v]);
    let high = cx.b.shift_imm(IntBin::Lshr, v, 32);
    cx.set_reg(t, low);
    cx.set_reg(t2, high);
}

/// A32's P and W: `[Rn, offset]`, `[Rn, offset]!`, `[Rn], offset`; P = 0, W = 1 are the unprivileged accesses, which are
/// post-indexed, too.
fn a32_address(w: u32, offset: Offset) -> Address {
    let (p, wb) = (bit(w, 24), bit(w, 21));
    Address { n: rn(w), offset, index: p, writeback: !p || wb }
}

/// A32's words and bytes: an offset of 12 bits, or a shifted register.
fn word(cx: &mut Cx<'_, '_>, what: Move, w: u32) -> Lift {
    let up = bit(w, 23);
    let offset = if bit(w, 25) {
        Offset::Register(rm(w), decode_imm_shift(bits(w, 6, 5), bits(w, 11, 7)), up)
    } else {
        Offset::Immediate(signed(up, bits(w, 11, 0)))
    };
    // In the unconditional space bit 21 is not W; preloads are all with an offset and without writeback.
    let address = match what {
        Move::Prefetch => Address { n: rn(w), offset, index: true, writeback: false },
        _ => a32_address(w, offset),
    };
    transfer(cx, what, rd(w), 0, address)
}

/// A32's halfwords, signed bytes and pairs: an offset of 8 bits, or a register.
fn extra(cx: &mut Cx<'_, '_>, what: Move, w: u32) -> Lift {
    let (up, t) = (bit(w, 23), rd(w));
    let offset = if bit(w, 22) {
        Offset::Immediate(signed(up, rs(w) << 4 | rm(w)))
    } else {
        Offset::Register(rm(w), Shift::Lsl(0), up)
    };
    let address = a32_address(w, offset);
    if !matches!(what, Move::LoadPair | Move::StorePair) {
        return transfer(cx, what, t, 0, address);
    }
    // There are no unprivileged pairs.
    if t % 2 != 0 || (!bit(w, 24) && bit(w, 21)) {
        return Err(Undefined);
    }
    transfer(cx, what, t, t + 1, address)
}

/// T16's `[Rn, #offset]`.
fn narrow_offset(cx: &mut Cx<'_, '_>, what: Move, t: u32, n: u32, offset: u32) -> Lift {
    let offset = Offset::Immediate(offset as i32);
    transfer(cx, what, t, 0, Address { n, offset, index: true, writeback: false })
}

/// T16's `[Rn, #imm5 × size]`.
fn narrow_immediate(cx: &mut Cx<'_, '_>, what: Move, w: u32, size: u32) -> Lift {
    narrow_offset(cx, what, bits(w, 2, 0), bits(w, 5, 3), bits(w, 10, 6) * size)
}

/// T16's `[Rn, Rm]`.
fn narrow_register(cx: &mut Cx<'_, '_>, what: Move, w: u32) -> Lift {
    let offset = Offset::Register(bits(w, 8, 6), Shift::Lsl(0), true);
    let address = Address { n: bits(w, 5, 3), offset, index: true, writeback: false };
    transfer(cx, what, bits(w, 2, 0), 0, address)
}

/// T32's single registers: a literal if Rn is 15, else `[Rn, #imm12]`, `[Rn, Rm, LSL #imm2]`, or 8 bits with P, U and W
/// (offset, pre-indexed, post-indexed, unprivileged).
fn wide(cx: &mut Cx<'_, '_>, what: Move, w: u32) -> Lift {
    let (n, up) = (rn(w), bit(w, 23));
    let at = |offset| Address { n, offset, index: true, writeback: false };
    let address = if n == 15 {
        if matches!(what, Move::Store(_)) {
            return Err(Undefined);
        }
        at(Offset::Immediate(signed(up, bits(w, 11, 0))))
    } else if up {
        at(Offset::Immediate(bits(w, 11, 0) as i32))
    } else if !bit(w, 11) {
        at(Offset::Register(rm(w), Shift::Lsl(bits(w, 5, 4)), true))
    } else {
        let (p, wb) = (bit(w, 10), bit(w, 8));
        if !p && !wb {
            return Err(Undefined);
        }
        let offset = Offset::Immediate(signed(bit(w, 9), bits(w, 7, 0)));
        Address { n, offset, index: p, writeback: wb }
    };
    transfer(cx, what, rd(w), 0, address)
}

/// T32's pairs: P, U and W, and 8 bits of words.
fn wide_pair(cx: &mut Cx<'_, '_>, what: Move, w: u32) -> Lift {
    let n = rn(w);
    if n == 15 && what == Move::StorePair {
        return Err(Undefined);
    }
    let offset = Offset::Immediate(signed(bit(w, 23), bits(w, 7, 0) * 4));
    let address = Address { n, offset, index: bit(w, 24), writeback: bit(w, 21) };
    transfer(cx, what, rd(w), rs(w), address)
}

/// `TBB [Rn, Rm]`, `TBH [Rn, Rm, LSL #1]`: forward from PC by twice the byte or halfword there.
fn table_branch(cx: &mut Cx<'_, '_>, ty: Type, w: u32) -> Lift {
    if rm(w) == 15 {
        return Err(Undefined);
    }
    let (base, index) = (cx.base(rn(w)), cx.reg(rm(w)));
    let index = if ty == Type::I16 { cx.b.shift_imm(IntBin::Shl, index, 1) } else { index };
    let addr = cx.indexed(base, index, true);
    let distance = cx.load(ty, addr);
    let distance = cx.b.zext_or_trunc(Type::I32, distance);
    let distance = cx.b.shift_imm(IntBin::Shl, distance, 1);
    // PC is even, and so is the distance: bit 0 stays.
    let pc = cx.at.pc() | 1;
    let pc = cx.address_of(pc);
    let pc = cx.b.zext_or_trunc(Type::I32, pc);
    let to = cx.b.add(pc, distance);
    cx.exchange(to, false)
}
