//! Every data operation in every combination of types, compiled and run, against the evaluator: results, and the
//! cumulative floating-point flags (none for the others), in each rounding mode.
#![allow(unsafe_code)]

mod harness;

use abi::GuestState;
use emit_llvm::Checkpoints;
use harness::*;
use ir::eval::{Bits, FpEnv, eval};
use ir::*;
use isa::a64::{FILE, reg};

/// `v0 = op(…)`, operands of any type from the low bits of v1–v3 (i1: the flags N, Z, C).
fn function_of(n: usize, op: &TypedOp) -> Function {
    let entry = GuestAddr(0x10000 + 4 * n as u64);
    let mut b = Builder::new(&FILE, entry);
    b.mark(entry);
    let args: Vec<Value> = op
        .operands()
        .iter()
        .enumerate()
        .map(|(i, &ty)| match ty {
            Type::I1 => b.get([reg::N, reg::Z, reg::C][i]),
            Type::V128 => b.get(reg::v(i as u32 + 1)),
            Type::I128 => {
                let v = b.get(reg::v(i as u32 + 1));
                b.bitcast(Type::I128, v)
            }
            _ => {
                let v = b.get(reg::v(i as u32 + 1));
                b.pure_ty(PureOp::VToScalar, ty, &[v])
            }
        })
        .collect();
    let r = b.pure_ty(op.op, op.ty, &args);
    let r = match op.ty {
        Type::V128 => r,
        Type::I128 => b.bitcast(Type::V128, r),
        Type::I1 => {
            let r = b.zext_or_trunc(Type::I64, r);
            b.pure(PureOp::VFromScalar, &[r])
        }
        _ => b.pure(PureOp::VFromScalar, &[r]),
    };
    b.set(reg::v(0), r);
    let lr = b.get(reg::LR);
    Function { name: format!("op{n}"), entry, blocks: vec![b.finish(Term::Return(lr))] }
}

fn check(opt: u8, cpu: &str, rounds: usize) {
    let ops = TypedOp::all();
    let functions: Vec<Function> = ops.iter().enumerate().map(|(n, op)| function_of(n, op)).collect();
    let mut options = options(opt, Checkpoints::Callbr);
    options.cpu = cpu.into();
    options.text_size = 4 * functions.len() as u64;
    let program = Program::new(&functions, &options);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut failures: Vec<(usize, String)> = Vec::new();
    for (n, op) in ops.iter().enumerate() {
        for round in 0..rounds {
            let rmode = if op.op.uses_fp_env() { round as u32 % 4 } else { 0 };
            let args: Vec<Bits> =
                op.operands().iter().map(|&t| Bits::new(t, operand(t, &mut random))).collect();
            let mut state = GuestState::default();
            state.x[30] = 0x4000_1234;
            // FZ as it is when all that it raises was raised before (else the host would trap), and DN.
            let (fz, dn) =
                if op.op.uses_fp_env() { (round & 4 != 0, round & 8 != 0) } else { (false, false) };
            state.fpcr = rmode << 22 | (fz as u32) << 24 | (dn as u32) << 25;
            state.fpsr = if fz { 0x98 } else { 0 };
            for (i, a) in args.iter().enumerate() {
                if a.ty == Type::I1 {
                    state.nzcv[i] = a.bits as u8;
                } else {
                    // Bits above the type's width are the emitter's to ignore.
                    let noise = (random.next() as u128) << 64 | random.next() as u128;
                    let bits = a.bits | noise & !a.ty.mask();
                    state.v[i + 1] = [bits as u64, (bits >> 64) as u64];
                }
            }
            let mut env = FpEnv { fpcr: state.fpcr, fpsr: state.fpsr };
            let expected = eval(op.op, op.ty, &args, &mut env);
            set_mxcsr(0x1f80 | [0, 2, 1, 3][rmode as usize] << 13 | if fz { 0x8040 } else { 0 });
            let pc = program.run(n, &mut state);
            let flags = mxcsr();
            set_mxcsr(0x1f80);
            assert_eq!(pc, 0x4000_1234, "{op}");
            let got = state.v[0][0] as u128 | (state.v[0][1] as u128) << 64;
            let fpsr = state.fpsr | fpsr_of(flags);
            if got != expected || fpsr != env.fpsr {
                failures.push((
                    n,
                    format!(
                        "{op} rmode {rmode} fz {fz} dn {dn} {:x?}: got {got:x} fpsr {fpsr:x}, expected {expected:x} fpsr {:x}",
                        args.iter().map(|a| a.bits).collect::<Vec<_>>(),
                        env.fpsr
                    ),
                ));
            }
        }
    }
    let mut shown = String::new();
    let mut last = (usize::MAX, 0);
    for (n, text) in &failures {
        last = if last.0 == *n { (*n, last.1 + 1) } else { (*n, 0) };
        if last.1 < 2 {
            shown += text;
            shown.push('\n');
        }
    }
    assert!(failures.is_empty(), "{} failures at -O{opt} for {cpu}\n{shown}", failures.len());
}

#[test]
fn all_operations_at_o0() {
    check(0, "x86-64-v2", 30);
}

#[test]
fn all_operations_at_o1() {
    check(1, "x86-64-v2", 30);
}

#[test]
fn all_operations_at_o2() {
    check(2, "x86-64-v2", 200);
}

#[test]
fn all_operations_at_o3() {
    check(3, "x86-64-v2", 30);
}

#[test]
fn all_operations_on_this_host() {
    check(2, "native", 60);
}

/// LLVM 19 makes `vpmaddwd` of products with lanes that it knows to be zero, with operands that are both undefined in halves of
/// those lanes, for processors with AVX-512: a random test of SQRDMLSH on such a host found lanes above the result that were not zero.
#[test]
fn products_of_widened_scalars_are_whole() {
    let mut b = Builder::new(&FILE, GuestAddr(0x10000));
    let widen = PureOp::VWiden { lane: Lane::H8, signed: true, high: false };
    let lanes = b.get(reg::v(1));
    let lanes = b.pure(widen, &[lanes]);
    let scalar = b.get(reg::v(2));
    let scalar = b.pure_ty(PureOp::VToScalar, Type::I16, &[scalar]);
    let scalar = b.pure(PureOp::VFromScalar, &[scalar]);
    let scalar = b.pure(widen, &[scalar]);
    let product = b.pure(PureOp::V(VBin::Mul, Lane::S4), &[scalar, lanes]);
    b.set(reg::v(0), product);
    let lr = b.get(reg::LR);
    let f =
        Function { name: "f".into(), entry: GuestAddr(0x10000), blocks: vec![b.finish(Term::Return(lr))] };
    let with = emit_llvm::Options { cpu: "x86-64-v4".into(), ..options(2, Checkpoints::Callbr) };
    let text = emit_llvm::emit_asm_text(&f, &with, &|_| None).unwrap();
    assert!(text.contains("vpmulld") && !text.contains("vpmaddwd"), "{text}");
}
