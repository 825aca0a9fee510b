//! `xlate run`: executes a program's translation, from the cache or made now. The key covers the program, its libraries, the options,
//! the runtime and the translator itself; entries are renamed into place, so concurrent runs see whole files.

use crate::cache::Cache;
use crate::{CommonArgs, Libraries, RunArgs, inherited, link, load, translate};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Libraries take longer to translate than most programs: the first start should be quick.
const LIBRARIES: Libraries = Libraries::None;

pub(crate) fn command(args: &RunArgs) -> Result<u8> {
    let (input, arguments) = args.program.split_first().expect("invariant: clap requires IN");
    let name = args.argv0.as_deref().unwrap_or(input);
    let input = Path::new(input);
    let cache = args.cache.open()?;
    // Who is executed by a guest program has its environment.
    let common = CommonArgs { for_guest: args.argv0.is_some(), ..args.common.clone() };
    let kept = match &cache {
        Some(c) => kept(input, &common, c)?,
        None => None,
    };
    let program = match kept {
        Some(p) => p,
        None => unkept(input, &common, cache.as_ref())?,
    };
    let mut command = Command::new(&program);
    // The program is to find itself, and what lies beside it, not the cache.
    if let Ok(own) = input.canonicalize() {
        command.env("XLATE_EXE", own);
    }
    // ARM programs that it executes are run in the same way.
    if let Ok(mut again) = std::env::current_exe().map(PathBuf::into_os_string) {
        for option in args.common.inherited().into_iter().chain(args.cache.inherited()) {
            again.push("\n");
            again.push(option);
        }
        command.env("XLATE_RUN", again);
    }
    command.arg0(name).args(arguments);
    let error = inherited::exec(&mut command);
    bail!("{}: the translated program {} could not be started: {error}", input.display(), program.display());
}

/// The translation of `input` in the cache; `None` if nothing can be kept there.
fn kept(input: &Path, common: &CommonArgs, cache: &Cache) -> Result<Option<PathBuf>> {
    let image = load(input, common)?;
    let libraries = common.libraries(&image, input, LIBRARIES)?;
    let key = key(&image, &libraries, common)?;
    let Some(entry) = cache.program(&key) else { return Ok(None) };
    if entry.exists() {
        cache.touch(&entry);
        return Ok(Some(entry));
    }
    // Whoever comes second waits instead of translating again. The lock goes with the process, however it ends.
    let lock_path = entry.with_extension("lock");
    let locked = File::create(&lock_path).and_then(|f| f.lock().map(|()| f));
    let _lock = match locked {
        Ok(f) => f,
        Err(e) => {
            cache.failed(&e);
            return Ok(None);
        }
    };
    if !entry.exists() {
        let stats = translate::to_file(input, &entry, common, LIBRARIES, Some(cache))?;
        cache.added(stats.output_bytes);
    }
    let _ = std::fs::remove_file(&lock_path);
    Ok(Some(entry))
}

/// A translation that is gone when it has been executed.
fn unkept(input: &Path, common: &CommonArgs, cache: Option<&Cache>) -> Result<PathBuf> {
    let (_temporary, dir) = link::temporary_directory()?;
    let output = dir.path().join("program");
    translate::to_file(input, &output, common, LIBRARIES, cache)?;
    let file = File::open(&output).with_context(|| output.display().to_string())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // Open until the program is executed, which closes it.
    std::mem::forget(file);
    Ok(path)
}

/// Which build of `xlate` this is, the embedded runtime included: the build id that the linker gave it (reading that costs nothing
/// beside hashing the file, which every program would wait for), or, without one, a hash of the file.
fn build() -> Result<Vec<u8>> {
    let path = std::env::current_exe()?;
    match image::build_id(File::open(&path)?)? {
        Some(id) => Ok(id),
        None => Ok(blake3::hash(&std::fs::read(&path)?).as_bytes().to_vec()),
    }
}

fn key(image: &image::Image, libraries: &[pipeline::Library], common: &CommonArgs) -> Result<String> {
    let mut h = blake3::Hasher::new();
    h.update(&build().context("xlate cannot read itself for its cache's key")?);
    for image in std::iter::once(image).chain(libraries.iter().map(|l| &l.image)) {
        h.update(blake3::hash(&image.file).as_bytes());
    }
    h.update(format!("{:?}", common.options(image)?).as_bytes());
    Ok(h.finalize().to_hex().to_string())
}
