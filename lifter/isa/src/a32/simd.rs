//! To be filled.

use super::table::Row;

/// Rows.
pub static ROWS: &[Row] = &[];
