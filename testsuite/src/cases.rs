//! Hand-picked instruction cases: one line each with the instructions, the registers they start from and what they must
//! change. Takes the text, gives an assembly table for `guest/insn-cases.c` and the lines that program must print; what
//! is expected comes from the Arm manual, so every engine, and qemu, can be wrong here.

use crate::guest::Target;
use crate::insns::build_table;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Registers as the case program keeps them.
#[derive(Clone, PartialEq, Eq, Default)]
struct State {
    x: [u64; 31],
    sp: u64,
    nzcv: u64,
    fpcr: u64,
    fpsr: u64,
    v: [u128; 32],
    signal: u64,
}

/// One line of the file.
pub struct Case {
    /// The line, for messages.
    pub text: String,
    code: String,
    before: State,
    after: State,
}

/// Reads `instructions ; registers before ; registers that change`. Instructions are separated by `&`; a `#` at the start
/// of a line begins a comment.
pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    text.lines()
        .filter(|l| !l.trim().is_empty() && !l.starts_with('#'))
        .map(|line| {
            let mut parts = line.split(';').map(str::trim);
            let code = parts.next().unwrap_or("").replace('&', "\n\t");
            let mut before = State { sp: 0x1000_1000, ..State::default() };
            before.x[16] = before.sp;
            set(&mut before, parts.next().unwrap_or("")).map_err(|e| format!("{line}: {e}"))?;
            let mut after = before.clone();
            set(&mut after, parts.next().ok_or(format!("{line}: nothing is expected"))?)
                .map_err(|e| format!("{line}: {e}"))?;
            Ok(Case { text: line.to_string(), code, before, after })
        })
        .collect()
}

/// Applies `name=value …`: xN, sp, nzcv (four binary digits), fpcr, fpsr, signal; bN hN sN dN qN set a whole V register,
/// as `vN.4s=lane0,lane1,…` does. Values are decimal or 0x…; those of s and d may be floating-point numbers.
fn set(state: &mut State, text: &str) -> Result<(), String> {
    for item in text.split_whitespace() {
        let (name, value) = item.split_once('=').ok_or(format!("{item} has no value"))?;
        let index = |n: &str| n.parse::<usize>().ok().filter(|n| *n < 32).ok_or(format!("what is {name}?"));
        let whole = |bits| number(value, bits);
        match name {
            "sp" => state.sp = whole(64)? as u64,
            "fpcr" => state.fpcr = whole(64)? as u64,
            "fpsr" => state.fpsr = whole(64)? as u64,
            "signal" => state.signal = whole(64)? as u64,
            "nzcv" => state.nzcv = u64::from_str_radix(value, 2).map_err(|e| format!("{item}: {e}"))? << 28,
            _ => {
                let (kind, rest) = name.split_at(1);
                match kind {
                    "x" => *state.x.get_mut(index(rest)?).ok_or("x31?")? = whole(64)? as u64,
                    "v" => {
                        let (n, shape) = rest.split_once('.').ok_or(format!("{name} has no lanes"))?;
                        let bits = lane_bits(&shape[shape.len() - 1..])?;
                        let mut v = 0;
                        for (i, lane) in value.split(',').enumerate() {
                            v |= number(lane, bits)? << (i as u32 * bits);
                        }
                        state.v[index(n)?] = v;
                    }
                    _ => state.v[index(rest)?] = whole(lane_bits(kind)?)?,
                }
            }
        }
    }
    Ok(())
}

fn lane_bits(kind: &str) -> Result<u32, String> {
    ["b", "h", "s", "d", "q"]
        .iter()
        .position(|k| *k == kind)
        .map(|i| 8 << i)
        .ok_or(format!("what is {kind}?"))
}

/// A number of this width.
fn number(text: &str, bits: u32) -> Result<u128, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("{text}: {e}");
    let mask = u128::MAX >> (128 - bits);
    if let Some(hex) = text.strip_prefix("0x") {
        return u128::from_str_radix(&hex.replace('_', ""), 16).map_err(|e| wrong(&e));
    }
    if text.contains('.') || text.ends_with("inf") {
        return match bits {
            32 => text.parse::<f32>().map(|v| v.to_bits().into()).map_err(|e| wrong(&e)),
            64 => text.parse::<f64>().map(|v| v.to_bits().into()).map_err(|e| wrong(&e)),
            _ => Err(wrong(&"only s and d can be floating-point numbers")),
        };
    }
    text.parse::<i128>().map(|v| v as u128 & mask).map_err(|e| wrong(&e))
}

/// Builds the guest program of these cases.
pub fn program(cases: &[Case]) -> PathBuf {
    let mut s = String::from("\t.arch armv8.6-a+fp16+crypto+sha3+fp16fml\n\t.text\n");
    for (i, c) in cases.iter().enumerate() {
        let _ = writeln!(s, "\t.type c{i}, %function\nc{i}:\t{}\n\tret\n\t.size c{i}, . - c{i}", c.code);
    }
    s.push_str("\t.section .data.rel.ro, \"aw\"\n\t.balign 16\n\t.global case_count, case_entry, case_word, case_state\n");
    let _ = writeln!(s, "case_count: .quad {}", cases.len());
    let each = |s: &mut String, f: &dyn Fn(usize, &Case) -> String| {
        for (i, c) in cases.iter().enumerate() {
            let _ = writeln!(s, "\t{}", f(i, c));
        }
    };
    s.push_str("case_entry:\n");
    each(&mut s, &|i, _| format!(".quad c{i}"));
    s.push_str("case_word:\n");
    each(&mut s, &|i, _| format!(".word {i}"));
    s.push_str("\t.balign 16\ncase_state:\n");
    each(&mut s, &|_, c| {
        let b = &c.before;
        let head = b.x.iter().copied().chain([b.sp, b.nzcv, b.fpcr, b.fpsr, 0, 0, 0]);
        let v = b.v.iter().flat_map(|v| [*v as u64, (*v >> 64) as u64]);
        head.chain(v)
            .fold(String::from(".quad 0"), |mut s, q| {
                let _ = write!(s, ",0x{q:x}");
                s
            })
            .replacen("0,", "", 1)
    });
    build_table(Target::A64, &s)
}

/// The line that the program must print for a case.
pub fn expected(index: usize, case: &Case) -> String {
    let (b, a) = (&case.before, &case.after);
    let mut s = format!("{index:08x}/{:x}/0", b.fpcr);
    if a.signal != 0 {
        let here = if a.signal == 4 { " here" } else { "" };
        let _ = write!(s, " signal {} code 1{here}", a.signal);
    }
    for (i, (b, a)) in b.x.iter().zip(&a.x).take(30).enumerate().filter(|(_, (b, a))| b != a) {
        let _ = (b, write!(s, " x{i}={a:x}"));
    }
    for (name, b, a) in [("sp", b.sp, a.sp), ("nzcv", b.nzcv >> 28, a.nzcv >> 28), ("fpsr", b.fpsr, a.fpsr)] {
        if b != a {
            let _ = write!(s, " {name}={a:x}");
        }
    }
    for (i, (b, a)) in b.v.iter().zip(&a.v).enumerate().filter(|(_, (b, a))| b != a) {
        let _ = (b, write!(s, " v{i}={a:032x}"));
    }
    s
}
