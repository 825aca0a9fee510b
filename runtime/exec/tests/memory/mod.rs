//! Guest memory in a vector: one readable, writable, executable range, whose last page can be made read-only.

// Each test file uses a part of it.
#![allow(dead_code)]

use exec::{Access, Fault, FaultKind, GuestMemory, rmw_value};
use ir::RmwOp;

/// Memory at `base`.
pub struct Flat {
    pub base: u64,
    pub bytes: Vec<u8>,
    /// Offset from which on writes fail.
    pub read_only: usize,
}

impl Flat {
    pub fn new(base: u64, size: usize) -> Flat {
        Flat { base, bytes: vec![0; size], read_only: size }
    }

    pub fn words(&mut self, addr: u64, words: &[u32]) {
        let at = (addr - self.base) as usize;
        for (i, w) in words.iter().enumerate() {
            self.bytes[at + 4 * i..][..4].copy_from_slice(&w.to_le_bytes());
        }
    }

    pub fn u64_at(&self, addr: u64) -> u64 {
        let at = (addr - self.base) as usize;
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }

    fn place(&self, addr: u64, size: u32, access: Access) -> Result<usize, Fault> {
        let at = addr.wrapping_sub(self.base);
        let fault = |kind, addr| Err(Fault { kind, access, addr });
        if at >= self.bytes.len() as u64 {
            return fault(FaultKind::Unmapped, addr);
        }
        let end = at as usize + size as usize;
        if end > self.bytes.len() {
            return fault(FaultKind::Unmapped, self.base + self.bytes.len() as u64);
        }
        if access == Access::Write && end > self.read_only {
            return fault(FaultKind::Permission, addr.max(self.base + self.read_only as u64));
        }
        Ok(at as usize)
    }
}

impl GuestMemory for Flat {
    fn load(&mut self, addr: u64, size: u32) -> Result<u128, Fault> {
        let at = self.place(addr, size, Access::Read)?;
        let mut v = [0; 16];
        v[..size as usize].copy_from_slice(&self.bytes[at..at + size as usize]);
        Ok(u128::from_le_bytes(v))
    }

    fn store(&mut self, addr: u64, size: u32, value: u128) -> Result<(), Fault> {
        let at = self.place(addr, size, Access::Write)?;
        self.bytes[at..at + size as usize].copy_from_slice(&value.to_le_bytes()[..size as usize]);
        Ok(())
    }

    fn rmw(&mut self, op: RmwOp, addr: u64, size: u32, value: u64) -> Result<u64, Fault> {
        self.place(addr, size, Access::Write)?;
        let old = self.load(addr, size)? as u64;
        self.store(addr, size, rmw_value(op, size * 8, old, value) as u128)?;
        Ok(old)
    }

    fn cas(&mut self, addr: u64, size: u32, expected: u128, new: u128) -> Result<u128, Fault> {
        self.place(addr, size, Access::Write)?;
        let old = self.load(addr, size)?;
        if old == expected {
            self.store(addr, size, new)?;
        }
        Ok(old)
    }

    fn fetch(&self, addr: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        let at = self.place(addr, bytes.len() as u32, Access::Execute)?;
        bytes.copy_from_slice(&self.bytes[at..at + bytes.len()]);
        Ok(())
    }
}
