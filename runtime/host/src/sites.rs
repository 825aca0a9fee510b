//! Instructions of lifted code that are not to be executed: where the code is that asks the evaluator instead. What the host
//! does not have (FMA3, AES-NI, PCLMULQDQ, the SHA extensions) becomes a jump there, before lifted code runs. Takes the
//! image's tables.
//!
//! # Safety
//! Writes lifted code, of which nothing runs yet, at places that the output's own table names.
#![allow(unsafe_code)]

use crate::hostcall::{Errno, check, syscall};
use abi::{HostFeature, HostSite, ImageDesc, SoftWay};

const PAGE: u64 = 4096;
/// `jmp rel32`.
const JMP: u8 = 0xe9;

fn table<T>(start: *const T, end: *const T) -> &'static [T] {
    match (end as usize).saturating_sub(start as usize) / size_of::<T>() {
        0 => &[],
        // SAFETY: the table is the output's constant data.
        n => unsafe { std::slice::from_raw_parts(start, n) },
    }
}

fn host_sites(desc: &ImageDesc) -> &'static [HostSite] {
    table(desc.host_sites, desc.host_sites_end)
}

/// The code that leaves the operation of the instruction at a host address to the evaluator. (A search from end to end: it is
/// asked for once or twice in a program's life.)
pub fn soft_way(desc: &ImageDesc, rip: u64) -> Option<u64> {
    let fused = host_sites(desc).iter().map(|s| &s.way);
    let others = table(desc.float_sites, desc.float_sites_end);
    fused.chain(others).map(SoftWay::addresses).find(|&(site, _)| site == rip).map(|(_, soft)| soft)
}

/// Makes the image's lifted code do without what is not in `features`, a set of [`abi::HostFeature`]s.
pub fn avoid_missing(desc: &ImageDesc, features: u32) -> Result<(), Errno> {
    if HostFeature::ALL.iter().all(|&(f, _)| features & f as u32 != 0) {
        // The table's pages are not even read.
        return Ok(());
    }
    let missing = || host_sites(desc).iter().filter(|s| features & s.feature == 0);
    if missing().next().is_none() {
        return Ok(());
    }
    let start = desc.code as u64 & !(PAGE - 1);
    let size = desc.code_end as u64 - start;
    let protect = |prot: i32| check(syscall(libc::SYS_mprotect, [start, size, prot as u64, 0, 0, 0]));
    // Code of the runtime may be in the same pages.
    protect(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC)?;
    for entry in missing() {
        let (site, soft) = entry.way.addresses();
        let [a, b, c, d] = (soft.wrapping_sub(site + 5) as i32).to_le_bytes();
        let jump = [JMP, a, b, c, d];
        // SAFETY: see the module's heading; the instructions have at least these five bytes.
        unsafe { std::ptr::copy_nonoverlapping(jump.as_ptr(), site as *mut u8, jump.len()) };
    }
    protect(libc::PROT_READ | libc::PROT_EXEC).map(|_| ())
}
