//! Engines for code met at run time. Takes the guest state and guest memory (through [`GuestMemory`]), executes guest
//! instructions by interpreting their IR, and says why it stopped. Knows no ELF, no LLVM and no system call: what the
//! guest asks of its kernel is an [`Event`] for the host part.

mod cache;
mod host;
mod interp;
mod memory;
mod registers;
mod shadow;
mod soft;
mod step;

pub use host::apart;
pub use interp::{Event, Interp};

/// Builds what the engines build when they are first used. To be called before there are threads: one that is in the middle
/// of it when another forks would leave the child's never finished.
pub fn prepare(isa: isa::Isa) {
    isa.prepare();
}

pub use memory::{Access, AsCode, Fault, FaultKind, GuestMemory, rmw_value};
pub use shadow::{Difference, Divergence, Shadow, Unequal};
pub use soft::{Flushed, Soft, eval_in, flush_trap, fpsr, inexact_trap, set_fpcr, set_fpsr};
