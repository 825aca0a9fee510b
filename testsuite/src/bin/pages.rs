//! Writes the generated pages under `docs/`, or with `--check` fails if one is not current.

fn main() {
    let check = std::env::args().any(|a| a == "--check");
    let mut stale = false;
    for (name, text) in testsuite::pages::all() {
        let path = testsuite::root().join("docs").join(name);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if check {
            eprintln!("docs/{name} is not current; run `cargo xtask docs`");
            stale = true;
        } else if let Err(e) = std::fs::write(&path, text) {
            eprintln!("{}: {e}", path.display());
            stale = true;
        } else {
            println!("wrote docs/{name}");
        }
    }
    std::process::exit(if stale { 2 } else { 0 });
}
