//! Symbolic values: hash-consed expressions over IR operations, so that equal expressions are equal numbers, and their
//! concrete evaluation with one unknown filled in. Knows no blocks.

use image::Image;
use ir::eval::{Bits, FpEnv, eval};
use ir::{IntBin, PureOp, Type};
use std::collections::HashMap;

/// An expression in an [`Arena`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct Expr(pub(crate) u32);

/// What an expression is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Node {
    /// Known bits; addresses, too.
    Const(u64),
    /// An IR operation.
    Pure(PureOp, [Expr; 3]),
    /// A memory read. The number tells reads of changing memory apart; 0 for stack slots and constant tables.
    Load(Expr, u32),
    /// Something unknown, by number.
    Unknown(u32),
}

/// Unused operand.
const NONE: Expr = Expr(u32::MAX);

/// The expressions of one function.
#[derive(Default)]
pub(crate) struct Arena {
    nodes: Vec<(Type, Node)>,
    index: HashMap<(Type, Node), Expr>,
    unknowns: u32,
    /// Addresses have 32 bits, AArch32: a sum of something and a small number stays one when an address is added to it, because an
    /// index is as wide as addresses and would not be found otherwise; and sums are computed before they are widened.
    narrow: bool,
}

/// Numbers up to that, of either sign, are distances.
const SMALL: u64 = 4096;

impl Arena {
    /// No expressions; `narrow`: addresses have 32 bits.
    pub(crate) fn new(narrow: bool) -> Arena {
        Arena { narrow, ..Arena::default() }
    }

    /// Type and node of `e`.
    pub(crate) fn get(&self, e: Expr) -> (Type, Node) {
        self.nodes[e.0 as usize]
    }

    /// The constant that `e` is.
    pub(crate) fn as_const(&self, e: Expr) -> Option<u64> {
        match self.get(e).1 {
            Node::Const(c) => Some(c),
            _ => None,
        }
    }

    fn intern(&mut self, ty: Type, node: Node) -> Expr {
        *self.index.entry((ty, node)).or_insert_with(|| {
            self.nodes.push((ty, node));
            Expr(self.nodes.len() as u32 - 1)
        })
    }

    /// A constant.
    pub(crate) fn konst(&mut self, ty: Type, bits: u64) -> Expr {
        self.intern(ty, Node::Const((u128::from(bits) & ty.mask()) as u64))
    }

    /// A value about which nothing is known, equal only to itself.
    pub(crate) fn unknown(&mut self, ty: Type) -> Expr {
        self.unknowns += 1;
        let n = self.unknowns;
        self.intern(ty, Node::Unknown(n))
    }

    /// A memory read.
    pub(crate) fn load(&mut self, ty: Type, addr: Expr, version: u32) -> Expr {
        self.intern(ty, Node::Load(addr, version))
    }

    /// An operation, folded and brought to a normal form as far as recognising equal indices needs.
    pub(crate) fn pure(&mut self, op: PureOp, ty: Type, args: &[Expr]) -> Expr {
        if ty.bits() > 64 || args.iter().any(|&a| self.get(a).0.bits() > 64) || op.uses_fp_env() {
            return self.unknown(ty);
        }
        let consts: Option<Vec<Bits>> =
            args.iter().map(|&a| self.as_const(a).map(|c| Bits::new(self.get(a).0, u128::from(c)))).collect();
        if let Some(c) = consts {
            return match concrete(op, ty, &c) {
                Some(bits) => self.konst(ty, bits),
                None => self.unknown(ty),
            };
        }
        match (op, args) {
            (PureOp::Zext | PureOp::Sext | PureOp::Trunc, &[a]) if self.get(a).0 == ty => return a,
            (PureOp::Trunc, &[a]) => {
                if let (_, Node::Pure(PureOp::Zext | PureOp::Sext, [inner, ..])) = self.get(a) {
                    let from = self.get(inner).0;
                    if from == ty {
                        return inner;
                    }
                    if from.bits() > ty.bits() {
                        return self.pure(PureOp::Trunc, ty, &[inner]);
                    }
                }
            }
            (PureOp::Zext, &[a]) => {
                if let (_, Node::Pure(PureOp::Zext, [inner, ..])) = self.get(a) {
                    return self.pure(PureOp::Zext, ty, &[inner]);
                }
            }
            // Constants to the right; a − c as a + (−c); sums with constants flat.
            (PureOp::Int(IntBin::Add), &[a, b]) => {
                if self.as_const(a).is_some() {
                    return self.pure(op, ty, &[b, a]);
                }
                if let Some(c) = self.as_const(b) {
                    if c == 0 {
                        return a;
                    }
                    if let (true, Type::I64, (_, Node::Pure(PureOp::Zext, [x, ..]))) =
                        (self.narrow, ty, self.get(a))
                        && self.get(x).0 == Type::I32
                    {
                        let c = self.konst(Type::I32, c);
                        let sum = self.pure(op, Type::I32, &[x, c]);
                        return self.pure(PureOp::Zext, ty, &[sum]);
                    }
                    if let (_, Node::Pure(PureOp::Int(IntBin::Add), [x, y, _])) = self.get(a)
                        && let Some(d) = self.as_const(y)
                        && !(self.narrow && !is_small(ty, c) && (is_small(ty, d) || is_far(c, d)))
                    {
                        let sum = self.konst(ty, c.wrapping_add(d));
                        return self.pure(op, ty, &[x, sum]);
                    }
                }
            }
            (PureOp::Int(IntBin::Sub), &[a, b]) => {
                if let Some(c) = self.as_const(b) {
                    let negated = self.konst(ty, c.wrapping_neg());
                    return self.pure(PureOp::Int(IntBin::Add), ty, &[a, negated]);
                }
            }
            (PureOp::Int(IntBin::Shl | IntBin::Lshr | IntBin::Ashr | IntBin::Or | IntBin::Xor), &[a, b])
                if self.as_const(b) == Some(0) =>
            {
                return a;
            }
            _ => {}
        }
        let mut operands = [NONE; 3];
        operands[..args.len()].copy_from_slice(args);
        self.intern(ty, Node::Pure(op, operands))
    }

    /// Calls `f` for each operand of `e`.
    pub(crate) fn operands(&self, e: Expr) -> Vec<Expr> {
        match self.get(e).1 {
            Node::Pure(op, args) => args[..op.arity()].to_vec(),
            Node::Load(addr, _) => vec![addr],
            Node::Const(_) | Node::Unknown(_) => Vec::new(),
        }
    }

    /// All expressions that `e` is made of, itself first, each once; at most `limit`.
    pub(crate) fn tree(&self, e: Expr, limit: usize) -> Vec<Expr> {
        let mut all = vec![e];
        let mut i = 0;
        while i < all.len() && all.len() < limit {
            for o in self.operands(all[i]) {
                if !all.contains(&o) {
                    all.push(o);
                }
            }
            i += 1;
        }
        all
    }

    /// The expressions that `e` is made of in an order in which operands come first; `None` if there are more than
    /// `limit`.
    pub(crate) fn plan(&self, e: Expr, limit: usize) -> Option<Vec<Expr>> {
        let mut all = self.tree(e, limit);
        // Operands are interned before what uses them.
        all.sort();
        (all.len() < limit).then_some(all)
    }

    /// The value of the last expression of `plan` if `hole` has the value `fill`. `memory` gives what loads read;
    /// where they read goes to `reads`. `None` if anything else is unknown.
    pub(crate) fn concrete(
        &self,
        plan: &[Expr],
        hole: Expr,
        fill: u64,
        memory: &dyn Fn(u64, u32) -> Option<u64>,
        reads: &mut Vec<(u64, u32)>,
    ) -> Option<u64> {
        let mut values: Vec<Option<u64>> = Vec::with_capacity(plan.len());
        for &e in plan {
            let value = |o: Expr| plan.binary_search(&o).ok().and_then(|i| values.get(i).copied().flatten());
            let (ty, node) = self.get(e);
            let v = match node {
                _ if e == hole => Some((u128::from(fill) & ty.mask()) as u64),
                Node::Const(c) => Some(c),
                Node::Unknown(_) => None,
                Node::Load(addr, _) => value(addr).and_then(|a| {
                    reads.push((a, ty.bytes()));
                    memory(a, ty.bytes())
                }),
                Node::Pure(op, args) => {
                    let operands: Option<Vec<Bits>> = args[..op.arity()]
                        .iter()
                        .map(|&a| value(a).map(|v| Bits::new(self.get(a).0, u128::from(v))))
                        .collect();
                    operands.and_then(|o| concrete(op, ty, &o))
                }
            };
            values.push(v);
        }
        values.last().copied().flatten()
    }
}

/// True if `d` is no distance from the address `c`: the 32-bit sum is none, as where an index counts from a large number.
fn is_far(c: u64, d: u64) -> bool {
    let upper = |x: u64| x as u32 >> 31 != 0;
    !upper(c) && upper(c.wrapping_add(d))
}

fn is_small(ty: Type, c: u64) -> bool {
    c < SMALL || (u128::from(c.wrapping_neg()) & ty.mask()) < u128::from(SMALL)
}

fn concrete(op: PureOp, ty: Type, args: &[Bits]) -> Option<u64> {
    if op.uses_fp_env() || ty.bits() > 64 {
        return None;
    }
    Some(eval(op, ty, args, &mut FpEnv::default()) as u64)
}

/// Reads `size` bytes of the image at link-time address `addr`, with relocations applied for an image moved by `bias`.
pub(crate) fn image_memory(image: &Image, addr: u64, size: u32, bias: u64) -> Option<u64> {
    if u64::from(size) == image.word_size()
        && let Ok(i) = image.pointers.binary_search_by_key(&addr, |p| p.at)
    {
        return Some(image.pointers[i].target.wrapping_add(bias));
    }
    let mut bytes = [0; 8];
    bytes.get_mut(..size as usize)?.copy_from_slice(image.bytes_at(addr, u64::from(size))?);
    Some(u64::from_le_bytes(bytes))
}
