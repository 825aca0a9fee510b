//! Literals: constants that stand in the text beside the code that loads them, as most of AArch32's do. Takes a lifted function, gives it with
//! their values in place of the loads, and where they stand: they belong to what the function was made of, so that it is not entered
//! again once one has changed.

use image::{Image, Range};
use ir::{Block, Function, GuestAddr, Inst, IntBin, PureOp, Type, Value};

/// Replaces the loads of `f` from text that the program cannot write as it is loaded; gives the ranges read, sorted.
pub(crate) fn fold(image: &Image, f: &mut Function) -> Vec<Range> {
    let mut read = Vec::new();
    for b in &mut f.blocks {
        for i in 0..b.insts.len() {
            if let Some((range, constant)) = literal(image, b, &b.insts[i]) {
                read.push(range);
                b.insts[i] = constant;
            }
        }
    }
    if !read.is_empty() {
        let file = image.isa.file();
        ir::pass::run_default(f, file);
        if f.blocks.iter_mut().fold(false, |any, b| name_addresses(image, b) | any) {
            ir::pass::run_default(f, file);
        }
    }
    read.sort_unstable();
    read.dedup();
    read
}

/// Where a load from text reads, and the constant that it loads.
fn literal(image: &Image, b: &Block, inst: &Inst) -> Option<(Range, Inst)> {
    let Inst::Load { ty, addr, order: ir::Order::Relaxed, align } = *inst else { return None };
    let Inst::CodeAddr(GuestAddr(start)) = b.insts[addr.0 as usize] else { return None };
    let size = ty.bytes();
    let range = Range { start, end: start.checked_add(u64::from(size))? };
    let s = image.segment_at(start).filter(|s| s.read && s.exec && !s.write)?;
    let next = image.pointers.partition_point(|p| p.at + image.word_size() <= start);
    let relocated = image.pointers.get(next).is_some_and(|p| p.at < range.end);
    // What dispatch covers is what the runtime watches.
    let watched = image.text.first()?.start <= start && range.end <= image.text.last()?.end;
    if !watched
        || range.end > s.file_backed().end
        || !start.is_multiple_of(u64::from(align.bytes(size)))
        || relocated
    {
        return None;
    }
    let bytes = image.bytes_at(start, u64::from(size))?;
    let bits = bytes.iter().rev().fold(0, |bits, &byte| bits << 8 | u128::from(byte));
    Some((range, Inst::Const { ty, bits }))
}

/// Makes sums modulo 2³² of a code address and a constant (`ldr r3, =var - .; add r3, pc`) addresses of the program, where they are ones.
fn name_addresses(image: &Image, b: &mut Block) -> bool {
    let mut any = false;
    for i in 0..b.insts.len() {
        let Some(sum) = address(b, &b.insts[i]).filter(|&a| image.segment_at(a).is_some()) else { continue };
        b.insts[i] = Inst::CodeAddr(GuestAddr(sum));
        any = true;
    }
    any
}

fn address(b: &Block, inst: &Inst) -> Option<u64> {
    let def = |v: Value| b.insts[v.0 as usize];
    let Inst::Pure { op: PureOp::Zext, ty: Type::I64, args: [sum, ..] } = *inst else { return None };
    let Inst::Pure { op: PureOp::Int(IntBin::Add), ty: Type::I32, args: [x, y, ..] } = def(sum) else {
        return None;
    };
    let (Inst::Pure { op: PureOp::Trunc, args: [base, ..], .. }, Inst::Const { bits, .. }) = (def(x), def(y))
    else {
        return None;
    };
    let Inst::CodeAddr(GuestAddr(base)) = def(base) else { return None };
    Some(u64::from((base as u32).wrapping_add(bits as u32)))
}
