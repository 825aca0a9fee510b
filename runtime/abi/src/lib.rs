//! What ahead-of-time code, run-time code and the runtime agree on: the guest state, the calling convention of lifted
//! functions, exit reasons, the tables in an output, and sysroots. Everything is `#[repr(C)]`; [`ABI_HASH`] stands in every output
//! and is checked at start. Knows no ARM instruction, no LLVM and no system call.

pub mod flag;
mod image;
pub mod profile;
mod state;
pub mod sysroot;

pub use image::*;
pub use state::*;

/// General-purpose guest registers that a lifted function takes and returns in host registers ("hot" registers).
///
/// A lifted function is an LLVM function of calling convention `x86_regcallcc` (92):
/// `{ptr state, 10 × i64, 8 × <2 x i64>} f({ptr state, 10 × i64, 8 × <2 x i64>})`, all members as separate scalars. It keeps
/// no other host register and gets a stack aligned to words. Which registers the slots stand for is a property of the
/// output ([`ImageDesc::hot`]); a vector slot may be the home of a general register. All other guest registers are in
/// [`GuestState`]. One of the hot registers is the link register: a function returns to where it says. The caller compares
/// it with its return address and, on a mismatch, returns the same aggregate: host frames are only a cache of guest return
/// addresses and may be dropped at any time. A caller with resume points does so by way of [`symbol::UNWIND`].
pub const HOT_GPRS: usize = 10;

/// Guest registers passed and returned in host vector registers: vector registers, and in the lower halves general registers
/// that functions save and restore.
pub const HOT_VECS: usize = 8;

/// Returned in the slot of the link register, whose value is in the state then, when [`GuestState::exit`] says why and
/// [`GuestState::pc`] where. No return address of a call in lifted code equals it, so every host frame up to the dispatcher
/// returns it.
pub const EXIT_PC: u64 = u64::MAX;

/// Frequency of the guest's virtual counter (CNTFRQ_EL0) in Hz: CNTVCT_EL0 counts CLOCK_MONOTONIC nanoseconds.
pub const COUNTER_HZ: u64 = 1_000_000_000;

/// Why a lifted function returned [`EXIT_PC`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Exit {
    /// Nothing: go on where the link register says.
    None = 0,
    /// The access at `pc` faulted or an asynchronous signal was taken there; the state is the one before the
    /// instruction. The runtime executes the instruction alone, which shows whether it faults.
    Checkpoint = 1,
    /// The instruction at `pc` traps (undefined, breakpoint): the runtime looks at it again.
    Trap = 2,
    /// The instruction at `pc` is for the interpreter.
    Fallback = 3,
    /// The host stack limit was reached at the entry of the function at `pc`: all host frames are dropped; go on at `pc`.
    StackLimit = 4,
    /// Go on at `pc`.
    Pc = 5,
    /// A function was entered whose guest code has changed since: five bytes before the host address in
    /// `GuestState::soft_op` is its entry. Nothing of it was executed.
    Stale = 6,
}

/// Names of the symbols by which outputs and runtime find each other.
pub mod symbol {
    /// `ImageDesc`, defined by the output.
    pub const IMAGE: &str = "xl_image";
    /// `extern "C" fn(*mut GuestState, host_entry: *const ()) -> u64`: loads the hot registers from the state, calls the
    /// lifted function, stores them back, returns the guest pc, or [`EXIT_PC`](super::EXIT_PC) if there is an exit reason. Defined by the output (its slots depend on it).
    pub const ENTER: &str = "xl_enter";
    /// `extern "C" fn(*mut GuestState) -> u64`: executes the system call whose return address is in `GuestState::pc`, all
    /// guest registers being in the state; returns the guest pc to go on at. Defined by the runtime.
    pub const SYSCALL: &str = "xl_rt_syscall";
    /// Evaluates the soft operation `GuestState::soft_op` on `GuestState::soft_args` into `GuestState::soft_result`. Called
    /// with the state's address in r11; keeps every other host register, needs no aligned stack. Defined by the runtime.
    pub const SOFT_OP: &str = "xl_rt_soft_op";
    /// A lifted function that only leaves to the dispatcher, the reason being in the state. Defined by the output.
    pub const LEAVE: &str = "xl_leave";
    /// A lifted function to which one goes whose callee has come back to elsewhere, instead of returning, with
    /// [`super::GuestState::unwinding`] set: its own frame is gone, that of its caller is the last. If control is to go on at a
    /// resume point of the same function, it enters it again, so that the callers' frames live on; else it returns. Defined by the
    /// output.
    pub const UNWIND: &str = "xl_unwind";
    /// `extern "C" fn(*mut GuestState, pc: u64) -> u32`: if there is a resume point of the function `GuestState::unwinding` at
    /// that run-time guest address, prepares the state for it and gives 1, else 0. Notes in `again_pc` and `again_host` whose
    /// point it is. Defined by the runtime.
    pub const AGAIN: &str = "xl_rt_again";
    /// A lifted function that stands for those that there are none of: runs what is at [`super::GuestState::pc`] on top of the
    /// frames of its callers, and returns as that does. Defined by the output.
    pub const ABSENT: &str = "xl_absent";
    /// `extern "C" fn(*mut GuestState) -> u32`: runs the code at `GuestState::pc`, for which there is no lifted function, all guest
    /// registers being in the state. Gives 1 when it has returned to where the link register says; 0 if host frames are to be
    /// given up, `exit` and `pc` saying why and where to go on. Defined by the runtime.
    pub const RUN: &str = "xl_rt_run";
    /// Section of [`super::CheckpointEntry`] records, in host address order.
    pub const CHECKPOINT_SECTION: &str = "xl_ckpt";
    /// Section of [`super::HostSite`] records.
    pub const HOST_SECTION: &str = "xl_host";
    /// Section of [`super::SoftWay`] records of floating-point instructions that every host has.
    pub const FLOAT_SECTION: &str = "xl_float";
    /// Section of lifted code (an identifier, so that the linker defines `__start_` and `__stop_` symbols for it).
    pub const TEXT_SECTION: &str = "xl_text";
    /// Entry of the runtime: `extern "C" fn main`.
    pub const MAIN: &str = "main";
    /// Prefix of a lifted function's symbol: `xl.<guest name>` (hidden, visible to perf and gdb).
    pub const FUNCTION_PREFIX: &str = "xl.";
}

const fn fnv(mut h: u64, s: &[u8]) -> u64 {
    let mut i = 0;
    while i < s.len() {
        h = (h ^ s[i] as u64).wrapping_mul(0x100_0000_01b3);
        i += 1;
    }
    h
}

/// Hash of the sizes, offsets and version that output and runtime must share.
pub const ABI_HASH: u64 = {
    let h = fnv(0xcbf2_9ce4_8422_2325, env!("CARGO_PKG_VERSION").as_bytes());
    let parts = [
        size_of::<GuestState>(),
        core::mem::offset_of!(GuestState, pc),
        core::mem::offset_of!(GuestState, v),
        core::mem::offset_of!(GuestState, stack_limit),
        core::mem::offset_of!(GuestState, soft_op),
        core::mem::offset_of!(GuestState, source),
        core::mem::offset_of!(GuestState, soft_args),
        core::mem::offset_of!(GuestState, flag_kind),
        core::mem::offset_of!(GuestState, flag_a),
        core::mem::offset_of!(GuestState, flag_sign),
        core::mem::offset_of!(GuestState, unwinding),
        size_of::<ImageDesc>(),
        size_of::<CheckpointEntry>(),
        size_of::<ResumeEntry>(),
        size_of::<SoftWay>(),
        size_of::<HostSite>(),
        size_of::<FunctionEntry>(),
        size_of::<CodeRange>(),
        HOT_GPRS,
        HOT_VECS,
    ];
    let mut h = h;
    let mut i = 0;
    while i < parts.len() {
        h = fnv(h, &(parts[i] as u64).to_le_bytes());
        i += 1;
    }
    h
};
