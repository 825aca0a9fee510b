//! Accesses in a run of instructions that is there twice (`float_together`). The form with a look at each result begins at the
//! run's start, also if the other gave up, or faulted, behind some accesses: those are not repeated. Takes the ways from
//! one form to the other, gives each access in the other form.

use crate::function::Fx;
use crate::llvm::{Bb, IPred, V};
use ir::Value;

/// What an access loaded: the value, and its wide form.
type Loaded = Option<(V, Option<V>)>;

/// Ways to the other form.
#[derive(Default)]
pub(crate) struct Ways {
    /// From which block, by which number, behind how many accesses. The number is twice that of the accesses that are done,
    /// and one more to leave at the next.
    ways: Vec<(Bb, V, usize)>,
    /// Accesses that are done.
    done: Vec<Loaded>,
}

/// The other form, being emitted.
pub(crate) struct Again {
    /// The number of the way that led here.
    way: V,
    /// What accesses had loaded on that way.
    loaded: Vec<Loaded>,
    next: u32,
}

impl Fx<'_, '_> {
    /// For a run in which accesses stand.
    pub(crate) fn begin_ways(&mut self) {
        if let Some(t) = &mut self.together {
            t.ways = Some(Ways::default());
        }
        self.renew_way();
    }

    fn renew_way(&mut self) {
        let from = self.way_block(false);
        if let (Some(from), Some(t)) = (from, &mut self.together) {
            t.give_up = from;
        }
    }

    /// A block that leads to the other form from here.
    fn way_block(&mut self, fault: bool) -> Option<Bb> {
        let l = self.l;
        let t = self.together.as_mut()?;
        let ways = t.ways.as_mut()?;
        let (here, from) = (l.current_block(), l.block(self.func, "way"));
        let done = ways.done.len();
        let number = 2 * done as u32 + u32::from(fault);
        l.at_end(from);
        // LLVM must not know the number, or it would keep comparisons with it in registers, and not fold the block away.
        let number = l.asm_call("movl $1, $0", "=r,i", l.int_ty(32), &[l.i32(number)], &[]);
        ways.ways.push((from, number, done));
        l.br(t.each);
        l.at_end(here);
        Some(from)
    }

    /// Where an access goes that faults while a NaN is still to show: to the other form, which comes back to it.
    pub(crate) fn fault_in_run(&mut self) -> Option<Bb> {
        if self.together.as_ref().is_some_and(|t| t.pending) { self.way_block(true) } else { None }
    }

    /// Emits access `i` in the first form.
    pub(crate) fn access_together(&mut self, i: usize, access: impl FnOnce(&mut Self)) {
        access(self);
        let loaded = self.loaded(i);
        if let Some(ways) = self.together.as_mut().and_then(|t| t.ways.as_mut()) {
            ways.done.push(loaded);
            self.fault = None;
            self.renew_way();
        }
    }

    fn loaded(&self, i: usize) -> Loaded {
        self.defined(i).map(|v| (v, self.wide(Value(i as u32))))
    }

    /// Begins the other form: takes what is known on the ways to it.
    pub(crate) fn begin_again(&mut self, ways: Option<Ways>) {
        let l = self.l;
        self.again = ways.map(|Ways { ways, done }| {
            let numbers: Vec<_> = ways.iter().map(|&(from, number, _)| (number, from)).collect();
            let way = l.phi(l.int_ty(32), &numbers);
            let known = |n: usize, v: V| {
                let ty = l.type_of(v);
                let value = |behind: usize| if n < behind { v } else { l.poison(ty) };
                l.phi(ty, &ways.iter().map(|&(from, _, behind)| (value(behind), from)).collect::<Vec<_>>())
            };
            let loaded = done
                .into_iter()
                .enumerate()
                .map(|(n, d)| d.map(|(v, wide)| (known(n, v), wide.map(|w| known(n, w)))))
                .collect();
            Again { way, loaded, next: 0 }
        });
    }

    /// Emits access `i` in the other form: does it, or takes what it loaded, or leaves because it had faulted.
    pub(crate) fn access_again(&mut self, i: usize, access: impl FnOnce(&mut Self)) {
        let l = self.l;
        let Some(again) = &mut self.again else { return access(self) };
        let (way, n) = (again.way, again.next);
        let before = again.loaded[n as usize];
        again.next += 1;
        let fault = self.callbr().then(|| self.fault_block());
        let (here, to_do, go, end) =
            (l.current_block(), l.block(self.func, ""), l.block(self.func, "again"), l.block(self.func, ""));
        let this = l.i32(2 * n + 1);
        l.cond_br(l.icmp(IPred::LLVMIntUGT, way, this), end, to_do);
        l.at_end(to_do);
        match fault {
            Some(fault) => l.cond_br(l.icmp(IPred::LLVMIntEQ, way, this), fault, go),
            None => l.br(go),
        }
        l.at_end(go);
        access(self);
        let from = l.current_block();
        l.br(end);
        l.at_end(end);
        let join = |old: V, new: V| l.phi(l.type_of(old), &[(old, here), (new, from)]);
        match (before, self.loaded(i)) {
            (Some((v, Some(wide))), Some((now, Some(wide_now)))) => {
                let (v, wide) = (join(v, now), join(wide, wide_now));
                self.define_wide(i, v, wide);
            }
            (Some((v, _)), Some((now, _))) => {
                let v = join(v, now);
                self.define(i, v);
            }
            _ => {}
        }
    }
}
