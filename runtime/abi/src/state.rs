//! The state of one guest thread as all engines see it.

/// Registers and engine words of one guest thread. 64-byte aligned; the most used words come first, so that they are
/// within a signed 8-bit displacement of `base + 128`, which LLVM does not use, and in few cache lines, which helps.
#[derive(Clone, Default)]
#[repr(C, align(64))]
pub struct GuestState {
    /// A64: x0–x30. A32: r0–r12 and r14 (lr), zero-extended, at their numbers; r13 is `sp`.
    pub x: [u64; 31],
    /// Stack pointer.
    pub sp: u64,
    /// Run-time guest address of the next instruction (A32: with its state, see `isa::a32::Place`); valid while no lifted code of this thread runs, and at exits.
    pub pc: u64,
    /// Flags N, Z, C, V, each 0 or 1; valid if `flag_kind`, `flag_sign` and `flag_carry` are 0, as they always are while no lifted
    /// code of this thread runs.
    pub nzcv: [u8; 4],
    /// A32: GE0–GE3, then Q, each 0 or 1.
    pub a32_flags: [u8; 5],
    /// 1 once somebody else may see the guest's memory change: a second thread was made, or memory was mapped shared. Until
    /// then two accesses are as good as one.
    pub seen_by_others: u8,
    /// A32: CPSR.E, 1 if data are big-endian in memory, else 0.
    pub big_endian: u8,
    /// FPSR.QC of operations of lifted code, 0 or 1; read together with `fpsr`.
    pub qc: u8,
    /// Lifted function entries compare the host stack pointer with this: below it they take their cold path, which
    /// looks at `resume`.
    pub stack_limit: u64,
    /// The limit that belongs to the host stack; the cold path writes it back to `stack_limit` when it resumes.
    pub stack_limit_real: u64,
    /// 0: none. Else 1 + index of the resume point at which the function entered next begins; the function clears it.
    pub resume: u32,
    /// An [`crate::Exit`]; set before a lifted function returns `EXIT_PC`.
    pub exit: u32,
    /// FPCR as the guest wrote it (A32: the control part of FPSCR).
    pub fpcr: u32,
    /// Cumulative exception bits of the guest that are not (only) in the host's MXCSR: IOC, DZC, OFC, UFC, IXC, IDC, QC
    /// at their FPSR positions.
    pub fpsr: u32,
    /// TPIDR_EL0 (A32: TPIDRURW).
    pub tpidr: u64,
    /// TPIDRRO_EL0 (A32: TPIDRURO).
    pub tpidrro: u64,
    /// Exclusive monitor: address.
    pub excl_addr: u64,
    /// Exclusive monitor: bytes 0 = closed, else size of the access in bytes.
    pub excl_size: u64,
    /// Exclusive monitor: value read, low and high.
    pub excl_value: [u64; 2],
    /// Difference run-time address − link-time address of the main image.
    pub image_bias: u64,
    /// The runtime's thread data.
    pub thread: u64,
    /// Stack pointer of the dispatcher's host frame (see the runtime's entry stub).
    pub host_sp: u64,
    /// 1 while lifted code of this thread may run (from before the dispatcher's last look at pending signals until it is
    /// back, save system calls and soft operations).
    pub in_lifted: u32,
    /// 1 if a signal waits for delivery.
    pub pending: u32,
    /// How the flags follow from `flag_a` and `flag_b`; see [`crate::flag`].
    pub flag_kind: u32,
    /// 1 if lifted code is single-stepped (verification): who calls the runtime goes on stepping behind it.
    pub stepping: u32,
    /// First operand of the flags; of 32-bit kinds the low half counts.
    pub flag_a: u64,
    /// Second operand.
    pub flag_b: u64,
    /// A32: how N and Z follow from `flag_sign_a`; [`crate::flag::BYTES`]: as all flags do.
    pub flag_sign: u32,
    /// A32: how C follows from `flag_carry_a`; [`crate::flag::BYTES`]: as all flags do.
    pub flag_carry: u32,
    /// Operand of N and Z.
    pub flag_sign_a: u64,
    /// Operand of C.
    pub flag_carry_a: u64,
    /// Number of the state of the image's code in which lifted code was entered: if it has changed, host frames may be of
    /// functions whose guest code has changed.
    pub code_epoch: u64,
    /// The soft operation that is asked for: a [`crate::SoftOp`].
    pub soft_op: u64,
    /// Set where lifted code leaves because there is no function at the target of an indirect jump or call: the run-time guest
    /// address of that instruction, plus [`crate::profile::CALL_BIT`] if it is a call. The dispatcher takes it (0: none).
    /// What follows is aligned to 16 bytes.
    pub source: u64,
    /// Operands of a soft operation, low word first.
    pub soft_args: [[u64; 2]; 3],
    /// Its result.
    pub soft_result: [u64; 2],
    /// V0–V31 (A32: D0–D31 in the halves of the first 16).
    pub v: [[u64; 2]; 32],
    /// A32: FPSCR's N, Z, C, V, each 0 or 1; valid if `fp_flag_kind` is 0, as `nzcv` is.
    pub fp_nzcv: [u8; 4],
    /// A32: how FPSCR's flags follow from `fp_flag_a` and `fp_flag_b`: [`crate::flag::BYTES`] or a comparison.
    pub fp_flag_kind: u32,
    /// First operand of FPSCR's flags.
    pub fp_flag_a: u64,
    /// Second operand.
    pub fp_flag_b: u64,
    /// Host address of the function whose frame control is passing, set before it goes to [`crate::symbol::UNWIND`].
    pub unwinding: u64,
    /// Run-time guest address that [`crate::symbol::AGAIN`] was last asked for, ...
    pub again_pc: u64,
    /// ... and the host address of the function that has a resume point there, or 0.
    pub again_host: u64,
}

const _: () = assert!(core::mem::offset_of!(GuestState, v).is_multiple_of(16));
const _: () = assert!(core::mem::offset_of!(GuestState, soft_args).is_multiple_of(16));
