//! The stubs of an output: `xl_enter`, by which the dispatcher calls lifted functions, and those that lifted code calls:
//! system calls and exits. They depend on the choice of hot registers, so they come with the output.

use crate::function::{LEAVE_STUB, SYSCALL_STUB, UnitCx};
use crate::llvm::{C_CONV, REGCALL, V};
use abi::symbol;

pub(crate) fn emit(unit: &UnitCx<'_, '_>) {
    enter(unit);
    syscall(unit);
    leave(unit);
}

fn define(unit: &UnitCx<'_, '_>, name: &str, ty: crate::llvm::T, conv: u32) -> V {
    let l = &unit.llvm;
    let f = l.declare(name, ty, conv);
    l.fn_attribute(f, "nounwind");
    l.at_end(l.block(f, "entry"));
    f
}

fn load_hot(unit: &UnitCx<'_, '_>, state: V) -> Vec<V> {
    unit.hot().map(|r| unit.load_reg(state, r)).collect()
}

fn store_hot(unit: &UnitCx<'_, '_>, state: V, value: impl Fn(u32) -> V) {
    for (i, r) in unit.hot().enumerate() {
        unit.store_reg(state, r, value(i as u32 + 1));
    }
}

/// `extern "C" fn(state, host entry) -> guest pc`
fn enter(unit: &UnitCx<'_, '_>) {
    let l = &unit.llvm;
    let ty = l.fn_ty(l.i64_ty(), &[l.ptr_ty(), l.ptr_ty()]);
    let f = define(unit, symbol::ENTER, ty, C_CONV);
    let (state, entry) = (l.param(f, 0), l.param(f, 1));
    let mut args = vec![state];
    args.extend(load_hot(unit, state));
    let result = l.call(entry, unit.fn_ty, &args, REGCALL);
    store_hot(unit, state, |i| l.extract_value(result, i));
    l.ret(l.extract_value(result, 0));
}

/// As a lifted function: hot registers to the state, the runtime's system call, hot registers back.
fn syscall(unit: &UnitCx<'_, '_>) {
    let l = &unit.llvm;
    let f = define(unit, SYSCALL_STUB, unit.fn_ty, REGCALL);
    l.set_section(f, symbol::TEXT_SECTION);
    let state = l.param(f, 0);
    store_hot(unit, state, |i| l.param(f, i));
    let ty = l.fn_ty(l.i64_ty(), &[l.ptr_ty()]);
    let runtime = l.declare(symbol::SYSCALL, ty, C_CONV);
    let pc = l.call(runtime, ty, &[state], C_CONV);
    let mut values = vec![pc];
    values.extend(load_hot(unit, state));
    l.ret_aggregate(&values);
}

/// As a lifted function that does nothing: returns `EXIT_PC` and the hot registers as they are.
fn leave(unit: &UnitCx<'_, '_>) {
    let l = &unit.llvm;
    let f = define(unit, LEAVE_STUB, unit.fn_ty, REGCALL);
    l.set_section(f, symbol::TEXT_SECTION);
    let mut values = vec![l.i64(abi::EXIT_PC)];
    values.extend((1..=unit.hot().count() as u32).map(|i| l.param(f, i)));
    l.ret_aggregate(&values);
}
