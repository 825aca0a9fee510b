//! The instruction sets: bytes at an address → guest instructions → IR. The one place where ARM instructions have a
//! meaning; every engine gets it from here. Knows no ELF, no LLVM and no system call.

pub mod a32;
pub mod a64;
mod cond;
mod cx;
mod function;

pub use function::{BlockShape, FunctionShape, lift_function};
use ir::{CallTarget, GuestAddr, Inst, RegFile, TrapKind, Value};

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

/// How control leaves one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaving {
    /// Length in bytes.
    pub len: u32,
    /// How, if its condition holds.
    pub flow: Flow,
    /// It has a condition beside that of a [`Flow::Branch`] (A32): control may also go on behind it.
    pub conditional: bool,
    /// It may access memory.
    pub accesses: bool,
    /// The code address behind it; in an IT block or behind IT with the block's state.
    pub next: GuestAddr,
}

/// The instruction sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
#[repr(u32)]
pub enum Isa {
    /// AArch64.
    #[default]
    A64 = 0,
    /// AArch32: A32 and T32, the state being part of code addresses (see [`a32::Place`]).
    A32 = 1,
}

impl Isa {
    /// That of the number in an image's description.
    pub const fn from_number(n: u32) -> Option<Isa> {
        match n {
            0 => Some(Isa::A64),
            1 => Some(Isa::A32),
            _ => None,
        }
    }

    /// The registers.
    pub fn file(self) -> &'static RegFile {
        match self {
            Isa::A64 => &a64::FILE,
            Isa::A32 => &a32::FILE,
        }
    }

    /// Builds the tables that decoding needs and otherwise builds when it is first asked.
    pub fn prepare(self) {
        match self {
            Isa::A64 => a64::prepare(),
            Isa::A32 => a32::prepare(),
        }
    }

    /// Lifts the straight run that begins at `pc` and ends before `end`, after `max_insns` instructions, or at the first
    /// instruction that transfers control; A32: or before one whose condition decides.
    pub fn lift_run(self, code: &dyn Code, pc: GuestAddr, end: GuestAddr, max_insns: usize) -> Run {
        match self {
            Isa::A64 => a64::lift_run(code, pc, end, max_insns),
            Isa::A32 => a32::lift_run(code, pc, end, max_insns),
        }
    }

    /// As [`Isa::lift_run`], for the modes that a thread may have (A64 has none).
    pub fn lift_run_in(self, modes: a32::Modes, code: &dyn Code, pc: GuestAddr, max_insns: usize) -> Run {
        let end = GuestAddr(u64::MAX);
        match self {
            Isa::A64 => a64::lift_run(code, pc, end, max_insns),
            Isa::A32 => a32::lift_run_in(modes, code, pc, end, max_insns),
        }
    }

    /// The modes of a thread, which decide what its instructions mean.
    pub fn modes(self, state: &abi::GuestState) -> a32::Modes {
        match self {
            Isa::A64 => a32::Modes::default(),
            Isa::A32 => a32::Modes::of(state),
        }
    }

    /// Code address to which the link register says that a function returns.
    pub fn link(self, state: &abi::GuestState) -> u64 {
        match self {
            Isa::A64 => self.code_addr(state.x[30]),
            Isa::A32 => state.x[14],
        }
    }

    /// A function has returned to pc: has the register say so by which lifted functions return (A64: the link register, A32:
    /// [`a32::reg::RETURN`]). False if that is the guest's and says otherwise.
    pub fn note_return(self, state: &mut abi::GuestState) -> bool {
        if self == Isa::A32 {
            state.x[30] = state.pc;
        }
        state.x[30] == state.pc
    }

    /// Lifts what stands from `start` to `end`: one run, A32: and those behind conditions (see [`a32::lift_block`]).
    pub fn lift_block(self, code: &dyn Code, start: GuestAddr, end: GuestAddr) -> Vec<Run> {
        match self {
            Isa::A64 => vec![a64::lift_run(code, start, end, usize::MAX)],
            Isa::A32 => a32::lift_block(code, start, end),
        }
    }

    /// The address that a data access to the 64-bit value `addr` goes to: A64 ignores the top byte, bits 63:56 become copies of
    /// bit 55; A32 computes modulo 2³².
    pub const fn data_addr(self, addr: u64) -> u64 {
        match self {
            Isa::A64 => ((addr << 8) as i64 >> 8) as u64,
            Isa::A32 => addr as u32 as u64,
        }
    }

    /// The code address that a branch to the 64-bit value `addr` goes to.
    pub const fn code_addr(self, addr: u64) -> u64 {
        match self {
            Isa::A64 => self.data_addr(addr),
            Isa::A32 => addr,
        }
    }

    /// The address of the instruction's bytes, of its code address.
    pub fn bytes_at(self, pc: u64) -> u64 {
        match self {
            Isa::A64 => pc,
            Isa::A32 => u64::from(a32::Place::from(GuestAddr(pc)).addr),
        }
    }

    /// The code address of the system call instruction behind which execution goes on at `next`, so that it is executed again.
    /// `flags`: N, Z, C, V. (A32: one in the middle of an IT block gets its block's state back, its condition being one that
    /// holds.)
    pub fn system_call_before(self, next: u64, flags: [u8; 4]) -> u64 {
        match self {
            Isa::A64 => next.wrapping_sub(4),
            Isa::A32 => GuestAddr::from(a32::Place::from(GuestAddr(next)).system_call_before(flags)).0,
        }
    }

    /// How control leaves the instruction at the code address `pc`; `None` if its bytes cannot be fetched.
    pub fn leaving(self, code: &dyn Code, pc: GuestAddr) -> Option<Leaving> {
        match self {
            Isa::A64 => {
                let word = code.word(pc)?;
                let (flow, accesses) = (a64::flow(word, pc), a64::may_access(word));
                Some(Leaving { len: 4, flow, conditional: false, accesses, next: pc.offset(4) })
            }
            Isa::A32 => a32::leaving(code, pc.into()),
        }
    }

    /// The code address without the state of an IT block: bytes and instruction set only.
    pub const fn plain(self, pc: u64) -> u64 {
        match self {
            Isa::A64 => pc,
            Isa::A32 => pc as u32 as u64,
        }
    }

    /// The code address of an instruction whose condition is still to be tested, which is where single steps stop.
    pub fn untested(self, pc: u64) -> u64 {
        match self {
            Isa::A64 => pc,
            Isa::A32 => GuestAddr::from(a32::Place { passed: false, ..GuestAddr(pc).into() }).0,
        }
    }

    /// True if the general registers are of 32 bits.
    pub const fn is_32(self) -> bool {
        matches!(self, Isa::A32)
    }

    /// True for code addresses in IT blocks and behind tests of conditions: no other code leads there.
    pub const fn is_inner(self, pc: u64) -> bool {
        match self {
            Isa::A64 => false,
            Isa::A32 => pc >> 32 != 0,
        }
    }

    /// Instructions lie at multiples of this many bytes, at the code address `pc`.
    pub const fn alignment(self, pc: u64) -> u64 {
        match self {
            Isa::A32 if pc & 1 != 0 => 2,
            Isa::A64 | Isa::A32 => 4,
        }
    }

    /// True if an instruction can stand at the code address `pc`.
    pub fn is_aligned(self, pc: u64) -> bool {
        self.bytes_at(pc).is_multiple_of(self.alignment(pc))
    }
}

/// The name that listings give to bits of no encoding.
pub const UNALLOCATED: &str = "(unallocated)";

/// An instruction as listings show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Its bits in hexadecimal digits, four or eight.
    pub bits: String,
    /// Assembly.
    pub text: String,
    /// Name of its encoding.
    pub name: &'static str,
    /// The code address behind it.
    pub next: GuestAddr,
}

impl Isa {
    /// Bits (hexadecimal digits, as in [`Shown`]) and encoding of the instruction at the code address `pc`.
    pub fn name_at(self, code: &dyn Code, pc: GuestAddr) -> Option<(String, &'static str)> {
        match self {
            Isa::A64 => {
                let word = code.word(pc)?;
                Some((format!("{word:08x}"), a64::decode(word).map_or(UNALLOCATED, |row| row.name)))
            }
            Isa::A32 => {
                let at = a32::Place::from(pc);
                let insn = a32::fetch(code, at)?;
                let bits = match (at.thumb, insn.len) {
                    (true, 2) => format!("{:04x}", insn.word),
                    // As it stands, whatever form its row has.
                    (true, _) => format!("{:08x}", wide(code, at)?),
                    (false, _) => format!("{:08x}", insn.word),
                };
                Some((bits, insn.row.map_or(UNALLOCATED, |row| row.name)))
            }
        }
    }

    /// The instruction at the code address `pc`, if its bytes can be fetched.
    pub fn show(self, code: &dyn Code, pc: GuestAddr) -> Option<Shown> {
        let (bits, name) = self.name_at(code, pc)?;
        match self {
            Isa::A64 => {
                let text = a64::decode::disassemble(code.word(pc)?, pc);
                Some(Shown { bits, text, name, next: pc.offset(4) })
            }
            Isa::A32 => {
                let at = a32::Place::from(pc);
                let (insn, leaving) = (a32::fetch(code, at)?, a32::leaving(code, at)?);
                let word = if at.thumb && insn.len == 4 { wide(code, at)? } else { insn.word };
                let mut text = a32::decode::disassemble(at, word);
                if let Flow::Jump(to) | Flow::Branch(to) | Flow::Call(to) = leaving.flow
                    && let Some(i) = text.rfind("0x")
                {
                    // The other decoder counts from elsewhere.
                    text.truncate(i);
                    text += &GuestAddr(self.bytes_at(to.0)).to_string();
                }
                Some(Shown { bits, text, name, next: leaving.next })
            }
        }
    }
}

/// The two halfwords of a 32-bit instruction in Thumb state, the first one on top.
fn wide(code: &dyn Code, at: a32::Place) -> Option<u32> {
    let half = |n: u32| code.half(GuestAddr(u64::from(at.addr.wrapping_add(n))));
    Some(u32::from(half(0)?) << 16 | u32::from(half(2)?))
}

/// Where code bytes come from. Implemented by images (at lifting) and by guest memory (at run time).
pub trait Code {
    /// The little-endian 32-bit word at `pc`, if it can be fetched as an instruction.
    fn word(&self, pc: GuestAddr) -> Option<u32>;

    /// The little-endian halfword at `pc`, a multiple of 2 (Thumb).
    fn half(&self, pc: GuestAddr) -> Option<u16> {
        let word = self.word(GuestAddr(pc.0 & !3))?;
        Some((word >> ((pc.0 & 2) * 8)) as u16)
    }
}
