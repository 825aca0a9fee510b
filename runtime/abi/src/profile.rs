//! The format of profiles: what a translated program writes, line by line, about guest code that it met and for which it
//! has no entry, and what the translator reads (docs/profiles.md). Takes and gives text; knows no file.

use core::fmt;

/// First word of every line: the format and its version.
pub const MAGIC: &str = "xlate-profile-1";

/// In [`crate::GuestState::source`]: the instruction is a call. No instruction set has instructions at odd addresses.
pub const CALL_BIT: u64 = 1;

/// How control came to the target of a finding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// By an indirect call, or as the handler of a signal: a function.
    Call = 1,
    /// By an indirect jump: a label of the function that jumps, or another function.
    Jump = 2,
    /// By a return that found no caller waiting in lifted code: mostly what stands behind a call.
    Return = 3,
    /// By going on after something that lifted code could not do, many times.
    Resume = 4,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Call, Kind::Jump, Kind::Return, Kind::Resume];

    /// The word in a line.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Call => "call",
            Kind::Jump => "jump",
            Kind::Return => "return",
            Kind::Resume => "resume",
        }
    }
}

/// Something executed for which there was no entry. Addresses are link-time addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Finding {
    /// How control came there.
    pub kind: Kind,
    /// The instruction that it came from; 0 if that is not known.
    pub source: u64,
    /// Where it came.
    pub target: u64,
}

/// A line of a profile, newline included.
pub struct Line<'a> {
    /// The program.
    pub identity: &'a str,
    /// What was found.
    pub finding: Finding,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { kind, source, target } = self.finding;
        writeln!(f, "{MAGIC} {} {} {source:#x} {target:#x}", self.identity, kind.name())
    }
}

/// A line about a library that the program loaded and that had no translation, newline included.
pub struct LibraryLine<'a> {
    /// The program.
    pub identity: &'a str,
    /// The host's name of the library; without newlines.
    pub path: &'a str,
}

/// The kind of these lines.
const LIBRARY: &str = "library";

impl fmt::Display for LibraryLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC} {} {LIBRARY} {}", self.identity, self.path)
    }
}

/// Reads a line about a library: the program's identity and the library's path; `None` if it is none.
pub fn parse_library(line: &str) -> Option<(&str, &str)> {
    let rest = line[line.rfind(MAGIC)?..].strip_prefix(MAGIC)?.strip_prefix(' ')?;
    let (identity, rest) = rest.split_once(' ')?;
    let path = rest.strip_prefix(LIBRARY)?.strip_prefix(' ')?;
    (!identity.is_empty() && path.starts_with('/')).then_some((identity, path))
}

/// Reads one line; `None` if it is damaged or of another format. What stands before the last [`MAGIC`] is what a writer left
/// that could not finish its line.
pub fn parse(line: &str) -> Option<(&str, Finding)> {
    let mut words = line[line.rfind(MAGIC)?..].split(' ').skip(1);
    let identity = words.next().filter(|w| !w.is_empty())?;
    let kind = words.next()?;
    let kind = Kind::ALL.into_iter().find(|k| k.name() == kind)?;
    let mut number = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (source, target) = (number()?, number()?);
    // Later versions may add words; a torn number would be another number, so the line's end is part of it.
    words.next().is_none().then_some((identity, Finding { kind, source, target }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        for kind in Kind::ALL {
            let finding = Finding { kind, source: 0x400_000, target: u64::MAX };
            let text = Line { identity: "build-id:00ff", finding }.to_string();
            assert_eq!(parse(text.strip_suffix('\n').unwrap()), Some(("build-id:00ff", finding)));
        }
    }

    #[test]
    fn lines_about_libraries_come_back() {
        let text = LibraryLine { identity: "b:1", path: "/a b/libx.so.1" }.to_string();
        let line = text.strip_suffix('\n').unwrap();
        assert_eq!(parse_library(line), Some(("b:1", "/a b/libx.so.1")));
        assert_eq!(parse_library(&format!("xlate-profile-1 b{line}")), Some(("b:1", "/a b/libx.so.1")));
        assert_eq!(parse(line), None);
        for bad in [
            "",
            "xlate-profile-1 b:1 library libx.so",
            "xlate-profile-1 b:1 call 0x0 0x4",
            "xlate-profile-1 b:1 library ",
        ] {
            assert_eq!(parse_library(bad), None, "{bad}");
        }
    }

    #[test]
    fn damage_is_seen() {
        let good = "xlate-profile-1 b:1 call 0x0 0x400000";
        let found = parse(good);
        assert!(found.is_some());
        assert_eq!(parse(&format!("xlate-profile-1 b:1 jump 0x4{good}")), found);
        for bad in [
            "",
            "hello",
            "xlate-profile-1",
            "xlate-profile-2 b:1 call 0x0 0x4",
            "xlate-profile-1  call 0x0 0x4",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        for end in 0..good.len() - 7 {
            assert_eq!(parse(&good[..end]), None, "{}", &good[..end]);
        }
        assert_eq!(parse(&format!("{good} 7")), None);
    }
}
