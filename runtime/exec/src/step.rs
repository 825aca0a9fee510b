//! IR instructions as compact steps: the frequent ones with their operands and register homes resolved, the others by
//! reference to the instruction. Takes a run's instructions, gives a list that the interpreter's loop walks; the fast
//! integer forms compute what `ir::eval` defines, which a test checks for every operation.

use ir::{CacheOp, Fence, Inst, IntBin, IntCmp, IntUn, Order, PureOp, RegFile, SysReg, Type, Value};

/// One step. Value slots are `u16`: a run with more values is cut shorter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A guest instruction begins.
    Mark(u64),
    /// The same, behind an instruction whose effect on code, or on its meaning, must be seen by this one: the run is left here.
    LeaveMark(u64),
    Const {
        dst: u16,
        bits: u64,
    },
    Get8 {
        dst: u16,
        offset: u32,
    },
    Get64 {
        dst: u16,
        offset: u32,
    },
    Get128 {
        dst: u16,
        offset: u32,
    },
    Set8 {
        src: u16,
        offset: u32,
    },
    Set64 {
        src: u16,
        offset: u32,
    },
    Set128 {
        src: u16,
        offset: u32,
    },
    Bin32 {
        op: IntBin,
        dst: u16,
        a: u16,
        b: u16,
    },
    Bin64 {
        op: IntBin,
        dst: u16,
        a: u16,
        b: u16,
    },
    Not {
        dst: u16,
        a: u16,
        mask: u64,
    },
    Cmp32 {
        op: IntCmp,
        dst: u16,
        a: u16,
        b: u16,
    },
    Cmp64 {
        op: IntCmp,
        dst: u16,
        a: u16,
        b: u16,
    },
    Carry {
        bits: u8,
        dst: u16,
        a: u16,
        b: u16,
        c: u16,
    },
    Overflow {
        bits: u8,
        dst: u16,
        a: u16,
        b: u16,
        c: u16,
    },
    /// One-bit and, or, xor.
    Bit {
        op: IntBin,
        dst: u16,
        a: u16,
        b: u16,
    },
    Select {
        dst: u16,
        c: u16,
        a: u16,
        b: u16,
    },
    /// Same bits: zero-extension, bit cast, scalar into a vector.
    Copy {
        dst: u16,
        a: u16,
    },
    /// Low bits, at most 64.
    Low {
        dst: u16,
        a: u16,
        mask: u64,
    },
    /// Sign-extension to at most 64 bits.
    Sext {
        dst: u16,
        a: u16,
        from: u8,
        to: u8,
    },
    Load {
        dst: u16,
        addr: u16,
        size: u8,
    },
    Store {
        addr: u16,
        src: u16,
        size: u8,
    },
    /// Any instruction, by its index among [`Steps::others`].
    Other(u16),
}

/// An instruction without a step of its own.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) inst: Inst,
    /// The slot of its value.
    pub(crate) dst: u16,
    /// Types of its operands, in the order of [`Inst::map_args`] (anything behind the last).
    pub(crate) types: [Type; 3],
}

/// A run's instructions as the interpreter walks them.
#[derive(Debug)]
pub(crate) struct Steps {
    pub(crate) list: Box<[Step]>,
    pub(crate) others: Box<[Other]>,
    /// Slots for values that they need.
    pub(crate) values: usize,
}

/// The steps of `insts`; `types` are those of its values. `None` if there are too many values.
pub(crate) fn steps(insts: &[Inst], types: &[Type], regs: &RegFile) -> Option<Steps> {
    u16::try_from(insts.len()).ok()?;
    let mut leave = false;
    let mut others = Vec::new();
    let list = insts
        .iter()
        .enumerate()
        .map(|(i, inst)| match inst {
            Inst::Mark(pc) if std::mem::take(&mut leave) => Step::LeaveMark(pc.0),
            _ => {
                leave |= matches!(
                    inst,
                    Inst::Fence(Fence::Instruction)
                        | Inst::Cache { op: CacheOp::InvalidateCode, .. }
                        | Inst::WriteSys(SysReg::Fpcr | SysReg::Endian, _)
                );
                step(i as u16, inst, types, regs).unwrap_or_else(|| {
                    others.push(other(i as u16, inst, types));
                    Step::Other(others.len() as u16 - 1)
                })
            }
        })
        .collect();
    Some(Steps { list, others: others.into(), values: insts.len() })
}

fn other(dst: u16, inst: &Inst, types: &[Type]) -> Other {
    let (mut inst, mut operands, mut n) = (*inst, [Type::I1; 3], 0);
    inst.map_args(|v| {
        operands[n] = types[v.0 as usize];
        n += 1;
        v
    });
    Other { inst, dst, types: operands }
}

/// The step of its own that an instruction has.
fn step(i: u16, inst: &Inst, types: &[Type], regs: &RegFile) -> Option<Step> {
    let slot = |v: Value| v.0 as u16;
    Some(match *inst {
        Inst::Mark(pc) => Step::Mark(pc.0),
        Inst::Const { bits, .. } => match u64::try_from(bits) {
            Ok(bits) => Step::Const { dst: i, bits },
            Err(_) => return None,
        },
        // Code met at run time is lifted at its run-time address.
        Inst::CodeAddr(pc) => Step::Const { dst: i, bits: pc.0 },
        Inst::Get(r) => {
            let (dst, offset) = (i, regs.info(r).offset);
            match regs.info(r).ty {
                Type::I1 | Type::I8 => Step::Get8 { dst, offset },
                Type::I64 | Type::F64 => Step::Get64 { dst, offset },
                Type::V128 | Type::I128 => Step::Get128 { dst, offset },
                Type::I16 | Type::I32 | Type::F16 | Type::F32 => return None,
            }
        }
        Inst::Set(r, v) => {
            let (src, offset) = (slot(v), regs.info(r).offset);
            match regs.info(r).ty {
                Type::I1 | Type::I8 => Step::Set8 { src, offset },
                Type::I64 | Type::F64 => Step::Set64 { src, offset },
                Type::V128 | Type::I128 => Step::Set128 { src, offset },
                Type::I16 | Type::I32 | Type::F16 | Type::F32 => return None,
            }
        }
        Inst::Pure { op, ty, args } => {
            let [a, b, c] = args.map(slot);
            let operand = types[args[0].0 as usize];
            match (op, ty) {
                (PureOp::Int(op), Type::I64) => Step::Bin64 { op, dst: i, a, b },
                (PureOp::Int(op), Type::I32) => Step::Bin32 { op, dst: i, a, b },
                (PureOp::Int(op @ (IntBin::And | IntBin::Or | IntBin::Xor)), Type::I1) => {
                    Step::Bit { op, dst: i, a, b }
                }
                (PureOp::IntUn(IntUn::Not), _) if ty.bits() <= 64 => {
                    Step::Not { dst: i, a, mask: ty.mask() as u64 }
                }
                (PureOp::Cmp(op), _) if operand == Type::I64 => Step::Cmp64 { op, dst: i, a, b },
                (PureOp::Cmp(op), _) if operand == Type::I32 => Step::Cmp32 { op, dst: i, a, b },
                (PureOp::CarryOut, _) if matches!(operand, Type::I32 | Type::I64) => {
                    Step::Carry { bits: operand.bits() as u8, dst: i, a, b, c }
                }
                (PureOp::Overflow, _) if matches!(operand, Type::I32 | Type::I64) => {
                    Step::Overflow { bits: operand.bits() as u8, dst: i, a, b, c }
                }
                (PureOp::Select, _) => Step::Select { dst: i, c: a, a: b, b: c },
                (PureOp::Zext | PureOp::Bitcast | PureOp::VFromScalar, _) => Step::Copy { dst: i, a },
                (PureOp::VLow64, _) => Step::Low { dst: i, a, mask: u64::MAX },
                (PureOp::Trunc | PureOp::VToScalar, _) if ty.bits() <= 64 => {
                    Step::Low { dst: i, a, mask: ty.mask() as u64 }
                }
                (PureOp::Sext, _) if ty.bits() <= 64 => {
                    Step::Sext { dst: i, a, from: operand.bits() as u8, to: ty.bits() as u8 }
                }
                _ => return None,
            }
        }
        Inst::Load { ty, addr, order: Order::Relaxed | Order::Acquire | Order::AcquirePc, align } => {
            match align {
                ir::Align::Any => Step::Load { dst: i, addr: slot(addr), size: ty.bytes() as u8 },
                ir::Align::Natural | ir::Align::To(_) => return None,
            }
        }
        Inst::Store { addr, value, order: Order::Relaxed, align: ir::Align::Any } => {
            Step::Store { addr: slot(addr), src: slot(value), size: types[value.0 as usize].bytes() as u8 }
        }
        Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Rmw { .. }
        | Inst::Cas { .. }
        | Inst::LoadEx { .. }
        | Inst::StoreEx { .. }
        | Inst::ClearEx
        | Inst::Fence(_)
        | Inst::Cache { .. }
        | Inst::ReadSys(_)
        | Inst::WriteSys(..) => return None,
    })
}

macro_rules! integer {
    ($bin:ident, $cmp:ident, $u:ty, $s:ty, $wide:ty, $swide:ty) => {
        #[inline(always)]
        pub(crate) fn $bin(op: IntBin, a: $u, b: $u) -> $u {
            match op {
                IntBin::Add => a.wrapping_add(b),
                IntBin::Sub => a.wrapping_sub(b),
                IntBin::Mul => a.wrapping_mul(b),
                IntBin::UMulHi => ((a as $wide * b as $wide) >> <$u>::BITS) as $u,
                IntBin::SMulHi => ((a as $s as $swide * b as $s as $swide) >> <$u>::BITS) as $u,
                IntBin::UDiv => a.checked_div(b).unwrap_or(0),
                IntBin::SDiv => {
                    if b == 0 {
                        0
                    } else {
                        (a as $s).wrapping_div(b as $s) as $u
                    }
                }
                IntBin::And => a & b,
                IntBin::Or => a | b,
                IntBin::Xor => a ^ b,
                IntBin::Shl if b < <$u>::BITS as $u => a << b,
                IntBin::Lshr if b < <$u>::BITS as $u => a >> b,
                IntBin::Shl | IntBin::Lshr => 0,
                IntBin::Ashr => ((a as $s) >> b.min(<$u>::BITS as $u - 1)) as $u,
                IntBin::Rotr => a.rotate_right((b % <$u>::BITS as $u) as u32),
                IntBin::SMin => (a as $s).min(b as $s) as $u,
                IntBin::SMax => (a as $s).max(b as $s) as $u,
                IntBin::UMin => a.min(b),
                IntBin::UMax => a.max(b),
            }
        }

        #[inline(always)]
        pub(crate) fn $cmp(op: IntCmp, a: $u, b: $u) -> bool {
            match op {
                IntCmp::Eq => a == b,
                IntCmp::Ne => a != b,
                IntCmp::Ult => a < b,
                IntCmp::Ule => a <= b,
                IntCmp::Ugt => a > b,
                IntCmp::Uge => a >= b,
                IntCmp::Slt => (a as $s) < b as $s,
                IntCmp::Sle => a as $s <= b as $s,
                IntCmp::Sgt => a as $s > b as $s,
                IntCmp::Sge => a as $s >= b as $s,
            }
        }
    };
}

integer!(bin32, cmp32, u32, i32, u64, i64);
integer!(bin64, cmp64, u64, i64, u128, i128);

pub(crate) fn bit(op: IntBin, a: u64, b: u64) -> u64 {
    match op {
        IntBin::And => a & b,
        IntBin::Or => a | b,
        _ => a ^ b,
    }
}

/// Carry out of a + b + c in `bits` bits; operands have zero above.
pub(crate) fn carry(bits: u8, a: u64, b: u64, c: u64) -> bool {
    (a as u128 + b as u128 + c as u128) >> bits != 0
}

/// Signed overflow of a + b + c in `bits` bits.
pub(crate) fn overflow(bits: u8, a: u64, b: u64, c: u64) -> bool {
    let sum = a.wrapping_add(b).wrapping_add(c);
    (a ^ sum) & (b ^ sum) & 1 << (bits - 1) != 0
}

/// Sign-extension from bit `from` − 1 to `to` ≤ 64 bits, zero above.
pub(crate) fn sext(from: u8, to: u8, a: u64) -> u64 {
    let wide = ((a << (64 - from)) as i64 >> (64 - from)) as u64;
    wide & u64::MAX >> (64 - to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::eval::{Bits, FpEnv, eval};

    const EDGES: [u64; 14] = [
        0,
        1,
        2,
        31,
        32,
        33,
        63,
        64,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        i64::MAX as u64,
        1 << 63,
        u64::MAX,
    ];

    fn reference(op: PureOp, ty: Type, args: &[(Type, u64)]) -> u64 {
        let args: Vec<Bits> = args.iter().map(|&(ty, v)| Bits::new(ty, v as u128)).collect();
        eval(op, ty, &args, &mut FpEnv::default()) as u64
    }

    /// Calls `f` with operands of both widths, edge cases and their neighbours.
    fn operands(mut f: impl FnMut(Type, u64, u64)) {
        for ty in [Type::I32, Type::I64] {
            for a in EDGES {
                for b in EDGES {
                    let mask = ty.mask() as u64;
                    f(ty, a & mask, b & mask);
                    f(ty, a.wrapping_mul(0x9e37_79b9) & mask, b.wrapping_add(5) & mask);
                }
            }
        }
    }

    #[test]
    fn binary_operations_agree_with_eval() {
        operands(|ty, a, b| {
            for &op in IntBin::ALL {
                let got = match ty {
                    Type::I32 => bin32(op, a as u32, b as u32) as u64,
                    _ => bin64(op, a, b),
                };
                assert_eq!(
                    got,
                    reference(PureOp::Int(op), ty, &[(ty, a), (ty, b)]),
                    "{op:?} {ty} {a:#x} {b:#x}"
                );
            }
        });
        for op in [IntBin::And, IntBin::Or, IntBin::Xor] {
            for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                assert_eq!(
                    bit(op, a, b),
                    reference(PureOp::Int(op), Type::I1, &[(Type::I1, a), (Type::I1, b)])
                );
            }
        }
    }

    #[test]
    fn comparisons_and_carries_agree_with_eval() {
        operands(|ty, a, b| {
            for &op in IntCmp::ALL {
                let got = match ty {
                    Type::I32 => cmp32(op, a as u32, b as u32),
                    _ => cmp64(op, a, b),
                };
                assert_eq!(got as u64, reference(PureOp::Cmp(op), Type::I1, &[(ty, a), (ty, b)]));
            }
            for c in [0, 1] {
                let args = [(ty, a), (ty, b), (Type::I1, c)];
                let bits = ty.bits() as u8;
                assert_eq!(carry(bits, a, b, c) as u64, reference(PureOp::CarryOut, Type::I1, &args));
                assert_eq!(overflow(bits, a, b, c) as u64, reference(PureOp::Overflow, Type::I1, &args));
            }
        });
    }

    #[test]
    fn extensions_agree_with_eval() {
        let ints = [Type::I1, Type::I8, Type::I16, Type::I32, Type::I64];
        for (from, to) in ints.iter().flat_map(|&f| ints.map(|t| (f, t))).filter(|(f, t)| f.bits() < t.bits())
        {
            for a in EDGES.map(|a| a & from.mask() as u64) {
                let got = sext(from.bits() as u8, to.bits() as u8, a);
                assert_eq!(got, reference(PureOp::Sext, to, &[(from, a)]), "{from} {to} {a:#x}");
            }
        }
    }
}
