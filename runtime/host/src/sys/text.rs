//! System calls by which the kernel writes into the guest's memory, where that is guarded text (see `polycode`): opens it
//! before the call, and looks at it after calls that write by other ways. Takes calls, changes nothing of them.

use super::table::Row;
use super::{exec::read_link, guest};
use crate::polycode;
use isa::Isa;

/// What a call may write beyond what its arguments give the size of: structures.
const STRUCTURE: u64 = 4096;
/// Most entries of a vector (UIO_MAXIOV).
const VECTOR_MAX: u64 = 1024;
/// Largest count of bytes of one call (MAX_RW_COUNT).
const COUNT_MAX: u64 = 0x7fff_f000;

fn word(at: u64) -> u64 {
    guest::read(at).unwrap_or(0)
}

/// Guest memory in words as long as a pointer: `Words(4)`, `Words(8)`.
#[derive(Clone, Copy)]
struct Words(u64);

impl Words {
    /// Word `i` from `at` on.
    fn get(self, at: u64, i: u64) -> u64 {
        let at = at.wrapping_add(i * self.0);
        if self.0 == 4 { guest::read::<u32>(at).map_or(0, u64::from) } else { word(at) }
    }

    /// Opens what a vector of address and length describes.
    fn vector(self, at: u64, count: u64) {
        for i in 0..count.min(VECTOR_MAX) {
            polycode::open_for_kernel(self.get(at, 2 * i), self.get(at, 2 * i + 1).min(COUNT_MAX));
        }
    }

    /// Opens what a `struct msghdr` describes.
    fn message(self, at: u64) {
        let get = |i| self.get(at, i);
        polycode::open_for_kernel(get(0), get(1) & 0xffff_ffff);
        self.vector(get(2), get(3));
        polycode::open_for_kernel(get(4), get(5).min(COUNT_MAX));
    }
}

/// To be called before the call while text is guarded.
pub fn before(isa: Isa, row: &Row, args: &[u64; 6]) {
    let words = match isa {
        Isa::A64 => Words(8),
        Isa::A32 => Words(4),
    };
    // Whichever argument is the size: opening more than is written costs a comparison only.
    let size = args.iter().copied().filter(|a| *a <= COUNT_MAX).fold(STRUCTURE, u64::max);
    for &a in args {
        polycode::open_for_kernel(a, size);
    }
    match row.name {
        "readv" | "preadv" | "preadv2" | "vmsplice" | "process_vm_readv" => words.vector(args[1], args[2]),
        "process_vm_writev" => words.vector(args[3], args[4]),
        "recvmsg" => words.message(args[1]),
        // Messages are followed by their length and, where pointers have 8 bytes, padding.
        "recvmmsg" | "recvmmsg_time64" => {
            (0..args[2].min(VECTOR_MAX)).for_each(|i| words.message(args[1].wrapping_add(i * 8 * words.0)))
        }
        // Written when the thread ends, or while it runs.
        "set_tid_address" => polycode::give_up(args[0], 4),
        "set_robust_list" => polycode::give_up(args[0], 24),
        "clone" => polycode::give_up(args[4], 4),
        "clone3" => polycode::give_up(word(args[0].wrapping_add(16)), 4),
        "io_submit" => {
            const IOCB_CMD_PREADV: u64 = 7;
            for i in 0..args[1].min(VECTOR_MAX) {
                let control = words.get(args[2], i);
                let command = word(control.wrapping_add(16)) & 0xffff;
                let (at, n) = (word(control.wrapping_add(24)), word(control.wrapping_add(32)));
                if command != IOCB_CMD_PREADV {
                    polycode::give_up(at, n.min(COUNT_MAX));
                    continue;
                }
                for k in 0..n.min(VECTOR_MAX) {
                    polycode::give_up(words.get(at, 2 * k), words.get(at, 2 * k + 1).min(COUNT_MAX));
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
        "open" | "openat" | "openat2" | "open_by_handle_at" if r >= 0 => {
            let flags = if row.name == "open" { args[1] } else { args[2] };
            let writes = row.name == "openat2" || flags & libc::O_ACCMODE as u64 != 0;
            let is_memory = |p: Vec<u8>| p.starts_with(b"/proc/") && p.ends_with(b"/mem");
            if writes && read_link(format!("/proc/self/fd/{r}").as_bytes()).is_ok_and(is_memory) {
                polycode::note_memory_file();
            }
        }
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "sendfile" | "sendfile64" | "splice"
        | "copy_file_range" | "io_submit" | "io_uring_enter" => polycode::after_file_write(),
        "madvise" | "remap_file_pages" => {
            let start = ((args[0] as i64) << 8 >> 8) as u64;
            polycode::changed(start, args[1]);
            crate::jit::invalidate(start, args[1]);
        }
        _ => {}
    }
}
