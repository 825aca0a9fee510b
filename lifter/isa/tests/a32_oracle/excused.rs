//! What the comparison leaves out: cases that would harm the oracle, what qemu and Linux do differently, UNPREDICTABLE words.

use crate::case::{A32_PAGE, CODE, Case, REFUSED, State, T32_PAGE};
use crate::common::machine::{SIGBUS, SIGSEGV};
use crate::common::{a32_options, disassembled};
use crate::integer;
use crate::world::Ours;
use isa::a32;
use std::collections::BTreeSet;

/// Cases that say nothing, or would harm the oracle.
pub fn unusable(case: &Case, ours: &Ours) -> bool {
    let s = &ours.after;
    let foreign = |a: u32| {
        // The oracle and what qemu maps, the page of kernel helpers, the other code pages.
        (0x3f00_0000..0x8000_0000).contains(&a)
            || a >= 0xfff0_0000
            || a.wrapping_sub(CODE) < 0x2000
            || a.wrapping_sub(A32_PAGE - 0x1000) < 0x3000
            || a.wrapping_sub(T32_PAGE - 0x1000) < 0x3000
    };
    let wild = ours.undefined && (integer::unpredictable(case) || excused_access(case));
    if wild || integer::particular(case) {
        return true;
    }
    let own = |a: u32| a.wrapping_sub(case.page() - 0x1000) < 0x3000;
    if s.signal == SIGSEGV && foreign(s.addr) && !own(s.addr) {
        return true;
    }
    // What it then accesses is not known.
    if structures(case.row.name) && unpredictable_structure(case.word) {
        return true;
    }
    // TPIDRURO is the oracle's own.
    if case.word & 0x0fff_0fff == 0x0e1d_0f70 {
        return true;
    }
    if s.signal != 0 || s.pc == case.next() {
        return false;
    }
    let (to, thumb) = (s.pc & !1, s.pc & 1 != 0);
    let known = own(to) && thumb == case.at.thumb && to.wrapping_sub(case.page()) >= 24;
    foreign(to) && !known || !thumb && to & 2 != 0
}

/// Adapts what the two sides may do differently; true if the case says nothing.
pub fn normalise(case: &Case, ours: &mut State, qemu: &mut State) -> bool {
    let name = case.row.name;
    if ours.signal == 0 && ours.pc != case.next() && qemu.signal != 0 && qemu.pc & !1 != case.at.addr {
        // A taken branch arrives as a signal at its target.
        (qemu.signal, qemu.addr) = (0, 0);
    }
    if qemu.signal == REFUSED || ours.signal == REFUSED {
        // A system call whose condition does not hold, too.
        return true;
    }
    if name == "VMSR" {
        // FZ16, which belongs to arithmetic that is not announced.
        qemu.fpscr &= !0x0008_0000;
    }
    if name.contains("four registers") || name.contains("4-element") {
        // qemu 7.2 checks alignment to 32 bytes as to 16.
        if ours.signal == SIGBUS && qemu.signal != SIGBUS && ours.addr.is_multiple_of(16) {
            return true;
        }
    }
    let several_words = several(name) && !structures(name);
    if qemu.signal == SIGBUS && !qemu.addr.is_multiple_of(4) && ours.signal != SIGBUS && several_words {
        // Linux makes good what the processor refuses.
        return true;
    }
    if qemu.signal == SIGSEGV && ours.signal == SIGSEGV && qemu.addr == ours.addr && several(name) {
        // qemu keeps what it loaded or stored before the fault; the architecture allows both.
        qemu.memory = ours.memory.clone();
        (qemu.r, qemu.d) = (ours.r, ours.d);
    }
    false
}

/// Rows that access more than one word: processors demand alignment, but Linux makes up for it.
pub fn several(name: &str) -> bool {
    let names = ["LDM", "STM", "POP", "PUSH", "VLD", "VST", "VPOP", "VPUSH", "LDRD", "STRD", "FLDM", "FSTM"];
    names.iter().any(|p| name.starts_with(p))
}

/// VLD1–VLD4 and VST1–VST4.
fn structures(name: &str) -> bool {
    let digit = name.strip_prefix("VLD").or(name.strip_prefix("VST")).and_then(|n| n.chars().next());
    digit.is_some_and(|c| c.is_ascii_digit())
}

/// A load or store of structures relative to the PC, or with registers behind D31.
fn unpredictable_structure(w: u32) -> bool {
    let field = |low: u32, bits: u32| w >> low & ((1 << bits) - 1);
    let n = field(8, 2) + 1;
    let last = if field(23, 1) == 0 {
        [3, 6, 3, 3, 2, 4, 2, 0, 1, 2, 1].get(field(8, 4) as usize).copied().unwrap_or(0)
    } else if field(10, 2) == 3 {
        if n == 1 { field(5, 1) } else { (n - 1) * (1 + field(5, 1)) }
    } else {
        let spaced = [0, field(5, 1), field(6, 1)][field(10, 2) as usize];
        (n - 1) * (1 + spaced)
    };
    field(16, 4) == 15 || (field(22, 1) << 4 | field(12, 4)) + last > 31
}

/// UNPREDICTABLE words that LLVM takes for good, or that mean something else to qemu: why.
pub fn excused(case: &Case) -> Option<&'static str> {
    a32::unpredictable(case.at, &a32::decode(case.at, case.word))
}

/// True for UNPREDICTABLE operands of A32's loads and stores, of which LLVM knows a part.
pub fn excused_access(case: &Case) -> bool {
    let (name, w) = (case.row.name, case.word);
    let is = |prefixes: &[&str]| prefixes.iter().any(|p| name.starts_with(p));
    if case.at.thumb || !is(&["LDR", "STR"]) || is(&["LDREX", "STREX"]) {
        return false;
    }
    let (n, t, m) = (w >> 16 & 15, w >> 12 & 15, w & 15);
    let extra = w >> 25 & 7 == 0;
    let register = if extra { w >> 22 & 1 == 0 } else { w >> 25 & 1 == 1 };
    let writes_back = w >> 24 & 1 == 0 || w >> 21 & 1 == 1;
    let pair = is(&["LDRD", "STRD"]);
    let word = is(&["LDR (", "STR ("]);
    t == 15 && !word
        || pair && (t & 1 == 1 || t == 14)
        || register && (m == 15 || pair && is(&["LDRD"]) && (m == t || m == t + 1))
        || writes_back && (n == 15 || n == t || pair && n == t + 1)
}

/// The indices of cases for which LLVM warns (UNPREDICTABLE: "potentially undefined") or fails (undefined, or of a feature that
/// it does not know), with a message that has `what` in it.
pub fn doubtful(cases: &[Case], what: &str) -> BTreeSet<usize> {
    let mut doubtful = BTreeSet::new();
    for thumb in [false, true] {
        let (mut text, mut lines) = (String::new(), Vec::new());
        let mut line = |index: usize, bytes: &[u8]| {
            let bytes: Vec<String> = bytes.iter().map(|b| format!("{b:#04x}")).collect();
            text += &(bytes.join(" ") + "\n");
            lines.push(index);
        };
        for (i, case) in cases.iter().enumerate().filter(|(_, c)| c.at.thumb == thumb) {
            let code = case.code();
            let at = (case.at.addr - case.page() + 0x1000) as usize;
            if case.at.it != 0 {
                line(i, &code[at - 2..at]);
            }
            line(i, &code[at..at + case.len() as usize]);
            // The rest of the block.
            for _ in 0..if case.at.it != 0 { 3 - case.at.it.trailing_zeros() } else { 0 } {
                line(i, &[0, 0xbf]);
            }
        }
        let (_, messages) = disassembled(&a32_options(thumb), text);
        doubtful.extend(messages.iter().filter(|(_, m)| m.contains(what)).map(|(line, _)| lines[*line]));
    }
    doubtful
}
