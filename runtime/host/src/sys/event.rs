//! Waiting: epoll, poll, select, asynchronous I/O and futexes, whose calls differ in a layout, in a temporary signal mask
//! or in what an interruption means. Takes calls, gives x0.

use super::guest;
use super::layout::{EpollEvent, HostEpollEvent};
use super::table::Interrupt;
use super::{Call, err};
use crate::hostcall::{ERESTARTNOHAND, ERESTARTNOINTR, Errno};
use crate::signal::{SigSet, end_temporary_mask, let_through, not_begun, set_temporary_mask};

/// Bytes of a signal set; any other size is EINVAL.
const SET_SIZE: u64 = 8;

/// A mask that the guest gave at `mask` (0: none) with size `size`, put in force: what the host call is to be given.
fn temporary_mask(c: &mut Call<'_>, mask: u64, size: u64) -> Result<Option<SigSet>, Errno> {
    if mask == 0 {
        return Ok(None);
    }
    if size != SET_SIZE {
        return Err(Errno(libc::EINVAL));
    }
    let set = guest::read::<SigSet>(mask)?;
    Ok(Some(set_temporary_mask(c.thread, set)))
}

/// The call on the host, with what an interruption does to the temporary mask.
fn wait(c: &mut Call<'_>, args: [u64; 6]) -> i64 {
    let r = c.host(args);
    if not_begun(c.thread, r) {
        return r;
    }
    let Some(mask) = c.thread.signals.temporary else { return r };
    if r == -ERESTARTNOINTR {
        // Only the temporary mask lets a signal through that was there before: it ends the call.
        return if let_through(c.thread, mask) { -ERESTARTNOHAND } else { r };
    }
    // As the kernel: the mask is restored at once unless a signal ended the call.
    if r != -ERESTARTNOHAND && r != err(libc::EINTR) {
        end_temporary_mask(c.thread);
    }
    r
}

/// `ppoll`.
pub fn ppoll(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    match temporary_mask(c, a[3], a[4]) {
        Ok(set) => wait(c, [a[0], a[1], a[2], address(&set), a[4], 0]),
        Err(e) => e.as_return(),
    }
}

/// Address of the set, 0 for none.
fn address(set: &Option<SigSet>) -> u64 {
    set.as_ref().map_or(0, |s| std::ptr::from_ref(s) as u64)
}

/// A call whose sixth argument points to {address, size} of a mask.
fn with_sized_mask(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    let sized = match guest::read_opt::<[u64; 2]>(a[5]) {
        Ok(s) => s.unwrap_or_default(),
        Err(e) => return e.as_return(),
    };
    match temporary_mask(c, sized[0], sized[1]) {
        Ok(set) => {
            let host = [address(&set), sized[1]];
            wait(c, [a[0], a[1], a[2], a[3], a[4], host.as_ptr() as u64])
        }
        Err(e) => e.as_return(),
    }
}

/// `pselect6`.
pub fn pselect6(c: &mut Call<'_>) -> i64 {
    with_sized_mask(c)
}

/// `io_pgetevents`.
pub fn io_pgetevents(c: &mut Call<'_>) -> i64 {
    with_sized_mask(c)
}

/// `epoll_ctl`.
pub fn epoll_ctl(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    if c.int(1) == libc::EPOLL_CTL_DEL {
        return c.forward();
    }
    match guest::read::<EpollEvent>(a[3]) {
        Ok(e) => {
            let host = e.to_host();
            c.host([a[0], a[1], a[2], host.as_ptr() as u64, 0, 0])
        }
        Err(e) => e.as_return(),
    }
}

/// The common part of both waits: events arrive in a packed buffer.
fn epoll_wait(c: &mut Call<'_>) -> i64 {
    /// More than anyone asks for; a call may give fewer than it was asked for.
    const MOST: usize = 1 << 16;
    let a = c.args;
    let max = c.int(2);
    if max <= 0 || max > i32::MAX / size_of::<EpollEvent>() as i32 {
        return err(libc::EINVAL);
    }
    let mut small = [HostEpollEvent::default(); 64];
    let mut large = Vec::new();
    let events: &mut [HostEpollEvent] = match max as usize {
        n if n <= small.len() => &mut small[..n],
        n => {
            large.resize(n.min(MOST), HostEpollEvent::default());
            &mut large
        }
    };
    let set = match temporary_mask(c, a[4], a[5]) {
        Ok(set) => set,
        Err(e) => return e.as_return(),
    };
    let n = wait(c, [a[0], events.as_mut_ptr() as u64, events.len() as u64, a[3], address(&set), a[5]]);
    for (i, e) in events.iter().take(n.max(0) as usize).enumerate() {
        if let Err(e) =
            guest::write(a[1].wrapping_add((i * size_of::<EpollEvent>()) as u64), EpollEvent::from_host(e))
        {
            return if i == 0 { e.as_return() } else { i as i64 };
        }
    }
    n
}

/// `epoll_pwait`.
pub fn epoll_pwait(c: &mut Call<'_>) -> i64 {
    epoll_wait(c)
}

/// `epoll_pwait2`: the time limit is a timespec.
pub fn epoll_pwait2(c: &mut Call<'_>) -> i64 {
    epoll_wait(c)
}

/// `futex`.
pub fn futex(c: &mut Call<'_>) -> i64 {
    const OPERATION: i32 = !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    let interrupt = match c.int(1) & OPERATION {
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET if c.args[3] != 0 => Interrupt::Block,
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET => Interrupt::Restart,
        libc::FUTEX_LOCK_PI | libc::FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2 => Interrupt::Restart,
        _ => Interrupt::Never,
    };
    c.host_as(interrupt, c.args)
}

const FUTEX_LOCK_PI2: i32 = 13;
