//! `cargo xtask`: what people and continuous integration run. Sets the machine up, shows a demonstration, tests, checks
//! the layering, generates documentation pages. Builds without LLVM and without any dependency, because it is what
//! installs them.

mod demo;
mod packages;
mod setup;
mod test;
mod tidy;

use std::process::{Command, ExitCode};

/// A failed step: its message is printed and the exit status is 2.
type Result<T> = std::result::Result<T, String>;

const HELP: &str = "\
cargo xtask COMMAND

  demo              install what is missing, build, translate a real ARM program and run it
  test [--full]     install what is missing, check, and run the tests (--full: every test program)
  setup [--test]    only install what building (and testing) needs
  tidy              check layering, foreign types and file heads
  docs [--check]    write (or compare) the generated pages under docs/
  bench             compare translated programs with qemu-user and with native ones
  packages [--arch ARCH] DIR PKG…
                    unpack Debian packages for another architecture [default: arm64] into DIR
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let result = match args.first().map(String::as_str) {
        Some("demo") => demo::run(),
        Some("test") | Some("ci") => test::run(rest.iter().any(|a| a == "--full")),
        Some("setup") => setup::run(if rest.iter().any(|a| a == "--test") {
            setup::Need::Test
        } else {
            setup::Need::Build
        }),
        Some("tidy") => tidy::run(),
        Some("docs") => test::docs(rest.iter().any(|a| a == "--check")),
        Some("bench") => test::bench(rest),
        Some("packages") => packages::command(rest),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
    }
}

/// The workspace's root directory.
fn root() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("invariant: xtask lies in the workspace")
}

/// Says what is done, does it, and fails with the command line if it fails.
fn step(command: &mut Command) -> Result<()> {
    let line = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|s| s.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ");
    println!("xtask: {line}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` failed: {status}")),
        Err(e) => Err(format!("`{line}` could not be started: {e}")),
    }
}

/// A cargo command in the workspace.
fn cargo(args: &[&str]) -> Command {
    let mut c = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    c.args(args).current_dir(root());
    c
}
