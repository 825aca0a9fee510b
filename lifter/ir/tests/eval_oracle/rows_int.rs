//! Scalar integer instructions and CRC-32.

use super::*;
use ir::{Helper, IntBin, IntCmp, IntUn};

/// General registers of that width, and its type.
const WIDTHS: [(&str, Type); 2] = [("w", Type::I32), ("x", Type::I64)];

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (r, ty) in WIDTHS {
        let n = ty.bits();
        let mut bin = |asm: &str, op: IntBin| {
            rows.push(row(format!("{asm} {r}4, {r}2, {r}3"), n, Out::X, move |i, env| {
                ev(PureOp::Int(op), ty, &[(ty, i.x[0] as u128), (ty, i.x[1] as u128)], env)
            }));
        };
        bin("add", IntBin::Add);
        bin("sub", IntBin::Sub);
        bin("mul", IntBin::Mul);
        bin("udiv", IntBin::UDiv);
        bin("sdiv", IntBin::SDiv);
        bin("and", IntBin::And);
        bin("orr", IntBin::Or);
        bin("eor", IntBin::Xor);
        bin("ror", IntBin::Rotr);
        if n == 64 {
            bin("umulh", IntBin::UMulHi);
            bin("smulh", IntBin::SMulHi);
        }
        for (asm, op) in [("lsl", IntBin::Shl), ("lsr", IntBin::Lshr), ("asr", IntBin::Ashr)] {
            rows.push(row(format!("{asm} {r}4, {r}2, {r}3"), n, Out::X, move |i, env| {
                let by = i.x[1] as u128 & (n as u128 - 1);
                ev(PureOp::Int(op), ty, &[(ty, i.x[0] as u128), (ty, by)], env)
            }));
        }
        let mut un = |asm: &str, op: IntUn| {
            rows.push(row(format!("{asm} {r}4, {r}2"), n, Out::X, move |i, env| {
                ev(PureOp::IntUn(op), ty, &[(ty, i.x[0] as u128)], env)
            }));
        };
        un("mvn", IntUn::Not);
        un("neg", IntUn::Neg);
        un("clz", IntUn::Clz);
        un("cls", IntUn::Cls);
        un("rbit", IntUn::Rbit);
        un("rev", IntUn::Bswap);
        for (cond, op) in [
            ("eq", IntCmp::Eq),
            ("ne", IntCmp::Ne),
            ("lo", IntCmp::Ult),
            ("ls", IntCmp::Ule),
            ("hi", IntCmp::Ugt),
            ("hs", IntCmp::Uge),
            ("lt", IntCmp::Slt),
            ("le", IntCmp::Sle),
            ("gt", IntCmp::Sgt),
            ("ge", IntCmp::Sge),
        ] {
            rows.push(row(format!("cmp {r}2, {r}3\n cset {r}4, {cond}"), n, Out::X, move |i, env| {
                ev(PureOp::Cmp(op), Type::I1, &[(ty, i.x[0] as u128), (ty, i.x[1] as u128)], env)
            }));
        }
        for (asm, carry, invert) in [("adds", 0, false), ("subs", 1, true)] {
            rows.push(row(format!("{asm} {r}4, {r}2, {r}3"), n, Out::Flags, move |i, env| {
                let b = if invert { !i.x[1] } else { i.x[1] } as u128;
                let args = [(ty, i.x[0] as u128), (ty, b), (Type::I1, carry)];
                let c = ev(PureOp::CarryOut, Type::I1, &args, env);
                let v = ev(PureOp::Overflow, Type::I1, &args, env);
                let s = (i.x[0] as u128 + (b & ty.mask()) + carry) & ty.mask();
                (s >> (n - 1)) << 31 | ((s == 0) as u128) << 30 | c << 29 | v << 28
            }));
        }
    }
    for (asm, bits, r, c) in [
        ("crc32b", 8, "w", false),
        ("crc32h", 16, "w", false),
        ("crc32w", 32, "w", false),
        ("crc32x", 64, "x", false),
        ("crc32cb", 8, "w", true),
        ("crc32ch", 16, "w", true),
        ("crc32cw", 32, "w", true),
        ("crc32cx", 64, "x", true),
    ] {
        let op = if c { Helper::Crc32c { bits } } else { Helper::Crc32 { bits } };
        rows.push(row(format!("{asm} w4, w2, {r}3"), 64, Out::X, move |i, env| {
            ev(
                PureOp::Helper(op),
                Type::I32,
                &[(Type::I32, i.x[0] as u128), (Type::I64, i.x[1] as u128)],
                env,
            )
        }));
    }
    rows
}
