//! The text form of functions and blocks: printer, and in `parse` its inverse. Takes IR and the register file it is
//! written for, gives one line per instruction; `;` begins a comment.
//!
//! ```text
//! function a64 main @0x4000
//! block b0 @0x4000 resume:
//!   .0x4000
//!   %1 = get x0
//!   %2 = i64 const 0x10
//!   %3 = i64 add %1, %2
//!   %4 = i32 load.acquire.aligned %3
//!   %5 = i64 zext %4
//!   x1 = %5
//!   branch %7, b1, b2
//! ```
//!
//! A value's number is its index in the block, so that messages, dumps and memory agree; the parser takes any label.

use crate::func::*;
use crate::types::RegFile;
use std::fmt::{self, Display, Formatter};

/// Displays a function; see [`Function::display`].
struct FunctionText<'a>(&'a Function, &'a RegFile);

/// Displays a block; see [`Block::display`].
struct BlockText<'a>(&'a Block, BlockId, &'a RegFile);

/// Displays instructions; see [`display_insts`].
struct InstsText<'a>(&'a [Inst], &'a RegFile);

impl Function {
    /// The function's text.
    pub fn display<'a>(&'a self, regs: &'a RegFile) -> impl Display + 'a {
        FunctionText(self, regs)
    }
}

impl Block {
    /// The block's text, as block `id` of a function.
    pub fn display<'a>(&'a self, id: BlockId, regs: &'a RegFile) -> impl Display + 'a {
        BlockText(self, id, regs)
    }
}

/// The text of a straight run of instructions, one line each, indented.
pub fn display_insts<'a>(insts: &'a [Inst], regs: &'a RegFile) -> impl Display + 'a {
    InstsText(insts, regs)
}

impl Display for FunctionText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let FunctionText(func, regs) = self;
        writeln!(f, "function {} {} @{}", regs.isa, Name(&func.name), func.entry)?;
        for (i, b) in func.blocks.iter().enumerate() {
            write!(f, "{}", BlockText(b, BlockId(i as u32), regs))?;
        }
        Ok(())
    }
}

impl Display for BlockText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let BlockText(b, id, regs) = self;
        writeln!(f, "block {id} @{}{}:", b.pc, if b.resume { " resume" } else { "" })?;
        write!(f, "{}", InstsText(&b.insts, regs))?;
        writeln!(f, "  {}", b.term)
    }
}

impl Display for InstsText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let InstsText(insts, regs) = self;
        for (i, inst) in insts.iter().enumerate() {
            f.write_str("  ")?;
            inst_text(f, inst, Value(i as u32), regs)?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

/// A function's name, quoted if it would not read back as one word.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && self.0.bytes().all(is_name_byte) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

/// Bytes of unquoted names.
pub(crate) fn is_name_byte(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'$')
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if *self == NO_VALUE { f.write_str("%none") } else { write!(f, "%{}", self.0) }
    }
}

impl Display for BlockId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

/// `.acquire` and the like; nothing for relaxed and for any alignment.
struct Access(Order, Align);

impl Display for Access {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 != Order::Relaxed {
            write!(f, ".{}", self.0.name())?;
        }
        match self.1 {
            Align::Any => Ok(()),
            Align::Natural => f.write_str(".aligned"),
            Align::To(n) => write!(f, ".align{n}"),
        }
    }
}

fn inst_text(f: &mut Formatter<'_>, inst: &Inst, v: Value, regs: &RegFile) -> fmt::Result {
    match *inst {
        Inst::Mark(pc) => write!(f, ".{pc}"),
        Inst::Const { ty, bits } => write!(f, "{v} = {ty} const {bits:#x}"),
        Inst::CodeAddr(pc) => write!(f, "{v} = codeaddr @{pc}"),
        Inst::Get(r) => write!(f, "{v} = get {}", regs.info(r).name),
        Inst::Set(r, x) => write!(f, "{} = {x}", regs.info(r).name),
        Inst::Pure { op, ty, args } => {
            write!(f, "{v} = {ty} {op}")?;
            for (i, a) in args[..op.arity()].iter().enumerate() {
                write!(f, "{}{a}", if i == 0 { " " } else { ", " })?;
            }
            Ok(())
        }
        Inst::Load { ty, addr, order, align } => write!(f, "{v} = {ty} load{} {addr}", Access(order, align)),
        Inst::Store { addr, value, order, align } => {
            write!(f, "store{} {addr}, {value}", Access(order, align))
        }
        Inst::Rmw { op, ty, addr, value, order } => {
            write!(f, "{v} = {ty} rmw.{}{} {addr}, {value}", op.name(), Access(order, Align::Any))
        }
        Inst::Cas { ty, addr, expected, new, order } => {
            write!(f, "{v} = {ty} cas{} {addr}, {expected}, {new}", Access(order, Align::Any))
        }
        Inst::LoadEx { ty, addr, order } => {
            write!(f, "{v} = {ty} loadex{} {addr}", Access(order, Align::Any))
        }
        Inst::StoreEx { addr, value, order } => {
            write!(f, "{v} = i32 storeex{} {addr}, {value}", Access(order, Align::Any))
        }
        Inst::ClearEx => f.write_str("clearex"),
        Inst::Fence(kind) => write!(f, "fence.{}", kind.name()),
        Inst::Cache { op, addr } => write!(f, "cache.{} {addr}", op.name()),
        Inst::ReadSys(r) => write!(f, "{v} = readsys {}", r.name()),
        Inst::WriteSys(r, x) => write!(f, "writesys {}, {x}", r.name()),
    }
}

/// ` b3`, or nothing.
struct Cont(Option<BlockId>);

impl Display for Cont {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |b| write!(f, " {b}"))
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Term::Jump(b) => write!(f, "jump {b}"),
            Term::Branch { cond, then, els } => write!(f, "branch {cond}, {then}, {els}"),
            Term::Switch { target, cases } => {
                write!(f, "switch {target} [")?;
                for (i, (pc, b)) in cases.iter().enumerate() {
                    write!(f, "{}{pc}: {b}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Term::Goto(pc) => write!(f, "goto @{pc}"),
            Term::Indirect(v) => write!(f, "indirect {v}"),
            Term::Call { target: CallTarget::Direct(pc), ret, cont } => {
                write!(f, "call @{pc} ret @{ret}{}", Cont(*cont))
            }
            Term::Call { target: CallTarget::Indirect(v), ret, cont } => {
                write!(f, "call {v} ret @{ret}{}", Cont(*cont))
            }
            Term::Return(v) => write!(f, "return {v}"),
            Term::Syscall { imm, next, cont } => write!(f, "syscall {imm} next @{next}{}", Cont(*cont)),
            Term::Trap { kind: TrapKind::Undefined, pc } => write!(f, "trap undefined @{pc}"),
            Term::Trap { kind: TrapKind::Breakpoint(imm), pc } => write!(f, "trap breakpoint {imm} @{pc}"),
            Term::Fallback { pc } => write!(f, "fallback @{pc}"),
        }
    }
}
