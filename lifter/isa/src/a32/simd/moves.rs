//! Moves between general registers, floating-point registers and FPSCR (Arm ARM F4.1.21): VMOV, VDUP, VMRS, VMSR.

use super::operands::*;
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits, rd, rn};
use crate::a32::reg;
use crate::a32::table::Row;
use crate::cond::{Compare, FlagSource};
use ir::{FCmp, Inst, IntBin, Lane, PureOp, Reg, SysReg, Type, Value};

/// Rows of this group.
pub const ROWS: &[Row] = rows! { Vfp:
    "VMOV (general register to single)" "cccc 1110 0000 nnnn tttt 1010 nzz1 zzzz" to_single;
    "VMOV (single to general register)" "cccc 1110 0001 nnnn tttt 1010 nzz1 zzzz" from_single;
    "VMOV (general register to scalar)" "cccc 1110 0pp0 dddd tttt 1011 dpp1 zzzz" to_lane;
    "VMOV (scalar to general register)" "cccc 1110 upp1 nnnn tttt 1011 npp1 zzzz" from_lane;
    "VDUP (general register)" "cccc 1110 1bq0 dddd tttt 1011 d0e1 zzzz" vdup;
    "VMOV (two general registers and two singles)" "cccc 1100 010p uuuu tttt 1010 00m1 mmmm" two_singles;
    "VMOV (two general registers and a double)" "cccc 1100 010p uuuu tttt 1011 00m1 mmmm" two_double;
    "VMSR" "cccc 1110 1110 rrrr tttt 1010 zzz1 zzzz" vmsr;
    "VMRS" "cccc 1110 1111 rrrr tttt 1010 zzz1 zzzz" vmrs;
};

/// Rt as i32; not the PC.
fn source(cx: &mut Cx<'_, '_>, t: u32) -> Result<Value, Undefined> {
    if t == 15 { Err(Undefined) } else { Ok(cx.reg(t)) }
}

/// `VMOV Sn, Rt`
fn to_single(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let v = source(cx, rd(w))?;
    cx.set_single(sn(w), v);
    Ok(None)
}

/// `VMOV Rt, Sn`
fn from_single(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    if rd(w) == 15 {
        return Err(Undefined);
    }
    let v = cx.single(sn(w));
    let v = cx.b.bitcast(Type::I32, v);
    cx.set_reg(rd(w), v);
    Ok(None)
}

/// Element and index by opc1 (bits 22:21) and opc2 (bits 6:5).
fn lane(w: u32) -> Result<(Lane, u8), Undefined> {
    let (opc1, opc2) = (bits(w, 22, 21), bits(w, 6, 5));
    let (lane, index) = match (opc1 >> 1, opc2) {
        (1, _) => (Lane::B16, (opc1 & 1) << 2 | opc2),
        (_, 1 | 3) => (Lane::H8, (opc1 & 1) << 1 | opc2 >> 1),
        (_, 0) => (Lane::S4, opc1 & 1),
        _ => return Err(Undefined),
    };
    Ok((lane, index as u8))
}

/// `VMOV.size Dd[x], Rt`
fn to_lane(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, index) = lane(w)?;
    let v = source(cx, rd(w))?;
    let v = cx.b.zext_or_trunc(lane.scalar(), v);
    let d = cx.half(dn(w));
    let r = cx.b.pure(PureOp::VInsert(lane, index), &[d, v]);
    cx.set_vector(false, dn(w), r);
    Ok(None)
}

/// `VMOV.dt Rt, Dn[x]`
fn from_lane(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, index) = lane(w)?;
    let unsigned = bit(w, 23);
    if rd(w) == 15 || lane == Lane::S4 && unsigned {
        return Err(Undefined);
    }
    let n = cx.half(dn(w));
    let v = cx.b.pure(PureOp::VExtract(lane, index), &[n]);
    let v = if unsigned { v } else { cx.b.sext_or_trunc(Type::I32, v) };
    cx.set_reg(rd(w), v);
    Ok(None)
}

/// `VDUP.size Qd, Rt`
fn vdup(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let q = bit(w, 21);
    let lane = match (bit(w, 22), bit(w, 5)) {
        (false, false) => Lane::S4,
        (false, true) => Lane::H8,
        (true, false) => Lane::B16,
        (true, true) => return Err(Undefined),
    };
    if q {
        even(&[dn(w)])?;
    }
    let v = source(cx, rd(w))?;
    let v = cx.b.zext_or_trunc(lane.scalar(), v);
    let r = cx.b.pure(PureOp::VSplat(lane), &[v]);
    cx.set_vector(q, dn(w), r);
    Ok(None)
}

/// Rt and Rt2 of the two-register moves; as destinations (bit 20) they differ.
fn two_registers(w: u32) -> Result<(u32, u32), Undefined> {
    let (t, t2) = (rd(w), rn(w));
    if t == 15 || t2 == 15 || bit(w, 20) && t == t2 { Err(Undefined) } else { Ok((t, t2)) }
}

/// `VMOV Sm, Sm1, Rt, Rt2` and back
fn two_singles(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (t, t2) = two_registers(w)?;
    let m = sm(w);
    if m == 31 {
        return Err(Undefined);
    }
    if bit(w, 20) {
        let (a, b) = (cx.single(m), cx.single(m + 1));
        let (a, b) = (cx.b.bitcast(Type::I32, a), cx.b.bitcast(Type::I32, b));
        cx.set_reg(t, a);
        cx.set_reg(t2, b);
    } else {
        let (a, b) = (cx.reg(t), cx.reg(t2));
        if m & 1 == 0 {
            set_double_of(cx, m / 2, a, b);
        } else {
            cx.set_single(m, a);
            cx.set_single(m + 1, b);
        }
    }
    Ok(None)
}

/// `VMOV Dm, Rt, Rt2` and back
fn two_double(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (t, t2) = two_registers(w)?;
    let m = dm(w);
    if bit(w, 20) {
        let v = cx.double(m);
        let v = cx.b.bitcast(Type::I64, v);
        let high = cx.b.shift_imm(IntBin::Lshr, v, 32);
        cx.set_reg(t, v);
        cx.set_reg(t2, high);
    } else {
        let (low, high) = (cx.reg(t), cx.reg(t2));
        set_double_of(cx, m, low, high);
    }
    Ok(None)
}

/// Writes two i32 to D`n`.
fn set_double_of(cx: &mut Cx<'_, '_>, n: u32, low: Value, high: Value) {
    let low = cx.b.zext_or_trunc(Type::I64, low);
    let high = cx.b.zext_or_trunc(Type::I64, high);
    let high = cx.b.shift_imm(IntBin::Shl, high, 32);
    let v = cx.b.or(low, high);
    cx.set_double(n, v);
}

/// The only register that user mode has; the others are UNDEFINED there.
const FPSCR: u32 = 1;
/// AHP, DN, FZ, RMode, STRIDE and LEN. FZ16 belongs to half-precision arithmetic.
const FPCR_BITS: u64 = 0x07f7_0000;
/// QC and the cumulative exceptions.
const FPSR_BITS: u64 = 0x0800_009f;
const QC: u32 = 27;
/// FPSCR's flags with their bits, and APSR's.
const FLAGS: [(Reg, u32, Reg); 4] =
    [(reg::FP_N, 31, reg::N), (reg::FP_Z, 30, reg::Z), (reg::FP_C, 29, reg::C), (reg::FP_V, 28, reg::V)];

/// `VMSR FPSCR, Rt`. The mode is written first: engines may begin the instruction again before that.
fn vmsr(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    if rn(w) != FPSCR {
        return Err(Undefined);
    }
    if rd(w) == 15 {
        return Err(Undefined);
    }
    let v = cx.base(rd(w));
    let mut masked = |mask| {
        let mask = cx.b.i64(mask);
        cx.b.and(v, mask)
    };
    let (mode, status) = (masked(FPCR_BITS), masked(FPSR_BITS));
    let mut flag = |at| {
        let f = cx.b.shift_imm(IntBin::Lshr, v, at);
        cx.b.zext_or_trunc(Type::I1, f)
    };
    let flags = FLAGS.map(|(r, at, _)| (r, flag(at)));
    let qc = flag(QC);
    cx.b.push(Inst::WriteSys(SysReg::Fpcr, mode), None);
    cx.b.push(Inst::WriteSys(SysReg::Fpsr, status), None);
    cx.set(reg::QC, qc);
    for (r, f) in flags {
        cx.set(r, f);
    }
    // A comparison made again for a condition would see the new mode, or raise its exceptions again.
    *cx.flags = None;
    Ok(None)
}

/// `VMRS Rt, FPSCR`, `VMRS APSR_nzcv, FPSCR`
fn vmrs(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    if rn(w) != FPSCR {
        return Err(Undefined);
    }
    if rd(w) == 15 {
        let source = compared(cx);
        for (from, _, to) in FLAGS {
            let f = cx.b.get(from);
            cx.set(to, f);
        }
        *cx.flags = source.map(|compare| FlagSource { compare, guard: None });
        return Ok(None);
    }
    let mode = cx.b.push(Inst::ReadSys(SysReg::Fpcr), Some(Type::I64));
    let status = cx.b.push(Inst::ReadSys(SysReg::Fpsr), Some(Type::I64));
    let mut v = cx.b.or(mode, status);
    for (r, at) in FLAGS.map(|(r, at, _)| (r, at)).into_iter().chain([(reg::QC, QC)]) {
        let f = cx.b.get(r);
        let f = cx.b.zext_or_trunc(Type::I64, f);
        let f = cx.b.shift_imm(IntBin::Shl, f, at);
        v = cx.b.or(v, f);
    }
    cx.set_reg(rd(w), v);
    Ok(None)
}

/// The comparison that set FPSCR's flags, if it is in this run and FPSCR was not written since.
fn compared(cx: &Cx<'_, '_>) -> Option<Compare> {
    let insts = cx.b.insts();
    for inst in insts.iter().rev() {
        match *inst {
            Inst::WriteSys(..) => return None,
            Inst::Set(reg::FP_N, n) => {
                return match insts[n.0 as usize] {
                    Inst::Pure { op: PureOp::FCmp { cmp: FCmp::Lt, signaling, shape }, args, .. } => {
                        Some(Compare::Fp(args[0], args[1], shape, signaling))
                    }
                    _ => None,
                };
            }
            _ => {}
        }
    }
    None
}
