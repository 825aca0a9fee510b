//! Floating-point instructions of lifted code that are not to be executed: where the code is that asks the evaluator instead.
//! On hosts without FMA3 (before 2013, and small ones until 2020), the fused multiply-adds become jumps there, before
//! lifted code runs. Takes the image's tables.
//!
//! # Safety
//! Writes lifted code, of which nothing runs yet, at places that the output's own table names.
#![allow(unsafe_code)]

use crate::hostcall::{Errno, check, syscall};
use abi::{FloatSite, ImageDesc};

const PAGE: u64 = 4096;
/// `jmp rel32`, as long as the shortest VEX-encoded fused multiply-add.
const JMP: u8 = 0xe9;

fn sites(start: *const FloatSite, end: *const FloatSite) -> &'static [FloatSite] {
    match (end as usize).saturating_sub(start as usize) / size_of::<FloatSite>() {
        0 => &[],
        // SAFETY: the table is the output's constant data.
        n => unsafe { std::slice::from_raw_parts(start, n) },
    }
}

/// The code that leaves the operation of the instruction at a host address to the evaluator. (A search from end to end: it is
/// asked for once or twice in a program's life.)
pub fn soft_way(desc: &ImageDesc, rip: u64) -> Option<u64> {
    let fma = sites(desc.fma_sites, desc.fma_sites_end);
    let others = sites(desc.float_sites, desc.float_sites_end);
    fma.iter().chain(others).map(FloatSite::addresses).find(|&(site, _)| site == rip).map(|(_, soft)| soft)
}

/// Makes the image's lifted code do without FMA3.
pub fn avoid_fma(desc: &ImageDesc) -> Result<(), Errno> {
    let sites = sites(desc.fma_sites, desc.fma_sites_end);
    if sites.is_empty() {
        return Ok(());
    }
    let start = desc.code as u64 & !(PAGE - 1);
    let size = desc.code_end as u64 - start;
    let protect = |prot: i32| check(syscall(libc::SYS_mprotect, [start, size, prot as u64, 0, 0, 0]));
    // Code of the runtime may be in the same pages.
    protect(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC)?;
    for entry in sites {
        let (site, soft) = entry.addresses();
        let [a, b, c, d] = (soft.wrapping_sub(site + 5) as i32).to_le_bytes();
        let jump = [JMP, a, b, c, d];
        // SAFETY: see the module's heading; the instruction has at least these five bytes.
        unsafe { std::ptr::copy_nonoverlapping(jump.as_ptr(), site as *mut u8, jump.len()) };
    }
    protect(libc::PROT_READ | libc::PROT_EXEC).map(|_| ())
}
