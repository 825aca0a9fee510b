//! The trace of `XLATE_STRACE`: one line per call on standard error, `[tid] name(arguments) = result`, driven by the
//! table. Takes argument words before and the result after a call; names what has a name in arm64's encoding.

use super::guest;
use super::layout::OPEN_FLAGS;
use super::table::{Arg, Ret, Row};
use crate::hostcall::{ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS, syscall};
use std::fmt::Write;

/// A line being written: arguments are read before the call, which may change them.
pub struct Line {
    text: String,
    printed: bool,
}

impl Line {
    /// The part before the call. Calls that may not return are printed at once.
    pub fn enter(tid: i32, row: &Row, args: &[u64; 6]) -> Line {
        let mut text = format!("[{tid}] {}(", row.name);
        for (n, (i, kind)) in row.args.iter().enumerate().filter(|(_, k)| **k != Arg::Skip).enumerate() {
            if n > 0 {
                text.push_str(", ");
            }
            argument(&mut text, *kind, args, i);
        }
        text.push(')');
        let printed = matches!(row.name, "exit" | "exit_group" | "execve" | "execveat" | "rt_sigreturn");
        if printed {
            print(&format!("{text} = ?\n"));
        }
        Line { text, printed }
    }

    /// The whole line.
    pub fn leave(self, tid: i32, row: &Row, r: i64) {
        if self.printed && row.ret == Ret::Registers {
            return;
        }
        // The child of a fork has an id of its own.
        let arguments = self.text.split_once(']').map_or("", |(_, t)| t);
        let mut line = format!("[{tid}]{arguments} = ");
        result(&mut line, row.ret, r);
        line.push('\n');
        print(&line);
    }
}

/// A call without a row.
pub fn unknown(tid: i32, nr: u64, args: &[u64; 6]) {
    let [a, b, c, d, e, f] = args;
    print(&format!("[{tid}] syscall_{nr}({a:#x}, {b:#x}, {c:#x}, {d:#x}, {e:#x}, {f:#x}) = -1 ENOSYS\n"));
}

fn print(line: &str) {
    syscall(libc::SYS_write, [2, line.as_ptr() as u64, line.len() as u64, 0, 0, 0]);
}

fn result(out: &mut String, ret: Ret, r: i64) {
    let _ = match -r {
        ERESTARTSYS | ERESTARTNOINTR | ERESTARTNOHAND => write!(out, "? (interrupted)"),
        e @ 1..=4095 => {
            let e = syscalls::Errno::new(e as i32);
            write!(out, "-1 {} ({})", e.name().unwrap_or("?"), e.description().unwrap_or("unknown error"))
        }
        _ if ret == Ret::Addr => write!(out, "{r:#x}"),
        _ => write!(out, "{r}"),
    };
}

type Names = &'static [(&'static str, u64)];

const OPEN_COMMON: Names = &[
    ("O_CREAT", 0o100),
    ("O_EXCL", 0o200),
    ("O_NOCTTY", 0o400),
    ("O_TRUNC", 0o1000),
    ("O_APPEND", 0o2000),
    ("O_NONBLOCK", 0o4000),
    ("O_SYNC", 0o4010000),
    ("O_DSYNC", 0o10000),
    ("O_ASYNC", 0o20000),
    ("O_NOATIME", 0o1000000),
    ("O_CLOEXEC", 0o2000000),
    ("O_PATH", 0o10000000),
    ("O_TMPFILE", 0o20040000),
];
const FD_FLAGS: Names = &[("O_CLOEXEC", 0o2000000), ("O_NONBLOCK", 0o4000)];
const AT_FLAGS: Names = &[
    ("AT_SYMLINK_NOFOLLOW", 0x100),
    ("AT_REMOVEDIR|AT_EACCESS", 0x200),
    ("AT_SYMLINK_FOLLOW", 0x400),
    ("AT_NO_AUTOMOUNT", 0x800),
    ("AT_EMPTY_PATH", 0x1000),
    ("AT_STATX_FORCE_SYNC", 0x2000),
    ("AT_STATX_DONT_SYNC", 0x4000),
];
const PROT: Names = &[
    ("PROT_READ", 1),
    ("PROT_WRITE", 2),
    ("PROT_EXEC", 4),
    ("PROT_SEM", 8),
    ("PROT_BTI", 0x10),
    ("PROT_MTE", 0x20),
];
const MAP: Names = &[
    ("MAP_SHARED_VALIDATE", 3),
    ("MAP_SHARED", 1),
    ("MAP_PRIVATE", 2),
    ("MAP_FIXED", 0x10),
    ("MAP_ANONYMOUS", 0x20),
    ("MAP_GROWSDOWN", 0x100),
    ("MAP_DENYWRITE", 0x800),
    ("MAP_EXECUTABLE", 0x1000),
    ("MAP_LOCKED", 0x2000),
    ("MAP_NORESERVE", 0x4000),
    ("MAP_POPULATE", 0x8000),
    ("MAP_NONBLOCK", 0x10000),
    ("MAP_STACK", 0x20000),
    ("MAP_HUGETLB", 0x40000),
    ("MAP_SYNC", 0x80000),
    ("MAP_FIXED_NOREPLACE", 0x100000),
];
const CLONE: Names = &[
    ("CLONE_VM", 0x100),
    ("CLONE_FS", 0x200),
    ("CLONE_FILES", 0x400),
    ("CLONE_SIGHAND", 0x800),
    ("CLONE_PIDFD", 0x1000),
    ("CLONE_PTRACE", 0x2000),
    ("CLONE_VFORK", 0x4000),
    ("CLONE_PARENT", 0x8000),
    ("CLONE_THREAD", 0x10000),
    ("CLONE_NEWNS", 0x20000),
    ("CLONE_SYSVSEM", 0x40000),
    ("CLONE_SETTLS", 0x80000),
    ("CLONE_PARENT_SETTID", 0x100000),
    ("CLONE_CHILD_CLEARTID", 0x200000),
    ("CLONE_DETACHED", 0x400000),
    ("CLONE_UNTRACED", 0x800000),
    ("CLONE_CHILD_SETTID", 0x1000000),
    ("CLONE_NEWCGROUP", 0x2000000),
    ("CLONE_NEWUTS", 0x4000000),
    ("CLONE_NEWIPC", 0x8000000),
    ("CLONE_NEWUSER", 0x10000000),
    ("CLONE_NEWPID", 0x20000000),
    ("CLONE_NEWNET", 0x40000000),
    ("CLONE_IO", 0x80000000),
];

const ADVICE: Names = &[
    ("MADV_NORMAL", 0),
    ("MADV_RANDOM", 1),
    ("MADV_SEQUENTIAL", 2),
    ("MADV_WILLNEED", 3),
    ("MADV_DONTNEED", 4),
    ("MADV_FREE", 8),
    ("MADV_REMOVE", 9),
    ("MADV_DONTFORK", 10),
    ("MADV_DOFORK", 11),
    ("MADV_MERGEABLE", 12),
    ("MADV_UNMERGEABLE", 13),
    ("MADV_HUGEPAGE", 14),
    ("MADV_NOHUGEPAGE", 15),
    ("MADV_DONTDUMP", 16),
    ("MADV_DODUMP", 17),
    ("MADV_WIPEONFORK", 18),
    ("MADV_KEEPONFORK", 19),
    ("MADV_COLD", 20),
    ("MADV_PAGEOUT", 21),
    ("MADV_POPULATE_READ", 22),
    ("MADV_POPULATE_WRITE", 23),
];
const FCNTL: Names = &[
    ("F_DUPFD", 0),
    ("F_GETFD", 1),
    ("F_SETFD", 2),
    ("F_GETFL", 3),
    ("F_SETFL", 4),
    ("F_GETLK", 5),
    ("F_SETLK", 6),
    ("F_SETLKW", 7),
    ("F_SETOWN", 8),
    ("F_GETOWN", 9),
    ("F_SETSIG", 10),
    ("F_GETSIG", 11),
    ("F_SETOWN_EX", 15),
    ("F_GETOWN_EX", 16),
    ("F_OFD_GETLK", 36),
    ("F_OFD_SETLK", 37),
    ("F_OFD_SETLKW", 38),
    ("F_SETLEASE", 1024),
    ("F_GETLEASE", 1025),
    ("F_NOTIFY", 1026),
    ("F_DUPFD_CLOEXEC", 1030),
    ("F_SETPIPE_SZ", 1031),
    ("F_GETPIPE_SZ", 1032),
    ("F_ADD_SEALS", 1033),
    ("F_GET_SEALS", 1034),
];
const FUTEX: Names = &[
    ("FUTEX_WAIT", 0),
    ("FUTEX_WAKE", 1),
    ("FUTEX_REQUEUE", 3),
    ("FUTEX_CMP_REQUEUE", 4),
    ("FUTEX_WAKE_OP", 5),
    ("FUTEX_LOCK_PI", 6),
    ("FUTEX_UNLOCK_PI", 7),
    ("FUTEX_TRYLOCK_PI", 8),
    ("FUTEX_WAIT_BITSET", 9),
    ("FUTEX_WAKE_BITSET", 10),
    ("FUTEX_WAIT_REQUEUE_PI", 11),
    ("FUTEX_CMP_REQUEUE_PI", 12),
    ("FUTEX_LOCK_PI2", 13),
];
const CLOCK: Names = &[
    ("CLOCK_REALTIME", 0),
    ("CLOCK_MONOTONIC", 1),
    ("CLOCK_PROCESS_CPUTIME_ID", 2),
    ("CLOCK_THREAD_CPUTIME_ID", 3),
    ("CLOCK_MONOTONIC_RAW", 4),
    ("CLOCK_REALTIME_COARSE", 5),
    ("CLOCK_MONOTONIC_COARSE", 6),
    ("CLOCK_BOOTTIME", 7),
];
const FAMILY: Names = &[
    ("AF_UNSPEC", 0),
    ("AF_UNIX", 1),
    ("AF_INET", 2),
    ("AF_INET6", 10),
    ("AF_NETLINK", 16),
    ("AF_PACKET", 17),
];
const RESOURCE: Names = &[
    ("RLIMIT_CPU", 0),
    ("RLIMIT_FSIZE", 1),
    ("RLIMIT_DATA", 2),
    ("RLIMIT_STACK", 3),
    ("RLIMIT_CORE", 4),
    ("RLIMIT_RSS", 5),
    ("RLIMIT_NPROC", 6),
    ("RLIMIT_NOFILE", 7),
    ("RLIMIT_MEMLOCK", 8),
    ("RLIMIT_AS", 9),
];
const HOW: Names = &[("SIG_BLOCK", 0), ("SIG_UNBLOCK", 1), ("SIG_SETMASK", 2)];
const WHENCE: Names =
    &[("SEEK_SET", 0), ("SEEK_CUR", 1), ("SEEK_END", 2), ("SEEK_DATA", 3), ("SEEK_HOLE", 4)];
const EPOLL_OP: Names = &[("EPOLL_CTL_ADD", 1), ("EPOLL_CTL_DEL", 2), ("EPOLL_CTL_MOD", 3)];
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// The name of a value, else the value.
fn name(out: &mut String, names: Names, v: u64) {
    match names.iter().find(|n| n.1 == v) {
        Some((n, _)) => out.push_str(n),
        None => drop(write!(out, "{v:#x}")),
    }
}

/// Names of bits, joined; what has no name in hexadecimal.
fn bits<'a>(out: &mut String, names: impl IntoIterator<Item = (&'a str, u64)>, mut v: u64, zero: &str) {
    let begin = out.len();
    let separate = |out: &mut String| {
        if out.len() > begin {
            out.push('|');
        }
    };
    for (n, b) in names {
        if v & b == b && b != 0 {
            separate(out);
            out.push_str(n);
            v &= !b;
        }
    }
    if v != 0 {
        separate(out);
        let _ = write!(out, "{v:#x}");
    } else if out.len() == begin {
        out.push_str(zero);
    }
}

fn signal(out: &mut String, v: u64) {
    let _ = match v {
        1..=31 => write!(out, "{}", SIGNALS[v as usize - 1]),
        32..=64 => write!(out, "SIGRT_{}", v - 32),
        _ => write!(out, "{v}"),
    };
}

fn quoted(out: &mut String, bytes: &[u8], cut: bool) {
    out.push('"');
    for b in bytes {
        for c in std::ascii::escape_default(*b) {
            out.push(c as char);
        }
    }
    out.push_str(if cut { "\"..." } else { "\"" });
}

/// A string in guest memory, or its address.
fn string(out: &mut String, at: u64, most: usize) {
    match guest::read_cstr(at, guest::PATH_MAX) {
        Ok(s) => quoted(out, &s[..s.len().min(most)], s.len() > most),
        Err(_) => pointer(out, at),
    }
}

fn pointer(out: &mut String, at: u64) {
    let _ = if at == 0 { write!(out, "NULL") } else { write!(out, "{at:#x}") };
}

fn vector(out: &mut String, at: u64, width: u64) {
    const MOST: usize = 8;
    let Ok(p) = guest::read_pointers(at, width) else { return pointer(out, at) };
    out.push('[');
    for (i, s) in p.iter().take(MOST).enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        string(out, *s, 64);
    }
    out.push_str(if p.len() > MOST { ", ...]" } else { "]" });
}

fn open_flags(out: &mut String, v: u64) {
    const ACCESS: u64 = 3;
    out.push_str(["O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"][(v & ACCESS) as usize]);
    if v & !ACCESS != 0 {
        out.push('|');
        // O_TMPFILE contains O_DIRECTORY, O_SYNC contains O_DSYNC: the larger first.
        let mut all: Vec<(&str, u64)> =
            OPEN_COMMON.iter().copied().chain(OPEN_FLAGS.iter().map(|f| (f.0, f.1))).collect();
        all.sort_by_key(|f| std::cmp::Reverse(f.1.count_ones()));
        bits(out, all, v & !ACCESS, "");
    }
}

fn argument(out: &mut String, kind: Arg, args: &[u64; 6], i: usize) {
    const SHOWN: usize = 32;
    let v = args[i];
    let named = |names: Names| names.iter().copied();
    match kind {
        Arg::Int | Arg::Fd => drop(write!(out, "{}", v as i32)),
        Arg::Long => drop(write!(out, "{}", v as i64)),
        Arg::Pair => drop(write!(out, "{}", (v | args[i + 1] << 32) as i64)),
        Arg::Skip => {}
        Arg::Size => drop(write!(out, "{v}")),
        Arg::Hex => drop(write!(out, "{v:#x}")),
        Arg::Mode => drop(write!(out, "{:#o}", v as u32)),
        Arg::Ptr => pointer(out, v),
        Arg::At if v as i32 == libc::AT_FDCWD => out.push_str("AT_FDCWD"),
        Arg::At => drop(write!(out, "{}", v as i32)),
        Arg::Path | Arg::Str => string(out, v, guest::PATH_MAX),
        Arg::Data => {
            let len = args.get(i + 1).copied().unwrap_or(0) as usize;
            let mut bytes = [0u8; SHOWN];
            let bytes = &mut bytes[..len.min(SHOWN)];
            match guest::copy_from_guest(bytes, v) {
                Ok(()) => quoted(out, bytes, len > SHOWN),
                Err(_) => pointer(out, v),
            }
        }
        Arg::OpenFlags => open_flags(out, v as u32 as u64),
        Arg::FdFlags => bits(out, named(FD_FLAGS), v as u32 as u64, "0"),
        Arg::AtFlags => bits(out, named(AT_FLAGS), v as u32 as u64, "0"),
        Arg::Prot => bits(out, named(PROT), v, "PROT_NONE"),
        Arg::MapFlags => bits(out, named(MAP), v, "0"),
        Arg::Advice => name(out, ADVICE, v as u32 as u64),
        Arg::Signal => signal(out, v as u32 as u64),
        Arg::SigHow => name(out, HOW, v as u32 as u64),
        Arg::SigSet => match guest::read::<u64>(v) {
            Ok(set) => {
                out.push('[');
                for (n, sig) in (1..=64).filter(|s| set >> (s - 1) & 1 != 0).enumerate() {
                    out.push_str(if n > 0 { " " } else { "" });
                    signal(out, sig);
                }
                out.push(']');
            }
            Err(_) => pointer(out, v),
        },
        Arg::CloneFlags => {
            bits(out, named(CLONE), v & !0xff, "0");
            if v & 0xff != 0 {
                out.push('|');
                signal(out, v & 0xff);
            }
        }
        Arg::Whence => name(out, WHENCE, v as u32 as u64),
        Arg::Fcntl => name(out, FCNTL, v as u32 as u64),
        Arg::Futex => {
            const PRIVATE: u64 = 128;
            const REALTIME: u64 = 256;
            name(out, FUTEX, v as u32 as u64 & !(PRIVATE | REALTIME));
            out.push_str(if v & PRIVATE != 0 { "|FUTEX_PRIVATE_FLAG" } else { "" });
            out.push_str(if v & REALTIME != 0 { "|FUTEX_CLOCK_REALTIME" } else { "" });
        }
        Arg::Clock => name(out, CLOCK, v as u32 as u64),
        Arg::Timespec => match guest::read::<[i64; 2]>(v) {
            Ok([s, ns]) => drop(write!(out, "{{{s}, {ns}}}")),
            Err(_) => pointer(out, v),
        },
        Arg::Family => name(out, FAMILY, v as u32 as u64),
        Arg::Resource => name(out, RESOURCE, v as u32 as u64),
        Arg::Argv => vector(out, v, 8),
        Arg::Argv32 => vector(out, v, 4),
        Arg::EpollOp => name(out, EPOLL_OP, v as u32 as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::find;
    use isa::Isa;
    use syscalls::aarch64::Sysno;

    fn line(nr: Sysno, args: [u64; 6]) -> String {
        Line::enter(7, find(Isa::A64, nr as u64).unwrap(), &args).text
    }

    #[test]
    fn arguments_have_names() {
        let at = libc::AT_FDCWD as i64 as u64;
        assert_eq!(
            line(Sysno::openat, [at, c"/etc/passwd".as_ptr() as u64, 0o2400000 | 0o40000, 0, 0, 0]),
            "[7] openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC|O_DIRECTORY|O_LARGEFILE, 0o0)"
        );
        assert_eq!(
            line(Sysno::mmap, [0, 4096, 3, 0x22, u64::MAX, 0]),
            "[7] mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0x0)"
        );
        assert_eq!(
            line(Sysno::write, [1, b"hi\n".as_ptr() as u64, 3, 0, 0, 0]),
            "[7] write(1, \"hi\\n\", 3)"
        );
        assert_eq!(
            line(Sysno::clone, [0x4111, 0, 0, 0, 0, 0]),
            "[7] clone(CLONE_VM|CLONE_VFORK|SIGCHLD, NULL, NULL, NULL, NULL)"
        );
    }

    #[test]
    fn results_have_names() {
        let show = |ret, r| {
            let mut s = String::new();
            result(&mut s, ret, r);
            s
        };
        assert_eq!(show(Ret::Int, -2), "-1 ENOENT (No such file or directory)");
        assert_eq!(show(Ret::Int, 3), "3");
        assert_eq!(show(Ret::Addr, 0x7f0000), "0x7f0000");
        assert_eq!(show(Ret::Int, -ERESTARTSYS), "? (interrupted)");
    }
}
