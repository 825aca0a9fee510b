//! Looks at the floating-point results of a run of instructions (`float_chain`): one for all, or none at those whose NaNs show
//! later. Takes the results one by one, gives up to the code that looks at each if one is a NaN or the smallest normal
//! number. Without FPCR.FZ, the latter concerns only flags, and NaNs only the bits of NaNs, so both can wait; with FZ a
//! run that lets the smallest number wait begins in that code. How that code deals with accesses is in `float_again`.

use crate::float_again::Ways;
use crate::float_chain::{Chain, Way};
use crate::float_result::Look;
use crate::function::Fx;
use crate::llvm::{Bb, FPred, IPred, V};
use ir::FShape;

/// A run being emitted.
pub(crate) struct Together {
    /// The same run with a look at each result.
    pub(crate) each: Bb,
    /// Leads there from here.
    pub(crate) give_up: Bb,
    way: Way,
    /// If accesses stand in the run.
    pub(crate) ways: Option<Ways>,
    /// Some NaN is still to show.
    pub(crate) pending: bool,
    start: usize,
    covered: Vec<bool>,
    /// Results that wait for another of their shape, to be looked at for NaNs, and for the smallest number.
    nan: [Option<V>; 4],
    smallest: [Option<V>; 4],
    /// What was found in vectors so far: any bytes with their top bit set.
    found: Option<V>,
}

/// Which results are looked at in pairs.
fn kind(shape: FShape) -> usize {
    match shape {
        FShape::S => 0,
        FShape::D => 1,
        FShape::V2S | FShape::V4S => 2,
        FShape::V2D => 3,
        FShape::H | FShape::V4H | FShape::V8H | FShape::N2S | FShape::N4S => {
            unreachable!("invariant: computed natively")
        }
    }
}
const SHAPES: [FShape; 4] = [FShape::S, FShape::D, FShape::V4S, FShape::V2D];

impl Fx<'_, '_> {
    /// Where an operation goes that is to be left to the evaluator.
    pub(crate) fn soft_block(&self) -> Bb {
        self.together.as_ref().map_or_else(|| self.l.block(self.func, "soft"), |t| t.give_up)
    }

    /// True in a run that is looked at at its end; there FPCR.FZ is not set.
    pub(crate) fn at_end_of_run(&self) -> bool {
        self.together.as_ref().is_some_and(|t| t.way == Way::AtEnd)
    }

    /// Begins a run, perhaps in another block.
    pub(crate) fn begin_together(&mut self, each: Bb, chain: &Chain) {
        let l = self.l;
        if chain.way == Way::AtEnd {
            let go = l.block(self.func, "");
            l.unlikely_br(self.flushes(), each, go);
            l.at_end(go);
        }
        self.together = Some(Together {
            each,
            give_up: each,
            way: chain.way,
            ways: None,
            pending: false,
            start: chain.range.start,
            covered: chain.covered.clone(),
            nan: [None; 4],
            smallest: [None; 4],
            found: None,
        });
        if chain.accesses {
            self.begin_ways();
        }
    }

    /// True if instruction `i` needs no look at once. Notes that it has to show later.
    pub(crate) fn shows_later(&mut self, i: usize) -> bool {
        let Some(t) = &mut self.together else { return false };
        let covered = t.covered[i - t.start];
        if covered && !t.pending {
            t.pending = true;
            self.fault = None;
        }
        covered
    }

    fn run(&mut self) -> &mut Together {
        self.together.as_mut().expect("invariant: called in a run")
    }

    /// Takes the result of instruction `i`.
    pub(crate) fn look_later(&mut self, i: usize, shape: FShape, look: Look, v: V) {
        let kind = kind(shape);
        let t = self.run();
        if !t.covered[i - t.start] {
            match t.nan[kind].take() {
                None => t.nan[kind] = Some(v),
                Some(other) => self.look_for_nans(kind, other, v),
            }
        }
        let t = self.run();
        if look == Look::NanOrSmallest {
            match t.smallest[kind].take() {
                None => t.smallest[kind] = Some(v),
                Some(other) => self.look_for_smallest(kind, other, Some(v)),
            }
        }
    }

    /// Ends the run: goes on at `end` if nothing was found. Gives the block that does so.
    pub(crate) fn end_together(&mut self, end: Bb) -> (Bb, Option<Ways>) {
        let l = self.l;
        for kind in 0..4 {
            if let Some(v) = self.run().nan[kind].take() {
                self.look_for_nans(kind, v, v);
            }
            if let Some(v) = self.run().smallest[kind].take() {
                self.look_for_smallest(kind, v, None);
            }
        }
        let t = self.together.take().expect("invariant: called in a run");
        let here = l.current_block();
        match t.found {
            None => l.br(end),
            Some(found) => {
                let bytes = l.ivec_ty(8, 16);
                let top = l.icmp(IPred::LLVMIntSLT, l.bitcast(found, bytes), l.zero(bytes));
                l.unlikely_br(self.any_lane(top, 16), t.each, end);
            }
        }
        (here, t.ways)
    }

    fn look_for_nans(&mut self, kind: usize, a: V, b: V) {
        let l = self.l;
        let shape = SHAPES[kind];
        if shape.is_vector() {
            let n = 128 / shape.bits();
            let c = l.fcmp(FPred::LLVMRealUNO, a, b);
            self.note_found(l.sext(c, l.ivec_ty(shape.bits(), n)));
        } else {
            let c = l.fcmp(FPred::LLVMRealUNO, l.extract(a, 0), l.extract(b, 0));
            let next = l.block(self.func, "");
            l.unlikely_br(c, self.run().each, next);
            l.at_end(next);
        }
    }

    /// Looks for the smallest normal number in one or two results. Doubled, which drops the sign, their upper bits are
    /// compared. An odd number stands where nothing is to be found.
    fn look_for_smallest(&mut self, kind: usize, a: V, b: Option<V>) {
        const SINGLE: u32 = 2 * 0x0080_0000;
        const DOUBLE: u32 = 2 * 0x0010_0000;
        let l = self.l;
        let words = l.ivec_ty(32, 4);
        let bits = |v: V| l.bitcast(v, words);
        let (v, wanted) = match (SHAPES[kind], b) {
            (FShape::S, None) => (bits(a), [SINGLE, 1, 1, 1]),
            (FShape::S, Some(b)) => (l.shuffle(bits(a), bits(b), &[0, 4, 1, 5]), [SINGLE, SINGLE, 1, 1]),
            (FShape::D, None) => (bits(a), [1, DOUBLE, 1, 1]),
            (FShape::D, Some(b)) => (l.shuffle(bits(a), bits(b), &[0, 4, 1, 5]), [1, 1, DOUBLE, DOUBLE]),
            (FShape::V2D, None) => (bits(a), [1, DOUBLE, 1, DOUBLE]),
            (FShape::V2D, Some(b)) => (l.shuffle(bits(a), bits(b), &[1, 3, 5, 7]), [DOUBLE; 4]),
            (_, None) => (bits(a), [SINGLE; 4]),
            (_, Some(b)) => {
                // The upper halves of all lanes.
                let halves = l.ivec_ty(16, 8);
                let b = l.lshr(bits(b), l.splat_const(4, l.i32(16)));
                let v = l.shuffle(l.bitcast(b, halves), l.bitcast(a, halves), &[0, 9, 2, 11, 4, 13, 6, 15]);
                let wanted = l.splat_const(8, l.int(l.int_ty(16), u128::from(SINGLE >> 16)));
                let c = l.icmp(IPred::LLVMIntEQ, l.add(v, v), wanted);
                return self.note_found(l.sext(c, halves));
            }
        };
        let wanted = l.const_vec(&wanted.map(|x| l.i32(x)));
        let c = l.icmp(IPred::LLVMIntEQ, l.add(v, v), wanted);
        self.note_found(l.sext(c, words));
    }

    fn note_found(&mut self, mask: V) {
        let mask = self.flat(mask);
        let l = self.l;
        let found = self.run().found;
        self.run().found = Some(found.map_or(mask, |f| l.or(f, mask)));
    }
}
