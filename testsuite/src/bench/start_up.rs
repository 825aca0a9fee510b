//! Start-up: wall time of an empty program, native and translated, started in turn.

use super::{Options, measure, programs, translation};
use crate::guest::Target;
use crate::{guest, store};
use serde::Serialize;
use std::process::Command;

/// Median wall seconds from start to exit.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StartUp {
    /// The name of the instruction set.
    pub target: &'static str,
    /// How it is linked with glibc: statically or dynamically.
    pub linked: &'static str,
    /// For this machine.
    pub native_s: f64,
    /// The same for ARM, translated.
    pub translated_s: f64,
}

pub(super) fn measure(target: Target, options: &Options) -> StartUp {
    let source = store().join("empty.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("the store can be written");
    let libc = if options.shared { guest::Libc::Shared } else { guest::Libc::Glibc };
    let arm = guest::build_for(target, &[&source], libc, &["-O2"]);
    let arm = arm.unwrap_or_else(|e| panic!("{e}"));
    let native = programs::native(&source, libc, &["-O2"]);
    let (translated, _) = translation::translate(&arm, false, options);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..options.start_up_runs {
        for (t, program) in times.iter_mut().zip([&native, &translated]) {
            let start = std::time::Instant::now();
            assert!(Command::new(program).status().is_ok_and(|s| s.success()), "the empty program fails");
            t.push(start.elapsed().as_secs_f64());
        }
    }
    let [native_s, translated_s] = times.map(measure::median);
    let linked = if options.shared { "dynamically" } else { "statically" };
    StartUp { target: target.name(), linked, native_s, translated_s }
}
