//! Loads and stores of elements and structures (Arm ARM F4.1.14): VLD1–VLD4 and VST1–VST4 of whole registers, of single lanes
//! and to all lanes. Alignment is checked where the word demands it, at the first access.

use super::operands::*;
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits, rm, rn};
use crate::a32::table::Row;
use crate::a64::loadstore_struct::gather;
use ir::{Align, Inst, Lane, Order, PureOp, Type, Value};

/// Rows of this group.
pub const ROWS: &[Row] = rows! { Neon:
    "VST4 (multiple 4-element structures)" "1111 0100 0d00 nnnn dddd 000i ssaa mmmm" |cx, w| multiple(cx, w, 4, 4);
    "VST1 (multiple, four registers)" "1111 0100 0d00 nnnn dddd 0010 ssaa mmmm" |cx, w| multiple(cx, w, 1, 4);
    "VST2 (multiple 2-element structures, four registers)" "1111 0100 0d00 nnnn dddd 0011 ssaa mmmm" |cx, w| multiple(cx, w, 2, 4);
    "VST3 (multiple 3-element structures)" "1111 0100 0d00 nnnn dddd 010i ssaa mmmm" |cx, w| multiple(cx, w, 3, 3);
    "VST1 (multiple, three registers)" "1111 0100 0d00 nnnn dddd 0110 ssaa mmmm" |cx, w| multiple(cx, w, 1, 3);
    "VST1 (multiple, one register)" "1111 0100 0d00 nnnn dddd 0111 ssaa mmmm" |cx, w| multiple(cx, w, 1, 1);
    "VST2 (multiple 2-element structures)" "1111 0100 0d00 nnnn dddd 100i ssaa mmmm" |cx, w| multiple(cx, w, 2, 2);
    "VST1 (multiple, two registers)" "1111 0100 0d00 nnnn dddd 1010 ssaa mmmm" |cx, w| multiple(cx, w, 1, 2);
    "VLD4 (multiple 4-element structures)" "1111 0100 0d10 nnnn dddd 000i ssaa mmmm" |cx, w| multiple(cx, w, 4, 4);
    "VLD1 (multiple, four registers)" "1111 0100 0d10 nnnn dddd 0010 ssaa mmmm" |cx, w| multiple(cx, w, 1, 4);
    "VLD2 (multiple 2-element structures, four registers)" "1111 0100 0d10 nnnn dddd 0011 ssaa mmmm" |cx, w| multiple(cx, w, 2, 4);
    "VLD3 (multiple 3-element structures)" "1111 0100 0d10 nnnn dddd 010i ssaa mmmm" |cx, w| multiple(cx, w, 3, 3);
    "VLD1 (multiple, three registers)" "1111 0100 0d10 nnnn dddd 0110 ssaa mmmm" |cx, w| multiple(cx, w, 1, 3);
    "VLD1 (multiple, one register)" "1111 0100 0d10 nnnn dddd 0111 ssaa mmmm" |cx, w| multiple(cx, w, 1, 1);
    "VLD2 (multiple 2-element structures)" "1111 0100 0d10 nnnn dddd 100i ssaa mmmm" |cx, w| multiple(cx, w, 2, 2);
    "VLD1 (multiple, two registers)" "1111 0100 0d10 nnnn dddd 1010 ssaa mmmm" |cx, w| multiple(cx, w, 1, 2);
    "VST1 (single lane)" "1111 0100 1d00 nnnn dddd ss00 iiii mmmm" single;
    "VST2 (single lane)" "1111 0100 1d00 nnnn dddd ss01 iiii mmmm" single;
    "VST3 (single lane)" "1111 0100 1d00 nnnn dddd ss10 iiii mmmm" single;
    "VST4 (single lane)" "1111 0100 1d00 nnnn dddd ss11 iiii mmmm" single;
    "VLD1 (single lane)" "1111 0100 1d10 nnnn dddd ss00 iiii mmmm" single;
    "VLD2 (single lane)" "1111 0100 1d10 nnnn dddd ss01 iiii mmmm" single;
    "VLD3 (single lane)" "1111 0100 1d10 nnnn dddd ss10 iiii mmmm" single;
    "VLD4 (single lane)" "1111 0100 1d10 nnnn dddd ss11 iiii mmmm" single;
    "VLD1 (all lanes)" "1111 0100 1d10 nnnn dddd 1100 ssta mmmm" replicate;
    "VLD2 (all lanes)" "1111 0100 1d10 nnnn dddd 1101 ssta mmmm" replicate;
    "VLD3 (all lanes)" "1111 0100 1d10 nnnn dddd 1110 ssta mmmm" replicate;
    "VLD4 (all lanes)" "1111 0100 1d10 nnnn dddd 1111 ssta mmmm" replicate;
};

/// The address and what the first access demands of it.
struct Memory {
    base: Value,
    align: Align,
    /// Size of an element in bytes.
    element: u32,
}

impl Memory {
    fn new(cx: &mut Cx<'_, '_>, w: u32, align: u32, element: u32) -> Result<Memory, Undefined> {
        if rn(w) == 15 {
            return Err(Undefined);
        }
        let align = if align > 1 { Align::To(align as u8) } else { Align::Any };
        Ok(Memory { base: cx.base(rn(w)), align, element })
    }

    fn align(&self, offset: u32) -> Align {
        if offset == 0 { self.align } else { Align::Any }
    }

    fn load(&self, cx: &mut Cx<'_, '_>, ty: Type, offset: u32) -> Value {
        let addr = cx.displaced(self.base, offset as i32);
        let align = self.align(offset);
        let v = cx.b.push(Inst::Load { ty, addr, order: Order::Relaxed, align }, Some(ty));
        cx.in_memory(v, self.element)
    }

    fn store(&self, cx: &mut Cx<'_, '_>, value: Value, offset: u32) {
        let addr = cx.displaced(self.base, offset as i32);
        let align = self.align(offset);
        let value = cx.in_memory(value, self.element);
        cx.b.push(Inst::Store { addr, value, order: Order::Relaxed, align }, None);
    }

    /// Writes the base register: by the bytes moved if Rm is 13, by Rm if it is not 15.
    fn write_back(&self, cx: &mut Cx<'_, '_>, w: u32, bytes: u32) {
        let new = match rm(w) {
            15 => return,
            13 => cx.b.add_imm(self.base, i64::from(bytes)),
            m => {
                let offset = cx.reg(m);
                cx.indexed(self.base, offset, true)
            }
        };
        cx.set_reg(rn(w), new);
    }
}

/// Alignment in bytes by the field of two bits: none, 8, 16 or 32.
const fn aligned(field: u32) -> u32 {
    if field == 0 { 1 } else { 4 << field }
}

/// Groups of the transfer that are next to each other in memory: their registers, interleaved element by element.
fn groups(w: u32, n: u32, registers: u32) -> Vec<Vec<u32>> {
    let first = dd(w);
    match (n, registers) {
        (1, _) => (0..registers).map(|r| vec![first + r]).collect(),
        // Two pairs, with two registers between the members of each.
        (2, 4) => vec![vec![first, first + 2], vec![first + 1, first + 3]],
        _ => {
            let spacing = 1 + bits(w, 8, 8);
            vec![(0..n).map(|r| first + r * spacing).collect()]
        }
    }
}

/// `VLD2.16 {list}, [Rn]{, Rm}`: `n` registers with elements interleaved, `registers` in all.
fn multiple(cx: &mut Cx<'_, '_>, w: u32, n: u32, registers: u32) -> Lift {
    let (size, align) = (bits(w, 7, 6), bits(w, 5, 4));
    let too_large = match (n, registers) {
        (3, _) | (1, 1 | 3) => align > 1,
        (_, 2) => align == 3,
        _ => false,
    };
    if too_large || n > 1 && size == 3 {
        return Err(Undefined);
    }
    let groups = groups(w, n, registers);
    if groups.iter().flatten().any(|r| *r > 31) {
        return Err(Undefined);
    }
    let bytes = 1 << size;
    let memory = Memory::new(cx, w, aligned(align), bytes)?;
    // Memory in vectors of two registers; the last may be one.
    let chunk = |k: u32| if 2 * k + 1 < registers { Type::V128 } else { Type::F64 };
    let count = registers.div_ceil(2);
    // Where byte `i` of register `r` of a group of `n` is in the group's memory.
    let place = |r: u32, i: u32| (i / bytes * n + r) * bytes + i % bytes;
    if bit(w, 21) {
        let mut chunks = Vec::new();
        for k in 0..count {
            let v = memory.load(cx, chunk(k), 16 * k);
            chunks.push(v);
        }
        for v in &mut chunks {
            if cx.b.ty(*v) == Type::F64 {
                *v = cx.b.pure(PureOp::VFromScalar, &[*v]);
            }
        }
        for (g, group) in groups.iter().enumerate() {
            let start = 8 * g as u32 * n;
            for (r, &register) in group.iter().enumerate() {
                if n == 1 && g % 2 == 0 && g + 1 < groups.len() {
                    cx.set_pair(register, chunks[g / 2]);
                } else if n > 1 || g % 2 == 0 {
                    let v = gather(cx, &chunks, |i| (i < 8).then(|| start + place(r as u32, i)));
                    cx.set_vector(false, register, v);
                }
            }
        }
    } else {
        let order: Vec<u32> = groups.concat();
        // Registers by twos, in the order of the groups.
        let mut pairs = Vec::new();
        for two in order.chunks(2) {
            let v = match *two {
                [a, b] if b == a + 1 => cx.pair(a),
                [a, b] => {
                    let (a, b) = (cx.half(a), cx.half(b));
                    cx.shuffle(a, b, selector(|i| Some(if i < 8 { i } else { i + 8 })))
                }
                [a] => cx.half(a),
                _ => return Err(Undefined),
            };
            pairs.push(v);
        }
        for k in 0..count {
            let value = if n == 1 {
                pairs[k as usize]
            } else {
                gather(cx, &pairs, |i| {
                    let at = 16 * k + i;
                    let (group, at) = (at / (8 * n), at % (8 * n));
                    let element = at / bytes;
                    let register = group * n + element % n;
                    (register < registers).then(|| 8 * register + element / n * bytes + at % bytes)
                })
            };
            let ty = chunk(k);
            let value = if ty == Type::F64 { cx.b.pure_ty(PureOp::VToScalar, ty, &[value]) } else { value };
            memory.store(cx, value, 16 * k);
        }
    }
    memory.write_back(cx, w, 8 * registers);
    Ok(None)
}

/// A single-lane word's lane, index, spacing of registers and alignment.
fn lane(w: u32) -> Result<(Lane, u8, u32, u32), Undefined> {
    let (n, size, field) = (bits(w, 9, 8) + 1, bits(w, 11, 10), bits(w, 7, 4));
    if size == 3 {
        return Err(Undefined);
    }
    let index = field >> (size + 1);
    // Bits between the index and the alignment tell the spacing.
    let spaced = match size {
        0 => 0,
        1 => field >> 1 & 1,
        _ => field >> 2 & 1,
    };
    let low = field & if size == 2 { 3 } else { 1 };
    let align = match (n, size) {
        (1, 0) if low == 0 => 1,
        (1, 1) if spaced == 0 => 1 << low,
        (1, 2) if spaced == 0 && (low == 0 || low == 3) => 1 + low,
        (2, 0 | 1) => 1 << (low * (size + 1)),
        (2, 2) if low < 2 => 1 << (3 * low),
        (3, _) if low == 0 => 1,
        (4, 0 | 1) => 1 << (low * (size + 2)),
        (4, 2) if low < 3 => aligned(low),
        _ => return Err(Undefined),
    };
    Ok((Lane::of_bits(8 << size), index as u8, 1 + spaced, align))
}

/// `VLD2.16 {Dd[x], Dd2[x]}, [Rn]{, Rm}`
fn single(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let n = bits(w, 9, 8) + 1;
    let (lane, index, spacing, align) = lane(w)?;
    if dd(w) + (n - 1) * spacing > 31 {
        return Err(Undefined);
    }
    let bytes = lane.bits() / 8;
    let memory = Memory::new(cx, w, align, bytes)?;
    let registers: Vec<u32> = (0..n).map(|i| dd(w) + i * spacing).collect();
    if bit(w, 21) {
        let mut loaded = Vec::new();
        for i in 0..n {
            loaded.push(memory.load(cx, lane.scalar(), i * bytes));
        }
        for (&r, v) in registers.iter().zip(loaded) {
            let old = cx.half(r);
            let new = cx.b.pure(PureOp::VInsert(lane, index), &[old, v]);
            cx.set_vector(false, r, new);
        }
    } else {
        for (i, &r) in registers.iter().enumerate() {
            let v = cx.half(r);
            let element = cx.b.pure(PureOp::VExtract(lane, index), &[v]);
            memory.store(cx, element, i as u32 * bytes);
        }
    }
    memory.write_back(cx, w, n * bytes);
    Ok(None)
}

/// `VLD2.16 {Dd[], Dd2[]}, [Rn]{, Rm}`
fn replicate(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (n, size, t, a) = (bits(w, 9, 8) + 1, bits(w, 7, 6), bits(w, 5, 5), bit(w, 4));
    let bytes = if size == 3 { 4 } else { 1 << size };
    let align = match (n, size, a) {
        (4, 3, true) => 16,
        (_, 3, _) | (1, 0, true) | (3, _, true) => return Err(Undefined),
        (_, _, false) => 1,
        (4, 2, true) => 8,
        (n, _, true) => n * bytes,
    };
    let spacing = 1 + t;
    // VLD1's T is a second register with the same element.
    let registers: Vec<u32> = match n {
        1 => (0..=t).map(|i| dd(w) + i).collect(),
        _ => (0..n).map(|i| dd(w) + i * spacing).collect(),
    };
    if registers.iter().any(|r| *r > 31) {
        return Err(Undefined);
    }
    let memory = Memory::new(cx, w, align, bytes)?;
    let lane = Lane::of_bits(8 * bytes);
    let mut loaded = Vec::new();
    for i in 0..n {
        loaded.push(memory.load(cx, lane.scalar(), i * bytes));
    }
    for (i, &r) in registers.iter().enumerate() {
        let v = cx.b.pure(PureOp::VSplat(lane), &[loaded[i.min(loaded.len() - 1)]]);
        cx.set_vector(false, r, v);
    }
    memory.write_back(cx, w, n * bytes);
    Ok(None)
}
