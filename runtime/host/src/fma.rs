//! Hosts without FMA3 (before 2013, and small ones until 2020): the fused multiply-adds of lifted code become jumps to the
//! code that asks the evaluator. Takes the image's list of them; runs before lifted code does.
//!
//! # Safety
//! Writes lifted code, of which nothing runs yet, at places that the output's own table names.
#![allow(unsafe_code)]

use crate::hostcall::{Errno, check, syscall};
use abi::{FmaSite, ImageDesc};

const PAGE: u64 = 4096;
/// `jmp rel32`, as long as the shortest VEX-encoded fused multiply-add.
const JMP: u8 = 0xe9;

/// Makes the image's lifted code do without FMA3.
pub fn avoid(desc: &ImageDesc) -> Result<(), Errno> {
    let count = (desc.fma_sites_end as usize).saturating_sub(desc.fma_sites as usize) / size_of::<FmaSite>();
    if count == 0 {
        return Ok(());
    }
    let start = desc.code as u64 & !(PAGE - 1);
    let size = desc.code_end as u64 - start;
    let protect = |prot: i32| check(syscall(libc::SYS_mprotect, [start, size, prot as u64, 0, 0, 0]));
    // Code of the runtime may be in the same pages.
    protect(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC)?;
    // SAFETY: the table is the output's constant data.
    for entry in unsafe { std::slice::from_raw_parts(desc.fma_sites, count) } {
        let site = (&raw const entry.site as u64).wrapping_add_signed(entry.site as i64);
        let soft = (&raw const entry.soft as u64).wrapping_add_signed(entry.soft as i64);
        let [a, b, c, d] = (soft.wrapping_sub(site + 5) as i32).to_le_bytes();
        let jump = [JMP, a, b, c, d];
        // SAFETY: see the module's heading; the instruction has at least these five bytes.
        unsafe { std::ptr::copy_nonoverlapping(jump.as_ptr(), site as *mut u8, jump.len()) };
    }
    protect(libc::PROT_READ | libc::PROT_EXEC).map(|_| ())
}
