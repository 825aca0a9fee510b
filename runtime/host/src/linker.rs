//! The guest's dynamic linker (PT_INTERP): finds it, and maps it where the kernel would, among the mappings. Takes its path and
//! the directory with the ARM system's files, gives where it lies and begins. Neither it nor the libraries that it loads have
//! translations made ahead of time: they are compiled at run time.

use crate::hostcall::Errno;
use crate::image::Loaded;
use crate::libraries;
use crate::loader::{Error, Source, anonymous, map_segments};
use crate::mem::{AddressSpace, Kind, page_down, page_up};
use crate::sysroot::Sysroot;
use crate::trace::Topic;
use abi::SegmentDesc;
use isa::Isa;
use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

/// The dynamic linker in memory.
#[derive(Clone, Copy, Debug)]
pub struct Linker {
    /// Run-time address − link-time address (AT_BASE).
    pub base: u64,
    /// Where it begins.
    pub entry: u64,
}

/// Larger files are no dynamic linkers.
const LIMIT: u64 = 256 << 20;

/// What the kernel needs of an ELF file.
struct Elf {
    entry: u64,
    segments: Vec<SegmentDesc>,
}

fn headers<H: FileHeader<Endian = Endianness>>(bytes: &[u8], machine: elf::Machine) -> Result<Elf, String> {
    let fail = |e: object::Error| format!("damaged: {e}");
    let header = H::parse(bytes).map_err(fail)?;
    let endian = header.endian().map_err(fail)?;
    if header.e_machine(endian) != machine || endian != Endianness::Little {
        return Err("not for the program's instruction set".into());
    }
    if header.e_type(endian) != elf::ET_DYN {
        return Err("not position-independent".into());
    }
    let mut segments = Vec::new();
    for h in header.program_headers(endian, bytes).map_err(fail)? {
        if h.p_type(endian) != elf::PT_LOAD {
            continue;
        }
        let flags = h.p_flags(endian).0;
        let bit = |has: bool, prot: u32| if has { prot } else { 0 };
        let s = SegmentDesc {
            vaddr: h.p_vaddr(endian).into(),
            memsz: h.p_memsz(endian).into(),
            offset: h.p_offset(endian).into(),
            filesz: h.p_filesz(endian).into(),
            prot: bit(flags & elf::PF_R.0 != 0, crate::mem::READ)
                | bit(flags & elf::PF_W.0 != 0, crate::mem::WRITE)
                | bit(flags & elf::PF_X.0 != 0, crate::mem::EXEC),
            reserved: 0,
        };
        let in_file = s.offset.checked_add(s.filesz).is_some_and(|end| end <= bytes.len() as u64);
        let sorted = segments.last().is_none_or(|l: &SegmentDesc| l.vaddr + l.memsz <= s.vaddr);
        let in_memory = s.vaddr.checked_add(s.memsz).is_some_and(|end| end < 1 << 47);
        if !in_file || !sorted || !in_memory || s.filesz > s.memsz {
            return Err("damaged: its segments overlap, or lie outside of the file".into());
        }
        segments.push(s);
    }
    Ok(Elf { entry: header.e_entry(endian).into(), segments })
}

fn parse(bytes: &[u8], isa: Isa) -> Result<Elf, String> {
    match isa {
        Isa::A64 => headers::<FileHeader64<Endianness>>(bytes, elf::EM_AARCH64),
        Isa::A32 => headers::<FileHeader32<Endianness>>(bytes, elf::EM_ARM),
    }
}

/// True if there is a dynamic linker for the instruction set at `path`.
pub fn is_linker(path: &CStr, isa: Isa) -> bool {
    read(path).is_ok_and(|(_, bytes)| parse(&bytes, isa).is_ok())
}

fn read(path: &CStr) -> Result<(File, Vec<u8>), String> {
    let mut file = File::open(OsStr::from_bytes(path.to_bytes())).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.by_ref().take(LIMIT).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok((file, bytes))
}

/// Maps the dynamic linker of `image`; `None` for static programs.
pub fn load(image: &Loaded, sysroot: &Sysroot, mem: &AddressSpace) -> Result<Option<Linker>, Error> {
    let Some(named) = image.linker() else { return Ok(None) };
    let path: CString = sysroot.resolve(named.to_bytes(), false).unwrap_or_else(|| named.to_owned());
    let fail = |problem: String| Error::Linker { path: path.clone(), problem };
    let (file, bytes) = read(&path).map_err(fail)?;
    let elf = parse(&bytes, image.isa).map_err(fail)?;
    let (first, last) = match (elf.segments.first(), elf.segments.last()) {
        (Some(f), Some(l)) => (page_down(f.vaddr), page_up(l.vaddr + l.memsz).unwrap_or(u64::MAX)),
        _ => return Err(fail("it has no segments".into())),
    };
    let memory = |e: Errno| fail(format!("no memory for it: {}", std::io::Error::from_raw_os_error(e.0)));
    let place = libraries::place_of(image, &bytes).unwrap_or(0);
    let at = mem.map(anonymous(place, last - first, 0, libc::MAP_NORESERVE)).map_err(memory)?;
    let base = at.wrapping_sub(first);
    let source = Source { fd: file.as_raw_fd(), offset: 0, bytes: &bytes, kind: Kind::Mapped };
    map_segments(&elf.segments, base, &source, mem).map_err(memory)?;
    crate::trace!(Topic::Load, "dynamic linker {} at {at:#x}", path.to_string_lossy());
    Ok(Some(Linker { base, entry: base.wrapping_add(elf.entry) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_linkers_are_refused() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert!(parse(&own, Isa::A64).is_err_and(|e| e.contains("instruction set")));
        assert!(parse(&own, Isa::A32).is_err());
        let mut arm = own.clone();
        arm[18] = 183;
        assert!(parse(&arm, Isa::A64).is_ok());
        for len in [0, 4, 20, 63, 64, 100, 200] {
            assert!(parse(&arm[..len], Isa::A64).is_err(), "{len}");
        }
        // The first PT_LOAD's size in the file.
        let phoff = u64::from_le_bytes(arm[32..40].try_into().unwrap()) as usize;
        let load = (0..).map(|i| phoff + 56 * i).find(|at| arm[*at..at + 4] == [1, 0, 0, 0]).unwrap();
        arm[load + 32..load + 40].fill(0xff);
        assert!(parse(&arm, Isa::A64).is_err_and(|e| e.contains("damaged")));
    }
}
