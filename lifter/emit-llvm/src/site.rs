//! Instructions that the runtime or a fault may have to go around: assembly, a block that does without it, and a record of both in
//! a table of the output ([`abi::SoftWay`], [`abi::HostSite`]).

use crate::function::Fx;
use crate::llvm::{AsmText, Bb, T, V};
use abi::{HostFeature, symbol};

impl Fx<'_, '_> {
    /// An instruction that can underflow; see [`abi::SoftWay`].
    pub(crate) fn float_site(&self, asm: &AsmText<'_>, ret: T, inputs: &[V], soft: Bb) -> V {
        if self.at_end_of_run() {
            // Without FZ, nothing traps.
            return self.l.asm_call(asm.text, asm.constraints, ret, inputs, asm.mem);
        }
        self.site(symbol::FLOAT_SECTION, "", asm, ret, inputs, soft)
    }

    /// Instructions, together at least five bytes, that only hosts with that feature have: nearly all do, and on others the
    /// runtime puts a jump to `soft` in their place.
    pub(crate) fn host_site(
        &self,
        feature: HostFeature,
        asm: &AsmText<'_>,
        ret: T,
        inputs: &[V],
        soft: Bb,
    ) -> V {
        self.site(symbol::HOST_SECTION, &format!("\n.long {}", feature as u32), asm, ret, inputs, soft)
    }

    /// The assembly, which clobbers nothing, and its record: two distances, and what else belongs to it.
    fn site(&self, section: &str, rest: &str, asm: &AsmText<'_>, ret: T, inputs: &[V], soft: Bb) -> V {
        let l = self.l;
        let AsmText { text, constraints, mem } = *asm;
        let label = constraints.split(',').count();
        let text = format!(
            "1: {text}\n.pushsection {section},\"a\",@progbits\n.long 1b-.\n.long ${{{label}:l}}-.{rest}\n.popsection"
        );
        let asm = AsmText { text: &text, constraints: &format!("{constraints},!i"), mem };
        let next = l.block(self.func, "");
        let r = l.asm_callbr(&asm, ret, inputs, next, soft);
        l.at_end(next);
        r
    }

    /// An operation in instructions that the target may lack: `native` makes its value of what the assembly gives, of type
    /// `ret`; `soft_value` leaves it to the evaluator.
    pub(crate) fn on_host(
        &mut self,
        feature: HostFeature,
        asm: &AsmText<'_>,
        ret: T,
        inputs: &[V],
        native: impl FnOnce(&Self, V) -> V,
        soft_value: impl FnOnce(&mut Self) -> V,
    ) -> V {
        let l = self.l;
        if self.unit.features.has(feature) {
            let r = l.asm_call(asm.text, asm.constraints, ret, inputs, asm.mem);
            return native(self, r);
        }
        let soft = self.soft_block();
        let r = self.host_site(feature, asm, ret, inputs, soft);
        let r = native(self, r);
        if self.together.is_some() {
            return r;
        }
        let (from, end) = (l.current_block(), l.block(self.func, ""));
        l.br(end);
        l.at_end(soft);
        let exact = soft_value(self);
        l.br(end);
        l.at_end(end);
        l.phi(l.type_of(r), &[(r, from), (exact, soft)])
    }
}
