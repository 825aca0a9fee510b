//! What the XLATE_* environment variables ask for, and trace output. Takes the environment, gives options; writes lines
//! to standard error with one system call each, so that lines of threads and processes do not mix. Lines can be
//! written from signal handlers: nothing is allocated.

use crate::hostcall::syscall;
use abi::HostFeature;
use std::fmt::Write;

/// What the environment asks for.
#[derive(Clone, Copy, Default, Debug)]
pub struct Options {
    /// `XLATE_ENGINE=interp` or `jit`: never enter lifted code.
    pub interpreter_only: bool,
    /// Compile at run time what is executed often and has no lifted code (`XLATE_ENGINE=auto`, `jit`).
    pub jit: bool,
    /// `XLATE_JIT_THRESHOLD`: how often code is entered before it is compiled, 1 to 65535; 0: it is not.
    pub jit_threshold: u16,
    /// `XLATE_JIT_AGAIN`: how often compiled code is entered before it is compiled anew, with more around it; 0: it is so at once.
    pub jit_again: i32,
    /// `XLATE_JIT_CACHE`: bytes of host code kept at most.
    pub jit_cache: u64,
    /// `XLATE_STATS`: counts at the end.
    pub stats: bool,
    /// `XLATE_HOST_WITHOUT=fma,aes,pclmul,sha`: do as on a host without these [`abi::HostFeature`]s, for tests.
    pub without: u32,
    /// `XLATE_VERIFY`: compare lifted code with the interpreter.
    pub verify: bool,
    /// `XLATE_NO_INVALIDATION`: go on with lifted code of text that has changed. For tests of the tests.
    pub no_invalidation: bool,
    /// `XLATE_NO_INVALIDATION=threads`: leave other threads where they are when code changes. For tests of the tests.
    pub no_recall: bool,
    /// `XLATE_NO_INVALIDATION=writes`: compile code that can be written as if nobody would. For tests of the tests.
    pub no_checks: bool,
    /// `XLATE_STRACE`: print system calls.
    pub strace: bool,
    /// `XLATE_TRACE`: a set of [`Topic`]s by bit.
    topics: u32,
}

/// Entries before code is compiled, by default, and where everything is to be compiled.
const AUTO_THRESHOLD: u16 = 150;
const JIT_THRESHOLD: u16 = 1;
/// A larger region costs milliseconds, and saves some ten nanoseconds each time that control does not go from region to region.
const JIT_AGAIN: i32 = 1_000_000;

/// A topic of `XLATE_TRACE`, a comma-separated list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Topic {
    /// `load`: what is mapped where.
    Load,
    /// `dispatch`: every entry into lifted code and into the interpreter.
    Dispatch,
    /// `fallback`: instructions and addresses that lifted code left to the interpreter.
    Fallback,
    /// `signal`: signals taken, delivered, returned from.
    Signal,
    /// `fault`: faults in lifted code and accesses.
    Fault,
    /// `syscall`: unknown and unsupported system calls.
    Syscall,
    /// `jit`: the code of regions compiled at run time.
    Jit,
}

const TOPICS: [(&str, Topic); 7] = [
    ("load", Topic::Load),
    ("dispatch", Topic::Dispatch),
    ("fallback", Topic::Fallback),
    ("signal", Topic::Signal),
    ("fault", Topic::Fault),
    ("syscall", Topic::Syscall),
    ("jit", Topic::Jit),
];

impl Options {
    /// Reads the variables through `var`. Unknown words are named on standard error.
    pub fn from_env(var: impl Fn(&str) -> Option<String>) -> Options {
        let mut o = Options { strace: var("XLATE_STRACE").is_some_and(|v| v != "0"), ..Options::default() };
        o.verify = var("XLATE_VERIFY").is_some_and(|v| !matches!(v.as_str(), "" | "0"));
        match var("XLATE_NO_INVALIDATION").as_deref() {
            None | Some("" | "0") => {}
            Some("threads") => o.no_recall = true,
            Some("writes") => o.no_checks = true,
            Some(_) => o.no_invalidation = true,
        }
        for word in var("XLATE_HOST_WITHOUT").iter().flat_map(|v| v.split(',')).filter(|w| !w.is_empty()) {
            match HostFeature::ALL.iter().find(|(_, name)| *name == word) {
                Some((feature, _)) => o.without |= *feature as u32,
                None => {
                    line(format_args!("XLATE_HOST_WITHOUT={word}: unknown (known: fma, aes, pclmul, sha)"))
                }
            }
        }
        o.stats = var("XLATE_STATS").is_some_and(|v| v != "0");
        (o.interpreter_only, o.jit, o.jit_threshold) = (false, true, AUTO_THRESHOLD);
        match var("XLATE_ENGINE").as_deref() {
            None | Some("auto" | "") => {}
            Some("interp") => (o.interpreter_only, o.jit) = (true, false),
            Some("jit") => (o.interpreter_only, o.jit_threshold) = (true, JIT_THRESHOLD),
            Some(other) => {
                line(format_args!("XLATE_ENGINE={other}: unknown, using auto (known: auto, interp, jit)"))
            }
        }
        let number = |name: &str| {
            let text = var(name).filter(|t| !t.is_empty())?;
            let parsed = text.parse::<u64>().ok();
            if parsed.is_none() {
                line(format_args!("{name}={text}: not a number, ignored"));
            }
            parsed
        };
        if let Some(n) = number("XLATE_JIT_THRESHOLD") {
            o.jit &= n != 0;
            o.jit_threshold = n.clamp(1, u16::MAX.into()) as u16;
        }
        let again = number("XLATE_JIT_AGAIN").map_or(JIT_AGAIN, |n| n.min(i32::MAX as u64) as i32);
        o.jit_again = again;
        o.jit_cache = number("XLATE_JIT_CACHE").unwrap_or(crate::jit::CACHE);
        for word in var("XLATE_TRACE").unwrap_or_default().split(',').filter(|w| !w.is_empty()) {
            match TOPICS.iter().find(|t| t.0 == word) {
                Some((_, topic)) => o.topics |= 1 << *topic as u32,
                None if word == "all" => o.topics = u32::MAX,
                None => line(format_args!("XLATE_TRACE: unknown topic {word}")),
            }
        }
        o
    }

    /// True if the topic is traced.
    pub fn traces(&self, topic: Topic) -> bool {
        self.topics >> topic as u32 & 1 != 0
    }
}

/// True if the process traces the topic.
pub fn enabled(topic: Topic) -> bool {
    crate::thread::try_process().is_some_and(|p| p.options.traces(topic))
}

/// Writes a trace line if the topic is on: `trace!(Topic::Signal, "…", …)`.
#[macro_export]
macro_rules! trace {
    ($topic:expr, $($arg:tt)*) => {
        if $crate::trace::enabled($topic) {
            $crate::trace::line(format_args!($($arg)*));
        }
    };
}

struct Buffer {
    bytes: [u8; 512],
    len: usize,
}

impl Write for Buffer {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let room = self.bytes.len() - 1 - self.len;
        let n = s.len().min(room);
        self.bytes[self.len..self.len + n].copy_from_slice(&s.as_bytes()[..n]);
        self.len += n;
        Ok(())
    }
}

/// Writes `xlate: …` as one line to standard error (cut at 511 bytes).
pub fn line(text: std::fmt::Arguments<'_>) {
    let mut b = Buffer { bytes: [0; 512], len: 0 };
    let _ = write!(b, "xlate: {text}");
    b.bytes[b.len] = b'\n';
    b.len += 1;
    syscall(libc::SYS_write, [2, b.bytes.as_ptr() as u64, b.len as u64, 0, 0, 0]);
}

/// Reports that the runtime cannot go on, and ends the process with status 2.
pub fn die(text: std::fmt::Arguments<'_>) -> ! {
    line(text);
    loop {
        syscall(libc::SYS_exit_group, [2, 0, 0, 0, 0, 0]);
    }
}
