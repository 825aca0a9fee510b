//! The operating-system half of the runtime: loads the guest program, dispatches its threads, and is its kernel: address
//! space, signals, system calls. Takes the tables of an output, never names an instruction; what instructions do comes
//! from lifted code and from the engines of `exec`.

// In the order in which a program meets them.
pub mod start;
pub mod loader;
pub mod stack;
pub mod mem;
pub mod image;
pub mod thread;
pub mod dispatch;
pub mod entry;
pub mod soft;
pub mod access;
pub mod memory;
pub mod fault;
pub mod signal;
pub mod hostcall;
pub mod sys;
pub mod trace;
