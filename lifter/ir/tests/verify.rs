//! The verifier accepts well-formed IR and names each kind of violation.

use ir::*;

static REGS: RegFile = RegFile {
    isa: "test",
    regs: &[RegInfo { name: "x0", ty: Type::I64, offset: 0 }, RegInfo { name: "z", ty: Type::I1, offset: 8 }],
};

fn errors(body: &str) -> Vec<String> {
    let f = parse_function(&format!("function test f @0\nblock b0 @0:\n{body}"), &REGS).unwrap();
    verify(&f, &REGS).iter().map(|e| e.to_string()).collect()
}

#[test]
fn accepts_what_is_well_formed() {
    let none: Vec<String> = vec![];
    assert_eq!(
        errors(
            ".0\n%1 = get x0\n%2 = i32 load %1\n%3 = i64 zext %2\nx0 = %3\n%5 = i1 cmp.eq %1, %3\nz = %5\nbranch %5, b0, b0"
        ),
        none
    );
    // A new guest instruction may access memory again.
    assert_eq!(errors(".0\n%1 = get x0\nx0 = %1\n.4\nstore %1, %1\njump b0"), none);
}

#[test]
fn names_each_violation() {
    for (body, message) in [
        ("%1 = get x0\nz = %1\njump b0", "b0: instruction 1: z %0 is i64, not i1"),
        (
            "%1 = get x0\n%2 = i32 add %1, %1\njump b0",
            "b0: instruction 1: add does not give i32 for (i64, i64)",
        ),
        ("%1 = get x0\n%2 = i1 load %1\njump b0", "b0: instruction 1: no access of type i1"),
        ("%1 = get z\n%2 = i8 load %1\njump b0", "b0: instruction 1: address %0 is i1, not i64"),
        ("%1 = get x0\nbranch %1, b0, b0", "b0: condition %0 is i64, not i1"),
        ("jump b7", "b0: no block b7"),
        ("%1 = get x0\nswitch %1 [8: b0, 4: b0]", "b0: the cases are not sorted, or not unique"),
        ("%1 = i8 const 0x100\njump b0", "b0: instruction 0: the constant does not fit i8"),
        ("%1 = get x0\nwritesys counter, %1\njump b0", "b0: instruction 1: the counter is read only"),
        (
            "%1 = v128 const 0\n%2 = i8 vextract.16b#16 %1\njump b0",
            "b0: instruction 1: no operation vextract.16b#16",
        ),
        (
            ".0\n%1 = get x0\nx0 = %1\nstore %1, %1\njump b0",
            "b0: instruction 3: an access that can fault behind a register write of the same guest instruction",
        ),
    ] {
        assert_eq!(errors(body), [message], "{body}");
    }
}

#[test]
fn finds_undefined_values_and_registers() {
    let f = |insts: Vec<Inst>| Function {
        name: "f".into(),
        entry: GuestAddr(0),
        blocks: vec![Block { pc: GuestAddr(0), insts, term: Term::Goto(GuestAddr(0)), resume: false }],
    };
    for insts in [
        vec![Inst::Set(Reg(0), Value(0))],
        vec![Inst::Get(Reg(9))],
        vec![Inst::Mark(GuestAddr(0)), Inst::Set(Reg(0), Value(0))],
        vec![Inst::Set(Reg(0), NO_VALUE)],
        vec![Inst::Set(Reg(0), Value(1)), Inst::Get(Reg(0))],
    ] {
        assert_eq!(verify(&f(insts.clone()), &REGS).len(), 1, "{insts:?}");
    }
    assert_eq!(verify(&Function { blocks: vec![], ..f(vec![]) }, &REGS).len(), 1);
    assert_eq!(verify(&Function { entry: GuestAddr(4), ..f(vec![]) }, &REGS).len(), 1);
}

#[test]
fn fixed_results_agree_with_the_types_taken() {
    for t in TypedOp::all() {
        if let Some(fixed) = t.op.fixed_result() {
            assert_eq!(fixed, t.ty, "{t}");
        }
    }
}
