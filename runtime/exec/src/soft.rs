//! Soft operations and system registers. Takes the operations that lifted code leaves to the evaluator, by their text,
//! and evaluates them on the guest state; keeps FPCR and FPSR, whose rounding and sticky bits are partly in the host's
//! MXCSR while lifted code runs.

use crate::host;
use abi::GuestState;
use abi::flag::{FPCR_FZ, FPSR_IXC as IXC};
use ir::eval::{Bits, FpEnv, eval};
use ir::{SysReg, TypedOp};

/// Bits of FPCR that exist: AHP, DN, FZ, RMode, FZ16; of AArch32's FPSCR also STRIDE and LEN, which A64's instructions and frames leave out.
const FPCR_BITS: u32 = 0x07ff_0000;
/// Bits of FPSR that exist: QC, IDC, IXC, UFC, OFC, DZC, IOC.
const FPSR_BITS: u32 = 0x0800_009f;
const FPSR_QC: u32 = 1 << 27;

/// FPSR as the guest reads it: from the state, and from what the host's MXCSR collected in lifted code. (The host's
/// denormal-operand flag has no counterpart: IDC means a flushed input.)
pub fn fpsr(state: &GuestState) -> u32 {
    let host = host::mxcsr();
    let bit = |from: u32, to: u32| (host >> from & 1) << to;
    state.fpsr & FPSR_BITS
        | (state.qc as u32 & 1) << 27
        | bit(0, 0) // IE → IOC
        | bit(2, 1) // ZE → DZC
        | bit(3, 2) // OE → OFC
        | bit(4, 3) // UE → UFC
        | bit(5, 4) // PE → IXC
}

/// Writes FPSR: all of it is then in the state, and MXCSR collects anew.
pub fn set_fpsr(state: &mut GuestState, value: u32) {
    state.fpsr = value & FPSR_BITS & !FPSR_QC;
    state.qc = (value & FPSR_QC != 0) as u8;
    host::set_mxcsr(mxcsr_for(state.fpcr, state.fpsr));
}

/// Writes FPCR and makes the host follow it.
pub fn set_fpcr(state: &mut GuestState, value: u32) {
    state.fpsr = fpsr(state) & !FPSR_QC;
    state.fpcr = value & FPCR_BITS;
    host::set_mxcsr(mxcsr_for(state.fpcr, state.fpsr));
}

/// FPSR's Input Denormal and Underflow.
const IDC: u32 = 1 << 7;
const UFC: u32 = 1 << 3;

/// MXCSR's exception flags; each one's mask is 7 bits above.
const DE: u32 = 1 << 1;
const UE: u32 = 1 << 4;
const PE: u32 = 1 << 5;
const FLAGS: u32 = 0x3f;
const MASKS: u32 = FLAGS << 7;
const DAZ: u32 = 1 << 6;
const RC: u32 = 13;
const FTZ: u32 = 1 << 15;

/// The host's MXCSR, flags clear, for lifted code under FPCR and the exceptions collected so far.
///
/// Of FPCR, RMode has its like in the host. DN, AHP and FZ16 concern only results that lifted code leaves to the
/// evaluator. FZ is the host's DAZ and FTZ, but for the flags: DAZ raises nothing where Arm raises Input Denormal, and FTZ
/// raises Inexact where Arm does not. So they are on only when these flags are raised already; until then the host traps
/// (see [`flush_trap`]).
fn mxcsr_for(fpcr: u32, fpsr: u32) -> u32 {
    // RMode: nearest, +∞, −∞, zero; MXCSR.RC: nearest, −∞, +∞, zero.
    let rc = match fpcr >> 22 & 3 {
        1 => 2,
        2 => 1,
        same => same,
    };
    let mut word = MASKS | rc << RC;
    if fpcr & FPCR_FZ != 0 {
        word = if fpsr & IDC != 0 { word | DAZ } else { word & !(DE << 7) };
        word = match (fpsr & IXC != 0, fpsr & UFC != 0) {
            (true, true) => word | FTZ,
            (true, false) => word & !(UE << 7),
            (false, _) => word & !((UE | PE) << 7),
        };
    }
    word
}

/// What follows a floating-point trap. In both cases, the MXCSR to go on with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flushed {
    /// The instruction is to be executed again.
    Again(u32),
    /// Its operation is to be left to the evaluator.
    Evaluate(u32),
}

/// The host trapped on a denormal operand, a tiny result or an inexact one under FZ: records Arm's exception in the state
/// and says how to go on. `mxcsr` is the interrupted code's. None: no such trap.
pub fn flush_trap(state: &mut GuestState, mxcsr: u32) -> Option<Flushed> {
    let trapped = mxcsr & FLAGS & !(mxcsr >> 7);
    if state.fpcr & FPCR_FZ == 0 || trapped & (DE | UE | PE) == 0 {
        return None;
    }
    let others = mxcsr & FLAGS & !(DE | UE | PE);
    let now = |state: &GuestState| mxcsr_for(state.fpcr, state.fpsr) | others;
    if trapped & DE != 0 {
        // Before there is a result.
        state.fpsr |= IDC;
    } else if state.fpsr & IXC == 0 {
        // The first result that is tiny or inexact: what it raises depends on lanes and on values before rounding.
        return Some(Flushed::Evaluate(now(state)));
    } else if trapped & UE != 0 {
        state.fpsr |= UFC;
    }
    Some(Flushed::Again(now(state)))
}

/// As `flush_trap` after [`Flushed::Evaluate`], for an instruction that cannot underflow: it was inexact.
pub fn inexact_trap(state: &mut GuestState, mxcsr: u32) -> u32 {
    state.fpsr |= IXC;
    mxcsr_for(state.fpcr, state.fpsr) | mxcsr & FLAGS & !(DE | UE | PE)
}

pub(crate) fn read_sys(state: &GuestState, reg: SysReg) -> u64 {
    match reg {
        SysReg::Fpcr => state.fpcr as u64,
        SysReg::Fpsr => fpsr(state) as u64,
        SysReg::Counter => host::counter(),
        SysReg::Endian => state.big_endian as u64,
    }
}

pub(crate) fn write_sys(state: &mut GuestState, reg: SysReg, value: u64) {
    match reg {
        SysReg::Fpcr => set_fpcr(state, value as u32),
        SysReg::Fpsr => set_fpsr(state, value as u32),
        SysReg::Endian => state.big_endian = value as u8 & 1,
        // The verifier rejects it: the counter is read only.
        SysReg::Counter => {}
    }
}

/// Evaluates one data operation in the state's floating-point environment.
pub fn eval_in(state: &mut GuestState, op: &TypedOp, args: &[u128]) -> u128 {
    let bits =
        std::array::from_fn::<Bits, 3, _>(|i| Bits::new(op.args[i], args.get(i).copied().unwrap_or(0)));
    let mut env = FpEnv { fpcr: state.fpcr, fpsr: state.fpsr };
    let result = eval(op.op, op.ty, &bits[..op.op.arity()], &mut env);
    state.fpsr = env.fpsr;
    result
}

/// A parsed soft operation (see [`abi::SoftOp`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Soft {
    /// A data operation: `f64 fadd.d`, `i1 cmp.ult (i32,i32)`.
    Op(TypedOp),
    /// `read.fpcr`, `read.fpsr`, `read.counter`, `read.endian`: into the result.
    Read(SysReg),
    /// `write.fpcr`, `write.fpsr`, `write.endian`: from the first operand.
    Write(SysReg),
    /// `ic.ivau`: code at the address in the first operand is stale.
    InvalidateCode,
    /// `settle.fpscr`: FPSCR's flags into their bytes.
    SettleFpFlags,
}

impl Soft {
    /// Parses the operation's text.
    pub fn parse(text: &str) -> Option<Soft> {
        if let Some(reg) = text.strip_prefix("read.") {
            return SysReg::parse(reg).map(Soft::Read);
        }
        if let Some(reg) = text.strip_prefix("write.") {
            return SysReg::parse(reg).filter(|r| *r != SysReg::Counter).map(Soft::Write);
        }
        if text == "ic.ivau" {
            return Some(Soft::InvalidateCode);
        }
        if text == "settle.fpscr" {
            return Some(Soft::SettleFpFlags);
        }
        ir::parse_soft(text).map(Soft::Op)
    }

    /// Executes it on `GuestState::soft_args` into `GuestState::soft_result`. Gives the address whose code is stale, if
    /// it is [`Soft::InvalidateCode`]: the caller drops translations.
    pub fn run(&self, state: &mut GuestState) -> Option<u64> {
        let wide = |v: [u64; 2]| v[0] as u128 | (v[1] as u128) << 64;
        let result = match self {
            Soft::Op(op) => {
                let args = state.soft_args.map(wide);
                eval_in(state, op, &args)
            }
            Soft::Read(reg) => read_sys(state, *reg) as u128,
            Soft::Write(reg) => {
                let value = state.soft_args[0][0];
                write_sys(state, *reg, value);
                return None;
            }
            Soft::InvalidateCode => return Some(state.soft_args[0][0]),
            Soft::SettleFpFlags => {
                state.settle_fp_flags();
                return None;
            }
        };
        state.soft_result = [result as u64, (result >> 64) as u64];
        None
    }
}
