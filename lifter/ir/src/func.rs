//! Functions, blocks, instructions and terminators. Takes the vocabulary of `types` and `op`, gives the data structure
//! that lifters build, passes rewrite, and engines run or compile. Values are local to their block: guest registers
//! carry everything from block to block, so there are no block arguments.

use crate::op::PureOp;
use crate::types::{GuestAddr, Reg, Type};

/// A value: the index in its block's instruction list of the instruction that defines it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Value(pub u32);

/// An operand that is not there (fills `args` beyond the operation's arity).
pub const NO_VALUE: Value = Value(u32::MAX);

/// A block: an index into [`Function::blocks`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct BlockId(pub u32);

/// Memory ordering of an access, in the Arm memory model's terms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// Plain.
    Relaxed,
    /// Load-acquire (LDAR: ordered after earlier store-releases, too).
    Acquire,
    /// Load-acquire PC (LDAPR).
    AcquirePc,
    /// Store-release.
    Release,
    /// Both (…AL).
    AcqRel,
}

/// Alignment that an access demands; a misaligned one is an alignment fault (SIGBUS, BUS_ADRALN).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Align {
    /// None: any address.
    Any,
    /// The access's own size.
    Natural,
    /// That many bytes, a power of two.
    To(u8),
}

impl Align {
    /// What the address of an access of `size` bytes must be a multiple of.
    pub const fn bytes(self, size: u32) -> u32 {
        match self {
            Align::Any => 1,
            Align::Natural => size,
            Align::To(n) => n as u32,
        }
    }
}

/// Atomic read-modify-write operations (LSE `LD<op>`, SWP); the value stored is `op(old, operand)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RmwOp {
    /// old + b.
    Add,
    /// old & !b (LDCLR).
    Clear,
    /// old ^ b.
    Xor,
    /// old | b (LDSET).
    Or,
    /// Signed maximum.
    SMax,
    /// Signed minimum.
    SMin,
    /// Unsigned maximum.
    UMax,
    /// Unsigned minimum.
    UMin,
    /// b (SWP).
    Swap,
}

/// Barriers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fence {
    /// DMB/DSB SY, ISH: everything before everything after.
    Full,
    /// DMB *LD: loads before everything after.
    Load,
    /// DMB *ST: stores before stores.
    Store,
    /// ISB: fetch again what follows (pending invalidations take effect).
    Instruction,
}

/// Guest cache maintenance that programs use when they write code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CacheOp {
    /// IC IVAU and its like: translations of the line at the address are stale.
    InvalidateCode,
    /// DC CVAU, CVAC, CIVAC: no effect but the access check (a fault if the address cannot be read).
    CleanData,
    /// PRFM PLI/PLD/PST: a hint that never faults.
    Prefetch,
}

/// Per-thread registers outside the register file that engines keep in their own way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SysReg {
    /// FPCR, i64. Writing it changes rounding, FZ, DN… of what follows.
    Fpcr,
    /// FPSR, i64: cumulative exceptions and QC, wherever the engine keeps them.
    Fpsr,
    /// CNTVCT_EL0, i64: virtual counter, `abi::COUNTER_HZ` ticks a second. Read only.
    Counter,
    /// CPSR.E of AArch32, i64: 1 if data are big-endian in memory, else 0. Lifted code has its value as a constant: writing it is for
    /// an engine that lifts what follows anew.
    Endian,
}

/// One instruction. An instruction defines at most one value, named by its own index in the block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Inst {
    /// Start of the guest instruction at this address; what follows, up to the next mark, is part of it. The lifter
    /// emits all its accesses that can fault before its first `Set`, so that at each access the registers hold the
    /// state before the instruction.
    Mark(GuestAddr),
    /// A constant of type `ty`; bits above its width are zero.
    Const {
        /// Type of the value.
        ty: Type,
        /// The bits.
        bits: u128,
    },
    /// i64: the run-time address of this link-time address.
    CodeAddr(GuestAddr),
    /// The register's value.
    Get(Reg),
    /// Write the register (no value).
    Set(Reg, Value),
    /// A data operation.
    Pure {
        /// The operation.
        op: PureOp,
        /// Result type.
        ty: Type,
        /// Operands; `NO_VALUE` beyond the arity.
        args: [Value; 3],
    },
    /// Guest memory read, little-endian; may fault. Accesses of up to 8 bytes are single-copy atomic if aligned,
    /// 16-byte ones too when `Align::Natural`.
    Load {
        /// Type read (not i1).
        ty: Type,
        /// Guest address, i64.
        addr: Value,
        /// Ordering.
        order: Order,
        /// Alignment demanded.
        align: Align,
    },
    /// Guest memory write (no value); may fault, then nothing is written.
    Store {
        /// Guest address, i64.
        addr: Value,
        /// The value; its type gives the size.
        value: Value,
        /// Ordering.
        order: Order,
        /// Alignment demanded.
        align: Align,
    },
    /// Atomic read-modify-write, naturally aligned; gives the old value. i8…i64.
    Rmw {
        /// What is done.
        op: RmwOp,
        /// Type in memory.
        ty: Type,
        /// Guest address, i64.
        addr: Value,
        /// Operand.
        value: Value,
        /// Ordering.
        order: Order,
    },
    /// Compare and swap, naturally aligned; gives the old value. i8…i128. A failing one still needs write permission.
    Cas {
        /// Type in memory.
        ty: Type,
        /// Guest address, i64.
        addr: Value,
        /// Value compared with.
        expected: Value,
        /// Value stored if equal.
        new: Value,
        /// Ordering.
        order: Order,
    },
    /// Load-exclusive: reads, and opens the thread's exclusive monitor on (addr, value read, size).
    LoadEx {
        /// Type in memory, i8…i128.
        ty: Type,
        /// Guest address, i64.
        addr: Value,
        /// Ordering.
        order: Order,
    },
    /// Store-exclusive: i32 0 if the monitor was open for this address and size and memory still held the value read
    /// (then stored atomically), else 1 (nothing stored). Closes the monitor.
    StoreEx {
        /// Guest address, i64.
        addr: Value,
        /// The value; its type gives the size.
        value: Value,
        /// Ordering.
        order: Order,
    },
    /// CLREX (no value).
    ClearEx,
    /// Barrier (no value).
    Fence(Fence),
    /// Cache maintenance at an address (no value).
    Cache {
        /// Kind.
        op: CacheOp,
        /// Guest address, i64.
        addr: Value,
    },
    /// Read a system register, i64.
    ReadSys(SysReg),
    /// Write a system register (no value).
    WriteSys(SysReg, Value),
}

/// Why guest execution cannot go on at an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TrapKind {
    /// Undefined or not permitted at EL0: SIGILL, ILL_ILLOPC.
    Undefined,
    /// BRK #imm: SIGTRAP, TRAP_BRKPT.
    Breakpoint(u16),
}

/// How a block ends.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Term {
    /// To a block of this function.
    Jump(BlockId),
    /// On an i1.
    Branch {
        /// Condition.
        cond: Value,
        /// If 1.
        then: BlockId,
        /// If 0.
        els: BlockId,
    },
    /// Recovered jump table: by the run-time guest address computed (i64, already biased): compared with the run-time
    /// addresses of the cases' targets; anything else is `Indirect`.
    Switch {
        /// The guest address to go to.
        target: Value,
        /// Link-time address → block; sorted, no duplicates.
        cases: Vec<(GuestAddr, BlockId)>,
    },
    /// To code outside this function at a known address (tail call, or fall-through into another function).
    Goto(GuestAddr),
    /// To the run-time guest address (i64). Not a return.
    Indirect(Value),
    /// Call: the link register is already set. If the callee returns to `ret`, execution goes on in `cont`.
    Call {
        /// Who is called.
        target: CallTarget,
        /// The return address, link-time.
        ret: GuestAddr,
        /// The block at `ret`; `None` if it is not part of this function (then as `Goto(ret)`).
        cont: Option<BlockId>,
    },
    /// Return to the run-time guest address (i64).
    Return(Value),
    /// System call (SVC #imm) at `pc`; goes on at `next` in `cont`.
    Syscall {
        /// Immediate of the instruction.
        imm: u16,
        /// Link-time address after the instruction.
        next: GuestAddr,
        /// The block at `next`; `None` as in `Call`.
        cont: Option<BlockId>,
    },
    /// The instruction at `pc` traps; registers hold the state before it.
    Trap {
        /// Why.
        kind: TrapKind,
        /// Link-time address of the instruction.
        pc: GuestAddr,
    },
    /// The instruction at `pc` has no meaning in the IR: the runtime executes it and goes on.
    Fallback {
        /// Link-time address of the instruction.
        pc: GuestAddr,
    },
}

/// Target of a call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CallTarget {
    /// Known link-time address.
    Direct(GuestAddr),
    /// Run-time guest address, i64.
    Indirect(Value),
}

/// Straight-line code.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Block {
    /// Link-time address of its first guest instruction.
    pub pc: GuestAddr,
    /// Instructions; a value is an index into this.
    pub insts: Vec<Inst>,
    /// How it ends.
    pub term: Term,
    /// True if control may come from the dispatcher here (return sites, loop heads); the engine then makes it an entry.
    pub resume: bool,
}

/// A lifted function. Block 0 is the entry.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Function {
    /// Symbol name, or `sub_<address>`.
    pub name: String,
    /// Link-time entry address.
    pub entry: GuestAddr,
    /// Blocks, entry first, then by address.
    pub blocks: Vec<Block>,
}

impl Inst {
    /// Type of the value defined; `None` if it defines none. `get` tells a register's type.
    pub fn result(&self, block: &Block, get: impl Fn(Reg) -> Type) -> Option<Type> {
        match *self {
            Inst::Const { ty, .. }
            | Inst::Pure { ty, .. }
            | Inst::Load { ty, .. }
            | Inst::Rmw { ty, .. }
            | Inst::Cas { ty, .. }
            | Inst::LoadEx { ty, .. } => Some(ty),
            Inst::CodeAddr(_) | Inst::ReadSys(_) => Some(Type::I64),
            Inst::StoreEx { .. } => Some(Type::I32),
            Inst::Get(r) => Some(get(r)),
            Inst::Mark(_)
            | Inst::Set(..)
            | Inst::Store { .. }
            | Inst::ClearEx
            | Inst::Fence(_)
            | Inst::Cache { .. }
            | Inst::WriteSys(..) => {
                let _ = block;
                None
            }
        }
    }

    /// True if it accesses guest memory and can fault: a checkpoint.
    pub const fn is_checkpoint(&self) -> bool {
        match self {
            Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Rmw { .. }
            | Inst::Cas { .. }
            | Inst::LoadEx { .. }
            | Inst::StoreEx { .. } => true,
            Inst::Cache { op, .. } => !matches!(op, CacheOp::Prefetch),
            Inst::Mark(_)
            | Inst::Const { .. }
            | Inst::CodeAddr(_)
            | Inst::Get(_)
            | Inst::Set(..)
            | Inst::Pure { .. }
            | Inst::ClearEx
            | Inst::Fence(_)
            | Inst::ReadSys(_)
            | Inst::WriteSys(..) => false,
        }
    }

    /// Calls `f` for each operand.
    pub fn for_each_arg(&self, mut f: impl FnMut(Value)) {
        let mut copy = *self;
        copy.map_args(|v| {
            f(v);
            v
        });
    }

    /// Replaces each operand by `f` of it.
    pub fn map_args(&mut self, mut f: impl FnMut(Value) -> Value) {
        match self {
            Inst::Mark(_)
            | Inst::Const { .. }
            | Inst::CodeAddr(_)
            | Inst::Get(_)
            | Inst::ClearEx
            | Inst::Fence(_)
            | Inst::ReadSys(_) => {}
            Inst::Set(_, v) | Inst::WriteSys(_, v) => *v = f(*v),
            Inst::Pure { op, args, .. } => {
                for a in &mut args[..op.arity()] {
                    *a = f(*a);
                }
            }
            Inst::Load { addr, .. } | Inst::LoadEx { addr, .. } | Inst::Cache { addr, .. } => {
                *addr = f(*addr)
            }
            Inst::Store { addr, value, .. }
            | Inst::StoreEx { addr, value, .. }
            | Inst::Rmw { addr, value, .. } => {
                *addr = f(*addr);
                *value = f(*value);
            }
            Inst::Cas { addr, expected, new, .. } => {
                *addr = f(*addr);
                *expected = f(*expected);
                *new = f(*new);
            }
        }
    }
}

impl Term {
    /// Replaces each operand by `f` of it.
    pub fn map_args(&mut self, mut f: impl FnMut(Value) -> Value) {
        match self {
            Term::Branch { cond, .. } => *cond = f(*cond),
            Term::Switch { target, .. } | Term::Indirect(target) | Term::Return(target) => {
                *target = f(*target)
            }
            Term::Call { target: CallTarget::Indirect(v), .. } => *v = f(*v),
            Term::Jump(_)
            | Term::Goto(_)
            | Term::Call { target: CallTarget::Direct(_), .. }
            | Term::Syscall { .. }
            | Term::Trap { .. }
            | Term::Fallback { .. } => {}
        }
    }

    /// Successor blocks inside the function, in order.
    pub fn successors(&self) -> Vec<BlockId> {
        match self {
            Term::Jump(b) => vec![*b],
            Term::Branch { then, els, .. } => vec![*then, *els],
            Term::Switch { cases, .. } => cases.iter().map(|c| c.1).collect(),
            Term::Call { cont, .. } | Term::Syscall { cont, .. } => cont.iter().copied().collect(),
            Term::Goto(_)
            | Term::Indirect(_)
            | Term::Return(_)
            | Term::Trap { .. }
            | Term::Fallback { .. } => vec![],
        }
    }
}

impl Function {
    /// Replaces each guest code address by `f` of it, in the order in which they stand. Cases of switches are sorted anew.
    pub fn map_addrs(&mut self, mut f: impl FnMut(GuestAddr) -> GuestAddr) {
        self.entry = f(self.entry);
        for b in &mut self.blocks {
            b.pc = f(b.pc);
            for inst in &mut b.insts {
                if let Inst::Mark(a) | Inst::CodeAddr(a) = inst {
                    *a = f(*a);
                }
            }
            match &mut b.term {
                Term::Switch { cases, .. } => {
                    cases.iter_mut().for_each(|c| c.0 = f(c.0));
                    cases.sort();
                }
                Term::Call { target, ret, .. } => {
                    if let CallTarget::Direct(a) = target {
                        *a = f(*a);
                    }
                    *ret = f(*ret);
                }
                Term::Goto(a)
                | Term::Syscall { next: a, .. }
                | Term::Trap { pc: a, .. }
                | Term::Fallback { pc: a } => *a = f(*a),
                Term::Jump(_) | Term::Branch { .. } | Term::Indirect(_) | Term::Return(_) => {}
            }
        }
    }

    /// The block of that id.
    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.0 as usize]
    }
}
