//! Integer and system instructions: data processing, multiplication, media, system registers and barriers. Each file holds one
//! kind of instruction with its rows of A32 and T32; what differs between the two is where a word has its fields. T16's rows
//! are in one file.

use super::cx::{Undefined, rd, rm, rn, rs};

pub mod data;
pub mod data_thumb;
pub mod media;
pub mod multiply;
pub mod parallel;
pub mod saturate;
pub mod system;
pub mod t16;

/// R15 among `registers` is UNPREDICTABLE.
fn no_pc(registers: &[u32]) -> Result<(), Undefined> {
    if registers.contains(&15) { Err(Undefined) } else { Ok(()) }
}

/// Destination and sources of an instruction on registers.
#[derive(Clone, Copy)]
pub struct Registers {
    pub d: u32,
    pub n: u32,
    pub m: u32,
}

/// Rd, Rn and Rm of most A32 instructions.
const fn a32(w: u32) -> Registers {
    Registers { d: rd(w), n: rn(w), m: rm(w) }
}

/// Rd, Rn and Rm of T32.
const fn t32(w: u32) -> Registers {
    Registers { d: rs(w), n: rn(w), m: rm(w) }
}

impl Registers {
    /// None of them may be R15.
    fn no_pc(self) -> Result<Registers, Undefined> {
        no_pc(&[self.d, self.n, self.m]).map(|()| self)
    }
}
