//! Floating point and Advanced SIMD of AArch32, one file per class of encodings (Arm ARM F4.1.19–F4.1.24), in A32's form. Takes
//! words, gives IR. What computes on vectors is composed as A64's instructions are, with the same operations.
//!
//! Scalars and VFP's short vectors of them compute under FPSCR, Advanced SIMD's vectors under the standard FPSCR (shapes `n2s` and
//! `n4s`).

use super::table::Row;

mod operands;

// Floating point.
mod loadstore;
mod moves;
mod vfp;
mod vfp_convert;

// Advanced SIMD.
mod crypto;
mod permute;
mod shift;
mod structures;
mod three_different;
mod three_same;
mod two_regs;

/// The groups' rows.
pub static GROUPS: &[&[Row]] = &[
    vfp::VFP,
    vfp::FUSED,
    vfp::ARMV8,
    vfp_convert::VFP,
    vfp_convert::ARMV8,
    moves::ROWS,
    loadstore::ROWS,
    structures::ROWS,
    three_same::INTEGER,
    three_same::FLOAT,
    three_same::FUSED,
    three_same::ARMV8,
    three_different::DIFFERENT,
    three_different::POLYNOMIAL,
    three_different::SCALAR,
    shift::SHIFTS,
    shift::IMMEDIATES,
    two_regs::INTEGER,
    two_regs::FLOAT,
    two_regs::ARMV8,
    permute::ROWS,
    crypto::AES,
    crypto::SHA1,
    crypto::SHA256,
];
