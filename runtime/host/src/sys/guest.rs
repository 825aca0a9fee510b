//! Guest memory as system calls read and write it: a bad address is EFAULT. Takes guest addresses, gives values; adds
//! to `access` what only system calls need.
//!
//! # Safety
//! Marks the structures of `layout` as plain: integers only, padding named.
#![allow(unsafe_code)]

pub use crate::access::{Plain, copy_from_guest, copy_to_guest, read, read_cstr, write};
use crate::hostcall::Errno;

// SAFETY: see the module's heading.
unsafe impl Plain for super::layout::Stat {}
// SAFETY: as above.
unsafe impl Plain for super::layout::HostStat {}
// SAFETY: as above; libc names its padding.
unsafe impl Plain for libc::statx {}
// SAFETY: as above.
unsafe impl Plain for super::layout::EpollEvent {}
// SAFETY: as above.
unsafe impl Plain for super::layout::SemidDs {}

/// Longest file name, without its NUL.
pub const PATH_MAX: usize = 4095;

/// Writes a value unless the pointer is null.
pub fn write_opt<T: Plain>(at: u64, v: T) -> Result<(), Errno> {
    if at == 0 { Ok(()) } else { write(at, v) }
}

/// Reads a value unless the pointer is null.
pub fn read_opt<T: Plain>(at: u64) -> Result<Option<T>, Errno> {
    if at == 0 { Ok(None) } else { read(at).map(Some) }
}

/// Reads a NULL-terminated vector of pointers of `width` bytes, 4 or 8. Linux takes a missing vector for an empty one.
pub fn read_pointers(at: u64, width: u64) -> Result<Vec<u64>, Errno> {
    /// As many as can fit in the space an exec allows.
    const MOST: u64 = 1 << 20;
    let mut out = Vec::new();
    for i in 0..MOST {
        let here = at.wrapping_add(width * i);
        let pointer = match (at, width) {
            (0, _) => 0,
            (_, 4) => read::<u32>(here)? as u64,
            _ => read::<u64>(here)?,
        };
        match pointer {
            0 => return Ok(out),
            p => out.push(p),
        }
    }
    Err(Errno(libc::E2BIG))
}
