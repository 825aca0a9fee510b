//! Where an AArch32 instruction is executed: its address and what of the processor's state decides what the bytes there mean.
//! Engines handle it as one code address, so that nothing outside this module knows of states.

use ir::GuestAddr;

/// Bit 0 of a code address: Thumb state, as in BX's operand.
const THUMB: u64 = 1;
/// Lowest bit of ITSTATE in a code address.
const IT: u32 = 32;
/// The condition of the instruction is known to hold.
const PASSED: u64 = 1 << 40;

/// An instruction's place. As a [`GuestAddr`] (and in `GuestState::pc`): bits 31:0 the address with bit 0 set in Thumb state,
/// bits 39:32 ITSTATE (Arm ARM G1.3.4), bit 40 `passed`. A plain address with bit 0, as link registers and vectors hold it, is
/// the place of an instruction outside IT blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Address of its first byte.
    pub addr: u32,
    /// PSTATE.T.
    pub thumb: bool,
    /// ITSTATE for this instruction; 0 outside IT blocks.
    pub it: u8,
    /// The condition was tested and holds. Control comes here only from that test; a context that is shown to the guest has it
    /// cleared, because testing again gives the same.
    pub passed: bool,
}

impl From<GuestAddr> for Place {
    fn from(a: GuestAddr) -> Place {
        let thumb = a.0 & THUMB != 0;
        let addr = a.0 as u32 & !(thumb as u32);
        Place { addr, thumb, it: (a.0 >> IT) as u8, passed: a.0 & PASSED != 0 }
    }
}

impl From<Place> for GuestAddr {
    fn from(p: Place) -> GuestAddr {
        let passed = if p.passed { PASSED } else { 0 };
        GuestAddr(u64::from(p.addr) | p.thumb as u64 | u64::from(p.it) << IT | passed)
    }
}

impl Place {
    /// The condition that an IT block gives this instruction: 0–15; 14 outside.
    pub const fn it_condition(self) -> u32 {
        if self.in_it() { self.it as u32 >> 4 } else { 14 }
    }

    /// True in an IT block.
    pub const fn in_it(self) -> bool {
        self.it & 15 != 0
    }

    /// True for the last instruction of an IT block.
    pub const fn last_in_it(self) -> bool {
        self.it & 15 == 8
    }

    /// The place of the next instruction, this one being `len` bytes long (ITAdvance).
    pub const fn next(self, len: u32) -> Place {
        let it = if self.it & 7 == 0 { 0 } else { self.it & 0xe0 | (self.it << 1) & 0x1f };
        Place { addr: self.addr.wrapping_add(len), thumb: self.thumb, it, passed: false }
    }

    /// The place of the SVC that goes on here; see [`crate::Isa::system_call_before`].
    pub fn system_call_before(self, flags: [u8; 4]) -> Place {
        let addr = self.addr.wrapping_sub(if self.thumb { 2 } else { 4 });
        let plain = self.at(addr);
        if self.it == 0 {
            return plain;
        }
        let [n, z, c, v] = flags.map(|f| f as u32 & 1);
        let (condition, rest) = (self.it & 0xe0, self.it >> 1 & 15);
        let it = [condition | 0x10, condition]
            .into_iter()
            .map(|first| first | rest)
            .find(|it| crate::cond::holds(*it as u32 >> 4, n << 3 | z << 2 | c << 1 | v));
        Place { it: it.unwrap_or(0), ..plain }
    }

    /// What reading the PC gives: two instructions on.
    pub const fn pc(self) -> u32 {
        self.addr.wrapping_add(if self.thumb { 4 } else { 8 })
    }

    /// The same place with its condition known to hold.
    pub const fn tested(self) -> Place {
        Place { passed: true, ..self }
    }

    /// The place of another address in this state, outside IT blocks.
    pub const fn at(self, addr: u32) -> Place {
        Place { addr, thumb: self.thumb, it: 0, passed: false }
    }
}
