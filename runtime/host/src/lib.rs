//! The operating-system half of the runtime: loads the guest program, dispatches its threads, and is its kernel: address
//! space, signals, system calls. Takes the tables of an output, never names an instruction; what instructions do comes
//! from lifted code and from the engines of `exec`.

// In the order in which a program meets them.
pub mod access;
pub mod code_pages;
pub mod context;
pub mod dispatch;
pub mod entry;
pub mod fault;
pub mod heap;
pub mod hostcall;
pub mod image;
pub mod jit;
pub mod libraries;
pub mod linker;
pub mod loader;
pub mod mem;
pub mod memory;
pub mod polycode;
pub mod profile;
pub mod recall;
pub mod signal;
mod sites;
pub mod soft;
pub mod stack;
pub mod start;
pub mod stats;
pub mod sys;
pub mod sysroot;
pub mod thread;
pub mod trace;
pub mod vectors;
pub mod verify;
