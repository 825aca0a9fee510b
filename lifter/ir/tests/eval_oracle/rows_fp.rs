//! Floating-point instructions in all shapes.

use super::*;
use ir::{FBin, FCmp, FShape, FUn, Helper, Round};

/// Assembly names of operands 0…3 in that shape.
fn regs(shape: FShape) -> [String; 4] {
    std::array::from_fn(|i| {
        if shape.is_vector() { format!("v{i}.{}", shape.name()) } else { format!("{}{i}", shape.name()) }
    })
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for shape in FShape::ALL.into_iter().filter(|s| !s.standard()) {
        arithmetic(&mut rows, shape);
        comparisons(&mut rows, shape);
        conversions(&mut rows, shape);
    }
    formats(&mut rows);
    rows.push(row("fjcvtzs w4, d1".into(), 64, Out::XZ, |i, env| {
        ev(PureOp::Helper(Helper::JsCvt), Type::I64, &[(Type::F64, i.v[1])], env)
    }));
    rows
}

fn arithmetic(rows: &mut Vec<Row>, shape: FShape) {
    let (ty, n, [r0, r1, r2, r3]) = (shape.ty(), shape.bits(), regs(shape));
    for (asm, op) in [
        ("fadd", FBin::Add),
        ("fsub", FBin::Sub),
        ("fmul", FBin::Mul),
        ("fdiv", FBin::Div),
        ("fmulx", FBin::MulX),
        ("fmax", FBin::Max),
        ("fmin", FBin::Min),
        ("fmaxnm", FBin::MaxNum),
        ("fminnm", FBin::MinNum),
        ("frecps", FBin::RecipStep),
        ("frsqrts", FBin::RsqrtStep),
        ("fabd", FBin::AbsDiff),
    ] {
        rows.push(row(format!("{asm} {r0}, {r1}, {r2}"), n, Out::V, move |i, env| {
            ev(PureOp::F(op, shape), ty, &[(ty, i.v[1]), (ty, i.v[2])], env)
        }));
    }
    for (asm, op) in [
        ("fabs", FUn::Abs),
        ("fneg", FUn::Neg),
        ("fsqrt", FUn::Sqrt),
        ("frecpe", FUn::RecipEst),
        ("frsqrte", FUn::RsqrtEst),
        ("frecpx", FUn::RecpX),
    ] {
        if op != FUn::RecpX || !shape.is_vector() {
            rows.push(row(format!("{asm} {r0}, {r1}"), n, Out::V, move |i, env| {
                ev(PureOp::FUn(op, shape), ty, &[(ty, i.v[1])], env)
            }));
        }
    }
    let asm = if shape.is_vector() {
        format!("fmla {r0}, {r1}, {r2}")
    } else {
        format!("fmadd {r0}, {r1}, {r2}, {r3}")
    };
    rows.push(row(asm, n, Out::V, move |i, env| {
        let addend = if shape.is_vector() { i.v[0] } else { i.v[3] };
        ev(PureOp::FMulAdd(shape), ty, &[(ty, i.v[1]), (ty, i.v[2]), (ty, addend)], env)
    }));
}

fn comparisons(rows: &mut Vec<Row>, shape: FShape) {
    let (ty, n, [r0, r1, r2, _]) = (shape.ty(), shape.bits(), regs(shape));
    if !shape.is_vector() {
        for (asm, signaling) in [("fcmp", false), ("fcmpe", true)] {
            rows.push(row(format!("{asm} {r1}, {r2}"), n, Out::Flags, move |i, env| {
                let mut holds = |cmp| {
                    let args = [(ty, i.v[1]), (ty, i.v[2])];
                    ev(PureOp::FCmp { cmp, signaling, shape }, Type::I1, &args, env) != 0
                };
                let [eq, lt, gt] = [FCmp::Eq, FCmp::Lt, FCmp::Gt].map(&mut holds);
                let [ge, le, un] = [FCmp::Ge, FCmp::Le, FCmp::Unordered].map(&mut holds);
                assert_eq!((ge, le, un), (gt || eq, lt || eq, !(lt || eq || gt)));
                if un {
                    3 << 28
                } else if lt {
                    8 << 28
                } else if eq {
                    6 << 28
                } else {
                    2 << 28
                }
            }));
        }
        return;
    }
    for (asm, cmp, signaling, abs) in [
        ("fcmeq", FCmp::Eq, false, false),
        ("fcmge", FCmp::Ge, true, false),
        ("fcmgt", FCmp::Gt, true, false),
        ("facge", FCmp::Ge, true, true),
        ("facgt", FCmp::Gt, true, true),
    ] {
        rows.push(row(format!("{asm} {r0}, {r1}, {r2}"), n, Out::V, move |i, env| {
            let mut arg = |v| (V, if abs { ev(PureOp::FUn(FUn::Abs, shape), V, &[(V, v)], env) } else { v });
            let args = [arg(i.v[1]), arg(i.v[2])];
            ev(PureOp::FCmp { cmp, signaling, shape }, V, &args, env)
        }));
    }
    for (asm, cmp) in [("fcmlt", FCmp::Lt), ("fcmle", FCmp::Le)] {
        rows.push(row(format!("{asm} {r0}, {r1}, #0.0"), n, Out::V, move |i, env| {
            ev(PureOp::FCmp { cmp, signaling: true, shape }, V, &[(V, i.v[1]), (V, 0)], env)
        }));
    }
}

const MODES: [(&str, Round); 5] = [
    ("n", Round::TieEven),
    ("p", Round::PlusInf),
    ("m", Round::MinusInf),
    ("z", Round::Zero),
    ("a", Round::TieAway),
];

fn conversions(rows: &mut Vec<Row>, shape: FShape) {
    let (ty, n, [r0, r1, ..]) = (shape.ty(), shape.bits(), regs(shape));
    for (m, round, exact) in MODES
        .map(|(m, r)| (m, r, false))
        .into_iter()
        .chain([("x", Round::Current, true), ("i", Round::Current, false)])
    {
        rows.push(row(format!("frint{m} {r0}, {r1}"), n, Out::V, move |i, env| {
            ev(PureOp::FRound { shape, round, exact }, ty, &[(ty, i.v[1])], env)
        }));
    }
    for (s, signed) in [("s", true), ("u", false)] {
        let to_int = |round, fbits| PureOp::FToInt { shape, signed, round, fbits };
        let from_int = |fbits| PureOp::IntToF { shape, signed, fbits };
        if shape.is_vector() {
            for (m, round) in MODES {
                let op = to_int(round, 0);
                rows.push(row(format!("fcvt{m}{s} {r0}, {r1}"), n, Out::V, move |i, env| {
                    ev(op, V, &[(V, i.v[1])], env)
                }));
            }
            let op = from_int(0);
            rows.push(row(format!("{s}cvtf {r0}, {r1}"), n, Out::V, move |i, env| {
                ev(op, V, &[(V, i.v[1])], env)
            }));
            for fbits in [1, n / 2, n] {
                let op = to_int(Round::Zero, fbits as u8);
                rows.push(row(format!("fcvtz{s} {r0}, {r1}, #{fbits}"), n, Out::V, move |i, env| {
                    ev(op, V, &[(V, i.v[1])], env)
                }));
                let op = from_int(fbits as u8);
                rows.push(row(format!("{s}cvtf {r0}, {r1}, #{fbits}"), n, Out::V, move |i, env| {
                    ev(op, V, &[(V, i.v[1])], env)
                }));
            }
            continue;
        }
        // Advanced SIMD scalar: the integer has the float's width, so an i16 for half precision.
        let int = Type::int(n);
        let op = to_int(Round::Zero, 0);
        rows.push(row(format!("fcvtz{s} {r0}, {r1}"), n, Out::V, move |i, env| {
            ev(op, int, &[(ty, i.v[1])], env)
        }));
        let op = from_int(0);
        rows.push(row(format!("{s}cvtf {r0}, {r1}"), n, Out::V, move |i, env| {
            ev(op, ty, &[(int, i.v[1])], env)
        }));
        for (r, int) in [("w", Type::I32), ("x", Type::I64)] {
            for (m, round) in MODES {
                let op = to_int(round, 0);
                rows.push(row(format!("fcvt{m}{s} {r}4, {r1}"), n, Out::X, move |i, env| {
                    ev(op, int, &[(ty, i.v[1])], env)
                }));
            }
            let op = from_int(0);
            rows.push(row(format!("{s}cvtf {r0}, {r}2"), n, Out::V, move |i, env| {
                ev(op, ty, &[(int, i.x[0] as u128)], env)
            }));
            for fbits in [1, 13, int.bits()] {
                let op = to_int(Round::Zero, fbits as u8);
                rows.push(row(format!("fcvtz{s} {r}4, {r1}, #{fbits}"), n, Out::X, move |i, env| {
                    ev(op, int, &[(ty, i.v[1])], env)
                }));
                let op = from_int(fbits as u8);
                rows.push(row(format!("{s}cvtf {r0}, {r}2, #{fbits}"), n, Out::V, move |i, env| {
                    ev(op, ty, &[(int, i.x[0] as u128)], env)
                }));
            }
        }
    }
}

/// Conversions between formats.
fn formats(rows: &mut Vec<Row>) {
    let names = [("h", Type::F16), ("s", Type::F32), ("d", Type::F64)];
    for (f, from) in names {
        for (t, to) in names.into_iter().filter(|&(_, to)| to != from) {
            rows.push(row(format!("fcvt {t}0, {f}1"), from.bits(), Out::V, move |i, env| {
                ev(PureOp::FConvert(Round::Current), to, &[(from, i.v[1])], env)
            }));
        }
    }
    rows.push(row("fcvtxn s0, d1".into(), 64, Out::V, |i, env| {
        ev(PureOp::FConvert(Round::Odd), Type::F32, &[(Type::F64, i.v[1])], env)
    }));
    for (asm, op) in [
        ("fcvtl v0.4s, v1.4h", PureOp::FWiden { from: FShape::V4H, high: false }),
        ("fcvtl2 v0.4s, v1.8h", PureOp::FWiden { from: FShape::V4H, high: true }),
        ("fcvtl v0.2d, v1.2s", PureOp::FWiden { from: FShape::V2S, high: false }),
        ("fcvtl2 v0.2d, v1.4s", PureOp::FWiden { from: FShape::V2S, high: true }),
        ("fcvtn v0.4h, v1.4s", PureOp::FNarrow { from: FShape::V4S, round: Round::Current }),
        ("fcvtn v0.2s, v1.2d", PureOp::FNarrow { from: FShape::V2D, round: Round::Current }),
        ("fcvtxn v0.2s, v1.2d", PureOp::FNarrow { from: FShape::V2D, round: Round::Odd }),
    ] {
        let width = match op {
            PureOp::FWiden { from, .. } | PureOp::FNarrow { from, .. } => from.bits(),
            _ => unreachable!(),
        };
        rows.push(row(asm.into(), width, Out::V, move |i, env| ev(op, V, &[(V, i.v[1])], env)));
    }
}
