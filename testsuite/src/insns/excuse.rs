//! Why executions may differ from qemu's: what the instruction sets' lists of excuses consist of. Takes a case and the two
//! reports of one execution, gives a reason.

use super::Case;

/// Why single executions may differ.
pub struct Excuse {
    /// True for the encodings concerned, by name.
    pub rows: fn(&str) -> bool,
    /// True for the executions concerned: case, qemu's line, the engine's line.
    pub when: fn(&Case, &str, &str) -> bool,
    /// The reason, with the manual's place where qemu is wrong.
    pub reason: &'static str,
}

/// Why qemu's line and the engine's may differ for this case.
pub fn find(excuses: &[Excuse], case: &Case, qemu: &str, engine: &str) -> Option<&'static str> {
    excuses.iter().find(|e| (e.rows)(case.row) && (e.when)(case, qemu, engine)).map(|e| e.reason)
}

/// The last instruction.
pub fn last(case: &Case) -> u32 {
    case.items.last().map_or(0, |i| i.word())
}

/// The execution ended with SIGBUS.
pub fn sigbus(line: &str) -> bool {
    line.contains(" signal 7 ")
}

/// True if the last signal is that of the instruction at `offset` from the case's entry.
pub fn at_the_end(line: &str, offset: i32) -> bool {
    line.contains(&format!(" pc=+{offset:x} "))
}

/// Both faulted at the same instruction and address.
pub fn both_fault_alike(qemu: &str, engine: &str) -> bool {
    let fault = |l: &str| l.split(" frame=").next().map(|s| s[s.find(' ').unwrap_or(0)..].to_string());
    qemu.contains(" signal 11 ") && fault(qemu) == fault(engine)
}
