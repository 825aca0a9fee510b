//! One translation under the clock: always done anew, without the translator's cache. Takes an ARM program, gives the
//! executable and what it cost.

use super::{Options, UNCHECKED, measure};
use crate::{guest, store, tools};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Cost and size of one translation.
#[derive(Clone, Debug, Serialize)]
pub struct Translation {
    /// Wall time.
    pub seconds: f64,
    /// User time of all its threads.
    pub user_s: f64,
    /// Largest resident set, bytes.
    pub peak_memory: u64,
    /// Instructions lifted.
    pub guest_instructions: u64,
    /// Bytes of code, constants and tables made for them.
    pub object_bytes: u64,
    /// Bytes of the executable, the runtime and the ARM program in it included.
    pub output_bytes: u64,
}

impl Translation {
    /// Guest instructions translated in a second.
    pub fn speed(&self) -> f64 {
        self.guest_instructions as f64 / self.seconds
    }

    /// Bytes of code and tables for each guest instruction.
    pub fn density(&self) -> f64 {
        self.object_bytes as f64 / self.guest_instructions.max(1) as f64
    }
}

pub(super) fn translate(arm: &Path, unchecked: bool, options: &Options) -> (PathBuf, Translation) {
    let name = arm.file_name().expect("a program has a name");
    let key = format!("{} {unchecked} {:?}", arm.display(), options.xflags);
    // The program's own name stays, because busybox is what its name says.
    let dir = store().join("bench-output").join(format!("{:016x}", guest::content_hash(key.as_bytes())));
    std::fs::create_dir_all(&dir).expect("the store can be written");
    let out = dir.join(name);
    let mut c = Command::new(tools::xlate());
    c.arg(arm).arg("-o").arg(&out).args(["--stats", "--json"]).args(&options.xflags);
    // A cache that is thrown away: the figure is that of a first translation.
    let cache = tempfile::tempdir().expect("a temporary directory can be made");
    c.env("XDG_CACHE_HOME", cache.path());
    // Of dynamically linked programs it would be that of the C library, again and again.
    c.env("XLATE_CACHE", if options.shared { store().join("functions") } else { cache.path().into() });
    if unchecked {
        c.arg(UNCHECKED);
    }
    let start = Instant::now();
    let cost = measure::cost(c);
    let seconds = start.elapsed().as_secs_f64();
    assert!(cost.status.success(), "xlate {}: {}", arm.display(), cost.status);
    let stats: serde_json::Value =
        serde_json::from_slice(&cost.stdout).expect("xlate --stats --json prints JSON");
    let number =
        |key: &str| stats[key].as_u64().unwrap_or_else(|| panic!("xlate --stats --json: no `{key}`"));
    let translation = Translation {
        seconds,
        user_s: cost.user,
        peak_memory: cost.peak_memory,
        guest_instructions: number("guest_instructions"),
        object_bytes: number("object_bytes") - number("guest_file_bytes"),
        output_bytes: number("output_bytes"),
    };
    (out, translation)
}
