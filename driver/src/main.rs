//! The `xlate` command: reads a guest program, translates it, links the result, or runs it, or shows a stage. Data goes
//! to stdout, messages to stderr; exit status 0, 1 (worked, with gaps, under `--strict`) or 2 (failed).

/// LLVM allocates for a tenth of a translation's time with the C library's allocator, which this one stands in for (feature `override`).
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod cache;
mod inherited;
mod inspect;
mod interrupt;
mod libraries;
mod link;
mod output;
mod progress;
mod run;
mod translate;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use image::Image;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  xlate busybox -o busybox.x86         translate a static ARM program
  ./busybox.x86 ls -l                  … and run it natively
  xlate run busybox ls -l              translate (cached) and run
  xlate --sysroot arm-root arm-root/usr/bin/jq -o jq.x86
                                       a dynamically linked one, with the libraries it needs
  xlate cache                          what the cache holds, and where
  xlate inspect busybox --emit coverage
  xlate inspect busybox --emit llvm --function 0x4005f0
  XLATE_PROFILE=busybox.prof ./busybox.x86 vi
                                       learn what only running it shows,
  xlate busybox --profile busybox.prof -o busybox.x86
                                       … and translate that, too

A translated program understands XLATE_STRACE=1 (system calls, as strace prints them),
XLATE_TRACE=dispatch,fallback,signal, XLATE_STATS=1 (what the engines did) and
XLATE_ENGINE=auto|interp|jit: jit compiles everything at run time, auto only what has no
translation and was entered XLATE_JIT_THRESHOLD times (0: nothing), and again, in larger
pieces, after XLATE_JIT_AGAIN entries. XLATE_JIT_CACHE bounds its host code in bytes. XLATE_PROFILE=FILE records what has no translation for --profile.
XLATE_EXE=FILE is the program's own file, where it finds what lies beside it, if not the translation; `xlate run` says it.
XLATE_VERIFY=1 compares translated code with the interpreter at each checkpoint, slowly, and
reports the first difference.";

/// Translates ARM Linux programs (AArch64, AArch32) ahead of time to native x86-64 executables.
#[derive(Parser)]
#[command(name = "xlate", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Sub>,
    #[command(flatten)]
    translate: TranslateArgs,
}

#[derive(Subcommand)]
enum Sub {
    /// Translate (kept in a cache) and run.
    Run(RunArgs),
    /// Show a stage of the translation.
    Inspect(InspectArgs),
    /// Show or clear the cache of compiled functions and of programs that `xlate run` translated.
    Cache(cache::Command),
}

#[derive(Args)]
struct TranslateArgs {
    /// The ARM program: an AArch64 or AArch32 ELF file, statically or dynamically linked.
    #[arg(required = true, value_name = "IN")]
    input: Option<PathBuf>,
    /// The x86-64 executable to write [default: IN with the suffix .x86].
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Print counts and times.
    #[arg(long)]
    stats: bool,
    /// With --stats: as JSON, on stdout.
    #[arg(long, requires = "stats")]
    json: bool,
    /// Exit with status 1 if something could not be lifted.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    cache: cache::CacheArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args)]
struct RunArgs {
    /// What the program sees as its own name; a translated program that executes an ARM program says so here.
    #[arg(long, hide = true, value_name = "NAME")]
    argv0: Option<std::ffi::OsString>,
    /// The ARM program, and its arguments: options behind its name are the program's, not xlate's.
    #[arg(trailing_var_arg = true, required = true, value_names = ["IN", "ARGS"])]
    program: Vec<std::ffi::OsString>,
    #[command(flatten)]
    cache: cache::CacheArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args)]
struct InspectArgs {
    /// The ARM program, or a shared library.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Which stage.
    #[arg(long, value_enum)]
    emit: inspect::Emit,
    /// Only the function of this name, or the one that contains this address (0x…).
    #[arg(long, value_name = "NAME|ADDR")]
    function: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
}

/// Options of every command.
#[derive(Args, Clone)]
struct CommonArgs {
    /// Optimisation level.
    #[arg(short = 'O', value_name = "LEVEL", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=3))]
    opt: u8,
    /// Target processor: an LLVM name (x86-64-v2, x86-64-v3, znver3, …) or `native`.
    #[arg(long, value_name = "CPU", default_value = "x86-64-v2", value_parser = processor)]
    target_cpu: String,
    /// Threads to use [default: all cores]. The output does not depend on it.
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// More messages: diagnostics of the input, the linker's command line.
    #[arg(short, long)]
    verbose: bool,
    /// Translate nothing ahead of time: all code is compiled when it is executed. For a large program that runs once, as
    /// translating it takes a second for 7,000 instructions.
    #[arg(long)]
    no_lift: bool,
    /// The environment is a guest program's: variables in it that tell a compiler what to do mean an ARM one.
    #[arg(skip)]
    for_guest: bool,
    /// Lift also what earlier runs of the program met, as XLATE_PROFILE=FILE recorded it. May be given several times.
    #[arg(long, value_name = "FILE")]
    profile: Vec<PathBuf>,
    /// The directory with the ARM system's files (dynamic linker, libraries …), where the translated program looks first for
    /// what it opens by absolute names; XLATE_SYSROOT=DIR overrides it [default: / if the dynamic linker is there, else where
    /// Debian's cross libraries are, /usr/aarch64-linux-gnu and the like].
    #[arg(long, value_name = "DIR")]
    sysroot: Option<PathBuf>,
    /// Which libraries of a dynamically linked program are translated with it, as they are in the sysroot now; the others are
    /// compiled when the program runs [default: needed; of `run` and `inspect`: none].
    #[arg(long, value_enum, value_name = "WHICH")]
    libraries: Option<Libraries>,
    /// Translate also this library, which the program loads while it runs (dlopen: plugins and the like), and what it needs.
    /// Implies `--libraries needed`; with `--libraries none` only the given ones are translated. May be given several times.
    #[arg(long, value_name = "FILE")]
    library: Vec<PathBuf>,
    /// How guest state is kept recoverable (for measurements).
    #[arg(long, hide = true, value_enum)]
    checkpoints: Option<CheckpointArg>,
    /// Inexact, for measuring what exactness costs: guest accesses are not recoverable. A guest fault ends the program
    /// with a message, and signals wait until lifted code is left.
    #[arg(long, hide_short_help = true, conflicts_with = "checkpoints")]
    unsafe_no_checkpoints: bool,
}

/// What is translated with a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Libraries {
    /// Its dynamic linker, and the libraries that it needs, directly or not.
    Needed,
    /// Nothing.
    None,
}

#[derive(Clone, Copy, ValueEnum)]
enum CheckpointArg {
    Callbr,
    Commit,
}

fn processor(name: &str) -> Result<String, emit_llvm::Error> {
    emit_llvm::check_cpu(name).map(|()| name.to_string())
}

impl CommonArgs {
    /// The options that say the same to `xlate run` for the programs that a program executes, but for the sysroot, which the
    /// runtime knows, and what is about one program.
    fn inherited(&self) -> Vec<OsString> {
        let mut options =
            vec![format!("-O{}", self.opt).into(), format!("--target-cpu={}", self.target_cpu).into()];
        options.extend(self.jobs.map(|n| format!("--jobs={n}").into()));
        options.extend(self.no_lift.then(|| "--no-lift".into()));
        options.extend(self.unsafe_no_checkpoints.then(|| "--unsafe-no-checkpoints".into()));
        let libraries = self.libraries.and_then(|l| l.to_possible_value());
        options.extend(libraries.map(|l| format!("--libraries={}", l.get_name()).into()));
        options
    }

    /// The options of a translation of `image`. Reads the profiles.
    fn options(&self, image: &image::Image) -> Result<pipeline::Options> {
        Ok(pipeline::Options {
            findings: self.profile(image)?.findings.into_iter().collect(),
            opt: self.opt,
            cpu: self.target_cpu.clone(),
            checkpoints: match (self.unsafe_no_checkpoints, self.checkpoints) {
                (true, _) => Some(emit_llvm::Checkpoints::None),
                (false, Some(CheckpointArg::Callbr)) => Some(emit_llvm::Checkpoints::Callbr),
                (false, Some(CheckpointArg::Commit)) => Some(emit_llvm::Checkpoints::Commit),
                (false, None) => None,
            },
            lift: !self.no_lift,
            sysroot: self.sysroot()?,
        })
    }

    /// The directory of `--sysroot` as an absolute path.
    fn sysroot(&self) -> Result<Option<CString>> {
        let Some(given) = &self.sysroot else { return Ok(None) };
        let name = given.display();
        let path = given.canonicalize().with_context(|| format!("--sysroot {name}: cannot be found"))?;
        if !path.is_dir() {
            bail!("--sysroot {name}: not a directory; name the one that holds the ARM system's lib");
        }
        Ok(Some(CString::new(path.into_os_string().into_vec()).context("--sysroot: a NUL in a path")?))
    }

    /// The libraries that are to be translated with `image`, the program at `path`; `default` is for when the options do not say
    /// which.
    fn libraries(&self, image: &Image, path: &Path, default: Libraries) -> Result<Vec<pipeline::Library>> {
        if image.linker.is_none() {
            return match self.library.first() {
                Some(file) => bail!(
                    "--library {}: {} is statically linked and loads no libraries; leave --library out",
                    file.display(),
                    path.display()
                ),
                None => Ok(Vec::new()),
            };
        }
        let mut further: Vec<libraries::Library> = Vec::new();
        for file in &self.library {
            let library = libraries::read(image, file).map_err(|e| anyhow!("--library {e}"))?;
            if !further.iter().any(|f| f.is(&library)) {
                further.push(library);
            }
        }
        let default = if further.is_empty() { default } else { Libraries::Needed };
        let list = match self.libraries.unwrap_or(default) {
            Libraries::Needed => {
                for path in self.profile(image)?.libraries {
                    match libraries::read(image, Path::new(&path)) {
                        Ok(library) if !further.iter().any(|f| f.is(&library)) => further.push(library),
                        Err(e) if self.verbose => output::message(format_args!("xlate: profile: {e}\n")),
                        _ => {}
                    }
                }
                let sysroot = self.sysroot()?;
                let sysroot = sysroot.as_deref().map(|s| Path::new(OsStr::from_bytes(s.to_bytes())));
                libraries::find(image, path, sysroot, further, self.verbose)
            }
            Libraries::None => further,
        };
        if self.verbose {
            list.iter().for_each(libraries::Library::report);
        }
        let named =
            |l: libraries::Library| pipeline::Library { name: l.path.display().to_string(), image: l.image };
        Ok(list.into_iter().map(named).collect())
    }

    /// What the profiles say about `image`.
    fn profile(&self, image: &image::Image) -> Result<pipeline::profile::Profile> {
        let mut profile = pipeline::profile::Profile::default();
        let identity = pipeline::profile::identity(image);
        for path in &self.profile {
            let name = path.display();
            let bytes = std::fs::read(path).with_context(|| {
                format!("{name}: cannot be read; a run of the program with XLATE_PROFILE={name} makes it")
            })?;
            profile.read(&bytes, &identity);
        }
        Ok(profile)
    }

    /// Says how much the profiles say about `image`, if there are any.
    fn report_profile(&self, image: &image::Image) -> Result<()> {
        if self.profile.is_empty() {
            return Ok(());
        }
        let profile = self.profile(image)?;
        let warning = if profile.findings.is_empty() && profile.libraries.is_empty() || profile.damaged > 0 {
            "warning: "
        } else {
            ""
        };
        let damaged = match profile.damaged {
            0 => String::new(),
            n => format!(", {n} damaged lines"),
        };
        let (here, others) = (profile.findings.len(), profile.others);
        let libraries = match profile.libraries.len() {
            0 => String::new(),
            n => format!(" and {n} libraries"),
        };
        output::message(format_args!(
            "xlate: {warning}profile: {here} findings{libraries} for this file, {others} for others{damaged}\n"
        ));
        Ok(())
    }

    /// Runs `f` on a thread pool of the size asked for.
    fn pool<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.jobs.unwrap_or(0))
            // LLVM recurses deeply in large functions.
            .stack_size(64 << 20)
            .build()?;
        Ok(pool.install(f))
    }
}

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => match interrupt::watch().and_then(|()| dispatch(cli)) {
            Ok(code) => ExitCode::from(code),
            Err(e) => {
                let _hold = interrupt::hold();
                output::message(format_args!("xlate: {e:#}\n"));
                ExitCode::from(2)
            }
        },
        Err(e) => {
            let _ = e.print();
            ExitCode::from(if e.use_stderr() { 2 } else { 0 })
        }
    }
}

fn dispatch(cli: Cli) -> Result<u8> {
    match cli.command {
        None => translate::command(&cli.translate),
        Some(Sub::Run(args)) => run::command(&args),
        Some(Sub::Cache(args)) => cache::command(&args),
        Some(Sub::Inspect(args)) => inspect::command(&args),
    }
}

/// Reads the guest program and prints its diagnostics if asked to.
fn load(path: &std::path::Path, common: &CommonArgs) -> Result<image::Image> {
    load_by(path, common, image::load)
}

/// The same for a program or a shared library.
fn load_any(path: &std::path::Path, common: &CommonArgs) -> Result<image::Image> {
    use image::{Error, Feature};
    load_by(path, common, |name, bytes| match image::load(name, bytes.clone()) {
        Err(Error::Unsupported { feature: Feature::SharedObject | Feature::Needed, .. }) => {
            image::load_library(name, bytes)
        }
        other => other,
    })
}

fn load_by(
    path: &std::path::Path,
    common: &CommonArgs,
    read: impl FnOnce(&str, std::sync::Arc<[u8]>) -> Result<image::Image, image::Error>,
) -> Result<image::Image> {
    let name = path.display().to_string();
    let meta = match std::fs::metadata(path) {
        Ok(m) => m,
        Err(e) => bail!("{name}: cannot be read: {e}"),
    };
    if !meta.is_file() {
        bail!("{name}: not a regular file; name an ARM program");
    }
    if meta.len() > 2 << 30 {
        bail!("{name}: {} bytes are more than an executable of 2 GiB; name an ARM program", meta.len());
    }
    let bytes = match std::fs::read(path) {
        Ok(b) => b,
        Err(e) => bail!("{name}: cannot be read: {e}"),
    };
    let image = read(&name, bytes.into())?;
    if common.verbose {
        for d in &image.diagnostics {
            output::message(format_args!("xlate: {name}: {d}\n"));
        }
    }
    Ok(image)
}
