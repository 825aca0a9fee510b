//! The benchmark: each program of `testsuite/bench` native, translated and under qemu-user, in turn, several times; the
//! ratios of the medians of user time. `bench [--runs N] [--json] [NAME…] [-- XLATE FLAGS]`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testsuite::{compare, guest, store, tools};

struct Row {
    name: String,
    native: f64,
    translated: f64,
    qemu: f64,
    translate_seconds: f64,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (mut runs, mut json, mut names, mut xflags) = (5, false, Vec::new(), Vec::new());
    let mut it = args.iter().map(String::as_str);
    while let Some(a) = it.next() {
        match a {
            "--runs" => runs = it.next().and_then(|n| n.parse().ok()).unwrap_or(runs),
            "--json" => json = true,
            "--" => xflags.extend(it.by_ref()),
            name => names.push(name),
        }
    }
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
    let mut sources: Vec<PathBuf> =
        std::fs::read_dir(dir).expect("the benchmark's directory").flatten().map(|e| e.path()).collect();
    sources.sort();
    let rows: Vec<Row> = sources
        .iter()
        .filter(|s| {
            names.is_empty() || names.contains(&s.file_stem().unwrap_or_default().to_string_lossy().as_ref())
        })
        .map(|s| measure(s, runs, &xflags))
        .collect();
    let start_up = if names.is_empty() { Some(start_up(&xflags)) } else { None };
    if json {
        print_json(&rows)
    } else {
        print_table(&rows)
    }
    if let (Some([native, translated]), false) = (start_up, json) {
        println!(
            "\nStart-up of an empty program (glibc, static): native {:.2} ms, translated {:.2} ms: {:.2} times",
            native * 1e3,
            translated * 1e3,
            translated / native
        );
    }
}

/// Median wall time of an empty program, native and translated, started in turn.
fn start_up(xflags: &[&str]) -> [f64; 2] {
    let source = store().join("empty.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("the store can be written");
    let arm = guest::build(&source, guest::Libc::Glibc, &["-O2"]).unwrap_or_else(|e| panic!("{e}"));
    let native = store().join("bench-empty");
    let ok = Command::new("cc").args(["-O2", "-static", "-o"]).arg(&native).arg(&source).status();
    assert!(ok.is_ok_and(|s| s.success()), "the empty program does not compile natively");
    let translated = compare::translate(&arm, xflags).unwrap_or_else(|e| panic!("{e}"));
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..200 {
        for (t, program) in times.iter_mut().zip([&native, &translated]) {
            let start = std::time::Instant::now();
            assert!(Command::new(program).status().is_ok_and(|s| s.success()));
            t.push(start.elapsed().as_secs_f64());
        }
    }
    times.map(median)
}

fn measure(source: &Path, runs: usize, xflags: &[&str]) -> Row {
    let name = source.file_stem().expect("a source has a name").to_string_lossy().into_owned();
    let arm = guest::build(source, guest::Libc::Musl, &["-O2"]).unwrap_or_else(|e| panic!("{e}"));
    let native = store().join(format!("bench-{name}"));
    // The same C library on both sides.
    let ok =
        Command::new("musl-gcc").args(["-O2", "-static", "-o"]).arg(&native).arg(source).arg("-lm").status();
    assert!(ok.is_ok_and(|s| s.success()), "{name} does not compile natively");
    let start = std::time::Instant::now();
    let translated = compare::translate(&arm, xflags).unwrap_or_else(|e| panic!("{e}"));
    let translate_seconds = start.elapsed().as_secs_f64();
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let expected = output(&native, None);
    for (what, out) in
        [("translated", output(&translated, None)), ("qemu", output(&arm, Some(tools::qemu())))]
    {
        assert_eq!(out, expected, "{name}: {what} prints something else");
    }
    for _ in 0..runs {
        times[0].push(user_seconds(&native, None));
        times[1].push(user_seconds(&translated, None));
        times[2].push(user_seconds(&arm, Some(tools::qemu())));
    }
    let [native, translated, qemu] = times.map(median);
    eprintln!("{name}: native {native:.3} s, translated {translated:.3} s, qemu {qemu:.3} s");
    Row { name, native, translated, qemu, translate_seconds }
}

fn command(program: &Path, under: Option<&str>) -> Command {
    match under {
        Some(emulator) => {
            let mut c = Command::new(emulator);
            c.arg(program);
            c
        }
        None => Command::new(program),
    }
}

fn output(program: &Path, under: Option<&str>) -> Vec<u8> {
    command(program, under).output().expect("the program starts").stdout
}

/// User time of one run, by the kernel's account of finished children.
fn user_seconds(program: &Path, under: Option<&str>) -> f64 {
    let before = children_user_seconds();
    let status = command(program, under).stdout(Stdio::null()).status().expect("the program starts");
    assert!(status.success(), "{} failed: {status}", program.display());
    children_user_seconds() - before
}

#[allow(unsafe_code)]
fn children_user_seconds() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a live rusage, which all-zero bits initialise.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    usage.ru_utime.tv_sec as f64 + usage.ru_utime.tv_usec as f64 * 1e-6
}

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

fn geomean(values: impl Iterator<Item = f64>) -> f64 {
    let logs: Vec<f64> = values.map(f64::ln).collect();
    (logs.iter().sum::<f64>() / logs.len() as f64).exp()
}

fn print_table(rows: &[Row]) {
    println!("| program | translated / native | qemu / native | qemu / translated | translation, s |");
    println!("|---|---|---|---|---|");
    for r in rows {
        let (t, q) = (r.translated / r.native, r.qemu / r.native);
        println!("| {} | {t:.2} | {q:.2} | {:.2} | {:.1} |", r.name, q / t, r.translate_seconds);
    }
    let t = geomean(rows.iter().map(|r| r.translated / r.native));
    let q = geomean(rows.iter().map(|r| r.qemu / r.native));
    println!("| geometric mean | {t:.2} | {q:.2} | {:.2} | |", q / t);
}

fn print_json(rows: &[Row]) {
    let list: Vec<serde_json::Value> = rows
        .iter()
        .map(|r| {
            serde_json::json!({
                "program": r.name, "native_s": r.native, "translated_s": r.translated, "qemu_s": r.qemu,
                "translation_s": r.translate_seconds,
            })
        })
        .collect();
    println!("{}", serde_json::Value::from(list));
}
