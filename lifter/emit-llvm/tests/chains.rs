//! Runs of floating-point operations on each other's results, with accesses between, which lifted code looks at together,
//! against the evaluator one by one: results, and the cumulative flags, in each rounding mode, with and without FZ and DN,
//! at the end and where an access faults.
#![allow(unsafe_code)]

mod harness;

use abi::GuestState;
use emit_llvm::Checkpoints;
use harness::*;
use ir::eval::{Bits, FpEnv, eval};
use ir::*;
use isa::a64::{FILE, reg};

/// Operands come in v0–v3, results leave in the registers from here on.
const FIRST: usize = 4;

/// What a step does; accesses have numbers.
#[derive(Clone, Copy, Debug)]
enum What {
    Op(PureOp),
    Load(usize),
    Store(usize),
}

/// One step of a run: what it does to the values before it.
struct Step {
    what: What,
    ty: Type,
    args: Vec<usize>,
}

/// Accesses of a run at most. The address of each is in a register of its own from here on.
const ACCESSES: usize = 8;
const ADDRESSES: u32 = 3;
/// Address of the access with that number.
fn access_pc(n: usize) -> GuestAddr {
    GuestAddr(0x18000 + 4 * n as u64)
}

/// A run as a function, and as steps on a list of values whose first four are the operands.
struct Run {
    /// Operands that are constants of the code.
    constants: [Option<u128>; FIRST],
    steps: Vec<Step>,
    /// None for a store.
    types: Vec<Option<Type>>,
    accesses: usize,
}

fn moves(op: PureOp) -> bool {
    matches!(
        op,
        PureOp::FUn(FUn::Abs | FUn::Neg, _)
            | PureOp::VFromScalar
            | PureOp::VToScalar
            | PureOp::VExtract(..)
            | PureOp::VInsert(..)
            | PureOp::VSplat(_)
            | PureOp::VShuffle(_)
            | PureOp::VBitSelect
            | PureOp::VBit(_)
            | PureOp::VCmp(..)
            | PureOp::VLow64
            | PureOp::Bitcast
            | PureOp::Select
            | PureOp::VShiftImm(..)
            | PureOp::V(VBin::Add, _)
    )
}

fn bits_of(op: PureOp, ty: Type) -> Option<u32> {
    match op {
        PureOp::F(_, s) | PureOp::FUn(_, s) | PureOp::FMulAdd(s) => Some(s.bits()),
        PureOp::FCmp { shape, .. }
        | PureOp::FToInt { shape, .. }
        | PureOp::IntToF { shape, .. }
        | PureOp::FRound { shape, .. } => Some(shape.bits()),
        PureOp::FConvert(_) => Some(ty.bits()),
        PureOp::FWiden { .. } => Some(64),
        PureOp::FNarrow { .. } => Some(32),
        _ => None,
    }
}

impl Run {
    fn new(ops: &[TypedOp], with_accesses: bool, random: &mut Random) -> Run {
        let constants = std::array::from_fn(|_| {
            // No denormal numbers: LLVM evaluates conversions of constants as if FZ were off.
            let ordinary = vector(1, 32, random);
            match random.next() >> 60 {
                0 | 1 => Some(0),
                2 => Some(0x3f80_0000_3f80_0000_3f80_0000_3f80_0000),
                3 | 4 => Some(ordinary),
                _ => None,
            }
        });
        let mut pick = |n: usize| (random.next() >> 33) as usize % n;
        let theme = [FShape::V4S, FShape::V4S, FShape::V2D, FShape::V2S, FShape::S, FShape::D][pick(6)];
        let plain: Vec<&TypedOp> = ops
            .iter()
            .filter(|o| {
                matches!(o.op, PureOp::F(FBin::Add | FBin::Sub | FBin::Mul | FBin::Div, s) | PureOp::FMulAdd(s) if s == theme)
            })
            .collect();
        let same: Vec<&TypedOp> = ops.iter().filter(|o| bits_of(o.op, o.ty) == Some(theme.bits())).collect();
        let others: Vec<&TypedOp> =
            ops.iter().filter(|o| moves(o.op) || matches!(bits_of(o.op, o.ty), Some(32 | 64))).collect();
        let types = vec![Some(Type::V128); FIRST];
        let mut run = Run { constants, steps: Vec::new(), types, accesses: 0 };
        let length = 4 + pick(14);
        while run.steps.len() < length {
            let what = pick(22);
            if what >= 16 {
                if with_accesses && run.accesses < ACCESSES {
                    run.access(what >= 20, theme, &mut pick);
                }
                continue;
            }
            let o = match what {
                0..=9 => plain[pick(plain.len())],
                10..=12 => same[pick(same.len())],
                _ => others[pick(others.len())],
            };
            let Some(args) =
                o.operands().iter().map(|&ty| run.operand(ty, &mut pick)).collect::<Option<Vec<usize>>>()
            else {
                continue;
            };
            run.push(What::Op(o.op), o.ty, args);
        }
        run
    }

    fn push(&mut self, what: What, ty: Type, args: Vec<usize>) -> usize {
        self.steps.push(Step { what, ty, args });
        self.types.push((!matches!(what, What::Store(_))).then_some(ty));
        self.types.len() - 1
    }

    fn access(&mut self, store: bool, theme: FShape, pick: &mut impl FnMut(usize) -> usize) {
        let n = self.accesses;
        let ty =
            if pick(4) == 0 { [Type::F32, Type::F64, Type::V128, Type::I64][pick(4)] } else { theme.ty() };
        if !store {
            self.push(What::Load(n), ty, Vec::new());
        } else if let Some(v) = self.operand(ty, pick) {
            self.push(What::Store(n), ty, vec![v]);
        } else {
            return;
        }
        self.accesses += 1;
    }

    /// Some value of that type, late ones rather than early ones; made of a vector if there is none.
    fn operand(&mut self, ty: Type, pick: &mut impl FnMut(usize) -> usize) -> Option<usize> {
        let all: Vec<usize> = (0..self.types.len()).filter(|&i| self.types[i] == Some(ty)).collect();
        if all.is_empty() || all.len() < 3 && ty != Type::I1 && pick(2) == 0 {
            return match ty {
                Type::I1 | Type::I128 => None,
                Type::V128 => Some(pick(FIRST)),
                _ => Some(self.push(What::Op(PureOp::VToScalar), ty, vec![pick(FIRST)])),
            };
        }
        let n = all.len();
        Some(if pick(3) == 0 { all[pick(n)] } else { all[n - 1 - pick(n.min(3))] })
    }

    fn function(&self, n: usize) -> Function {
        let entry = GuestAddr(0x10000 + 4 * n as u64);
        let mut b = Builder::new(&FILE, entry);
        b.mark(entry);
        let mut values: Vec<Value> = self
            .constants
            .iter()
            .enumerate()
            .map(|(i, c)| match c {
                Some(c) => b.konst(Type::V128, *c),
                None => b.get(reg::v(i as u32)),
            })
            .collect();
        for (i, s) in self.steps.iter().enumerate() {
            let args: Vec<Value> = s.args.iter().map(|&a| values[a]).collect();
            let v = match s.what {
                What::Op(op) => b.pure_ty(op, s.ty, &args),
                What::Load(n) | What::Store(n) => {
                    b.mark(access_pc(n));
                    let addr = b.get(reg::x(ADDRESSES + n as u32));
                    if let What::Load(_) = s.what {
                        b.load(s.ty, addr)
                    } else {
                        b.store(addr, args[0]);
                        values.push(addr);
                        continue;
                    }
                }
            };
            values.push(v);
            // Some in the middle of the run, so that registers change before it turns out that something is wrong.
            if i % 2 == 0 && i + FIRST < 32 {
                set(&mut b, i, s.ty, v);
            }
        }
        for (i, s) in self.steps.iter().enumerate().filter(|(i, _)| i % 2 != 0 && i + FIRST < 32) {
            if let What::Store(_) = s.what {
                continue;
            }
            set(&mut b, i, s.ty, values[FIRST + i]);
        }
        let lr = b.get(reg::LR);
        Function { name: format!("run{n}"), entry, blocks: vec![b.finish(Term::Return(lr))] }
    }
}

/// Shows the result of step `i` in its register.
fn set(b: &mut Builder, i: usize, ty: Type, v: Value) {
    let v = match ty {
        Type::V128 => v,
        Type::I128 => b.bitcast(Type::V128, v),
        Type::I1 => {
            let v = b.zext_or_trunc(Type::I64, v);
            b.pure(PureOp::VFromScalar, &[v])
        }
        _ => b.pure(PureOp::VFromScalar, &[v]),
    };
    b.set(reg::v((FIRST + i) as u32), v);
}

/// Vectors of one of several kinds: anything, ordinary numbers, and numbers whose products are near the smallest.
fn vector(kind: u32, bits: u32, random: &mut Random) -> u128 {
    if kind == 0 {
        return operand(Type::V128, random);
    }
    (0..128 / bits).fold(0, |v, i| {
        let x = random.next();
        let lane = match (kind, bits) {
            (1, 32) => (x & 0x807f_ffff) | (127 - 8 + (x >> 40) % 16) << 23,
            (1, _) => (x & 0x800f_ffff_ffff_ffff) | (1023 - 8 + (x >> 56) % 16) << 52,
            (_, 32) => [
                0x0080_0000,
                0x0080_0001,
                0x3f7f_ffff,
                0x3f80_0000,
                0,
                0x8080_0000,
                0xbf7f_fffe,
                0x3f00_0000,
                0x0100_0000,
            ][(x >> 20) as usize % 9],
            (..) => [
                1 << 52,
                (1 << 52) + 1,
                0x3fef_ffff_ffff_ffff,
                0x3ff0 << 48,
                0,
                0x8010 << 48,
                0xbfef_ffff_ffff_fffe,
                0x3fe0 << 48,
                2 << 52,
            ][(x >> 20) as usize % 9],
        };
        v | u128::from(lane) << (i * bits)
    })
}

fn wide(v: [u64; 2]) -> u128 {
    u128::from(v[0]) | u128::from(v[1]) << 64
}

/// What a load of that type gets.
fn memory_bits(ty: Type, v: [u64; 2]) -> u128 {
    wide(v) & if ty.bits() == 128 { !0 } else { (1 << ty.bits()) - 1 }
}

fn check(opt: u8, cpu: &str, checkpoints: Checkpoints, runs: usize, rounds: u32) {
    let ops = TypedOp::all();
    let mut random = Random(0x2545_f491_4f6c_dd1d ^ u64::from(opt));
    let runs: Vec<Run> = (0..runs).map(|n| Run::new(&ops, n % 4 != 0, &mut random)).collect();
    check_runs(opt, cpu, checkpoints, &runs, rounds, random);
}

fn check_runs(opt: u8, cpu: &str, checkpoints: Checkpoints, runs: &[Run], rounds: u32, mut random: Random) {
    let functions: Vec<Function> = runs.iter().enumerate().map(|(n, r)| r.function(n)).collect();
    let mut options = options(opt, checkpoints);
    options.cpu = cpu.into();
    options.text_size = 4 * functions.len() as u64;
    let program = Program::new(&functions, &options);
    let mut failures = String::new();
    for (n, run) in runs.iter().enumerate() {
        let mut shown = false;
        for round in 0..rounds {
            let (rmode, fz, dn) = (round % 4, round & 12 == 4, round & 24 == 24);
            let bits = if run.types.iter().filter(|t| **t == Some(Type::F64)).count() > 2 || round & 1 == 0 {
                64
            } else {
                32
            };
            let mut state = GuestState::default();
            state.x[30] = 0x4000_1234;
            state.fpcr = rmode << 22 | (fz as u32) << 24 | (dn as u32) << 25;
            state.fpsr = if fz { 0x98 } else { 0 };
            let mut env = FpEnv { fpcr: state.fpcr, fpsr: state.fpsr };
            let mut values = Vec::new();
            for (i, constant) in run.constants.iter().enumerate() {
                let v = vector((round >> 1) % 4 % 3, bits, &mut random);
                values.push(Bits::new(Type::V128, constant.unwrap_or(v)));
                state.v[i] = [v as u64, (v >> 64) as u64];
            }
            let mut memory = [[0u64; 2]; ACCESSES];
            for (n, slot) in memory.iter_mut().enumerate() {
                let v = vector((round >> 1) % 4 % 3, bits, &mut random);
                *slot = [v as u64, (v >> 64) as u64];
                state.x[ADDRESSES as usize + n] = &raw const *slot as u64;
            }
            // One access faults in half of the rounds.
            let faults = round as usize / 2 % (ACCESSES + 1);
            let faults = (checkpoints != Checkpoints::None && round & 1 != 0 && faults < run.accesses)
                .then_some(faults);
            if let Some(n) = faults {
                state.x[ADDRESSES as usize + n] = 0x10 + 8 * n as u64;
            }
            let mut expected = memory;
            let mut done = 0;
            for s in &run.steps {
                let args: Vec<Bits> = s.args.iter().map(|&a| values[a]).collect();
                let v = match s.what {
                    What::Load(n) | What::Store(n) if faults == Some(n) => break,
                    What::Op(op) => eval(op, s.ty, &args, &mut env),
                    What::Load(n) => memory_bits(s.ty, memory[n]),
                    What::Store(n) => {
                        let old = wide(expected[n]);
                        let keep = !memory_bits(s.ty, [!0, !0]);
                        let new = old & keep | args[0].bits;
                        expected[n] = [new as u64, (new >> 64) as u64];
                        0
                    }
                };
                values.push(Bits::new(s.ty, v));
                done += 1;
            }
            set_mxcsr(0x1f80 | [0, 2, 1, 3][rmode as usize] << 13 | if fz { 0x8040 } else { 0 });
            let pc = program.run_faulting(n, &mut state);
            let flags = mxcsr();
            set_mxcsr(0x1f80);
            match faults {
                None => assert_eq!(pc, 0x4000_1234),
                Some(n) => assert_eq!((pc, state.pc), (abi::EXIT_PC, access_pc(n).0)),
            }
            let fpsr = state.fpsr | fpsr_of(flags);
            let wrong = (0..run.steps.len().min(32 - FIRST))
                .filter(|&i| !matches!(run.steps[i].what, What::Store(_)))
                .find(|&i| {
                    // Results of odd steps are shown at the end.
                    let shown = i < done && (faults.is_none() || i % 2 == 0);
                    wide(state.v[FIRST + i]) != if shown { values[FIRST + i].bits } else { 0 }
                })
                .or_else(|| (memory != expected).then_some(99));
            if (wrong.is_some() || fpsr != env.fpsr) && !shown {
                shown = true;
                let steps: Vec<String> =
                    run.steps.iter().map(|s| format!("{:?} {} {:?}", s.what, s.ty, s.args)).collect();
                failures += &format!(
                    "run {n} rmode {rmode} fz {fz} dn {dn} fault {faults:?}: value {wrong:?}, fpsr {fpsr:x} for {:x}\n  {}\n  {:x?}\n  {:x?}\n",
                    env.fpsr,
                    steps.join("; "),
                    values.iter().map(|v| v.bits).collect::<Vec<_>>(),
                    &state.v,
                );
            }
        }
    }
    assert!(failures.is_empty(), "at -O{opt} for {cpu}\n{failures}");
}

/// An operation behind a run is emitted from the operands of what defines its own, which no instruction there has.
#[test]
fn operands_of_definitions_in_a_run() {
    let constants = [None; FIRST];
    let mut run = Run { constants, steps: Vec::new(), types: vec![Some(Type::V128); FIRST], accesses: 0 };
    let mut op = |op, ty, args: &[usize]| run.push(What::Op(op), ty, args.to_vec());
    let a = op(PureOp::VToScalar, Type::F32, &[0]);
    let b = op(PureOp::VToScalar, Type::F32, &[1]);
    let sum = op(PureOp::F(FBin::Add, FShape::S), Type::F32, &[a, b]);
    let more = op(PureOp::F(FBin::Add, FShape::S), Type::F32, &[sum, a]);
    let vector = op(PureOp::V(VBin::Add, Lane::S4), Type::V128, &[2, 3]);
    let lane = op(PureOp::VExtract(Lane::S4, 1), Type::I32, &[vector]);
    op(PureOp::F(FBin::Mul, FShape::S), Type::F32, &[more, b]);
    // Ends the run.
    op(PureOp::F(FBin::RecipStep, FShape::S), Type::F32, &[a, b]);
    op(PureOp::Bitcast, Type::F32, &[lane]);
    for opt in [0, 2] {
        check_runs(opt, "x86-64-v2", Checkpoints::Callbr, std::slice::from_ref(&run), 64, Random(1));
    }
}

#[test]
fn runs_at_o0() {
    check(0, "x86-64-v2", Checkpoints::Callbr, 40, 64);
}

#[test]
fn runs_at_o1() {
    check(1, "x86-64-v2", Checkpoints::Callbr, 60, 64);
}

#[test]
fn runs_at_o2() {
    let runs = std::env::var("XLATE_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    check(2, "x86-64-v2", Checkpoints::Callbr, runs, 256);
}

#[test]
fn runs_without_checkpoints() {
    check(2, "x86-64-v2", Checkpoints::None, 60, 64);
}

#[test]
fn runs_on_this_host() {
    check(2, "native", Checkpoints::Callbr, 100, 128);
}
