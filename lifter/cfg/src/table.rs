//! Jump tables: what an indirect jump's target depends on, over which indices it ranges, and where that leads. The
//! target is evaluated for every index with the image's bytes as memory, so that any shape of table (offsets of any
//! width, relative to anything, scaled or not, absolute, none at all) is recovered by one rule.

use crate::slice::Slice;
use crate::text::Text;
use crate::value::{Expr, Node};
use image::Range;
use ir::Value;

/// Indices beyond that are no table.
const MAX_ENTRIES: u64 = 1 << 14;

/// Entries that a table without a bound may have.
const MAX_INFERRED: u64 = 1024;

/// Entries that prove a table in a function whose range is not known, or without a table.
const MANY: usize = 12;

/// Expressions larger than that are no address computation.
const MAX_TREE: usize = 96;

/// What an indirect jump turned out to be.
pub(crate) enum Jump {
    /// A table (or a constant): where it leads, sorted; where the table stands.
    Targets(Vec<u64>, Vec<Range>),
    /// Through a table of addresses outside the function: a tail call.
    Functions(Vec<u64>),
    /// Looks like a table, but its bounds or entries are not what they should be.
    Unresolved,
    /// Through a pointer that comes from elsewhere: a tail call, as far as is known.
    Pointer,
}

/// What limits tables of a function.
pub(crate) struct Scope<'a> {
    /// The text.
    pub(crate) text: &'a Text<'a>,
    /// The function's range.
    pub(crate) own: Range,
    /// True if that range comes from a symbol or an unwind table.
    pub(crate) sure: bool,
}

/// Explains the indirect jump to `target` at the end of `block`.
pub(crate) fn explain(slice: &mut Slice<'_>, scope: &Scope<'_>, block: usize, target: Value) -> Jump {
    let target = slice.eval(block, target);
    if let Some(t) = slice.address(target) {
        return match scope.text.kind(t).is_code() {
            true => Jump::Targets(vec![t], Vec::new()),
            false => Jump::Unresolved,
        };
    }
    let Some(plan) = slice.arena.plan(target, MAX_TREE) else { return Jump::Pointer };
    let tables = table_loads(slice, scope, &plan);
    if tables.is_empty() && !has_code_base(slice, scope, &plan) {
        return Jump::Pointer;
    }
    // Outermost first: an index may itself be loaded from a table, whether that is part of the jump's or not.
    let mut levels: Vec<Vec<Expr>> = Vec::new();
    let roots = tables.iter().rev().copied().chain(tables.is_empty().then_some(target));
    for root in roots {
        let mut inner = slice.arena.tree(root, MAX_TREE).split_off(1);
        inner.retain(|&c| slice.arena.as_const(c).is_none());
        if let Some(outer) = levels.last_mut() {
            outer.retain(|c| !inner.contains(c));
        }
        levels.push(inner);
    }
    let mut guarded = Vec::new();
    let mut made = Vec::new();
    for level in &levels {
        let mut bounded = Vec::new();
        made.clear();
        for &c in level {
            let from_operations = slice.made(c, 8);
            let both = slice.on_paths(block, c).and(from_operations);
            if let Some(i) = both.interval(MAX_ENTRIES) {
                if from_operations.interval(MAX_ENTRIES) == Some(i) {
                    made.push((c, i))
                } else {
                    bounded.push((c, i))
                }
            }
        }
        // Tightest first: an index has more than one bounded part when it was widened or shifted on the way.
        bounded.sort_by_key(|(_, (lo, hi))| hi - lo);
        guarded.append(&mut bounded);
    }
    for (hole, (lo, hi)) in guarded.into_iter().chain(made) {
        if let Some(j) = enumerate(slice, scope, &plan, hole, lo, hi, tables.is_empty()) {
            return j;
        }
    }
    let found = match tables.is_empty() {
        true => steps(slice, scope, &plan, &levels[0]),
        false => tables.iter().find_map(|&load| infer(slice, scope, &plan, load)),
    };
    found.unwrap_or(Jump::Unresolved)
}

/// Loads from constant address + something unknown, innermost first.
fn table_loads(slice: &Slice<'_>, scope: &Scope<'_>, plan: &[Expr]) -> Vec<Expr> {
    let is_table = |e: Expr| {
        let (_, Node::Load(addr, _)) = slice.arena.get(e) else { return false };
        let addr = widened(slice, addr);
        let (_, Node::Pure(ir::PureOp::Int(ir::IntBin::Add), [a, b, _])) = slice.arena.get(addr) else {
            return false;
        };
        [a, b].iter().any(|&x| {
            slice.address(x).is_some_and(|c| {
                // Tables whose first index is not 0 have a base before them.
                scope.text.image.segment_at(c).is_some()
            })
        })
    };
    plan.iter().copied().filter(|&e| is_table(e)).collect()
}

/// What `e` is a zero-extension of, or itself: AArch32 computes addresses in 32 bits.
fn widened(slice: &Slice<'_>, e: Expr) -> Expr {
    match slice.arena.get(e) {
        (ir::Type::I64, Node::Pure(ir::PureOp::Zext, [x, ..])) => x,
        _ => e,
    }
}

/// True if the target is what the table holds, not computed from it.
fn is_absolute(slice: &Slice<'_>, scope: &Scope<'_>, plan: &[Expr], reads: &[(u64, u32)]) -> bool {
    match scope.text.image.isa {
        isa::Isa::A64 => reads.iter().any(|r| r.1 == 8),
        isa::Isa::A32 => plan
            .last()
            .is_some_and(|&target| matches!(slice.arena.get(widened(slice, target)).1, Node::Load(..))),
    }
}

fn has_code_base(slice: &Slice<'_>, scope: &Scope<'_>, plan: &[Expr]) -> bool {
    // AArch32 adds indices to PC, wherever these come from.
    plan.iter().any(|&e| {
        slice.address(e).is_some_and(|c| {
            scope.text.places(scope.text.bytes(c)).iter().any(|&p| scope.text.kind(p).is_code())
        })
    }) && (slice.is_a32()
        || !plan.iter().any(|&e| matches!(slice.arena.get(e).1, Node::Load(_, n) if n != 0)))
}

fn enumerate(
    slice: &Slice<'_>,
    scope: &Scope<'_>,
    plan: &[Expr],
    hole: Expr,
    lo: u64,
    hi: u64,
    computed: bool,
) -> Option<Jump> {
    let image = scope.text.image;
    let mut reads = Vec::new();
    let mut targets = Vec::new();
    // A masked index has none of the other bits.
    let mask = match slice.arena.get(hole).1 {
        Node::Pure(ir::PureOp::Int(ir::IntBin::And), [a, b, _]) => {
            slice.arena.as_const(a).or(slice.arena.as_const(b)).unwrap_or(u64::MAX)
        }
        _ => u64::MAX,
    };
    for i in (lo..=hi).filter(|i| i & !mask == 0) {
        let t = slice.target(image, plan, hole, i, &mut reads)?;
        if !scope.text.kind(t).is_code() {
            return None;
        }
        targets.push(t);
    }
    targets.sort_unstable();
    targets.dedup();
    let absolute = is_absolute(slice, scope, plan, &reads);
    let outside = targets.iter().filter(|&&t| !scope.own.contains(t)).count();
    if outside > 0 && (scope.sure || absolute || computed) {
        // Offsets never lead to other functions.
        return absolute.then_some(Jump::Functions(targets));
    }
    Some(Jump::Targets(targets, ranges(reads)))
}

/// A table without a known bound: goes on while entries lead into the function, and no further than the code that they
/// lead to. A table of other functions' addresses makes the jump a tail call.
fn infer(slice: &Slice<'_>, scope: &Scope<'_>, plan: &[Expr], load: Expr) -> Option<Jump> {
    let image = scope.text.image;
    let hole = index_of(slice, load)?;
    let mut reads = Vec::new();
    let mut targets = Vec::new();
    // The lowest place led to behind the table's beginning, and whether the table ends there.
    let (mut lowest, mut closed) = (u64::MAX, false);
    // An index that is computed from a number of leading zeros has a largest value, though not all below it occur.
    let counted = slice.counted(widened(slice, hole), 8).and_then(|(_, last)| u64::try_from(last).ok());
    for i in 0..counted.map_or(MAX_INFERRED, |last| MAX_INFERRED.min(last + 1)) {
        let mut read = Vec::new();
        let target = slice.target(image, plan, hole, i, &mut read);
        if let Some(&(at, _)) = read.last().filter(|r| r.0 >= lowest) {
            closed = at == lowest;
            break;
        }
        match target.filter(|&t| scope.text.kind(t).is_code()) {
            Some(t) if scope.own.contains(t) => {
                let code = scope.text.bytes(t);
                if read.last().is_some_and(|r| r.0 < code) {
                    lowest = lowest.min(code);
                }
                targets.push(t);
            }
            Some(_) if targets.is_empty() && is_absolute(slice, scope, plan, &read) => {
                return Some(Jump::Pointer);
            }
            // The first indices of some tables do not occur.
            None if i < 2 => {}
            _ => break,
        }
        reads.append(&mut read);
    }
    // One entry that happens to fit proves nothing. AArch32 has few known ranges, but many entries prove something, and so
    // do those of hand-written code that fill the place up to the code behind, or are as many as the index can tell apart.
    let certain = scope.sure || closed || counted.is_some();
    let enough = if certain { 3 } else { MANY };
    if targets.len() < enough || !(certain || slice.is_a32()) {
        return None;
    }
    targets.sort_unstable();
    targets.dedup();
    Some(Jump::Targets(targets, ranges(reads)))
}

/// Pieces of code of equal size, of which each goes on into the next, entered at one that numbers of leading zeros tell: libgcc
/// divides that way, a piece for each bit of the quotient. That the operands are ordered, so that none before the first piece
/// and none behind the last is meant, is not followed: a target too many costs a block.
fn steps(slice: &Slice<'_>, scope: &Scope<'_>, plan: &[Expr], candidates: &[Expr]) -> Option<Jump> {
    let image = scope.text.image;
    candidates.iter().find_map(|&hole| {
        let (first, last) = slice.counted(hole, 8)?;
        let mut targets: Vec<u64> = Vec::new();
        for i in first.max(0)..=last {
            let target = slice.target(image, plan, hole, i as u64, &mut Vec::new());
            match target.filter(|&t| scope.own.contains(t) && scope.text.kind(t).is_code()) {
                Some(t) if targets.last().is_none_or(|&before| goes_on_to(scope.text, before, t)) => {
                    targets.push(t);
                }
                _ => break,
            }
        }
        (targets.len() >= MANY).then_some(Jump::Targets(targets, Vec::new()))
    })
}

/// True if what stands at `from` goes on, one instruction after the other, to `to`.
fn goes_on_to(text: &Text<'_>, from: u64, to: u64) -> bool {
    let mut at = from;
    while text.bytes(at) < text.bytes(to) {
        let unit = text.unit(at);
        if unit.kind.ends() && !unit.conditional {
            return false;
        }
        at = unit.next;
    }
    at == to && from != to
}

/// The index in a table load's address: the operand that is scaled and added to the base.
fn index_of(slice: &Slice<'_>, load: Expr) -> Option<Expr> {
    let (_, Node::Load(addr, _)) = slice.arena.get(load) else { return None };
    let (_, Node::Pure(_, [a, b, _])) = slice.arena.get(widened(slice, addr)) else { return None };
    let x = if slice.arena.as_const(a).is_some() { b } else { a };
    match slice.arena.get(x).1 {
        Node::Pure(ir::PureOp::Int(ir::IntBin::Shl), [i, n, _]) if slice.arena.as_const(n).is_some() => {
            Some(i)
        }
        _ => Some(x),
    }
}

fn ranges(mut reads: Vec<(u64, u32)>) -> Vec<Range> {
    reads.sort_unstable();
    let mut out: Vec<Range> = Vec::new();
    for (a, n) in reads {
        let end = a.saturating_add(u64::from(n));
        match out.last_mut() {
            Some(l) if a <= l.end => l.end = l.end.max(end),
            _ => out.push(Range { start: a, end }),
        }
    }
    out
}
