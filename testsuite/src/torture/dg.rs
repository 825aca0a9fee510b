//! The directives in gcc's tests: `{ dg-do run { target lp64 } }` and their like in comments. Takes a test's text, gives
//! what is to be done with it for Linux on one of our instruction sets. Knows no compiler and runs nothing.

use super::target;
use crate::guest::Target;

/// What a test says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `dg-do`: the action that holds for our target; `None` if the test says none, `"nothing"` if it is for others only.
    pub action: Option<String>,
    /// `dg-options`: replaces the directory's default.
    pub options: Option<Vec<String>>,
    /// `dg-additional-options` and `dg-add-options`.
    pub more: Vec<String>,
    /// `dg-additional-sources`.
    pub sources: Vec<String>,
    /// A requirement that does not hold.
    pub missing: Option<String>,
    skips: Vec<Skip>,
}

/// `dg-skip-if` whose selector holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Skip {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl Directives {
    /// Reads them for programs of that instruction set.
    pub fn of(text: &str, guest: Target) -> Self {
        let mut d = Directives::default();
        for (name, args) in text.lines().filter_map(directive) {
            d.take(name, &args, guest);
        }
        d
    }

    fn take(&mut self, name: &str, args: &[String], guest: Target) {
        let arg = |n: usize| args.get(n).map(String::as_str).unwrap_or_default();
        let here = |n: usize| args.get(n).is_none_or(|s| target::selects(s, guest));
        match name {
            "do" if here(1) => self.action = Some(arg(0).to_string()),
            "do" => {
                self.action.get_or_insert_with(|| "nothing".to_string());
            }
            "options" if here(1) => self.options = Some(words(arg(0))),
            "additional-options" if here(1) => self.more.extend(words(arg(0))),
            "add-options" => {
                self.more.extend(target::options_for(arg(0), guest).iter().map(|s| s.to_string()))
            }
            "additional-sources" if here(1) => self.sources.extend(words(arg(0))),
            "require-effective-target" if here(1) && !target::has(arg(0), guest) => {
                self.missing.get_or_insert_with(|| arg(0).to_string());
            }
            "skip-if" if target::holds(arg(1), guest) => {
                let include = args.get(2).map_or(vec!["*".to_string()], |s| words(s));
                self.skips.push(Skip { include, exclude: words(arg(3)) });
            }
            _ => {}
        }
    }

    /// True if a `dg-skip-if` takes the test out when compiled with `flags`.
    pub fn skipped(&self, flags: &[String]) -> bool {
        let matches = |p: &String| p == "*" || flags.iter().any(|f| target::glob(p, f));
        self.skips.iter().any(|s| s.include.iter().any(matches) && !s.exclude.iter().any(matches))
    }
}

/// The directive in a line: its name without `dg-`, and its arguments.
fn directive(line: &str) -> Option<(&str, Vec<String>)> {
    let start = line.match_indices('{').find(|(i, _)| line[i + 1..].trim_start().starts_with("dg-"))?.0;
    let body = line[start + 1..].trim_start();
    let end = body.rfind('}')?;
    let body = &body[3..end];
    let (name, rest) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
    Some((name, words(rest)))
}

/// Splits a Tcl list: words, quoted strings, and braced groups without their outer braces.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '{' => {
                let (mut depth, mut group) = (1, String::new());
                for c in chars.by_ref() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                    group.push(c);
                }
                out.push(group);
            }
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|&c| c != '"') {
                    text.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
                }
                out.push(text);
            }
            c => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                    word.push(c);
                }
                out.push(word);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| s.to_string()).collect()
    }

    fn directives(text: &str) -> Directives {
        Directives::of(text, Target::A64)
    }

    #[test]
    fn options_follow_their_selectors() {
        let d = directives(
            "/* { dg-do run { target { aarch64*-*-* && lp64 } } } */\n\
             /* { dg-options \"-O3 -fno-inline\" } */\n\
             /* { dg-additional-options \"-msse2\" { target { i?86-*-* x86_64-*-* } } } */\n\
             /* { dg-additional-options \"--param \\\"x=1\\\"\" { target { ! ilp32 } } } */\n\
             // { dg-add-options arm_v8_2a_fp16_scalar }  \n\
             /* { dg-additional-sources abitest.S } */\n",
        );
        assert_eq!(d.action.as_deref(), Some("run"));
        assert_eq!(d.options, Some(strings(&["-O3", "-fno-inline"])));
        assert_eq!(d.more, strings(&["--param", "x=1", "-march=armv8.2-a+fp16"]));
        assert_eq!(d.sources, strings(&["abitest.S"]));
        assert_eq!(d.missing, None);
    }

    #[test]
    fn tests_for_others_are_known() {
        let d = directives("/* { dg-do run { target x86_64-*-* } } */");
        assert_eq!(d.action.as_deref(), Some("nothing"));
        let d = directives("/* { dg-require-effective-target aarch64_sve_hw } */");
        assert_eq!(d.missing.as_deref(), Some("aarch64_sve_hw"));
        assert_eq!(directives("int main(void) { return 0; }"), Directives::default());
    }

    #[test]
    fn skips_look_at_the_flags() {
        let d = directives("/* { dg-skip-if \"why\" { *-*-* } { \"*\" } { \"-O2\" } } */");
        assert!(d.skipped(&strings(&["-O0"])));
        assert!(!d.skipped(&strings(&["-O2"])));
        let d = directives("/* { dg-skip-if \"\" { arm*-*-* } } */");
        assert!(!d.skipped(&[]));
    }
}
