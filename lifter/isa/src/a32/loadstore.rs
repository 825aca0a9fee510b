//! To be filled.

use super::table::Row;

/// Rows of A32.
pub static A32: &[Row] = &[];
/// Rows of T16.
pub static T16: &[Row] = &[];
/// Rows of T32.
pub static T32: &[Row] = &[];
