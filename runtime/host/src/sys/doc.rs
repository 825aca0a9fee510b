//! The page docs/system-calls.md, from the table.

use super::table::{Interrupt, PRIVATE, table};
use isa::Isa;
use std::fmt::Write;

/// The page as Markdown.
pub fn markdown() -> String {
    let mut out = String::from(HEAD);
    rows(&mut out, Isa::A64);
    out.push_str(ARM);
    rows(&mut out, Isa::A32);
    out.push_str(FOOT);
    for (option, why) in super::identity::REFUSED {
        let _ = writeln!(out, "| {option} | {why} |");
    }
    out
}

fn rows(out: &mut String, isa: Isa) {
    for r in table(isa) {
        let host = r.host.map_or_else(|| "–".to_owned(), |h| h.to_string());
        let (policy, restart) = (r.policy.word(), interrupt(r.interrupt));
        let nr = if r.nr < PRIVATE { r.nr.to_string() } else { format!("{:#x}", r.nr) };
        let _ = writeln!(out, "| {nr} | {} | {host} | {policy} | {restart} | {} |", r.name, r.note);
    }
}

fn interrupt(i: Interrupt) -> &'static str {
    match i {
        Interrupt::Never => "",
        Interrupt::Restart => "restarts",
        Interrupt::Socket => "restarts unless timed",
        Interrupt::NoHandler | Interrupt::Block => "EINTR after a handler",
        Interrupt::Eintr => "EINTR",
    }
}

const HEAD: &str = "\
# System calls

<!-- Generated from runtime/host/src/sys by `cargo xtask docs`. -->

Every system call of arm64 and of arm (EABI), and what the runtime does with it. Guest memory is identity-mapped, so a pointer needs no
conversion, and most calls go to the host kernel as they are.

- **forward**: the call of the same name on the host, arguments unchanged.
- **convert**: the same, with arguments or results that differ between the guest and x86-64 converted.
- **emulate**: done by the runtime, possibly with several host calls.
- **ENOSYS**: not available. Numbers that are not in the table answer ENOSYS, too (`XLATE_TRACE=syscall` names them).

The column *interrupted* says what a signal with a guest handler does to a waiting call: *restarts* means with
SA_RESTART, as on Linux; empty means that the call does not wait, or is not interrupted.

## arm64

| number | name | x86-64 | policy | interrupted | why not simply forwarded |
|---|---|---|---|---|---|
";

const ARM: &str = "
## arm (EABI)

Pointers are addresses below 4 GiB, which the runtime keeps for the guest. Kernel interfaces are those of an arm64 kernel for
32-bit programs, with arm's own *breakpoint* and *get_tls* besides. Calls of the old interface (OABI), which have the number in
the instruction, are refused: a message, and SIGILL.

| number | name | x86-64 | policy | interrupted | why not simply forwarded |
|---|---|---|---|---|---|
";

const FOOT: &str = "
`XLATE_STRACE=1` prints the calls of a translated program.

## What differs from an arm64 kernel

- Programs for AArch64 and AArch32 that the guest executes, and scripts with such an interpreter, go through
  `xlate run --argv0 NAME -- PROGRAM ARGUMENTS…`; the command is the variable XLATE, or the one that `xlate run` was, with its
  options, or `xlate` in PATH. Without it the
  host kernel decides. Everything else, translated programs included, is executed by the host kernel.
- `/proc/self/{maps,smaps,auxv,stat}` and `/proc/cpuinfo` show the guest when they are opened by these names or by those of
  its pid and its threads. Other processes see the host program, and so does the guest when it looks at them.
- A program that opens its own file for reading, by whatever name, gets a memory file with the bytes of the ARM program, and `stat` gives that
  size. Locks, modes, owners and attributes set through the descriptor are the memory file's (decisions/0036-own-file.md). What the
  program executes, and what other programs see, is the translated file.
- RLIMIT_AS, RLIMIT_DATA and RLIMIT_STACK hold for the guest's memory, not for the runtime's, and go to the host with
  `execve`.
- Requests in the rings of io_uring reach the host kernel as they are: open flags that differ, and epoll events, have
  the host's meaning there.
- For 32-bit programs, `kexec_load` is missing. Robust mutexes, `getdents`, `io_uring`, `io_submit` and ioctl requests
  that the runtime does not know use the host kernel's own interface for 32-bit programs (`int 0x80`); where a kernel or a seccomp filter
  does not offer it, a thread that dies with a robust mutex does not give it on, positions in
  directories may have 64 bits, `io_uring_setup` answers ENOSYS, `io_submit` EINVAL for requests with vectors, and such requests go to the host as they are.
- A signalfd does not get SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGTRAP sent by `kill`.
- The user address space has 47 bits.

## prctl options answered with EINVAL

| option | why |
|---|---|
";

#[cfg(test)]
mod tests {
    use isa::Isa;

    #[test]
    fn page_has_every_row() {
        let page = super::markdown();
        for r in super::table(Isa::A64).iter().chain(super::table(Isa::A32)).filter(|r| r.nr < super::PRIVATE)
        {
            assert!(page.contains(&format!("\n| {} | {} |", r.nr, r.name)), "{}", r.name);
        }
        assert!(page.contains("| 56 | openat | 257 | convert | restarts |"));
    }
}
