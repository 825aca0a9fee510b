//! Soft operations: every data operation by its text agrees with `ir::eval`; FPCR and FPSR pass through MXCSR.

use abi::GuestState;
use exec::{Soft, fpsr, set_fpcr, set_fpsr};
use ir::eval::{Bits, FpEnv, eval};
use ir::{TypedOp, soft_text};

/// A sequence of bits that differs in every place (splitmix64).
fn noise(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*seed ^ *seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[test]
fn every_operation_runs_by_its_text() {
    let mut seed = 1;
    let mut state = GuestState::default();
    for t in TypedOp::all() {
        let soft = Soft::parse(&soft_text(t.op, t.ty, t.operands())).unwrap();
        assert_eq!(soft, Soft::Op(t));
        for fpcr in [0, 1 << 25, 1 << 24 | 3 << 22] {
            state.fpcr = fpcr;
            state.fpsr = 0;
            state.soft_args = std::array::from_fn(|_| [noise(&mut seed), noise(&mut seed)]);
            let args: Vec<Bits> = t
                .operands()
                .iter()
                .zip(state.soft_args)
                .map(|(&ty, a)| Bits::new(ty, a[0] as u128 | (a[1] as u128) << 64))
                .collect();
            let mut env = FpEnv { fpcr, fpsr: 0 };
            let want = eval(t.op, t.ty, &args, &mut env);
            assert_eq!(soft.run(&mut state), None);
            assert_eq!(state.soft_result, [want as u64, (want >> 64) as u64], "{t}");
            assert_eq!(state.fpsr, env.fpsr, "{t}");
        }
    }
}

#[test]
fn status_and_control_pass_through_the_host() {
    let mut state = GuestState::default();
    let run = |state: &mut GuestState, text: &str, arg: u64| {
        state.soft_args[0] = [arg, 0];
        Soft::parse(text).unwrap().run(state);
        state.soft_result[0]
    };
    set_fpsr(&mut state, 0);
    assert_eq!(fpsr(&state), 0);
    // The host divides 1 by 3 and 1 by 0: IXC and DZC.
    let (one, three, zero) = std::hint::black_box((1.0f64, 3.0f64, 0.0f64));
    std::hint::black_box((one / three, one / zero));
    assert_eq!(run(&mut state, "read.fpsr", 0), 0b1_0010);
    state.qc = 1;
    state.fpsr = 1 << 7;
    assert_eq!(run(&mut state, "read.fpsr", 0), 1 << 27 | 1 << 7 | 0b1_0010);
    run(&mut state, "write.fpsr", 1 << 27 | 1);
    assert_eq!((state.qc, state.fpsr, fpsr(&state)), (1, 1, 1 << 27 | 1));
    run(&mut state, "write.fpsr", 0xf000_0000);
    assert_eq!(fpsr(&state), 0);
    // Rounding toward −∞ and +∞ shows in the host's arithmetic.
    // Computed where they stand, in the mode that there is.
    let divide = || std::hint::black_box(std::hint::black_box(one) / std::hint::black_box(three));
    let third = divide();
    run(&mut state, "write.fpcr", 1 << 22 | 1);
    assert_eq!(run(&mut state, "read.fpcr", 0), 1 << 22);
    let up = divide();
    set_fpcr(&mut state, 2 << 22);
    let down = divide();
    set_fpcr(&mut state, 0);
    assert!(up > down && (third == up || third == down));
    let t = run(&mut state, "read.counter", 0);
    assert!(run(&mut state, "read.counter", 0) >= t);
}

#[test]
fn other_texts() {
    let mut state = GuestState::default();
    state.soft_args[0] = [0x7f00_0000_0000_1234, 0];
    assert_eq!(Soft::parse("ic.ivau").unwrap().run(&mut state), Some(0x7f00_0000_0000_1234));
    for bad in ["", "read.x", "write.counter", "f64 fadd.s", "i1 cmp.ult", "fadd.d"] {
        assert_eq!(Soft::parse(bad), None, "{bad}");
    }
}
