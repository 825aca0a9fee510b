//! Soft operations: data operations and effects that lifted code leaves to the runtime. Operands and result go through
//! the guest state; the call keeps all host registers, so that the code around it does not suffer.

use crate::function::Fx;
use crate::llvm::{T, V};
use abi::{GuestState, symbol};
use ir::{PureOp, Type, Value};
use std::mem::offset_of;

impl Fx<'_, '_> {
    fn soft_call(&self, text: &str, args: &[V]) {
        let l = self.l;
        let record = *self.unit.soft.borrow_mut().entry(text.to_string()).or_insert_with(|| {
            let string = l.private_global("soft_text", l.const_cstring(text), true);
            // The second word is the runtime's.
            l.private_global("soft_op", l.const_struct(&[string, l.i64(0)]), false)
        });
        for (n, &arg) in args.iter().enumerate() {
            // Only the bytes of the operand's type mean something.
            l.store(arg, self.field(offset_of!(GuestState, soft_args) + 16 * n));
        }
        l.store(record, self.field(offset_of!(GuestState, soft_op)));
        // Not a call for LLVM, which would free registers for arguments and save what it thinks they destroy, in the prologue
        // of functions that hardly ever come here. (Hence no red zone: see `function::emit`.)
        let text = format!("movq $0, %r11\n\tcall {}", symbol::SOFT_OP);
        let mut constraints = "r,~{r11},~{memory},~{flags}".to_string();
        if self.unit.features.avx512 {
            // These the call does not keep: hardly any output has them.
            (16..32).for_each(|n| constraints += &format!(",~{{xmm{n}}}"));
            (0..8).for_each(|n| constraints += &format!(",~{{k{n}}}"));
        }
        l.asm_call(&text, &constraints, l.void_ty(), &[self.state()], &[]);
    }

    /// A soft operation for its effect.
    pub(crate) fn soft_effect(&self, text: &str, args: &[V]) {
        self.soft_call(text, args);
    }

    /// A soft operation for its result.
    pub(crate) fn soft_value(&self, text: &str, ty: T, args: &[V]) -> V {
        self.soft_call(text, args);
        self.l.load(ty, self.field(offset_of!(GuestState, soft_result)))
    }

    /// A data operation, evaluated by the runtime.
    pub(crate) fn soft_pure(&self, op: PureOp, ty: Type, args: &[Value]) -> V {
        let types: Vec<Type> = args.iter().map(|&a| self.type_of(a)).collect();
        let text = ir::soft_text(op, ty, &types);
        let l = self.l;
        let values: Vec<V> = args
            .iter()
            .map(|&a| {
                let v = self.value(a);
                if self.type_of(a) == Type::I1 { l.zext(v, l.int_ty(8)) } else { v }
            })
            .collect();
        if ty == Type::I1 {
            let v = self.soft_value(&text, l.int_ty(8), &values);
            return l.trunc(v, l.int_ty(1));
        }
        self.soft_value(&text, self.unit.ty(ty), &values)
    }

    /// `native`, or the runtime's evaluation if `bad` (hardly ever).
    pub(crate) fn or_soft(&self, bad: V, native: V, op: PureOp, ty: Type, args: &[Value]) -> V {
        self.guarded(bad, |_| native, op, ty, args)
    }

    /// As `or_soft`, but the native operation is done only if not `bad`.
    pub(crate) fn guarded(
        &self,
        bad: V,
        native: impl FnOnce(&Self) -> V,
        op: PureOp,
        ty: Type,
        args: &[Value],
    ) -> V {
        let l = self.l;
        if self.together.is_some() {
            let fine = l.block(self.func, "");
            l.unlikely_br(bad, self.soft_block(), fine);
            l.at_end(fine);
            return native(self);
        }
        let (soft, fine, end) =
            (l.block(self.func, "soft"), l.block(self.func, "native"), l.block(self.func, ""));
        l.unlikely_br(bad, soft, fine);
        l.at_end(soft);
        let exact = self.soft_pure(op, ty, args);
        l.br(end);
        l.at_end(fine);
        let native = native(self);
        let from = l.current_block();
        l.br(end);
        l.at_end(end);
        l.phi(self.unit.ty(ty), &[(native, from), (exact, soft)])
    }
}
