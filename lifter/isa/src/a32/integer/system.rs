//! System instructions (Arm ARM F4.1.7, F4.1.21, F3.1.10): hints, barriers, status registers, and those registers of
//! coprocessor 15 that Linux gives to user mode. What it does not give is UNDEFINED here, too.

use super::no_pc;
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits, rd, rm, rn, rs};
use crate::a32::reg;
use crate::a32::shift::a32_expand_imm;
use crate::a32::table::{Row, row_table};
use ir::{Fence, Inst, IntBin, Reg, SysReg, Type, Value};

/// Rows of A32. In patterns, `z` and `o` are bits that should be 0 and 1.
pub static A32: &[Row] = row_table! { A32:
    "NOP-compatible hint" "cccc 001100100000 oooo zzzz hhhhhhhh" Base hint;
    "NOP" "cccc 001100100000 oooo zzzz 00000000" Base hint;
    "YIELD" "cccc 001100100000 oooo zzzz 00000001" Base hint;
    "WFE" "cccc 001100100000 oooo zzzz 00000010" Base hint;
    "WFI" "cccc 001100100000 oooo zzzz 00000011" Base hint;
    "SEV" "cccc 001100100000 oooo zzzz 00000100" Base hint;
    "SEVL" "cccc 001100100000 oooo zzzz 00000101" Base hint;
    "ESB" "cccc 001100100000 oooo zzzz 00010000" Base hint;
    "CSDB" "cccc 001100100000 oooo zzzz 00010100" Base hint;
    "DBG" "cccc 001100100000 oooo zzzz 1111 iiii" Base hint;
    "MSR (immediate)" "cccc 00110010 mmmm oooo iiiiiiiiiiii" Base |cx, w| {
        let v = cx.i32(a32_expand_imm(bits(w, 11, 0)).0);
        msr(cx, rn(w), v)
    };
    "MSR (immediate), SPSR" "cccc 00110110 mmmm oooo iiiiiiiiiiii" Base undefined;
    "MSR (register)" "cccc 00010010 mmmm oooo zz0z 0000 nnnn" Base |cx, w| msr_register(cx, rn(w), rm(w));
    "MSR (register), SPSR" "cccc 00010110 mmmm oooo zz0z 0000 nnnn" Base undefined;
    "MSR (Banked register)" "cccc 00010 r 10 mmmm oooo zz1m 0000 nnnn" Base undefined;
    "MRS" "cccc 00010000 oooo dddd zz0z 0000 zzzz" Base |cx, w| mrs(cx, rd(w));
    "MRS, SPSR" "cccc 00010100 oooo dddd zz0z 0000 zzzz" Base undefined;
    "MRS (Banked register)" "cccc 00010 r 00 mmmm dddd zz1m 0000 zzzz" Base undefined;
    "HLT" "cccc 00010000 iiiiiiiiiiii 0111 iiii" Base undefined;
    "HVC" "cccc 00010100 iiiiiiiiiiii 0111 iiii" Base undefined;
    "SMC" "cccc 00010110 zzzzzzzzzzzz 0111 iiii" Base undefined;
    "ERET" "cccc 00010110 zzzz zzzz zzzz 0110 1110" Base undefined;
    "SETEND" "1111 00010000 zzz1 zzzz zzez 0000 zzzz" Base |cx, w| setend(cx, bit(w, 9));
    "CPS, CPSID, CPSIE" "1111 00010000 iim0 zzzz zzzi ii0m mmmm" Base hint;
    "DSB" "1111 01010111 oooo oooo zzzz 0100 kkkk" Base barrier;
    "DMB" "1111 01010111 oooo oooo zzzz 0101 kkkk" Base barrier;
    "ISB" "1111 01010111 oooo oooo zzzz 0110 kkkk" Base isb;
    "SB" "1111 01010111 oooo oooo zzzz 0111 zzzz" Base hint;
};

/// Rows of T32.
pub static T32: &[Row] = row_table! { T32:
    "NOP-compatible hint" "111100111010 oooo 10z0z000 hhhhhhhh" Base hint;
    "NOP" "111100111010 oooo 10z0z000 00000000" Base hint;
    "YIELD" "111100111010 oooo 10z0z000 00000001" Base hint;
    "WFE" "111100111010 oooo 10z0z000 00000010" Base hint;
    "WFI" "111100111010 oooo 10z0z000 00000011" Base hint;
    "SEV" "111100111010 oooo 10z0z000 00000100" Base hint;
    "SEVL" "111100111010 oooo 10z0z000 00000101" Base hint;
    "ESB" "111100111010 oooo 10z0z000 00010000" Base hint;
    "CSDB" "111100111010 oooo 10z0z000 00010100" Base hint;
    "DBG" "111100111010 oooo 10z0z000 1111 iiii" Base hint;
    "CPS, CPSID, CPSIE" "111100111010 oooo 10z0z iimiiimmmmm" Base hint;
    "DSB" "111100111011 oooo 10z0oooo 0100 kkkk" Base barrier;
    "DMB" "111100111011 oooo 10z0oooo 0101 kkkk" Base barrier;
    "ISB" "111100111011 oooo 10z0oooo 0110 kkkk" Base isb;
    "SB" "111100111011 oooo 10z0oooo 0111 zzzz" Base hint;
    "MSR (register)" "111100111000 nnnn 10z0 mmmm zz0z zzzz" Base |cx, w| msr_register(cx, rs(w), rn(w));
    "MSR (register), SPSR" "111100111001 nnnn 10z0 mmmm zz0z zzzz" Base undefined;
    "MSR (Banked register)" "11110011100 r nnnn 10z0 mmmm zz1m zzzz" Base undefined;
    "MRS" "111100111110 oooo 10z0 dddd zz0z zzzz" Base |cx, w| mrs(cx, rs(w));
    "MRS, SPSR" "111100111111 oooo 10z0 dddd zz0z zzzz" Base undefined;
    "MRS (Banked register)" "11110011111 r mmmm 10z0 dddd zz1m zzzz" Base undefined;
    "SUB, SUBS (immediate) T5, ERET" "111100111101 nnnn 10z0 oooo iiiiiiii" Base undefined;
    "HVC" "111101111110 iiii 1000 iiiiiiiiiiii" Base undefined;
    "SMC" "111101111111 iiii 1000 zzzzzzzzzzzz" Base undefined;
    "DCPS1, DCPS2, DCPS3" "111101111000 1111 1000 000000 0000 kk" Base undefined;
};

/// Rows of both: coprocessor 15.
pub static BOTH: &[Row] = row_table! { Both:
    "MCR" "cccc 1110 ppp0 nnnn tttt 1111 ppp 1 mmmm" Base mcr;
    "MRC" "cccc 1110 ppp1 nnnn tttt 1111 ppp 1 mmmm" Base mrc;
    "MCRR" "cccc 1100 0100 tttt tttt 1111 pppp mmmm" Base undefined;
    "MRRC" "cccc 1100 0101 tttt tttt 1111 pppp mmmm" Base mrrc;
};

/// Not for user mode.
fn undefined(_: &mut Cx<'_, '_>, _: u32) -> Lift {
    Err(Undefined)
}

/// Hints, SB, and CPS, which has no effect in user mode: nothing that a program could see. WFE and WFI wake at once.
pub fn hint(_: &mut Cx<'_, '_>, _: u32) -> Lift {
    Ok(None)
}

/// `SETEND LE|BE`.
pub fn setend(cx: &mut Cx<'_, '_>, big: bool) -> Lift {
    if big != cx.modes.big_endian {
        let e = cx.b.i64(u64::from(big));
        cx.b.push(Inst::WriteSys(SysReg::Endian, e), None);
    }
    Ok(None)
}

/// `DSB|DMB option`: option<1:0> 1 orders loads, 2 stores, else everything.
fn barrier(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let fence = match bits(w, 1, 0) {
        1 => Fence::Load,
        2 => Fence::Store,
        _ => Fence::Full,
    };
    fence_of(cx, fence)
}

/// `ISB`.
fn isb(cx: &mut Cx<'_, '_>, _: u32) -> Lift {
    fence_of(cx, Fence::Instruction)
}

fn fence_of(cx: &mut Cx<'_, '_>, fence: Fence) -> Lift {
    cx.b.push(Inst::Fence(fence), None);
    Ok(None)
}

/// N, Z, C, V and Q with their bits in APSR.
const FLAGS: [(Reg, u32); 5] = [(reg::N, 31), (reg::Z, 30), (reg::C, 29), (reg::V, 28), (reg::Q, 27)];
/// The lowest GE bit in APSR.
const GE: u32 = 16;
/// CPSR.E.
const E: u32 = 9;
/// The mode field of CPSR in user mode; interrupts are not masked.
const USER: u32 = 0x10;

/// `MRS Rd, APSR|CPSR`: T and ITSTATE read as zero.
fn mrs(cx: &mut Cx<'_, '_>, d: u32) -> Lift {
    no_pc(&[d])?;
    let mut v = cx.i32(USER | u32::from(cx.modes.big_endian) << E);
    for (r, at) in FLAGS {
        let f = cx.b.get(r);
        let f = cx.b.zext_or_trunc(Type::I32, f);
        let f = cx.b.shift_imm(IntBin::Shl, f, at);
        v = cx.b.or(v, f);
    }
    let ge = cx.b.get(reg::GE);
    for i in 0..4 {
        let f = cx.b.shift_imm(IntBin::Lshr, ge, 8 * i);
        let one = cx.i32(1);
        let f = cx.b.and(f, one);
        let f = cx.b.shift_imm(IntBin::Shl, f, GE + i);
        v = cx.b.or(v, f);
    }
    cx.set_reg(d, v);
    Ok(None)
}

/// `MSR APSR|CPSR, Rn`.
fn msr_register(cx: &mut Cx<'_, '_>, mask: u32, n: u32) -> Lift {
    no_pc(&[n])?;
    let v = cx.reg(n);
    msr(cx, mask, v)
}

/// Bit 3 of `mask` writes the flags, bit 2 GE, bit 1 E. User mode cannot write the rest. E comes first: engines may begin the instruction
/// again before that.
fn msr(cx: &mut Cx<'_, '_>, mask: u32, v: Value) -> Lift {
    if mask == 0 {
        return Err(Undefined);
    }
    if mask & 2 != 0 {
        let e = cx.bit_of(v, E);
        let e = cx.b.zext_or_trunc(Type::I64, e);
        cx.b.push(Inst::WriteSys(SysReg::Endian, e), None);
    }
    if mask & 8 != 0 {
        for (r, at) in FLAGS {
            let f = cx.bit_of(v, at);
            cx.set(r, f);
        }
        *cx.flags = None;
    }
    if mask & 4 != 0 {
        let mut ge = cx.i32(0);
        for i in 0..4 {
            let f = cx.bit_of(v, GE + i);
            let f = cx.b.zext_or_trunc(Type::I32, f);
            let f = cx.b.shift_imm(IntBin::Shl, f, 8 * i);
            ge = cx.b.or(ge, f);
        }
        cx.set(reg::GE, ge);
    }
    Ok(None)
}

/// opc1, CRn, CRm and opc2 of a register of coprocessor 15.
const fn cp15(opc1: u32, crn: u32, crm: u32, opc2: u32) -> u32 {
    opc1 << 12 | crn << 8 | crm << 4 | opc2
}

const CP15ISB: u32 = cp15(0, 7, 5, 4);
const CP15DSB: u32 = cp15(0, 7, 10, 4);
const CP15DMB: u32 = cp15(0, 7, 10, 5);
const TPIDRURW: u32 = cp15(0, 13, 0, 2);
const TPIDRURO: u32 = cp15(0, 13, 0, 3);
/// Which performance counters user mode may use: the register it may always read.
const PMUSERENR: u32 = cp15(0, 9, 14, 0);
const CNTFRQ: u32 = cp15(0, 14, 0, 0);
/// opc1 and CRm of the virtual counter, in MRRC.
const CNTVCT: (u32, u32) = (1, 14);

const fn cp15_of(w: u32) -> u32 {
    cp15(bits(w, 23, 21), rn(w), rm(w), bits(w, 7, 5))
}

/// `MCR p15, opc1, Rt, CRn, CRm, opc2`.
fn mcr(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    no_pc(&[rd(w)])?;
    match cp15_of(w) {
        CP15ISB => fence_of(cx, Fence::Instruction),
        CP15DSB | CP15DMB => fence_of(cx, Fence::Full),
        TPIDRURW => {
            let v = cx.base(rd(w));
            cx.set(reg::TPIDRURW, v);
            Ok(None)
        }
        _ => Err(Undefined),
    }
}

/// `MRC p15, opc1, Rt, CRn, CRm, opc2`.
fn mrc(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    no_pc(&[rd(w)])?;
    let v = match cp15_of(w) {
        TPIDRURW => cx.b.get(reg::TPIDRURW),
        TPIDRURO => cx.b.get(reg::TPIDRURO),
        CNTFRQ => cx.b.i64(abi::COUNTER_HZ),
        // None, as Linux sets it.
        PMUSERENR => cx.b.i64(0),
        _ => return Err(Undefined),
    };
    cx.set_reg(rd(w), v);
    Ok(None)
}

/// `MRRC p15, opc1, Rt, Rt2, CRm`: the virtual counter.
fn mrrc(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (low, high) = (rd(w), rn(w));
    no_pc(&[low, high])?;
    if low == high || (bits(w, 7, 4), rm(w)) != CNTVCT {
        return Err(Undefined);
    }
    let v = cx.b.push(Inst::ReadSys(SysReg::Counter), Some(Type::I64));
    cx.set_reg(low, v);
    let v = cx.b.shift_imm(IntBin::Lshr, v, 32);
    cx.set(reg::r(high), v);
    Ok(None)
}
