//! The AArch32 register file: names, types and homes in the guest state. What both instruction sets have stands at the same
//! index as in A64's file (stack pointer, flags, QC, thread registers), so that passes and emitters need not ask.
//!
//! General registers are `i64` with bits 63:32 zero, always: an address is the register as it stands, and x86 clears the upper
//! half with every 32-bit operation anyway. D registers are `f64`, because compilers use VFP registers singly; Q registers
//! are pairs of them (docs/decisions/0024-aarch32.md).

use abi::GuestState;
use core::mem::offset_of;
use ir::{RegFile, RegInfo, Type};

/// Registers of AArch32 by index; see [`reg`].
pub static FILE: RegFile = RegFile { isa: "a32", regs: &ROWS };

/// Indices into [`FILE`].
pub mod reg {
    use ir::Reg;

    pub use crate::a64::reg::{C, N, QC, SP, V, Z};

    /// r`n`, n ≤ 14.
    pub const fn r(n: u32) -> Reg {
        assert!(n < 15);
        match n {
            13 => SP,
            _ => Reg(n as u16),
        }
    }

    /// The link register, r14.
    pub const LR: Reg = Reg(14);

    /// Where lifted functions return to: the slot that is A64's link register in the protocol between lifted functions. No guest
    /// register: AArch32 returns through LR, PC in a list of loaded registers, or anything else.
    pub const RETURN: Reg = Reg(30);

    /// d`n`, n ≤ 31.
    pub const fn d(n: u32) -> Reg {
        assert!(n < 32);
        Reg(32 + n as u16)
    }

    /// TPIDRURW.
    pub const TPIDRURW: Reg = crate::a64::reg::TPIDR;
    /// TPIDRURO.
    pub const TPIDRURO: Reg = crate::a64::reg::TPIDRRO;
    /// APSR.Q.
    pub const Q: Reg = Reg(71);

    /// APSR.GE: bit `n` is the lowest bit of byte `n` (32 bits; the others are 0), as SEL's mask is made of it.
    pub const GE: Reg = Reg(72);

    /// FPSCR.N, which is not APSR.N.
    pub const FP_N: Reg = Reg(73);
    /// FPSCR.Z.
    pub const FP_Z: Reg = Reg(74);
    /// FPSCR.C.
    pub const FP_C: Reg = Reg(75);
    /// FPSCR.V.
    pub const FP_V: Reg = Reg(76);
}

const fn row(name: &'static str, ty: Type, offset: usize) -> RegInfo {
    RegInfo { name, ty, offset: offset as u32 }
}

static ROWS: [RegInfo; 77] = [
    row("r0", Type::I64, offset_of!(GuestState, x)),
    row("r1", Type::I64, offset_of!(GuestState, x) + 8),
    row("r2", Type::I64, offset_of!(GuestState, x) + 16),
    row("r3", Type::I64, offset_of!(GuestState, x) + 24),
    row("r4", Type::I64, offset_of!(GuestState, x) + 32),
    row("r5", Type::I64, offset_of!(GuestState, x) + 40),
    row("r6", Type::I64, offset_of!(GuestState, x) + 48),
    row("r7", Type::I64, offset_of!(GuestState, x) + 56),
    row("r8", Type::I64, offset_of!(GuestState, x) + 64),
    row("r9", Type::I64, offset_of!(GuestState, x) + 72),
    row("r10", Type::I64, offset_of!(GuestState, x) + 80),
    row("r11", Type::I64, offset_of!(GuestState, x) + 88),
    row("r12", Type::I64, offset_of!(GuestState, x) + 96),
    row("unused13", Type::I64, offset_of!(GuestState, x) + 104),
    row("lr", Type::I64, offset_of!(GuestState, x) + 112),
    row("unused15", Type::I64, offset_of!(GuestState, x) + 120),
    row("unused16", Type::I64, offset_of!(GuestState, x) + 128),
    row("unused17", Type::I64, offset_of!(GuestState, x) + 136),
    row("unused18", Type::I64, offset_of!(GuestState, x) + 144),
    row("unused19", Type::I64, offset_of!(GuestState, x) + 152),
    row("unused20", Type::I64, offset_of!(GuestState, x) + 160),
    row("unused21", Type::I64, offset_of!(GuestState, x) + 168),
    row("unused22", Type::I64, offset_of!(GuestState, x) + 176),
    row("unused23", Type::I64, offset_of!(GuestState, x) + 184),
    row("unused24", Type::I64, offset_of!(GuestState, x) + 192),
    row("unused25", Type::I64, offset_of!(GuestState, x) + 200),
    row("unused26", Type::I64, offset_of!(GuestState, x) + 208),
    row("unused27", Type::I64, offset_of!(GuestState, x) + 216),
    row("unused28", Type::I64, offset_of!(GuestState, x) + 224),
    row("unused29", Type::I64, offset_of!(GuestState, x) + 232),
    row("ret", Type::I64, offset_of!(GuestState, x) + 240),
    row("sp", Type::I64, offset_of!(GuestState, sp)),
    row("d0", Type::F64, offset_of!(GuestState, v)),
    row("d1", Type::F64, offset_of!(GuestState, v) + 8),
    row("d2", Type::F64, offset_of!(GuestState, v) + 16),
    row("d3", Type::F64, offset_of!(GuestState, v) + 24),
    row("d4", Type::F64, offset_of!(GuestState, v) + 32),
    row("d5", Type::F64, offset_of!(GuestState, v) + 40),
    row("d6", Type::F64, offset_of!(GuestState, v) + 48),
    row("d7", Type::F64, offset_of!(GuestState, v) + 56),
    row("d8", Type::F64, offset_of!(GuestState, v) + 64),
    row("d9", Type::F64, offset_of!(GuestState, v) + 72),
    row("d10", Type::F64, offset_of!(GuestState, v) + 80),
    row("d11", Type::F64, offset_of!(GuestState, v) + 88),
    row("d12", Type::F64, offset_of!(GuestState, v) + 96),
    row("d13", Type::F64, offset_of!(GuestState, v) + 104),
    row("d14", Type::F64, offset_of!(GuestState, v) + 112),
    row("d15", Type::F64, offset_of!(GuestState, v) + 120),
    row("d16", Type::F64, offset_of!(GuestState, v) + 128),
    row("d17", Type::F64, offset_of!(GuestState, v) + 136),
    row("d18", Type::F64, offset_of!(GuestState, v) + 144),
    row("d19", Type::F64, offset_of!(GuestState, v) + 152),
    row("d20", Type::F64, offset_of!(GuestState, v) + 160),
    row("d21", Type::F64, offset_of!(GuestState, v) + 168),
    row("d22", Type::F64, offset_of!(GuestState, v) + 176),
    row("d23", Type::F64, offset_of!(GuestState, v) + 184),
    row("d24", Type::F64, offset_of!(GuestState, v) + 192),
    row("d25", Type::F64, offset_of!(GuestState, v) + 200),
    row("d26", Type::F64, offset_of!(GuestState, v) + 208),
    row("d27", Type::F64, offset_of!(GuestState, v) + 216),
    row("d28", Type::F64, offset_of!(GuestState, v) + 224),
    row("d29", Type::F64, offset_of!(GuestState, v) + 232),
    row("d30", Type::F64, offset_of!(GuestState, v) + 240),
    row("d31", Type::F64, offset_of!(GuestState, v) + 248),
    row("n", Type::I1, offset_of!(GuestState, nzcv)),
    row("z", Type::I1, offset_of!(GuestState, nzcv) + 1),
    row("c", Type::I1, offset_of!(GuestState, nzcv) + 2),
    row("v", Type::I1, offset_of!(GuestState, nzcv) + 3),
    row("qc", Type::I1, offset_of!(GuestState, qc)),
    row("tpidrurw", Type::I64, offset_of!(GuestState, tpidr)),
    row("tpidruro", Type::I64, offset_of!(GuestState, tpidrro)),
    row("q", Type::I1, offset_of!(GuestState, a32_flags) + 4),
    row("ge", Type::I32, offset_of!(GuestState, a32_flags)),
    row("fn", Type::I1, offset_of!(GuestState, fp_nzcv)),
    row("fz", Type::I1, offset_of!(GuestState, fp_nzcv) + 1),
    row("fc", Type::I1, offset_of!(GuestState, fp_nzcv) + 2),
    row("fv", Type::I1, offset_of!(GuestState, fp_nzcv) + 3),
];

const _: () = assert!(ROWS.len() == reg::FP_V.0 as usize + 1);
