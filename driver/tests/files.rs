//! What happens to files when something goes wrong: outputs are whole or as they were, nothing temporary stays, and the
//! message and the exit status say what happened.

mod support;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{cache, files, message, tiny, xlate};

/// A directory with the program `tiny`, an output `out` that is precious, and a directory `tmp` for temporary files.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        std::fs::write(place.path("tiny"), tiny()).unwrap();
        std::fs::write(place.path("out"), "precious").unwrap();
        std::fs::create_dir(place.path("tmp")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `xlate tiny -o out`, to be run by the test itself.
    fn translate(&self) -> Command {
        // Whoever runs the tests may ignore signals, as `nohup` and shells' background jobs do.
        let mut c = Command::new("env");
        c.arg("--default-signal=HUP,INT,TERM").arg(assert_cmd::cargo::cargo_bin!("xlate"));
        c.env("XLATE_CACHE", cache());
        c.arg(self.path("tiny")).arg("-o").arg(self.path("out")).env("TMPDIR", self.path("tmp"));
        c.stdout(Stdio::piped()).stderr(Stdio::piped());
        c
    }

    /// A C compiler that does as this shell script says; `$OUT` is the output that it is asked for.
    fn compiler(&self, script: &str) -> PathBuf {
        let path = self.path("cc.sh");
        let text = format!("#!/bin/sh\nfor a; do [ \"$last\" = -o ] && OUT=$a; last=$a; done\n{script}\n");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn assert_untouched(&self, when: &str) {
        assert_eq!(std::fs::read(self.path("out")).unwrap(), b"precious", "{when}");
        self.assert_clean(when);
    }

    fn assert_clean(&self, when: &str) {
        let mut here = files(self.0.path());
        here.retain(|f| !["cc.sh", "started"].contains(&f.as_str()));
        assert_eq!(here, ["out", "tiny", "tmp"], "{when}");
        assert_eq!(files(&self.path("tmp")), Vec::<String>::new(), "{when}");
    }
}

/// Runs a command to its end; exit code, signal, and standard error.
fn run(c: &mut Command) -> (Option<i32>, Option<i32>, String) {
    let out = c.output().expect("it starts");
    (out.status.code(), out.status.signal(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn a_failing_compiler_leaves_nothing_and_its_words_are_told() {
    let place = Place::new();
    for script in [
        "echo half >$OUT; echo no such luck >&2; exit 3",
        "echo half >$OUT; echo no such luck >&2; touch $TMPDIR/left; kill -9 $$",
        "rm -f $OUT; echo no such luck >&2; exit 1",
    ] {
        let (code, _, text) = run(place.translate().env("CC", place.compiler(script)));
        assert_eq!(code, Some(2), "{script}: {text}");
        assert!(text.contains("no such luck") && text.contains("cc.sh"), "{text}");
        place.assert_untouched(script);
    }
    // A compiler that succeeds without an output.
    let (code, _, text) = run(place.translate().env("CC", place.compiler("rm -f $OUT")));
    assert_eq!(code, Some(2), "{text}");
    place.assert_untouched("no output");
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let place = Place::new();
    // Too little for the objects, for the runtime's object, for the output: in units of 1 KiB.
    for limit in [0, 4, 60, 400, 600] {
        let mut c = Command::new("bash");
        c.args(["-c", &format!("ulimit -f {limit}; exec \"$0\" \"$@\"")]);
        c.arg(assert_cmd::cargo::cargo_bin!("xlate"))
            .arg(place.path("tiny"))
            .arg("-o")
            .arg(place.path("out"));
        // Standard error is a pipe: it has no limit.
        let (code, signal, text) = run(c.env("TMPDIR", place.path("tmp")).env("XLATE_CACHE", cache()));
        assert_eq!((code, signal), (Some(2), None), "{limit}: {text}");
        assert!(text.contains("xlate: "), "{limit}: {text}");
        place.assert_untouched(&format!("{limit}: {text}"));
    }
}

#[test]
fn directories_that_take_no_files_are_told() {
    let place = Place::new();
    let nowhere = place.path("tmp/none");
    let (code, _, text) = run(place.translate().env("TMPDIR", &nowhere));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("TMPDIR"), "{text}");
    place.assert_untouched("no TMPDIR");
    // Nobody can create a file there, not even root.
    let (status, text) = message(xlate().arg(place.path("tiny")).args(["-o", "/proc/self/out"]));
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("/proc/self") && text.contains("-o"), "{text}");
}

#[test]
fn outputs_that_must_not_be_replaced_are_refused() {
    let place = Place::new();
    let fifo = place.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    symlink("/dev/null", place.path("null")).unwrap();
    std::fs::hard_link(place.path("tiny"), place.path("same")).unwrap();
    for (output, expected) in
        [("fifo", "regular"), ("null", "regular"), ("tmp", "directory"), ("tiny", "input"), ("same", "input")]
    {
        let (status, text) = message(xlate().arg(place.path("tiny")).arg("-o").arg(place.path(output)));
        assert_eq!(status, Some(2), "{output}: {text}");
        assert!(text.contains(expected) && text.contains("-o"), "{text}");
    }
    assert_eq!(std::fs::read(place.path("tiny")).unwrap(), tiny());
    assert!(std::fs::symlink_metadata(place.path("null")).unwrap().is_symlink());
    let left = files(place.0.path());
    assert_eq!(left, ["fifo", "null", "out", "same", "tiny", "tmp"]);
}

#[test]
fn a_running_output_is_replaced() {
    let place = Place::new();
    std::fs::copy("/bin/sleep", place.path("out")).unwrap();
    let mut old = Command::new(place.path("out")).arg("60").spawn().unwrap();
    let (code, _, text) = run(&mut place.translate());
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(old.try_wait().unwrap(), None, "the old program runs on");
    old.kill().unwrap();
    old.wait().unwrap();
    assert_eq!(Command::new(place.path("out")).status().unwrap().code(), Some(42));
    place.assert_clean("replaced");
}

#[test]
fn permissions_follow_the_umask() {
    let place = Place::new();
    std::fs::remove_file(place.path("out")).unwrap();
    let mut c = Command::new("sh");
    c.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(assert_cmd::cargo::cargo_bin!("xlate"));
    let (code, _, text) =
        run(c.arg(place.path("tiny")).arg("-o").arg(place.path("out")).env("XLATE_CACHE", cache()));
    assert_eq!(code, Some(0), "{text}");
    let mode = std::fs::metadata(place.path("out")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "{mode:o}");
}

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < end, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ended(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Gone, or waiting for its parent to look.
    stat.rsplit(") ").next().is_none_or(|s| s.is_empty() || s.starts_with('Z'))
}

/// A translation that has come to a linker that does not end: it has written half of the output, and waits for a child.
fn stuck(place: &Place) -> (Child, String) {
    let _ = std::fs::remove_file(place.path("started"));
    let script = format!(
        "echo half >$OUT; touch $TMPDIR/left; sleep 100 & echo $! >{0}.new; mv {0}.new {0}; wait",
        place.path("started").display()
    );
    let child = place.translate().env("CC", place.compiler(&script)).spawn().unwrap();
    wait_for("linking", || place.path("started").exists());
    let sleeper = std::fs::read_to_string(place.path("started")).unwrap().trim().to_string();
    (child, sleeper)
}

#[test]
fn signals_clean_up_and_end_the_tool_as_usual() {
    let place = Place::new();
    for (name, number) in [("-INT", 2), ("-TERM", 15), ("-HUP", 1)] {
        let (child, sleeper) = stuck(&place);
        kill(name, child.id());
        let out = child.wait_with_output().unwrap();
        assert_eq!(out.status.signal(), Some(number), "{name}");
        assert_eq!(String::from_utf8_lossy(&out.stderr), "", "{name}");
        place.assert_untouched(name);
        wait_for("the linker's end", || ended(&sleeper));
    }
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let place = Place::new();
    let script = format!("touch {}; sleep 1; exec cc \"$@\"", place.path("started").display());
    let cc = place.compiler(&script);
    let mut c = Command::new("sh");
    c.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(assert_cmd::cargo::cargo_bin!("xlate"));
    c.arg(place.path("tiny")).arg("-o").arg(place.path("out")).env("CC", cc);
    let mut child = c.env("TMPDIR", place.path("tmp")).env("XLATE_CACHE", cache()).spawn().unwrap();
    wait_for("linking", || place.path("started").exists());
    kill("-HUP", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(Command::new(place.path("out")).status().unwrap().code(), Some(42));
}

#[test]
fn a_killed_tool_leaves_the_output_and_the_next_run_works() {
    let place = Place::new();
    let (mut child, sleeper) = stuck(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(std::fs::read(place.path("out")).unwrap(), b"precious");
    kill("-KILL", sleeper.parse().unwrap());
    let (code, _, text) = run(&mut place.translate());
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(Command::new(place.path("out")).status().unwrap().code(), Some(42));
    let mut left = files(place.0.path());
    left.retain(|f| !f.starts_with(".xlate-"));
    assert_eq!(left, ["cc.sh", "out", "started", "tiny", "tmp"]);
}

#[test]
fn interrupted_at_any_moment_the_output_is_old_or_new() {
    let place = Place::new();
    let whole = {
        assert_eq!(run(&mut place.translate()).0, Some(0));
        std::fs::read(place.path("out")).unwrap()
    };
    for moment in 0..24 {
        std::fs::write(place.path("out"), "precious").unwrap();
        let child = place.translate().spawn().unwrap();
        std::thread::sleep(Duration::from_millis(8 * moment));
        let signal = if moment % 2 == 0 { "-INT" } else { "-TERM" };
        // It may be done already.
        let _ = Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status();
        let out = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        let now = std::fs::read(place.path("out")).unwrap();
        let ended = (out.status.code(), out.status.signal());
        match ended {
            (Some(0), None) => assert!(now == whole, "moment {moment}"),
            (None, Some(2 | 15)) => assert!(now == whole || now == b"precious", "moment {moment}"),
            _ => panic!("moment {moment}: {ended:?} {text}"),
        }
        assert_eq!(text, "", "moment {moment}");
        place.assert_clean(&format!("moment {moment}"));
    }
}

#[test]
fn streams_that_take_nothing_are_no_panic() {
    let place = Place::new();
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let tool = assert_cmd::cargo::cargo_bin!("xlate");
    let tiny = place.path("tiny");
    let inspect =
        |c: &mut Command| c.arg("inspect").arg(&tiny).args(["--emit", "image"]).status().unwrap().code();
    assert_eq!(inspect(Command::new(tool).stdout(full()).stderr(Stdio::null())), Some(2));
    assert_eq!(inspect(Command::new(tool).stdout(full()).stderr(full())), Some(2));
    let code = place.translate().args(["--stats", "--json"]).stdout(full()).status().unwrap().code();
    assert_eq!(code, Some(2));
    let code = place.translate().args(["--stats", "--verbose"]).stderr(full()).status().unwrap().code();
    assert_eq!(code, Some(0));
    assert_eq!(Command::new(tool).arg("--nonsense").stderr(full()).status().unwrap().code(), Some(2));
    assert_eq!(Command::new(tool).arg("/does/not/exist").stderr(full()).status().unwrap().code(), Some(2));
    // A reader that is gone.
    let mut c = Command::new("bash");
    c.args(["-c", "set -o pipefail; \"$0\" \"$@\" | true"]).arg(tool).arg("inspect").arg(&tiny);
    assert_eq!(c.args(["--emit", "llvm"]).status().unwrap().code(), Some(0));
}

#[test]
fn inputs_that_are_no_files_are_told() {
    let place = Place::new();
    let fifo = place.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // The last can be opened but not read.
    for input in [fifo.as_path(), Path::new("/dev/zero"), place.0.path(), Path::new("/proc/self/mem")] {
        for command in [&[][..], &["run"], &["inspect", "--emit", "image"]] {
            let (status, text) =
                message(xlate().args(command).arg(input).env("XDG_CACHE_HOME", place.path("tmp")));
            assert_eq!(status, Some(2), "{text}");
            assert!(text.contains(&*input.to_string_lossy()), "{text}");
        }
    }
}
