//! Takes lifted functions out of the output and puts them back: their dispatch and resume entries, and the first bytes of
//! their host code, which become a call to code that leaves to the dispatcher.
//!
//! Another thread may stand between the first bytes only if an instruction ends there: all functions that call or can be
//! resumed begin with a longer one. Of others the first byte alone becomes a trap, which the handler makes the same call of, while
//! there are other threads. The first to meet it when no other is in lifted code puts the call there.
//!
//! # Safety
//! Frames of these functions are dropped by whoever asks.
#![allow(unsafe_code)]

use crate::hostcall::{check, syscall};
use crate::image::Loaded;
use crate::mem::{PAGE, page_down};
use crate::recall;
use crate::trace::{self, Topic};
use abi::{Exit, GuestState, LibraryDesc};
use std::arch::global_asm;
use std::mem::offset_of;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

// A lifted function's slot 0, the state, is rax; all other registers are the guest's.
global_asm!(
    ".globl xl_host_stale",
    ".hidden xl_host_stale",
    ".p2align 4",
    "xl_host_stale:",
    "pop qword ptr [rax + {place}]",
    "mov dword ptr [rax + {exit}], {stale}",
    "jmp qword ptr [rip + {leave}]",
    place = const offset_of!(GuestState, soft_op),
    exit = const offset_of!(GuestState, exit),
    stale = const Exit::Stale as u32,
    leave = sym LEAVE,
);

unsafe extern "C" {
    fn xl_host_stale();
}

/// `xl_leave` of the output.
static LEAVE: AtomicU64 = AtomicU64::new(0);

/// The host does not let code be changed: lifted code cannot be used any more.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// `call rel32`.
const CALL: u8 = 0xe8;
const CALL_LEN: usize = 5;
/// `int3`.
const TRAP: u8 = 0xcc;
/// How functions begin that look at their stack: `cmp rsp, [rax + disp32]`.
const LOOK: [u8; 3] = [0x48, 0x3b, 0xa0];

/// Host and guest entries of all functions, by host address.
static ENTRIES: OnceLock<Vec<(u64, u64)>> = OnceLock::new();

/// What stood where a function was taken out.
pub(super) struct Saved {
    code: [u8; CALL_LEN],
    dispatch: i32,
    /// Index of the resume entry and its content.
    resume: Vec<(usize, i32)>,
}

/// True if lifted code must not be entered, because functions could not be taken out.
pub fn refused() -> bool {
    REFUSED.load(Ordering::Acquire)
}

/// The guest address of the function whose entry made the call that returns to a host address.
pub fn guest_entry(back: u64) -> u64 {
    let host = back - CALL_LEN as u64;
    let entries = ENTRIES.get().map_or(&[][..], Vec::as_slice);
    match entries.binary_search_by_key(&host, |e| e.0) {
        Ok(i) => entries[i].1,
        Err(_) => {
            trace::die(format_args!("internal error: no function at host {host:#x}; this is a bug in xlate"))
        }
    }
}

/// For the signal handler of a trap behind which rip is: where execution goes on, with the return address given pushed, if that is the
/// entry of a function that was taken out. Async-signal-safe.
pub fn trapped(rip: u64) -> Option<(u64, u64)> {
    let host = rip - 1;
    let entries = ENTRIES.get()?;
    entries.binary_search_by_key(&host, |e| e.0).ok()?;
    Some((xl_host_stale as *const () as u64, host + CALL_LEN as u64))
}

fn host_entry(image: &Loaded, function: usize) -> u64 {
    let f = &image.functions()[function];
    (&raw const f.host as u64).wrapping_add_signed(f.host as i64)
}

/// Memory of the output that is written meanwhile.
struct Writable {
    start: u64,
    len: u64,
    after: i32,
}

impl Writable {
    /// The pages of these addresses, each of so many bytes, and those between.
    fn new(addresses: impl Iterator<Item = u64>, size: u64, code: bool) -> Option<Writable> {
        let (lo, hi) = addresses.fold((u64::MAX, 0), |(lo, hi), a| (lo.min(a), hi.max(a + size)));
        if lo >= hi {
            return Some(Writable { start: 0, len: 0, after: 0 });
        }
        let start = page_down(lo);
        let w = Writable {
            start,
            len: (hi - start).next_multiple_of(PAGE),
            after: libc::PROT_READ | if code { libc::PROT_EXEC } else { 0 },
        };
        w.protect(w.after | libc::PROT_WRITE).then_some(w)
    }

    fn protect(&self, prot: i32) -> bool {
        check(syscall(libc::SYS_mprotect, [self.start, self.len, prot as u64, 0, 0, 0])).is_ok()
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        if self.len != 0 {
            self.protect(self.after);
        }
    }
}

/// What is to be written, or is, for a set of functions.
fn writable(image: &Loaded, functions: &[u32], resume: &[Vec<usize>]) -> Option<[Writable; 3]> {
    let functions = || functions.iter().map(|f| *f as usize);
    let points = image.resume_points();
    Some([
        Writable::new(
            functions().map(|f| image.dispatch(image.functions()[f].guest).as_ptr() as u64),
            4,
            false,
        )?,
        Writable::new(
            resume.iter().flatten().map(|&i| Loaded::resume_function(&points[i]).as_ptr() as u64),
            4,
            false,
        )?,
        Writable::new(functions().map(|f| host_entry(image, f)), CALL_LEN as u64, true)?,
    ])
}

/// The resume points of a function.
fn resume_points(image: &Loaded, f: usize) -> Vec<usize> {
    let points = image.resume_points();
    let host = host_entry(image, f);
    let mut found = Vec::new();
    for r in image.code_of(f) {
        let first = points.partition_point(|p| p.guest < r.start);
        let inside = points[first..].iter().take_while(|p| p.guest < r.start + r.len);
        for (i, p) in inside.enumerate() {
            let function = Loaded::resume_function(p);
            let to = (function.as_ptr() as u64).wrapping_add_signed(function.load(Ordering::Relaxed) as i64);
            if to == host {
                found.push(first + i);
            }
        }
    }
    found
}

fn write_code(host: u64, bytes: [u8; CALL_LEN]) {
    // SAFETY: see the module's heading; functions are aligned to 16 bytes, so that these are the function's own or padding.
    // In one store: who calls the function meanwhile executes what was there or what is there.
    unsafe {
        let word = AtomicU64::from_ptr(host as *mut u64);
        let mut all = word.load(Ordering::Relaxed).to_le_bytes();
        all[..CALL_LEN].copy_from_slice(&bytes);
        word.store(u64::from_le_bytes(all), Ordering::Release);
    }
}

/// The call of `xl_host_stale` at that address.
fn stale_call(host: u64) -> [u8; CALL_LEN] {
    let distance = (xl_host_stale as *const () as u64).wrapping_sub(host + CALL_LEN as u64) as i32;
    let [a, b, c, d] = distance.to_le_bytes();
    [CALL, a, b, c, d]
}

/// True if a trap stands where the call would that returns to a host address, which is the entry of a function.
pub(super) fn is_trap(back: u64) -> bool {
    // SAFETY: the first byte of a function.
    unsafe { ((back - CALL_LEN as u64) as *const u8).read_volatile() == TRAP }
}

/// Makes the call of such a trap, if no thread can stand behind it: who stands there was in lifted code before the trap was made.
/// What lifted code calls of the runtime returns behind five bytes at least. Nothing is removed or restored meanwhile.
pub(super) fn make_call(back: u64) {
    let host = back - CALL_LEN as u64;
    if !is_trap(back) || !recall::nobody_in_lifted() {
        return;
    }
    if let Some(_writable) = Writable::new(std::iter::once(host), CALL_LEN as u64, true) {
        write_code(host, stale_call(host));
        crate::trace!(Topic::Dispatch, "the trap at host {host:#x} becomes a call");
    }
}

/// Takes the functions out; gives what stood there.
pub(super) fn remove(image: &Loaded, functions: &[u32]) -> Vec<Saved> {
    ENTRIES.get_or_init(|| {
        let guest = |i: usize| image.text().start + image.functions()[i].guest as u64;
        let mut all: Vec<(u64, u64)> =
            (0..image.functions().len()).map(|i| (host_entry(image, i), guest(i))).collect();
        all.sort_unstable();
        all
    });
    LEAVE.store(image.desc.leave as u64, Ordering::Release);
    let resume: Vec<Vec<usize>> = functions.iter().map(|&f| resume_points(image, f as usize)).collect();
    let writable = writable(image, functions, &resume);
    if writable.is_none() && !REFUSED.swap(true, Ordering::AcqRel) {
        crate::trace!(Topic::Dispatch, "the system forbids changing code: interpreting from now on");
    }
    let points = image.resume_points();
    let take = |f: usize, resume: Vec<usize>| {
        let host = host_entry(image, f);
        let mut code = [0; CALL_LEN];
        // SAFETY: the function's first bytes.
        unsafe { std::ptr::copy_nonoverlapping(host as *const u8, code.as_mut_ptr(), CALL_LEN) };
        if writable.is_none() {
            return Saved { code, dispatch: 0, resume: Vec::new() };
        }
        let entry = image.dispatch(image.functions()[f].guest);
        let dispatch = entry.swap(0, Ordering::AcqRel);
        let clear = |i: usize| (i, Loaded::resume_function(&points[i]).swap(0, Ordering::AcqRel));
        let resume = resume.into_iter().map(clear).collect();
        let stands = !recall::alone() && code[..LOOK.len()] != LOOK;
        write_code(host, if stands { [TRAP, code[1], code[2], code[3], code[4]] } else { stale_call(host) });
        Saved { code, dispatch, resume }
    };
    functions.iter().zip(resume).map(|(&f, points)| take(f as usize, points)).collect()
}

/// Puts the functions of a library into the dispatch table. False if the system forbids changing it.
pub fn put_in(image: &Loaded, l: &LibraryDesc) -> bool {
    let functions = l.first_function as usize..(l.first_function + l.function_count) as usize;
    let entry = |f: usize| image.dispatch(image.functions()[f].guest);
    let Some(_writable) = Writable::new(functions.clone().map(|f| entry(f).as_ptr() as u64), 4, false) else {
        return false;
    };
    for f in functions {
        let distance = host_entry(image, f).wrapping_sub(image.desc.dispatch as u64);
        entry(f).store(distance as i32, Ordering::Release);
    }
    true
}

/// Puts functions back.
pub(super) fn restore(image: &Loaded, saved: &[(u32, Saved)]) {
    let functions: Vec<u32> = saved.iter().map(|s| s.0).collect();
    let resume: Vec<Vec<usize>> = saved.iter().map(|s| s.1.resume.iter().map(|r| r.0).collect()).collect();
    let Some(_writable) = writable(image, &functions, &resume).filter(|_| !refused()) else {
        REFUSED.store(true, Ordering::Release);
        return;
    };
    let points = image.resume_points();
    for (f, s) in saved {
        write_code(host_entry(image, *f as usize), s.code);
        for &(i, function) in &s.resume {
            Loaded::resume_function(&points[i]).store(function, Ordering::Release);
        }
        image.dispatch(image.functions()[*f as usize].guest).store(s.dispatch, Ordering::Release);
    }
}
