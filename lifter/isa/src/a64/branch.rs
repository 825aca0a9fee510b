//! Branches and exception-generating instructions (Arm ARM C4.1.66). Each lift function ends the run.

use super::cx::{Cx, Lift, Undefined, bit, bits, rd, rn, sbits};
use super::reg;
use super::table::{Row, row_table};
use crate::Exit;
use ir::{CallTarget, GuestAddr, IntCmp, TrapKind};

/// Rows of this group.
pub static ROWS: &[Row] = row_table! {
    "B" "000101 iiiiiiiiiiiiiiiiiiiiiiiiii" Base b;
    "BL" "100101 iiiiiiiiiiiiiiiiiiiiiiiiii" Base bl;
    "B.cond" "01010100 iiiiiiiiiiiiiiiiiii 0 cccc" Base b_cond;
    "CBZ" "x0110100 iiiiiiiiiiiiiiiiiii ttttt" Base cbz;
    "CBNZ" "x0110101 iiiiiiiiiiiiiiiiiii ttttt" Base cbz;
    "TBZ" "b0110110 bbbbb iiiiiiiiiiiiii ttttt" Base tbz;
    "TBNZ" "b0110111 bbbbb iiiiiiiiiiiiii ttttt" Base tbz;
    "BR" "1101011 0000 11111 000000 nnnnn 00000" Base br;
    "BLR" "1101011 0001 11111 000000 nnnnn 00000" Base blr;
    "RET" "1101011 0010 11111 000000 nnnnn 00000" Base ret;
    "ERET" "1101011 0100 11111 000000 11111 00000" Base privileged;
    "DRPS" "1101011 0101 11111 000000 11111 00000" Base privileged;
    "SVC" "11010100 000 iiiiiiiiiiiiiiii 00001" Base svc;
    "HVC" "11010100 000 iiiiiiiiiiiiiiii 00010" Base privileged;
    "SMC" "11010100 000 iiiiiiiiiiiiiiii 00011" Base privileged;
    "BRK" "11010100 001 iiiiiiiiiiiiiiii 00000" Base brk;
    "HLT" "11010100 010 iiiiiiiiiiiiiiii 00000" Base privileged;
    "DCPS1" "11010100 101 iiiiiiiiiiiiiiii 00001" Base privileged;
    "DCPS2" "11010100 101 iiiiiiiiiiiiiiii 00010" Base privileged;
    "DCPS3" "11010100 101 iiiiiiiiiiiiiiii 00011" Base privileged;
};

/// Target of a 26-bit branch.
pub fn target26(w: u32, pc: GuestAddr) -> GuestAddr {
    pc.offset(sbits(w, 25, 0) * 4)
}

/// Target of a 19-bit branch (and address of a literal).
pub fn target19(w: u32, pc: GuestAddr) -> GuestAddr {
    pc.offset(sbits(w, 23, 5) * 4)
}

/// Target of a 14-bit branch.
pub fn target14(w: u32, pc: GuestAddr) -> GuestAddr {
    pc.offset(sbits(w, 18, 5) * 4)
}

/// `B label`.
fn b(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    Ok(Some(Exit::Jump(target26(w, cx.pc))))
}

/// `BL label`.
fn bl(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let ret = cx.next_pc();
    let link = cx.b.code_addr(ret);
    cx.b.set(reg::LR, link);
    Ok(Some(Exit::Call { target: CallTarget::Direct(target26(w, cx.pc)), ret }))
}

/// `B.<cond> label`.
fn b_cond(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let then = target19(w, cx.pc);
    let cond = bits(w, 3, 0);
    if cond >= 14 {
        return Ok(Some(Exit::Jump(then)));
    }
    let cond = cx.condition(cond);
    Ok(Some(Exit::Branch { cond, then, els: cx.next_pc() }))
}

/// `CBZ Rt, label`, `CBNZ Rt, label`.
fn cbz(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let v = cx.gpr(is64, rd(w));
    let zero = cx.konst(is64, 0);
    let cond = cx.b.cmp(if bit(w, 24) { IntCmp::Ne } else { IntCmp::Eq }, v, zero);
    Ok(Some(Exit::Branch { cond, then: target19(w, cx.pc), els: cx.next_pc() }))
}

/// `TBZ Rt, #bit, label`, `TBNZ Rt, #bit, label`.
fn tbz(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let v = cx.gpr(is64, rd(w));
    let mask = cx.konst(is64, 1 << ((w >> 31) << 5 | bits(w, 23, 19)));
    let zero = cx.konst(is64, 0);
    let tested = cx.b.and(v, mask);
    let cond = cx.b.cmp(if bit(w, 24) { IntCmp::Ne } else { IntCmp::Eq }, tested, zero);
    Ok(Some(Exit::Branch { cond, then: target14(w, cx.pc), els: cx.next_pc() }))
}

/// `BR Xn`. `br x30` is a return by another name (old compilers and hand-written code).
fn br(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let target = cx.gpr(true, rn(w));
    Ok(Some(if rn(w) == 30 { Exit::Return(target) } else { Exit::Indirect(target) }))
}

/// `BLR Xn`. The target is read before the link register is written: `blr x30` is legal.
fn blr(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let target = cx.gpr(true, rn(w));
    let ret = cx.next_pc();
    let link = cx.b.code_addr(ret);
    cx.b.set(reg::LR, link);
    Ok(Some(Exit::Call { target: CallTarget::Indirect(target), ret }))
}

/// `RET {Xn}`.
fn ret(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let target = cx.gpr(true, rn(w));
    Ok(Some(Exit::Return(target)))
}

/// `SVC #imm`.
fn svc(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    Ok(Some(Exit::Syscall { imm: bits(w, 20, 5) as u16, next: cx.next_pc() }))
}

/// `BRK #imm`.
fn brk(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    Ok(Some(Exit::Trap { kind: TrapKind::Breakpoint(bits(w, 20, 5) as u16), pc: cx.pc }))
}

/// Allocated, but UNDEFINED at EL0 (HLT because halting debug is not enabled).
pub fn privileged(_: &mut Cx<'_, '_>, _: u32) -> Lift {
    Err(Undefined)
}
