//! To come.

use super::table::Row;

/// Rows of this group.
pub static ROWS: &[Row] = &[];
