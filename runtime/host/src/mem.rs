//! The guest's address space: which host pages are the guest's and with what guest protection. Takes memory requests
//! as the guest makes them, applies them to the host (addresses are identical) and refuses what would touch the
//! runtime's own memory. Knows no system call numbers; the system call layer decodes arguments.

use crate::hostcall::{Errno, check, syscall};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Page size of guest and host.
pub const PAGE: u64 = 4096;

/// PROT_READ.
pub const READ: u32 = 1;
/// PROT_WRITE.
pub const WRITE: u32 = 2;
/// PROT_EXEC: the guest may execute; the host never does.
pub const EXEC: u32 = 4;
const PROT_MASK: u32 = READ | WRITE | EXEC;

/// First address not available to a 64-bit guest process.
pub const TASK_SIZE_64: u64 = 1 << 47;
/// The same for 32-bit guests: as on an arm64 kernel, all but the page with the kernel's helpers.
pub const TASK_SIZE_32: u64 = 0xffff_0000;
/// What is reserved above 4 GiB: accesses that leave a 32-bit address space by a constant displacement, or by an index of 23 bits,
/// fault there.
const GUARD_32: u64 = 16 << 20;
/// Where the kernel lets anybody map, if `vm.mmap_min_addr` cannot be read.
const MIN_ADDR: u64 = 65536;
/// What is left free below an area that grows, if it is free.
const GROWTH: u64 = 64 << 20;

const ENOMEM: Errno = Errno(libc::ENOMEM);
const EINVAL: Errno = Errno(libc::EINVAL);

/// What a guest area is, for `/proc/self/maps`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A segment of the program.
    Image,
    /// The area that `brk` moves.
    Heap,
    /// The initial stack.
    Stack,
    /// The page with the signal return code.
    Trampoline,
    /// Anything the guest mapped itself.
    Mapped,
    /// The same, with MAP_GROWSDOWN: the host extends it downwards as it is used.
    Growing,
}

/// A guest area of uniform protection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vma {
    /// First byte.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
    /// Protection as the guest set it (READ | WRITE | EXEC).
    pub prot: u32,
    /// What it is.
    pub kind: Kind,
}

/// An `mmap` request. Flags are those of the generic ABI.
#[derive(Clone, Copy, Debug)]
pub struct MapRequest {
    /// Address or hint.
    pub addr: u64,
    /// Length in bytes, not 0.
    pub len: u64,
    /// READ | WRITE | EXEC, and further PROT bits for the host (PROT_GROWSDOWN …).
    pub prot: u32,
    /// MAP_* flags.
    pub flags: u32,
    /// File descriptor or −1.
    pub fd: i32,
    /// Offset in the file.
    pub offset: u64,
}

#[derive(Default)]
struct Inner {
    /// By start; disjoint; start → rest.
    areas: BTreeMap<u64, Vma>,
    brk_start: u64,
    brk: u64,
    /// True once there was an area that grows.
    grows: bool,
    /// The reserved range, of which a 32-bit guest gets its memory. What is not the guest's in it stays mapped inaccessible, so
    /// that nothing of the host's comes there.
    low: Option<(u64, u64)>,
}

/// The address space of the guest process.
#[derive(Default)]
pub struct AddressSpace {
    inner: Mutex<Inner>,
    generation: AtomicU64,
}

/// `v` rounded up to a page, `None` on overflow.
pub fn page_up(v: u64) -> Option<u64> {
    v.checked_add(PAGE - 1).map(|v| v & !(PAGE - 1))
}

/// `v` rounded down to a page.
pub fn page_down(v: u64) -> u64 {
    v & !(PAGE - 1)
}

/// Guest protection → what the host page gets: text is data to the host.
fn host_prot(prot: u32) -> u64 {
    let mut p = prot & !EXEC;
    if prot & EXEC != 0 {
        p |= READ;
    }
    p as u64
}

fn host_mmap(addr: u64, len: u64, prot: u64, flags: i32, fd: i32, offset: u64) -> Result<u64, Errno> {
    check(syscall(libc::SYS_mmap, [addr, len, prot, flags as u64, fd as i64 as u64, offset]))
}

fn host_munmap(addr: u64, len: u64) {
    syscall(libc::SYS_munmap, [addr, len, 0, 0, 0, 0]);
}

/// Takes the range away from everybody.
fn reserve(addr: u64, len: u64, flag: i32) -> Result<(), Errno> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | flag;
    match host_mmap(addr, len, 0, flags, -1, 0)? {
        at if at == addr => Ok(()),
        // A kernel older than MAP_FIXED_NOREPLACE takes the address as a hint.
        at => {
            host_munmap(at, len);
            Err(Errno(libc::EEXIST))
        }
    }
}

impl Inner {
    /// The area that holds `addr`.
    fn area(&self, addr: u64) -> Option<Vma> {
        self.areas.range(..=addr).next_back().map(|(_, v)| *v).filter(|v| v.end > addr)
    }

    /// Areas that intersect the range, clipped to it.
    fn within(&self, start: u64, end: u64) -> Vec<Vma> {
        let first =
            self.areas.range(..=start).next_back().filter(|(_, v)| v.end > start).map_or(start, |(s, _)| *s);
        self.areas
            .range(first..end)
            .map(|(_, v)| Vma { start: v.start.max(start), end: v.end.min(end), ..*v })
            .collect()
    }

    /// Parts of the range that are not the guest's.
    fn gaps(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut at = start;
        let mut out = Vec::new();
        for v in self.within(start, end) {
            if at < v.start {
                out.push((at, v.start));
            }
            at = v.end;
        }
        if at < end {
            out.push((at, end));
        }
        out
    }

    /// Forgets the range, splitting areas at its ends.
    fn remove(&mut self, start: u64, end: u64) {
        for at in [start, end] {
            if let Some(v) = self.areas.range(..at).next_back().map(|(_, v)| *v).filter(|v| v.end > at) {
                self.areas.insert(v.start, Vma { end: at, ..v });
                self.areas.insert(at, Vma { start: at, ..v });
            }
        }
        let keys: Vec<u64> = self.areas.range(start..end).map(|(s, _)| *s).collect();
        for k in keys {
            self.areas.remove(&k);
        }
    }

    fn insert(&mut self, mut v: Vma) {
        if v.start >= v.end {
            return;
        }
        self.remove(v.start, v.end);
        let like = |o: &Vma| o.prot == v.prot && o.kind == v.kind;
        if let Some(p) =
            self.areas.range(..v.start).next_back().map(|(_, p)| *p).filter(|p| p.end == v.start && like(p))
        {
            self.areas.remove(&p.start);
            v.start = p.start;
        }
        if let Some(n) = self.areas.get(&v.end).copied().filter(like) {
            self.areas.remove(&n.start);
            v.end = n.end;
        }
        self.areas.insert(v.start, v);
    }

    /// Takes up what the host has added below areas that grow. To be called before areas are looked at.
    fn follow_growth(&mut self) {
        if !self.grows {
            return;
        }
        let Ok(maps) = std::fs::read_to_string("/proc/thread-self/maps") else { return };
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|r| r.split_once('-'));
            let number = |s: &str| u64::from_str_radix(s, 16).ok();
            let Some((Some(start), Some(end))) = range.map(|(a, b)| (number(a), number(b))) else { continue };
            // The kernel keeps a gap below such an area, so what touches its start from below has grown.
            let grown = |v: &&Vma| v.kind == Kind::Growing && v.start > start && v.start < end;
            if let Some(v) = self.areas.range(start..end).next().map(|(_, v)| v).filter(grown).copied() {
                self.insert(Vma { start, end: v.start, ..v });
            }
        }
    }

    /// Frees what is reserved below an area that grows and starts `at`: the kernel extends it into what is free, not into
    /// what is reserved.
    fn open_below(&self, at: u64) {
        let below = self.areas.range(..at).next_back().map_or(0, |(_, v)| v.end);
        let from = below.max(at.saturating_sub(GROWTH)).max(self.low.map_or(0, |l| l.0));
        if from < at {
            host_munmap(from, at - from);
        }
    }

    /// First address that the guest cannot have.
    fn task_size(&self) -> u64 {
        if self.low.is_some() { TASK_SIZE_32 } else { TASK_SIZE_64 }
    }

    /// Unmaps guest pages.
    fn drop_pages(&self, start: u64, len: u64) -> Result<(), Errno> {
        match self.low {
            Some(_) => reserve(start, len, libc::MAP_FIXED),
            None => check(syscall(libc::SYS_munmap, [start, len, 0, 0, 0, 0])).map(|_| ()),
        }
    }

    /// A free range of a reserved address space: at `hint`, or as high as there is one.
    fn place(&self, low: (u64, u64), hint: u64, len: u64) -> Option<u64> {
        let free = |at: u64| {
            let end = at.checked_add(len)?;
            (at >= low.0 && end <= low.1 && self.within(at, end).is_empty()).then_some(at)
        };
        if let Some(at) = free(page_down(hint)).filter(|_| hint != 0) {
            return Some(at);
        }
        let mut top = low.1;
        for v in self.areas.range(..low.1).rev().map(|(_, v)| *v) {
            if v.end <= top && top - v.end >= len {
                return free(top - len);
            }
            top = top.min(v.start);
        }
        top.checked_sub(len).and_then(free)
    }

    /// Takes the parts of the range that are not the guest's by mapping them inaccessible; fails, having changed
    /// nothing, if anything of the runtime lives there.
    fn claim(&self, start: u64, end: u64) -> Result<(), Errno> {
        if let Some(low) = self.low {
            return if start >= low.0 && end <= low.1 { Ok(()) } else { Err(Errno(libc::EPERM)) };
        }
        let mut done: Vec<(u64, u64)> = Vec::new();
        for (s, e) in self.gaps(start, end) {
            let flags =
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
            match host_mmap(s, e - s, 0, flags, -1, 0) {
                Ok(a) if a == s => done.push((s, e)),
                other => {
                    // A kernel older than MAP_FIXED_NOREPLACE takes the address as a hint.
                    if let Ok(a) = other {
                        host_munmap(a, e - s);
                    }
                    for (s, e) in done {
                        host_munmap(s, e - s);
                    }
                    return Err(match other {
                        Err(Errno(libc::EPERM)) => Errno(libc::EPERM),
                        _ => ENOMEM,
                    });
                }
            }
        }
        Ok(())
    }

    /// `mremap` to a greater length, where it is or elsewhere in the reserved range.
    fn remap_low(
        &self,
        low: (u64, u64),
        (old, old_len): (u64, u64),
        new_len: u64,
        flags: u32,
    ) -> Result<u64, Errno> {
        let (end, new_end) = (old + old_len, old.saturating_add(new_len));
        let keep = flags & libc::MREMAP_DONTUNMAP as u32 != 0;
        if !keep && old_len != 0 && new_end <= low.1 && self.within(end, new_end).is_empty() {
            host_munmap(end, new_end - end);
            let r = syscall(libc::SYS_mremap, [old, old_len, new_len, 0, 0, 0]);
            if let Ok(at) = check(r) {
                return Ok(at);
            }
            reserve(end, new_end - end, libc::MAP_FIXED)?;
        }
        if flags & libc::MREMAP_MAYMOVE as u32 == 0 {
            return Err(ENOMEM);
        }
        let to = self.place(low, 0, new_len).ok_or(ENOMEM)?;
        let flags = flags | libc::MREMAP_FIXED as u32;
        check(syscall(libc::SYS_mremap, [old, old_len, new_len, flags as u64, to, 0]))
    }

    /// Undoes `claim` after a failed mapping.
    fn release(&self, start: u64, end: u64) {
        for (s, e) in self.gaps(start, end) {
            if self.low.is_some() {
                let _ = reserve(s, e - s, libc::MAP_FIXED);
                continue;
            }
            host_munmap(s, e - s);
        }
    }
}

/// Nothing is mapped or unmapped for the guest while this lives; to be held across `fork`.
pub struct Held<'a> {
    _guard: MutexGuard<'a, Inner>,
}

impl AddressSpace {
    /// That of a 32-bit guest: the low 4 GiB from what the system lets anybody map on, and a guard above, all reserved now.
    /// The range that cannot be had, and why, if something is there.
    pub fn low() -> Result<AddressSpace, (u64, u64, Errno)> {
        let min = std::fs::read_to_string("/proc/sys/vm/mmap_min_addr");
        let min = min.ok().and_then(|s| s.trim().parse().ok()).unwrap_or(MIN_ADDR).max(PAGE);
        let (start, end) = (page_up(min).unwrap_or(MIN_ADDR), (1 << 32) + GUARD_32);
        reserve(start, end - start, libc::MAP_FIXED_NOREPLACE).map_err(|e| (start, end, e))?;
        let space = AddressSpace::default();
        space.lock().low = Some((start, TASK_SIZE_32));
        Ok(space)
    }

    /// Where a mapping of `len` bytes may be put, at `hint` if that is free: `None` if the kernel may choose, as it does for
    /// 64-bit guests. To be used at once, with `MAP_FIXED` or its like, under [`AddressSpace::hold`] if there are threads.
    pub fn place(&self, hint: u64, len: u64) -> Option<Result<u64, Errno>> {
        let inner = self.lock();
        let low = inner.low?;
        Some(page_up(len).and_then(|len| inner.place(low, hint, len)).ok_or(ENOMEM))
    }

    /// Moves what the host's kernel mapped elsewhere for the guest, readable and writable, into the reserved range. Gives its place there.
    pub fn take_in(&self, from: u64, len: u64) -> Result<u64, Errno> {
        let mut inner = self.lock_grown();
        let to = inner.low.and_then(|low| inner.place(low, 0, len)).ok_or(ENOMEM)?;
        let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as u64;
        let moved = check(syscall(libc::SYS_mremap, [from, len, len, flags, to, 0]));
        let at = moved.inspect_err(|_| inner.release(to, to + len))?;
        inner.insert(Vma { start: at, end: at + len, prot: READ | WRITE, kind: Kind::Mapped });
        drop(inner);
        self.changed(at, len);
        Ok(at)
    }

    /// Maps a page for the guest above what it can map itself (the kernel's helpers), read-only, with these bytes.
    pub fn map_vectors(&self, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        host_mmap(at, PAGE, host_prot(READ | WRITE), flags, -1, 0)?;
        crate::access::copy_to_guest(at, bytes)?;
        check(syscall(libc::SYS_mprotect, [at, PAGE, host_prot(READ), 0, 0, 0]))?;
        self.adopt(Vma { start: at, end: at + PAGE, prot: READ | EXEC, kind: Kind::Trampoline });
        Ok(())
    }

    /// Stops changes.
    pub fn hold(&self) -> Held<'_> {
        Held { _guard: self.lock() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As `lock`, with what has grown on its own.
    fn lock_grown(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        inner.follow_growth();
        inner
    }

    /// Changes whenever executable memory may have changed; see [`AddressSpace::exec_range`].
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// That range is mapped, unmapped, or protected otherwise now.
    fn changed(&self, start: u64, len: u64) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        crate::jit::invalidate(start, len);
        crate::polycode::changed(start, len);
    }

    /// Takes the permission to write to the guest's pages of the range from the host, or gives it back, where the guest has
    /// it. Gives the pages where the guest has it.
    pub fn guard(&self, start: u64, end: u64, writable: bool) -> Vec<(u64, u64)> {
        let inner = self.lock();
        let areas = inner.within(start, end).into_iter().filter(|v| v.prot & WRITE != 0);
        areas
            .filter_map(|v| {
                let prot = if writable { host_prot(v.prot) } else { host_prot(v.prot & !WRITE | READ) };
                let r = check(syscall(libc::SYS_mprotect, [v.start, v.end - v.start, prot, 0, 0, 0]));
                r.ok().map(|_| (v.start, v.end))
            })
            .collect()
    }

    /// `mmap`.
    pub fn map(&self, r: MapRequest) -> Result<u64, Errno> {
        self.map_as(r, Kind::Mapped)
    }

    /// `mmap` of an area of that kind.
    pub fn map_as(&self, r: MapRequest, kind: Kind) -> Result<u64, Errno> {
        let mut inner = self.lock();
        let task_size = inner.task_size();
        let len = page_up(r.len).filter(|l| *l != 0 && *l <= task_size).ok_or(if r.len == 0 {
            EINVAL
        } else {
            ENOMEM
        })?;
        let fixed = r.flags & libc::MAP_FIXED as u32 != 0;
        let noreplace = r.flags & libc::MAP_FIXED_NOREPLACE as u32 != 0;
        // MAP_32BIT has no meaning on arm64.
        let flags = r.flags as i32 & !libc::MAP_32BIT;
        let grows = flags & libc::MAP_GROWSDOWN != 0 && kind == Kind::Mapped;
        let kind = if grows { Kind::Growing } else { kind };
        inner.grows |= grows;
        if fixed && !noreplace {
            if !r.addr.is_multiple_of(PAGE) {
                return Err(EINVAL);
            }
            let end = r.addr.checked_add(len).filter(|e| *e <= task_size).ok_or(ENOMEM)?;
            inner.follow_growth();
            inner.claim(r.addr, end)?;
            let got = host_mmap(r.addr, len, host_prot(r.prot), flags, r.fd, r.offset);
            if let Err(e) = got {
                inner.release(r.addr, end);
                return Err(e);
            }
        }
        let at = match inner.low {
            _ if fixed && !noreplace => r.addr,
            Some(low) => {
                inner.follow_growth();
                let at = inner.place(low, r.addr, len).ok_or(ENOMEM)?;
                if noreplace && at != r.addr {
                    let free = r.addr >= low.0 && r.addr.checked_add(len).is_some_and(|end| end <= low.1);
                    return Err(Errno(if free { libc::EEXIST } else { libc::EPERM }));
                }
                let flags = flags & !libc::MAP_FIXED_NOREPLACE | libc::MAP_FIXED;
                host_mmap(at, len, host_prot(r.prot), flags, r.fd, r.offset).inspect_err(|_| {
                    inner.release(at, at + len);
                })?
            }
            None => host_mmap(r.addr, len, host_prot(r.prot), flags, r.fd, r.offset)?,
        };
        if grows && inner.low.is_some() {
            inner.open_below(at);
        }
        inner.insert(Vma { start: at, end: at + len, prot: r.prot & PROT_MASK, kind });
        drop(inner);
        self.changed(at, len);
        Ok(at)
    }

    /// Records an area that was mapped by other means (`shmat`, the loader).
    pub fn adopt(&self, v: Vma) {
        self.lock().insert(v);
        self.changed(v.start, v.end - v.start);
    }

    /// Forgets a range that was unmapped by other means (`shmdt`).
    pub fn forget(&self, start: u64, len: u64) {
        self.lock().remove(start, start.saturating_add(len));
        self.changed(start, len);
    }

    /// `munmap`. Parts that are not the guest's are left alone.
    pub fn unmap(&self, addr: u64, len: u64) -> Result<(), Errno> {
        if !addr.is_multiple_of(PAGE) || len == 0 {
            return Err(EINVAL);
        }
        let mut inner = self.lock_grown();
        let task_size = inner.task_size();
        let end = page_up(len).and_then(|l| addr.checked_add(l)).filter(|e| *e <= task_size).ok_or(EINVAL)?;
        for v in inner.within(addr, end) {
            inner.drop_pages(v.start, v.end - v.start)?;
            inner.remove(v.start, v.end);
        }
        let next = inner.areas.range(addr..).next().map(|(_, v)| *v);
        if let Some(v) = next.filter(|v| inner.low.is_some() && v.kind == Kind::Growing) {
            inner.open_below(v.start);
        }
        drop(inner);
        self.changed(addr, end - addr);
        Ok(())
    }

    /// `mprotect`; `extra` are PROT_GROWSDOWN, which extends the range to the start of an area that grows, and
    /// PROT_GROWSUP, of which there are none.
    pub fn protect(&self, addr: u64, len: u64, prot: u32, extra: u32) -> Result<(), Errno> {
        if !addr.is_multiple_of(PAGE) {
            return Err(EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let mut inner = self.lock_grown();
        let task_size = inner.task_size();
        let end = page_up(len).and_then(|l| addr.checked_add(l)).filter(|e| *e <= task_size).ok_or(ENOMEM)?;
        let mut addr = addr;
        if extra & (libc::PROT_GROWSDOWN | libc::PROT_GROWSUP) as u32 != 0 {
            let v = inner.area(addr).ok_or(ENOMEM)?;
            if !matches!(v.kind, Kind::Stack | Kind::Growing) || extra & libc::PROT_GROWSUP as u32 != 0 {
                return Err(EINVAL);
            }
            addr = v.start;
        }
        let mut at = addr;
        let mut result = Ok(());
        for v in inner.within(addr, end) {
            if v.start != at {
                break;
            }
            let r = syscall(libc::SYS_mprotect, [v.start, v.end - v.start, host_prot(prot), 0, 0, 0]);
            if let Err(e) = check(r) {
                result = Err(e);
                break;
            }
            inner.insert(Vma { prot: prot & PROT_MASK, ..v });
            at = v.end;
        }
        drop(inner);
        self.changed(addr, end - addr);
        if at < end && result.is_ok() { Err(ENOMEM) } else { result }
    }

    /// `mremap`.
    pub fn remap(
        &self,
        old: u64,
        old_len: u64,
        new_len: u64,
        flags: u32,
        new_addr: u64,
    ) -> Result<u64, Errno> {
        let fixed = flags & libc::MREMAP_FIXED as u32 != 0;
        let keep = flags & libc::MREMAP_DONTUNMAP as u32 != 0;
        if !old.is_multiple_of(PAGE) || new_len == 0 {
            return Err(EINVAL);
        }
        let old_len = page_up(old_len).ok_or(EINVAL)?;
        let new_len = page_up(new_len).ok_or(EINVAL)?;
        let mut inner = self.lock_grown();
        let task_size = inner.task_size();
        let old_end = old.checked_add(old_len).filter(|e| *e <= task_size).ok_or(EINVAL)?;
        let areas = inner.within(old, old_end.max(old + 1));
        let Some(first) = areas.first().copied().filter(|v| v.start == old) else {
            return Err(Errno(libc::EFAULT));
        };
        if !inner.gaps(old, old_end).is_empty() {
            return Err(Errno(libc::EFAULT));
        }
        let new_end = new_addr.saturating_add(new_len);
        if fixed {
            if !new_addr.is_multiple_of(PAGE) || new_end > task_size {
                return Err(EINVAL);
            }
            inner.claim(new_addr, new_end)?;
        }
        let r = match inner.low {
            Some(low) if !fixed && (new_len > old_len || keep) => {
                inner.remap_low(low, (old, old_len), new_len, flags)
            }
            _ => check(syscall(libc::SYS_mremap, [old, old_len, new_len, flags as u64, new_addr, 0])),
        };
        let at = match r {
            Ok(at) => at,
            Err(e) => {
                if fixed {
                    inner.release(new_addr, new_end);
                }
                return Err(e);
            }
        };
        if old_len != 0 && !keep {
            inner.remove(old, old_end);
            // What was left behind is nobody's again.
            let left = if at == old { (old + new_len.min(old_len), old_end) } else { (old, old_end) };
            if inner.low.is_some() && left.0 < left.1 {
                let _ = reserve(left.0, left.1 - left.0, libc::MAP_FIXED);
            }
        }
        // A move keeps the protections of the parts; only a uniform area can grow.
        let delta = at.wrapping_sub(old);
        for v in &areas {
            let (s, e) = (v.start.wrapping_add(delta), v.end.wrapping_add(delta).min(at + new_len));
            inner.insert(Vma { start: s, end: e, ..*v });
        }
        if new_len > old_len {
            inner.insert(Vma { start: at + old_len, end: at + new_len, ..*areas.last().unwrap_or(&first) });
        }
        drop(inner);
        self.changed(old, old_len);
        self.changed(at, new_len);
        Ok(at)
    }

    /// Sets where the heap begins (the end of the program).
    pub fn set_brk_start(&self, at: u64) {
        let mut inner = self.lock();
        inner.brk_start = at;
        inner.brk = at;
    }

    /// `brk`: gives the break, unchanged if it cannot be moved to `to`.
    pub fn brk(&self, to: u64) -> u64 {
        let mut inner = self.lock();
        let (Some(want), Some(have)) = (page_up(to), page_up(inner.brk)) else { return inner.brk };
        if to < inner.brk_start || want > inner.task_size() {
            return inner.brk;
        }
        if want > have {
            let how = match inner.low {
                Some(_) if !inner.within(have, want).is_empty() => return inner.brk,
                Some(_) => libc::MAP_FIXED,
                None => libc::MAP_FIXED_NOREPLACE,
            };
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | how;
            match host_mmap(have, want - have, host_prot(READ | WRITE), flags, -1, 0) {
                Ok(a) if a == have => {}
                Ok(a) => {
                    host_munmap(a, want - have);
                    return inner.brk;
                }
                Err(_) => return inner.brk,
            }
            inner.insert(Vma { start: have, end: want, prot: READ | WRITE, kind: Kind::Heap });
        } else if want < have {
            for v in inner.within(want, have) {
                let _ = inner.drop_pages(v.start, v.end - v.start);
            }
            inner.remove(want, have);
        }
        inner.brk = to;
        drop(inner);
        self.changed(want.min(have), want.abs_diff(have));
        to
    }

    /// Start of the heap and the break.
    pub fn heap(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.brk_start, inner.brk)
    }

    /// The guest area that holds `addr`.
    pub fn query(&self, addr: u64) -> Option<Vma> {
        self.lock_grown().area(addr)
    }

    /// True if there is a guest area that ends above `addr`: what `find_vma` of the kernel would find.
    pub fn reaches(&self, addr: u64) -> bool {
        self.lock().areas.last_key_value().is_some_and(|(_, v)| v.end > addr)
    }

    /// True if every page of the range is the guest's.
    pub fn is_guest(&self, addr: u64, len: u64) -> bool {
        addr.checked_add(len).is_some_and(|end| self.lock_grown().gaps(page_down(addr), end).is_empty())
    }

    /// True if the range holds memory of the runtime or nothing: no page of it is the guest's.
    pub fn is_foreign(&self, addr: u64, len: u64) -> bool {
        self.lock_grown().within(page_down(addr), addr.saturating_add(len)).is_empty()
    }

    /// The executable area around `pc`; stays true until [`AddressSpace::generation`] changes.
    pub fn exec_range(&self, pc: u64) -> Option<(u64, u64)> {
        self.query(pc).filter(|v| v.prot & EXEC != 0).map(|v| (v.start, v.end))
    }

    /// All guest areas by address.
    pub fn areas(&self) -> Vec<Vma> {
        self.lock_grown().areas.values().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anon(addr: u64, len: u64, prot: u32, extra: i32) -> MapRequest {
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | extra) as u32;
        MapRequest { addr, len, prot, flags, fd: -1, offset: 0 }
    }

    #[test]
    fn areas_split_and_merge() {
        let m = AddressSpace::default();
        let a = m.map(anon(0, 8 * PAGE, READ | WRITE, 0)).unwrap();
        m.protect(a + 2 * PAGE, 2 * PAGE, READ | EXEC, 0).unwrap();
        assert_eq!(m.areas().len(), 3);
        assert_eq!(m.exec_range(a + 3 * PAGE), Some((a + 2 * PAGE, a + 4 * PAGE)));
        m.protect(a + 2 * PAGE, 2 * PAGE, READ | WRITE, 0).unwrap();
        assert_eq!(m.areas(), [Vma { start: a, end: a + 8 * PAGE, prot: 3, kind: Kind::Mapped }]);
        m.unmap(a + PAGE, PAGE).unwrap();
        assert!(!m.is_guest(a, 8 * PAGE) && m.is_guest(a + 2 * PAGE, 6 * PAGE));
        assert_eq!(m.protect(a, 8 * PAGE, READ, 0), Err(ENOMEM));
        assert_eq!(m.query(a).unwrap().prot, READ, "applied up to the hole, as Linux does");
        m.unmap(a, 8 * PAGE).unwrap();
        assert!(m.areas().is_empty());
    }

    #[test]
    fn runtime_memory_is_refused() {
        let m = AddressSpace::default();
        let mine = Box::new([7u8; 3 * PAGE as usize]);
        let at = page_up(mine.as_ptr() as u64).unwrap();
        assert_eq!(m.map(anon(at, PAGE, READ, libc::MAP_FIXED)), Err(ENOMEM));
        assert_eq!(m.unmap(at, PAGE), Ok(()));
        assert_eq!(m.protect(at, PAGE, 0, 0), Err(ENOMEM));
        assert!(mine.iter().all(|b| *b == 7));
    }

    #[test]
    fn fixed_over_own_memory_and_remap() {
        let m = AddressSpace::default();
        let a = m.map(anon(0, 4 * PAGE, READ | WRITE, 0)).unwrap();
        assert_eq!(m.map(anon(a + PAGE, PAGE, READ, libc::MAP_FIXED)), Ok(a + PAGE));
        assert_eq!(m.map(anon(a, PAGE, READ, libc::MAP_FIXED_NOREPLACE)), Err(Errno(libc::EEXIST)));
        assert_eq!(m.areas().len(), 3);
        let b = m.remap(a, PAGE, 16 * PAGE, libc::MREMAP_MAYMOVE as u32, 0).unwrap();
        assert!(m.is_guest(b, 16 * PAGE));
        m.unmap(a, 4 * PAGE).unwrap();
        m.unmap(b, 16 * PAGE).unwrap();
        assert!(m.areas().is_empty());
    }

    /// All in one test: there is one such range in a process.
    #[test]
    fn low_memory() {
        let m = AddressSpace::low().expect("nothing of the test's lives below 4 GiB");
        let a = m.map(anon(0, 4 * PAGE, READ | WRITE, 0)).unwrap();
        assert_eq!(a + 4 * PAGE, TASK_SIZE_32, "from the top down");
        assert_eq!(m.map(anon(0x10_0000, PAGE, READ, 0)), Ok(0x10_0000), "a free hint is taken");
        assert_eq!(m.map(anon(a, PAGE, READ, libc::MAP_FIXED_NOREPLACE)), Err(Errno(libc::EEXIST)));
        assert_eq!(m.map(anon(1 << 32, PAGE, READ, libc::MAP_FIXED)), Err(ENOMEM));
        assert_eq!(m.map(anon(0x20_0000, PAGE, READ | WRITE, libc::MAP_FIXED)), Ok(0x20_0000));
        let grown = m.remap(0x20_0000, PAGE, 8 * PAGE, 0, 0).unwrap();
        assert_eq!((grown, m.is_guest(grown, 8 * PAGE)), (0x20_0000, true), "in place");
        let moved = m.remap(0x10_0000, PAGE, 512 * PAGE, libc::MREMAP_MAYMOVE as u32, 0).unwrap();
        assert!(m.is_guest(moved, 512 * PAGE) && moved + 512 * PAGE <= TASK_SIZE_32);
        m.unmap(a, 4 * PAGE).unwrap();
        assert_eq!(
            m.map(anon(0, PAGE, READ, 0)),
            Ok(TASK_SIZE_32 - PAGE),
            "what was unmapped is there again"
        );
        m.set_brk_start(0x30_0000);
        assert_eq!(m.brk(0x30_0000 + 3 * PAGE), 0x30_0000 + 3 * PAGE);
        assert_eq!(m.brk(0x30_0000), 0x30_0000);
        let own = host_mmap(0, PAGE, 0, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0).unwrap();
        assert!(own > 1 << 32, "nothing of the host's comes there");
        let s = m.map(anon(0x4000_0000, PAGE, READ | WRITE, libc::MAP_GROWSDOWN)).unwrap();
        crate::access::copy_to_guest(s - PAGE, &[1]).expect("it grows");
        assert!(m.is_guest(s - PAGE, PAGE));
    }

    #[test]
    fn brk_moves() {
        let m = AddressSpace::default();
        let base = 0x12_3400_0000;
        m.set_brk_start(base);
        assert_eq!(m.brk(0), base);
        assert_eq!(m.brk(base + 10), base + 10);
        assert!(m.is_guest(base, PAGE));
        assert_eq!(m.brk(base + 5 * PAGE), base + 5 * PAGE);
        assert_eq!(m.brk(base), base);
        assert!(m.areas().is_empty());
    }
}
