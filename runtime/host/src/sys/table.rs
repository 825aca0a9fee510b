//! Types of the system-call table: what a row says about one arm64 system call, and the lookup by number. The rows stand
//! in `rows.rs`; dispatch, the trace and the documentation page read the same rows.

use super::Call;

/// What happens to a system call.
#[derive(Clone, Copy)]
pub enum Policy {
    /// The host's call of the same name has the same ABI: arguments pass unchanged.
    Forward,
    /// The host's call does the work; arguments or results are converted.
    Convert(Handler),
    /// The runtime does the work, possibly with several host calls.
    Emulate(Handler),
    /// Answers ENOSYS: no arm64 kernel has it, or the runtime declares it missing as a kernel may.
    Nosys,
}

impl Policy {
    /// Word for the documentation page.
    pub fn word(self) -> &'static str {
        match self {
            Policy::Forward => "forward",
            Policy::Convert(_) => "convert",
            Policy::Emulate(_) => "emulate",
            Policy::Nosys => "ENOSYS",
        }
    }
}

/// Carries out one call; returns the value of x0 (an error as −errno, an interruption as −ERESTART…).
pub type Handler = fn(&mut Call<'_>) -> i64;

/// What an interruption by a signal means, as the kernel's implementation of the call returns it inside
/// (linux/errno.h in the kernel's own headers; signal(7) from outside).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interrupt {
    /// Does not sleep interruptibly: the host kernel never reports an interruption.
    Never,
    /// ERESTARTSYS: restarts unless the handler lacks SA_RESTART.
    Restart,
    /// As `Restart`, but EINTR on a socket with a time limit of its own (SO_RCVTIMEO, SO_SNDTIMEO).
    Socket,
    /// ERESTARTNOHAND: EINTR if a handler runs, else restarts.
    NoHandler,
    /// ERESTART_RESTARTBLOCK: as `NoHandler`, with the time that is left.
    Block,
    /// EINTR in any case.
    Eintr,
}

/// Type of an argument, for the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    /// Signed 32-bit number.
    Int,
    /// Signed 64-bit number.
    Long,
    /// Unsigned 64-bit number: a size or count.
    Size,
    /// Bits, in hexadecimal.
    Hex,
    /// Address.
    Ptr,
    /// File descriptor.
    Fd,
    /// Directory file descriptor or AT_FDCWD.
    At,
    /// NUL-terminated file name.
    Path,
    /// NUL-terminated string.
    Str,
    /// Bytes handed to the kernel; the next argument is their number.
    Data,
    /// File mode, in octal.
    Mode,
    /// open(2) flags in arm64 encoding.
    OpenFlags,
    /// O_CLOEXEC and O_NONBLOCK of a new descriptor.
    FdFlags,
    /// AT_… flags.
    AtFlags,
    /// PROT_… bits.
    Prot,
    /// MAP_… bits.
    MapFlags,
    /// madvise advice.
    Advice,
    /// Signal number.
    Signal,
    /// SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK.
    SigHow,
    /// Pointer to a signal set.
    SigSet,
    /// clone flags.
    CloneFlags,
    /// SEEK_….
    Whence,
    /// F_… command.
    Fcntl,
    /// Futex operation.
    Futex,
    /// Clock number.
    Clock,
    /// Pointer to a timespec.
    Timespec,
    /// Socket address family.
    Family,
    /// RLIMIT_….
    Resource,
    /// Pointer to a vector of strings (argv).
    Argv,
    /// epoll_ctl operation.
    EpollOp,
}

/// How a result is shown and stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ret {
    /// A number.
    Int,
    /// An address, in hexadecimal.
    Addr,
    /// The call replaces the registers, so that x0 is not written.
    Registers,
}

/// One system call.
pub struct Row {
    /// arm64 number.
    pub nr: u16,
    /// Name as in the kernel's table (without `sys_`).
    pub name: &'static str,
    /// The host's number for the call of that name.
    pub host: Option<u16>,
    /// What happens.
    pub policy: Policy,
    /// Meaning of an interruption.
    pub interrupt: Interrupt,
    /// Argument types.
    pub args: &'static [Arg],
    /// Result type.
    pub ret: Ret,
    /// Why it is not simply forwarded; empty if it is.
    pub note: &'static str,
}

/// Every arm64 system call, by number.
pub fn table() -> &'static [Row] {
    super::rows::ROWS
}

/// One more than the highest number the lookup covers.
const LIMIT: usize = 512;
/// Marks an unused number.
const NONE: u16 = u16::MAX;

static INDEX: [u16; LIMIT] = {
    let mut index = [NONE; LIMIT];
    let mut i = 0;
    while i < super::rows::ROWS.len() {
        index[super::rows::ROWS[i].nr as usize] = i as u16;
        i += 1;
    }
    index
};

/// The row of a number.
pub fn find(nr: u64) -> Option<&'static Row> {
    let at = *INDEX.get(usize::try_from(nr).ok()?)?;
    (at != NONE).then(|| &super::rows::ROWS[at as usize])
}
