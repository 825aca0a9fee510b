//! The text form: every operation and every instruction reads back as it was printed; errors name their place.

use ir::*;

static REGS: RegFile = RegFile {
    isa: "test",
    regs: &[
        RegInfo { name: "x0", ty: Type::I64, offset: 0 },
        RegInfo { name: "x1", ty: Type::I64, offset: 8 },
        RegInfo { name: "v0", ty: Type::V128, offset: 16 },
        RegInfo { name: "v", ty: Type::I1, offset: 32 },
    ],
};

#[test]
fn every_mnemonic_reads_back() {
    let all = PureOp::all();
    assert!(all.len() > 700, "{}", all.len());
    let mut seen = std::collections::HashSet::new();
    for op in all {
        let text = op.mnemonic();
        assert_eq!(PureOp::parse(&text), Some(op), "{text}");
        assert!(seen.insert(text.clone()), "{text} twice");
        assert!(!text.contains(' '), "{text}");
    }
}

#[test]
fn mnemonics_are_as_documented() {
    for (text, op) in [
        ("add", PureOp::Int(IntBin::Add)),
        ("cmp.ult", PureOp::Cmp(IntCmp::Ult)),
        ("fadd.4s", PureOp::F(FBin::Add, FShape::V4S)),
        ("fcmp.ge.sig.d", PureOp::FCmp { cmp: FCmp::Ge, signaling: true, shape: FShape::D }),
        (
            "ftoint.s.zero.d#4",
            PureOp::FToInt { shape: FShape::D, signed: true, round: Round::Zero, fbits: 4 },
        ),
        ("v.add.16b", PureOp::V(VBin::Add, Lane::B16)),
        ("vshl.8h#3", PureOp::VShiftImm(VShift::Shl, Lane::H8, 3)),
        ("crc32.b", PureOp::Helper(Helper::Crc32 { bits: 8 })),
    ] {
        assert_eq!(op.mnemonic(), text);
        assert_eq!(PureOp::parse(text), Some(op));
    }
    for bad in ["", "vshl.8h", "fadd", "add#1", "vshl.8h#+3", "vshuffle[00]", "a.b.c.d.e.f.g", "vshl.8h#300"]
    {
        assert_eq!(PureOp::parse(bad), None, "{bad}");
    }
}

#[test]
fn every_soft_text_reads_back() {
    let all = TypedOp::all();
    for op in PureOp::all() {
        assert!(all.iter().any(|t| t.op == op), "{op} takes no types");
    }
    for t in all {
        let text = soft_text(t.op, t.ty, t.operands());
        let back = parse_soft(&text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((back.op, back.ty, back.operands()), (t.op, t.ty, t.operands()), "{text}");
    }
    assert_eq!(soft_text(PureOp::Cmp(IntCmp::Ult), Type::I1, &[Type::I32; 2]), "i1 cmp.ult (i32,i32)");
    assert_eq!(parse_soft("i1 cmp.ult"), None);
    assert_eq!(parse_soft("i1 cmp.ult (i32,i64)"), None);
}

const SAMPLE: &str = "\
function test main @0x4000
block b0 @0x4000:
  .0x4000
  %1 = get x0
  %2 = i64 const 0x10
  %3 = i64 add %1, %2
  %4 = i32 load.acquire.aligned %3
  store.align8 %3, %4
  store.release.aligned %3, %2
  %7 = i64 rmw.add.acqrel %3, %2
  %8 = i64 cas %3, %1, %2
  %9 = i8 loadex %3
  %10 = i32 storeex.release %3, %9
  x0 = %3
  .0x4004
  clearex
  fence.full
  cache.invalidate %3
  cache.prefetch %3
  %17 = readsys fpsr
  writesys fpcr, %17
  %19 = codeaddr @0x4010
  %20 = get v0
  %21 = v128 vshuffle[00,01,02,03,04,05,06,07,10,11,12,13,14,15,16,ff] %20, %20
  v0 = %21
  %23 = get v
  branch %23, b1, b2
block b1 @0x4010 resume:
  syscall 0 next @0x4014 b2
block b2 @0x4014:
  %0 = codeaddr @0x5000
  switch %0 [0x4000: b0, 0x4010: b1]
block b3 @0x4018:
  call @0x5000 ret @0x401c b4
block b4 @0x401c:
  %0 = get x1
  call %0 ret @0x4020
block b5 @0x4020:
  %0 = get x1
  indirect %0
block b6 @0x4024:
  %0 = get x1
  return %0
block b7 @0x4028:
  trap undefined @0x4028
block b8 @0x402c:
  trap breakpoint 7 @0x402c
block b9 @0x4030:
  fallback @0x4030
block b10 @0x4034:
  goto @0x6000
block b11 @0x4038:
  jump b0
function test \"odd \\\"name\\\" \\u{1}\" @0x8000
block b0 @0x8000:
  trap undefined @0x8000
";

#[test]
fn functions_read_back() {
    let functions = parse_functions(SAMPLE, &REGS).unwrap();
    assert_eq!(functions.len(), 2);
    assert_eq!(functions[1].name, "odd \"name\" \u{1}");
    let text: String = functions.iter().map(|f| f.display(&REGS).to_string()).collect();
    assert_eq!(text, SAMPLE);
    let f = &functions[0];
    let insts = display_insts(&f.blocks[0].insts, &REGS).to_string();
    assert_eq!(parse_insts(&insts, &REGS).unwrap(), f.blocks[0].insts);
}

#[test]
fn labels_and_comments_are_free() {
    let f = parse_function(
        "; a case\nfunction test f @0x0 ; entry\nblock b0 @0:\n %a = get x0 ; read\n\n x1 = %a\n return %a",
        &REGS,
    )
    .unwrap();
    assert_eq!(f.blocks[0].insts, [Inst::Get(Reg(0)), Inst::Set(Reg(1), Value(0))]);
}

#[test]
fn errors_name_their_place() {
    let head = "function test f @0\nblock b0 @0:\n";
    for (body, place, message) in [
        ("  x9 = %1", "3:3", "`x9` is no register"),
        ("  %1 = get x0\n  x0 = %2", "4:8", "%2 is not defined above"),
        ("  %1 = i64 frob %1", "3:12", "`frob` is no operation"),
        ("  %1 = i65 const 1", "3:8", "`i65` is no type"),
        ("  %1 = i64 const 1 2", "3:20", "unexpected text at the end of the line"),
        ("  jump 7", "3:8", "`7` is no block"),
        ("  syscall 65536 next @0", "3:11", "0x10000 is too large"),
        ("  %1 = get x0\n  %1 = get x0", "4:3", "%1 is defined twice"),
        ("  frob", "3:3", "`frob` is no instruction"),
        ("  %1 = get x0", "3:1", "the block has no terminator"),
    ] {
        let e = parse_functions(&format!("{head}{body}"), &REGS).unwrap_err().to_string();
        assert_eq!(e, format!("{place}: {message}"), "{body}");
    }
    assert!(parse_functions("function a32 f @0", &REGS).is_err());
}

#[test]
fn broken_text_is_an_error_not_a_panic() {
    for cut in 0..SAMPLE.len() {
        if SAMPLE.is_char_boundary(cut) {
            let _ = parse_functions(&SAMPLE[..cut], &REGS);
        }
    }
    for (i, c) in SAMPLE.char_indices() {
        for with in ["", "é", "%", "0x", "\"", "]", "#"] {
            let broken = format!("{}{with}{}", &SAMPLE[..i], &SAMPLE[i + c.len_utf8()..]);
            let _ = parse_functions(&broken, &REGS);
        }
    }
}
