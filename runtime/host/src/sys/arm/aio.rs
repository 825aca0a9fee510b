//! Kernel AIO. A context's handle is the address of its ring of events, which the host's kernel puts where a 64-bit program has room: it is
//! moved into the guest's memory, and the kernel follows. The rings, requests and events are laid out alike; vectors of a
//! request, and the vector of requests, are of 32-bit pointers. Takes calls, gives r0.

use crate::hostcall::{self, Errno, check};
use crate::mem::{PAGE, page_up};
use crate::sys::{Call, err, guest, ret};

/// `struct aio_ring`: where the number of its events stands, and the length of the header.
const RING_EVENTS: u64 = 4;
const RING_HEADER: u64 = 28;
/// `struct io_event`.
const EVENT_SIZE: u64 = 32;
/// `struct iocb`: `aio_lio_opcode`, and its values for vectors.
const IOCB_COMMAND: u64 = 16;
const IOCB_CMD_PREADV: u16 = 7;
const IOCB_CMD_PWRITEV: u16 = 8;
/// As many requests as anybody submits at once; more are submitted by the next call, as the result says.
const REQUESTS_MAX: u64 = 1 << 16;

/// Bytes that are mapped for the ring at `at`.
fn ring_size(at: u64) -> Result<u64, Errno> {
    let (events, header) = (guest::read::<u32>(at + RING_EVENTS)?, guest::read::<u32>(at + RING_HEADER)?);
    page_up(u64::from(header) + u64::from(events) * EVENT_SIZE).ok_or(Errno(libc::EINVAL))
}

/// `io_setup`.
pub fn io_setup(c: &mut Call<'_>) -> i64 {
    ret(set_up(c))
}

fn set_up(c: &Call<'_>) -> Result<u64, Errno> {
    let [events, handle, ..] = c.args;
    if guest::read::<u32>(handle)? != 0 {
        return Err(Errno(libc::EINVAL));
    }
    let mut ring = 0u64;
    check(c.host([events, &raw mut ring as u64, 0, 0, 0, 0]))?;
    let moved = ring_size(ring).and_then(|size| c.thread.process.mem.take_in(ring, size));
    let destroy = |ring| hostcall::syscall(libc::SYS_io_destroy, [ring, 0, 0, 0, 0, 0]);
    let ring = moved.inspect_err(|_| {
        destroy(ring);
    })?;
    guest::write(handle, ring as u32).map(|()| 0).inspect_err(|_| {
        end(c, ring, destroy);
    })
}

/// `io_destroy`.
pub fn io_destroy(c: &mut Call<'_>) -> i64 {
    end(c, c.args[0], |_| c.forward())
}

/// Ends the context by `destroy`; where the kernel had its ring is the guest's to map again.
fn end(c: &Call<'_>, ring: u64, destroy: impl FnOnce(u64) -> i64) -> i64 {
    let mem = &c.thread.process.mem;
    let size = if ring.is_multiple_of(PAGE) && mem.is_guest(ring, PAGE) { ring_size(ring) } else { Ok(0) };
    let r = destroy(ring);
    if let (0, Ok(size)) = (r, size) {
        let _ = mem.unmap(ring, size);
    }
    r
}

/// `io_submit`: by the host's interface for 32-bit programs, which reads vectors as they are; where that is missing, without
/// requests that have some, as by a file that cannot do them.
pub fn io_submit(c: &mut Call<'_>) -> i64 {
    if let Some(r) = hostcall::compat(hostcall::I386_IO_SUBMIT, c.args) {
        return r;
    }
    let [context, count, requests, ..] = c.args;
    if (count as i64) < 0 {
        return err(libc::EINVAL);
    }
    let mut wide = Vec::new();
    let mut stop = None;
    for i in 0..count.min(REQUESTS_MAX) {
        match request(requests.wrapping_add(4 * i)) {
            Ok(at) => wide.push(at),
            Err(e) => {
                stop = Some(e);
                break;
            }
        }
    }
    match stop {
        Some(e) if wide.is_empty() => e.as_return(),
        _ => c.host([context, wide.len() as u64, wide.as_ptr() as u64, 0, 0, 0]),
    }
}

/// The request whose address stands at `at`.
fn request(at: u64) -> Result<u64, Errno> {
    let request = u64::from(guest::read::<u32>(at)?);
    match guest::read::<u16>(request + IOCB_COMMAND)? {
        IOCB_CMD_PREADV | IOCB_CMD_PWRITEV => Err(Errno(libc::EINVAL)),
        _ => Ok(request),
    }
}
