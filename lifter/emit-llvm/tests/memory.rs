//! Guest memory accesses in compiled code: loads, stores and atomics of each type, faults with the exact state before the
//! instruction, alignment, and the checkpoint table.
#![allow(unsafe_code)]

mod harness;

use abi::{EXIT_PC, Exit, GuestState};
use emit_llvm::Checkpoints;
use harness::*;
use ir::*;
use isa::a64::{FILE, reg};

const RETURN: u64 = 0x4000_1234;

fn modes() -> Vec<(u8, Checkpoints)> {
    vec![
        (0, Checkpoints::Commit),
        (0, Checkpoints::Callbr),
        (1, Checkpoints::Callbr),
        (2, Checkpoints::Commit),
        (2, Checkpoints::Mixed),
        (2, Checkpoints::Callbr),
        (3, Checkpoints::Callbr),
        (2, Checkpoints::None),
    ]
}

/// One block at 0x10000 + 0x100 n that returns to the link register.
fn function(n: usize, body: impl FnOnce(&mut Builder<'_>)) -> Function {
    let entry = GuestAddr(0x10000 + 0x100 * n as u64);
    let mut b = Builder::new(&FILE, entry);
    b.mark(entry);
    body(&mut b);
    let lr = b.get(reg::LR);
    Function { name: format!("f{n}"), entry, blocks: vec![b.finish(Term::Return(lr))] }
}

fn state() -> GuestState {
    let mut s = GuestState::default();
    for (i, x) in s.x.iter_mut().enumerate() {
        *x = 0x1111 * i as u64;
    }
    s.x[30] = RETURN;
    for (i, v) in s.v.iter_mut().enumerate() {
        *v = [i as u64, !(i as u64)];
    }
    s
}

fn to_v0(b: &mut Builder<'_>, v: Value) {
    let v = match b.ty(v) {
        Type::V128 => v,
        Type::I128 => b.bitcast(Type::V128, v),
        _ => b.pure(PureOp::VFromScalar, &[v]),
    };
    b.set(reg::v(0), v);
}

fn from_v1(b: &mut Builder<'_>, ty: Type) -> Value {
    let v = b.get(reg::v(1));
    match ty {
        Type::V128 => v,
        Type::I128 => b.bitcast(Type::I128, v),
        _ => b.pure_ty(PureOp::VToScalar, ty, &[v]),
    }
}

fn wide(v: [u64; 2]) -> u128 {
    v[0] as u128 | (v[1] as u128) << 64
}

const MEMORY_TYPES: [Type; 9] =
    [Type::I8, Type::I16, Type::I32, Type::I64, Type::I128, Type::F16, Type::F32, Type::F64, Type::V128];

#[test]
fn loads_and_stores() {
    for (opt, checkpoints) in modes() {
        let mut functions = Vec::new();
        for ty in MEMORY_TYPES {
            // Displacement and index, as x86 folds them.
            functions.push(function(functions.len(), |b| {
                let (base, index) = (b.get(reg::x(1)), b.get(reg::x(2)));
                let index = b.shift_imm(IntBin::Shl, index, 2);
                let a = b.add(base, index);
                let a = b.add_imm(a, 5);
                let v = b.load(ty, a);
                to_v0(b, v);
            }));
            for order in [Order::Relaxed, Order::Release] {
                functions.push(function(functions.len(), |b| {
                    let a = b.get(reg::x(1));
                    let value = from_v1(b, ty);
                    b.push(Inst::Store { addr: a, value, order, align: Align::Any }, None);
                }));
            }
        }
        let program = Program::new(&functions, &options(opt, checkpoints));
        let memory: Vec<u8> = (0..64u8).map(|i| i.wrapping_mul(37) ^ 0x80).collect();
        for (i, ty) in MEMORY_TYPES.iter().enumerate() {
            let bytes = ty.bytes() as usize;
            let mut s = state();
            s.x[1] = memory.as_ptr() as u64;
            s.x[2] = 3;
            assert_eq!(program.run(3 * i, &mut s), RETURN);
            let mut expected = [0; 16];
            expected[..bytes].copy_from_slice(&memory[17..17 + bytes]);
            assert_eq!(wide(s.v[0]), u128::from_le_bytes(expected), "{ty} -O{opt} {checkpoints:?}");
            for store in [1, 2] {
                let mut out = [0xaau8; 32];
                let mut s = state();
                s.x[1] = out.as_mut_ptr() as u64 + 3;
                s.v[1] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];
                assert_eq!(program.run(3 * i + store, &mut s), RETURN);
                let mut expected = [0xaau8; 32];
                expected[3..3 + bytes].copy_from_slice(&wide(s.v[1]).to_le_bytes()[..bytes]);
                assert_eq!(out, expected, "{ty} -O{opt} {checkpoints:?}");
            }
        }
    }
}

/// Narrow loads with extensions, one load with several uses.
#[test]
fn extending_loads() {
    for (opt, checkpoints) in modes() {
        let mut functions = Vec::new();
        let mut cases = Vec::new();
        for ty in [Type::I8, Type::I16, Type::I32] {
            for to in [Type::I16, Type::I32, Type::I64] {
                if to.bits() <= ty.bits() {
                    continue;
                }
                for kind in 0..4 {
                    cases.push((ty, to, kind));
                    functions.push(function(functions.len(), |b| {
                        let a = b.get(reg::x(1));
                        let v = b.load(ty, a);
                        let z = b.pure_ty(PureOp::Zext, to, &[v]);
                        let s = b.pure_ty(PureOp::Sext, to, &[v]);
                        let z = b.zext_or_trunc(Type::I64, z);
                        let s = b.zext_or_trunc(Type::I64, s);
                        // Unused forms are left out, so that the load's uses differ.
                        match kind {
                            0 => b.set(reg::x(2), z),
                            1 => b.set(reg::x(3), s),
                            2 => {
                                b.set(reg::x(2), z);
                                b.set(reg::x(3), s);
                            }
                            _ => {
                                b.set(reg::x(3), s);
                                let n = b.pure_ty(PureOp::Zext, Type::I64, &[v]);
                                b.set(reg::x(2), n);
                            }
                        }
                    }));
                }
            }
        }
        // Remove the unused extensions, as the passes do.
        for f in &mut functions {
            ir::pass::run_default(f, &FILE);
        }
        let program = Program::new(&functions, &options(opt, checkpoints));
        let memory = 0x8192_a3b4_c5d6_e7f8u64.to_le_bytes();
        for (n, (ty, to, kind)) in cases.iter().enumerate() {
            let mut s = state();
            s.x[1] = memory.as_ptr() as u64;
            assert_eq!(program.run(n, &mut s), RETURN);
            let raw = u64::from_le_bytes(memory) & ty.mask() as u64;
            let shift = 64 - ty.bits();
            let signed = ((raw << shift) as i64 >> shift) as u64 & to.mask() as u64;
            let what = format!("{ty} to {to} kind {kind} -O{opt} {checkpoints:?}");
            if *kind != 1 {
                assert_eq!(s.x[2], raw, "{what}");
            }
            if *kind != 0 {
                assert_eq!(s.x[3], signed, "{what}");
            }
        }
    }
}

#[test]
fn atomics() {
    let ops = [
        RmwOp::Add,
        RmwOp::Clear,
        RmwOp::Xor,
        RmwOp::Or,
        RmwOp::SMax,
        RmwOp::SMin,
        RmwOp::UMax,
        RmwOp::UMin,
        RmwOp::Swap,
    ];
    let types = [Type::I8, Type::I16, Type::I32, Type::I64];
    for (opt, checkpoints) in modes() {
        let mut functions = Vec::new();
        for ty in types {
            for op in ops {
                for used in [true, false] {
                    functions.push(function(functions.len(), |b| {
                        let addr = b.get(reg::x(1));
                        let value = from_v1(b, ty);
                        let old = b.push(Inst::Rmw { op, ty, addr, value, order: Order::AcqRel }, Some(ty));
                        if used {
                            to_v0(b, old);
                        }
                    }));
                }
            }
        }
        let mut o = options(opt, checkpoints);
        o.text_size = 0x100 * functions.len() as u64;
        let program = Program::new(&functions, &o);
        let mut random = Random(77);
        let mut n = 0;
        for ty in types {
            for op in ops {
                for used in [true, false] {
                    for _ in 0..20 {
                        let (old, v) = (random.next(), random.next());
                        let mut memory = [old, 0x5555];
                        let mut s = state();
                        s.x[1] = memory.as_mut_ptr() as u64;
                        s.v[1] = [v, 0];
                        assert_eq!(program.run(n, &mut s), RETURN);
                        let m = ty.mask() as u64;
                        let (a, b) = (old & m, v & m);
                        let sign = |x: u64| (x << (64 - ty.bits())) as i64;
                        let new = match op {
                            RmwOp::Add => a.wrapping_add(b) & m,
                            RmwOp::Clear => a & !b,
                            RmwOp::Xor => a ^ b,
                            RmwOp::Or => a | b,
                            RmwOp::SMax => {
                                if sign(a) > sign(b) {
                                    a
                                } else {
                                    b
                                }
                            }
                            RmwOp::SMin => {
                                if sign(a) < sign(b) {
                                    a
                                } else {
                                    b
                                }
                            }
                            RmwOp::UMax => a.max(b),
                            RmwOp::UMin => a.min(b),
                            RmwOp::Swap => b,
                        };
                        let what = format!("{op:?} {ty} used {used} -O{opt} {checkpoints:?}");
                        assert_eq!(memory, [old & !m | new, 0x5555], "{what}");
                        if used {
                            assert_eq!(s.v[0], [a, 0], "{what}");
                        }
                    }
                    n += 1;
                }
            }
        }
    }
}

#[test]
fn compare_and_swap_and_exclusives() {
    let types = [Type::I8, Type::I16, Type::I32, Type::I64, Type::I128];
    for (opt, checkpoints) in modes() {
        let mut functions = Vec::new();
        for ty in types {
            let n = functions.len();
            functions.push(function(n, |b| {
                let addr = b.get(reg::x(1));
                let (v2, new) = (b.get(reg::v(2)), from_v1(b, ty));
                let expected = if ty == Type::I128 {
                    b.bitcast(ty, v2)
                } else {
                    b.pure_ty(PureOp::VToScalar, ty, &[v2])
                };
                let old = b.push(Inst::Cas { ty, addr, expected, new, order: Order::AcqRel }, Some(ty));
                to_v0(b, old);
            }));
            functions.push(function(n + 1, |b| {
                let addr = b.get(reg::x(1));
                let v = b.push(Inst::LoadEx { ty, addr, order: Order::Acquire }, Some(ty));
                to_v0(b, v);
            }));
            functions.push(function(n + 2, |b| {
                let addr = b.get(reg::x(1));
                let value = from_v1(b, ty);
                let status = b.push(Inst::StoreEx { addr, value, order: Order::Release }, Some(Type::I32));
                let status = b.zext_or_trunc(Type::I64, status);
                b.set(reg::x(5), status);
            }));
        }
        let program = Program::new(&functions, &options(opt, checkpoints));
        #[repr(align(16))]
        struct Memory([u64; 2]);
        for (i, ty) in types.iter().enumerate() {
            let what = format!("{ty} -O{opt} {checkpoints:?}");
            let m = ty.mask();
            let old = [0x1122_3344_5566_7788u64, 0x99aa_bbcc_ddee_ff00];
            let new = [0x0102_0304_0506_0708u64, 0x090a_0b0c_0d0e_0f10];
            let stored = wide(old) & !m | wide(new) & m;
            for equal in [true, false] {
                let mut memory = Memory(old);
                let mut s = state();
                s.x[1] = memory.0.as_mut_ptr() as u64;
                s.v[1] = new;
                s.v[2] = if equal { old } else { [!old[0], old[1]] };
                assert_eq!(program.run(3 * i, &mut s), RETURN);
                assert_eq!(wide(s.v[0]), wide(old) & m, "{what}");
                assert_eq!(wide(memory.0), if equal { stored } else { wide(old) }, "{what}");
            }
            // Load-exclusive, then store-exclusive: undisturbed, disturbed, closed.
            for case in 0..3 {
                let mut memory = Memory(old);
                let mut s = state();
                s.x[1] = memory.0.as_mut_ptr() as u64;
                s.v[1] = new;
                assert_eq!(program.run(3 * i + 1, &mut s), RETURN);
                assert_eq!(wide(s.v[0]), wide(old) & m, "{what}");
                assert_eq!(s.excl_size, ty.bytes() as u64);
                match case {
                    1 => memory.0[0] ^= 1,
                    2 => s.excl_size = 0,
                    _ => {}
                }
                let before = memory.0;
                assert_eq!(program.run(3 * i + 2, &mut s), RETURN);
                assert_eq!(s.x[5], (case != 0) as u64, "{what} case {case}");
                assert_eq!(s.excl_size, 0);
                assert_eq!(wide(memory.0), if case == 0 { stored } else { wide(before) }, "{what}");
            }
        }
    }
}

/// A run of instructions with an access in the middle: at the fault, registers hold what was before that instruction.
#[test]
fn faults_show_the_state_before_the_instruction() {
    for (opt, checkpoints) in modes() {
        if checkpoints == Checkpoints::None {
            continue;
        }
        let f = function(0, |b| {
            let x5 = b.get(reg::x(5));
            let t = b.add_imm(x5, 1);
            b.set(reg::x(5), t);
            let t = b.add_imm(t, 1);
            b.set(reg::x(0), t);
            let z = b.i64(0);
            let c = b.cmp(IntCmp::Ne, t, z);
            b.set(reg::C, c);
            let v = b.pure(PureOp::VFromScalar, &[t]);
            b.set(reg::v(20), v);
            b.set(reg::v(2), v);
            b.mark(GuestAddr(0x10004));
            // Two accesses of one instruction.
            let a = b.get(reg::x(1));
            let first = b.load(Type::I64, a);
            let a2 = b.get(reg::x(2));
            let second = b.load(Type::I64, a2);
            b.set(reg::x(0), first);
            b.set(reg::x(5), second);
            b.mark(GuestAddr(0x10008));
            let a3 = b.get(reg::x(3));
            b.store(a3, second);
            b.mark(GuestAddr(0x1000c));
            let one = b.i64(1);
            b.set(reg::x(7), one);
        });
        let program = Program::new(&[f], &options(opt, checkpoints));
        assert_eq!(program.checkpoints.len(), 3);
        for n in 1..program.checkpoints.len() {
            assert!(program.checkpoint(n - 1).0 < program.checkpoint(n).0, "table is in address order");
        }
        let good = [42u64, 43];
        let mut target = 0u64;
        for bad in 1..=3 {
            let mut s = state();
            s.x[1] = &good[0] as *const u64 as u64;
            s.x[2] = &good[1] as *const u64 as u64;
            s.x[3] = &raw mut target as u64;
            s.x[bad] = 8;
            let before = s.clone();
            assert_eq!(program.run_faulting(0, &mut s), EXIT_PC);
            let what = format!("bad x{bad} -O{opt} {checkpoints:?}");
            assert_eq!(s.exit, Exit::Checkpoint as u32, "{what}");
            assert_eq!(s.pc, if bad == 3 { 0x10008 } else { 0x10004 }, "{what}");
            let mut expected = before.x;
            expected[5] = before.x[5] + 1;
            expected[0] = before.x[5] + 2;
            if bad == 3 {
                expected[0] = 42;
                expected[5] = 43;
            }
            assert_eq!(s.x, expected, "{what}");
            assert_eq!(s.nzcv, [0, 0, 1, 0], "{what}");
            let mut v = before.v;
            v[20] = [before.x[5] + 2, 0];
            v[2] = v[20];
            assert_eq!(s.v, v, "{what}");
        }
        let mut s = state();
        s.x[1] = &good[0] as *const u64 as u64;
        s.x[2] = &good[1] as *const u64 as u64;
        s.x[3] = &raw mut target as u64;
        assert_eq!(program.run_faulting(0, &mut s), RETURN);
        assert_eq!((target, s.x[7]), (43, 1));
    }
}

#[test]
fn misaligned_accesses_leave() {
    for (opt, checkpoints) in modes() {
        let f = function(0, |b| {
            let one = b.i64(1);
            b.set(reg::x(6), one);
            b.mark(GuestAddr(0x10004));
            let addr = b.get(reg::x(1));
            let v = b.push(
                Inst::Load { ty: Type::I32, addr, order: Order::Acquire, align: Align::Natural },
                Some(Type::I32),
            );
            let v = b.zext_or_trunc(Type::I64, v);
            b.set(reg::x(6), v);
        });
        let program = Program::new(&[f], &options(opt, checkpoints));
        let memory = [7u32, 8];
        let mut s = state();
        s.x[1] = memory.as_ptr() as u64 + 2;
        assert_eq!(program.run(0, &mut s), EXIT_PC);
        assert_eq!((s.exit, s.pc, s.x[6]), (Exit::Checkpoint as u32, 0x10004, 1));
        let mut s = state();
        s.x[1] = memory.as_ptr() as u64 + 4;
        assert_eq!(program.run(0, &mut s), RETURN);
        assert_eq!(s.x[6], 8);
    }
}
