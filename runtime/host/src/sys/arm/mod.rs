//! System calls of 32-bit ARM programs (EABI): the table, and what its calls need beyond arm64's. Pointers are addresses below
//! 4 GiB, zero-extended, so that calls without structures are the host's as they stand; the others convert.

mod aio;
mod event;
mod file;
mod ioctl;
mod ipc;
mod layout;
mod process;
mod rows;
mod signals;
mod socket;

pub(super) use rows::ROWS;

use super::table::{Arg, Row};
use crate::access;
use crate::signal;
use crate::thread::Thread;
use abi::GuestState;
use ir::GuestAddr;
use isa::a32::Place;

/// First number that no kernel answers with ENOSYS (`__ARM_NR_BASE` + 0x800).
const PRIVATE_END: i32 = 0xf0800;
const ILL_ILLTRP: i32 = 4;

/// The arguments as the host takes them: what is signed and as wide as a register is extended.
pub fn arguments(row: &Row, state: &GuestState) -> [u64; 6] {
    let mut args = [0; 6];
    for (i, a) in args.iter_mut().enumerate() {
        let word = state.x[i] as u32;
        *a = match row.args.get(i) {
            Some(Arg::Long) => word as i32 as u64,
            _ => word as u64,
        };
    }
    args
}

/// True if the call is one of the old interface, whose number is the immediate of the instruction; then the program gets SIGILL,
/// and its user a reason.
pub fn is_old(t: &mut Thread, s: &mut GuestState) -> bool {
    const OLD: u32 = 0x90_0000;
    let next = Place::from(GuestAddr(s.pc));
    if next.thumb {
        return false;
    }
    let at = next.addr.wrapping_sub(4) as u64;
    let Ok(word) = access::read::<u32>(at) else { return false };
    // Kernels without the old interface ignore the immediate. Its numbers are those from 0x900000 on; code for both interfaces
    // has the number in r7, too.
    if word >> 24 & 0xf != 0xf || word & 0xf0_0000 != OLD || word & 0xf_ffff == s.x[7] as u32 {
        return false;
    }
    crate::trace::line(format_args!(
        "error: system call {:#x} at {at:#x} is of the old ARM interface (OABI), which is not supported; \
         build the program for the EABI",
        word & 0xff_ffff
    ));
    illegal(t, s);
    true
}

/// What a number without a row does: ENOSYS, but SIGILL for those beyond all interfaces. True if it is a signal.
pub fn unknown(t: &mut Thread, s: &mut GuestState, nr: u64) -> bool {
    if (nr as i32) < PRIVATE_END {
        return false;
    }
    illegal(t, s);
    true
}

/// SIGILL whose address is that of the call, and after which the program goes on behind it.
fn illegal(t: &mut Thread, s: &mut GuestState) {
    let at = Place::from(GuestAddr(s.pc)).system_call_before(s.nzcv).addr as u64;
    t.signals.no_restart = true;
    signal::fault(t, s, libc::SIGILL, ILL_ILLTRP, at, signal::FaultInfo::default());
}

#[cfg(test)]
mod tests;
