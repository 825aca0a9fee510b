//! The stubs of an output: `xl_enter`, by which the dispatcher calls lifted functions, and those that lifted code calls:
//! system calls and exits. They depend on the choice of hot registers, so they come with the output.

use crate::function::{ABSENT_STUB, LEAVE_STUB, SYSCALL_STUB, UNWIND_STUB};
use crate::llvm::{C_CONV, IPred, REGCALL, V};
use crate::unit::UnitCx;
use abi::{Exit, GuestState, symbol};
use std::mem::offset_of;

pub(crate) fn emit(unit: &UnitCx<'_, '_>) {
    enter(unit);
    syscall(unit);
    leave(unit);
    unwind(unit);
    absent(unit);
}

fn define(unit: &UnitCx<'_, '_>, name: &str, ty: crate::llvm::T, conv: u32) -> V {
    let l = &unit.llvm;
    let f = l.declare(name, ty, conv);
    l.fn_attribute(f, "nounwind");
    l.at_end(l.block(f, "entry"));
    f
}

fn load_hot(unit: &UnitCx<'_, '_>, state: V) -> Vec<V> {
    unit.hot().map(|r| unit.to_slot(r, unit.load_reg(state, r))).collect()
}

fn store_hot(unit: &UnitCx<'_, '_>, state: V, value: impl Fn(u32) -> V) {
    for (i, r) in unit.hot().enumerate() {
        unit.store_reg(state, r, unit.out_of_slot(r, value(i as u32 + 1)));
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
    // Whoever left has stored the link register, to say so in its slot.
    let exit = l.load(l.int_ty(32), unit.field(state, offset_of!(GuestState, exit)));
    let left = l.icmp(IPred::LLVMIntNE, exit, l.i32(Exit::None as u32));
    let stored = unit.load_reg(state, unit.options.hot.link);
    let returned = l.extract_value(result, unit.link_slot());
    let link = l.select(left, stored, returned);
    let value = |i| if i == unit.link_slot() { link } else { l.extract_value(result, i) };
    store_hot(unit, state, value);
    l.ret(l.select(left, l.i64(abi::EXIT_PC), returned));
}

/// As a lifted function: hot registers to the state, the runtime's system call, hot registers back. Does not come back if
/// control goes elsewhere; nor if the link register looks as if it did.
fn syscall(unit: &UnitCx<'_, '_>) {
    let l = &unit.llvm;
    let f = define(unit, SYSCALL_STUB, unit.fn_ty, REGCALL);
    l.set_section(f, symbol::TEXT_SECTION);
    // For the runtime.
    l.align_frame(f, 16);
    let state = l.param(f, 0);
    store_hot(unit, state, |i| l.param(f, i));
    let field = |offset| unit.field(state, offset);
    let next = l.load(l.i64_ty(), field(offset_of!(GuestState, pc)));
    let ty = l.fn_ty(l.i64_ty(), &[l.ptr_ty()]);
    let runtime = l.declare(symbol::SYSCALL, ty, C_CONV);
    let pc = l.call(runtime, ty, &[state], C_CONV);
    let mut values = vec![state];
    values.extend(load_hot(unit, state));
    let link = values[unit.link_slot() as usize];
    let away = l.icmp(IPred::LLVMIntNE, pc, next);
    let like_away = l.icmp(IPred::LLVMIntEQ, link, l.i64(abi::EXIT_PC));
    let (elsewhere, back) = (l.block(f, "elsewhere"), l.block(f, "back"));
    l.unlikely_br(l.or(away, like_away), elsewhere, back);
    l.at_end(elsewhere);
    l.store(pc, field(offset_of!(GuestState, pc)));
    l.store(l.i32(Exit::Pc as u32), field(offset_of!(GuestState, exit)));
    let mut left = values.clone();
    left[unit.link_slot() as usize] = l.i64(abi::EXIT_PC);
    l.ret_aggregate(&left);
    l.at_end(back);
    l.ret_aggregate(&values);
}

/// As a lifted function that does nothing: stores the link register and returns `EXIT_PC` in its slot, and all others as
/// they are.
fn leave(unit: &UnitCx<'_, '_>) {
    let l = &unit.llvm;
    let f = define(unit, LEAVE_STUB, unit.fn_ty, REGCALL);
    l.set_section(f, symbol::TEXT_SECTION);
    let slot = unit.link_slot();
    unit.store_reg(l.param(f, 0), unit.options.hot.link, l.param(f, slot));
    let value = |i| if i == slot { l.i64(abi::EXIT_PC) } else { l.param(f, i) };
    let values: Vec<V> = (0..=unit.hot().count() as u32).map(value).collect();
    l.ret_aggregate(&values);
}

/// As a lifted function: enters the function in `GuestState::unwinding` again if control goes on at one of its resume points, else
/// returns what it was given.
fn unwind(unit: &UnitCx<'_, '_>) {
    let l = &unit.llvm;
    let f = define(unit, UNWIND_STUB, unit.fn_ty, REGCALL);
    l.set_section(f, symbol::TEXT_SECTION);
    // For the runtime.
    l.align_frame(f, 16);
    let slot = unit.link_slot();
    let (state, link) = (l.param(f, 0), l.param(f, slot));
    let values: Vec<V> = (0..=unit.hot().count() as u32).map(|i| l.param(f, i)).collect();
    let word = |offset| l.load(l.i64_ty(), unit.field(state, offset));
    let block = |name| l.block(f, name);
    let (left, came, look, ask, again, up) =
        (block("left"), block("came"), block("look"), block("ask"), block("again"), block("up"));
    // Where control goes on, and the link register: in the state if its slot says that somebody left.
    let start = l.current_block();
    l.unlikely_br(l.icmp(IPred::LLVMIntEQ, link, l.i64(abi::EXIT_PC)), left, look);
    l.at_end(left);
    let exit = l.load(l.int_ty(32), unit.field(state, offset_of!(GuestState, exit)));
    l.cond_br(l.icmp(IPred::LLVMIntEQ, exit, l.i32(Exit::Pc as u32)), came, up);
    l.at_end(came);
    let (there, stored) = (word(offset_of!(GuestState, pc)), unit.load_reg(state, unit.options.hot.link));
    l.br(look);
    l.at_end(look);
    let pc = l.phi(l.i64_ty(), &[(link, start), (there, came)]);
    let link = l.phi(l.i64_ty(), &[(link, start), (stored, came)]);
    // The next function up the stack asks for the same address.
    let known = l.icmp(IPred::LLVMIntEQ, pc, word(offset_of!(GuestState, again_pc)));
    let function = word(offset_of!(GuestState, unwinding));
    let other = l.icmp(IPred::LLVMIntNE, function, word(offset_of!(GuestState, again_host)));
    l.cond_br(l.and(known, other), up, ask);
    l.at_end(ask);
    let ty = l.fn_ty(l.int_ty(32), &[l.ptr_ty(), l.i64_ty()]);
    let runtime = l.declare(symbol::AGAIN, ty, C_CONV);
    let prepared = l.call(runtime, ty, &[state, pc], C_CONV);
    l.cond_br(l.icmp(IPred::LLVMIntNE, prepared, l.i32(0)), again, up);
    l.at_end(again);
    let entry = l.load(l.ptr_ty(), unit.field(state, offset_of!(GuestState, unwinding)));
    let mut resumed = values.clone();
    resumed[slot as usize] = link;
    l.tail_call(entry, unit.fn_ty, &resumed, REGCALL);
    l.at_end(up);
    l.ret_aggregate(&values);
}

/// As a lifted function: hot registers to the state, the runtime runs what is at `GuestState::pc`, hot registers back.
fn absent(unit: &UnitCx<'_, '_>) {
    let l = &unit.llvm;
    let f = define(unit, ABSENT_STUB, unit.fn_ty, REGCALL);
    l.set_section(f, symbol::TEXT_SECTION);
    // For the runtime.
    l.align_frame(f, 16);
    let (state, slot) = (l.param(f, 0), unit.link_slot() as usize);
    store_hot(unit, state, |i| l.param(f, i));
    let ty = l.fn_ty(l.int_ty(32), &[l.ptr_ty()]);
    let runtime = l.declare(symbol::RUN, ty, C_CONV);
    let returned = l.call(runtime, ty, &[state], C_CONV);
    let mut values = vec![state];
    values.extend(load_hot(unit, state));
    // Whoever leaves has the link register in the state: it was loaded from there.
    let left = l.icmp(IPred::LLVMIntEQ, returned, l.i32(0));
    values[slot] = l.select(left, l.i64(abi::EXIT_PC), values[slot]);
    l.ret_aggregate(&values);
}
