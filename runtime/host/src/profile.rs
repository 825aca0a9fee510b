//! Learning: with `XLATE_PROFILE=FILE` every place of the program that is executed and has no entry is written to FILE once,
//! as a line of text (`abi::profile`, docs/profiles.md), at once: nothing is lost when the process is killed, and processes
//! that write to one file at once need no merging. Takes arrivals from dispatcher, interpreter and signal delivery.

use crate::hostcall::{check, syscall};
use crate::libraries;
use crate::sys::read_link;
use crate::thread::Process;
use abi::profile::{CALL_BIT, Finding, Kind, LibraryLine, Line};
use abi::{Exit, GuestState};
use std::ffi::{CStr, CString};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Arrivals at a place by going on there (after a fault that was none, a signal, a system call) before it is worth a line:
/// signals leave lifted code anywhere.
const OFTEN: u64 = 16;

/// Words of the set of findings, of which this process writes no more.
const FINDINGS: usize = 1 << 16;

/// A set of words that are not 0, without locks, so that no thread and no child of a `fork` ever waits: a table that is
/// filled and never emptied.
pub struct Set<const N: usize>([AtomicU64; N]);

impl<const N: usize> Set<N> {
    /// Without elements. In zero-filled memory, of which only what is used takes any.
    pub const fn new() -> Set<N> {
        Set([const { AtomicU64::new(0) }; N])
    }

    /// True if the element is new. When its part of the table is full, nothing is.
    pub fn insert(&self, word: u64) -> bool {
        const PROBES: usize = 64;
        let word = word.max(1);
        for i in 0..PROBES.min(N) {
            let slot = &self.0[(word as usize).wrapping_add(i) % N];
            match slot.compare_exchange(0, word, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(there) if there == word => return false,
                Err(_) => {}
            }
        }
        false
    }
}

impl<const N: usize> Default for Set<N> {
    fn default() -> Self {
        Set::new()
    }
}

/// Spreads bits (the finalizer of SplitMix64): a bijection.
pub fn spread(mut z: u64) -> u64 {
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

static PATH: OnceLock<CString> = OnceLock::new();
static SEEN: Set<FINDINGS> = Set::new();
static TROUBLE: AtomicBool = AtomicBool::new(false);
/// Arrivals by going on: a place (its low 48 bits) and above them how often, direct mapped.
static RESUMED: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

/// How control came to where the dispatcher finds no entry.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Via {
    /// By going on.
    #[default]
    Resume,
    /// By a return from lifted code to where no lifted code waits.
    Return,
    /// By a jump or call of lifted code at this `GuestState::source`; 0 if that is not known.
    Miss(u64),
}

impl Via {
    /// How lifted code left, and forgets it.
    pub fn left(s: &mut GuestState) -> Via {
        let source = std::mem::take(&mut s.source);
        match s.exit {
            e if e == Exit::None as u32 => Via::Return,
            e if e == Exit::Pc as u32 => Via::Miss(source),
            _ => Via::Resume,
        }
    }
}

/// The guest executes what it maps of the file `fd`: a library, for which there is no translation if it is none of the image's.
pub fn mapped(process: &Process, fd: i32) {
    let image = &process.image;
    if PATH.get().is_none() || image.libraries().iter().any(|l| libraries::is_same_file(image, l, fd)) {
        return;
    }
    let Ok(name) = read_link(format!("/proc/thread-self/fd/{fd}").as_bytes()) else { return };
    let Some(path) = std::str::from_utf8(&name).ok().filter(|p| p.starts_with('/') && !p.contains('\n'))
    else {
        return;
    };
    let mut h = DefaultHasher::new();
    path.hash(&mut h);
    if SEEN.insert(h.finish()) {
        say(LibraryLine { identity: image.identity(), path }.to_string().as_bytes());
    }
}

/// Reads `XLATE_PROFILE` and makes sure that the file can be written: what cannot be is said once, at the start.
pub fn start(var: impl Fn(&str) -> Option<String>) {
    let Some(name) = var("XLATE_PROFILE").filter(|n| !n.is_empty()) else { return };
    let name = std::path::Path::new(&name);
    // The guest may change its directory.
    let full = std::env::current_dir().map_or_else(|_| name.to_path_buf(), |d| d.join(name));
    let Ok(path) = CString::new(full.into_os_string().into_encoded_bytes()) else { return };
    match open(&path) {
        Ok(fd) => {
            close(fd);
            let _ = PATH.set(path);
        }
        Err(e) => crate::trace::line(format_args!(
            "XLATE_PROFILE: {}: {}; nothing is recorded",
            path.to_string_lossy(),
            std::io::Error::from_raw_os_error(e)
        )),
    }
}

/// True if findings are recorded of the code at `pc`. It is not compiled at run time then: the interpreter sees every branch.
pub fn learns(process: &Process, pc: u64) -> bool {
    PATH.get().is_some() && !process.options.interpreter_only && inside(process, pc)
}

fn inside(process: &Process, pc: u64) -> bool {
    let image = &process.image;
    pc.wrapping_sub(image.bias).wrapping_sub(image.desc.text_base) < image.desc.text_size
}

/// What the interpreter is to call at indirect branches, if anything.
pub fn watch() -> Option<fn(Finding)> {
    PATH.get().map(|_| interpreted as fn(Finding))
}

fn interpreted(f: Finding) {
    if let Some(p) = crate::thread::try_process() {
        note(p, f);
    }
}

/// The dispatcher goes to the interpreter at `pc`.
pub fn arrived(process: &Process, pc: u64, via: Via) {
    if PATH.get().is_none() {
        return;
    }
    let (kind, source) = match via {
        Via::Miss(source) if source & CALL_BIT != 0 => (Kind::Call, source & !CALL_BIT),
        Via::Miss(source) => (Kind::Jump, source),
        Via::Return => (Kind::Return, 0),
        Via::Resume if often(pc) => (Kind::Resume, 0),
        Via::Resume => return,
    };
    note(process, Finding { kind, source, target: pc });
}

/// A signal's handler begins at `pc`.
pub fn handler(process: &Process, pc: u64) {
    if PATH.get().is_some() {
        note(process, Finding { kind: Kind::Call, source: 0, target: pc });
    }
}

fn often(pc: u64) -> bool {
    const PLACE: u64 = (1 << 48) - 1;
    let slot = &RESUMED[spread(pc) as usize % RESUMED.len()];
    let old = slot.load(Ordering::Relaxed);
    let count = if old & PLACE == pc & PLACE { (old >> 48) + 1 } else { 1 };
    // Races lose counts, which does not matter.
    slot.store(pc & PLACE | count.min(OFTEN) << 48, Ordering::Relaxed);
    count >= OFTEN
}

/// Writes a finding about the main program that has no entry and was not written before.
fn note(process: &Process, f: Finding) {
    let image = &process.image;
    if process.options.interpreter_only || !inside(process, f.target) || image.entry(f.target).is_some() {
        return;
    }
    let link = |a: u64| a.wrapping_sub(image.bias);
    let finding = Finding {
        source: if inside(process, f.source) { link(f.source) } else { 0 },
        target: link(f.target),
        ..f
    };
    if SEEN.insert(spread(spread(finding.target ^ (f.kind as u64) << 56) ^ finding.source)) {
        write(process, finding);
    }
}

fn write(process: &Process, finding: Finding) {
    let mut line = Text { bytes: [0; 256], len: 0 };
    if write!(line, "{}", Line { identity: process.image.identity(), finding }).is_ok() {
        say(&line.bytes[..line.len]);
    }
}

/// Writes a line; what fails is said once.
fn say(line: &[u8]) {
    if let Some(path) = PATH.get()
        && let Err(e) = append(path, line)
        && !TROUBLE.swap(true, Ordering::Relaxed)
    {
        crate::trace::line(format_args!(
            "XLATE_PROFILE: {}: {}; findings are lost",
            path.to_string_lossy(),
            std::io::Error::from_raw_os_error(e)
        ));
    }
}

/// A line of the longest form has 20 + 141 + 6 + 2 × 19 bytes.
struct Text {
    bytes: [u8; 256],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let to = self.bytes.get_mut(self.len..self.len + s.len()).ok_or(std::fmt::Error)?;
        to.copy_from_slice(s.as_bytes());
        self.len += s.len();
        Ok(())
    }
}

/// Opened for each line, which is rare enough: the guest never sees a descriptor that it did not open, cannot close it, and
/// inherits none.
fn open(path: &CStr) -> Result<u64, i32> {
    let flags =
        libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
    let args = [libc::AT_FDCWD as i64 as u64, path.as_ptr() as u64, flags as u64, 0o666, 0, 0];
    loop {
        match check(syscall(libc::SYS_openat, args)) {
            Ok(fd) => return Ok(fd),
            Err(e) if e.0 == libc::EINTR => {}
            Err(e) => return Err(e.0),
        }
    }
}

fn close(fd: u64) {
    syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
}

/// Appends a line with one write, which the kernel does not mix with those of others.
fn append(path: &CStr, line: &[u8]) -> Result<(), i32> {
    let fd = open(path)?;
    let result = if fits(fd, line.len() as u64) {
        loop {
            match check(syscall(libc::SYS_write, [fd, line.as_ptr() as u64, line.len() as u64, 0, 0, 0])) {
                Ok(n) if n == line.len() as u64 => break Ok(()),
                // Torn: readers know such lines.
                Ok(_) => break Err(libc::ENOSPC),
                Err(e) if e.0 == libc::EINTR => {}
                Err(e) => break Err(e.0),
            }
        }
    } else {
        Err(libc::EFBIG)
    };
    close(fd);
    result
}

/// False if a write would go beyond RLIMIT_FSIZE, for which the guest would get a signal.
fn fits(fd: u64, len: u64) -> bool {
    let mut limit = [0u64; 2];
    let args = [0, libc::RLIMIT_FSIZE as u64, 0, limit.as_mut_ptr() as u64, 0, 0];
    if syscall(libc::SYS_prlimit64, args) != 0 || limit[0] == u64::MAX {
        return true;
    }
    let end = syscall(libc::SYS_lseek, [fd, 0, libc::SEEK_END as u64, 0, 0, 0]);
    end < 0 || (end as u64).saturating_add(len) <= limit[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_keeps_what_it_is_given() {
        let set: Box<Set<1024>> = Box::default();
        let words: Vec<u64> = (0..500).map(|i| spread(i + 1)).collect();
        assert!(words.iter().all(|w| set.insert(*w)));
        assert!(words.iter().all(|w| !set.insert(*w)));
        // Full, it takes nothing more and ends all the same.
        for i in 500..5000 {
            set.insert(spread(i + 1));
        }
        assert!(!set.insert(7 << 40));
    }

    #[test]
    fn a_place_must_be_met_often() {
        let met: Vec<bool> = (0..20).map(|_| often(0x40_0000)).collect();
        assert_eq!(met.iter().position(|b| *b), Some(OFTEN as usize - 1));
        assert!(met[OFTEN as usize..].iter().all(|b| *b));
    }

    #[test]
    fn lines_are_appended_whole() {
        let name = std::env::temp_dir().join(format!("xlate-profile-test-{}", std::process::id()));
        let path = CString::new(name.to_str().unwrap()).unwrap();
        std::thread::scope(|s| {
            for t in 0..4u64 {
                let path = &path;
                s.spawn(move || {
                    for i in 0..200 {
                        let finding = Finding { kind: Kind::Jump, source: t, target: i };
                        append(path, Line { identity: "x", finding }.to_string().as_bytes()).unwrap();
                    }
                });
            }
        });
        let text = std::fs::read_to_string(&name).unwrap();
        let _ = std::fs::remove_file(&name);
        let lines: std::collections::BTreeSet<_> =
            text.lines().map(|l| abi::profile::parse(l).unwrap().1).collect();
        assert_eq!(lines.len(), 800);
    }

    #[test]
    fn files_that_cannot_be_opened() {
        assert_eq!(append(c"/", b"x"), Err(libc::EISDIR));
        assert_eq!(append(c"/proc/nothing/here", b"x"), Err(libc::ENOENT));
    }
}
