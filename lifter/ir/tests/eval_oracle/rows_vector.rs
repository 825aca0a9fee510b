//! Integer vector and cryptographic instructions.

use super::*;
use ir::{Helper, IntCmp, Lane, VBin, VBit, VReduce, VSat, VShift, VUn};

const QC: u32 = 1 << 27;

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for lane in Lane::ALL {
        lanes(&mut rows, lane);
        saturating(&mut rows, lane);
    }
    whole(&mut rows);
    crypto(&mut rows);
    rows
}

/// v0 = op(v1, v2), both in the arrangement of `lane`.
fn two(rows: &mut Vec<Row>, asm: &str, lane: Lane, op: PureOp) {
    let t = lane.name();
    rows.push(row(format!("{asm} v0.{t}, v1.{t}, v2.{t}"), lane.bits(), Out::V, move |i, env| {
        ev(op, V, &[(V, i.v[1]), (V, i.v[2])], env)
    }));
}

/// v0 = op(v1).
fn one(rows: &mut Vec<Row>, asm: String, width: u32, op: PureOp) {
    rows.push(row(asm, width, Out::V, move |i, env| ev(op, V, &[(V, i.v[1])], env)));
}

fn lanes(rows: &mut Vec<Row>, lane: Lane) {
    let (t, n) = (lane.name(), lane.bits());
    let d2 = lane == Lane::D2;
    for (asm, op, wide) in [
        ("add", VBin::Add, true),
        ("sub", VBin::Sub, true),
        ("mul", VBin::Mul, false),
        ("smin", VBin::SMin, false),
        ("smax", VBin::SMax, false),
        ("umin", VBin::UMin, false),
        ("umax", VBin::UMax, false),
        ("shadd", VBin::SHAdd, false),
        ("uhadd", VBin::UHAdd, false),
        ("srhadd", VBin::SRHAdd, false),
        ("urhadd", VBin::URHAdd, false),
        ("shsub", VBin::SHSub, false),
        ("uhsub", VBin::UHSub, false),
        ("sabd", VBin::SAbsDiff, false),
        ("uabd", VBin::UAbsDiff, false),
        ("sshl", VBin::SShl, true),
        ("ushl", VBin::UShl, true),
        ("srshl", VBin::SRShl, true),
        ("urshl", VBin::URShl, true),
    ] {
        if wide || !d2 {
            two(rows, asm, lane, PureOp::V(op, lane));
        }
    }
    for (asm, op) in [
        ("cmeq", IntCmp::Eq),
        ("cmge", IntCmp::Sge),
        ("cmgt", IntCmp::Sgt),
        ("cmhi", IntCmp::Ugt),
        ("cmhs", IntCmp::Uge),
    ] {
        two(rows, asm, lane, PureOp::VCmp(op, lane));
    }
    for (asm, op) in [("cmlt", IntCmp::Slt), ("cmle", IntCmp::Sle)] {
        rows.push(row(format!("{asm} v0.{t}, v1.{t}, #0"), n, Out::V, move |i, env| {
            ev(PureOp::VCmp(op, lane), V, &[(V, i.v[1]), (V, 0)], env)
        }));
    }
    for (asm, op, all) in
        [("neg", VUn::Neg, true), ("abs", VUn::Abs, true), ("clz", VUn::Clz, false), ("cls", VUn::Cls, false)]
    {
        if all || !d2 {
            one(rows, format!("{asm} v0.{t}, v1.{t}"), n, PureOp::VUn(op, lane));
        }
    }
    for by in [1, 2, n / 2, n / 2 + 1, n - 1, n] {
        for (asm, op) in [
            ("ushr", VShift::UShr),
            ("sshr", VShift::SShr),
            ("urshr", VShift::URShr),
            ("srshr", VShift::SRShr),
        ] {
            let asm = format!("{asm} v0.{t}, v1.{t}, #{by}");
            one(rows, asm, n, PureOp::VShiftImm(op, lane, by as u8));
        }
        let by = by - 1;
        one(rows, format!("shl v0.{t}, v1.{t}, #{by}"), n, PureOp::VShiftImm(VShift::Shl, lane, by as u8));
    }
    let (gpr, elem) = if d2 { ("x", "d") } else { ("w", &t[t.len() - 1..]) };
    rows.push(row(format!("dup v0.{t}, {gpr}2"), n, Out::V, move |i, env| {
        ev(PureOp::VSplat(lane), V, &[(lane.scalar(), i.x[0] as u128)], env)
    }));
    let index = lane.count() as u8 - 1;
    rows.push(row(format!("umov {gpr}4, v1.{elem}[{index}]"), n, Out::X, move |i, env| {
        ev(PureOp::VExtract(lane, index), lane.scalar(), &[(V, i.v[1])], env)
    }));
    rows.push(row(format!("ins v0.{elem}[{index}], {gpr}2"), n, Out::V, move |i, env| {
        ev(PureOp::VInsert(lane, index), V, &[(V, i.v[0]), (lane.scalar(), i.x[0] as u128)], env)
    }));
    if d2 {
        one(rows, "addp d0, v1.2d".into(), n, PureOp::VReduce(VReduce::Add, lane));
    } else {
        for (asm, op) in [
            ("addv", VReduce::Add),
            ("sminv", VReduce::SMin),
            ("smaxv", VReduce::SMax),
            ("uminv", VReduce::UMin),
            ("umaxv", VReduce::UMax),
        ] {
            rows.push(row(format!("{asm} {elem}0, v1.{t}"), n, Out::V, move |i, env| {
                ev(PureOp::VReduce(op, lane), lane.scalar(), &[(V, i.v[1])], env)
            }));
        }
        let wide = lane.wider().unwrap().name();
        let half = ["8b", "4h", "2s"][lane as usize];
        for (asm, signed) in [("sxtl", true), ("uxtl", false)] {
            let op = |high| PureOp::VWiden { lane, signed, high };
            one(rows, format!("{asm} v0.{wide}, v1.{half}"), n, op(false));
            one(rows, format!("{asm}2 v0.{wide}, v1.{t}"), n, op(true));
        }
    }
}

/// A saturating operation with its QC.
fn sat(op: VSat, lane: Lane, a: u128, b: u128, env: &mut FpEnv) -> u128 {
    let args = [(V, a), (V, b)];
    if ev(PureOp::VSatQc(op, lane), Type::I1, &args, env) != 0 {
        env.fpsr |= QC;
    }
    ev(PureOp::VSat(op, lane), V, &args, env)
}

fn saturating(rows: &mut Vec<Row>, lane: Lane) {
    let (t, n) = (lane.name(), lane.bits());
    let mut three = |asm: &str, op: VSat| {
        rows.push(row(format!("{asm} v0.{t}, v1.{t}, v2.{t}"), n, Out::V, move |i, env| {
            sat(op, lane, i.v[1], i.v[2], env)
        }));
    };
    three("sqadd", VSat::SQAdd);
    three("uqadd", VSat::UQAdd);
    three("sqsub", VSat::SQSub);
    three("uqsub", VSat::UQSub);
    three("sqshl", VSat::SQShl);
    three("uqshl", VSat::UQShl);
    three("sqrshl", VSat::SQRShl);
    three("uqrshl", VSat::UQRShl);
    if matches!(lane, Lane::H8 | Lane::S4) {
        three("sqdmulh", VSat::SQDMulH);
        three("sqrdmulh", VSat::SQRDMulH);
    }
    for (asm, op) in [("suqadd", VSat::SUQAdd), ("usqadd", VSat::USQAdd)] {
        rows.push(row(format!("{asm} v0.{t}, v1.{t}"), n, Out::V, move |i, env| {
            sat(op, lane, i.v[0], i.v[1], env)
        }));
    }
    for (asm, op) in [("sqabs", VSat::SQAbs), ("sqneg", VSat::SQNeg)] {
        rows.push(row(format!("{asm} v0.{t}, v1.{t}"), n, Out::V, move |i, env| {
            sat(op, lane, i.v[1], i.v[2], env)
        }));
    }
    for by in [0, 1, n / 2, n - 1] {
        for (asm, op) in [("sqshl", VSat::SQShl), ("uqshl", VSat::UQShl), ("sqshlu", VSat::SQShlu)] {
            rows.push(row(format!("{asm} v0.{t}, v1.{t}, #{by}"), n, Out::V, move |i, env| {
                let b = ev(PureOp::VSplat(lane), V, &[(lane.scalar(), by as u128)], env);
                sat(op, lane, i.v[1], b, env)
            }));
        }
    }
    if lane != Lane::B16 {
        let half = ["", "8b", "4h", "2s"][lane as usize];
        one(rows, format!("xtn v0.{half}, v1.{t}"), n, PureOp::VNarrow(lane));
        for (asm, op) in [("sqxtn", VSat::SQXtn), ("uqxtn", VSat::UQXtn), ("sqxtun", VSat::SQXtun)] {
            rows.push(row(format!("{asm} v0.{half}, v1.{t}"), n / 2, Out::V, move |i, env| {
                sat(op, lane, i.v[1], 0, env)
            }));
        }
    }
}

/// What has no lanes, or bytes.
fn whole(rows: &mut Vec<Row>) {
    for (asm, op) in [
        ("and", VBit::And),
        ("orr", VBit::Or),
        ("eor", VBit::Xor),
        ("bic", VBit::AndNot),
        ("orn", VBit::OrNot),
    ] {
        two(rows, asm, Lane::B16, PureOp::VBit(op));
    }
    two(rows, "pmul", Lane::B16, PureOp::V(VBin::PMul, Lane::B16));
    for (asm, op) in [("not", VUn::Not), ("cnt", VUn::Popcnt), ("rbit", VUn::Rbit)] {
        one(rows, format!("{asm} v0.16b, v1.16b"), 8, PureOp::VUn(op, Lane::B16));
    }
    for (asm, op) in [("urecpe", VUn::RecipEst), ("ursqrte", VUn::RsqrtEst)] {
        one(rows, format!("{asm} v0.4s, v1.4s"), 32, PureOp::VUn(op, Lane::S4));
    }
    rows.push(row("bsl v0.16b, v1.16b, v2.16b".into(), 64, Out::V, |i, env| {
        ev(PureOp::VBitSelect, V, &[(V, i.v[0]), (V, i.v[1]), (V, i.v[2])], env)
    }));
    let sel = std::array::from_fn(|i| i as u8 + 5);
    rows.push(row("ext v0.16b, v1.16b, v2.16b, #5".into(), 8, Out::V, move |i, env| {
        ev(PureOp::VShuffle(sel), V, &[(V, i.v[1]), (V, i.v[2])], env)
    }));
    let sel = std::array::from_fn(|i| if i < 8 { 2 * i as u8 } else { 32 });
    rows.push(row("xtn v0.8b, v1.8h".into(), 8, Out::V, move |i, env| {
        ev(PureOp::VShuffle(sel), V, &[(V, i.v[1]), (V, i.v[2])], env)
    }));
    rows.push(row("tbl v0.16b, {v1.16b}, v2.16b".into(), 8, Out::V, |i, env| {
        ev(PureOp::VLookup, V, &[(V, i.v[1]), (V, i.v[2])], env)
    }));
    rows.push(row("fmov d0, x2".into(), 64, Out::V, |i, env| {
        ev(PureOp::VFromScalar, V, &[(Type::I64, i.x[0] as u128)], env)
    }));
    rows.push(row("fmov w4, s1".into(), 64, Out::X, |i, env| {
        ev(PureOp::VToScalar, Type::F32, &[(V, i.v[1])], env)
    }));
    one(rows, "mov v0.8b, v1.8b".into(), 8, PureOp::VLow64);
    for (asm, high) in [("pmull v0.8h, v1.8b, v2.8b", false), ("pmull2 v0.8h, v1.16b, v2.16b", true)] {
        rows.push(row(asm.into(), 8, Out::V, move |i, env| {
            ev(PureOp::VPMull8 { high }, V, &[(V, i.v[1]), (V, i.v[2])], env)
        }));
    }
}

fn crypto(rows: &mut Vec<Row>) {
    for (asm, op) in [
        ("aese v0.16b, v1.16b", Helper::AesE),
        ("aesd v0.16b, v1.16b", Helper::AesD),
        ("sha1su1 v0.4s, v1.4s", Helper::Sha1Su1),
        ("sha256su0 v0.4s, v1.4s", Helper::Sha256Su0),
        ("sha512su0 v0.2d, v1.2d", Helper::Sha512Su0),
    ] {
        rows.push(row(asm.into(), 64, Out::V, move |i, env| {
            ev(PureOp::Helper(op), V, &[(V, i.v[0]), (V, i.v[1])], env)
        }));
    }
    for (asm, op) in [("aesmc v0.16b, v1.16b", Helper::AesMc), ("aesimc v0.16b, v1.16b", Helper::AesImc)] {
        one(rows, asm.into(), 64, PureOp::Helper(op));
    }
    for (asm, op, scalar) in [
        ("sha1c q0, s1, v2.4s", Helper::Sha1C, true),
        ("sha1p q0, s1, v2.4s", Helper::Sha1P, true),
        ("sha1m q0, s1, v2.4s", Helper::Sha1M, true),
        ("sha1su0 v0.4s, v1.4s, v2.4s", Helper::Sha1Su0, false),
        ("sha256h q0, q1, v2.4s", Helper::Sha256H, false),
        ("sha256h2 q0, q1, v2.4s", Helper::Sha256H2, false),
        ("sha256su1 v0.4s, v1.4s, v2.4s", Helper::Sha256Su1, false),
        ("sha512h q0, q1, v2.2d", Helper::Sha512H, false),
        ("sha512h2 q0, q1, v2.2d", Helper::Sha512H2, false),
        ("sha512su1 v0.2d, v1.2d, v2.2d", Helper::Sha512Su1, false),
    ] {
        rows.push(row(asm.into(), 64, Out::V, move |i, env| {
            let n = if scalar { i.v[1] as u32 as u128 } else { i.v[1] };
            ev(PureOp::Helper(op), V, &[(V, i.v[0]), (V, n), (V, i.v[2])], env)
        }));
    }
    rows.push(row("sha1h s0, s1".into(), 32, Out::V, |i, env| {
        ev(PureOp::Helper(Helper::Sha1H), Type::I32, &[(Type::I32, i.v[1])], env)
    }));
    rows.push(row("pmull v0.1q, v1.1d, v2.1d".into(), 64, Out::V, |i, env| {
        ev(PureOp::Helper(Helper::PMull64), V, &[(Type::I64, i.v[1]), (Type::I64, i.v[2])], env)
    }));
}
