//! The typed SSA intermediate representation between guest instructions and every engine. It knows no ARM and no LLVM:
//! registers come as a [`RegFile`], addresses as numbers. See `docs/architecture.md` for its place.

mod builder;
mod func;
mod op;
mod types;

pub use builder::Builder;
pub use func::*;
pub use op::*;
pub use types::*;
