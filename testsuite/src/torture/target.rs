//! What gcc's test harness would find out of the machine that guests see: target triple, effective-target keywords, and
//! the options that `dg-add-options` stands for. Data for the `dg` file; compiles and runs nothing, because what is not
//! said here the compiler and qemu decide: a test that does not build or does not pass under qemu is no oracle.

use crate::guest::Target;

/// The target, against which `aarch64*-*-*` and the like are matched.
const fn triple(guest: Target) -> &'static str {
    match guest {
        Target::A64 => "aarch64-unknown-linux-gnu",
        Target::A32 | Target::T32 => "arm-unknown-linux-gnueabihf",
    }
}

/// Keywords that do not hold. All others are taken to hold.
const ABSENT: &[&str] = &[
    // Other data models and byte orders.
    "ilp32",
    "x32",
    "llp64",
    "int16",
    "short_eq_int",
    "aarch64_big_endian",
    "stdint_types_mbig_endian",
    "default_packed",
    // Code models other than the default.
    "aarch64_tiny",
    "aarch64_large",
    "default_branch_protection",
    "pie_enabled",
    // Not an ordinary Linux system.
    "freestanding",
    "simulator",
    "newlib_nano_io",
    "keeps_null_pointer_checks",
    "tls_emulated",
    "uclinux",
    "uclinuxfdpiceabi",
    // Other processors.
    "ia32",
    "sse",
    "sse2",
    "sse_runtime",
    "sse2_runtime",
    "sse4_runtime",
    "avx",
    "avx_runtime",
    "avx2_runtime",
    "avx512f",
    "avx512f_runtime",
    "avx512vpopcntdq",
    "cet",
    "powerpc_altivec_ok",
    "powerpc_vsx_ok",
    "vmx_hw",
    "vsx_hw",
    "split_stack",
    "noinit",
    "persistent",
    // Decimal floating point is not there for AArch64 in gcc 12.
    "dfp",
    // Not announced by the machine that guests see.
    "aarch64_sve",
    "aarch64_sve_hw",
    "aarch64_sve2_hw",
    "aarch64_sve128_hw",
    "aarch64_sve256_hw",
    "aarch64_sve512_hw",
    "aarch64_sve1024_hw",
    "aarch64_sve2048_hw",
    "aarch64_bti_hw",
    "arm_v8_2a_bf16_neon_hw",
    // What it says: tests that take long, at every level instead of one.
    "run_expensive_tests",
    "vect_no_align",
];

/// Keywords that do not hold for 64-bit programs only, and for 32-bit programs only.
const ABSENT_64: &[&str] = &["arm32", "arm_eabi", "arm_hf_eabi"];
const ABSENT_32: &[&str] = &["lp64", "int128", "aarch64_little_endian"];

/// What the names of Armv8.1's and later additions to 32-bit processors begin with, none of which is announced.
const LATER_32: &[&str] = &["arm_v8_1a_", "arm_v8_2a_", "arm_v8_3a_"];

/// True if the effective-target keyword holds.
pub fn has(keyword: &str, guest: Target) -> bool {
    let absent = match guest {
        Target::A64 => ABSENT_64.contains(&keyword),
        Target::A32 | Target::T32 => {
            ABSENT_32.contains(&keyword) || LATER_32.iter().any(|l| keyword.starts_with(l))
        }
    };
    !absent && !ABSENT.contains(&keyword)
}

/// What `dg-add-options KEYWORD` adds.
pub fn options_for(keyword: &str, guest: Target) -> &'static [&'static str] {
    if guest != Target::A64 {
        return match keyword {
            "arm_neon" => &["-mfpu=neon"],
            "arm_neon_fp16" => &["-mfpu=neon-fp16", "-mfp16-format=ieee"],
            "arm_neonv2" => &["-mfpu=neon-vfpv4"],
            "arm_v8_neon" => &["-march=armv8-a", "-mfpu=neon-fp-armv8"],
            "arm_crypto" => &["-mfpu=crypto-neon-fp-armv8"],
            _ => &[],
        };
    }
    match keyword {
        "arm_v8_1a_neon" => &["-march=armv8.1-a"],
        "arm_v8_2a_fp16_scalar" | "arm_v8_2a_fp16_neon" => &["-march=armv8.2-a+fp16"],
        "arm_v8_2a_dotprod_neon" => &["-march=armv8.2-a+dotprod"],
        "arm_v8_2a_i8mm" => &["-march=armv8.2-a+i8mm"],
        "arm_v8_2a_bf16_neon" => &["-march=armv8.2-a+bf16"],
        "arm_v8_3a_complex_neon" => &["-march=armv8.3-a"],
        "arm_v8_3a_fp16_complex_neon" => &["-march=armv8.3-a+fp16"],
        "arm_crypto" => &["-march=armv8-a+crypto"],
        _ => &[],
    }
}

/// True if a selector as `target X`, `{ target { X } xfail { Y } }` selects us; a mere `xfail` does.
pub fn selects(selector: &str, guest: Target) -> bool {
    let words = super::dg::words(selector);
    match words.first().map(String::as_str) {
        Some("target") => {
            let rest: Vec<String> =
                words[1..].iter().take_while(|w| *w != "xfail").map(|w| braced(w)).collect();
            holds(&rest.join(" "), guest)
        }
        _ => true,
    }
}

/// A list's element as an expression: a group gets its braces back.
fn braced(word: &str) -> String {
    if word.contains(char::is_whitespace) { format!("{{ {word} }}") } else { word.to_string() }
}

/// True if an expression over triples and keywords holds; juxtaposition means or.
pub fn holds(expression: &str, guest: Target) -> bool {
    let spaced =
        expression.replace('{', " { ").replace('}', " } ").replace('!', " ! ").replace(['(', ')', '"'], " ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let mut value = false;
    while at < tokens.len() {
        value |= or(&tokens, &mut at, guest);
    }
    value
}

fn or(tokens: &[&str], at: &mut usize, guest: Target) -> bool {
    let mut value = and(tokens, at, guest);
    while tokens.get(*at) == Some(&"||") {
        *at += 1;
        value |= and(tokens, at, guest);
    }
    value
}

fn and(tokens: &[&str], at: &mut usize, guest: Target) -> bool {
    let mut value = not(tokens, at, guest);
    while tokens.get(*at) == Some(&"&&") {
        *at += 1;
        value &= not(tokens, at, guest);
    }
    value
}

fn not(tokens: &[&str], at: &mut usize, guest: Target) -> bool {
    let Some(&token) = tokens.get(*at) else { return false };
    *at += 1;
    match token {
        "!" => !not(tokens, at, guest),
        "{" => {
            let mut value = false;
            while tokens.get(*at).is_some_and(|&t| t != "}") {
                value |= or(tokens, at, guest);
            }
            *at += 1;
            value
        }
        triple if triple.matches('-').count() >= 2 => glob(triple, self::triple(guest)),
        keyword => has(keyword, guest),
    }
}

/// Matches `text` with a pattern of literal characters, `*` and `?`.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (Some(p), rest) = ({
        let mut c = pattern.chars();
        (c.next(), c.as_str())
    }) else {
        return text.is_empty();
    };
    let mut c = text.chars();
    match (p, c.next()) {
        ('*', first) => glob(rest, text) || first.is_some() && glob(pattern, c.as_str()),
        (_, None) => false,
        (p, Some(t)) => (p == '?' || p == t) && glob(rest, c.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        for (text, value) in [
            ("aarch64*-*-*", true),
            ("i?86-*-* x86_64-*-*", false),
            ("x86_64-*-* aarch64*-*-*", true),
            ("{ aarch64*-*-* && lp64 }", true),
            ("! lp64", false),
            ("{ ! { powerpc*-*-* && vect_int } }", true),
            ("ia32 || { lp64 && { ! ilp32 } }", true),
            ("*-*-linux*", true),
            ("{ *-*-darwin* } || { aarch64_tiny || aarch64_large }", false),
        ] {
            assert_eq!(holds(text, Target::A64), value, "{text}");
        }
        let selected = |text| selects(text, Target::A64);
        assert!(selected("target aarch64-*-*") && selected("xfail *-*-*"));
        assert!(!selected("target { ia32 } xfail { lp64 }"));
        assert!(
            holds("{ arm*-*-* && { ! lp64 } }", Target::T32) && !has("arm_v8_2a_fp16_neon_hw", Target::A32)
        );
    }
}
