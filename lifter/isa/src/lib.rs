//! The instruction sets: bytes at an address → guest instructions → IR. The one place where ARM instructions have a
//! meaning; every engine gets it from here. Knows no ELF, no LLVM and no system call.

pub mod a64;
mod function;

pub use function::{BlockShape, FunctionShape, lift_function};
use ir::{CallTarget, GuestAddr, Inst, TrapKind, Value};

/// How a straight run of guest instructions ends. As [`ir::Term`], but with addresses for blocks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Exit {
    /// On to the next instruction (the run was cut here).
    Next(GuestAddr),
    /// Direct jump.
    Jump(GuestAddr),
    /// Conditional jump on an i1.
    Branch {
        /// Condition.
        cond: Value,
        /// If 1.
        then: GuestAddr,
        /// If 0: the next instruction.
        els: GuestAddr,
    },
    /// Jump to the run-time address.
    Indirect(Value),
    /// Call; the link register is set.
    Call {
        /// Callee.
        target: CallTarget,
        /// Return address.
        ret: GuestAddr,
    },
    /// Return to the run-time address.
    Return(Value),
    /// System call.
    Syscall {
        /// Immediate.
        imm: u16,
        /// The next instruction.
        next: GuestAddr,
    },
    /// The instruction traps.
    Trap {
        /// Why.
        kind: TrapKind,
        /// Its address.
        pc: GuestAddr,
    },
    /// The instruction has no meaning in the IR.
    Fallback {
        /// Its address.
        pc: GuestAddr,
    },
}

/// A lifted straight run of guest instructions.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// Address of the first instruction.
    pub pc: GuestAddr,
    /// Bytes of guest code it covers.
    pub len: u32,
    /// The IR.
    pub insts: Vec<Inst>,
    /// How it ends.
    pub exit: Exit,
}

/// Control flow of one instruction, without lifting it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// On to the next instruction.
    Next,
    /// Direct jump.
    Jump(GuestAddr),
    /// Conditional jump.
    Branch(GuestAddr),
    /// Direct call.
    Call(GuestAddr),
    /// Indirect call.
    IndirectCall,
    /// Indirect jump.
    Indirect,
    /// Return.
    Return,
    /// System call.
    Syscall,
    /// Undefined instruction, BRK and the like: control does not go on.
    Trap,
}

/// Where code bytes come from. Implemented by images (at lifting) and by guest memory (at run time).
pub trait Code {
    /// The little-endian 32-bit word at `pc`, if it can be fetched as an instruction.
    fn word(&self, pc: GuestAddr) -> Option<u32>;
}
