//! What the interpreter needs of guest memory, as one trait: the host part implements it with accesses that survive
//! faults, tests with a vector of bytes. Addresses arrive as [`isa::Isa::data_addr`] gives them; alignment that an instruction demands is checked
//! before.

use ir::{GuestAddr, RmwOp};
use isa::Code;

/// Why an access failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// Nothing is mapped there (SIGSEGV, SEGV_MAPERR).
    Unmapped,
    /// The mapping does not allow it (SIGSEGV, SEGV_ACCERR).
    Permission,
    /// Misaligned where that is not allowed, or a misaligned pc (SIGBUS, BUS_ADRALN).
    Alignment,
    /// The mapping has nothing behind it (SIGBUS, BUS_ADRERR).
    Bus,
}

/// What was attempted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Data read, or a read-modify-write of which the read would have failed, too.
    Read,
    /// Data write, or a read-modify-write of which only the write failed.
    Write,
    /// Cache maintenance.
    Maintain,
    /// Instruction fetch.
    Execute,
}

/// A failed guest access. Nothing of it was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Why.
    pub kind: FaultKind,
    /// What.
    pub access: Access,
    /// The first byte that could not be accessed.
    pub addr: u64,
}

/// Guest memory. Sizes are 1, 2, 4, 8 or 16 bytes; values are little-endian bits. Naturally aligned accesses are
/// single-copy atomic; `rmw` and `cas` get naturally aligned addresses and are sequentially consistent.
pub trait GuestMemory {
    /// Reads.
    fn load(&mut self, addr: u64, size: u32) -> Result<u128, Fault>;

    /// Writes the low `size` bytes of `value`.
    fn store(&mut self, addr: u64, size: u32, value: u128) -> Result<(), Fault>;

    /// Atomically replaces the value by `op(old, value)` (sizes 1–8) and gives the old one.
    fn rmw(&mut self, op: RmwOp, addr: u64, size: u32, value: u64) -> Result<u64, Fault>;

    /// Atomically writes `new` if the value is `expected`; gives the old one. Needs write permission in any case.
    fn cas(&mut self, addr: u64, size: u32, expected: u128, new: u128) -> Result<u128, Fault>;

    /// Reads code; fails with `Access::Execute` where the guest may not execute.
    fn fetch(&self, addr: u64, bytes: &mut [u8]) -> Result<(), Fault>;

    /// True if `fetch` at `addr` would give exactly `bytes`. Asked each time a run is entered.
    fn code_is(&self, addr: u64, bytes: &[u8]) -> bool {
        let mut buffer = [0u8; 256];
        bytes.chunks(buffer.len()).zip((addr..).step_by(buffer.len())).all(|(chunk, at)| {
            let now = &mut buffer[..chunk.len()];
            self.fetch(at, now).is_ok() && now == chunk
        })
    }
}

/// Guest memory as code.
pub struct AsCode<'a, M>(pub &'a M);

impl<M: GuestMemory> Code for AsCode<'_, M> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        let mut bytes = [0; 4];
        self.0.fetch(pc.0, &mut bytes).ok().map(|()| u32::from_le_bytes(bytes))
    }
}

/// The value that a read-modify-write stores; operands and result of `bits` width, zero above. For implementations of
/// [`GuestMemory::rmw`].
pub fn rmw_value(op: RmwOp, bits: u32, old: u64, operand: u64) -> u64 {
    let shift = 64 - bits;
    let signed = |v: u64| (v << shift) as i64;
    let mask = u64::MAX >> shift;
    match op {
        RmwOp::Add => old.wrapping_add(operand) & mask,
        RmwOp::Clear => old & !operand,
        RmwOp::Xor => old ^ operand,
        RmwOp::Or => old | operand,
        RmwOp::SMax if signed(old) >= signed(operand) => old,
        RmwOp::SMin if signed(old) <= signed(operand) => old,
        RmwOp::UMax => old.max(operand),
        RmwOp::UMin => old.min(operand),
        RmwOp::Swap | RmwOp::SMax | RmwOp::SMin => operand,
    }
}
