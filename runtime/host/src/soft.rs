//! Soft operations: what lifted code leaves to the evaluator. Takes the operation's text once, keeps its parsed form in
//! the output's own data, and evaluates it on the guest state.
//!
//! # Safety
//! Called by lifted code only, with its thread's state and an operation of the output's writable data.
#![allow(unsafe_code)]

use crate::{jit, polycode, signal, thread, trace};
use abi::{GuestState, SoftOp};
use exec::Soft;
use std::ffi::CStr;
use std::sync::atomic::Ordering;

/// The body of `xl_rt_soft_op`.
///
/// # Safety
/// Called by that routine only, for lifted code.
pub unsafe extern "C" fn soft_op(state: *mut GuestState, op: *const SoftOp) {
    // SAFETY: see the module's heading.
    let (state, op) = unsafe { (&mut *state, &*op) };
    let parsed = match op.parsed.load(Ordering::Acquire) {
        0 => parse(op),
        p => p as *const Soft,
    };
    // SAFETY: `parsed` is 0 or a leaked box, made by `parse`.
    if let Some(addr) = unsafe { &*parsed }.run(state) {
        let addr = thread::process().image.isa.data_addr(addr);
        crate::trace!(trace::Topic::Dispatch, "code invalidated at {addr:#x}");
        let before = polycode::epoch();
        polycode::line(addr);
        jit::invalidate_line(addr);
        // The checkpoint of the same instruction follows, where stale code is left for good.
        if polycode::epoch() != before
            && let Some(shared) = thread::current()
        {
            signal::host::set_pending(shared, true);
        }
    }
}

/// Parses the text and publishes the result; two threads may both do so, and one result is lost.
fn parse(op: &SoftOp) -> *const Soft {
    // SAFETY: the text is a NUL-terminated constant of the output.
    let text = unsafe { CStr::from_ptr(op.text.cast()) }.to_str().unwrap_or("?");
    let Some(soft) = Soft::parse(text) else {
        trace::die(format_args!("internal error: unknown soft operation `{text}`; this is a bug in xlate"))
    };
    let p = Box::into_raw(Box::new(soft));
    op.parsed.store(p as u64, Ordering::Release);
    p
}
