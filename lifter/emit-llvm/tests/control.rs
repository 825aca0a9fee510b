//! Control flow of compiled code: calls and returns, mismatched returns, jumps between functions, the dispatch table,
//! resume points, system calls, exits and the stack limit.
#![allow(unsafe_code)]

mod harness;

use abi::{EXIT_PC, Exit, GuestState};
use emit_llvm::Checkpoints;
use harness::*;
use ir::*;
use isa::a64::{FILE, reg};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

fn modes() -> Vec<(u8, Checkpoints)> {
    let callbr = (1..4).map(|opt| (opt, Checkpoints::Callbr));
    callbr.chain([(0, Checkpoints::Commit), (2, Checkpoints::Mixed)]).collect()
}

fn block(pc: u64, resume: bool, body: impl FnOnce(&mut Builder<'_>) -> Term) -> Block {
    let mut b = Builder::new(&FILE, GuestAddr(pc));
    b.mark(GuestAddr(pc));
    let term = body(&mut b);
    Block { resume, ..b.finish(term) }
}

fn func(name: &str, entry: u64, blocks: Vec<Block>) -> Function {
    Function { name: name.into(), entry: GuestAddr(entry), blocks }
}

fn add(b: &mut Builder<'_>, r: Reg, n: i64) {
    let v = b.get(r);
    let v = b.add_imm(v, n);
    b.set(r, v);
}

fn ret(b: &mut Builder<'_>) -> Term {
    Term::Return(b.get(reg::LR))
}

fn state() -> GuestState {
    let mut s = GuestState::default();
    for (i, x) in s.x.iter_mut().enumerate() {
        *x = 0x100 * i as u64;
    }
    for (i, v) in s.v.iter_mut().enumerate() {
        *v = [i as u64, !(i as u64)];
    }
    s.x[30] = 0x4000_0000;
    s
}

/// A caller that keeps its return address in x20 (cold) and returns by it, not by the link register, and callees that
/// return, return elsewhere, and jump on.
fn calls() -> Vec<Function> {
    let caller = |name: &str, at: u64, target: fn(&mut Builder<'_>) -> CallTarget| {
        func(
            name,
            at,
            vec![
                block(at, false, |b| {
                    let lr = b.get(reg::LR);
                    b.set(reg::x(20), lr);
                    add(b, reg::x(21), 1);
                    let t = b.i1(true);
                    b.set(reg::Z, t);
                    let target = target(b);
                    let ret = b.code_addr(GuestAddr(at + 4));
                    b.set(reg::LR, ret);
                    Term::Call { target, ret: GuestAddr(at + 4), cont: Some(BlockId(1)) }
                }),
                block(at + 4, true, |b| {
                    add(b, reg::x(22), 0x10);
                    let x23 = b.get(reg::x(23));
                    b.set(reg::x(1), x23);
                    let lr = b.get(reg::x(20));
                    Term::Return(lr)
                }),
            ],
        )
    };
    vec![
        caller("direct", 0x10000, |_| CallTarget::Direct(GuestAddr(0x10300))),
        caller("indirect", 0x10100, |b| CallTarget::Indirect(b.get(reg::x(9)))),
        caller("unknown", 0x10200, |_| CallTarget::Direct(GuestAddr(0x1ff00))),
        // Returns where x10 says, as a context switch does, if it is not 0.
        func(
            "callee",
            0x10300,
            vec![
                block(0x10300, false, |b| {
                    add(b, reg::x(23), 7);
                    add(b, reg::x(0), 1);
                    let x10 = b.get(reg::x(10));
                    let z = b.i64(0);
                    let cond = b.cmp(IntCmp::Eq, x10, z);
                    Term::Branch { cond, then: BlockId(1), els: BlockId(2) }
                }),
                block(0x10310, false, ret),
                block(0x10320, false, |b| {
                    let x10 = b.get(reg::x(10));
                    b.set(reg::LR, x10);
                    Term::Return(x10)
                }),
            ],
        ),
        func(
            "tail",
            0x10400,
            vec![block(0x10400, false, |b| {
                add(b, reg::x(0), 2);
                Term::Goto(GuestAddr(0x10300))
            })],
        ),
        func(
            "jump",
            0x10500,
            vec![block(0x10500, false, |b| {
                add(b, reg::x(0), 4);
                Term::Indirect(b.get(reg::x(9)))
            })],
        ),
        func("away", 0x10600, vec![block(0x10600, false, |_| Term::Goto(GuestAddr(0x1ff00)))]),
    ]
}

#[test]
fn calls_and_jumps() {
    for (opt, checkpoints) in modes() {
        for pie in [false, true] {
            let mut o = options(opt, checkpoints);
            o.position_independent = pie;
            let bias = if pie { 0x5500_0000_0000 } else { 0 };
            let program = Program::new(&calls(), &o);
            let what = format!("-O{opt} {checkpoints:?} pie {pie}");
            let run = |f: usize, x9: u64, x10: u64| {
                let mut s = state();
                s.image_bias = bias;
                (s.x[9], s.x[10]) = (x9, x10);
                let pc = program.run(f, &mut s);
                (pc, s)
            };
            for (f, at) in [(0, 0x10000), (1, 0x10100)] {
                let (pc, s) = run(f, bias + 0x10300, 0);
                assert_eq!(pc, 0x4000_0000, "{what}");
                assert_eq!(
                    (s.x[0], s.x[1], s.x[21], s.x[22], s.x[23]),
                    (1, 0x1707, 0x1501, 0x1610, 0x1707),
                    "{what}"
                );
                assert_eq!((s.x[30], s.x[20]), (bias + at + 4, 0x4000_0000));
                assert_eq!((s.v, s.nzcv), (state().v, [0, 1, 0, 0]));
                // Back to somewhere else: the caller's rest does not run.
                let (pc, s) = run(f, bias + 0x10300, 0x7777);
                assert_eq!((pc, s.x[0], s.x[22], s.x[23]), (0x7777, 1, 0x1600, 0x1707), "{what}");
                assert_eq!((s.x[30], s.exit), (0x7777, Exit::None as u32), "{what}");
                // So to an address that looks as if there were an exit reason.
                let (pc, s) = run(f, bias + 0x10300, EXIT_PC);
                assert_eq!((pc, s.x[30], s.exit), (EXIT_PC, EXIT_PC, Exit::None as u32), "{what}");
            }
            // Not in the table, misaligned, out of range, a word without a function.
            for x9 in [8, bias + 0x10301, bias + 0x20000, bias + 0xfffc, bias + 0x10304, u64::MAX - 3] {
                let (pc, s) = run(1, x9, 0);
                assert_eq!((pc, s.x[21], s.x[30]), (x9, 0x1501, bias + 0x10104), "{what} {x9:x}");
                let (pc, s) = run(5, x9, 0);
                assert_eq!((pc, s.x[0]), (x9, 4), "{what} {x9:x}");
            }
            let (pc, s) = run(2, 0, 0);
            assert_eq!((pc, s.x[30], s.x[21]), (bias + 0x1ff00, bias + 0x10204, 0x1501), "{what}");
            let (pc, s) = run(4, 0, 0);
            assert_eq!((pc, s.x[0], s.x[23]), (0x4000_0000, 3, 0x1707), "{what}");
            let (pc, s) = run(5, bias + 0x10400, 0);
            assert_eq!((pc, s.x[0], s.x[23]), (0x4000_0000, 7, 0x1707), "{what}");
            assert_eq!(run(6, 0, 0).0, bias + 0x1ff00, "{what}");
            // Resume behind the call.
            let point = program.resume.iter().find(|p| p.guest.0 == 0x10004).expect("a resume point");
            assert_eq!((point.function.as_str(), point.index), ("xl.direct", 0));
            let mut s = state();
            s.image_bias = bias;
            (s.resume, s.stack_limit, s.stack_limit_real) = (1, u64::MAX, 5);
            assert_eq!(program.run(0, &mut s), 0x1400, "{what}");
            assert_eq!((s.x[22], s.x[1], s.x[21], s.resume, s.stack_limit), (0x1610, 0x1700, 0x1500, 0, 5));
            // The stack limit.
            let mut s = state();
            s.image_bias = bias;
            s.stack_limit = u64::MAX;
            let before = s.clone();
            assert_eq!(program.run(0, &mut s), EXIT_PC, "{what}");
            assert_eq!((s.exit, s.pc), (Exit::StackLimit as u32, bias + 0x10000));
            assert_eq!((s.x, s.v), (before.x, before.v));
        }
    }
}

/// The guest address that is a resume point, the host function it is of, and how often somebody asked.
static POINT: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// As the runtime's, for that one point, the function's first.
extern "C" fn again(state: *mut GuestState, pc: u64) -> u32 {
    // SAFETY: lifted code passes its state.
    let s = unsafe { &mut *state };
    POINT[2].fetch_add(1, Relaxed);
    s.again_pc = pc;
    s.again_host = if pc == POINT[0].load(Relaxed) { POINT[1].load(Relaxed) } else { 0 };
    if s.again_host != s.unwinding {
        return 0;
    }
    s.settle_flags();
    (s.exit, s.resume, s.stack_limit, s.stack_limit_real) = (Exit::None as u32, 1, u64::MAX, 5);
    1
}

/// A callee that comes back to elsewhere, or leaves to elsewhere, may come to a resume point of a function whose frame is there.
#[test]
fn going_on_in_a_frame_that_is_still_there() {
    let caller = |name: &str, at: u64, callee: u64, kept: u32, counter: u32| {
        let call = block(at, false, |b| {
            let lr = b.get(reg::LR);
            b.set(reg::x(kept), lr);
            let ret = b.code_addr(GuestAddr(at + 4));
            b.set(reg::LR, ret);
            let target = CallTarget::Direct(GuestAddr(callee));
            Term::Call { target, ret: GuestAddr(at + 4), cont: Some(BlockId(1)) }
        });
        let back = block(at + 4, true, |b| {
            add(b, reg::x(counter), 1);
            let lr = b.get(reg::x(kept));
            b.set(reg::LR, lr);
            Term::Return(lr)
        });
        func(name, at, vec![call, back])
    };
    // By a return, as a context switch does, or by a jump, as `longjmp` does; to x10.
    let away = |name: &str, at: u64, jump: bool| {
        let away = block(at, false, |b| {
            let x10 = b.get(reg::x(10));
            if jump {
                return Term::Indirect(x10);
            }
            b.set(reg::LR, x10);
            Term::Return(x10)
        });
        func(name, at, vec![away])
    };
    for jump in [false, true] {
        let functions = [
            caller("outer", 0x10000, 0x10100, 24, 25),
            caller("inner", 0x10100, 0x10200, 26, 27),
            away("away", 0x10200, jump),
        ];
        for (opt, checkpoints) in modes() {
            for pie in [false, true] {
                let mut o = options(opt, checkpoints);
                o.position_independent = pie;
                let bias = if pie { 0x5500_0000_0000 } else { 0 };
                let program = Program::new(&functions, &o);
                program.set_again(again);
                let run = |x10: u64, point: u64, function: usize| {
                    POINT[0].store(point, Relaxed);
                    POINT[1].store(program.entry(function), Relaxed);
                    POINT[2].store(0, Relaxed);
                    let mut s = state();
                    (s.image_bias, s.x[10]) = (bias, x10);
                    (s.x[25], s.x[27]) = (0, 0);
                    let pc = program.run(0, &mut s);
                    assert_eq!((s.exit, s.resume, s.v), (0, 0, state().v));
                    (pc, s.x[25], s.x[27], POINT[2].load(Relaxed))
                };
                let what = format!("-O{opt} {checkpoints:?} pie {pie} jump {jump}");
                // Nobody's: one asks for both.
                assert_eq!(run(0x7777, 0x8888, 0), (0x7777, 0, 0, 1), "{what}");
                // The outer one's: where a return to it is expected, it has no question.
                let point = bias + 0x10004;
                assert_eq!(run(point, point, 0), (0x4000_0000, 1, 0, 1 + u64::from(jump)), "{what}");
                // The inner one's.
                let point = bias + 0x10104;
                assert_eq!(run(point, point, 1), (0x4000_0000, 1, 1, u64::from(jump)), "{what}");
                // A function whose frame is not there.
                assert_eq!(run(bias + 0x10300, bias + 0x10300, 2), (bias + 0x10300, 0, 0, 1), "{what}");
                // Other reasons to leave, and the address that tells of them, are nobody's question.
                assert_eq!(run(EXIT_PC, 0x8888, 0), (EXIT_PC, 0, 0, u64::from(jump)), "{what}");
            }
        }
    }
}

/// Where calls and jumps went that have no function.
static ABSENT: AtomicU64 = AtomicU64::new(0);

/// As the runtime's, with code that adds to x0 and x23 and returns by the link register.
extern "C" fn run_absent(state: *mut GuestState) -> u32 {
    // SAFETY: lifted code passes its state.
    let s = unsafe { &mut *state };
    ABSENT.store(s.pc, Relaxed);
    s.settle_flags();
    s.x[0] += 0x10;
    s.x[23] += 0x20;
    s.v[5][0] += 1;
    s.exit = Exit::None as u32;
    1
}

/// What has no function is run on top of its callers' frames, who find all registers as it left them.
#[test]
fn going_on_behind_what_has_no_function() {
    for (opt, checkpoints) in modes() {
        for pie in [false, true] {
            let mut o = options(opt, checkpoints);
            o.position_independent = pie;
            let bias = if pie { 0x5500_0000_0000 } else { 0 };
            let program = Program::new(&calls(), &o);
            program.set_run(run_absent);
            let what = format!("-O{opt} {checkpoints:?} pie {pie}");
            let run = |f: usize, x9: u64| {
                let mut s = state();
                (s.image_bias, s.x[9]) = (bias, x9);
                let pc = program.run(f, &mut s);
                let mut v = state().v;
                v[5][0] += 1;
                assert_eq!((s.v, s.exit, ABSENT.swap(0, Relaxed)), (v, 0, x9), "{what}");
                (pc, s)
            };
            let absent = bias + 0x1ff00;
            for (f, x9, at) in [(1, 0x8888, 0x10100), (1, bias + 0x10304, 0x10100), (2, absent, 0x10200)] {
                let (pc, s) = run(f, x9);
                assert_eq!((pc, s.x[30]), (0x4000_0000, bias + at + 4), "{what}");
                assert_eq!((s.x[0], s.x[21], s.x[22], s.x[23]), (0x10, 0x1501, 0x1610, 0x1720), "{what}");
                assert_eq!(s.nzcv, [0, 1, 0, 0], "{what}");
            }
            // Jumps: what they lead to returns to the caller.
            let (pc, s) = run(5, 0x8888);
            assert_eq!((pc, s.x[0], s.x[23]), (0x4000_0000, 0x14, 0x1720), "{what}");
            let (pc, s) = run(6, absent);
            assert_eq!((pc, s.x[0], s.x[23]), (0x4000_0000, 0x10, 0x1720), "{what}");
        }
    }
}

/// Who resumes in a loop whose scalars are clear in lifted code must bring them so, or is sent to the interpreter.
#[test]
fn resuming_with_other_scalars() {
    let f = func(
        "scalars",
        0x10000,
        vec![
            block(0x10000, false, |b| {
                let zero = b.konst(Type::V128, 0);
                b.set(reg::v(1), zero);
                b.set(reg::v(20), zero);
                Term::Jump(BlockId(1))
            }),
            block(0x10004, true, |b| {
                for r in [reg::v(1), reg::v(20)] {
                    let v = b.get(r);
                    let v = b.pure_ty(PureOp::VToScalar, Type::F64, &[v]);
                    let v = b.pure_ty(PureOp::F(FBin::Add, FShape::D), Type::F64, &[v, v]);
                    let v = b.pure(PureOp::VFromScalar, &[v]);
                    b.set(r, v);
                }
                add(b, reg::x(0), 1);
                let x = b.get(reg::x(0));
                let end = b.konst(Type::I64, 3);
                let less = b.pure_ty(PureOp::Cmp(IntCmp::Ult), Type::I1, &[x, end]);
                Term::Branch { cond: less, then: BlockId(1), els: BlockId(2) }
            }),
            block(0x10008, false, ret),
        ],
    );
    for (opt, checkpoints) in modes() {
        let program = Program::new(std::slice::from_ref(&f), &options(opt, checkpoints));
        let run = |above1: u64, above20: u64| {
            let mut s = state();
            (s.resume, s.stack_limit, s.stack_limit_real) = (1, u64::MAX, 5);
            s.x[0] = 0;
            (s.v[1], s.v[20]) = ([1f64.to_bits(), above1], [2f64.to_bits(), above20]);
            let pc = program.run(0, &mut s);
            (pc, s)
        };
        let (pc, s) = run(0, 0);
        assert_eq!((pc, s.v[1], s.v[20]), (s.x[30], [8f64.to_bits(), 0], [16f64.to_bits(), 0]));
        for (above1, above20) in [(1, 0), (0, 1 << 63)] {
            let (pc, s) = run(above1, above20);
            assert_eq!((pc, s.exit, s.pc), (EXIT_PC, Exit::Fallback as u32, 0x10004));
            assert_eq!((s.v[1], s.v[20]), ([1f64.to_bits(), above1], [2f64.to_bits(), above20]));
        }
    }
}

extern "C" fn syscall(state: *mut GuestState) -> u64 {
    // SAFETY: the stub passes its state.
    let s = unsafe { &mut *state };
    assert_eq!((s.x[0], s.x[20], s.x[1]), (1, 0x1402, 0x100));
    s.x[0] = 99;
    s.x[20] = 98;
    s.v[3] = [97, 96];
    if s.x[8] == 1 { 0x1234 } else { s.pc }
}

#[test]
fn system_calls() {
    for (opt, checkpoints) in modes() {
        let f = func(
            "f",
            0x10000,
            vec![
                block(0x10000, false, |b| {
                    add(b, reg::x(0), 1);
                    add(b, reg::x(20), 2);
                    Term::Syscall { imm: 0, next: GuestAddr(0x10004), cont: Some(BlockId(1)) }
                }),
                block(0x10004, true, |b| {
                    add(b, reg::x(20), 1);
                    ret(b)
                }),
            ],
        );
        let program = Program::with_syscall(&[f], &options(opt, checkpoints), Some(syscall));
        let mut s = state();
        assert_eq!(program.run(0, &mut s), 0x4000_0000);
        assert_eq!((s.x[0], s.x[20], s.v[3], s.pc), (99, 99, [97, 96], 0x10004));
        let mut s = state();
        s.x[8] = 1;
        assert_eq!(program.run(0, &mut s), 0x1234);
        assert_eq!(s.x[30], 0x4000_0000);
        assert_eq!((s.x[0], s.x[20], s.v[3]), (99, 98, [97, 96]));
        // A link register that looks as if there were an exit reason.
        let mut s = state();
        s.x[30] = EXIT_PC;
        assert_eq!((program.run(0, &mut s), s.x[30], s.x[20]), (0x10004, EXIT_PC, 98));
    }
}

#[test]
fn traps_and_fallbacks() {
    for (opt, checkpoints) in modes() {
        let exit = |n: u64, term: fn(&mut Builder<'_>, GuestAddr) -> Term| {
            let at = 0x10000 + 0x100 * n;
            func(
                &format!("f{n}"),
                at,
                vec![block(at, false, |b| {
                    add(b, reg::x(0), 1);
                    add(b, reg::x(20), 1);
                    b.mark(GuestAddr(at + 4));
                    term(b, GuestAddr(at + 4))
                })],
            )
        };
        let functions = [
            exit(0, |_, pc| Term::Trap { kind: TrapKind::Breakpoint(1), pc }),
            exit(1, |_, pc| Term::Fallback { pc }),
            exit(2, |b, _| {
                let v = b.i64(1 << 24);
                b.push(Inst::WriteSys(SysReg::Fpcr, v), None);
                b.set(reg::x(20), v);
                ret(b)
            }),
        ];
        let program = Program::new(&functions, &options(opt, checkpoints));
        for (n, why) in [Exit::Trap, Exit::Fallback, Exit::Fallback].into_iter().enumerate() {
            let mut s = state();
            assert_eq!(program.run(n, &mut s), EXIT_PC);
            assert_eq!((s.exit, s.pc), (why as u32, 0x10004 + 0x100 * n as u64));
            assert_eq!((s.x[0], s.x[20]), (1, 0x1401), "-O{opt} {checkpoints:?}");
        }
    }
}

/// Loops without accesses have an empty checkpoint, and others none.
#[test]
fn every_loop_has_a_checkpoint() {
    for (opt, checkpoints) in modes() {
        let spin = func(
            "spin",
            0x10000,
            vec![
                block(0x10000, false, |b| {
                    add(b, reg::x(20), 1);
                    Term::Jump(BlockId(1))
                }),
                block(0x10008, true, |b| {
                    add(b, reg::x(20), -1);
                    let x = b.get(reg::x(20));
                    let z = b.i64(0);
                    let cond = b.cmp(IntCmp::Ne, x, z);
                    Term::Branch { cond, then: BlockId(1), els: BlockId(2) }
                }),
                block(0x10010, false, ret),
            ],
        );
        let program = Program::new(&[spin], &options(opt, checkpoints));
        assert_eq!(program.checkpoints.len(), 1, "-O{opt} {checkpoints:?}");
        assert_eq!(program.checkpoints[0].guest, 8);
        let mut s = state();
        assert_eq!(program.run(0, &mut s), 0x4000_0000);
        assert_eq!(s.x[20], 0);
    }
}

#[test]
fn switches() {
    for (opt, checkpoints) in modes() {
        for pie in [false, true] {
            let bias = if pie { 0x5500_0000_0000 } else { 0 };
            let n = 12;
            let mut blocks = vec![block(0x10000, false, |b| Term::Switch {
                target: b.get(reg::x(9)),
                cases: (1..=n).map(|i| (GuestAddr(0x10000 + 16 * i as u64), BlockId(i))).collect(),
            })];
            for i in 1..=n {
                blocks.push(block(0x10000 + 16 * i as u64, false, |b| {
                    let v = b.i64(i as u64 * 100);
                    b.set(reg::x(0), v);
                    ret(b)
                }));
            }
            let mut o = options(opt, checkpoints);
            o.position_independent = pie;
            let program = Program::new(&[func("f", 0x10000, blocks)], &o);
            for i in 1..=n as u64 {
                let mut s = state();
                s.image_bias = bias;
                s.x[9] = bias + 0x10000 + 16 * i;
                assert_eq!((program.run(0, &mut s), s.x[0]), (0x4000_0000, 100 * i));
            }
            let mut s = state();
            s.image_bias = bias;
            s.x[9] = bias + 0x10004;
            assert_eq!((program.run(0, &mut s), s.x[0]), (bias + 0x10004, 0));
        }
    }
}

#[test]
fn output_is_deterministic() {
    let functions = calls();
    let o = options(2, Checkpoints::Callbr);
    let one = emit_llvm::emit_unit("u", &functions, &o, &|_| None).expect("compiles");
    let two = emit_llvm::emit_unit("u", &functions, &o, &|_| None).expect("compiles");
    assert_eq!(one.object, two.object);
    assert_eq!(one.resume, two.resume);
}

/// Cold registers are loaded where they are wanted, unless they may have been written on another way there.
#[test]
fn cold_registers_on_some_ways() {
    let branch = |b: &mut Builder<'_>, r: Reg, then: u32, els: u32| {
        let v = b.get(r);
        let zero = b.i64(0);
        let cond = b.cmp(IntCmp::Ne, v, zero);
        Term::Branch { cond, then: BlockId(then), els: BlockId(els) }
    };
    let f = func(
        "ways",
        0x10000,
        vec![
            block(0x10000, false, |b| branch(b, reg::x(0), 1, 2)),
            block(0x10010, false, |b| {
                add(b, reg::x(21), 1);
                Term::Jump(BlockId(3))
            }),
            block(0x10020, false, |_| Term::Jump(BlockId(3))),
            block(0x10030, false, |b| branch(b, reg::x(1), 4, 5)),
            block(0x10040, false, |b| {
                let v = b.get(reg::x(21));
                b.set(reg::x(2), v);
                add(b, reg::x(22), 5);
                Term::Jump(BlockId(5))
            }),
            block(0x10050, false, |b| branch(b, reg::x(3), 6, 7)),
            // A loop, which is no place to load in.
            block(0x10060, true, |b| {
                add(b, reg::x(3), -1);
                let x23 = b.get(reg::x(23));
                add(b, reg::x(22), 1);
                b.set(reg::x(4), x23);
                branch(b, reg::x(3), 6, 7)
            }),
            block(0x10070, false, ret),
        ],
    );
    for (opt, checkpoints) in modes() {
        let program = Program::new(std::slice::from_ref(&f), &options(opt, checkpoints));
        for n in 0..8u64 {
            let mut s = state();
            (s.stack_limit, s.stack_limit_real) = (0, 0);
            (s.x[0], s.x[1], s.x[2], s.x[3]) = (n & 1, n >> 1 & 1, 0, (n >> 2) * 3);
            assert_eq!(program.run(0, &mut s), 0x4000_0000);
            let x21 = 0x1500 + (n & 1);
            let x22 = 0x1600 + (n >> 1 & 1) * 5 + (n >> 2) * 3;
            let x2 = if n & 2 != 0 { x21 } else { 0 };
            let x4 = if n & 4 != 0 { 0x1700 } else { 0x400 };
            assert_eq!((s.x[21], s.x[22], s.x[2], s.x[4]), (x21, x22, x2, x4), "-O{opt} {checkpoints:?} {n}");
        }
    }
}
