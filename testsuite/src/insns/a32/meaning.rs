//! What lifting one instruction says of it: whether it is defined, what it accesses, where control goes. Takes an instruction
//! at a place; the cases around it are made accordingly, so that no encoding has to be described here again.

use crate::insns::Bytes;
use ir::{CallTarget, GuestAddr, Inst, IntBin, PureOp, Reg, TrapKind, Value};
use isa::Exit;
use isa::a32::{Place, lift_run, reg};

/// An instruction, lifted as if its condition held.
pub struct Meaning {
    insts: Vec<Inst>,
    exit: Exit,
}

/// What an address is made of, but for a constant that is added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Root {
    /// A general register.
    Register(u32),
    /// What is loaded.
    Memory,
    /// The place of the instruction.
    Code,
    /// Several of these.
    Computed,
}

/// Where control goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaves {
    /// On to the next instruction.
    Next,
    /// To an address in the instruction, perhaps.
    Direct,
    /// To a computed address: what it is made of, and what is added.
    Indirect(Root, i32),
    /// Into the kernel.
    Syscall,
    /// To a signal, always.
    Trap,
}

/// The length of an instruction, in Thumb state as [`isa::a32::decode`] takes it.
pub fn length(thumb: bool, word: u32) -> u32 {
    if thumb && word >> 16 == 0 { 2 } else { 4 }
}

/// The bytes of an instruction as they stand in memory.
pub fn bytes(thumb: bool, word: u32) -> Vec<u8> {
    let first = if thumb && word >> 16 != 0 { word.rotate_left(16) } else { word };
    first.to_le_bytes()[..length(thumb, word) as usize].to_vec()
}

/// The meaning of the instruction; `None` if it is UNDEFINED.
pub fn lift(word: u32, at: Place) -> Option<Meaning> {
    let bytes = bytes(at.thumb, word);
    let end = GuestAddr(u64::from(at.addr) + bytes.len() as u64);
    let run = lift_run(&Bytes { start: at.addr.into(), bytes: &bytes }, at.tested().into(), end, 1);
    match run.exit {
        Exit::Trap { kind: TrapKind::Undefined, .. } => None,
        exit => Some(Meaning { insts: run.insts, exit }),
    }
}

/// The number of a general register.
fn general(r: Reg) -> Option<u32> {
    match r {
        reg::SP => Some(13),
        Reg(n) => (n < 15).then_some(u32::from(n)),
    }
}

impl Meaning {
    /// The address of the first access to memory.
    pub fn address(&self) -> Option<(Root, i32)> {
        self.insts.iter().find_map(|i| match *i {
            Inst::Load { addr, .. }
            | Inst::Store { addr, .. }
            | Inst::Rmw { addr, .. }
            | Inst::Cas { addr, .. }
            | Inst::LoadEx { addr, .. }
            | Inst::StoreEx { addr, .. } => Some(self.root(addr)),
            _ => None,
        })
    }

    /// Where control goes.
    pub fn leaves(&self) -> Leaves {
        match self.exit {
            Exit::Next(_) => Leaves::Next,
            Exit::Jump(_) | Exit::Branch { .. } | Exit::Call { target: CallTarget::Direct(_), .. } => {
                Leaves::Direct
            }
            Exit::Indirect(v) | Exit::Return(v) | Exit::Call { target: CallTarget::Indirect(v), .. } => {
                let (root, bias) = self.root(v);
                Leaves::Indirect(root, bias)
            }
            Exit::Syscall { .. } => Leaves::Syscall,
            Exit::Trap { .. } | Exit::Fallback { .. } => Leaves::Trap,
        }
    }

    /// The general registers that it reads, a bit each.
    pub fn reads(&self) -> u32 {
        let read = |i: &Inst| if let Inst::Get(r) = i { general(*r) } else { None };
        self.insts.iter().filter_map(read).fold(0, |all, n| all | 1 << n)
    }

    /// The general registers that it writes.
    pub fn writes(&self) -> u32 {
        let written = |i: &Inst| if let Inst::Set(r, _) = i { general(*r) } else { None };
        self.insts.iter().filter_map(written).fold(0, |all, n| all | 1 << n)
    }

    fn root(&self, mut v: Value) -> (Root, i32) {
        let mut bias = 0i32;
        let constant = |v: Value| match self.insts[v.0 as usize] {
            Inst::Const { bits, .. } => Some(bits as i32),
            _ => None,
        };
        loop {
            match self.insts[v.0 as usize] {
                Inst::Pure { op: PureOp::Zext | PureOp::Trunc, args, .. } => v = args[0],
                Inst::Pure { op: PureOp::Int(op), args, .. } => {
                    let Some(c) = constant(args[1]) else { return (Root::Computed, 0) };
                    match (op, c) {
                        (IntBin::Add, c) => bias = bias.wrapping_add(c),
                        (IntBin::Sub, c) => bias = bias.wrapping_sub(c),
                        // The state in an address.
                        (IntBin::Or, 1) | (IntBin::And, -4 | -2) => {}
                        _ => return (Root::Computed, 0),
                    }
                    v = args[0];
                }
                Inst::Get(r) => return (general(r).map_or(Root::Computed, Root::Register), bias),
                Inst::Load { .. } => return (Root::Memory, bias),
                Inst::CodeAddr(_) => return (Root::Code, bias),
                _ => return (Root::Computed, 0),
            }
        }
    }
}
