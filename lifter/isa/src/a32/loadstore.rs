//! Loads and stores (Arm ARM F3.1, F4.1): single registers and pairs, multiples, exclusives and ordered accesses. All
//! accesses of an instruction come before its first register write, so that a fault finds the state before it.
//!
//! Alignment is as under Linux, which completes what the hardware does not: plain loads and stores, multiples and pairs may
//! be anywhere; exclusives, ordered accesses and swaps must be aligned.

pub mod exclusive;
pub mod multiple;
pub mod single;
