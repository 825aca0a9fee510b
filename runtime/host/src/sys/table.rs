//! Types of the system-call tables: what a row says about one system call of arm64 or arm, and the lookup by number. The rows
//! stand in `rows.rs` and `arm/rows.rs`; dispatch, the trace and the documentation page read the same rows.

use super::Call;
use super::shape::Part;
use isa::Isa;

/// What happens to a system call.
#[derive(Clone, Copy)]
pub enum Policy {
    /// The host's call of the same name has the same ABI: arguments pass unchanged.
    Forward,
    /// The host's call does the work; arguments or results are converted.
    Convert(Handler),
    /// The same, structures being converted as they say before the handler sees them, and after.
    Shaped(&'static [Part], Handler),
    /// The runtime does the work, possibly with several host calls.
    Emulate(Handler),
    /// Answers ENOSYS: no kernel has it, or the runtime declares it missing as a kernel may.
    Nosys,
}

impl Policy {
    /// Word for the documentation page.
    pub fn word(self) -> &'static str {
        match self {
            Policy::Forward => "forward",
            Policy::Convert(_) | Policy::Shaped(..) => "convert",
            Policy::Emulate(_) => "emulate",
            Policy::Nosys => "ENOSYS",
        }
    }
}

/// Carries out one call; returns the value of x0 or r0 (an error as −errno, an interruption as −ERESTART…).
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
    /// Signed number as wide as a register.
    Long,
    /// Low word of a 64-bit number whose high word is the next argument.
    Pair,
    /// No argument, or the high word of one.
    Skip,
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
    /// Pointer to a timespec of 64-bit words.
    Timespec,
    /// Socket address family.
    Family,
    /// RLIMIT_….
    Resource,
    /// Pointer to a vector of strings (argv).
    Argv,
    /// The same with 32-bit pointers.
    Argv32,
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
#[derive(Clone, Copy)]
pub struct Row {
    /// The guest's number.
    pub nr: u32,
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

/// Every system call of an instruction set's kernel interface, by number.
pub fn table(isa: Isa) -> &'static [Row] {
    match isa {
        Isa::A64 => super::rows::ROWS,
        Isa::A32 => super::arm::ROWS,
    }
}

/// One more than the highest number the lookup covers, but for arm's own.
const LIMIT: usize = 512;
/// Marks an unused number.
const NONE: u16 = u16::MAX;
/// Where arm's own numbers begin (`__ARM_NR_BASE`).
pub const PRIVATE: u32 = 0xf0000;
/// How many of them the lookup covers.
const PRIVATE_COUNT: usize = 8;

type Index = [u16; LIMIT + PRIVATE_COUNT];

const fn slot(nr: u64) -> Option<usize> {
    const PRIVATE_END: u64 = PRIVATE as u64 + PRIVATE_COUNT as u64;
    match nr {
        n if n < LIMIT as u64 => Some(n as usize),
        n if n >= PRIVATE as u64 && n < PRIVATE_END => Some(LIMIT + (n - PRIVATE as u64) as usize),
        _ => None,
    }
}

const fn index(rows: &[Row]) -> Index {
    let mut index = [NONE; LIMIT + PRIVATE_COUNT];
    let mut i = 0;
    while i < rows.len() {
        match slot(rows[i].nr as u64) {
            Some(at) => index[at] = i as u16,
            None => panic!("a number beyond the lookup"),
        }
        i += 1;
    }
    index
}

static A64: Index = index(super::rows::ROWS);
static A32: Index = index(super::arm::ROWS);

/// The row of a number.
pub fn find(isa: Isa, nr: u64) -> Option<&'static Row> {
    let index = match isa {
        Isa::A64 => &A64,
        Isa::A32 => &A32,
    };
    let at = index[slot(nr)?];
    (at != NONE).then(|| &table(isa)[at as usize])
}
