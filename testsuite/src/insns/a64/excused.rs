//! What cannot be compared with qemu 7.2, with the reason: whole encodings, and single executions.

use crate::insns::excuse::{Excuse, at_the_end, both_fault_alike, last, sigbus};

/// Encodings that no case executes, with the reason.
pub const EXCLUDED: &[(&str, &str)] = &[
    (
        "DC CVAP",
        "undefined in qemu's user mode although it announces FEAT_DPB; executed in cases/a64-unlike-qemu.txt",
    ),
    (
        "DC CVADP",
        "undefined in qemu's user mode although it announces FEAT_DPB2; executed in cases/a64-unlike-qemu.txt",
    ),
];

/// Encodings that another of qemu's processors shows, because its `max` has more features or another block size of DC ZVA
/// than xlate announces.
pub const OTHER_PROCESSOR: (&str, &[&str]) = ("cortex-a76", &["DC ZVA", "SYS", "SYSL", "MSR (immediate)"]);

/// Why single executions may differ.
pub const EXCUSES: &[Excuse] = &[
    Excuse {
        rows: |n| n.starts_with("LDAP"),
        when: |_, qemu, engine| sigbus(engine) && !sigbus(qemu),
        reason: "qemu does not check their alignment (Arm ARM B2.5.2)",
    },
    Excuse {
        rows: |n| n.starts_with("STX") || n.starts_with("STLX"),
        // Behind a load that faulted, too.
        when: |case, qemu, engine| sigbus(engine) && !at_the_end(qemu, 4 * (case.items.len() as i32 - 1)),
        reason: "qemu looks at the monitor before the alignment (Arm ARM B2.9.5)",
    },
    Excuse {
        rows: |n| n.starts_with("DC ") || n.starts_with("IC "),
        when: |_, qemu, engine| engine.contains(" signal 11 ") && !qemu.contains("signal"),
        reason: "qemu's user mode does not look at the address",
    },
    Excuse {
        rows: several,
        when: |_, qemu, engine| both_fault_alike(qemu, engine),
        reason: "an access in several parts that faults may have done the others (Arm ARM D1.3.5)",
    },
    Excuse {
        rows: |n| n == "MRS",
        when: |case, _, _| {
            let register = last(case) >> 5 & 0x7fff;
            // op1 = CRn = 0; CTR_EL0, DCZID_EL0.
            register & 0x3f80 == 0 || matches!(register, 0x5801 | 0x5807)
        },
        reason: "identification registers: other features and caches",
    },
    Excuse {
        rows: |n| n == "FCVTZU (vector, fixed-point)",
        when: |case, _, engine| engine.contains("signal 4") && last(case) & 0x2078_fc00 == 0x2000_fc00,
        reason: "cmode 1111 with o2 and op is unallocated (Arm ARM C4.1); qemu executes it",
    },
    Excuse {
        rows: |n| n == "FCVTZS (scalar SIMD, fixed-point)",
        when: |case, _, _| last(case) & 0x0060_0000 == 0,
        reason: "qemu puts the sign of the half-width result above it",
    },
    Excuse {
        rows: |n| n == "FJCVTZS",
        when: |_, _, engine| fpcr(engine) >> 24 & 1 == 1,
        reason: "FPToFixedJS clears Z for a subnormal that FZ makes zero; qemu does not",
    },
];

/// True for accesses that are made in parts, of which the first may be done when another faults.
pub fn several(row: &str) -> bool {
    let pair = ["LDP", "STP", "LDNP", "STNP"].iter().any(|p| row.starts_with(p));
    let structure = row.starts_with("LD") || row.starts_with("ST");
    pair || row.ends_with("128-bit)") || structure && row.as_bytes().get(2).is_some_and(u8::is_ascii_digit)
}

fn fpcr(line: &str) -> u32 {
    line.split(['/', ' ']).nth(1).and_then(|f| u32::from_str_radix(f, 16).ok()).unwrap_or(0)
}
