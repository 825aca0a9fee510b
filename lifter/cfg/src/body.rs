//! One function's body: walk, resolve indirect jumps, walk on, until nothing new comes; then what its code says about
//! other places (calls, jumps out, code addresses computed, literals). A pure function of text and limits, so that all
//! functions can be analysed in parallel.

use crate::slice::{Cache, Callees, Slice, caller_saved};
use crate::table::{Jump, Scope, explain};
use crate::text::{ImageCode, Kind, Text};
use crate::value::image_memory;
use crate::walk::{Limits, Walk};
use image::Range;
use ir::{GuestAddr, Inst, IntBin, PureOp, Type};
use isa::a32::reg::LR;
use isa::{BlockShape, Isa};
use std::collections::{BTreeMap, BTreeSet};

/// Rounds of jump-table resolution: nested switches need one each.
const MAX_ROUNDS: usize = 64;

/// A function as analysed under certain limits.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// The range that limited it.
    pub(crate) own: Range,
    /// Its blocks, by address.
    pub(crate) blocks: Vec<BlockShape>,
    /// (site, target) of direct calls.
    pub(crate) calls: Vec<(u64, u64)>,
    /// (site, target) of direct jumps and falls out of it.
    pub(crate) out: Vec<(u64, u64)>,
    /// Targets of tables of functions that it jumps through.
    pub(crate) table_functions: Vec<u64>,
    /// Code addresses that it computes or loads from constant places, jump tables' bases not among them.
    pub(crate) pointers: Vec<u64>,
    /// Number of jump tables.
    pub(crate) tables: usize,
    /// Where jump tables and literals stand in text.
    pub(crate) data: Vec<Range>,
    /// Indirect jumps that look like tables but are not understood.
    pub(crate) unresolved: Vec<u64>,
    /// Indirect jumps through pointers.
    pub(crate) pointer_jumps: usize,
    /// Control reaches a word that is no instruction.
    pub(crate) undefined: bool,
    /// It has a return, or an indirect jump that may be one.
    pub(crate) returns: bool,
    /// The general registers that it writes by itself, as a mask; all that calls may, if it goes to unknown places.
    pub(crate) writes: u32,
    /// More code of other functions than allowed would be duplicated; the rest is then not to be relied on.
    pub(crate) too_much_shared: bool,
}

/// Analyses the function at `entry`; `sure` says that its range is known.
pub(crate) fn analyse(text: &Text<'_>, entry: u64, limits: Limits<'_>, sure: bool) -> Body {
    let own = limits.own;
    let code = ImageCode(text.image);
    let callees = Callees { noreturn: limits.noreturn, writes: limits.writes };
    let scope = Scope { text, own, sure };
    let mut walk = Walk::new(text, entry, limits);
    let mut cache = Cache::new();
    let mut switches: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut body = Body {
        own,
        blocks: Vec::new(),
        calls: Vec::new(),
        out: Vec::new(),
        table_functions: Vec::new(),
        pointers: Vec::new(),
        tables: 0,
        data: Vec::new(),
        unresolved: Vec::new(),
        pointer_jumps: 0,
        undefined: false,
        returns: false,
        writes: 0,
        too_much_shared: false,
    };
    let mut bases = BTreeSet::new();
    let mut slice;
    let mut round = 0;
    loop {
        slice = Slice::new(&code, entry, &walk.pieces, &switches, callees, &mut cache);
        body.unresolved.clear();
        body.table_functions.clear();
        body.pointer_jumps = 0;
        body.data.clear();
        bases.clear();
        let mut found = Vec::new();
        for (site, i, target) in slice.jumps.clone() {
            let learned = walk.limits.jumps.get(&site);
            found.extend(learned.map(|t| (site, t.iter().copied().collect())));
            match explain(&mut slice, &scope, i, target) {
                Jump::Targets(targets, data) => {
                    body.data.extend(data);
                    found.push((site, targets));
                }
                Jump::Functions(f) => body.table_functions.extend(f),
                Jump::Unresolved | Jump::Pointer if !walk.limits.labels.is_empty() => {
                    found.push((site, walk.limits.labels.iter().copied().collect()));
                }
                // It may go elsewhere next time.
                Jump::Unresolved if learned.is_some() => body.pointer_jumps += 1,
                Jump::Unresolved => body.unresolved.push(site),
                Jump::Pointer => body.pointer_jumps += 1,
            }
            let e = slice.eval(i, target);
            for part in slice.arena.tree(e, 96) {
                bases.extend(slice.address(part));
            }
        }
        let mut grown = false;
        for (site, targets) in found {
            // A walk that goes on can show more ways to the jump, and those more of its table.
            let known = switches.entry(site).or_default();
            let before = known.len();
            known.extend(targets);
            known.sort_unstable();
            known.dedup();
            grown |= known.len() != before;
            walk.add_targets(site, known);
        }
        round += 1;
        if !grown || round == MAX_ROUNDS {
            break;
        }
    }
    if !walk.too_much_shared() {
        let sources: Vec<usize> = (0..slice.blocks.len()).collect();
        for i in sources {
            code_addresses(text, &mut slice, i, &bases, &mut body);
        }
    }
    body.tables = switches.values().filter(|t| t.len() > 1).count();
    body.blocks = walk
        .pieces
        .iter()
        .map(|(&start, p)| BlockShape {
            start: GuestAddr(start),
            end: GuestAddr(p.end),
            switch: switches
                .get(&p.site)
                .filter(|_| p.kind == Kind::Indirect)
                .map(|t| {
                    t.iter()
                        .filter(|a| walk.pieces.contains_key(a))
                        .map(|&a| GuestAddr(a))
                        .collect::<Vec<_>>()
                })
                .filter(|t| !t.is_empty()),
        })
        .collect();
    body.too_much_shared = walk.too_much_shared();
    body.undefined = walk.undefined;
    let unknown_call = walk.pieces.values().any(|p| p.kind == Kind::IndirectCall);
    let unknown_jump =
        body.pointer_jumps > 0 || !body.unresolved.is_empty() || !body.table_functions.is_empty();
    body.writes = slice.written()
        | if unknown_call || unknown_jump || walk.undefined { caller_saved(text.image.isa) } else { 0 };
    body.returns = walk.undefined || unknown_jump || walk.pieces.values().any(|p| p.kind == Kind::Return);
    body.calls = walk.calls.into_iter().collect();
    body.out = walk.out.into_iter().collect();
    body.pointers.sort_unstable();
    body.pointers.dedup();
    body
}

/// Code addresses that block `i` computes (ADR, ADRP + ADD) or loads, and literals it reads.
fn code_addresses(text: &Text<'_>, slice: &mut Slice, i: usize, bases: &BTreeSet<u64>, body: &mut Body) {
    let lifted = slice.blocks[i].clone();
    let insts = &lifted.run.insts;
    let mut pc = lifted.run.pc.0;
    let note = |body: &mut Body, a: u64| {
        if text.kind(a).is_code() && !bases.contains(&a) {
            body.pointers.push(a);
        }
    };
    let small = |v: ir::Value| match insts[v.0 as usize] {
        Inst::Const { bits, .. } => bits < 4096,
        _ => false,
    };
    if text.image.isa == Isa::A32 {
        return code_addresses32(text, slice, i, bases, body);
    }
    for (n, inst) in insts.iter().enumerate() {
        match *inst {
            Inst::Mark(a) => pc = a.0,
            // ADR; not ADRP's page and not the return address of a call.
            Inst::CodeAddr(a) if text.word(pc).is_some_and(|w| w & 0x9f00_0000 == 0x1000_0000) => {
                note(body, a.0)
            }
            Inst::Pure { op: PureOp::Int(IntBin::Add), ty: Type::I64, args } if small(args[1]) => {
                let e = slice.eval(i, ir::Value(n as u32));
                if let Some(a) = slice.address(e) {
                    note(body, a);
                }
            }
            Inst::Load { ty, addr, .. } => {
                if let Inst::CodeAddr(a) = insts[addr.0 as usize]
                    && text.range(a.0).is_some()
                {
                    body.data.push(Range { start: a.0, end: a.0.saturating_add(u64::from(ty.bytes())) });
                    if ty == Type::I64
                        && let Some(target) = image_memory(text.image, a.0, 8, 0)
                    {
                        note(body, target);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The same on AArch32, where addresses come from literals, sums with PC, and MOVW and MOVT: every value of a register counts
/// that is known, but the return addresses of calls.
fn code_addresses32(text: &Text<'_>, slice: &mut Slice, i: usize, bases: &BTreeSet<u64>, body: &mut Body) {
    let lifted = slice.blocks[i].clone();
    let operands = lifted.operands();
    let mut note = |slice: &mut Slice<'_>, v: ir::Value| {
        // What goes into sums is an offset, or the base of data.
        if operands.contains(&lifted.origin(v)) {
            return;
        }
        let e = slice.eval(i, v);
        if let Some(a) = slice.address(e)
            && !bases.contains(&a)
            && text.range(a).is_some()
            && text.kind(a).is_code()
        {
            body.pointers.push(a);
        }
    };
    for inst in &lifted.run.insts {
        match *inst {
            Inst::Set(r, v) if r.0 < 15 && r != LR => note(slice, v),
            Inst::Pure { op: PureOp::Select, args, .. } => args[1..].iter().for_each(|&v| note(slice, v)),
            Inst::Load { ty, addr, .. } => {
                let e = slice.eval(i, addr);
                if let Some(a) = slice.address(e)
                    && text.range(a).is_some()
                {
                    body.data.push(Range { start: a, end: a.saturating_add(u64::from(ty.bytes())) });
                }
            }
            _ => {}
        }
    }
}
