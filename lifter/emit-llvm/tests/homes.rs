//! Registers at home in vector slots: saved and restored with one access each, exact where one faults, across calls, and
//! where the value does not fit the register's size.
#![allow(unsafe_code)]

mod harness;

use abi::{EXIT_PC, GuestState};
use emit_llvm::Checkpoints;
use harness::*;
use ir::*;
use isa::a64::{FILE, reg};

const AT: u64 = 0x10000;
const RETURN: u64 = 0x4000_1234;

/// x20 and x21 (at home in slots) and where from x0 on a function saves them, at AT + 4 and AT + 8, and restores them, at AT + 0x24 and
/// AT + 0x28.
const SAVED: [(u32, u64); 2] = [(20, 0), (21, 8)];

fn access(b: &mut Builder<'_>, at: u64, offset: u64) -> Value {
    b.mark(GuestAddr(at));
    let x0 = b.get(reg::x(0));
    b.add_imm(x0, offset as i64)
}

/// Saves x20 and x21 at x0, calls `g`, which changes x20 and adds x2 to x0, adds both to x1, restores them.
fn functions() -> Vec<Function> {
    let mut b = Builder::new(&FILE, GuestAddr(AT));
    b.mark(GuestAddr(AT));
    let lr = b.get(reg::LR);
    b.set(reg::x(23), lr);
    for (n, (r, offset)) in SAVED.into_iter().enumerate() {
        let addr = access(&mut b, AT + 4 + 4 * n as u64, offset);
        let v = b.get(reg::x(r));
        b.store(addr, v);
    }
    for (r, _) in SAVED {
        let v = b.i64(r as u64);
        b.set(reg::x(r), v);
    }
    let ret = b.code_addr(GuestAddr(AT + 0x20));
    b.set(reg::LR, ret);
    let target = CallTarget::Direct(GuestAddr(AT + 0x100));
    let first = b.finish(Term::Call { target, ret: GuestAddr(AT + 0x20), cont: Some(BlockId(1)) });

    let mut b = Builder::new(&FILE, GuestAddr(AT + 0x20));
    b.mark(GuestAddr(AT + 0x20));
    let lr = b.get(reg::x(23));
    b.set(reg::LR, lr);
    let mut sum = b.get(reg::x(1));
    for (r, _) in SAVED {
        let v = b.get(reg::x(r));
        sum = b.pure(PureOp::Int(IntBin::Add), &[sum, v]);
    }
    b.set(reg::x(1), sum);
    for (n, (r, offset)) in SAVED.into_iter().enumerate() {
        let addr = access(&mut b, AT + 0x24 + 4 * n as u64, offset);
        let v = b.load(Type::I64, addr);
        b.set(reg::x(r), v);
    }
    let second = Block { resume: true, ..b.finish(Term::Return(lr)) };

    let mut b = Builder::new(&FILE, GuestAddr(AT + 0x100));
    b.mark(GuestAddr(AT + 0x100));
    let v = b.get(reg::x(20));
    let v = b.add_imm(v, 0x100);
    b.set(reg::x(20), v);
    let (x0, x2) = (b.get(reg::x(0)), b.get(reg::x(2)));
    let sum = b.pure(PureOp::Int(IntBin::Add), &[x0, x2]);
    b.set(reg::x(0), sum);
    let lr = b.get(reg::LR);
    let g = b.finish(Term::Return(lr));
    vec![
        Function { name: "f".into(), entry: GuestAddr(AT), blocks: vec![first, second] },
        Function { name: "g".into(), entry: GuestAddr(AT + 0x100), blocks: vec![g] },
    ]
}

/// Lower halves: x20's is stored, and comes back extended with zeros.
fn halves() -> Function {
    let mut b = Builder::new(&FILE, GuestAddr(AT));
    let addr = access(&mut b, AT, 0);
    let v = b.get(reg::x(20));
    let v = b.zext_or_trunc(Type::I32, v);
    b.store(addr, v);
    let addr = access(&mut b, AT + 4, 4);
    let v = b.load(Type::I32, addr);
    let v = b.zext_or_trunc(Type::I64, v);
    b.set(reg::x(20), v);
    let lr = b.get(reg::LR);
    Function { name: "h".into(), entry: GuestAddr(AT), blocks: vec![b.finish(Term::Return(lr))] }
}

fn state(memory: u64) -> GuestState {
    let mut s = GuestState::default();
    for (i, x) in s.x.iter_mut().enumerate() {
        *x = 0x1_1111_1111 * i as u64;
    }
    s.x[0] = memory;
    s.x[2] = 0;
    s.x[30] = RETURN;
    s
}

fn modes() -> Vec<(u8, Checkpoints)> {
    let callbr = (0..4).map(|opt| (opt, Checkpoints::Callbr));
    callbr.chain([(0, Checkpoints::Commit), (2, Checkpoints::Mixed), (2, Checkpoints::None)]).collect()
}

#[test]
fn saved_registers_come_back() {
    for (opt, checkpoints) in modes() {
        let what = format!("-O{opt} {checkpoints:?}");
        let program = Program::new(&functions(), &options(opt, checkpoints));
        let mut memory = [0u64; 2];
        let mut s = state(memory.as_mut_ptr() as u64);
        let mut expected = s.x;
        assert_eq!(program.run(0, &mut s), RETURN, "{what}");
        expected[1] += 20 + 0x100 + 21;
        expected[23] = RETURN;
        assert_eq!(s.x, expected, "{what}");
        assert_eq!(memory, [expected[20], expected[21]], "{what}");

        let program = Program::new(&[halves()], &options(opt, checkpoints));
        let mut memory = [0x5555_5555u32, 0xfedc_ba98];
        let mut s = state(memory.as_mut_ptr() as u64);
        let mut expected = s.x;
        assert_eq!(program.run(0, &mut s), RETURN, "{what}");
        assert_eq!(memory, [expected[20] as u32, 0xfedc_ba98], "{what}");
        expected[20] = 0xfedc_ba98;
        assert_eq!(s.x, expected, "{what}");
    }
}

#[test]
fn a_fault_while_saving_or_restoring_shows_the_registers_as_they_are() {
    for (opt, checkpoints) in modes().into_iter().filter(|m| m.1 != Checkpoints::None) {
        let program = Program::new(&functions(), &options(opt, checkpoints));
        for n in 0..SAVED.len() as u64 {
            let what = format!("-O{opt} {checkpoints:?}, access {n}");
            // The access is the first behind the edge.
            let mut s = state(harness::graph::edge() - 8 * n);
            let before = s.x;
            assert_eq!(program.run_faulting(0, &mut s), EXIT_PC, "{what}");
            assert_eq!(s.pc, AT + 4 + 4 * n, "{what}");
            let mut expected = before;
            expected[23] = RETURN;
            assert_eq!(s.x, expected, "{what}");

            // The same of the accesses that restore; those that save do nothing wrong.
            let mut memory = [0u64; 2];
            let mut s = state(memory.as_mut_ptr() as u64);
            s.x[2] = (harness::graph::edge() - 8 * n).wrapping_sub(s.x[0]);
            let mut expected = s.x;
            assert_eq!(program.run_faulting(0, &mut s), EXIT_PC, "{what}");
            assert_eq!(s.pc, AT + 0x24 + 4 * n, "{what}");
            expected[0] = expected[0].wrapping_add(expected[2]);
            expected[1] += 20 + 0x100 + 21;
            (expected[20], expected[21], expected[23]) = (20 + 0x100, 21, RETURN);
            if n == 1 {
                // The first is done, with what lies in front of the edge: zero.
                expected[20] = 0;
            }
            assert_eq!(s.x, expected, "{what}");
            assert_eq!(memory, [before[20], before[21]], "{what}");
        }
    }
}

#[test]
fn a_save_is_one_store_and_a_restore_one_load() {
    let f = &functions()[0];
    let text =
        emit_llvm::emit_asm_text(f, &options(2, Checkpoints::Callbr), &|_| Some("xl.g".into())).unwrap();
    let hot = text.lines().take_while(|l| !l.contains("retq"));
    let moves: Vec<&str> =
        hot.map(str::trim).filter(|l| l.starts_with("movq") && l.contains("%xmm")).collect();
    let saves = moves.iter().filter(|l| l.ends_with(')')).count();
    let restores = moves.iter().filter(|l| l.contains("), %xmm")).count();
    assert_eq!((saves, restores), (2, 2), "{text}");
}

#[test]
fn vector_instructions_have_the_encoding_of_the_processor() {
    let with = emit_llvm::Options { cpu: "x86-64-v3".into(), ..options(2, Checkpoints::Callbr) };
    for f in functions().iter().chain([&halves(), &everything()]) {
        let text = emit_llvm::emit_asm_text(f, &with, &|_| Some("xl.g".into())).unwrap();
        let old = |l: &&str| {
            l.contains("%xmm") && !l.starts_with('v') && !l.starts_with('#') && !l.starts_with('.')
        };
        let found: Vec<&str> = text.lines().map(str::trim).filter(old).collect();
        assert_eq!(found, [""; 0], "{text}");
    }
}

/// Loads, stores and arithmetic of each type that is in vector registers.
fn everything() -> Function {
    let mut b = Builder::new(&FILE, GuestAddr(AT));
    for (n, (ty, shape)) in [(Type::F32, Some(FShape::S)), (Type::F64, Some(FShape::D)), (Type::V128, None)]
        .into_iter()
        .enumerate()
    {
        let addr = access(&mut b, AT + 4 * n as u64, 16 * n as u64);
        let mut v = b.load(ty, addr);
        if let Some(shape) = shape {
            v = b.pure(PureOp::F(FBin::Mul, shape), &[v, v]);
            v = b.pure(PureOp::F(FBin::Add, shape), &[v, v]);
        }
        b.store(addr, v);
    }
    let lr = b.get(reg::LR);
    Function { name: "e".into(), entry: GuestAddr(AT), blocks: vec![b.finish(Term::Return(lr))] }
}
