//! The files that are loaded when a dynamically linked program starts: its dynamic linker, and what DT_NEEDED asks for, directly
//! or not, found as the dynamic linker will find them (ld.so(8), musl's `ldso/dynlink.c`). What is not found here is no
//! error: it is compiled when the program runs. Knows no ELF.

mod directories;
mod sysroot;
#[cfg(test)]
mod tests;

use crate::output;
use directories::Variables;
use image::{Dynamic, FloatAbi, Image};
use isa::Isa;
use std::collections::HashSet;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use sysroot::Sysroot;

/// A dynamic linker or a shared library.
#[derive(Debug)]
pub(crate) struct Library {
    /// The host's name of its file, without symbolic links.
    pub path: PathBuf,
    /// What it holds.
    pub image: Image,
}

impl Library {
    /// True if both are the same file, or hold the same.
    pub(crate) fn is(&self, other: &Library) -> bool {
        self.path == other.path || self.image.file == other.image.file
    }

    /// Says that it is translated, and what is damaged in it.
    pub(crate) fn report(&self) {
        let name = self.path.display();
        output::message(format_args!("xlate: {name}: translated with the program\n"));
        for d in &self.image.diagnostics {
            output::message(format_args!("xlate: {name}: {d}\n"));
        }
    }
}

/// Libraries beyond that are left out.
const MOST: usize = 256;

/// Names of libraries beyond that are not looked for.
const MOST_NAMES: usize = 1024;

/// Directories beyond that are not searched for a library.
const MOST_DIRECTORIES: usize = 256;

/// Larger files are left out; bytes.
const LIMIT: u64 = 256 << 20;

/// The dynamic linker of `program`, the file at `path`, then what it needs, breadth first, then `further` libraries and what they
/// need; each file, and each content, once. If there is no dynamic linker, only the `further` ones. `sysroot` is the directory with
/// the ARM system's files, if one is asked for. With `verbose`, messages say what was not found.
pub(crate) fn find(
    program: &Image,
    path: &Path,
    sysroot: Option<&Path>,
    further: Vec<Library>,
    verbose: bool,
) -> Vec<Library> {
    let Some(linker) = program.linker.as_deref() else { return further };
    let mut search = Search::new(program, path, linker, Sysroot::choose(program, sysroot), verbose);
    if !search.add_linker(linker) {
        return further;
    }
    search.add_needed();
    for library in further {
        search.add(None, library, Some(PROGRAM));
    }
    search.add_needed();
    search.found
}

/// Reads a library of the instruction set and the float ABI of `program`; the error says what is wrong, the file's name
/// included.
pub(crate) fn read(program: &Image, path: &Path) -> Result<Library, String> {
    let name = path.display().to_string();
    let fail = |problem: String| Err(format!("{name}: {problem}"));
    let unreadable = |e: std::io::Error| format!("{name}: cannot be read: {e}; name a shared library");
    let canonical = path.canonicalize().map_err(unreadable)?;
    match std::fs::metadata(&canonical) {
        Ok(meta) if !meta.is_file() => return fail("not a regular file; name a shared library".into()),
        Ok(meta) if meta.len() > LIMIT => {
            return fail(format!("{} bytes are more than a library of {LIMIT}; leave it out", meta.len()));
        }
        _ => {}
    }
    let bytes = std::fs::read(&canonical).map_err(unreadable)?;
    let image = image::load_library(&name, bytes).map_err(|e| e.to_string())?;
    if !fits(program, (image.isa, image.float_abi)) {
        return fail(
            "not for the program's instruction set or float ABI; give the library that the program loads"
                .into(),
        );
    }
    Ok(Library { path: canonical, image })
}

/// The instruction set and the float ABI of the file at `path`.
fn identify(path: &Path) -> Option<(Isa, FloatAbi)> {
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut header = Vec::new();
    File::open(path).ok()?.take(64).read_to_end(&mut header).ok()?;
    image::identify(&header)
}

/// True if files of that kind can be loaded into the program.
fn fits(program: &Image, (isa, float_abi): (Isa, FloatAbi)) -> bool {
    let said = |abi| abi != FloatAbi::Unknown;
    let same = program.float_abi == float_abi;
    isa == program.isa && (same || !said(float_abi) || !said(program.float_abi))
}

/// True if musl's linker takes a needed library of that name for itself.
fn is_musl(name: &CStr) -> bool {
    const RESERVED: [&[u8]; 7] = [b"c.", b"pthread.", b"rt.", b"m.", b"dl.", b"util.", b"xnet."];
    let rest = name.to_bytes().strip_prefix(b"lib");
    rest.is_some_and(|rest| RESERVED.iter().any(|reserved| rest.starts_with(reserved)))
}

/// Index of the program among those who ask.
const PROGRAM: usize = 0;

/// A file that asks for libraries.
struct Asker {
    dynamic: Dynamic,
    /// $ORIGIN: its directory, as the guest names it.
    origin: PathBuf,
    /// Who asked for it; `None` for the program.
    by: Option<usize>,
}

struct Search<'a> {
    program: &'a Image,
    sysroot: Sysroot,
    musl: bool,
    variables: Variables,
    /// Searched for every library.
    system: Vec<PathBuf>,
    /// Names that are loaded, or were looked for.
    known: HashSet<CString>,
    /// The program, then those that were found, in that order.
    askers: Vec<Asker>,
    /// Those of them whose libraries are there.
    done: usize,
    found: Vec<Library>,
    verbose: bool,
}

impl<'a> Search<'a> {
    fn new(program: &'a Image, path: &Path, linker: &CStr, sysroot: Sysroot, verbose: bool) -> Search<'a> {
        let linker_path = Path::new(OsStr::from_bytes(linker.to_bytes()));
        let musl = linker_path.file_name().is_some_and(|n| n.as_bytes().starts_with(b"ld-musl-"));
        let cross = abi::sysroot::cross(linker).and_then(|d| d.to_str().ok()?.rsplit('/').next());
        let triplet = cross.unwrap_or(match (program.isa, program.float_abi) {
            (Isa::A64, _) => "aarch64-linux-gnu",
            (Isa::A32, FloatAbi::Soft) => "arm-linux-gnueabi",
            (Isa::A32, _) => "arm-linux-gnueabihf",
        });
        let platform = if program.isa == Isa::A64 { "aarch64" } else { "v7l" };
        let host = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let origin = sysroot.guest_name(&host).parent().unwrap_or(Path::new("/")).to_owned();
        Search {
            program,
            musl,
            variables: Variables { lib: format!("lib/{triplet}"), platform },
            system: match musl {
                true => directories::musl(&sysroot, linker_path),
                false => directories::glibc(&sysroot, program.isa, triplet),
            },
            sysroot,
            known: HashSet::new(),
            askers: vec![Asker { dynamic: program.dynamic.clone(), origin, by: None }],
            done: 0,
            found: Vec::new(),
            verbose,
        }
    }

    fn say(&self, text: std::fmt::Arguments<'_>) {
        if self.verbose {
            output::message(format_args!("xlate: {text}\n"));
        }
    }

    /// Adds the file that PT_INTERP names.
    fn add_linker(&mut self, linker: &CStr) -> bool {
        let path = Path::new(OsStr::from_bytes(linker.to_bytes()));
        self.known.insert(linker.to_owned());
        match self.host_file(path) {
            Some(host) => self.add_file(path, &host, None),
            None => self.say(format_args!("dynamic linker {}: not found", path.display())),
        }
        !self.found.is_empty()
    }

    /// Adds what the files so far need, and what that needs in turn.
    fn add_needed(&mut self) {
        while self.done < self.askers.len() {
            let asker = self.done;
            self.done += 1;
            for name in self.askers[asker].dynamic.needed.clone() {
                self.add_by_name(&name, asker);
            }
        }
    }

    fn add_by_name(&mut self, name: &CStr, asker: usize) {
        if self.known.contains(name) || (self.musl && is_musl(name)) {
            return;
        }
        let shown = name.to_string_lossy();
        if self.found.len() >= MOST || self.known.len() >= MOST_NAMES {
            return self.say(format_args!("library {shown}: left out, there are too many"));
        }
        self.known.insert(name.to_owned());
        let candidates = self.candidates(name.to_bytes(), asker);
        let found = candidates.into_iter().find_map(|guest| Some((self.host_file(&guest)?, guest)));
        match found {
            Some((host, guest)) => self.add_file(&guest, &host, Some(asker)),
            None => self.say(format_args!("library {shown}: not found")),
        }
    }

    /// The host's name of the guest's file `path` if that could be loaded into the program.
    fn host_file(&self, path: &Path) -> Option<PathBuf> {
        let host = self.sysroot.resolve(path)?;
        identify(&host).is_some_and(|kind| fits(self.program, kind)).then_some(host)
    }

    /// Where the library may be, as the guest names it, in the order in which the dynamic linker looks.
    fn candidates(&self, name: &[u8], asker: usize) -> Vec<PathBuf> {
        if name.contains(&b'/') {
            return self.variables.expand(name, &self.askers[asker].origin).into_iter().collect();
        }
        let mut list = Vec::new();
        let own = &self.askers[asker].dynamic;
        // The last is the program.
        let chain = std::iter::successors(Some(asker), |&a| self.askers[a].by);
        for a in chain.take_while(|_| self.musl || own.runpath.is_none()) {
            let Dynamic { rpath, runpath, .. } = &self.askers[a].dynamic;
            let directories = match runpath {
                // For musl they are the same.
                Some(_) if self.musl => runpath,
                Some(_) => &None,
                None => rpath,
            };
            self.add_directories(directories.as_deref(), a, &mut list);
        }
        if !self.musl {
            self.add_directories(own.runpath.as_deref(), asker, &mut list);
        }
        list.extend(self.system.iter().cloned());
        list.iter().map(|directory| directory.join(OsStr::from_bytes(name))).collect()
    }

    /// Adds the directories that DT_RPATH or DT_RUNPATH of a file names.
    fn add_directories(&self, named: Option<&CStr>, asker: usize, list: &mut Vec<PathBuf>) {
        let parts = named.into_iter().flat_map(|n| n.to_bytes().split(|b| *b == b':'));
        let origin = &self.askers[asker].origin;
        let directories = parts.filter_map(|part| self.variables.expand(part, origin));
        list.extend(directories.take(MOST_DIRECTORIES.saturating_sub(list.len())));
    }

    /// Adds the file that the guest calls `guest`.
    fn add_file(&mut self, guest: &Path, host: &Path, by: Option<usize>) {
        match read(self.program, host) {
            Ok(library) => self.add(Some(guest), library, by),
            Err(e) => self.say(format_args!("{e}")),
        }
    }

    /// Adds a library if neither its file nor its content is there.
    fn add(&mut self, guest: Option<&Path>, library: Library, by: Option<usize>) {
        let Library { path, image } = &library;
        if image.file == self.program.file || self.found.iter().any(|f| f.is(&library)) {
            return;
        }
        let guest = guest.map_or_else(|| self.sysroot.guest_name(path), Path::to_owned);
        let origin = guest.parent().unwrap_or(Path::new("/")).to_owned();
        self.known.extend(image.dynamic.soname.clone());
        self.askers.push(Asker { dynamic: image.dynamic.clone(), origin, by });
        self.found.push(library);
    }
}
