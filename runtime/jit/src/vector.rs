//! Integer vectors. What has no short host code goes to the evaluator.

use crate::emit::Fx;
use cranelift_codegen::ir::Value as V;
use ir::{PureOp, Value};

impl Fx<'_> {
    pub(crate) fn vector(&mut self, _op: PureOp, _args: &[Value]) -> Option<V> {
        None
    }
}
