//! `XLATE_STATS=1`: what each engine did, on standard error when the process ends. Takes counts from the dispatcher, which
//! keeps them only when they are asked for; gives a line for each. Instructions are counted exactly where an interpreter executes
//! them; ahead-of-time code counts nothing, so that shares are those of time (docs/profiles.md).
//!
//! # Safety
//! Reads the processor's time stamp counter.
#![allow(unsafe_code)]

use crate::profile::{Set, spread};
use crate::trace;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

static ENTRIES: AtomicU64 = AtomicU64::new(0);
static LIFTED: AtomicU64 = AtomicU64::new(0);
static COMPILED: AtomicU64 = AtomicU64::new(0);
static STAYS: AtomicU64 = AtomicU64::new(0);
static INTERPRETED: AtomicU64 = AtomicU64::new(0);
static INSTRUCTIONS: AtomicU64 = AtomicU64::new(0);
static PLACES: AtomicU64 = AtomicU64::new(0);
static KNOWN: Set<65536> = Set::new();

thread_local! {
    /// When the engine that runs now began.
    static SINCE: Cell<u64> = const { Cell::new(0) };
}

/// The time stamp counter.
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// An engine begins, or goes on after a system call.
pub fn begin(on: bool) {
    if on {
        SINCE.set(ticks());
    }
}

/// Lifted code is left, or pauses for a system call.
pub fn lifted(on: bool) {
    if on {
        LIFTED.fetch_add(ticks().saturating_sub(SINCE.get()), Ordering::Relaxed);
    }
}

/// Lifted code was entered.
pub fn entered(on: bool) {
    if on {
        ENTRIES.fetch_add(1, Ordering::Relaxed);
        begin(on);
    }
}

/// Code compiled at run time is left.
pub fn compiled(on: bool) {
    if on {
        COMPILED.fetch_add(ticks().saturating_sub(SINCE.get()), Ordering::Relaxed);
    }
}

/// The interpreter executed `instructions` from `pc` on.
pub fn interpreted(on: bool, pc: u64, instructions: u64) {
    if on {
        STAYS.fetch_add(1, Ordering::Relaxed);
        INTERPRETED.fetch_add(ticks().saturating_sub(SINCE.get()), Ordering::Relaxed);
        INSTRUCTIONS.fetch_add(instructions, Ordering::Relaxed);
        if KNOWN.insert(spread(pc)) {
            PLACES.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// In the child of a `fork`, whose counts begin anew.
pub fn restart() {
    for count in [&ENTRIES, &LIFTED, &COMPILED, &STAYS, &INTERPRETED, &INSTRUCTIONS, &PLACES] {
        count.store(0, Ordering::Relaxed);
    }
}

/// Prints the counts if they were asked for. To be called when the process is about to end.
pub fn report() {
    if !crate::thread::try_process().is_some_and(|p| p.options.stats) {
        return;
    }
    let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let times = [get(&LIFTED), get(&INTERPRETED), get(&COMPILED)];
    let all = times.iter().sum::<u64>().max(1) as f64;
    let [lifted, interpreted, compiled] = times.map(|t| 100.0 * t as f64 / all);
    trace::line(format_args!(
        "stats: ahead-of-time code: {lifted:.2} % of the time; entered {} times by the dispatcher",
        get(&ENTRIES)
    ));
    trace::line(format_args!(
        "stats: interpreter: {interpreted:.2} % of the time; {} instructions, entered {} times at {} places",
        get(&INSTRUCTIONS),
        get(&STAYS),
        get(&PLACES)
    ));
    trace::line(format_args!(
        "stats: run-time compiler: {compiled:.2} % of the time; {}",
        crate::jit::Report
    ));
}
