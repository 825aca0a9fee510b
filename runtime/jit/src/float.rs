//! Floating point: native where the result can be looked at, else the evaluator's (docs/decisions/0008).

use crate::emit::Fx;
use cranelift_codegen::ir::Value as V;
use ir::{PureOp, Type, Value};

impl Fx<'_> {
    pub(crate) fn float(&mut self, _op: PureOp, _ty: Type, _args: &[Value]) -> Option<V> {
        None
    }
}
