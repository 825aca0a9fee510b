//! Advanced SIMD structure loads and stores, LD1–LD4 and ST1–ST4, of multiple and single structures (Arm ARM C4.1.67).
//! Multiple structures move as whole registers' worth of memory and are (de)interleaved by byte shuffles, which engines
//! turn into vector permutations.

use super::cx::{Cx, Lift, Undefined, bit, bits, rd, rm, rn};
use super::loadstore::vec_type;
use super::table::{Row, row_table};
use ir::{Lane, PureOp, Type, Value};

/// Rows of this group.
pub static ROWS: &[Row] = row_table! {
    "ST4 (multiple structures)" "0q0011000 0 000000 0000 ss nnnnn ttttt" AdvSimd multiple;
    "ST4 (multiple structures, post-index)" "0q0011001 0 0mmmmm 0000 ss nnnnn ttttt" AdvSimd multiple;
    "ST1 (multiple structures, 4 registers)" "0q0011000 0 000000 0010 ss nnnnn ttttt" AdvSimd multiple;
    "ST1 (multiple structures, 4 registers, post-index)" "0q0011001 0 0mmmmm 0010 ss nnnnn ttttt" AdvSimd multiple;
    "ST3 (multiple structures)" "0q0011000 0 000000 0100 ss nnnnn ttttt" AdvSimd multiple;
    "ST3 (multiple structures, post-index)" "0q0011001 0 0mmmmm 0100 ss nnnnn ttttt" AdvSimd multiple;
    "ST1 (multiple structures, 3 registers)" "0q0011000 0 000000 0110 ss nnnnn ttttt" AdvSimd multiple;
    "ST1 (multiple structures, 3 registers, post-index)" "0q0011001 0 0mmmmm 0110 ss nnnnn ttttt" AdvSimd multiple;
    "ST1 (multiple structures, 1 register)" "0q0011000 0 000000 0111 ss nnnnn ttttt" AdvSimd multiple;
    "ST1 (multiple structures, 1 register, post-index)" "0q0011001 0 0mmmmm 0111 ss nnnnn ttttt" AdvSimd multiple;
    "ST2 (multiple structures)" "0q0011000 0 000000 1000 ss nnnnn ttttt" AdvSimd multiple;
    "ST2 (multiple structures, post-index)" "0q0011001 0 0mmmmm 1000 ss nnnnn ttttt" AdvSimd multiple;
    "ST1 (multiple structures, 2 registers)" "0q0011000 0 000000 1010 ss nnnnn ttttt" AdvSimd multiple;
    "ST1 (multiple structures, 2 registers, post-index)" "0q0011001 0 0mmmmm 1010 ss nnnnn ttttt" AdvSimd multiple;
    "ST1 (single structure, 8-bit)" "0q0011010 0 0 00000 000 s ss nnnnn ttttt" AdvSimd single;
    "ST1 (single structure, 8-bit, post-index)" "0q0011011 0 0 mmmmm 000 s ss nnnnn ttttt" AdvSimd single;
    "ST1 (single structure, 16-bit)" "0q0011010 0 0 00000 010 s s0 nnnnn ttttt" AdvSimd single;
    "ST1 (single structure, 16-bit, post-index)" "0q0011011 0 0 mmmmm 010 s s0 nnnnn ttttt" AdvSimd single;
    "ST1 (single structure, 32-bit)" "0q0011010 0 0 00000 100 s 00 nnnnn ttttt" AdvSimd single;
    "ST1 (single structure, 32-bit, post-index)" "0q0011011 0 0 mmmmm 100 s 00 nnnnn ttttt" AdvSimd single;
    "ST1 (single structure, 64-bit)" "0q0011010 0 0 00000 100 0 01 nnnnn ttttt" AdvSimd single;
    "ST1 (single structure, 64-bit, post-index)" "0q0011011 0 0 mmmmm 100 0 01 nnnnn ttttt" AdvSimd single;
    "ST2 (single structure, 8-bit)" "0q0011010 0 1 00000 000 s ss nnnnn ttttt" AdvSimd single;
    "ST2 (single structure, 8-bit, post-index)" "0q0011011 0 1 mmmmm 000 s ss nnnnn ttttt" AdvSimd single;
    "ST2 (single structure, 16-bit)" "0q0011010 0 1 00000 010 s s0 nnnnn ttttt" AdvSimd single;
    "ST2 (single structure, 16-bit, post-index)" "0q0011011 0 1 mmmmm 010 s s0 nnnnn ttttt" AdvSimd single;
    "ST2 (single structure, 32-bit)" "0q0011010 0 1 00000 100 s 00 nnnnn ttttt" AdvSimd single;
    "ST2 (single structure, 32-bit, post-index)" "0q0011011 0 1 mmmmm 100 s 00 nnnnn ttttt" AdvSimd single;
    "ST2 (single structure, 64-bit)" "0q0011010 0 1 00000 100 0 01 nnnnn ttttt" AdvSimd single;
    "ST2 (single structure, 64-bit, post-index)" "0q0011011 0 1 mmmmm 100 0 01 nnnnn ttttt" AdvSimd single;
    "ST3 (single structure, 8-bit)" "0q0011010 0 0 00000 001 s ss nnnnn ttttt" AdvSimd single;
    "ST3 (single structure, 8-bit, post-index)" "0q0011011 0 0 mmmmm 001 s ss nnnnn ttttt" AdvSimd single;
    "ST3 (single structure, 16-bit)" "0q0011010 0 0 00000 011 s s0 nnnnn ttttt" AdvSimd single;
    "ST3 (single structure, 16-bit, post-index)" "0q0011011 0 0 mmmmm 011 s s0 nnnnn ttttt" AdvSimd single;
    "ST3 (single structure, 32-bit)" "0q0011010 0 0 00000 101 s 00 nnnnn ttttt" AdvSimd single;
    "ST3 (single structure, 32-bit, post-index)" "0q0011011 0 0 mmmmm 101 s 00 nnnnn ttttt" AdvSimd single;
    "ST3 (single structure, 64-bit)" "0q0011010 0 0 00000 101 0 01 nnnnn ttttt" AdvSimd single;
    "ST3 (single structure, 64-bit, post-index)" "0q0011011 0 0 mmmmm 101 0 01 nnnnn ttttt" AdvSimd single;
    "ST4 (single structure, 8-bit)" "0q0011010 0 1 00000 001 s ss nnnnn ttttt" AdvSimd single;
    "ST4 (single structure, 8-bit, post-index)" "0q0011011 0 1 mmmmm 001 s ss nnnnn ttttt" AdvSimd single;
    "ST4 (single structure, 16-bit)" "0q0011010 0 1 00000 011 s s0 nnnnn ttttt" AdvSimd single;
    "ST4 (single structure, 16-bit, post-index)" "0q0011011 0 1 mmmmm 011 s s0 nnnnn ttttt" AdvSimd single;
    "ST4 (single structure, 32-bit)" "0q0011010 0 1 00000 101 s 00 nnnnn ttttt" AdvSimd single;
    "ST4 (single structure, 32-bit, post-index)" "0q0011011 0 1 mmmmm 101 s 00 nnnnn ttttt" AdvSimd single;
    "ST4 (single structure, 64-bit)" "0q0011010 0 1 00000 101 0 01 nnnnn ttttt" AdvSimd single;
    "ST4 (single structure, 64-bit, post-index)" "0q0011011 0 1 mmmmm 101 0 01 nnnnn ttttt" AdvSimd single;
    "LD4 (multiple structures)" "0q0011000 1 000000 0000 ss nnnnn ttttt" AdvSimd multiple;
    "LD4 (multiple structures, post-index)" "0q0011001 1 0mmmmm 0000 ss nnnnn ttttt" AdvSimd multiple;
    "LD1 (multiple structures, 4 registers)" "0q0011000 1 000000 0010 ss nnnnn ttttt" AdvSimd multiple;
    "LD1 (multiple structures, 4 registers, post-index)" "0q0011001 1 0mmmmm 0010 ss nnnnn ttttt" AdvSimd multiple;
    "LD3 (multiple structures)" "0q0011000 1 000000 0100 ss nnnnn ttttt" AdvSimd multiple;
    "LD3 (multiple structures, post-index)" "0q0011001 1 0mmmmm 0100 ss nnnnn ttttt" AdvSimd multiple;
    "LD1 (multiple structures, 3 registers)" "0q0011000 1 000000 0110 ss nnnnn ttttt" AdvSimd multiple;
    "LD1 (multiple structures, 3 registers, post-index)" "0q0011001 1 0mmmmm 0110 ss nnnnn ttttt" AdvSimd multiple;
    "LD1 (multiple structures, 1 register)" "0q0011000 1 000000 0111 ss nnnnn ttttt" AdvSimd multiple;
    "LD1 (multiple structures, 1 register, post-index)" "0q0011001 1 0mmmmm 0111 ss nnnnn ttttt" AdvSimd multiple;
    "LD2 (multiple structures)" "0q0011000 1 000000 1000 ss nnnnn ttttt" AdvSimd multiple;
    "LD2 (multiple structures, post-index)" "0q0011001 1 0mmmmm 1000 ss nnnnn ttttt" AdvSimd multiple;
    "LD1 (multiple structures, 2 registers)" "0q0011000 1 000000 1010 ss nnnnn ttttt" AdvSimd multiple;
    "LD1 (multiple structures, 2 registers, post-index)" "0q0011001 1 0mmmmm 1010 ss nnnnn ttttt" AdvSimd multiple;
    "LD1 (single structure, 8-bit)" "0q0011010 1 0 00000 000 s ss nnnnn ttttt" AdvSimd single;
    "LD1 (single structure, 8-bit, post-index)" "0q0011011 1 0 mmmmm 000 s ss nnnnn ttttt" AdvSimd single;
    "LD1 (single structure, 16-bit)" "0q0011010 1 0 00000 010 s s0 nnnnn ttttt" AdvSimd single;
    "LD1 (single structure, 16-bit, post-index)" "0q0011011 1 0 mmmmm 010 s s0 nnnnn ttttt" AdvSimd single;
    "LD1 (single structure, 32-bit)" "0q0011010 1 0 00000 100 s 00 nnnnn ttttt" AdvSimd single;
    "LD1 (single structure, 32-bit, post-index)" "0q0011011 1 0 mmmmm 100 s 00 nnnnn ttttt" AdvSimd single;
    "LD1 (single structure, 64-bit)" "0q0011010 1 0 00000 100 0 01 nnnnn ttttt" AdvSimd single;
    "LD1 (single structure, 64-bit, post-index)" "0q0011011 1 0 mmmmm 100 0 01 nnnnn ttttt" AdvSimd single;
    "LD1R" "0q0011010 1 0 00000 110 0 ss nnnnn ttttt" AdvSimd replicate;
    "LD1R (post-index)" "0q0011011 1 0 mmmmm 110 0 ss nnnnn ttttt" AdvSimd replicate;
    "LD2 (single structure, 8-bit)" "0q0011010 1 1 00000 000 s ss nnnnn ttttt" AdvSimd single;
    "LD2 (single structure, 8-bit, post-index)" "0q0011011 1 1 mmmmm 000 s ss nnnnn ttttt" AdvSimd single;
    "LD2 (single structure, 16-bit)" "0q0011010 1 1 00000 010 s s0 nnnnn ttttt" AdvSimd single;
    "LD2 (single structure, 16-bit, post-index)" "0q0011011 1 1 mmmmm 010 s s0 nnnnn ttttt" AdvSimd single;
    "LD2 (single structure, 32-bit)" "0q0011010 1 1 00000 100 s 00 nnnnn ttttt" AdvSimd single;
    "LD2 (single structure, 32-bit, post-index)" "0q0011011 1 1 mmmmm 100 s 00 nnnnn ttttt" AdvSimd single;
    "LD2 (single structure, 64-bit)" "0q0011010 1 1 00000 100 0 01 nnnnn ttttt" AdvSimd single;
    "LD2 (single structure, 64-bit, post-index)" "0q0011011 1 1 mmmmm 100 0 01 nnnnn ttttt" AdvSimd single;
    "LD2R" "0q0011010 1 1 00000 110 0 ss nnnnn ttttt" AdvSimd replicate;
    "LD2R (post-index)" "0q0011011 1 1 mmmmm 110 0 ss nnnnn ttttt" AdvSimd replicate;
    "LD3 (single structure, 8-bit)" "0q0011010 1 0 00000 001 s ss nnnnn ttttt" AdvSimd single;
    "LD3 (single structure, 8-bit, post-index)" "0q0011011 1 0 mmmmm 001 s ss nnnnn ttttt" AdvSimd single;
    "LD3 (single structure, 16-bit)" "0q0011010 1 0 00000 011 s s0 nnnnn ttttt" AdvSimd single;
    "LD3 (single structure, 16-bit, post-index)" "0q0011011 1 0 mmmmm 011 s s0 nnnnn ttttt" AdvSimd single;
    "LD3 (single structure, 32-bit)" "0q0011010 1 0 00000 101 s 00 nnnnn ttttt" AdvSimd single;
    "LD3 (single structure, 32-bit, post-index)" "0q0011011 1 0 mmmmm 101 s 00 nnnnn ttttt" AdvSimd single;
    "LD3 (single structure, 64-bit)" "0q0011010 1 0 00000 101 0 01 nnnnn ttttt" AdvSimd single;
    "LD3 (single structure, 64-bit, post-index)" "0q0011011 1 0 mmmmm 101 0 01 nnnnn ttttt" AdvSimd single;
    "LD3R" "0q0011010 1 0 00000 111 0 ss nnnnn ttttt" AdvSimd replicate;
    "LD3R (post-index)" "0q0011011 1 0 mmmmm 111 0 ss nnnnn ttttt" AdvSimd replicate;
    "LD4 (single structure, 8-bit)" "0q0011010 1 1 00000 001 s ss nnnnn ttttt" AdvSimd single;
    "LD4 (single structure, 8-bit, post-index)" "0q0011011 1 1 mmmmm 001 s ss nnnnn ttttt" AdvSimd single;
    "LD4 (single structure, 16-bit)" "0q0011010 1 1 00000 011 s s0 nnnnn ttttt" AdvSimd single;
    "LD4 (single structure, 16-bit, post-index)" "0q0011011 1 1 mmmmm 011 s s0 nnnnn ttttt" AdvSimd single;
    "LD4 (single structure, 32-bit)" "0q0011010 1 1 00000 101 s 00 nnnnn ttttt" AdvSimd single;
    "LD4 (single structure, 32-bit, post-index)" "0q0011011 1 1 mmmmm 101 s 00 nnnnn ttttt" AdvSimd single;
    "LD4 (single structure, 64-bit)" "0q0011010 1 1 00000 101 0 01 nnnnn ttttt" AdvSimd single;
    "LD4 (single structure, 64-bit, post-index)" "0q0011011 1 1 mmmmm 101 0 01 nnnnn ttttt" AdvSimd single;
    "LD4R" "0q0011010 1 1 00000 111 0 ss nnnnn ttttt" AdvSimd replicate;
    "LD4R (post-index)" "0q0011011 1 1 mmmmm 111 0 ss nnnnn ttttt" AdvSimd replicate;
};

/// Registers of the transfer: `t`, `t` + 1, … modulo 32.
fn register(w: u32, i: u32) -> u32 {
    (rd(w) + i) % 32
}

/// Writes the base register of a post-indexed form (bit 23): by Rm, or by the bytes transferred if that is 31.
fn write_back(cx: &mut Cx<'_, '_>, w: u32, base: Value, bytes: u32) {
    if bit(w, 23) {
        let new = if rm(w) == 31 {
            cx.b.add_imm(base, bytes as i64)
        } else {
            let offset = cx.gpr(true, rm(w));
            cx.b.add(base, offset)
        };
        cx.set_gpr_sp(rn(w), new);
    }
}

/// Byte numbers of element `j` of register `r` in memory, `n` registers of elements of `size` bytes interleaved.
fn memory_byte(n: u32, r: u32, size: u32, byte: u32) -> u32 {
    let (j, within) = (byte / size, byte % size);
    (j * n + r) * size + within
}

/// Picks bytes out of up to four vectors that follow each other: byte `i` of the result is byte `source(i)` of them,
/// zero for `None`.
pub(crate) fn gather(cx: &mut Cx<'_, '_>, vs: &[Value], source: impl Fn(u32) -> Option<u32>) -> Value {
    let select = |first: u32, second: Option<u32>| {
        let mut sel = [255u8; 16];
        for (i, s) in sel.iter_mut().enumerate() {
            if let Some(from) = source(i as u32) {
                if from / 16 == first {
                    *s = (from % 16) as u8;
                } else if second == Some(from / 16) {
                    *s = (16 + from % 16) as u8;
                }
            }
        }
        sel
    };
    match *vs {
        [a] => cx.b.pure(PureOp::VShuffle(select(0, None)), &[a, a]),
        [a, b] => cx.b.pure(PureOp::VShuffle(select(0, Some(1))), &[a, b]),
        _ => {
            let low = cx.b.pure(PureOp::VShuffle(select(0, Some(1))), &[vs[0], vs[1]]);
            let (high, from_high) = if vs.len() == 3 {
                (vs[2], select(2, None))
            } else {
                let sel = select(2, Some(3));
                let high = cx.b.pure(PureOp::VShuffle(sel), &[vs[2], vs[3]]);
                (high, std::array::from_fn(|i| if sel[i] == 255 { 255 } else { i as u8 }))
            };
            let sel = std::array::from_fn(|i| if from_high[i] == 255 { i as u8 } else { 16 + from_high[i] });
            cx.b.pure(PureOp::VShuffle(sel), &[low, high])
        }
    }
}

/// `LDn|STn {Vt.T, …}, [Xn|SP]{, Xm|#imm}`.
fn multiple(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (q, load) = (bit(w, 30), bit(w, 22));
    let size = 1 << bits(w, 11, 10);
    // Structure elements, and registers.
    let (n, registers) = match bits(w, 15, 12) {
        0b0000 => (4, 4),
        0b0010 => (1, 4),
        0b0100 => (3, 3),
        0b0110 => (1, 3),
        0b0111 => (1, 1),
        0b1000 => (2, 2),
        0b1010 => (1, 2),
        _ => return Err(Undefined),
    };
    if n > 1 && size == 8 && !q {
        return Err(Undefined);
    }
    let width = if q { 16 } else { 8 };
    let ty = if q { Type::V128 } else { Type::F64 };
    let base = cx.gpr_sp(true, rn(w));
    let mut v = [base; 4];
    let v = &mut v[..registers as usize];
    if load {
        for (i, v) in v.iter_mut().enumerate() {
            let addr = cx.b.add_imm(base, (i as u32 * width) as i64);
            *v = cx.b.load(ty, addr);
        }
        for v in v.iter_mut().filter(|_| !q) {
            *v = cx.b.pure(PureOp::VFromScalar, &[*v]);
        }
        for r in 0..registers {
            let value = if n == 1 {
                v[r as usize]
            } else {
                // Chunk k of memory is vector k, of which `width` bytes count.
                gather(cx, v, |i| {
                    let at = memory_byte(n, r, size, i);
                    (i < width).then_some(at / width * 16 + at % width)
                })
            };
            cx.set_vec(register(w, r), value);
        }
    } else {
        for (i, v) in v.iter_mut().enumerate() {
            *v = cx.vec(register(w, i as u32));
        }
        for k in 0..registers {
            let chunk = if n == 1 {
                v[k as usize]
            } else {
                gather(cx, v, |i| {
                    let element = (k * width + i) / size;
                    let byte = element / n * size + i % size;
                    (i < width).then_some(element % n * 16 + byte)
                })
            };
            let value = if q { chunk } else { cx.b.pure_ty(PureOp::VToScalar, ty, &[chunk]) };
            let addr = cx.b.add_imm(base, (k * width) as i64);
            cx.b.store(addr, value);
        }
    }
    write_back(cx, w, base, registers * width);
    Ok(None)
}

/// Number of structure elements of a single-structure form: R (bit 21) and bit 13.
fn elements(w: u32) -> u32 {
    (bits(w, 13, 13) << 1 | bits(w, 21, 21)) + 1
}

/// `LDn|STn {Vt.T, …}[index], [Xn|SP]{, Xm|#imm}`.
fn single(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (q, s, size) = (bits(w, 30, 30), bits(w, 12, 12), bits(w, 11, 10));
    let (log2, index) = match bits(w, 15, 14) {
        0 => (0, q << 3 | s << 2 | size),
        1 if size & 1 == 0 => (1, q << 2 | s << 1 | size >> 1),
        2 if size == 0 => (2, q << 1 | s),
        2 if size == 1 && s == 0 => (3, q),
        _ => return Err(Undefined),
    };
    let lane = Lane::of_bits(8 << log2);
    let n = elements(w);
    let base = cx.gpr_sp(true, rn(w));
    let mut v = [base; 4];
    for i in 0..n {
        let addr = cx.b.add_imm(base, (i << log2) as i64);
        let t = register(w, i);
        if bit(w, 22) {
            let element = cx.b.load(lane.scalar(), addr);
            let old = cx.vec(t);
            v[i as usize] = cx.b.pure(PureOp::VInsert(lane, index as u8), &[old, element]);
        } else {
            let vec = cx.vec(t);
            let element = if index == 0 {
                cx.b.pure_ty(PureOp::VToScalar, vec_type(log2), &[vec])
            } else {
                cx.b.pure(PureOp::VExtract(lane, index as u8), &[vec])
            };
            cx.b.store(addr, element);
        }
    }
    if bit(w, 22) {
        for i in 0..n {
            cx.set_vec(register(w, i), v[i as usize]);
        }
    }
    write_back(cx, w, base, n << log2);
    Ok(None)
}

/// `LDnR {Vt.T, …}, [Xn|SP]{, Xm|#imm}`.
fn replicate(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let log2 = bits(w, 11, 10);
    let lane = Lane::of_bits(8 << log2);
    let n = elements(w);
    let base = cx.gpr_sp(true, rn(w));
    let mut v = [base; 4];
    for i in 0..n {
        let addr = cx.b.add_imm(base, (i << log2) as i64);
        v[i as usize] = cx.b.load(lane.scalar(), addr);
    }
    for i in 0..n {
        let splat = cx.b.pure(PureOp::VSplat(lane), &[v[i as usize]]);
        cx.set_vec_q(register(w, i), bit(w, 30), splat);
    }
    write_back(cx, w, base, n << log2);
    Ok(None)
}
