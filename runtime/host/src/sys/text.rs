//! System calls by which the kernel writes into the guest's memory, where that is guarded text (see `polycode`): opens it
//! before the call, and looks at it after calls that write by other ways. Takes calls, changes nothing of them.

use super::table::Row;
use super::{exec::read_link, guest};
use crate::polycode;

/// What a call may write beyond what its arguments give the size of: structures.
const STRUCTURE: u64 = 4096;
/// Most entries of a vector (UIO_MAXIOV).
const VECTOR_MAX: u64 = 1024;
/// Largest count of bytes of one call (MAX_RW_COUNT).
const COUNT_MAX: u64 = 0x7fff_f000;

fn word(at: u64) -> u64 {
    guest::read(at).unwrap_or(0)
}

/// Opens what a vector of address and length describes.
fn vector(at: u64, count: u64) {
    for i in 0..count.min(VECTOR_MAX) {
        let at = at.wrapping_add(i * 16);
        polycode::open_for_kernel(word(at), word(at.wrapping_add(8)).min(COUNT_MAX));
    }
}

/// Opens what a `struct msghdr` describes.
fn message(at: u64) {
    polycode::open_for_kernel(word(at), word(at.wrapping_add(8)) & 0xffff_ffff);
    vector(word(at.wrapping_add(16)), word(at.wrapping_add(24)));
    polycode::open_for_kernel(word(at.wrapping_add(32)), word(at.wrapping_add(40)).min(COUNT_MAX));
}

/// To be called before the call while text is guarded.
pub fn before(row: &Row, args: &[u64; 6]) {
    // Whichever argument is the size: opening more than is written costs a comparison only.
    let size = args.iter().copied().filter(|a| *a <= COUNT_MAX).fold(STRUCTURE, u64::max);
    for &a in args {
        polycode::open_for_kernel(a, size);
    }
    match row.name {
        "readv" | "preadv" | "preadv2" | "vmsplice" | "process_vm_readv" => vector(args[1], args[2]),
        "process_vm_writev" => vector(args[3], args[4]),
        "recvmsg" => message(args[1]),
        "recvmmsg" => (0..args[2].min(VECTOR_MAX)).for_each(|i| message(args[1].wrapping_add(i * 64))),
        // Written when the thread ends, or while it runs.
        "set_tid_address" => polycode::give_up(args[0], 4),
        "set_robust_list" => polycode::give_up(args[0], 24),
        "clone" => polycode::give_up(args[4], 4),
        "clone3" => polycode::give_up(word(args[0].wrapping_add(16)), 4),
        "io_submit" => {
            const IOCB_CMD_PREADV: u64 = 7;
            for i in 0..args[1].min(VECTOR_MAX) {
                let control = word(args[2].wrapping_add(i * 8));
                let command = word(control.wrapping_add(16)) & 0xffff;
                let (at, n) = (word(control.wrapping_add(24)), word(control.wrapping_add(32)));
                if command != IOCB_CMD_PREADV {
                    polycode::give_up(at, n.min(COUNT_MAX));
                    continue;
                }
                for k in 0..n.min(VECTOR_MAX) {
                    let at = at.wrapping_add(k * 16);
                    polycode::give_up(word(at), word(at.wrapping_add(8)).min(COUNT_MAX));
                }
            }
        }
        // Requests stand in memory that is shared with the kernel.
        "io_uring_setup" => polycode::give_up(0, u64::MAX),
        _ => {}
    }
}

/// To be called after the call, whose result is `r`.
pub fn after(row: &Row, args: &[u64; 6], r: i64) {
    match row.name {
        "openat" | "openat2" | "open_by_handle_at" if r >= 0 => {
            let writes = row.name == "openat2" || args[2] & libc::O_ACCMODE as u64 != 0;
            let is_memory = |p: Vec<u8>| p.starts_with(b"/proc/") && p.ends_with(b"/mem");
            if writes && read_link(format!("/proc/self/fd/{r}").as_bytes()).is_ok_and(is_memory) {
                polycode::note_memory_file();
            }
        }
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "sendfile" | "splice"
        | "copy_file_range" | "io_submit" | "io_uring_enter" => polycode::after_file_write(),
        "madvise" | "remap_file_pages" => {
            let start = ((args[0] as i64) << 8 >> 8) as u64;
            polycode::changed(start, args[1]);
            crate::jit::invalidate(start, args[1]);
        }
        _ => {}
    }
}
