//! Guest memory as the interpreter sees it: accesses that survive faults, and instruction fetch under the guest's own
//! execute permission, which the host does not enforce. Takes addresses without tag, gives values or the fault.

use crate::access::{self, AccessFault, SEGV_ACCERR};
use crate::mem::AddressSpace;
use exec::{Access, Fault, FaultKind, GuestMemory, rmw_value};
use ir::RmwOp;
use std::cell::Cell;

/// The memory of the process, for one thread.
pub struct Memory {
    space: &'static AddressSpace,
    /// The executable area found last, while the address space is at that generation.
    exec: Cell<(u64, u64, u64)>,
}

impl Memory {
    /// Of that address space.
    pub fn new(space: &'static AddressSpace) -> Self {
        Memory { space, exec: Cell::new((0, 0, u64::MAX)) }
    }

    fn fault(&self, f: AccessFault, access: Access) -> Fault {
        let kind = match (f.signal, f.code) {
            (libc::SIGBUS, _) => FaultKind::Bus,
            // What the runtime has mapped (guard pages, say) does not exist for the guest.
            (_, SEGV_ACCERR) if self.space.query(f.addr).is_some() => FaultKind::Permission,
            _ => FaultKind::Unmapped,
        };
        Fault { kind, access, addr: f.addr }
    }

    /// The fault of a read-modify-write: one of reading, unless only the write is not allowed.
    fn atomic_fault(&self, f: AccessFault) -> Fault {
        let f = self.fault(f, Access::Read);
        match f.kind {
            FaultKind::Permission if self.space.query(f.addr).is_some_and(|v| v.prot != 0) => {
                Fault { access: Access::Write, ..f }
            }
            FaultKind::Permission | FaultKind::Unmapped | FaultKind::Alignment | FaultKind::Bus => f,
        }
    }

    /// Ok if the guest may execute all of the range, else the fault at the first byte where it may not.
    fn executable(&self, addr: u64, len: u64) -> Result<(), Fault> {
        let generation = self.space.generation();
        let (lo, hi, at) = self.exec.get();
        let mut from = addr;
        if at == generation && (lo..hi).contains(&from) {
            from = hi;
        }
        while from < addr.saturating_add(len) {
            let Some((lo, hi)) = self.space.exec_range(from) else {
                let kind = if self.space.query(from).is_some() {
                    FaultKind::Permission
                } else {
                    FaultKind::Unmapped
                };
                return Err(Fault { kind, access: Access::Execute, addr: from });
            };
            self.exec.set((lo, hi, generation));
            from = hi;
        }
        Ok(())
    }
}

impl GuestMemory for Memory {
    fn load(&mut self, addr: u64, size: u32) -> Result<u128, Fault> {
        access::load(addr, size).map_err(|f| self.fault(f, Access::Read))
    }

    fn store(&mut self, addr: u64, size: u32, value: u128) -> Result<(), Fault> {
        access::store(addr, size, value).map_err(|f| self.fault(f, Access::Write))
    }

    fn rmw(&mut self, op: RmwOp, addr: u64, size: u32, value: u64) -> Result<u64, Fault> {
        let mut old = access::load(addr, size).map_err(|f| self.atomic_fault(f))?;
        loop {
            let new = rmw_value(op, size * 8, old as u64, value) as u128;
            let now = access::cas(addr, size, old, new).map_err(|f| self.atomic_fault(f))?;
            if now == old {
                return Ok(old as u64);
            }
            old = now;
        }
    }

    fn cas(&mut self, addr: u64, size: u32, expected: u128, new: u128) -> Result<u128, Fault> {
        access::cas(addr, size, expected, new).map_err(|f| self.atomic_fault(f))
    }

    fn fetch(&self, addr: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        self.executable(addr, bytes.len() as u64)?;
        access::read_bytes(addr, bytes).map_err(|f| self.fault(f, Access::Execute))
    }

    fn code_is(&self, addr: u64, bytes: &[u8]) -> bool {
        self.executable(addr, bytes.len() as u64).is_ok() && access::same(addr, bytes)
    }
}
