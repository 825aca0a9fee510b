//! The A64 register file: names, types and homes in the guest state.

use abi::GuestState;
use core::mem::offset_of;
use ir::{Reg, RegFile, RegInfo, Type};

/// Registers of A64 by index; see [`reg`].
pub static FILE: RegFile = RegFile { isa: "a64", regs: &ROWS };

/// Indices into [`FILE`].
pub mod reg {
    use ir::Reg;

    /// x`n`, n ≤ 30.
    pub const fn x(n: u32) -> Reg {
        assert!(n < 31);
        Reg(n as u16)
    }

    /// The stack pointer.
    pub const SP: Reg = Reg(31);

    /// The link register, x30.
    pub const LR: Reg = Reg(30);

    /// v`n`, n ≤ 31.
    pub const fn v(n: u32) -> Reg {
        assert!(n < 32);
        Reg(32 + n as u16)
    }

    /// Flag N.
    pub const N: Reg = Reg(64);
    /// Flag Z.
    pub const Z: Reg = Reg(65);
    /// Flag C.
    pub const C: Reg = Reg(66);
    /// Flag V.
    pub const V: Reg = Reg(67);
    /// FPSR.QC as far as lifted code set it: write 1 or the old value or'ed with a new bit.
    pub const QC: Reg = Reg(68);
    /// TPIDR_EL0.
    pub const TPIDR: Reg = Reg(69);
    /// TPIDRRO_EL0.
    pub const TPIDRRO: Reg = Reg(70);
}

const fn row(name: &'static str, ty: Type, offset: usize) -> RegInfo {
    RegInfo { name, ty, offset: offset as u32 }
}

static ROWS: [RegInfo; 71] = [
    row("x0", Type::I64, offset_of!(GuestState, x)),
    row("x1", Type::I64, offset_of!(GuestState, x) + 8),
    row("x2", Type::I64, offset_of!(GuestState, x) + 16),
    row("x3", Type::I64, offset_of!(GuestState, x) + 24),
    row("x4", Type::I64, offset_of!(GuestState, x) + 32),
    row("x5", Type::I64, offset_of!(GuestState, x) + 40),
    row("x6", Type::I64, offset_of!(GuestState, x) + 48),
    row("x7", Type::I64, offset_of!(GuestState, x) + 56),
    row("x8", Type::I64, offset_of!(GuestState, x) + 64),
    row("x9", Type::I64, offset_of!(GuestState, x) + 72),
    row("x10", Type::I64, offset_of!(GuestState, x) + 80),
    row("x11", Type::I64, offset_of!(GuestState, x) + 88),
    row("x12", Type::I64, offset_of!(GuestState, x) + 96),
    row("x13", Type::I64, offset_of!(GuestState, x) + 104),
    row("x14", Type::I64, offset_of!(GuestState, x) + 112),
    row("x15", Type::I64, offset_of!(GuestState, x) + 120),
    row("x16", Type::I64, offset_of!(GuestState, x) + 128),
    row("x17", Type::I64, offset_of!(GuestState, x) + 136),
    row("x18", Type::I64, offset_of!(GuestState, x) + 144),
    row("x19", Type::I64, offset_of!(GuestState, x) + 152),
    row("x20", Type::I64, offset_of!(GuestState, x) + 160),
    row("x21", Type::I64, offset_of!(GuestState, x) + 168),
    row("x22", Type::I64, offset_of!(GuestState, x) + 176),
    row("x23", Type::I64, offset_of!(GuestState, x) + 184),
    row("x24", Type::I64, offset_of!(GuestState, x) + 192),
    row("x25", Type::I64, offset_of!(GuestState, x) + 200),
    row("x26", Type::I64, offset_of!(GuestState, x) + 208),
    row("x27", Type::I64, offset_of!(GuestState, x) + 216),
    row("x28", Type::I64, offset_of!(GuestState, x) + 224),
    row("x29", Type::I64, offset_of!(GuestState, x) + 232),
    row("x30", Type::I64, offset_of!(GuestState, x) + 240),
    row("sp", Type::I64, offset_of!(GuestState, sp)),
    row("v0", Type::V128, offset_of!(GuestState, v)),
    row("v1", Type::V128, offset_of!(GuestState, v) + 16),
    row("v2", Type::V128, offset_of!(GuestState, v) + 32),
    row("v3", Type::V128, offset_of!(GuestState, v) + 48),
    row("v4", Type::V128, offset_of!(GuestState, v) + 64),
    row("v5", Type::V128, offset_of!(GuestState, v) + 80),
    row("v6", Type::V128, offset_of!(GuestState, v) + 96),
    row("v7", Type::V128, offset_of!(GuestState, v) + 112),
    row("v8", Type::V128, offset_of!(GuestState, v) + 128),
    row("v9", Type::V128, offset_of!(GuestState, v) + 144),
    row("v10", Type::V128, offset_of!(GuestState, v) + 160),
    row("v11", Type::V128, offset_of!(GuestState, v) + 176),
    row("v12", Type::V128, offset_of!(GuestState, v) + 192),
    row("v13", Type::V128, offset_of!(GuestState, v) + 208),
    row("v14", Type::V128, offset_of!(GuestState, v) + 224),
    row("v15", Type::V128, offset_of!(GuestState, v) + 240),
    row("v16", Type::V128, offset_of!(GuestState, v) + 256),
    row("v17", Type::V128, offset_of!(GuestState, v) + 272),
    row("v18", Type::V128, offset_of!(GuestState, v) + 288),
    row("v19", Type::V128, offset_of!(GuestState, v) + 304),
    row("v20", Type::V128, offset_of!(GuestState, v) + 320),
    row("v21", Type::V128, offset_of!(GuestState, v) + 336),
    row("v22", Type::V128, offset_of!(GuestState, v) + 352),
    row("v23", Type::V128, offset_of!(GuestState, v) + 368),
    row("v24", Type::V128, offset_of!(GuestState, v) + 384),
    row("v25", Type::V128, offset_of!(GuestState, v) + 400),
    row("v26", Type::V128, offset_of!(GuestState, v) + 416),
    row("v27", Type::V128, offset_of!(GuestState, v) + 432),
    row("v28", Type::V128, offset_of!(GuestState, v) + 448),
    row("v29", Type::V128, offset_of!(GuestState, v) + 464),
    row("v30", Type::V128, offset_of!(GuestState, v) + 480),
    row("v31", Type::V128, offset_of!(GuestState, v) + 496),
    row("n", Type::I1, offset_of!(GuestState, nzcv)),
    row("z", Type::I1, offset_of!(GuestState, nzcv) + 1),
    row("c", Type::I1, offset_of!(GuestState, nzcv) + 2),
    row("v", Type::I1, offset_of!(GuestState, nzcv) + 3),
    row("qc", Type::I1, offset_of!(GuestState, qc)),
    row("tpidr_el0", Type::I64, offset_of!(GuestState, tpidr)),
    row("tpidrro_el0", Type::I64, offset_of!(GuestState, tpidrro)),
];

const _: () = assert!(ROWS.len() == reg::TPIDRRO.0 as usize + 1);
const _: fn(u32) -> Reg = reg::x;
