//! Which vector registers are known to have zeros in their upper part. Takes a function, gives that for each block's
//! start and follows it through a block. A scalar instruction of the host leaves the upper part of its first operand
//! alone, so where that is known to be zero, the guest's rule (scalar results clear it) costs nothing. No LLVM.

use crate::flow::RegSet;
use ir::{BlockId, Function, Inst, PureOp, Reg, Term, Type, VBit, VUn};

/// Registers with zeros above the low 64 bits, and those with zeros above the low 32.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Zeros {
    above64: RegSet,
    above32: RegSet,
}

impl Zeros {
    /// Registers with zeros above some bits, and how many.
    pub(crate) fn known(&self) -> impl Iterator<Item = (Reg, u32)> {
        let zeros = *self;
        self.above64.iter().map(move |r| (r, zeros.bits(r)))
    }

    fn meet(self, other: Zeros) -> Zeros {
        Zeros {
            above64: self.above64.intersection(other.above64),
            above32: self.above32.intersection(other.above32),
        }
    }

    /// How many low bits of the register can differ from zero: 32, 64 or 128.
    fn bits(&self, r: Reg) -> u32 {
        match (self.above32.contains(r), self.above64.contains(r)) {
            (true, _) => 32,
            (_, true) => 64,
            (false, false) => 128,
        }
    }

    fn set(&mut self, r: Reg, bits: u32) {
        let put = |set: &mut RegSet, on: bool| if on { set.insert(r) } else { set.remove(r) };
        put(&mut self.above64, bits <= 64);
        put(&mut self.above32, bits <= 32);
    }

    /// Goes on by one instruction; `widths` has, for each value so far, what [`Zeros::bits`] says of registers, and gets
    /// the next.
    pub(crate) fn step(&mut self, block: &ir::Block, inst: &Inst, widths: &mut Vec<u32>) {
        let width = match inst {
            Inst::Get(r) => self.bits(*r),
            Inst::Const { ty: Type::V128, bits } => match 128 - bits.leading_zeros() {
                0..=32 => 32,
                33..=64 => 64,
                _ => 128,
            },
            Inst::Pure { op: PureOp::VFromScalar, args, .. } => match &block.insts[args[0].0 as usize] {
                // A general register.
                Inst::Get(_) => 64,
                arg => match arg.result(block, |_| Type::V128) {
                    Some(Type::I1 | Type::I8 | Type::I16 | Type::F16 | Type::I32 | Type::F32) => 32,
                    Some(Type::I64 | Type::F64) => 64,
                    Some(Type::I128 | Type::V128) | None => 128,
                },
            },
            Inst::Pure { op, args, .. } => {
                width_of(*op, &args[..op.arity()].iter().map(|v| widths[v.0 as usize]).collect::<Vec<_>>())
            }
            Inst::Set(r, v) => {
                self.set(*r, widths[v.0 as usize]);
                128
            }
            _ => 128,
        };
        widths.push(width);
    }
}

/// How many low bits of a vector operation's result can differ from zero, by those of its operands: lanes of zeros give zeros
/// in what is listed here.
fn width_of(op: PureOp, args: &[u32]) -> u32 {
    let most = || args.iter().copied().max().unwrap_or(128);
    match op {
        PureOp::VLow64 => args[0].min(64),
        PureOp::VNarrow(_) => 64,
        PureOp::V(_, lane) => most().max(lane.bits()),
        PureOp::VShiftImm(_, lane, _) => args[0].max(lane.bits()),
        PureOp::VUn(VUn::Neg | VUn::Abs | VUn::Popcnt | VUn::Rbit, lane) => args[0].max(lane.bits()),
        PureOp::VBit(VBit::And) => args[0].min(args[1]),
        PureOp::VBit(VBit::Or | VBit::Xor) => most(),
        PureOp::VBit(VBit::AndNot) => args[0],
        PureOp::VBitSelect => args[1].max(args[2]),
        PureOp::VShuffle(sel) => {
            // A selected byte is one of the operands', or zero.
            let zero = |i: u8| i >= 32 || args[i as usize / 16] <= i as u32 % 16 * 8;
            let bytes = sel.iter().rposition(|&i| !zero(i)).map_or(0, |n| n as u32 + 1);
            if bytes > 8 { 128 } else { (bytes * 8).next_multiple_of(32).max(32) }
        }
        _ => 128,
    }
}

/// What is known at the start of each block (`depth`: around how many loops), so far as a block of the function reads it. Who comes from outside, or from a
/// call, brings anything; but who resumes in a loop, which hardly ever happens, must bring what is known of its ways in the
/// function, or else is sent away.
pub(crate) fn analyse(f: &Function, depth: &[u32]) -> Vec<Zeros> {
    let mut read = RegSet::default();
    for inst in f.blocks.iter().flat_map(|b| &b.insts) {
        if let Inst::Get(r) = inst {
            read.insert(*r);
        }
    }
    let mut at = vec![Zeros { above64: read, above32: read }; f.blocks.len()];
    let inside = reachable(f);
    for (i, b) in f.blocks.iter().enumerate() {
        if i == 0 || !inside[i] || b.resume && depth[i] == 0 {
            at[i] = Zeros::default();
        }
    }
    let mut work: Vec<usize> = (0..f.blocks.len()).rev().collect();
    while let Some(i) = work.pop() {
        let b = &f.blocks[i];
        let mut end = at[i];
        let mut widths = Vec::with_capacity(b.insts.len());
        for inst in &b.insts {
            end.step(b, inst, &mut widths);
        }
        if matches!(b.term, Term::Call { .. } | Term::Syscall { .. }) {
            end = Zeros::default();
        }
        for s in b.term.successors() {
            let s = s.0 as usize;
            let new = at[s].meet(end);
            if new != at[s] {
                at[s] = new;
                work.push(s);
            }
        }
    }
    at
}

/// Which blocks ways within the function lead to.
fn reachable(f: &Function) -> Vec<bool> {
    let mut inside = vec![false; f.blocks.len()];
    let mut work = vec![BlockId(0)];
    while let Some(b) = work.pop() {
        if !std::mem::replace(&mut inside[b.0 as usize], true) {
            work.extend(f.block(b).term.successors());
        }
    }
    inside
}
