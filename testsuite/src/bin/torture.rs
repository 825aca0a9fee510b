//! Runs gcc's torture tests: `torture [--glibc] [--interp] [--filter TEXT] [--every N] [-O…] [-- XLATE FLAGS]`.

use testsuite::guest::Libc;
use testsuite::torture::{Setup, Verdict, run, tests};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut setup = Setup { cflags: Vec::new(), libc: Libc::Musl, xflags: Vec::new(), env: Vec::new() };
    let (mut filter, mut every) = (String::new(), 1);
    let mut it = args.iter().map(String::as_str);
    while let Some(a) = it.next() {
        match a {
            "--glibc" => setup.libc = Libc::Glibc,
            "--interp" => setup.env.push(("XLATE_ENGINE", "interp")),
            "--filter" => filter = it.next().unwrap_or_default().to_string(),
            "--every" => every = it.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            "--" => setup.xflags.extend(it.by_ref()),
            flag => setup.cflags.push(flag),
        }
    }
    let chosen: Vec<_> =
        tests().into_iter().filter(|t| t.to_string_lossy().contains(&filter)).step_by(every).collect();
    let results = run(&chosen, &setup);
    let (mut pass, mut fail, mut none) = (0, 0, 0);
    for (test, verdict) in &results {
        let name = test.file_name().unwrap_or_default().to_string_lossy();
        match verdict {
            Verdict::Pass => pass += 1,
            Verdict::Fail(why) => {
                fail += 1;
                println!("FAIL {name}: {why}");
            }
            Verdict::NoOracle(why) => {
                none += 1;
                println!("none {name}: {why}");
            }
        }
    }
    println!("{pass} passed, {fail} failed, {none} without oracle");
    std::process::exit(if fail > 0 { 1 } else { 0 });
}
