//! Profiles: what runs of a translated program met that had no entry (docs/profiles.md). Takes the text of profiles and the
//! image that is translated, gives the findings about it; counts the rest. Knows no file.

use abi::profile::{Finding, parse, parse_library};
use image::Image;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What a file is called in profiles: by its build id, which stripping keeps, else by a hash of its code.
pub fn identity(image: &Image) -> String {
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        })
    };
    match &image.build_id {
        Some(id) if !id.is_empty() => format!("build-id:{}", hex(id)),
        _ => format!("blake3:{}", hex(&code_hash(image)[..20])),
    }
}

/// A hash of the executable segments, without what stripping changes: the file's header at the start of one.
fn code_hash(image: &Image) -> [u8; 32] {
    const HEADER: u64 = 64;
    let mut h = blake3::Hasher::new();
    for s in image.segments.iter().filter(|s| s.exec) {
        let skip = HEADER.saturating_sub(s.offset).min(s.filesz);
        h.update(&s.vaddr.to_le_bytes());
        h.update(image.bytes_at(s.vaddr + skip, s.filesz - skip).unwrap_or(&[]));
    }
    *h.finalize().as_bytes()
}

/// Profiles as read for one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What they say about it; the same however often and in whatever order they say it.
    pub findings: BTreeSet<Finding>,
    /// Libraries that it loaded without a translation, by the host's name.
    pub libraries: BTreeSet<String>,
    /// Lines about other programs.
    pub others: usize,
    /// Lines that are damaged or of another format.
    pub damaged: usize,
}

impl Profile {
    /// Adds the lines of a profile for the program that is called `identity`.
    pub fn read(&mut self, bytes: &[u8], identity: &str) {
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            // The end of a line that is not there could have held more of a number.
            let text = line.strip_suffix(b"\n").and_then(|l| std::str::from_utf8(l).ok());
            match text.and_then(parse) {
                Some((i, finding)) if i == identity => {
                    self.findings.insert(finding);
                }
                Some(_) => self.others += 1,
                None if let Some((i, path)) = text.and_then(parse_library) => match i == identity {
                    true => drop(self.libraries.insert(path.to_owned())),
                    false => self.others += 1,
                },
                None if text.is_some_and(|t| t.trim().is_empty()) => {}
                None => self.damaged += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::profile::{Kind, Line};

    #[test]
    fn lines_are_told_apart() {
        let finding = |target| Finding { kind: Kind::Jump, source: 4, target };
        let line = |identity, target| Line { identity, finding: finding(target) }.to_string();
        let mut text = line("a", 8) + &line("b", 8) + "\n#\n" + &line("a", 12) + &line("a", 8);
        text.push_str(line("a", 0x1000).trim_end());
        let mut p = Profile::default();
        p.read(text.as_bytes(), "a");
        p.read(b"\xff\n", "a");
        assert_eq!(p.findings, BTreeSet::from([finding(8), finding(12)]));
        assert_eq!((p.others, p.damaged), (1, 3));
    }
}
