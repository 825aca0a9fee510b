//! Guest accesses without checkpoints, for measuring what checkpoints cost: LLVM's own loads and stores instead of inline
//! assembly. They are volatile, so that LLVM may fold them into other instructions, but neither invents, drops, joins,
//! reorders nor hoists one: a loop that waits for another thread ends, and null is an address like others. (Unordered
//! atomics would allow hoisting, and LLVM makes calls of those that may be misaligned or are of 16 bytes.)

use crate::function::Fx;
use crate::llvm::V;
use ir::Type;

impl Fx<'_, '_> {
    /// Instruction `i` as a load of `ty`, in the shapes that `Fx::load` gives: integers widened with zeros or, for
    /// `sext` bits, with their sign; with `vector` in the low lane of a register that is zero above.
    pub(crate) fn plain_load(&mut self, i: usize, ty: Type, p: V, sext: Option<u32>, vector: bool) {
        let l = self.l;
        let own = self.unit.ty(ty);
        if matches!(ty, Type::V128 | Type::I128) {
            let v = l.load_volatile(own, p);
            self.define(i, v);
        } else if vector || matches!(ty, Type::F32 | Type::F64) {
            let v = l.load_volatile(own, p);
            let full = l.vec_ty(own, 128 / ty.bits());
            let wide = l.bitcast(l.insert(l.zero(full), v, 0), self.unit.ty(Type::V128));
            self.define_wide(i, v, wide);
        } else {
            let v = l.load_volatile(l.int_ty(ty.bits().max(8)), p);
            let wide = match sext {
                Some(bits) => l.zext(l.sext(v, l.int_ty(bits)), l.i64_ty()),
                None => l.zext(v, l.i64_ty()),
            };
            let narrow = l.trunc(v, own);
            self.define_wide(i, narrow, wide);
        }
    }
}
