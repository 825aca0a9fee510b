//! Memory calls. Decodes arm64's arguments (tagged addresses, PROT_BTI and PROT_MTE), and has `mem::AddressSpace` carry
//! them out, which keeps the guest's map and refuses the runtime's memory.

use super::table::Interrupt;
use super::{Call, err, ret};
use crate::hostcall::{Errno, check, syscall};
use crate::libraries;
use crate::mem::{EXEC, MapRequest, READ, WRITE, page_down, page_up};
use crate::profile;
use crate::thread::Thread;
use std::sync::atomic::{AtomicU64, Ordering};

/// Pages whose indirect branches must land on BTI. (PROT_MTE, 0x20, is not offered.)
const PROT_BTI: u64 = 0x10;
const PROT_SEM: u64 = 0x8;
const PROT_GROWS: u64 = (libc::PROT_GROWSDOWN | libc::PROT_GROWSUP) as u32 as u64;
const PROT_BASIC: u64 = (READ | WRITE | EXEC) as u64;

/// MAP flags of x86-64 that arm64 does not have: MAP_32BIT and MAP_ABOVE4G.
const X86_MAP_FLAGS: u64 = 0x40 | 0x80;

/// Address without its tag, as arm64 takes it in the calls that manage memory: sign-extended from bit 55.
fn untagged(addr: u64) -> u64 {
    ((addr as i64) << 8 >> 8) as u64
}

/// Protection that a mapping gets: READ_IMPLIES_EXEC is honoured for the guest's view.
fn effective_prot(t: &mut Thread, prot: u64) -> u32 {
    let implied = prot & READ as u64 != 0 && super::identity::read_implies_exec(t);
    (prot & (PROT_BASIC | PROT_SEM | PROT_GROWS)) as u32 | if implied { EXEC } else { 0 }
}

/// `mlockall(MCL_FUTURE)`: 0, or the flags in force.
static LOCK_FUTURE: AtomicU64 = AtomicU64::new(0);

/// Forgets memory locks: a child of fork has none.
pub fn unlock_in_child() {
    LOCK_FUTURE.store(0, Ordering::Relaxed);
}

/// Locks new memory if `mlockall` asked for it.
fn lock_new(start: u64, len: u64) -> Result<(), Errno> {
    match LOCK_FUTURE.load(Ordering::Relaxed) {
        0 => Ok(()),
        flags => check(mlock2(start, len, flags)).map(|_| ()),
    }
}

fn mlock2(start: u64, len: u64, flags: u64) -> i64 {
    let on_fault = u64::from(flags & libc::MCL_ONFAULT as u64 != 0);
    syscall(libc::SYS_mlock2, [start, len, on_fault, 0, 0, 0])
}

/// `brk`.
pub fn brk(c: &mut Call<'_>) -> i64 {
    let mem = &c.thread.process.mem;
    let (_, before) = mem.heap();
    if c.args[0] > before && !super::limits::allows(c.thread, c.args[0] - before, true) {
        return before as i64;
    }
    let now = mem.brk(c.args[0]);
    if now > before {
        // As the kernel: the break stays moved if locking fails.
        let _ = lock_new(page_down(before), now - page_down(before));
    }
    now as i64
}

/// `mmap`.
pub fn mmap(c: &mut Call<'_>) -> i64 {
    let [addr, len, prot, flags, fd, offset] = c.args;
    let prot = effective_prot(c.thread, prot & (PROT_BASIC | PROT_SEM));
    let mem = &c.thread.process.mem;
    let anonymous = flags & libc::MAP_ANONYMOUS as u64 != 0;
    let mut request = MapRequest {
        addr,
        len,
        // The kernel ignores bits it does not know here (unlike in mprotect).
        prot,
        flags: (flags & !X86_MAP_FLAGS) as u32,
        fd: if anonymous { -1 } else { fd as i32 },
        offset,
    };
    let private = flags & libc::MAP_PRIVATE as u64 != 0;
    if !private {
        c.state.seen_by_others = 1;
    }
    if !super::limits::allows(c.thread, len, private && request.prot & WRITE != 0) {
        return err(libc::ENOMEM);
    }
    request.addr = libraries::place(&c.thread.process.image, &request).unwrap_or(addr);
    if request.prot & EXEC != 0 && request.fd >= 0 {
        profile::mapped(c.thread.process, request.fd);
    }
    ret(mem.map(request).and_then(|at| match lock_new(at, len) {
        Ok(()) => Ok(at),
        Err(_) => {
            let _ = mem.unmap(at, len);
            Err(Errno(libc::EAGAIN))
        }
    }))
}

/// `munmap`.
pub fn munmap(c: &mut Call<'_>) -> i64 {
    ret(c.thread.process.mem.unmap(untagged(c.args[0]), c.args[1]).map(|()| 0))
}

/// `mremap`.
pub fn mremap(c: &mut Call<'_>) -> i64 {
    let [old, old_len, new_len, flags, new, _] = c.args;
    if flags >> 32 != 0 {
        return err(libc::EINVAL);
    }
    let old = untagged(old);
    if new_len > old_len && !super::limits::allows(c.thread, new_len - old_len, false) {
        return err(libc::ENOMEM);
    }
    let r = c.thread.process.mem.remap(old, old_len, new_len, flags as u32, new);
    ret(r.inspect(|at| {
        // Locked memory stays locked, what is new is covered by MCL_FUTURE; a failure is not reported by the kernel.
        if new_len > old_len {
            let _ = lock_new(at + page_up(old_len).unwrap_or(old_len), new_len - old_len);
        }
    }))
}

fn protect(t: &mut Thread, addr: u64, len: u64, prot: u64) -> i64 {
    // BTI is accepted, since the hint has no effect on a program that keeps to it. MTE is not offered: EINVAL.
    if prot & !(PROT_BASIC | PROT_SEM | PROT_GROWS | PROT_BTI) != 0 || prot & PROT_GROWS == PROT_GROWS {
        return err(libc::EINVAL);
    }
    let effective = effective_prot(t, prot);
    let extra = effective & !(READ | WRITE | EXEC);
    ret(t.process.mem.protect(untagged(addr), len, effective & (READ | WRITE | EXEC), extra).map(|()| 0))
}

/// `mprotect`.
pub fn mprotect(c: &mut Call<'_>) -> i64 {
    protect(c.thread, c.args[0], c.args[1], c.args[2])
}

/// `pkey_mprotect`: key −1 is `mprotect`, and no other key can have been allocated.
pub fn pkey_mprotect(c: &mut Call<'_>) -> i64 {
    match c.int(3) {
        -1 => protect(c.thread, c.args[0], c.args[1], c.args[2]),
        _ => err(libc::EINVAL),
    }
}

/// `pkey_alloc`.
pub fn pkey_alloc(c: &mut Call<'_>) -> i64 {
    const PKEY_ACCESS_MASK: u64 = 3;
    if c.args[0] != 0 || c.args[1] & !PKEY_ACCESS_MASK != 0 {
        return err(libc::EINVAL);
    }
    err(libc::ENOSPC)
}

/// `pkey_free`.
pub fn pkey_free(_: &mut Call<'_>) -> i64 {
    err(libc::EINVAL)
}

/// `map_shadow_stack`.
pub fn map_shadow_stack(_: &mut Call<'_>) -> i64 {
    err(libc::EOPNOTSUPP)
}

/// A call on a range of pages that is forwarded for the guest's pages only.
pub fn ranged(c: &mut Call<'_>) -> i64 {
    let mut a = c.args;
    a[0] = untagged(a[0]);
    let name = c.row.name;
    // Locking takes any address, the others want a page's.
    let rounds = matches!(name, "mlock" | "munlock" | "mlock2");
    let start = if rounds { page_down(a[0]) } else { a[0] };
    let Some(end) = a[0].checked_add(a[1]).and_then(page_up) else { return c.host_as(Interrupt::Never, a) };
    let mem = &c.thread.process.mem;
    if start % crate::mem::PAGE != 0 || start >= end || mem.is_guest(start, end - start) {
        return c.host_as(Interrupt::Never, a);
    }
    let unmapped = match name {
        "mbind" => return err(libc::EFAULT),
        "remap_file_pages" => return err(libc::EINVAL),
        "set_mempolicy_home_node" => return err(libc::ENOENT),
        _ => err(libc::ENOMEM),
    };
    if matches!(name, "mincore" | "mseal") {
        return unmapped;
    }
    // The others do what they can, and report the hole.
    for v in mem.areas().iter().filter(|v| v.start < end && v.end > start) {
        let (s, e) = (v.start.max(start), v.end.min(end));
        match c.host_as(Interrupt::Never, [s, e - s, a[2], a[3], a[4], a[5]]) {
            r if r < 0 && r != unmapped => return r,
            _ => {}
        }
    }
    unmapped
}

/// `process_madvise`: hints only, as kernels before 6.13 have it; nothing the runtime's memory could suffer from.
pub fn process_madvise(c: &mut Call<'_>) -> i64 {
    const MADV_COLLAPSE: i32 = 25;
    match c.int(3) {
        libc::MADV_WILLNEED | libc::MADV_COLD | libc::MADV_PAGEOUT | MADV_COLLAPSE => c.forward(),
        _ => err(libc::EINVAL),
    }
}

/// `mlockall`: the guest's areas now, and what is mapped later.
pub fn mlockall(c: &mut Call<'_>) -> i64 {
    let flags = c.args[0];
    let (current, future, on_fault) =
        (libc::MCL_CURRENT as u64, libc::MCL_FUTURE as u64, libc::MCL_ONFAULT as u64);
    if flags == 0 || flags & !(current | future | on_fault) != 0 || flags == on_fault {
        return err(libc::EINVAL);
    }
    LOCK_FUTURE.store(if flags & future != 0 { flags } else { 0 }, Ordering::Relaxed);
    if flags & current != 0 {
        for v in c.thread.process.mem.areas() {
            match mlock2(v.start, v.end - v.start, flags) {
                // Like the kernel, which populates what can be populated and ignores the rest.
                0 => {}
                r if r == err(libc::EPERM) => return r,
                r if r == err(libc::ENOMEM) && v.prot != 0 => return r,
                _ => {}
            }
        }
    }
    0
}

/// `munlockall`.
pub fn munlockall(c: &mut Call<'_>) -> i64 {
    LOCK_FUTURE.store(0, Ordering::Relaxed);
    for v in c.thread.process.mem.areas() {
        syscall(libc::SYS_munlock, [v.start, v.end - v.start, 0, 0, 0, 0]);
    }
    0
}
