//! Runs gcc's tests: `torture [CORPUS…] [-O LEVEL…] [--glibc] [--interp] [--jit] [--filter TEXT] [--every N] [--group N]
//! [-- XLATE FLAGS]`. A level is one argument such as `-O2` or `'-O3 -funroll-loops'`; without a corpus it runs `execute`,
//! without a level -O2.

use testsuite::guest::Libc;
use testsuite::torture::{Corpus, Counts, Setup, Verdict, run};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut setup = Setup { libc: Libc::Musl, xflags: Vec::new(), env: Vec::new(), group: 50 };
    let (mut filter, mut every) = ("", 1);
    let (mut corpora, mut levels) = (Vec::new(), Vec::new());
    let mut it = args.iter().map(String::as_str);
    while let Some(a) = it.next() {
        match a {
            "--glibc" => setup.libc = Libc::Glibc,
            "--jit" => {
                setup.env.push(("XLATE_ENGINE", "jit"));
                setup.xflags.extend(["-O0", "--no-lift"]);
            }
            "--interp" => setup.env.push(("XLATE_ENGINE", "interp")),
            "--filter" => filter = it.next().unwrap_or_default(),
            "--every" => every = it.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            "--group" => setup.group = it.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            "--" => setup.xflags.extend(it.by_ref()),
            "all" => corpora.extend(Corpus::ALL),
            level if level.starts_with('-') => levels.push(level),
            name => match Corpus::ALL.iter().find(|c| c.0 == name) {
                Some(c) => corpora.push(*c),
                None => {
                    let names: Vec<&str> = Corpus::ALL.iter().map(|c| c.0).collect();
                    eprintln!("torture: no corpus {name}: all or {}", names.join(" "));
                    std::process::exit(2);
                }
            },
        }
    }
    if corpora.is_empty() {
        corpora.push(Corpus::ALL[0]);
    }
    if levels.is_empty() {
        levels.push("-O2");
    }
    let mut failed = 0;
    for (name, corpus) in corpora {
        let levels = if corpus.has_levels() { &levels[..] } else { &[""] };
        for level in levels {
            let tests = corpus.tests(level);
            let chosen: Vec<_> =
                tests.into_iter().filter(|t| t.name.contains(filter)).step_by(every).collect();
            let results = run(&chosen, &setup);
            for (test, verdict) in &results {
                match verdict {
                    Verdict::Pass => {}
                    Verdict::Fail(why) => println!("FAIL {test}: {why}"),
                    Verdict::NoOracle(why) => println!("none {test}: {why}"),
                }
            }
            let counts = Counts::of(&results);
            failed += counts.failed;
            println!("{name} {level}: {counts}");
        }
    }
    std::process::exit(if failed > 0 { 1 } else { 0 });
}
