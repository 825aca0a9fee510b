//! What cannot be compared with qemu 7.2, with the reason: whole encodings, single words, and single executions.

use super::text;
use crate::insns::Case;
use crate::insns::excuse::{Excuse, at_the_end, both_fault_alike, sigbus};
use isa::a32::{Place, Row, decode, unpredictable};

/// Encodings that no case executes, with the reason.
pub const EXCLUDED: &[(&str, &str)] = &[("MRRC", "reads the counter")];

/// Why a word of an encoding, as executed at `at`, is not compared: words that are UNPREDICTABLE and that we and qemu take for
/// different things, and what changes more than registers.
pub fn unusable(row: &Row, w: u32, at: Place) -> Option<&'static str> {
    let name = row.name;
    let is = |prefixes: &[&str]| prefixes.iter().any(|p| name.starts_with(p));
    if at.in_it() && is(&["IT", "CBNZ", "B T1", "B T3", "CPS", "SETEND", "BKPT"]) {
        return Some("UNPREDICTABLE in IT blocks");
    }
    let sets_e = is(&["MSR ("]) && w >> if at.thumb { 9 } else { 17 } & 1 != 0;
    if sets_e || is(&["SETEND"]) && w >> if at.thumb { 3 } else { 9 } & 1 != 0 {
        return Some("the case program does not go on with big-endian data");
    }
    if is(&["SVC"]) && at.thumb && w & 0xff == 0xab {
        return Some("semihosting in qemu");
    }
    if is(&["HLT"]) {
        if at.in_it() || !at.thumb && w >> 28 != 14 {
            return Some("HLT under a condition is UNPREDICTABLE");
        }
        let semihosting = if at.thumb { w & 63 == 0x3c } else { (w >> 4 & 0xfff0 | w & 15) == 0xf000 };
        if semihosting {
            return Some("semihosting in qemu");
        }
    }
    unpredictable(at, &decode(at, w))
}

/// True for accesses whose alignment to 32 bytes qemu does not check.
pub fn aligned_to_32(row: &Row, w: u32) -> bool {
    row.name.starts_with('V') && several(row.name) && row.pattern.contains("aa") && w >> 4 & 3 == 3
}

/// Why single executions may differ.
pub const EXCUSES: &[Excuse] = &[
    Excuse {
        rows: |n| n.contains("four registers") || n.contains("4-element"),
        when: |_, qemu, engine| sigbus(engine) && !sigbus(qemu),
        reason: "qemu checks alignment to 32 bytes as to 16 (Arm ARM F4.1.14)",
    },
    Excuse {
        rows: |n| n.contains("STREX") || n.contains("STLEX"),
        // Behind a load that faulted, too.
        when: |case, qemu, engine| sigbus(engine) && !at_the_end(qemu, last_at(case)),
        reason: "qemu looks at the monitor before the alignment (Arm ARM E2.10.5)",
    },
    Excuse {
        rows: several,
        when: |_, qemu, engine| both_fault_alike(qemu, engine),
        reason: "an access in several parts that faults may have done the others (Arm ARM G1.16.1)",
    },
];

/// True for accesses that are made in parts, of which the first may be done when another faults.
pub fn several(name: &str) -> bool {
    let bare = name.strip_prefix("A32 ").or(name.strip_prefix("T32 ")).or(name.strip_prefix("T16 "));
    let names = ["LDM", "STM", "POP", "PUSH", "VLD", "VST", "VPOP", "VPUSH", "LDRD", "STRD"];
    names.iter().any(|p| bare.unwrap_or(name).starts_with(p))
}

/// Where the last instruction stands, in bytes from the case's entry.
fn last_at(case: &Case) -> i32 {
    let positions = text::positions(case).items;
    positions[positions.len() - 2]
}
