//! The evaluator against qemu: one table row pairs an A64 instruction with the operation that means it. All rows are
//! assembled into one guest program, which executes them on random and special operands in random FPCR modes; result
//! and FPSR must be the evaluator's. Needs `aarch64-linux-gnu-gcc` and `qemu-aarch64-static`; `XLATE_ORACLE_CASES`
//! sets the number of cases per row.

mod operands;
mod rows_fp;
mod rows_int;
mod rows_vector;

use ir::eval::{Bits, FpEnv, eval};
use ir::{PureOp, Type};
use operands::Rng;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Operands of one case: v0…v3, x2, x3.
#[derive(Clone, Copy, Debug)]
struct In {
    v: [u128; 4],
    x: [u64; 2],
}

/// What the instruction writes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Out {
    /// v0.
    V,
    /// x4.
    X,
    /// NZCV, bits 31:28.
    Flags,
    /// x4 with the Z flag in bit 32.
    XZ,
}

type Meaning = Box<dyn Fn(&In, &mut FpEnv) -> u128>;

/// An instruction and its meaning.
struct Row {
    asm: String,
    /// Element width for which special operands are made.
    width: u32,
    out: Out,
    meaning: Meaning,
}

fn row(asm: String, width: u32, out: Out, meaning: impl Fn(&In, &mut FpEnv) -> u128 + 'static) -> Row {
    Row { asm, width, out, meaning: Box::new(meaning) }
}

/// `eval` on operands given as (type, bits).
fn ev(op: PureOp, ty: Type, args: &[(Type, u128)], env: &mut FpEnv) -> u128 {
    let mut a = [Bits::new(Type::I1, 0); 3];
    for (to, &(ty, bits)) in a.iter_mut().zip(args) {
        *to = Bits::new(ty, bits);
    }
    assert_eq!(args.len(), op.arity(), "{op:?}");
    let r = eval(op, ty, &a[..args.len()], env);
    assert_eq!(r & !ty.mask(), 0, "{op:?} {ty:?}: bits above the type's width");
    r
}

const V: Type = Type::V128;

const PROLOGUE: &str = "
.macro begin
    ldp q0, q1, [x0]
    ldp q2, q3, [x0, #32]
    ldp x9, x2, [x0, #64]
    ldr x3, [x0, #80]
    mov x4, #0
    msr nzcv, xzr
    msr fpcr, x9
    msr fpsr, xzr
.endm
.macro end
    mrs x9, nzcv
    mrs x10, fpsr
    msr fpcr, xzr
    str q0, [x1]
    stp x4, x10, [x1, #16]
    str x9, [x1, #32]
    ret
.endm
.arch armv8.5-a+fp16+sha3+aes+crypto+crc
.text
";

const MAIN: &str = r#"
#include <stdio.h>
struct in { unsigned long row, pad; unsigned char rest[96]; } __attribute__((aligned(16)));
struct out { unsigned long w[6]; } __attribute__((aligned(16)));
extern void (*const rows[])(void *, struct out *);
int main(void) {
    struct in in; struct out out = {0};
    while (fread(&in, sizeof in, 1, stdin) == 1) {
        rows[in.row](in.rest, &out);
        fwrite(&out, sizeof out, 1, stdout);
    }
}
"#;

fn build(rows: &[Row]) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("eval-oracle");
    std::fs::create_dir_all(&dir).unwrap();
    let mut s = PROLOGUE.to_string();
    for (i, r) in rows.iter().enumerate() {
        s += &format!("row{i}: begin\n    {}\n    end\n", r.asm);
    }
    s += ".section .data.rel.ro\n.globl rows\n.balign 8\nrows:\n";
    for i in 0..rows.len() {
        s += &format!("    .quad row{i}\n");
    }
    std::fs::write(dir.join("rows.S"), s).unwrap();
    std::fs::write(dir.join("main.c"), MAIN).unwrap();
    let exe = dir.join("oracle");
    let gcc = Command::new("aarch64-linux-gnu-gcc")
        .args(["-static", "-O1", "-o"])
        .args([&exe, &dir.join("main.c"), &dir.join("rows.S")])
        .status()
        .expect("aarch64-linux-gnu-gcc is needed");
    assert!(gcc.success());
    exe
}

struct Case {
    row: usize,
    fpcr: u32,
    input: In,
}

#[test]
fn evaluator_agrees_with_qemu() {
    let mut rows = rows_int::rows();
    rows.extend(rows_vector::rows());
    rows.extend(rows_fp::rows());
    let exe = build(&rows);
    let count = std::env::var("XLATE_ORACLE_CASES").ok().and_then(|s| s.parse().ok()).unwrap_or(300);
    let mut rng = Rng(0x2545_f491_4f6c_dd1d);
    let mut cases = Vec::new();
    let mut stdin = Vec::new();
    for (i, r) in rows.iter().enumerate() {
        for _ in 0..count {
            let input = operands::input(&mut rng, r.width);
            let fpcr = operands::fpcr(&mut rng);
            stdin.extend((i as u128).to_le_bytes());
            input.v.iter().for_each(|v| stdin.extend(v.to_le_bytes()));
            stdin.extend((fpcr as u64).to_le_bytes());
            input.x.iter().for_each(|x| stdin.extend(x.to_le_bytes()));
            stdin.extend([0; 8]);
            cases.push(Case { row: i, fpcr, input });
        }
    }
    let mut qemu = Command::new("qemu-aarch64-static")
        .args(["-cpu", "max"])
        .arg(exe)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("qemu-aarch64-static is needed");
    let mut to = qemu.stdin.take().unwrap();
    let writer = std::thread::spawn(move || to.write_all(&stdin));
    let output = qemu.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout.len(), cases.len() * 48);
    let failures = check(&rows, &cases, &output.stdout);
    assert_eq!(failures, 0, "{failures} rows of {} differ", rows.len());
}

/// qemu 7.2 sets Z for a denormal that FJCVTZS flushes; FPToFixedJS says that it is not exact (qemu 8 follows it).
fn qemu_is_wrong(r: &Row, case: &Case) -> bool {
    let denormal = case.input.v[1] as u64 & 0x7ff << 52 == 0;
    r.out == Out::XZ && denormal && case.fpcr >> 24 & 1 != 0
}

/// Compares all cases; prints the first differences of each row, gives the number of rows that differ.
fn check(rows: &[Row], cases: &[Case], output: &[u8]) -> usize {
    let mut bad = vec![0; rows.len()];
    for (case, out) in cases.iter().zip(output.chunks_exact(48)) {
        let word = |i: usize| u64::from_le_bytes(out[8 * i..8 * i + 8].try_into().unwrap());
        let r = &rows[case.row];
        let expected = match r.out {
            Out::V => (word(1) as u128) << 64 | word(0) as u128,
            Out::X => word(2) as u128,
            Out::Flags => word(4) as u128,
            Out::XZ => word(2) as u128 | (word(4) as u128 >> 30 & 1) << 32,
        };
        let mut env = FpEnv { fpcr: case.fpcr, fpsr: 0 };
        let got = (r.meaning)(&case.input, &mut env);
        let fpsr = word(3) as u32;
        if (got != expected || env.fpsr != fpsr) && !qemu_is_wrong(r, case) {
            bad[case.row] += 1;
            if bad[case.row] <= 2 {
                eprintln!("{}  fpcr {:08x} {:x?}", r.asm, case.fpcr, case.input);
                eprintln!("    qemu {expected:032x} fpsr {fpsr:08x}");
                eprintln!("    eval {got:032x} fpsr {:08x}", env.fpsr);
            }
        }
    }
    for (r, n) in rows.iter().zip(&bad).filter(|(_, n)| **n != 0) {
        eprintln!("{n:6} {}", r.asm);
    }
    bad.iter().filter(|n| **n != 0).count()
}
