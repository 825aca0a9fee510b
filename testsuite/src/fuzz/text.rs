//! The target on the IR's text form: any text parses or gives an error with its place; what parses prints and parses
//! again; what verifies survives the passes.

use super::Source;
use super::instructions::Instructions;
use crate::guest::Target;
use crate::insns::Bytes;
use isa::Isa;

/// Words that texts are made of, so that arbitrary bytes come near to IR. `ISA` and `REG` stand for the name of the register file
/// and of its first register.
const WORDS: &[&str] = &[
    "function ISA f @0x1000\n",
    "function ISA \"a;b\\n\\u{1f600}\" @0\n",
    "block b0 @0x1000:\n",
    "block b1 @4 resume:\n",
    ".0x1000\n",
    "%0 = get REG\n",
    "%1 = i64 const 0x10\n",
    "%2 = i1 const 1\n",
    "%3 = i64 add %0, %1\n",
    "%4 = v128 vshuffle[",
    "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f",
    "]",
    "%5 = i32 load.acquire.aligned %3\n",
    "store.release %3, %5\n",
    "%6 = i64 rmw.add.acqrel %3, %1\n",
    "%7 = i128 cas %3, %1, %2\n",
    "%8 = i32 storeex %3, %1\n",
    "%9 = f64 fadd.d %1, %1\n",
    "REG = %3\n",
    "switch %3 [",
    "0x1000: b0, ",
    "0x1004: b1",
    "call @0x1000 ret @0x1004 b1\n",
    "call %3 ret @4\n",
    "branch %2, b0, b1\n",
    "return %3\n",
    "jump b1\n",
    "goto @0xffffffffffffffff\n",
    "syscall 0 next @8 b0\n",
    "trap breakpoint 65535 @4\n",
    "trap undefined @4\n",
    "fallback @0\n",
    "fence.full\n",
    "cache.prefetch %0\n",
    "writesys fpcr, %0\n",
    "%",
    "=",
    ",",
    "(",
    "[",
    "[[[[[[[[",
    "\"",
    "\\u{",
    ";",
    "#",
    ".",
    "\n",
    " ",
    "i128",
    "v128",
    "0x",
    "340282366920938463463374607431768211456",
    "ftoint.s.zero.d#4 ",
    "é",
];

/// Text (raw, made of words, or a printed function with damage) → parser → printer → parser.
pub fn ir_text(data: &[u8]) {
    let s = &mut Source::new(data);
    let target = s.guest();
    let file = target.isa().file();
    let text = match s.byte() % 3 {
        0 => String::from_utf8_lossy(s.rest()).into_owned(),
        1 => words(s, target.isa()),
        _ => damaged(s, target),
    };
    if let Err(e) = ir::parse_insts(&text, file) {
        assert!(e.line >= 1 && e.column >= 1 && !e.message.is_empty());
    }
    let Ok(functions) = ir::parse_functions(&text, file) else { return };
    for mut f in functions {
        let printed = f.display(file).to_string();
        match ir::parse_function(&printed, file) {
            Ok(back) => assert!(back == f, "{printed}"),
            Err(e) => panic!("{e} in\n{printed}"),
        }
        if ir::verify(&f, file).is_empty() {
            ir::pass::run_default(&mut f, file);
            let errors = ir::verify(&f, file);
            assert!(errors.is_empty(), "{errors:?}\n{printed}\nbecame\n{}", f.display(file));
        }
    }
}

fn words(s: &mut Source<'_>, isa: Isa) -> String {
    let (name, register) = match isa {
        Isa::A64 => ("a64", "x0"),
        Isa::A32 => ("a32", "r0"),
    };
    let mut text = String::new();
    while !s.is_empty() {
        let n = usize::from(s.byte());
        match WORDS.get(n % (WORDS.len() + 2)) {
            Some(w) => text += &w.replace("ISA", name).replace("REG", register),
            // A long or deep repetition of the word before.
            None => text = text.repeat(if text.len() < 1 << 12 { 1 + n % 7 } else { 1 }),
        }
    }
    text
}

/// A lifted function's text with some bytes changed, lines doubled, dropped or swapped.
fn damaged(s: &mut Source<'_>, target: Target) -> String {
    let (isa, count) = (target.isa(), 1 + s.below(12));
    let bytes = Instructions::draw(s, target, count).bytes();
    let entry = ir::GuestAddr(0x1000 | u64::from(target == Target::T32));
    let block =
        isa::BlockShape { start: entry, end: ir::GuestAddr(0x1000 + bytes.len() as u64), switch: None };
    let shape = isa::FunctionShape { isa, name: "f".into(), entry, blocks: vec![block] };
    let f = isa::lift_function(&shape, &Bytes { start: 0x1000, bytes: &bytes });
    let mut lines: Vec<String> = f.display(isa.file()).to_string().lines().map(String::from).collect();
    for _ in 0..s.below(4) {
        let (a, b) = (s.below(lines.len()), s.below(lines.len()));
        match s.byte() % 3 {
            0 => lines.swap(a, b),
            1 => lines.insert(a, lines[b].clone()),
            _ if lines.len() > 1 => drop(lines.remove(a)),
            _ => {}
        }
    }
    let mut bytes = lines.join("\n").into_bytes();
    for _ in 0..s.below(4) {
        let at = s.below(bytes.len());
        if let Some(b) = bytes.get_mut(at) {
            *b = match s.byte() {
                c @ 0..=127 => c,
                n => b"0x%,=.;b"[usize::from(n) % 8],
            };
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
