//! Registers by their place in the guest state. Takes offsets that register files give, reads and writes the bytes
//! there; knows no register's meaning.
//!
//! # Safety
//! Every access is checked to lie within `GuestState`, which is plain integers without padding that matters: any bytes
//! are valid for it.
#![allow(unsafe_code)]

use abi::GuestState;
use ir::Type;

#[inline(always)]
fn place(offset: u32, bytes: u32) -> usize {
    assert!(
        offset as usize + bytes as usize <= size_of::<GuestState>(),
        "invariant: register homes lie in the state"
    );
    offset as usize
}

macro_rules! access {
    ($get:ident, $set:ident, $ty:ty, $bytes:literal) => {
        #[inline(always)]
        pub(crate) fn $get(state: &GuestState, offset: u32) -> $ty {
            let at = place(offset, $bytes);
            // SAFETY: `at` and the bytes behind it lie in the state, by `place`.
            unsafe { (state as *const GuestState).cast::<u8>().add(at).cast::<$ty>().read_unaligned() }
        }

        #[inline(always)]
        pub(crate) fn $set(state: &mut GuestState, offset: u32, value: $ty) {
            let at = place(offset, $bytes);
            // SAFETY: `at` and the bytes behind it lie in the state, by `place`; any bytes are valid there.
            unsafe { (state as *mut GuestState).cast::<u8>().add(at).cast::<$ty>().write_unaligned(value) }
        }
    };
}

access!(get8, set8, u8, 1);
access!(get32, set32, u32, 4);
access!(get64, set64, u64, 8);
access!(get128, set128, u128, 16);

/// A register of any type.
pub(crate) fn get(state: &GuestState, offset: u32, ty: Type) -> u128 {
    match ty.bytes() {
        1 => get8(state, offset) as u128,
        2 => get32(state, offset) as u128 & 0xffff,
        4 => get32(state, offset) as u128,
        8 => get64(state, offset) as u128,
        _ => get128(state, offset),
    }
}

/// Writes a register of any type.
pub(crate) fn set(state: &mut GuestState, offset: u32, ty: Type, value: u128) {
    match ty.bytes() {
        1 => set8(state, offset, value as u8),
        2 => {
            set8(state, offset, value as u8);
            set8(state, offset + 1, (value >> 8) as u8);
        }
        4 => set32(state, offset, value as u32),
        8 => set64(state, offset, value as u64),
        _ => set128(state, offset, value),
    }
}

/// `GuestState::pending`, which a signal handler of the same thread writes at any time.
pub(crate) fn pending(state: &GuestState) -> bool {
    // SAFETY: a reference is valid to read from.
    unsafe { (&raw const state.pending).read_volatile() != 0 }
}
