//! Words that the manual leaves UNPREDICTABLE and that other implementations execute in another way than we do. Nothing is lifted
//! by it: comparisons leave these words out.

use super::Place;
use super::table::Insn;

/// Why the instruction at `at` is UNPREDICTABLE, if it is and that makes a difference.
pub fn unpredictable(at: Place, insn: &Insn) -> Option<&'static str> {
    let (name, w) = (insn.row?.name, insn.word);
    let is = |prefixes: &[&str]| prefixes.iter().any(|p| name.starts_with(p));
    let wide = at.thumb && insn.len == 4;
    let loads_pc = wide && (is(&["LDR ("]) && w >> 12 & 15 == 15 || is(&["LDM"]) && w >> 15 & 1 == 1);
    if at.in_it() && !at.last_in_it() && (loads_pc || is(&["B ", "BL", "BX", "TBB", "TBH", "POP"])) {
        return Some("a branch within an IT block");
    }
    if name == "BLX (register)" && w >> if at.thumb { 3 } else { 0 } & 15 == 15 {
        return Some("BLX PC");
    }
    let stores = is(&["STR"]) && !is(&["STREX", "STRD"]);
    if wide && (stores || is(&["LDRB", "LDRH", "LDRSB", "LDRSH"])) && w >> 12 & 15 == 15 {
        return Some("PC as data");
    }
    if wide && is(&["LDRD", "STRD"]) && w >> 16 & 15 == 15 && (w >> 21 & 1 == 1 || is(&["STRD"])) {
        return Some("PC as base");
    }
    let (m, t) = (w & 15, w >> 12 & 15);
    if !at.thumb && name == "LDRD (register)" && (m == t || m == t + 1) {
        return Some("the index is loaded");
    }
    if wide && is(&["LDM", "STM"]) {
        let list = w & 0xffff;
        let bad = if is(&["LDM"]) { list >> 14 == 3 } else { list >> 15 == 1 };
        let writes_back = w >> 21 & 1 == 1 && list >> (w >> 16 & 15) & 1 == 1;
        if bad || list >> 13 & 1 == 1 || list.count_ones() < 2 || writes_back {
            return Some("register list");
        }
    }
    float(name, w)
}

/// The same for floating point and Advanced SIMD.
fn float(name: &str, w: u32) -> Option<&'static str> {
    let field = |low: u32| w >> low & 15;
    let general = name.starts_with("VMOV (") && name.contains("general") || name == "VDUP (general register)";
    if general && (field(12) == 15 || name.contains("two") && field(16) == 15) {
        return Some("the PC as operand");
    }
    if name.contains("two general registers and") {
        if w >> 20 & 1 != 0 && field(12) == field(16) {
            return Some("both destinations are one");
        }
        if name.ends_with("singles)") && field(0) == 15 && w >> 5 & 1 != 0 {
            return Some("S32 does not exist");
        }
    }
    if ["VTRN", "VUZP", "VZIP"].contains(&name) && field(12) == field(0) && w >> 22 & 1 == w >> 5 & 1 {
        return Some("both registers are one");
    }
    let fixed =
        matches!(name, "VCVT (fixed-point to floating-point)" | "VCVT (floating-point to fixed-point)");
    if fixed && w >> 7 & 1 == 0 && (field(0) << 1 | w >> 5 & 1) > 16 {
        return Some("fraction bits less than none");
    }
    None
}
