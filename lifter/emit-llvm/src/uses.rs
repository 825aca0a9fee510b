//! How the values of a block are used. Takes a block, gives counts by value. No LLVM.

use ir::{Block, Inst, IntBin, PureOp, Type, Value};

/// How the values that use a value use it; decides in which form a load is made.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Uses {
    /// Number of uses.
    pub(crate) count: u32,
    /// Uses as the operand of a sign-extension to this width.
    pub(crate) sext: u32,
    /// Width of these.
    pub(crate) sext_bits: u32,
    /// Uses as the operand of `VFromScalar`, or of `VSplat` to lanes of 32 or 64 bits.
    pub(crate) vector: u32,
    /// Uses of the lower or the upper 32 bits of 64.
    pub(crate) word: u32,
}

/// The uses of each value of a block.
pub(crate) fn uses(b: &Block) -> Vec<Uses> {
    let mut uses = vec![Uses::default(); b.insts.len()];
    for inst in &b.insts {
        inst.for_each_arg(|v| uses[v.0 as usize].count += 1);
        if let Inst::Pure { op, ty, args } = inst {
            let u = &mut uses[args[0].0 as usize];
            match op {
                PureOp::Sext => {
                    u.sext += 1;
                    u.sext_bits = ty.bits();
                }
                PureOp::VFromScalar => u.vector += 1,
                PureOp::VSplat(lane) if lane.bits() >= 32 => u.vector += 1,
                PureOp::Trunc if *ty == Type::I32 => u.word += 1,
                PureOp::Int(IntBin::Lshr) if is_constant(b, args[1], 32) => u.word += 1,
                _ => {}
            }
        }
    }
    let mut term = b.term.clone();
    term.map_args(|v| {
        uses[v.0 as usize].count += 1;
        v
    });
    uses
}

fn is_constant(b: &Block, v: Value, wanted: u128) -> bool {
    matches!(b.insts[v.0 as usize], Inst::Const { bits, .. } if bits == wanted)
}
