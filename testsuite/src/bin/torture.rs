//! Runs gcc's tests: `torture [CORPUS…] [-O LEVEL…] [--lifted] [--unoptimised] [--interp] [--jit] [--engines] [--glibc] [--a32 | --t32]
//! [--filter TEXT] [--every N] [--group N] [-- XLATE FLAGS]`. A level is one argument such as `-O2` or `'-O3 -funroll-loops'`; without a
//! corpus it runs `execute`, without a level -O2, without an engine translated code; `--engines` means all three. Each test is
//! compiled and run under qemu once, whatever the number of engines. Ends with a table of what passed in each.

use testsuite::guest::{Libc, Target};
use testsuite::torture::{Corpus, Counts, Engine, Setup, Verdict, run};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut setup = Setup { target: Target::A64, libc: Libc::Musl, engines: Vec::new(), group: 50 };
    let mut xflags: Vec<&str> = Vec::new();
    let (mut filter, mut every) = ("", 1);
    let (mut corpora, mut levels) = (Vec::new(), Vec::new());
    let mut it = args.iter().map(String::as_str);
    while let Some(a) = it.next() {
        match a {
            "--a32" => setup.target = Target::A32,
            "--t32" => setup.target = Target::T32,
            "--glibc" => setup.libc = Libc::Glibc,
            "--lifted" => setup.engines.push(Engine::lifted()),
            "--unoptimised" => setup.engines.push(Engine::unoptimised()),
            "--jit" => setup.engines.push(Engine::run_time()),
            "--interp" => setup.engines.push(Engine::interpreter()),
            "--engines" => {
                setup.engines = vec![Engine::lifted(), Engine::run_time(), Engine::interpreter()];
            }
            "--filter" => filter = it.next().unwrap_or_default(),
            "--every" => every = it.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            "--group" => setup.group = it.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            "--" => xflags.extend(it.by_ref()),
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
    if setup.engines.is_empty() {
        setup.engines.push(Engine::lifted());
    }
    for engine in &mut setup.engines {
        engine.xflags.extend(&xflags);
    }
    let mut failed = 0;
    let mut summary = Vec::new();
    for (name, corpus) in corpora {
        let levels = if corpus.has_levels() { &levels[..] } else { &[""] };
        for level in levels {
            let tests = corpus.tests(level, setup.target);
            let chosen: Vec<_> =
                tests.into_iter().filter(|t| t.name.contains(filter)).step_by(every).collect();
            let results = run(&chosen, &setup);
            for (test, verdicts) in &results {
                for (engine, verdict) in setup.engines.iter().zip(verdicts) {
                    match verdict {
                        Verdict::Pass => {}
                        Verdict::Fail(why) => println!("FAIL {test} {}: {why}", engine.name),
                        Verdict::NoOracle(why) => {
                            println!("none {test}: {why}");
                            break;
                        }
                    }
                }
            }
            for (n, engine) in setup.engines.iter().enumerate() {
                let counts = Counts::of(&results, n);
                failed += counts.failed;
                summary.push(format!("{name} {level} {}: {counts}", engine.name));
                println!("{}", summary[summary.len() - 1]);
            }
        }
    }
    println!("\n{}", summary.join("\n"));
    std::process::exit(if failed > 0 { 1 } else { 0 });
}
