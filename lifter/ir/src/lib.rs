//! The typed SSA intermediate representation between guest instructions and every engine. It knows no ARM and no LLVM:
//! registers come as a [`RegFile`], addresses as numbers. See `docs/architecture.md` for its place.

mod builder;
pub mod eval;
mod func;
mod op;
mod parse;
mod parse_line;
pub mod pass;
mod text;
mod text_names;
mod text_op;
mod types;
mod verify;
mod verify_op;
mod walk;

pub use builder::Builder;
pub use func::*;
pub use op::*;
pub use parse::{parse_function, parse_functions, parse_insts};
pub use parse_line::ParseError;
pub use text::display_insts;
pub use text_op::{TypedOp, parse_soft, soft_text};
pub use types::*;
pub use verify::{VerifyError, value_types, verify, verify_insts};
pub use verify_op::Operand;
pub use walk::Walk;
