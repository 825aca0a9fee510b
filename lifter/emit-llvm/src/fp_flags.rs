//! FPSCR's own N, Z, C and V (AArch32): VCMP notes its operands in the state, as integer comparisons do for APSR (see
//! `flags_state`), and flags are made of them when something looks: the runtime, or code that reads FPSCR in another block. The VMRS
//! that takes them to APSR follows in the same block as a rule, where the IR has the values themselves.

use crate::flags::{self, Operand};
use crate::function::Fx;
use crate::llvm::{IPred, V};
use ::flags::{Described, Values};
use abi::{GuestState, flag};
use ir::{Reg, Value};
use std::mem::offset_of;

impl Fx<'_, '_> {
    /// Makes FPSCR's flags those values, as one instruction writes them.
    pub(crate) fn set_fp_flags(&self, values: [Option<Value>; 4]) {
        let description = match values {
            [Some(n), Some(z), Some(c), Some(v)] => {
                let values = Values { block: self.cur, file: self.unit.options.regs };
                match values.describe([n, z, c, v]) {
                    Some(Described::Compare(c)) => self.note_fp_flags(&c),
                    _ => flag::BYTES,
                }
            }
            _ => {
                self.settle_fp_flags();
                flag::BYTES
            }
        };
        if description == flag::BYTES {
            for (n, v) in values.into_iter().enumerate() {
                if let (Some(v), Some(r)) = (v, self.unit.regs.fp_flag_register(n)) {
                    self.unit.store_reg(self.state(), r, self.value(v));
                }
            }
        }
        self.l.store(self.l.i32(description), self.field(offset_of!(GuestState, fp_flag_kind)));
    }

    /// Stores the operands of a comparison; gives its description.
    fn note_fp_flags(&self, c: &flags::Compare) -> u32 {
        let store = |v: Value, at: usize| self.l.store(self.operand_bits(v), self.field(at));
        store(c.a, offset_of!(GuestState, fp_flag_a));
        if let Operand::Value(b) = c.b {
            store(b, offset_of!(GuestState, fp_flag_b));
        }
        c.description()
    }

    /// FPSCR's flag `r` as it is now.
    pub(crate) fn fp_flag(&self, r: Reg) -> V {
        self.settle_fp_flags();
        self.unit.load_reg(self.state(), r)
    }

    fn settle_fp_flags(&self) {
        let l = self.l;
        let kind = l.load(l.int_ty(32), self.field(offset_of!(GuestState, fp_flag_kind)));
        let (settle, settled) = (l.block(self.func, "settle"), l.block(self.func, "settled"));
        l.unlikely_br(l.icmp(IPred::LLVMIntNE, kind, l.i32(flag::BYTES)), settle, settled);
        l.at_end(settle);
        self.soft_effect("settle.fpscr", &[]);
        l.br(settled);
        l.at_end(settled);
    }
}
