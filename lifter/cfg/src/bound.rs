//! What is known of an index: from the operations that made it (masks, narrow loads, selects) and from the conditional
//! jumps on the way to its use. Takes expressions of a [`Slice`], gives unsigned intervals.

use crate::slice::Slice;
use crate::value::{Expr, Node};
use ir::{IntBin, IntCmp, IntUn, PureOp, Type};
use isa::Exit;

/// A value's range, both as unsigned and as signed number of its type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bound {
    umin: u64,
    umax: u64,
    smin: i64,
    smax: i64,
}

impl Bound {
    fn any(ty: Type) -> Bound {
        let bits = ty.bits().min(64);
        let umax = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
        Bound { umin: 0, umax, smin: i64::MIN >> (64 - bits), smax: i64::MAX >> (64 - bits) }
    }

    fn exact(ty: Type, v: u64) -> Bound {
        let s = signed(ty, v);
        Bound { umin: v, umax: v, smin: s, smax: s }
    }

    pub(crate) fn and(self, o: Bound) -> Bound {
        Bound {
            umin: self.umin.max(o.umin),
            umax: self.umax.min(o.umax),
            smin: self.smin.max(o.smin),
            smax: self.smax.min(o.smax),
        }
    }

    fn or(self, o: Bound) -> Bound {
        Bound {
            umin: self.umin.min(o.umin),
            umax: self.umax.max(o.umax),
            smin: self.smin.min(o.smin),
            smax: self.smax.max(o.smax),
        }
    }

    /// First and last value as unsigned numbers, if there are at most `most` of them.
    pub(crate) fn interval(self, most: u64) -> Option<(u64, u64)> {
        let (mut lo, mut hi) = (self.umin, self.umax);
        if self.smin >= 0 {
            lo = lo.max(self.smin as u64);
            hi = hi.min(self.smax.max(0) as u64);
        }
        (lo <= hi && hi - lo < most).then_some((lo, hi))
    }
}

fn signed(ty: Type, v: u64) -> i64 {
    let shift = 64 - ty.bits().min(64);
    ((v << shift) as i64) >> shift
}

/// How many blocks back conditions are looked for.
const BLOCKS_BACK: usize = 24;

impl Slice<'_> {
    /// What the operations that made `e` say of it.
    pub(crate) fn made(&mut self, e: Expr, depth: u32) -> Bound {
        let (ty, node) = self.arena.get(e);
        let any = Bound::any(ty);
        let upper = |umax: u64| {
            let positive = umax <= any.smax as u64;
            Bound {
                umax: umax.min(any.umax),
                smin: if positive { 0 } else { any.smin },
                smax: if positive { umax as i64 } else { any.smax },
                ..any
            }
        };
        if depth == 0 {
            return any;
        }
        match node {
            Node::Const(c) => Bound::exact(ty, c),
            Node::Unknown(_) | Node::Load(..) => any,
            Node::Pure(op, [a, b, c]) => match op {
                PureOp::Int(IntBin::And) => match (self.arena.as_const(a), self.arena.as_const(b)) {
                    (Some(m), _) | (_, Some(m)) => upper(m),
                    _ => any,
                },
                PureOp::Int(IntBin::UMin) => match (self.arena.as_const(a), self.arena.as_const(b)) {
                    (Some(m), _) | (_, Some(m)) => upper(m),
                    _ => any,
                },
                PureOp::Int(IntBin::Lshr) => match self.arena.as_const(b) {
                    Some(n) if n < 64 => upper(any.umax >> n),
                    _ => any,
                },
                PureOp::Zext => {
                    let from = self.arena.get(a).0;
                    let inner = self.made(a, depth - 1);
                    let (lo, hi) = inner.interval(u64::MAX).unwrap_or((0, Bound::any(from).umax));
                    Bound { umin: lo, ..upper(hi) }
                }
                PureOp::Select => {
                    let yes = self.implied(a, true, b, depth - 1).and(self.made(b, depth - 1));
                    let no = self.implied(a, false, c, depth - 1).and(self.made(c, depth - 1));
                    yes.or(no)
                }
                _ => any,
            },
        }
    }

    /// First and last value, as signed numbers, of `e` if it is computed by additions and subtractions from how many leading
    /// zeros something has.
    pub(crate) fn counted(&self, e: Expr, depth: u32) -> Option<(i64, i64)> {
        let (ty, node) = self.arena.get(e);
        if depth == 0 {
            return None;
        }
        match node {
            Node::Const(c) => Some((signed(ty, c), signed(ty, c))),
            Node::Pure(PureOp::IntUn(IntUn::Clz), _) => Some((0, ty.bits().into())),
            Node::Pure(PureOp::Int(op @ (IntBin::Add | IntBin::Sub)), [a, b, _]) => {
                let (a, b) = (self.counted(a, depth - 1)?, self.counted(b, depth - 1)?);
                match op {
                    IntBin::Add => Some((a.0.checked_add(b.0)?, a.1.checked_add(b.1)?)),
                    _ => Some((a.0.checked_sub(b.1)?, a.1.checked_sub(b.0)?)),
                }
            }
            _ => None,
        }
    }

    /// What the conditional jumps on all ways to `block` say of `e`.
    pub(crate) fn on_paths(&mut self, block: usize, e: Expr) -> Bound {
        self.paths(block, e, &mut vec![block])
    }

    fn paths(&mut self, block: usize, e: Expr, seen: &mut Vec<usize>) -> Bound {
        let any = Bound::any(self.arena.get(e).0);
        let Some(preds) = self.preds(block) else { return any };
        let mut all: Option<Bound> = None;
        for p in preds {
            let lifted = self.blocks[p].clone();
            let here = self.blocks[block].run.pc;
            // Where ways meet, the index may be another value on each.
            let on_edge = self.before_join(block, p, e);
            let mut bound = self.made(on_edge, 8);
            if let Exit::Branch { cond, then, els } = lifted.run.exit
                && then != els
            {
                let cond = self.eval(p, cond);
                bound = bound.and(self.implied(cond, then == here, on_edge, 8));
            }
            if bound.interval(1 << 16).is_none() {
                if seen.contains(&p) {
                    // A loop: what holds on the way in holds on the way round.
                    if on_edge == e {
                        continue;
                    }
                } else if seen.len() < BLOCKS_BACK {
                    seen.push(p);
                    bound = bound.and(self.paths(p, on_edge, seen));
                }
            }
            all = Some(all.map_or(bound, |a| a.or(bound)));
            if all == Some(any) {
                break;
            }
        }
        all.unwrap_or(any)
    }

    /// What `cond` being `truth` says of `e`.
    fn implied(&mut self, cond: Expr, truth: bool, e: Expr, depth: u32) -> Bound {
        let any = Bound::any(self.arena.get(e).0);
        let (_, node) = self.arena.get(cond);
        let Node::Pure(op, [a, b, c]) = node else { return any };
        if depth == 0 {
            return any;
        }
        match op {
            PureOp::IntUn(IntUn::Not) => self.implied(a, !truth, e, depth - 1),
            PureOp::Int(IntBin::And | IntBin::Or) => {
                let (x, y) = (self.implied(a, truth, e, depth - 1), self.implied(b, truth, e, depth - 1));
                if (op == PureOp::Int(IntBin::And)) == truth { x.and(y) } else { x.or(y) }
            }
            PureOp::Select => {
                let yes = self.implied(a, true, e, depth - 1).and(self.implied(b, truth, e, depth - 1));
                let no = self.implied(a, false, e, depth - 1).and(self.implied(c, truth, e, depth - 1));
                match (self.arena.as_const(b), self.arena.as_const(c)) {
                    (Some(k), _) if (k != 0) != truth => no,
                    (_, Some(k)) if (k != 0) != truth => yes,
                    _ => yes.or(no),
                }
            }
            PureOp::Int(IntBin::Xor) => self.signed_less(a, b, truth, e),
            PureOp::Cmp(cmp) => self.compared(cmp, a, b, truth, e),
            _ => any,
        }
    }

    /// N ^ V after a comparison in an earlier block: signed less.
    fn signed_less(&mut self, n: Expr, v: Expr, truth: bool, e: Expr) -> Bound {
        let any = Bound::any(self.arena.get(e).0);
        for v in [n, v] {
            if let (_, Node::Pure(PureOp::Overflow, [x, not_y, carry])) = self.arena.get(v)
                && let (Some(not_y), Some(1)) = (self.arena.as_const(not_y), self.arena.as_const(carry))
            {
                let ty = self.arena.get(x).0;
                let y = self.arena.konst(ty, !not_y);
                return self.compared(IntCmp::Slt, x, y, truth, e);
            }
        }
        any
    }

    fn compared(&mut self, cmp: IntCmp, a: Expr, b: Expr, truth: bool, e: Expr) -> Bound {
        let (ty, node) = self.arena.get(e);
        let any = Bound::any(ty);
        let (a, b, cmp) = if self.arena.as_const(a).is_some() { (b, a, cmp.mirrored()) } else { (a, b, cmp) };
        let Some(k) = self.arena.as_const(b) else { return any };
        let cmp = if truth { cmp } else { cmp.inverse() };
        let compared = self.arena.get(a).1;
        // (e & !low) == 0, e >> n == 0: as compilers test small powers of two.
        if cmp == IntCmp::Eq && k == 0 {
            match compared {
                Node::Pure(PureOp::Int(IntBin::And), [x, m, _]) if x == e => {
                    let low = self.arena.as_const(m).map(|m| !m & any.umax);
                    if let Some(low) = low.filter(|l| l.wrapping_add(1).is_power_of_two()) {
                        return Bound { umax: low, ..any };
                    }
                }
                Node::Pure(PureOp::Int(IntBin::Lshr), [x, n, _]) if x == e => {
                    if let Some(n) = self.arena.as_const(n).filter(|&n| n < 64) {
                        return Bound { umax: (1u64 << n) - 1, ..any };
                    }
                }
                _ => {}
            }
        }
        // AArch32: the index plus a number was compared.
        if let (true, Node::Pure(PureOp::Int(IntBin::Add), [x, d, _])) = (self.is_a32(), compared)
            && x == e
            && let Some(d) = self.arena.as_const(d)
        {
            let limit = match cmp {
                IntCmp::Ult => k.checked_sub(1),
                IntCmp::Ule => Some(k),
                _ => None,
            };
            let first = d.wrapping_neg() & any.umax;
            if let Some(last) = limit.and_then(|l| first.checked_add(l)).filter(|&l| l <= any.umax) {
                return Bound { umin: first, umax: last, ..any };
            }
        }
        // A 64-bit index whose low half was compared is taken to be that half: who compares it so knows it.
        let low_half = matches!(compared, Node::Pure(PureOp::Trunc, [x, ..]) if x == e);
        // And a narrow value compared after extension is compared all the same.
        let extended = matches!(compared, Node::Pure(PureOp::Zext, [x, ..]) if x == e);
        // The other way round: an extension of what was compared.
        let extension = matches!(node, Node::Pure(PureOp::Zext, [x, ..]) if x == a);
        if !(a == e || low_half || extended || extension) {
            return any;
        }
        let s = signed(self.arena.get(a).0, k);
        match cmp {
            IntCmp::Eq => Bound { umin: k, umax: k, ..any },
            // Zero told apart: the first entry of such a table need not exist.
            IntCmp::Ne if k == 0 => Bound { umin: 1, ..any },
            IntCmp::Ne => any,
            IntCmp::Ult => Bound { umax: k.saturating_sub(1), ..any },
            IntCmp::Ule => Bound { umax: k, ..any },
            IntCmp::Ugt => Bound { umin: k.saturating_add(1), ..any },
            IntCmp::Uge => Bound { umin: k, ..any },
            // Signed comparisons say nothing of a zero-extension's sign.
            _ if extension => any,
            IntCmp::Slt => Bound { smax: s.saturating_sub(1), ..any },
            IntCmp::Sle => Bound { smax: s, ..any },
            IntCmp::Sgt => Bound { smin: s.saturating_add(1), ..any },
            IntCmp::Sge => Bound { smin: s, ..any },
        }
    }
}
