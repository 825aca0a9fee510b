//! Loads and stores of general and SIMD&FP registers, pairs and literals (Arm ARM C4.1.67). One function per addressing
//! mode; what moves (size, extension, register file) is a value. All accesses of an instruction come before its first
//! register write, so that a fault finds the state before it.
//!
//! Constrained unpredictable register overlaps do what qemu does: a load with writeback leaves the new address in the
//! base register, a store with writeback stores the old one.

use super::branch::target19;
use super::cx::{Cx, Lift, Undefined, bit, bits, ra, rd, rm, rn, sbits};
use super::integer_reg::extended;
use super::table::{Row, row_table};
use ir::{CacheOp, Inst, PureOp, Type, Value};

/// Rows of this group.
pub static ROWS: &[Row] = row_table! {
    "LDR (literal)" "0x011 0 00 iiiiiiiiiiiiiiiiiii ttttt" Base literal;
    "LDRSW (literal)" "10011 0 00 iiiiiiiiiiiiiiiiiii ttttt" Base literal;
    "PRFM (literal)" "11011 0 00 iiiiiiiiiiiiiiiiiii ttttt" Base literal;
    "LDR (literal, SIMD&FP, 32- and 64-bit)" "0x011 1 00 iiiiiiiiiiiiiiiiiii ttttt" Fp literal;
    "LDR (literal, SIMD&FP, 128-bit)" "10011 1 00 iiiiiiiiiiiiiiiiiii ttttt" Fp literal;
    "STNP" "x0101 0 000 0 iiiiiii uuuuu nnnnn ttttt" Base pair_offset;
    "LDNP" "x0101 0 000 1 iiiiiii uuuuu nnnnn ttttt" Base pair_offset;
    "STP (post-index)" "x0101 0 001 0 iiiiiii uuuuu nnnnn ttttt" Base pair_post;
    "LDP (post-index)" "x0101 0 001 1 iiiiiii uuuuu nnnnn ttttt" Base pair_post;
    "STP (signed offset)" "x0101 0 010 0 iiiiiii uuuuu nnnnn ttttt" Base pair_offset;
    "LDP (signed offset)" "x0101 0 010 1 iiiiiii uuuuu nnnnn ttttt" Base pair_offset;
    "STP (pre-index)" "x0101 0 011 0 iiiiiii uuuuu nnnnn ttttt" Base pair_pre;
    "LDP (pre-index)" "x0101 0 011 1 iiiiiii uuuuu nnnnn ttttt" Base pair_pre;
    "LDPSW (post-index)" "01101 0 001 1 iiiiiii uuuuu nnnnn ttttt" Base pair_post;
    "LDPSW (signed offset)" "01101 0 010 1 iiiiiii uuuuu nnnnn ttttt" Base pair_offset;
    "LDPSW (pre-index)" "01101 0 011 1 iiiiiii uuuuu nnnnn ttttt" Base pair_pre;
    "STNP (SIMD&FP, 32- and 64-bit)" "0x101 1 000 0 iiiiiii uuuuu nnnnn ttttt" Fp pair_offset;
    "STNP (SIMD&FP, 128-bit)" "10101 1 000 0 iiiiiii uuuuu nnnnn ttttt" Fp pair_offset;
    "LDNP (SIMD&FP, 32- and 64-bit)" "0x101 1 000 1 iiiiiii uuuuu nnnnn ttttt" Fp pair_offset;
    "LDNP (SIMD&FP, 128-bit)" "10101 1 000 1 iiiiiii uuuuu nnnnn ttttt" Fp pair_offset;
    "STP (SIMD&FP, post-index, 32- and 64-bit)" "0x101 1 001 0 iiiiiii uuuuu nnnnn ttttt" Fp pair_post;
    "STP (SIMD&FP, post-index, 128-bit)" "10101 1 001 0 iiiiiii uuuuu nnnnn ttttt" Fp pair_post;
    "LDP (SIMD&FP, post-index, 32- and 64-bit)" "0x101 1 001 1 iiiiiii uuuuu nnnnn ttttt" Fp pair_post;
    "LDP (SIMD&FP, post-index, 128-bit)" "10101 1 001 1 iiiiiii uuuuu nnnnn ttttt" Fp pair_post;
    "STP (SIMD&FP, signed offset, 32- and 64-bit)" "0x101 1 010 0 iiiiiii uuuuu nnnnn ttttt" Fp pair_offset;
    "STP (SIMD&FP, signed offset, 128-bit)" "10101 1 010 0 iiiiiii uuuuu nnnnn ttttt" Fp pair_offset;
    "LDP (SIMD&FP, signed offset, 32- and 64-bit)" "0x101 1 010 1 iiiiiii uuuuu nnnnn ttttt" Fp pair_offset;
    "LDP (SIMD&FP, signed offset, 128-bit)" "10101 1 010 1 iiiiiii uuuuu nnnnn ttttt" Fp pair_offset;
    "STP (SIMD&FP, pre-index, 32- and 64-bit)" "0x101 1 011 0 iiiiiii uuuuu nnnnn ttttt" Fp pair_pre;
    "STP (SIMD&FP, pre-index, 128-bit)" "10101 1 011 0 iiiiiii uuuuu nnnnn ttttt" Fp pair_pre;
    "LDP (SIMD&FP, pre-index, 32- and 64-bit)" "0x101 1 011 1 iiiiiii uuuuu nnnnn ttttt" Fp pair_pre;
    "LDP (SIMD&FP, pre-index, 128-bit)" "10101 1 011 1 iiiiiii uuuuu nnnnn ttttt" Fp pair_pre;
    "STRB (immediate, unsigned offset)" "00111 0 01 00 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "LDRB (immediate, unsigned offset)" "00111 0 01 01 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "LDRSB (immediate, unsigned offset, 64-bit)" "00111 0 01 10 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "LDRSB (immediate, unsigned offset, 32-bit)" "00111 0 01 11 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "STRH (immediate, unsigned offset)" "01111 0 01 00 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "LDRH (immediate, unsigned offset)" "01111 0 01 01 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "LDRSH (immediate, unsigned offset, 64-bit)" "01111 0 01 10 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "LDRSH (immediate, unsigned offset, 32-bit)" "01111 0 01 11 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "STR (immediate, unsigned offset)" "1x111 0 01 00 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "LDR (immediate, unsigned offset)" "1x111 0 01 01 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "LDRSW (immediate, unsigned offset)" "10111 0 01 10 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "PRFM (immediate, unsigned offset)" "11111 0 01 10 iiiiiiiiiiii nnnnn ttttt" Base ldst_unsigned;
    "STR (SIMD&FP, unsigned offset)" "ss111 1 01 00 iiiiiiiiiiii nnnnn ttttt" Fp ldst_unsigned;
    "LDR (SIMD&FP, unsigned offset)" "ss111 1 01 01 iiiiiiiiiiii nnnnn ttttt" Fp ldst_unsigned;
    "STR (SIMD&FP, unsigned offset, 128-bit)" "00111 1 01 10 iiiiiiiiiiii nnnnn ttttt" Fp ldst_unsigned;
    "LDR (SIMD&FP, unsigned offset, 128-bit)" "00111 1 01 11 iiiiiiiiiiii nnnnn ttttt" Fp ldst_unsigned;
    "STURB" "00111 0 00 00 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "LDURB" "00111 0 00 01 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "LDURSB (64-bit)" "00111 0 00 10 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "LDURSB (32-bit)" "00111 0 00 11 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "STURH" "01111 0 00 00 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "LDURH" "01111 0 00 01 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "LDURSH (64-bit)" "01111 0 00 10 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "LDURSH (32-bit)" "01111 0 00 11 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "STUR" "1x111 0 00 00 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "LDUR" "1x111 0 00 01 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "LDURSW" "10111 0 00 10 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "PRFUM" "11111 0 00 10 0 iiiiiiiii 00 nnnnn ttttt" Base ldst_unscaled;
    "STUR (SIMD&FP)" "ss111 1 00 00 0 iiiiiiiii 00 nnnnn ttttt" Fp ldst_unscaled;
    "LDUR (SIMD&FP)" "ss111 1 00 01 0 iiiiiiiii 00 nnnnn ttttt" Fp ldst_unscaled;
    "STUR (SIMD&FP, 128-bit)" "00111 1 00 10 0 iiiiiiiii 00 nnnnn ttttt" Fp ldst_unscaled;
    "LDUR (SIMD&FP, 128-bit)" "00111 1 00 11 0 iiiiiiiii 00 nnnnn ttttt" Fp ldst_unscaled;
    "STRB (immediate, post-index)" "00111 0 00 00 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "LDRB (immediate, post-index)" "00111 0 00 01 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "LDRSB (immediate, post-index, 64-bit)" "00111 0 00 10 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "LDRSB (immediate, post-index, 32-bit)" "00111 0 00 11 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "STRH (immediate, post-index)" "01111 0 00 00 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "LDRH (immediate, post-index)" "01111 0 00 01 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "LDRSH (immediate, post-index, 64-bit)" "01111 0 00 10 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "LDRSH (immediate, post-index, 32-bit)" "01111 0 00 11 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "STR (immediate, post-index)" "1x111 0 00 00 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "LDR (immediate, post-index)" "1x111 0 00 01 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "LDRSW (immediate, post-index)" "10111 0 00 10 0 iiiiiiiii 01 nnnnn ttttt" Base ldst_post;
    "STR (SIMD&FP, post-index)" "ss111 1 00 00 0 iiiiiiiii 01 nnnnn ttttt" Fp ldst_post;
    "LDR (SIMD&FP, post-index)" "ss111 1 00 01 0 iiiiiiiii 01 nnnnn ttttt" Fp ldst_post;
    "STR (SIMD&FP, post-index, 128-bit)" "00111 1 00 10 0 iiiiiiiii 01 nnnnn ttttt" Fp ldst_post;
    "LDR (SIMD&FP, post-index, 128-bit)" "00111 1 00 11 0 iiiiiiiii 01 nnnnn ttttt" Fp ldst_post;
    "STTRB" "00111 0 00 00 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "LDTRB" "00111 0 00 01 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "LDTRSB (64-bit)" "00111 0 00 10 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "LDTRSB (32-bit)" "00111 0 00 11 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "STTRH" "01111 0 00 00 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "LDTRH" "01111 0 00 01 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "LDTRSH (64-bit)" "01111 0 00 10 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "LDTRSH (32-bit)" "01111 0 00 11 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "STTR" "1x111 0 00 00 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "LDTR" "1x111 0 00 01 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "LDTRSW" "10111 0 00 10 0 iiiiiiiii 10 nnnnn ttttt" Base ldst_unscaled;
    "STRB (immediate, pre-index)" "00111 0 00 00 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "LDRB (immediate, pre-index)" "00111 0 00 01 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "LDRSB (immediate, pre-index, 64-bit)" "00111 0 00 10 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "LDRSB (immediate, pre-index, 32-bit)" "00111 0 00 11 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "STRH (immediate, pre-index)" "01111 0 00 00 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "LDRH (immediate, pre-index)" "01111 0 00 01 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "LDRSH (immediate, pre-index, 64-bit)" "01111 0 00 10 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "LDRSH (immediate, pre-index, 32-bit)" "01111 0 00 11 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "STR (immediate, pre-index)" "1x111 0 00 00 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "LDR (immediate, pre-index)" "1x111 0 00 01 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "LDRSW (immediate, pre-index)" "10111 0 00 10 0 iiiiiiiii 11 nnnnn ttttt" Base ldst_pre;
    "STR (SIMD&FP, pre-index)" "ss111 1 00 00 0 iiiiiiiii 11 nnnnn ttttt" Fp ldst_pre;
    "LDR (SIMD&FP, pre-index)" "ss111 1 00 01 0 iiiiiiiii 11 nnnnn ttttt" Fp ldst_pre;
    "STR (SIMD&FP, pre-index, 128-bit)" "00111 1 00 10 0 iiiiiiiii 11 nnnnn ttttt" Fp ldst_pre;
    "LDR (SIMD&FP, pre-index, 128-bit)" "00111 1 00 11 0 iiiiiiiii 11 nnnnn ttttt" Fp ldst_pre;
    "STRB (register)" "00111 0 00 00 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "LDRB (register)" "00111 0 00 01 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "LDRSB (register, 64-bit)" "00111 0 00 10 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "LDRSB (register, 32-bit)" "00111 0 00 11 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "STRH (register)" "01111 0 00 00 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "LDRH (register)" "01111 0 00 01 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "LDRSH (register, 64-bit)" "01111 0 00 10 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "LDRSH (register, 32-bit)" "01111 0 00 11 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "STR (register)" "1x111 0 00 00 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "LDR (register)" "1x111 0 00 01 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "LDRSW (register)" "10111 0 00 10 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "PRFM (register)" "11111 0 00 10 1 mmmmm e1eS10 nnnnn ttttt" Base ldst_register;
    "STR (SIMD&FP, register)" "ss111 1 00 00 1 mmmmm e1eS10 nnnnn ttttt" Fp ldst_register;
    "LDR (SIMD&FP, register)" "ss111 1 00 01 1 mmmmm e1eS10 nnnnn ttttt" Fp ldst_register;
    "STR (SIMD&FP, register, 128-bit)" "00111 1 00 10 1 mmmmm e1eS10 nnnnn ttttt" Fp ldst_register;
    "LDR (SIMD&FP, register, 128-bit)" "00111 1 00 11 1 mmmmm e1eS10 nnnnn ttttt" Fp ldst_register;
};

/// What one access moves.
#[derive(Clone, Copy)]
enum Move {
    /// Low bits of a general register to memory.
    StoreGpr(Type),
    /// Memory to a general register, zero-extended.
    LoadGpr(Type),
    /// Memory, sign-extended to the second type, to a general register, zero-extended from there.
    LoadSigned(Type, Type),
    /// Low bits of a SIMD&FP register to memory.
    StoreVec(Type),
    /// Memory to a SIMD&FP register, zero above.
    LoadVec(Type),
    /// Nothing: PRFM.
    Prefetch,
}

/// The type in which 2^`log2` bytes of a SIMD&FP register move: floats where they are, so that they stay in such registers.
pub fn vec_type(log2: u32) -> Type {
    match log2 {
        0 => Type::I8,
        1 => Type::I16,
        2 => Type::F32,
        3 => Type::F64,
        _ => Type::V128,
    }
}

/// What size (bits 31:30), V (bit 26) and opc (bits 23:22) say, and the log2 of the bytes.
fn movement(w: u32) -> Result<(Move, u32), Undefined> {
    let (size, opc) = (bits(w, 31, 30), bits(w, 23, 22));
    if bit(w, 26) {
        let size = size | (opc & 2) << 1;
        if size > 4 {
            return Err(Undefined);
        }
        let ty = vec_type(size);
        return Ok((if opc & 1 == 0 { Move::StoreVec(ty) } else { Move::LoadVec(ty) }, size));
    }
    let ty = Type::int(8 << size);
    let what = match (opc, size) {
        (0, _) => Move::StoreGpr(ty),
        (1, _) => Move::LoadGpr(ty),
        (2, 3) => Move::Prefetch,
        (2, _) => Move::LoadSigned(ty, Type::I64),
        (_, 0 | 1) => Move::LoadSigned(ty, Type::I32),
        _ => return Err(Undefined),
    };
    Ok((what, size))
}

/// A value loaded and not yet written to its register.
enum Loaded {
    Nothing,
    Gpr(Value),
    Vec(Value),
}

/// Makes the access of register `t`; the result is to be handed to [`write`].
fn access(cx: &mut Cx<'_, '_>, what: Move, t: u32, addr: Value) -> Loaded {
    match what {
        Move::StoreGpr(ty) => {
            let v = cx.gpr(ty == Type::I64, t);
            let v = cx.b.zext_or_trunc(ty, v);
            cx.b.store(addr, v);
            Loaded::Nothing
        }
        Move::LoadGpr(ty) => Loaded::Gpr(cx.b.load(ty, addr)),
        Move::LoadSigned(ty, to) => {
            let v = cx.b.load(ty, addr);
            Loaded::Gpr(cx.b.pure_ty(PureOp::Sext, to, &[v]))
        }
        Move::StoreVec(ty) => {
            let v = if ty == Type::V128 { cx.vec(t) } else { cx.scalar(ty, t) };
            cx.b.store(addr, v);
            Loaded::Nothing
        }
        Move::LoadVec(ty) => Loaded::Vec(cx.b.load(ty, addr)),
        Move::Prefetch => {
            // PLD and PST; PLI and the reserved kinds do nothing.
            if matches!(t >> 3, 0 | 2) {
                cx.b.push(Inst::Cache { op: CacheOp::Prefetch, addr }, None);
            }
            Loaded::Nothing
        }
    }
}

/// Writes what [`access`] loaded.
fn write(cx: &mut Cx<'_, '_>, t: u32, loaded: Loaded) {
    match loaded {
        Loaded::Nothing => {}
        Loaded::Gpr(v) => cx.set_gpr(t, v),
        Loaded::Vec(v) if cx.b.ty(v) == Type::V128 => cx.set_vec(t, v),
        Loaded::Vec(v) => cx.set_scalar(t, v),
    }
}

/// Access at a ready address, no writeback.
fn at(cx: &mut Cx<'_, '_>, w: u32, what: Move, addr: Value) -> Lift {
    let loaded = access(cx, what, rd(w), addr);
    write(cx, rd(w), loaded);
    Ok(None)
}

/// `[Xn|SP, #imm12 × size]`.
fn ldst_unsigned(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (what, log2) = movement(w)?;
    let base = cx.gpr_sp(true, rn(w));
    let addr = cx.b.add_imm(base, (bits(w, 21, 10) as i64) << log2);
    at(cx, w, what, addr)
}

/// `[Xn|SP, #imm9]`; unprivileged accesses at EL0 are ordinary ones.
fn ldst_unscaled(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (what, _) = movement(w)?;
    let base = cx.gpr_sp(true, rn(w));
    let addr = cx.b.add_imm(base, sbits(w, 20, 12));
    at(cx, w, what, addr)
}

/// `[Xn|SP], #imm9`.
fn ldst_post(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (what, _) = movement(w)?;
    let base = cx.gpr_sp(true, rn(w));
    let loaded = access(cx, what, rd(w), base);
    let new = cx.b.add_imm(base, sbits(w, 20, 12));
    write(cx, rd(w), loaded);
    cx.set_gpr_sp(rn(w), new);
    Ok(None)
}

/// `[Xn|SP, #imm9]!`.
fn ldst_pre(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (what, _) = movement(w)?;
    let base = cx.gpr_sp(true, rn(w));
    let addr = cx.b.add_imm(base, sbits(w, 20, 12));
    let loaded = access(cx, what, rd(w), addr);
    write(cx, rd(w), loaded);
    cx.set_gpr_sp(rn(w), addr);
    Ok(None)
}

/// `[Xn|SP, Rm, extend {#size}]`.
fn ldst_register(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (what, log2) = movement(w)?;
    let base = cx.gpr_sp(true, rn(w));
    let shift = if bit(w, 12) { log2 } else { 0 };
    let offset = extended(cx, true, rm(w), bits(w, 15, 13), shift);
    let addr = cx.b.add(base, offset);
    at(cx, w, what, addr)
}

/// `LDR|LDRSW|PRFM Rt, label`.
fn literal(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let what = match (bit(w, 26), bits(w, 31, 30)) {
        (false, 0) => Move::LoadGpr(Type::I32),
        (false, 1) => Move::LoadGpr(Type::I64),
        (false, 2) => Move::LoadSigned(Type::I32, Type::I64),
        (false, _) => return Ok(None),
        (true, 3) => return Err(Undefined),
        (true, size) => Move::LoadVec(vec_type(size + 2)),
    };
    let addr = cx.b.code_addr(target19(w, cx.pc));
    at(cx, w, what, addr)
}

/// What opc (bits 31:30), V and L (bit 22) of a pair say, and the log2 of each register's bytes.
fn pair_movement(w: u32) -> Result<(Move, u32), Undefined> {
    let (opc, load) = (bits(w, 31, 30), bit(w, 22));
    if bit(w, 26) {
        if opc == 3 {
            return Err(Undefined);
        }
        let ty = vec_type(opc + 2);
        return Ok((if load { Move::LoadVec(ty) } else { Move::StoreVec(ty) }, opc + 2));
    }
    match (opc, load) {
        (0, false) => Ok((Move::StoreGpr(Type::I32), 2)),
        (0, true) => Ok((Move::LoadGpr(Type::I32), 2)),
        (1, true) => Ok((Move::LoadSigned(Type::I32, Type::I64), 2)),
        (2, false) => Ok((Move::StoreGpr(Type::I64), 3)),
        (2, true) => Ok((Move::LoadGpr(Type::I64), 3)),
        _ => Err(Undefined),
    }
}

/// The accesses of a pair: at `base` + `offset` × size, then `writeback` to the base register.
fn pair(cx: &mut Cx<'_, '_>, w: u32, post: bool, writeback: bool) -> Lift {
    let (what, log2) = pair_movement(w)?;
    let base = cx.gpr_sp(true, rn(w));
    let offset = sbits(w, 21, 15) << log2;
    let first = if post { 0 } else { offset };
    let addr1 = cx.b.add_imm(base, first);
    let (loaded1, loaded2) = match what {
        // Two zeros are one store on the host.
        Move::StoreGpr(ty) if rd(w) == 31 && ra(w) == 31 => {
            let zero = cx.b.konst(if ty == Type::I64 { Type::V128 } else { Type::I64 }, 0);
            cx.b.store(addr1, zero);
            (Loaded::Nothing, Loaded::Nothing)
        }
        _ => {
            let addr2 = cx.b.add_imm(base, first + (1 << log2));
            (access(cx, what, rd(w), addr1), access(cx, what, ra(w), addr2))
        }
    };
    // If both are the same register, qemu leaves the first in a general one, the second in a SIMD&FP one.
    if bit(w, 26) {
        write(cx, rd(w), loaded1);
        write(cx, ra(w), loaded2);
    } else {
        write(cx, ra(w), loaded2);
        write(cx, rd(w), loaded1);
    }
    if writeback {
        let new = if post { cx.b.add_imm(base, offset) } else { addr1 };
        cx.set_gpr_sp(rn(w), new);
    }
    Ok(None)
}

/// `LDP|STP|LDPSW|LDNP|STNP Rt, Rt2, [Xn|SP, #imm7 × size]`.
fn pair_offset(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    pair(cx, w, false, false)
}

/// `LDP|STP|LDPSW Rt, Rt2, [Xn|SP], #imm7 × size`.
fn pair_post(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    pair(cx, w, true, true)
}

/// `LDP|STP|LDPSW Rt, Rt2, [Xn|SP, #imm7 × size]!`.
fn pair_pre(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    pair(cx, w, false, true)
}
