//! What sets the flags: the writes of N, Z, C and V of each guest instruction and what they describe (see the `flags` crate),
//! so that host code notes operands instead of computing flags. What is not recognised is computed and noted as `KNOWN`.
//! Also where descriptions are kept.

use abi::GuestState;
pub(crate) use flags::Operand;
use flags::{Compare, Described, Guard, Values};
use ir::{Block, Reg, RegFile, Value};
use isa::a64::reg;
use isa::{a32, a64};
use std::mem::offset_of;

/// Where descriptions of flags are, as registers behind those of the longest register file: the word and two operands.
pub(crate) const HOMES: [(u16, u32); 3] = {
    let (a, b) = (a64::FILE.regs.len(), a32::FILE.regs.len());
    let n = if a > b { a } else { b } as u16;
    [
        (n, offset_of!(GuestState, flag_kind) as u32),
        (n + 1, offset_of!(GuestState, flag_a) as u32),
        (n + 2, offset_of!(GuestState, flag_b) as u32),
    ]
};

/// Their bits in a set.
pub(crate) const FLAG_HOMES: u128 = 7 << HOMES[0].0;

/// Which flag the register is: N, Z, C, V are 0 to 3.
pub(crate) fn flag_number(r: Reg) -> Option<usize> {
    r.0.checked_sub(reg::N.0).filter(|n| *n < 4).map(usize::from)
}

/// True for N, Z, C and V.
pub(crate) fn is_flag(r: Reg) -> bool {
    flag_number(r).is_some()
}

/// The register of a flag.
pub(crate) fn flag_register(n: usize) -> u16 {
    reg::N.0 + n as u16
}

/// What the flag writes of an instruction amount to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// These flags, whatever happens (N, Z, C, V are bits 11–8 as in `abi::flag::KNOWN`).
    Known(u32),
    Compare(Compare),
    /// The comparison if the guard holds, else that `KNOWN` description.
    Guarded(Guard, Compare, u32),
    /// The values themselves; what is not written keeps its value.
    Bytes([Option<Value>; 4]),
}

impl Form {
    /// The description, if it is a constant.
    pub(crate) fn word(&self) -> Option<u32> {
        match self {
            Form::Known(d) => Some(*d),
            Form::Compare(c) => Some(c.description()),
            Form::Guarded(..) | Form::Bytes(_) => None,
        }
    }
}

/// Flag writes of one instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// Index of the last of them: the form takes effect behind it.
    pub(crate) at: usize,
    pub(crate) form: Form,
}

impl Group {
    /// Registers of flags that it needs.
    pub(crate) fn reads(&self) -> impl Iterator<Item = u16> {
        let set = if let Form::Bytes(set) = self.form { set } else { [Some(Value(0)); 4] };
        (0..4).filter(move |&n| set[n].is_none()).map(flag_register)
    }
}

/// Finds the groups of a block.
pub(crate) fn groups(block: &Block, file: &'static RegFile) -> Vec<Group> {
    let values = Values { block, file };
    let group = |(at, set)| Group { at, form: form(values, set) };
    flags::writes(block, flag_number).into_iter().map(group).collect()
}

fn form(values: Values<'_>, set: [Option<Value>; 4]) -> Form {
    let [Some(n), Some(z), Some(c), Some(v)] = set else { return Form::Bytes(set) };
    match values.describe([n, z, c, v]) {
        Some(Described::Known(d)) => Form::Known(d),
        Some(Described::Compare(c)) => Form::Compare(c),
        Some(Described::Guarded(g, c, otherwise)) => Form::Guarded(g, c, otherwise),
        None => Form::Bytes(set),
    }
}
