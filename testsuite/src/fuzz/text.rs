//! The target on the IR's text form: any text parses or gives an error with its place; what parses prints and parses
//! again; what verifies survives the passes.

use super::Source;
use isa::a64::FILE;

/// Words that texts are made of, so that arbitrary bytes come near to IR.
const WORDS: &[&str] = &[
    "function a64 f @0x1000\n",
    "function a64 \"a;b\\n\\u{1f600}\" @0\n",
    "block b0 @0x1000:\n",
    "block b1 @4 resume:\n",
    ".0x1000\n",
    "%0 = get x0\n",
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
    "x0 = %3\n",
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
    let text = match s.byte() % 3 {
        0 => String::from_utf8_lossy(s.rest()).into_owned(),
        1 => words(s),
        _ => damaged(s),
    };
    if let Err(e) = ir::parse_insts(&text, &FILE) {
        assert!(e.line >= 1 && e.column >= 1 && !e.message.is_empty());
    }
    let Ok(functions) = ir::parse_functions(&text, &FILE) else { return };
    for mut f in functions {
        let printed = f.display(&FILE).to_string();
        match ir::parse_function(&printed, &FILE) {
            Ok(back) => assert!(back == f, "{printed}"),
            Err(e) => panic!("{e} in\n{printed}"),
        }
        if ir::verify(&f, &FILE).is_empty() {
            ir::pass::run_default(&mut f, &FILE);
            let errors = ir::verify(&f, &FILE);
            assert!(errors.is_empty(), "{errors:?}\n{printed}\nbecame\n{}", f.display(&FILE));
        }
    }
}

fn words(s: &mut Source<'_>) -> String {
    let mut text = String::new();
    while !s.is_empty() {
        let n = usize::from(s.byte());
        match WORDS.get(n % (WORDS.len() + 2)) {
            Some(w) => text.push_str(w),
            // A long or deep repetition of the word before.
            None => text = text.repeat(if text.len() < 1 << 12 { 1 + n % 7 } else { 1 }),
        }
    }
    text
}

/// A lifted function's text with some bytes changed, lines doubled, dropped or swapped.
fn damaged(s: &mut Source<'_>) -> String {
    let count = 1 + s.below(12);
    let pc = ir::GuestAddr(0x1000);
    let code: Vec<u32> = (0..count).map(|i| s.instruction(i, count)).collect();
    struct At(Vec<u32>);
    impl isa::Code for At {
        fn word(&self, pc: ir::GuestAddr) -> Option<u32> {
            self.0.get((pc.0.wrapping_sub(0x1000) / 4) as usize).copied()
        }
    }
    let block = isa::BlockShape { start: pc, end: pc.offset(4 * count as i64), switch: None };
    let shape = isa::FunctionShape { isa: isa::Isa::A64, name: "f".into(), entry: pc, blocks: vec![block] };
    let f = isa::lift_function(&shape, &At(code));
    let mut lines: Vec<String> = f.display(&FILE).to_string().lines().map(String::from).collect();
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
