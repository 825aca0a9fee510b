//! The passes keep meaning: random functions are executed before and after, and everything that can be seen must be
//! the same: each access with the registers at it, every way out, FPSR. And they do remove what they should.

use ir::eval::{Bits, FpEnv, eval};
use ir::*;

const REG_TYPES: [Type; 8] =
    [Type::I64, Type::I64, Type::I64, Type::V128, Type::V128, Type::I1, Type::I1, Type::F64];

static REGS: RegFile = RegFile {
    isa: "test",
    regs: &[
        RegInfo { name: "x0", ty: Type::I64, offset: 0 },
        RegInfo { name: "x1", ty: Type::I64, offset: 8 },
        RegInfo { name: "x2", ty: Type::I64, offset: 16 },
        RegInfo { name: "v0", ty: Type::V128, offset: 32 },
        RegInfo { name: "v1", ty: Type::V128, offset: 48 },
        RegInfo { name: "n", ty: Type::I1, offset: 64 },
        RegInfo { name: "z", ty: Type::I1, offset: 65 },
        RegInfo { name: "d", ty: Type::F64, offset: 72 },
    ],
};

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Bits with many edge cases among them.
    fn bits(&mut self, ty: Type) -> u128 {
        let wide = self.next() as u128 | (self.next() as u128) << 64;
        ty.mask()
            & match self.below(8) {
                0 => 0,
                1 => u128::MAX,
                2 => 1,
                3 => 1 << (ty.bits() - 1),
                4 => (wide & 0x7f) as u8 as u128,
                5 => ty.mask() >> 1,
                _ => wide,
            }
    }
}

/// What an observer sees: where, what, and all registers.
#[derive(PartialEq, Debug)]
struct Seen {
    what: String,
    regs: [u128; 8],
    fpsr: u32,
}

struct Machine {
    regs: [u128; 8],
    env: FpEnv,
    seen: Vec<Seen>,
    blocks_left: u32,
    /// If false, flags are not part of what is seen at accesses, calls and returns.
    precise: bool,
}

impl Machine {
    fn note(&mut self, what: String, exact: bool) {
        let mut regs = self.regs;
        if !exact {
            (regs[5], regs[6]) = (0, 0);
        }
        self.seen.push(Seen { what, regs, fpsr: self.env.fpsr });
    }

    fn run(&mut self, f: &Function) {
        let mut at = 0;
        loop {
            let b = &f.blocks[at];
            if b.resume {
                self.note(format!("block {at}"), self.precise);
            }
            let mut v: Vec<Bits> = Vec::new();
            for inst in &b.insts {
                let value = self.inst(inst, &v);
                v.push(value);
            }
            let val = |x: Value| v[x.0 as usize].bits;
            if self.blocks_left == 0 {
                return;
            }
            self.blocks_left -= 1;
            at = match &b.term {
                Term::Jump(b) => b.0 as usize,
                Term::Branch { cond, then, els } => if val(*cond) != 0 { then } else { els }.0 as usize,
                Term::Return(x) => {
                    let what = format!("return {:x}", val(*x));
                    return self.note(what, self.precise);
                }
                Term::Call { cont: Some(c), .. } => {
                    self.note("call".into(), self.precise);
                    // What the callee does to the registers.
                    for (r, ty) in REG_TYPES.iter().enumerate() {
                        self.regs[r] = self.regs[r].wrapping_mul(3) & ty.mask();
                    }
                    if !self.precise {
                        (self.regs[5], self.regs[6]) = (0, 0);
                    }
                    c.0 as usize
                }
                t => return self.note(t.to_string(), true),
            };
        }
    }

    fn inst(&mut self, inst: &Inst, v: &[Bits]) -> Bits {
        let val = |x: Value| v[x.0 as usize].bits;
        let memory = |ty: Type, addr: u128| Bits::new(ty, addr.wrapping_mul(0x1234_5678_9abc_def1_2345_6789));
        let at_access = |m: &mut Machine, what: String| {
            let exact = m.precise;
            m.note(what, exact);
        };
        match *inst {
            Inst::Const { ty, bits } => Bits::new(ty, bits),
            Inst::CodeAddr(a) => Bits::new(Type::I64, a.0.wrapping_add(0x1000) as u128),
            Inst::Get(r) => Bits::new(REG_TYPES[r.0 as usize], self.regs[r.0 as usize]),
            Inst::Set(r, x) => {
                self.regs[r.0 as usize] = val(x);
                Bits::new(Type::I1, 0)
            }
            Inst::Pure { op, ty, args } => {
                let a: Vec<Bits> = args[..op.arity()].iter().map(|a| v[a.0 as usize]).collect();
                Bits { ty, bits: eval(op, ty, &a, &mut self.env) }
            }
            Inst::Load { ty, addr, .. } => {
                at_access(self, format!("load {:x}", val(addr)));
                memory(ty, val(addr))
            }
            Inst::Store { addr, value, .. } => {
                at_access(self, format!("store {:x} {:x}", val(addr), val(value)));
                Bits::new(Type::I1, 0)
            }
            Inst::ReadSys(_) => {
                // Part of it lies in a register.
                Bits::new(Type::I64, self.regs[6] + self.env.fpsr as u128)
            }
            Inst::WriteSys(_, x) => {
                self.note(format!("writesys {:x}", val(x)), true);
                self.regs[6] = val(x) & 1;
                Bits::new(Type::I1, 0)
            }
            Inst::Mark(_) | Inst::Fence(_) | Inst::ClearEx => Bits::new(Type::I1, 0),
            _ => unreachable!("not generated"),
        }
    }
}

/// A random function; operations are drawn so that every one comes up.
fn function(rng: &mut Rng, ops: &[TypedOp]) -> Function {
    let count = 1 + rng.below(5);
    let mut blocks = Vec::new();
    for i in 0..count {
        let mut b = Builder::new(&REGS, GuestAddr(0x1000 * i as u64));
        let mut values: Vec<(Value, Type)> = Vec::new();
        let pick = |b: &mut Builder<'_>, rng: &mut Rng, values: &mut Vec<(Value, Type)>, ty: Type| {
            let fitting: Vec<Value> = values.iter().filter(|v| v.1 == ty).map(|v| v.0).collect();
            if !fitting.is_empty() && rng.below(5) != 0 {
                return fitting[fitting.len() - 1 - rng.below(fitting.len().min(4))];
            }
            let r = rng.below(8);
            let v = if REG_TYPES[r] == ty && rng.below(2) == 0 {
                b.get(Reg(r as u16))
            } else {
                let bits = rng.bits(ty);
                b.konst(ty, bits)
            };
            values.push((v, ty));
            v
        };
        for n in 0..rng.below(40) {
            let mut writes = false;
            if rng.below(3) == 0 {
                b.mark(GuestAddr(0x1000 * i as u64 + 4 * n as u64));
            }
            match rng.below(16) {
                0 => {
                    let addr = pick(&mut b, rng, &mut values, Type::I64);
                    let ty = [Type::I8, Type::I32, Type::I64, Type::V128, Type::F64][rng.below(5)];
                    b.mark(GuestAddr(1));
                    values.push((b.load(ty, addr), ty));
                }
                1 => {
                    let addr = pick(&mut b, rng, &mut values, Type::I64);
                    let ty = [Type::I8, Type::I32, Type::I64, Type::V128, Type::F64][rng.below(5)];
                    let v = pick(&mut b, rng, &mut values, ty);
                    b.mark(GuestAddr(2));
                    b.store(addr, v);
                }
                2 if rng.below(3) == 0 => {
                    let v = b.push(Inst::ReadSys(SysReg::Fpsr), Some(Type::I64));
                    values.push((v, Type::I64));
                }
                3 if rng.below(3) == 0 => {
                    let v = pick(&mut b, rng, &mut values, Type::I64);
                    b.push(Inst::WriteSys(SysReg::Fpsr, v), None);
                }
                4 => {
                    b.push(Inst::Fence(Fence::Full), None);
                }
                5..=8 => writes = true,
                9 | 10 => {
                    let r = rng.below(8);
                    values.push((b.get(Reg(r as u16)), REG_TYPES[r]));
                }
                11 => {
                    let a = GuestAddr(0x7000 * rng.below(3) as u64);
                    values.push((b.push(Inst::CodeAddr(a), Some(Type::I64)), Type::I64));
                }
                _ => {
                    let t = ops[rng.below(ops.len())];
                    let args: Vec<Value> =
                        t.operands().iter().map(|&ty| pick(&mut b, rng, &mut values, ty)).collect();
                    values.push((b.pure_ty(t.op, t.ty, &args), t.ty));
                }
            }
            if writes {
                let r = rng.below(8);
                let v = pick(&mut b, rng, &mut values, REG_TYPES[r]);
                b.set(Reg(r as u16), v);
            }
        }
        let id = |rng: &mut Rng| BlockId(rng.below(count) as u32);
        let term = match rng.below(8) {
            0 | 1 => Term::Jump(id(rng)),
            2..=4 => {
                let cond = pick(&mut b, rng, &mut values, Type::I1);
                Term::Branch { cond, then: id(rng), els: id(rng) }
            }
            5 => Term::Return(pick(&mut b, rng, &mut values, Type::I64)),
            6 => Term::Call {
                target: CallTarget::Direct(GuestAddr(0x9000)),
                ret: GuestAddr(4),
                cont: Some(id(rng)),
            },
            _ => Term::Goto(GuestAddr(0x8000)),
        };
        blocks.push(b.finish(term));
    }
    // As lifting does: continuations of calls and heads of loops are resume points.
    for i in 0..count {
        let call = matches!(blocks[i].term, Term::Call { .. });
        for s in blocks[i].term.successors() {
            blocks[s.0 as usize].resume |= call || s.0 as usize <= i;
        }
    }
    Function { name: "f".into(), entry: GuestAddr(0), blocks }
}

fn seen(f: &Function, seed: u64, precise: bool) -> (Vec<Seen>, u32) {
    let mut rng = Rng(seed);
    let regs = REG_TYPES.map(|t| rng.bits(t));
    let fpcr = [0, 1 << 25, 3 << 22][rng.below(3)];
    let mut m = Machine { regs, env: FpEnv { fpcr, fpsr: 0 }, seen: vec![], blocks_left: 12, precise };
    m.run(f);
    (m.seen, m.env.fpsr)
}

fn valid(f: &Function) {
    let errors: Vec<String> = verify(f, &REGS)
        .iter()
        .map(|e| e.to_string())
        .filter(|e| !e.contains("behind a register write"))
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{}", f.display(&REGS));
}

fn check(cases: u64, precise: bool, pass: impl Fn(&mut Function)) {
    let ops = TypedOp::all();
    let integer: Vec<TypedOp> =
        ops.iter().copied().filter(|t| t.ty.is_int() && t.operands().iter().all(|a| a.is_int())).collect();
    for case in 0..cases {
        let mut rng = Rng(case);
        let before = function(&mut rng, if case % 3 == 0 { &ops } else { &integer });
        valid(&before);
        let mut after = before.clone();
        pass(&mut after);
        valid(&after);
        for seed in 0..3 {
            let (a, b) = (seen(&before, seed, precise), seen(&after, seed, precise));
            assert!(
                a == b,
                "case {case}: {a:#?}\n{b:#?}\n{}\n{}",
                before.display(&REGS),
                after.display(&REGS)
            );
        }
    }
}

#[test]
fn each_pass_keeps_meaning() {
    let all: Vec<Reg> = (0..8).map(Reg).collect();
    check(600, true, |f| pass::simplify(f, &REGS));
    check(600, true, |f| pass::remove_dead_sets(f, &REGS, &all, true));
    check(600, true, |f| pass::remove_dead_sets(f, &REGS, &[], true));
    check(600, true, pass::remove_dead_values);
}

#[test]
fn all_passes_keep_meaning() {
    check(4000, true, |f| pass::run_default(f, &REGS));
}

#[test]
fn imprecise_flags_are_right_where_they_are_used() {
    check(1500, false, |f| pass::remove_dead_sets(f, &REGS, &[Reg(5), Reg(6)], false));
}

#[test]
fn straight_runs_keep_meaning() {
    let ops = TypedOp::all();
    for case in 0..1500 {
        let mut rng = Rng(case ^ 0xabcd);
        let mut f = function(&mut rng, &ops);
        let b = &mut f.blocks[0];
        let mut roots = vec![];
        if let Term::Return(v) = b.term {
            roots.push(v);
        }
        b.term = roots.first().map_or(Term::Goto(GuestAddr(0)), |v| Term::Return(*v));
        f.blocks.truncate(1);
        let before = f.clone();
        pass::run_default_insts(&mut f.blocks[0].insts, &mut roots, &REGS);
        if let Some(v) = roots.first() {
            f.blocks[0].term = Term::Return(*v);
        }
        valid(&f);
        assert!(seen(&before, case, true) == seen(&f, case, true), "{}", before.display(&REGS));
    }
}

/// The text of `f`'s blocks after the default passes.
fn optimized(text: &str) -> String {
    let mut f = parse_function(&format!("function test f @0\n{text}"), &REGS).unwrap();
    assert_eq!(verify(&f, &REGS), []);
    pass::run_default(&mut f, &REGS);
    assert_eq!(verify(&f, &REGS), []);
    f.blocks.iter().enumerate().map(|(i, b)| b.display(BlockId(i as u32), &REGS).to_string()).collect()
}

#[test]
fn forwards_folds_and_drops() {
    // Two additions of constants; the flags of the first are overwritten unseen.
    let got = optimized(
        "block b0 @0:\n .0\n %1 = get x0\n %2 = i64 const 1\n %3 = i64 add %1, %2\n %4 = i1 cmp.eq %3, %2\n x0 = %3
         z = %4\n .4\n %a = get x0\n %b = i64 const 2\n %c = i64 add %a, %b\n x0 = %c\n %d = i64 const 0
         %e = i1 cmp.eq %c, %d\n z = %e\n %f = get z\n %g = i1 not %f\n branch %g, b0, b0",
    );
    assert_eq!(
        got,
        "block b0 @0x0:\n  .0x0\n  %1 = get x0\n  .0x4\n  %3 = i64 const 0x3\n  %4 = i64 add %1, %3\n  x0 = %4
  %6 = i64 const 0x0\n  %7 = i1 cmp.eq %4, %6\n  z = %7\n  jump b0\n"
    );
}

#[test]
fn words_of_registers_pass_through() {
    let got = optimized(
        "block b0 @0:\n %1 = get x0\n %2 = i32 trunc %1\n %3 = i64 zext %2\n x1 = %3\n %4 = get x1\n %5 = i32 trunc %4
         %6 = i32 const 0\n %7 = i1 cmp.eq %5, %6\n %8 = i1 not %7\n n = %8\n %9 = i64 const 5\n return %9",
    );
    assert_eq!(
        got,
        "block b0 @0x0:\n  %0 = get x0\n  %1 = i32 trunc %0\n  %2 = i64 zext %1\n  x1 = %2\n  %4 = i32 const 0x0
  %5 = i1 cmp.ne %1, %4\n  n = %5\n  %7 = i64 const 0x5\n  return %7\n"
    );
}

#[test]
fn dead_flags_across_blocks() {
    let body = |access: &str, resume: &str| {
        format!(
            "block b0 @0:\n .0\n %1 = get x0\n %2 = i64 const 9\n %3 = i1 cmp.ult %1, %2\n n = %3\n %4 = get x1
             jump b1\nblock b1 @4{resume}:\n .4\n %1 = get x2\n {access}\n %2 = i64 const 7\n %3 = i1 cmp.ult %1, %2
             n = %3\n return %1"
        )
    };
    let sets = |text: &str| optimized(text).matches("  n = ").count();
    assert_eq!(sets(&body("", "")), 1);
    assert_eq!(sets(&body("store %1, %1", "")), 2);
    assert_eq!(sets(&body("", " resume")), 2);
    let mut f = parse_function(&format!("function test f @0\n{}", body("store %1, %1", "")), &REGS).unwrap();
    pass::remove_dead_sets(&mut f, &REGS, &[Reg(5)], false);
    assert_eq!(f.display(&REGS).to_string().matches("  n = ").count(), 0);
}

/// A loop whose condition stands behind its body, as compilers write them: engines interrupt it at the condition, too.
#[test]
fn flags_are_exact_where_loops_are_interrupted() {
    let flags = |x: &str| format!("%1 = get {x}\n %2 = i64 const 9\n %3 = i1 cmp.ult %1, %2\n n = %3\n");
    let body = |access: &str, back: &str| {
        let (first, second) = (flags("x0"), flags("x2"));
        format!(
            "block b0 @0:\n .0\n jump b2\nblock b1 @4:\n .4\n %0 = get x1\n {access}\n {first} jump b2
             block b2 @8:\n .8\n {second} %4 = get z\n branch %4, {back}, b3
             block b3 @12:\n .12\n %1 = get x0\n return %1"
        )
    };
    let sets = |text: &str| optimized(text).matches("  n = ").count();
    assert_eq!(sets(&body("", "b3")), 1);
    assert_eq!(sets(&body("", "b1")), 2);
    assert_eq!(sets(&body("store %0, %0", "b1")), 2);
}

#[test]
fn accesses_and_status_bits_stay() {
    let got = optimized(
        "block b0 @0:\n %1 = get x0\n %2 = i64 load %1\n %3 = f64 const 1\n %4 = f64 fadd.d %3, %3\n %5 = f64 fneg.d %3
         return %1",
    );
    assert!(got.contains("load") && got.contains("fadd.d") && !got.contains("fneg"), "{got}");
}

#[test]
fn code_addresses_fold_and_pass_through_registers() {
    let body = |resume: &str| {
        format!(
            "block b0 @0:\n .0\n %1 = codeaddr @0x7000\n %2 = i64 const 8\n %3 = i64 add %1, %2\n x0 = %3
             %4 = i64 sub %3, %1\n x1 = %4\n %5 = get z\n branch %5, b1, b2
             block b1 @4{resume}:\n .4\n %1 = get x0\n %2 = i64 const 0x10\n %3 = i64 add %1, %2\n return %3
             block b2 @8:\n .8\n %1 = get x0\n x2 = %1\n jump b1"
        )
    };
    let got = optimized(&body(""));
    for wanted in ["codeaddr @0x7008\n  x0", "codeaddr @0x7018\n  return", "codeaddr @0x7008\n  x2"] {
        assert!(got.contains(wanted), "{wanted} is not in {got}");
    }
    // The dispatcher may bring something else.
    let got = optimized(&body(" resume"));
    assert!(!got.contains("0x7018") && got.contains("codeaddr @0x7008\n  x2"), "{got}");
}

/// An operand that is put together of halves, as AArch32's Q registers are, and what is left of widening it.
#[test]
fn halves_widen_without_being_put_together() {
    let whole = "%1 = get v0\n %2 = get v1\n %3 = i64 vextract.2d#1 %1\n";
    for (half, operand, left) in [
        ("low", "%4 = f64 bitcast %3\n %5 = v128 vfromscalar %4\n", "vwiden.u.high.16b"),
        ("low", "%5 = v128 vfromscalar %3\n", "vwiden.u.high.16b"),
        ("low", "%5 = v128 vlow64 %2\n", "vwiden.u.low.16b"),
        ("low", "%5 = v128 vinsert.2d#1 %2, %3\n", "vwiden.u.low.16b"),
        ("high", "%5 = v128 vlow64 %2\n", "v128 const 0x0"),
    ] {
        let text = format!(
            "function test f @0\nblock b0 @0:\n .0\n {whole}{operand} %6 = v128 vwiden.u.{half}.16b %5
             v0 = %6\n %7 = i64 const 5\n return %7"
        );
        let before = parse_function(&text, &REGS).unwrap();
        let mut after = before.clone();
        pass::run_default(&mut after, &REGS);
        for seed in 0..20 {
            assert!(seen(&before, seed, true) == seen(&after, seed, true), "{text}");
        }
        let kept = after.display(&REGS).to_string();
        let other = ["vinsert", "vextract", "vlow64", "vfromscalar", "bitcast"];
        assert!(kept.contains(left) && !other.iter().any(|o| kept.contains(o)), "{kept}");
    }
}

/// Dispatch in three blocks, two of which access memory and choose by the same register.
const THREADED: &str = "function test f @0x1000
block b0 @0x1000:
  .0x1000
  %1 = get x0
  %2 = i64 load %1
  x1 = %2
  switch %2 [0x1000: b0, 0x1010: b1, 0x1020: b2]
block b1 @0x1010:
  .0x1010
  %1 = get x1
  store %1, %1
  switch %1 [0x1000: b0, 0x1010: b1, 0x1020: b2]
block b2 @0x1020:
  .0x1020
  %1 = get x1
  switch %1 [0x1000: b0, 0x1010: b1, 0x1020: b2]
";

#[test]
fn threaded_code_shares_its_dispatch() {
    let f = parse_function(THREADED, &REGS).unwrap();
    let mut few = f.clone();
    pass::share_switches(&mut few, 9);
    assert_eq!(few, f);
    let mut shared = f.clone();
    pass::share_switches(&mut shared, 8);
    assert_eq!(verify(&shared, &REGS), vec![]);
    let ends: Vec<String> = shared.blocks.iter().map(|b| b.term.to_string()).collect();
    let all = "[0x1000: b0, 0x1010: b1, 0x1020: b2]";
    assert_eq!(ends, ["jump b3", "jump b3", &format!("switch %1 {all}"), &format!("switch %0 {all}")]);
    assert_eq!(shared.blocks[3].insts, [Inst::Get(Reg(1))]);
}
