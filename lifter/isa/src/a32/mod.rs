//! AArch32: the register file, decoding and lifting of A32, T32 and T16, floating point and Advanced SIMD. Takes bytes at a
//! place, gives IR and control flow; knows neither where the bytes come from nor which engine runs the result.

mod cx;
pub mod decode;
pub mod features;
mod modes;
mod place;
mod regs;
mod run;
mod shift;
mod table;
mod unpredictable;

// Instruction groups.
mod branch;
mod integer;
mod loadstore;
mod simd;

pub use cx::{Cx, Lift, Undefined};
pub use modes::{Modes, ShortVectors};
pub use place::Place;
pub use regs::{FILE, reg};
pub(crate) use run::leaving;
pub use run::{fetch, lift_block, lift_run, lift_run_in};
pub use table::{Feature, Insn, Row, Set, decode, is_wide, rows};
pub use unpredictable::unpredictable;

/// The encoding rows of each group but those of `simd`.
static GROUPS: &[&[Row]] = &[
    integer::data::A32,
    integer::data_thumb::T32,
    integer::media::A32,
    integer::media::T32,
    integer::multiply::A32,
    integer::multiply::T32,
    integer::parallel::A32,
    integer::parallel::T32,
    integer::saturate::A32,
    integer::saturate::T32,
    integer::system::A32,
    integer::system::T32,
    integer::system::BOTH,
    integer::t16::T16,
    branch::A32,
    branch::T16,
    branch::T32,
    loadstore::single::A32,
    loadstore::single::T16,
    loadstore::single::T32,
    loadstore::multiple::A32,
    loadstore::multiple::T16,
    loadstore::multiple::T32,
    loadstore::exclusive::A32,
    loadstore::exclusive::T32,
];

/// True for the T16 word of an IT instruction (with a mask; without one it is a hint).
pub const fn is_it(word: u32) -> bool {
    word >> 8 == 0xbf && word & 15 != 0
}

/// Builds the tables that decoding needs and otherwise builds when it is first asked.
pub fn prepare() {
    let _ = decode(Place { addr: 0, thumb: false, it: 0, passed: false }, 0);
}
