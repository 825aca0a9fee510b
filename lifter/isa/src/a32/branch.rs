//! Branches, IT, and instructions that leave user mode (Arm ARM F3.1, F4.1). Each lift function but IT's ends the run. In
//! patterns, `z` and `o` are bits that should be 0 and 1.

use super::cx::{Cx, Lift, Undefined, bit, bits, rm, rn, sbits};
use super::table::{Row, row_table};
use super::{Place, reg};
use crate::Exit;
use ir::{CallTarget, GuestAddr, IntCmp, TrapKind, Type};

/// Rows of A32.
pub static A32: &[Row] = row_table! { A32:
    "B" "cccc 1010 iiiiiiiiiiiiiiiiiiiiiiii" Base |cx, w| jump(cx, offset24(w));
    "BL, BLX (immediate) A1" "cccc 1011 iiiiiiiiiiiiiiiiiiiiiiii" Base |cx, w| call(cx, offset24(w), false);
    "BL, BLX (immediate) A2" "1111 101h iiiiiiiiiiiiiiiiiiiiiiii" Base |cx, w| {
        let offset = offset24(w) + (bits(w, 24, 24) as i32) * 2;
        call(cx, offset, true)
    };
    "BX" "cccc 00010010 oooo oooo oooo 0001 mmmm" Base |cx, w| bx(cx, rm(w));
    "BXJ" "cccc 00010010 oooo oooo oooo 0010 mmmm" Base |cx, w| bx(cx, rm(w));
    "BLX (register)" "cccc 00010010 oooo oooo oooo 0011 mmmm" Base |cx, w| blx(cx, rm(w));
    "SVC" "cccc 1111 iiiiiiiiiiiiiiiiiiiiiiii" Base |cx, w| svc(cx, w as u16);
    "BKPT" "cccc 00010010 iiiiiiiiiiii 0111 iiii" Base |cx, w| breakpoint(cx, (bits(w, 19, 8) << 4 | rm(w)) as u16);
    "UDF" "cccc 01111111 iiiiiiiiiiii 1111 iiii" Base |cx, w| udf(cx, w & 0x0fff_ffff == 0x07f0_01f0);
};

/// Rows of T16.
pub static T16: &[Row] = row_table! { T16:
    "B T1" "1101 cccc iiiiiiii" Base |cx, w| {
        let to = target(cx, sbits(w, 7, 0) as i32 * 2);
        branch_if(cx, bits(w, 11, 8), to)
    };
    "B T2" "11100 iiiiiiiiiii" Base |cx, w| jump(cx, sbits(w, 10, 0) as i32 * 2);
    "BX" "010001110 mmmm zzz" Base |cx, w| bx(cx, bits(w, 6, 3));
    "BLX (register)" "010001111 mmmm zzz" Base |cx, w| blx(cx, bits(w, 6, 3));
    "CBNZ, CBZ" "1011 b0i1 iiiii nnn" Base cbz;
    "IT" "10111111 cccc mmmm" Base it;
    "SVC" "11011111 iiiiiiii" Base |cx, w| svc(cx, bits(w, 7, 0) as u16);
    "UDF T1" "11011110 iiiiiiii" Base |cx, w| udf(cx, w == 0xde01);
    "BKPT" "10111110 iiiiiiii" Base |cx, w| breakpoint(cx, bits(w, 7, 0) as u16);
};

/// Rows of T32.
pub static T32: &[Row] = row_table! { T32:
    "B T3" "11110 s cccc iiiiii 10 j 0 j iiiiiiiiiii" Base |cx, w| {
        let cond = bits(w, 25, 22);
        if cond >= 14 {
            return Err(Undefined);
        }
        let high = sbits(w, 26, 26) as i32 * 4 + bit(w, 11) as i32 * 2 + bit(w, 13) as i32;
        let offset = (high << 18) | (bits(w, 21, 16) << 12) as i32 | (bits(w, 10, 0) << 1) as i32;
        let to = target(cx, offset);
        branch_if(cx, cond, to)
    };
    "B T4" "11110 s iiiiiiiiii 10 j 1 j iiiiiiiiiii" Base |cx, w| jump(cx, offset_bl(w));
    "BL, BLX (immediate) T1" "11110 s iiiiiiiiii 11 j 1 j iiiiiiiiiii" Base |cx, w| call(cx, offset_bl(w), false);
    "BL, BLX (immediate) T2" "11110 s iiiiiiiiii 11 j 0 j iiiiiiiiii 0" Base |cx, w| call(cx, offset_bl(w), true);
    "BXJ" "111100111100 mmmm 10z0oooo zzzzzzzz" Base |cx, w| bx(cx, rn(w));
    "UDF T2" "111101111111 iiii 1010 iiiiiiiiiiii" Base |cx, w| udf(cx, w == 0xf7f0_a000);
};

fn offset24(w: u32) -> i32 {
    sbits(w, 23, 0) as i32 * 4
}

/// S:I1:I2:imm10:imm11:0 of B T4 and BL.
fn offset_bl(w: u32) -> i32 {
    let s = bit(w, 26);
    let i = |j: bool| (j == s) as i32;
    let high = -(s as i32) * 4 + i(bit(w, 13)) * 2 + i(bit(w, 11));
    (high << 22) | (bits(w, 25, 16) << 12) as i32 | (bits(w, 10, 0) << 1) as i32
}

/// The place at PC + `offset` in this state.
fn target(cx: &Cx<'_, '_>, offset: i32) -> GuestAddr {
    cx.at.at(cx.at.pc().wrapping_add_signed(offset)).into()
}

fn jump(cx: &mut Cx<'_, '_>, offset: i32) -> Lift {
    if cx.at.in_it() && !cx.at.last_in_it() {
        return Err(Undefined);
    }
    Ok(Some(Exit::Jump(target(cx, offset))))
}

fn branch_if(cx: &mut Cx<'_, '_>, cond: u32, then: GuestAddr) -> Lift {
    if cx.at.in_it() {
        return Err(Undefined);
    }
    let cond = cx.condition(cond);
    Ok(Some(Exit::Branch { cond, then, els: cx.next_place().into() }))
}

/// Sets LR to behind this instruction, with the state; gives that place. Calls end IT blocks.
fn link(cx: &mut Cx<'_, '_>) -> Result<GuestAddr, Undefined> {
    if cx.at.in_it() && !cx.at.last_in_it() {
        return Err(Undefined);
    }
    let ret = GuestAddr::from(cx.next_place());
    let v = cx.b.code_addr(ret);
    cx.set(reg::LR, v);
    Ok(ret)
}

fn call(cx: &mut Cx<'_, '_>, offset: i32, exchange: bool) -> Lift {
    let ret = link(cx)?;
    let at = cx.at;
    let to = if exchange {
        Place { thumb: !at.thumb, ..at.at((at.pc() & !3).wrapping_add_signed(offset)) }
    } else {
        at.at(at.pc().wrapping_add_signed(offset))
    };
    Ok(Some(Exit::Call { target: CallTarget::Direct(to.into()), ret }))
}

/// `BX Rm`. BXJ is BX: Jazelle is trivial in Armv8.
fn bx(cx: &mut Cx<'_, '_>, m: u32) -> Lift {
    if cx.at.in_it() && !cx.at.last_in_it() {
        return Err(Undefined);
    }
    let to = cx.reg(m);
    cx.exchange(to, m == 14)
}

fn blx(cx: &mut Cx<'_, '_>, m: u32) -> Lift {
    if m == 15 {
        return Err(Undefined);
    }
    let to = cx.base(m);
    let ret = link(cx)?;
    Ok(Some(Exit::Call { target: CallTarget::Indirect(to), ret }))
}

/// `CBZ|CBNZ Rn, label`.
fn cbz(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    if cx.at.in_it() {
        return Err(Undefined);
    }
    let v = cx.reg(bits(w, 2, 0));
    let zero = cx.b.konst(Type::I32, 0);
    let cond = cx.b.cmp(if bit(w, 11) { IntCmp::Ne } else { IntCmp::Eq }, v, zero);
    let then = target(cx, (bits(w, 9, 9) << 6 | bits(w, 7, 3) << 1) as i32);
    Ok(Some(Exit::Branch { cond, then, els: cx.next_place().into() }))
}

/// `IT{x{y{z}}} cond`: nothing but a state for the places behind it. A mask of 0 is another encoding (hints).
fn it(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (first, mask) = (bits(w, 7, 4), bits(w, 3, 0));
    if cx.at.in_it() || first == 15 || (first == 14 && mask.count_ones() != 1) {
        return Err(Undefined);
    }
    Ok(None)
}

fn svc(cx: &mut Cx<'_, '_>, imm: u16) -> Lift {
    Ok(Some(Exit::Syscall { imm, next: cx.next_place().into() }))
}

/// `UDF #imm`. Linux makes breakpoints of three words.
fn udf(cx: &mut Cx<'_, '_>, is_breakpoint: bool) -> Lift {
    if is_breakpoint { breakpoint(cx, 0) } else { Err(Undefined) }
}

fn breakpoint(cx: &mut Cx<'_, '_>, imm: u16) -> Lift {
    Ok(Some(Exit::Trap { kind: TrapKind::Breakpoint(imm), pc: cx.pc }))
}
