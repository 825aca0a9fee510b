//! System instructions (Arm ARM C4.1.66): hints, barriers, PSTATE, cache maintenance, system registers. What Linux does
//! not give to EL0 is UNDEFINED here, too.

use super::branch::privileged;
use super::cx::{Cx, Lift, Undefined, bits, rd};
use super::features;
use super::reg;
use super::table::{Row, row_table};
use ir::{CacheOp, Fence, Inst, IntBin, SysReg, Type, Value};

/// Rows of this group.
pub static ROWS: &[Row] = row_table! {
    "HINT" "11010101 0000 0011 0010 cccc ooo 11111" Base nop;
    "NOP" "11010101 0000 0011 0010 0000 000 11111" Base nop;
    "YIELD" "11010101 0000 0011 0010 0000 001 11111" Base nop;
    "WFE" "11010101 0000 0011 0010 0000 010 11111" Base nop;
    "WFI" "11010101 0000 0011 0010 0000 011 11111" Base nop;
    "SEV" "11010101 0000 0011 0010 0000 100 11111" Base nop;
    "SEVL" "11010101 0000 0011 0010 0000 101 11111" Base nop;
    "XPACLRI" "11010101 0000 0011 0010 0000 111 11111" Hints nop;
    "PACIA1716, PACIB1716, AUTIA1716, AUTIB1716" "11010101 0000 0011 0010 0001 oo0 11111" Hints nop;
    "PACIAZ, PACIASP, PACIBZ, PACIBSP, AUTIAZ, AUTIASP, AUTIBZ, AUTIBSP" "11010101 0000 0011 0010 0011 ooo 11111" Hints nop;
    "BTI" "11010101 0000 0011 0010 0100 oo0 11111" Hints nop;
    "CLREX" "11010101 0000 0011 0011 cccc 010 11111" Base clrex;
    "DSB" "11010101 0000 0011 0011 cccc 100 11111" Base barrier;
    "DMB" "11010101 0000 0011 0011 cccc 101 11111" Base barrier;
    "ISB" "11010101 0000 0011 0011 cccc 110 11111" Base isb;
    "SB" "11010101 0000 0011 0011 0000 111 11111" Sb nop;
    "CFINV" "11010101 0000 0000 0100 0000 000 11111" FlagM cfinv;
    "XAFLAG" "11010101 0000 0000 0100 0000 001 11111" FlagM xaflag;
    "AXFLAG" "11010101 0000 0000 0100 0000 010 11111" FlagM axflag;
    "MSR (immediate)" "11010101 0000 0ooo 0100 cccc ooo 11111" Base privileged;
    "DC ZVA" "11010101 0000 1011 0111 0100 001 ttttt" Base dc_zva;
    "IC IVAU" "11010101 0000 1011 0111 0101 001 ttttt" Base ic_ivau;
    "DC CVAC" "11010101 0000 1011 0111 1010 001 ttttt" Base dc_clean;
    "DC CVAU" "11010101 0000 1011 0111 1011 001 ttttt" Base dc_clean;
    "DC CVAP" "11010101 0000 1011 0111 1100 001 ttttt" Dpb dc_clean;
    "DC CVADP" "11010101 0000 1011 0111 1101 001 ttttt" Dpb dc_clean;
    "DC CIVAC" "11010101 0000 1011 0111 1110 001 ttttt" Base dc_clean;
    "SYS" "11010101 0000 1ooo nnnn mmmm ppp ttttt" Base privileged;
    "SYSL" "11010101 0010 1ooo nnnn mmmm ppp ttttt" Base privileged;
    "MSR (register)" "11010101 0001 oooo nnnn mmmm ppp ttttt" Base msr;
    "MRS" "11010101 0011 oooo nnnn mmmm ppp ttttt" Base mrs;
};

/// Hints, SB: nothing that a program could see. WFE and WFI wake at once.
fn nop(_: &mut Cx<'_, '_>, _: u32) -> Lift {
    Ok(None)
}

/// `CLREX`.
fn clrex(cx: &mut Cx<'_, '_>, _: u32) -> Lift {
    cx.b.push(Inst::ClearEx, None);
    Ok(None)
}

/// `DSB|DMB option`: CRm<1:0> 1 orders loads, 2 stores, else everything.
fn barrier(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let fence = match bits(w, 9, 8) {
        1 => Fence::Load,
        2 => Fence::Store,
        _ => Fence::Full,
    };
    cx.b.push(Inst::Fence(fence), None);
    Ok(None)
}

/// `ISB`.
fn isb(cx: &mut Cx<'_, '_>, _: u32) -> Lift {
    cx.b.push(Inst::Fence(Fence::Instruction), None);
    Ok(None)
}

/// `CFINV`.
fn cfinv(cx: &mut Cx<'_, '_>, _: u32) -> Lift {
    let c = cx.b.get(reg::C);
    let c = cx.b.not(c);
    cx.b.set(reg::C, c);
    *cx.flags = None;
    Ok(None)
}

/// `XAFLAG`: from the alternative floating-point flags format.
fn xaflag(cx: &mut Cx<'_, '_>, _: u32) -> Lift {
    let (z, c) = (cx.b.get(reg::Z), cx.b.get(reg::C));
    let (nz, nc) = (cx.b.not(z), cx.b.not(c));
    let flags = [cx.b.and(nc, nz), cx.b.and(z, c), cx.b.or(c, z), cx.b.and(nc, z)];
    cx.set_flags(flags, None);
    Ok(None)
}

/// `AXFLAG`: to the alternative floating-point flags format.
fn axflag(cx: &mut Cx<'_, '_>, _: u32) -> Lift {
    let (z, c, v) = (cx.b.get(reg::Z), cx.b.get(reg::C), cx.b.get(reg::V));
    let (nv, no) = (cx.b.not(v), cx.b.i1(false));
    let flags = [no, cx.b.or(z, v), cx.b.and(c, nv), no];
    cx.set_flags(flags, None);
    Ok(None)
}

/// `DC ZVA, Xt`: zeroes the block around the address.
fn dc_zva(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let addr = cx.gpr(true, rd(w));
    let mask = cx.b.i64(!(features::ZVA_BYTES - 1));
    let start = cx.b.and(addr, mask);
    let zero = cx.b.konst(Type::V128, 0);
    for offset in (0..features::ZVA_BYTES).step_by(16) {
        let addr = cx.b.add_imm(start, offset as i64);
        cx.b.store(addr, zero);
    }
    Ok(None)
}

fn cache(cx: &mut Cx<'_, '_>, w: u32, op: CacheOp) -> Lift {
    let addr = cx.gpr(true, rd(w));
    cx.b.push(Inst::Cache { op, addr }, None);
    Ok(None)
}

/// `DC CVAC|CVAU|CVAP|CVADP|CIVAC, Xt`.
fn dc_clean(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    cache(cx, w, CacheOp::CleanData)
}

/// `IC IVAU, Xt`.
fn ic_ivau(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    cache(cx, w, CacheOp::InvalidateCode)
}

/// op0, op1, CRn, CRm and op2 of a system register as in bits 20:5 of MRS and MSR.
const fn sysreg(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> u32 {
    op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

const NZCV: u32 = sysreg(3, 3, 4, 2, 0);
const FPCR: u32 = sysreg(3, 3, 4, 4, 0);
const FPSR: u32 = sysreg(3, 3, 4, 4, 1);
const TPIDR_EL0: u32 = sysreg(3, 3, 13, 0, 2);
const TPIDRRO_EL0: u32 = sysreg(3, 3, 13, 0, 3);
const CTR_EL0: u32 = sysreg(3, 3, 0, 0, 1);
const DCZID_EL0: u32 = sysreg(3, 3, 0, 0, 7);
/// Which performance counters EL0 may use: the register it may always read.
const PMUSERENR_EL0: u32 = sysreg(3, 3, 9, 14, 0);
const CNTFRQ_EL0: u32 = sysreg(3, 3, 14, 0, 0);
const CNTVCT_EL0: u32 = sysreg(3, 3, 14, 0, 2);
const CNTVCTSS_EL0: u32 = sysreg(3, 3, 14, 0, 6);

/// FPCR bits that can be written: AHP, DN, FZ, RMode, FZ16 (trapped exceptions are not implemented).
pub const FPCR_MASK: u64 = 0x07c8_0000;
/// FPSR bits that can be written: QC and the cumulative exceptions.
const FPSR_MASK: u64 = 0x0800_009f;
const FPSR_QC: u32 = 27;

/// Flag registers with their bits in NZCV.
const FLAG_BITS: [(ir::Reg, u32); 4] = [(reg::N, 31), (reg::Z, 30), (reg::C, 29), (reg::V, 28)];

fn flag_to_bit(cx: &mut Cx<'_, '_>, r: ir::Reg, at: u32) -> Value {
    let f = cx.b.get(r);
    let f = cx.b.zext_or_trunc(Type::I64, f);
    cx.b.shift_imm(IntBin::Shl, f, at)
}

fn bit_to_flag(cx: &mut Cx<'_, '_>, v: Value, at: u32) -> Value {
    let v = cx.b.shift_imm(IntBin::Lshr, v, at);
    cx.b.zext_or_trunc(Type::I1, v)
}

/// `MRS Xt, register`.
fn mrs(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    // Bit 19 is o0: op0 is 2 or 3.
    let number = bits(w, 19, 5) | 1 << 15;
    let read = |cx: &mut Cx<'_, '_>, r| cx.b.push(Inst::ReadSys(r), Some(Type::I64));
    let v = match number {
        NZCV => {
            let mut v = cx.b.i64(0);
            for (i, (r, at)) in FLAG_BITS.into_iter().enumerate() {
                let f = flag_to_bit(cx, r, at);
                v = if i == 0 { f } else { cx.b.or(v, f) };
            }
            v
        }
        FPCR => read(cx, SysReg::Fpcr),
        FPSR => {
            let v = read(cx, SysReg::Fpsr);
            let qc = flag_to_bit(cx, reg::QC, FPSR_QC);
            cx.b.or(v, qc)
        }
        TPIDR_EL0 => cx.b.get(reg::TPIDR),
        TPIDRRO_EL0 => cx.b.get(reg::TPIDRRO),
        CNTVCT_EL0 | CNTVCTSS_EL0 => read(cx, SysReg::Counter),
        CNTFRQ_EL0 => cx.b.i64(abi::COUNTER_HZ),
        // None, as Linux sets it.
        PMUSERENR_EL0 => cx.b.i64(0),
        CTR_EL0 => cx.b.i64(features::CTR),
        DCZID_EL0 => cx.b.i64(features::DCZID),
        _ => {
            let (op, crn, crm, op2) = (bits(w, 19, 16), bits(w, 15, 12), bits(w, 11, 8), bits(w, 7, 5));
            if op != 0b1000 || crn != 0 {
                return Err(Undefined);
            }
            let v = features::id_register(crm, op2).ok_or(Undefined)?;
            cx.b.i64(v)
        }
    };
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `MSR register, Xt`.
fn msr(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let number = bits(w, 19, 5) | 1 << 15;
    match number {
        NZCV => {
            let v = cx.gpr(true, rd(w));
            let flags = FLAG_BITS.map(|(_, at)| bit_to_flag(cx, v, at));
            cx.set_flags(flags, None);
        }
        FPCR => {
            let v = cx.gpr(true, rd(w));
            let mask = cx.b.i64(FPCR_MASK);
            let v = cx.b.and(v, mask);
            cx.b.push(Inst::WriteSys(SysReg::Fpcr, v), None);
            // A comparison made again for a condition would see the new FPCR.
            *cx.flags = None;
        }
        FPSR => {
            let v = cx.gpr(true, rd(w));
            let mask = cx.b.i64(FPSR_MASK);
            let v = cx.b.and(v, mask);
            let qc = bit_to_flag(cx, v, FPSR_QC);
            cx.b.push(Inst::WriteSys(SysReg::Fpsr, v), None);
            cx.b.set(reg::QC, qc);
            // A comparison made again for a condition would raise its exceptions again.
            *cx.flags = None;
        }
        TPIDR_EL0 => {
            let v = cx.gpr(true, rd(w));
            cx.b.set(reg::TPIDR, v);
        }
        _ => return Err(Undefined),
    }
    Ok(None)
}
