//! Resource limits. Those on memory (stack, data, address space) would hit the runtime's own stacks and tables, so they
//! are kept here, held against the guest's own memory, and given to the host only for a program being executed.

use super::guest;
use super::{Call, ret};
use crate::hostcall::{Errno, check, syscall};
use crate::mem::{AddressSpace, WRITE};
use crate::thread::Thread;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// `struct rlimit64`: soft and hard limit.
pub type Limit = [u64; 2];

/// RLIM_INFINITY.
const INFINITY: u64 = u64::MAX;
/// The limits kept here, in the order of their slots.
const KEPT: [u32; 3] = [libc::RLIMIT_DATA, libc::RLIMIT_STACK, libc::RLIMIT_AS];

/// What the guest set, by slot.
type Kept = [Option<Limit>; 3];

/// The limits of a process, which its threads share.
#[derive(Default, Debug)]
pub struct Limits(Mutex<Kept>);

/// No limit changes while this lives; to be held across `fork`.
pub struct Held<'a> {
    _guard: MutexGuard<'a, Kept>,
}

impl Limits {
    /// The same limits, for another process.
    pub fn copy(of: &Limits) -> Limits {
        Limits(Mutex::new(*of.lock()))
    }

    /// Stops changes.
    pub fn hold(&self) -> Held<'_> {
        Held { _guard: self.lock() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slot(resource: u64) -> Option<usize> {
    KEPT.iter().position(|k| *k as u64 == resource & 0xffff_ffff)
}

/// The host call: `new` and `old` are addresses or 0.
fn prlimit(pid: i32, resource: u64, new: u64, old: u64) -> Result<u64, Errno> {
    check(syscall(libc::SYS_prlimit64, [pid as u64, resource, new, old, 0, 0]))
}

fn host_limit(resource: u64) -> Result<Limit, Errno> {
    let mut l = Limit::default();
    prlimit(0, resource, 0, l.as_mut_ptr() as u64).map(|_| l)
}

/// True if this process may raise hard limits (CAP_SYS_RESOURCE).
fn may_raise() -> bool {
    const CAP_SYS_RESOURCE: u32 = 24;
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    // Twice effective, permitted, inheritable: capabilities 0–31 and 32–63.
    let mut sets = [0u32; 6];
    let at = [header.as_ptr() as u64, sets.as_mut_ptr() as u64];
    syscall(libc::SYS_capget, [at[0], at[1], 0, 0, 0, 0]) == 0 && sets[0] >> CAP_SYS_RESOURCE & 1 != 0
}

/// Gets and sets a limit of this process.
fn change(limits: &Limits, resource: u64, new: Option<Limit>) -> Result<Limit, Errno> {
    let Some(i) = slot(resource) else {
        let mut old = Limit::default();
        let new = new.as_ref().map_or(0, |n| n.as_ptr() as u64);
        return prlimit(0, resource, new, old.as_mut_ptr() as u64).map(|_| old);
    };
    let mut kept = limits.lock();
    let old = match kept[i] {
        Some(l) => l,
        None => host_limit(resource)?,
    };
    if let Some(new) = new {
        if new[0] > new[1] {
            return Err(Errno(libc::EINVAL));
        }
        if new[1] > old[1] {
            if !may_raise() {
                return Err(Errno(libc::EPERM));
            }
            let host = host_limit(resource)?;
            let raised = [host[0], new[1].max(host[1])];
            prlimit(0, resource, raised.as_ptr() as u64, 0)?;
        }
        kept[i] = Some(new);
    }
    Ok(old)
}

/// `getrlimit`.
pub fn getrlimit(c: &mut Call<'_>) -> i64 {
    ret(change(&c.thread.limits, c.args[0], None).and_then(|l| guest::write(c.args[1], l)).map(|()| 0))
}

/// `setrlimit`.
pub fn setrlimit(c: &mut Call<'_>) -> i64 {
    ret(guest::read::<Limit>(c.args[1]).and_then(|l| change(&c.thread.limits, c.args[0], Some(l))).map(|_| 0))
}

/// `prlimit64`: of this process as above, of others as it is.
pub fn prlimit64(c: &mut Call<'_>) -> i64 {
    let [_, resource, new, old, ..] = c.args;
    let own = match c.int(0) {
        0 => true,
        pid => pid as i64 == syscall(libc::SYS_getpid, [0; 6]),
    };
    if !own || slot(resource).is_none() {
        return c.forward();
    }
    ret((|| {
        let new = guest::read_opt::<Limit>(new)?;
        let before = change(&c.thread.limits, resource, new)?;
        guest::write_opt(old, before)?;
        Ok(0)
    })())
}

/// True if the guest may have `more` bytes, of which `data` are private and writable.
pub fn allows(t: &Thread, more: u64, data: bool) -> bool {
    within(&t.limits, &t.process.mem, more, data)
}

fn within(limits: &Limits, mem: &AddressSpace, more: u64, data: bool) -> bool {
    let kept = *limits.lock();
    let soft = |i: usize| kept[i].map_or(INFINITY, |l: Limit| l[0]);
    let (data_limit, space_limit) = (soft(0), soft(2));
    if data_limit == INFINITY && space_limit == INFINITY {
        return true;
    }
    let areas = mem.areas();
    let sum = |writable: bool| -> u64 {
        areas.iter().filter(|v| !writable || v.prot & WRITE != 0).map(|v| v.end - v.start).sum()
    };
    sum(false).saturating_add(more) <= space_limit && (!data || sum(true).saturating_add(more) <= data_limit)
}

/// The host's limits before [`before_exec`].
pub struct Before(Kept);

/// Gives the host the limits that a program executed now is to have; gives what [`after_exec_failed`] needs.
pub fn before_exec(limits: &Limits) -> Before {
    let kept = *limits.lock();
    let mut before: Kept = [None; 3];
    for (i, limit) in kept.iter().enumerate() {
        let resource = KEPT[i] as u64;
        if let (Some(l), Ok(host)) = (limit, host_limit(resource)) {
            // The hard limit stays until the program runs: lowering it could not be taken back if it does not.
            let soft = [l[0], host[1]];
            if prlimit(0, resource, soft.as_ptr() as u64, 0).is_ok() {
                before[i] = Some(host);
            }
        }
    }
    Before(before)
}

/// Takes back [`before_exec`].
pub fn after_exec_failed(before: Before) {
    for (i, limit) in before.0.iter().enumerate() {
        if let Some(l) = limit {
            let _ = prlimit(0, KEPT[i] as u64, l.as_ptr() as u64, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_limits_are_the_guests_alone() {
        let limits = Limits::default();
        let before = host_limit(libc::RLIMIT_AS as u64).unwrap();
        let old = change(&limits, libc::RLIMIT_AS as u64, Some([1 << 20, before[1]])).unwrap();
        assert_eq!(old, before);
        assert_eq!(host_limit(libc::RLIMIT_AS as u64).unwrap(), before);
        assert_eq!(change(&limits, libc::RLIMIT_AS as u64, None).unwrap()[0], 1 << 20);
        assert_eq!(change(&limits, libc::RLIMIT_AS as u64, Some([2, 1])), Err(Errno(libc::EINVAL)));
        let mem = AddressSpace::default();
        assert!(within(&limits, &mem, 1 << 20, false) && !within(&limits, &mem, (1 << 20) + 1, false));
        assert!(within(&Limits::default(), &mem, u64::MAX, true));
        assert!(!within(&Limits::copy(&limits), &mem, u64::MAX, true));
    }
}
