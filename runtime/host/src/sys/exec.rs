//! `execve`: host programs and translated programs are executed as they are, AArch64 and AArch32 programs (and scripts
//! whose interpreter is one) through `xlate run`. Takes calls, gives x0 if the program could not be executed.

use super::guest::{self, PATH_MAX};
use super::own::EXE;
use super::{Call, err, file, limits};
use crate::hostcall::{ERESTARTNOINTR, ERESTARTSYS, Errno, check, safe_syscall, syscall};
use crate::sysroot::Sysroot;
use crate::thread::Exec;
use crate::{recall, signal};
use std::ffi::{CStr, CString};

/// The variable that tells a translated program its own name: the program's, which `xlate run` translates to a file in its cache.
pub const EXE_VARIABLE: &[u8] = b"XLATE_EXE=";
/// The variable in which `xlate run` names itself, for the ARM programs that the program executes; options follow, each in a line.
const TRANSLATOR: &str = "XLATE_RUN";

/// True for what only the runtime is to see of the environment: it is said to this program alone.
pub fn is_runtimes_own(variable: &[u8]) -> bool {
    let of = variable.strip_prefix(TRANSLATOR.as_bytes()).is_some_and(|v| v.starts_with(b"="));
    of || variable.starts_with(EXE_VARIABLE)
}

/// Most interpreters of interpreters, as in the kernel.
const DEPTH: usize = 4;
/// What the kernel reads of a file to see what it is.
const HEAD: usize = 256;

/// Flag of `execveat`, linux/fcntl.h.
const AT_EXECVE_CHECK: u64 = 0x10000;

/// What a file is to `execve`.
#[derive(PartialEq, Eq, Debug)]
enum Program {
    /// For the host kernel, or not executable at all.
    Host,
    /// An ARM program.
    Arm,
    /// Text with an interpreter and perhaps one argument.
    Script(Vec<u8>, Option<Vec<u8>>),
}

/// Looks at the first bytes of a file.
fn classify(head: &[u8]) -> Program {
    const EM_ARM: u16 = 40;
    const EM_AARCH64: u16 = 183;
    if head.starts_with(b"\x7fELF") {
        return match head.get(18..20) {
            Some(&[a, b]) if [EM_ARM, EM_AARCH64].contains(&u16::from_le_bytes([a, b])) => Program::Arm,
            _ => Program::Host,
        };
    }
    let Some(rest) = head.strip_prefix(b"#!") else { return Program::Host };
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    let end = rest.iter().position(|b| *b == b'\n' || *b == 0).unwrap_or(rest.len());
    let line = rest[..end].trim_ascii_end();
    let line = &line[line.iter().position(|b| !blank(b)).unwrap_or(line.len())..];
    if line.is_empty() {
        return Program::Host;
    }
    let split = line.iter().position(blank).unwrap_or(line.len());
    let argument = line[split..].trim_ascii();
    Program::Script(line[..split].to_vec(), (!argument.is_empty()).then(|| argument.to_vec()))
}

fn c_path(path: &[u8]) -> Result<CString, Errno> {
    CString::new(path).map_err(|_| Errno(libc::EINVAL))
}

/// The first bytes of an executable file. Files that cannot be read (but perhaps executed) are the host's business.
fn head(path: &[u8], nofollow: bool) -> Result<Vec<u8>, Errno> {
    let path = c_path(path)?;
    let nofollow = if nofollow { libc::O_NOFOLLOW } else { 0 };
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | nofollow) as u64;
    let at = libc::AT_FDCWD as i64 as u64;
    // Executable by this process, as execve will judge it?
    let name = path.as_ptr() as u64;
    check(syscall(libc::SYS_faccessat2, [at, name, libc::X_OK as u64, libc::AT_EACCESS as u64, 0, 0]))?;
    let fd = check(syscall(libc::SYS_openat, [at, name, flags, 0, 0, 0]))?;
    let mut bytes = vec![0u8; HEAD];
    let n = check(syscall(libc::SYS_pread64, [fd, bytes.as_mut_ptr() as u64, HEAD as u64, 0, 0, 0]));
    syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
    bytes.truncate(n? as usize);
    Ok(bytes)
}

/// If an ARM program is to run: its path, and the arguments that scripts put before the path of the script.
fn arm_program(path: &[u8], nofollow: bool, sysroot: &Sysroot) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let mut path = path.to_vec();
    let mut arguments: Vec<Vec<u8>> = Vec::new();
    for level in 0..=DEPTH {
        match classify(&head(&path, nofollow && level == 0).ok()?) {
            Program::Host => return None,
            Program::Arm => return Some((path, arguments)),
            Program::Script(interpreter, argument) => {
                arguments.insert(0, path);
                if let Some(a) = argument {
                    arguments.insert(0, a);
                }
                path = sysroot.resolve(&interpreter, false).map_or(interpreter, CString::into_bytes);
            }
        }
    }
    None
}

/// The `xlate` command: `XLATE`, or the one that `xlate run` was, with its options, or the first in PATH. All are the runtime's
/// environment, not the new program's.
fn translator() -> Option<Vec<Vec<u8>>> {
    use std::os::unix::ffi::OsStringExt;
    let runs = |p: &[u8]| {
        c_path(p).is_ok_and(|c| {
            let at = libc::AT_FDCWD as i64 as u64;
            syscall(libc::SYS_faccessat2, [at, c.as_ptr() as u64, libc::X_OK as u64, 0, 0, 0]) == 0
        })
    };
    let value = |name| std::env::var_os(name).filter(|x| !x.is_empty()).map(|x| x.into_vec());
    if let Some(x) = value("XLATE") {
        return Some(vec![x]);
    }
    if let Some(x) = value(TRANSLATOR) {
        return Some(x.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect());
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut named = std::env::split_paths(&path).map(|d| d.join("xlate").into_os_string().into_vec());
    Some(vec![named.find(|p| runs(p))?])
}

/// What `xlate run` is to execute.
struct Command<'a> {
    program: Vec<u8>,
    /// What scripts put before its own arguments.
    inserted: Vec<Vec<u8>>,
    /// Guest addresses: its own name or 0, and the other arguments.
    argv0: u64,
    rest: &'a [u64],
}

/// `xlate run [OPTIONS] [--sysroot DIR] --argv0 ARGV0 -- PROGRAM ARGUMENTS…`, `xlate` being the command and its options; gives the addresses of the file's name and of the vector, which
/// lie in `buffers`.
fn command(
    buffers: &mut Exec,
    xlate: &[Vec<u8>],
    sysroot: &CStr,
    c: Command<'_>,
) -> Result<(u64, u64), Errno> {
    let Exec { strings, vector, .. } = buffers;
    strings.clear();
    vector.clear();
    let mut put = |vector: &mut Vec<u64>, s: &[u8]| {
        let s = c_path(s)?;
        vector.push(s.as_ptr() as u64);
        strings.push(s);
        Ok(())
    };
    let (xlate, options) = xlate.split_first().ok_or(Errno(libc::ENOENT))?;
    put(vector, xlate)?;
    put(vector, b"run")?;
    options.iter().try_for_each(|o| put(vector, o))?;
    if !sysroot.is_empty() {
        put(vector, b"--sysroot")?;
        put(vector, sysroot.to_bytes())?;
    }
    put(vector, b"--argv0")?;
    // A script's interpreter is its own argv[0].
    if c.argv0 == 0 || !c.inserted.is_empty() {
        put(vector, &c.program)?;
    } else {
        vector.push(c.argv0);
    }
    put(vector, b"--")?;
    put(vector, &c.program)?;
    c.inserted.iter().try_for_each(|a| put(vector, a))?;
    vector.extend_from_slice(c.rest);
    vector.push(0);
    Ok((vector[0], vector.as_ptr() as u64))
}

/// `execve`.
pub fn execve(c: &mut Call<'_>) -> i64 {
    let [path, argv, envp, ..] = c.args;
    if c.thread.process.own.is_view_at(libc::AT_FDCWD as i64 as u64, path, 0) {
        return execute_own(c, argv, envp);
    }
    match file::path(path) {
        Ok(p) => execute(c, p, false, argv, envp),
        Err(e) => e.as_return(),
    }
}

/// `execveat`.
pub fn execveat(c: &mut Call<'_>) -> i64 {
    let [_, path, argv, envp, flags, _] = c.args;
    let path = match file::path(path) {
        Ok(p) => p,
        Err(e) => return e.as_return(),
    };
    if flags & AT_EXECVE_CHECK != 0 {
        // Asks only whether it might be executed.
        return c.host(c.args);
    }
    if c.thread.process.own.is_view_at(c.args[0], c.args[1], flags) {
        return execute_own(c, argv, envp);
    }
    let nofollow = flags & libc::AT_SYMLINK_NOFOLLOW as u64 != 0;
    let full = if path.starts_with(b"/") || c.int(0) == libc::AT_FDCWD {
        path
    } else {
        // The descriptor may be closed by the exec, so the path must not go through it.
        let link = format!("/proc/thread-self/fd/{}", c.int(0));
        match read_link(link.as_bytes()) {
            Ok(mut at) if path.is_empty() && flags & libc::AT_EMPTY_PATH as u64 != 0 => {
                if at.ends_with(b" (deleted)") || !at.starts_with(b"/") {
                    // memfd and the like: the host executes it, or says what is wrong.
                    at = b"/".to_vec();
                }
                at
            }
            Ok(mut at) => {
                at.push(b'/');
                at.extend_from_slice(&path);
                at
            }
            Err(e) => return if e == Errno(libc::ENOENT) { err(libc::EBADF) } else { e.as_return() },
        }
    };
    execute(c, full, nofollow, argv, envp)
}

/// What a symbolic link says.
pub fn read_link(path: &[u8]) -> Result<Vec<u8>, Errno> {
    let path = c_path(path)?;
    let mut buffer = vec![0u8; PATH_MAX + 1];
    let (at, to) = (path.as_ptr() as u64, buffer.as_mut_ptr() as u64);
    let n = check(syscall(libc::SYS_readlink, [at, to, buffer.len() as u64, 0, 0, 0]))?;
    buffer.truncate(n as usize);
    Ok(buffer)
}

fn execute(c: &mut Call<'_>, path: Vec<u8>, nofollow: bool, argv: u64, envp: u64) -> i64 {
    let sysroot = &c.thread.process.sysroot;
    let through = arm_program(&path, nofollow, sysroot).and_then(|p| translator().map(|x| (x, p)));
    let own = &c.thread.process.own;
    let file_is_output =
        own.name().is_some() && c_path(&path).is_ok_and(|p| own.is_output_at(p.as_ptr() as u64));
    drop(path);
    let (nr, args) = match through {
        None if file_is_output => match named_environment(c, envp) {
            Ok(envp) => (libc::SYS_execve, [EXE.as_ptr() as u64, argv, envp, 0, 0, 0]),
            Err(e) => return e.as_return(),
        },
        None => (c.host_nr(), c.args),
        Some((xlate, (program, inserted))) => {
            let made = guest::read_pointers(argv, 8).and_then(|given| {
                let argv0 = given.first().copied().unwrap_or(0);
                let program = Command { program, inserted, argv0, rest: given.get(1..).unwrap_or_default() };
                command(&mut c.thread.exec, &xlate, sysroot.directory(), program)
            });
            match made {
                Ok((file, vector)) => (libc::SYS_execve, [file, vector, envp, 0, 0, 0]),
                Err(e) => return e.as_return(),
            }
        }
    };
    execute_on_host(c, nr, args)
}

/// A descriptor of the program's own file (`fexecve`) shows the guest file; what is executed is the output.
fn execute_own(c: &mut Call<'_>, argv: u64, envp: u64) -> i64 {
    match named_environment(c, envp) {
        Ok(envp) => execute_on_host(c, libc::SYS_execve, [EXE.as_ptr() as u64, argv, envp, 0, 0, 0]),
        Err(e) => e.as_return(),
    }
}

/// The environment with the program's own name, if it has one, for the program itself.
fn named_environment(c: &mut Call<'_>, envp: u64) -> Result<u64, Errno> {
    let process = c.thread.process;
    let Some(name) = process.own.name() else { return Ok(envp) };
    let Exec { strings, environment, .. } = &mut c.thread.exec;
    let variable = c_path(&[EXE_VARIABLE, name.to_bytes()].concat())?;
    *environment = guest::read_pointers(envp, 8)?;
    environment.extend([variable.as_ptr() as u64, 0]);
    *strings = vec![variable];
    Ok(environment.as_ptr() as u64)
}

/// The host's call, with the guest's signals and limits in force.
fn execute_on_host(c: &mut Call<'_>, nr: i64, args: [u64; 6]) -> i64 {
    // A signal noted but not delivered would be lost: as the kernel, begin again after it.
    signal::block_host();
    if c.state.pending != 0 {
        signal::set_host_mask(c.thread);
        return -ERESTARTNOINTR;
    }
    let before = limits::before_exec(&c.thread.limits);
    if let Some(context) = c.thread.context {
        context.set_ended(true);
    }
    // Nothing of the runtime's own may wait for what is executed.
    recall::leave(c.thread.shared);
    signal::before_exec(c.thread);
    // A signal that comes with the guest's mask in force lets the call not begin.
    let r = safe_syscall(nr, args);
    signal::after_exec_failed(c.thread);
    recall::enter(c.thread.shared);
    // Calls were not heard meanwhile, not even by others if the signal was ignored.
    recall::everybody();
    if let Some(context) = c.thread.context {
        context.set_ended(false);
    }
    limits::after_exec_failed(before);
    if [ERESTARTSYS, ERESTARTNOINTR].contains(&-r) { -ERESTARTNOINTR } else { r }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_classified() {
        let elf = |machine: u16| {
            let mut h = b"\x7fELF\x02\x01\x01".to_vec();
            h.resize(18, 0);
            h.extend_from_slice(&machine.to_le_bytes());
            h
        };
        assert_eq!(classify(&elf(183)), Program::Arm);
        assert_eq!(classify(&elf(40)), Program::Arm);
        assert_eq!(classify(&elf(62)), Program::Host);
        assert_eq!(classify(b"\x7fELF"), Program::Host);
        assert_eq!(classify(b"echo"), Program::Host);
        let script = |i: &str, a: Option<&str>| Program::Script(i.into(), a.map(Into::into));
        assert_eq!(classify(b"#!/bin/sh\necho"), script("/bin/sh", None));
        assert_eq!(
            classify(b"#! \t/usr/bin/env  python3 -u \nx"),
            script("/usr/bin/env", Some("python3 -u"))
        );
        assert_eq!(classify(b"#!\n"), Program::Host);
    }

    #[test]
    fn the_command_keeps_argv0() {
        let args = [c"name".as_ptr() as u64, c"-x".as_ptr() as u64];
        let text = |v: u64| -> Vec<String> {
            let p = guest::read_pointers(v, 8).unwrap();
            p.iter().map(|a| String::from_utf8(guest::read_cstr(*a, 100).unwrap()).unwrap()).collect()
        };
        let mut buffers = Exec::default();
        let arm = |inserted: &[&str]| Command {
            program: b"/arm".to_vec(),
            inserted: inserted.iter().map(|s| s.as_bytes().to_vec()).collect(),
            argv0: args[0],
            rest: &args[1..],
        };
        let (_, v) = command(&mut buffers, &[b"/x/xlate".to_vec()], c"", arm(&[])).unwrap();
        assert_eq!(text(v), ["/x/xlate", "run", "--argv0", "name", "--", "/arm", "-x"]);
        let with_options = ["xlate", "-O0", "--cache", "/a b"].map(|s| s.as_bytes().to_vec());
        let (_, v) = command(&mut buffers, &with_options, c"/s", arm(&["s.py"])).unwrap();
        let before =
            ["xlate", "run", "-O0", "--cache", "/a b", "--sysroot", "/s", "--argv0", "/arm", "--", "/arm"];
        assert_eq!(text(v), [&before[..], &["s.py", "-x"]].concat());
    }
}
