//! System V IPC: the semaphore structure, and shared memory as part of the guest's map. Takes calls, gives x0.

use super::layout::{HostSemidDs, SemidDs};
use super::table::Interrupt;
use super::{Call, err, guest, ret};
use crate::hostcall::{self, Errno, check};
use crate::mem::{EXEC, Kind, MapRequest, PAGE, READ, Vma, WRITE, page_down, page_up};

/// `SEM_STAT`, `SEM_STAT_ANY`: by index instead of identifier.
const SEM_STAT: i32 = 18;
const SEM_STAT_ANY: i32 = 20;

/// `semctl`.
pub fn semctl(c: &mut Call<'_>) -> i64 {
    /// Compatibility flag, which the 64-bit call ignores.
    const IPC_64: i32 = 0x100;
    let a = c.args;
    match c.int(2) & !IPC_64 {
        libc::IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
            let mut host = HostSemidDs::default();
            match c.host([a[0], a[1], a[2], &raw mut host as u64, 0, 0]) {
                r if r < 0 => r,
                r => ret(guest::write(a[3], SemidDs::from_host(&host)).map(|()| r as u64)),
            }
        }
        libc::IPC_SET => match guest::read::<SemidDs>(a[3]) {
            Ok(s) => {
                let host = s.to_host();
                c.host([a[0], a[1], a[2], &raw const host as u64, 0, 0])
            }
            Err(e) => e.as_return(),
        },
        _ => c.forward(),
    }
}

/// Size of a shared memory segment.
fn shm_size(id: i32) -> Result<u64, Errno> {
    // struct shmid64_ds: ipc64_perm (48 bytes), shm_segsz …; 112 bytes, the same on both.
    let mut ds = [0u64; 14];
    let (nr, at) = (libc::SYS_shmctl, ds.as_mut_ptr() as u64);
    match check(hostcall::syscall(nr, [id as u64, libc::IPC_STAT as u64, at, 0, 0, 0])) {
        Ok(_) => Ok(ds[6]),
        Err(e) => Err(e),
    }
}

/// `shmat`.
pub fn shmat(c: &mut Call<'_>) -> i64 {
    c.state.seen_by_others = 1;
    ret(attach(c))
}

fn attach(c: &Call<'_>) -> Result<u64, Errno> {
    let (id, flags) = (c.int(0), c.int(2));
    let mut at = c.args[1];
    // The kernel's SHMLBA is one page on both (glibc's own for AArch64 is larger, and is not used by the kernel).
    if flags & libc::SHM_RND != 0 {
        at = page_down(at);
    }
    if !at.is_multiple_of(PAGE) || (at == 0 && flags & libc::SHM_REMAP != 0) {
        return Err(Errno(libc::EINVAL));
    }
    let len = page_up(shm_size(id)?).ok_or(Errno(libc::EINVAL))?;
    let mut prot = READ;
    if flags & libc::SHM_RDONLY == 0 {
        prot |= WRITE;
    }
    if flags & libc::SHM_EXEC != 0 {
        prot |= EXEC;
    }
    let mem = &c.thread.process.mem;
    let mut host_flags = flags & !libc::SHM_EXEC & !libc::SHM_RND;
    // The host would place it anywhere; a 32-bit guest can have its own part of the address space only.
    let placed = c.thread.process.isa().is_32();
    if (at != 0 && flags & libc::SHM_REMAP != 0) || placed {
        // Takes the range as a mapping first, which refuses the runtime's memory.
        let how = match at {
            0 => 0,
            _ if flags & libc::SHM_REMAP != 0 => libc::MAP_FIXED,
            _ => libc::MAP_FIXED_NOREPLACE,
        };
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | how) as u32;
        let taken = mem.map(MapRequest { addr: at, len, prot: 0, flags, fd: -1, offset: 0 });
        at = taken.map_err(|e| if placed && at != 0 { Errno(libc::EINVAL) } else { e })?;
        host_flags |= libc::SHM_REMAP;
    }
    let got = match check(c.host_as(Interrupt::Never, [id as u64, at, host_flags as u64, 0, 0, 0])) {
        Ok(got) => got,
        Err(e) => {
            if placed {
                let _ = mem.unmap(at, len);
            }
            return Err(e);
        }
    };
    mem.adopt(Vma { start: got, end: got + len, prot, kind: Kind::Mapped });
    Ok(got)
}

/// `shmdt`: unmaps what is left of the segment that was attached at that address.
pub fn shmdt(c: &mut Call<'_>) -> i64 {
    let at = c.args[0];
    let mem = &c.thread.process.mem;
    let Some(vma) = mem.query(at).filter(|v| at.is_multiple_of(PAGE) && v.start <= page_down(at)) else {
        return err(libc::EINVAL);
    };
    // The kernel knows how long the segment is; what it has unmapped is what does not answer any more.
    let r = c.forward();
    if r == 0 {
        let mut end = at;
        while end < vma.end && !is_mapped(end) {
            end += PAGE;
        }
        if c.thread.process.isa().is_32() {
            // What is no longer the guest's stays reserved for it.
            let _ = mem.unmap(at, end - at);
        } else {
            mem.forget(at, end - at);
        }
    }
    r
}

/// True if the host has something mapped in that page.
fn is_mapped(page: u64) -> bool {
    let mut resident = 0u8;
    hostcall::syscall(libc::SYS_mincore, [page, PAGE, &raw mut resident as u64, 0, 0, 0]) != err(libc::ENOMEM)
}
