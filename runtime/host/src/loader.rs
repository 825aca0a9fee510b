//! Puts the guest program into memory as the kernel's ELF loader would: segments from the guest file inside the output,
//! zeroed bss, heap start, and the page with the signal return code. Takes the image's description, fills the address
//! space. Knows no ELF: the translator read it.
//!
//! # Safety
//! Writes only to memory that it has just mapped for the guest.
#![allow(unsafe_code)]

use crate::access;
use crate::hostcall::{Errno, syscall};
use crate::image::Loaded;
use crate::libraries;
use crate::mem::{AddressSpace, EXEC, Kind, MapRequest, PAGE, READ, Vma, WRITE, page_down, page_up};
use crate::trace::Topic;
use crate::vectors;
use abi::{ImageDesc, SegmentDesc};
use isa::Isa;
use std::ffi::CString;
use std::fmt;
use std::fs::File;
use std::os::fd::AsRawFd;

/// Why the program cannot be loaded.
#[derive(Debug)]
pub enum Error {
    /// The address range is taken.
    Taken {
        /// First byte.
        start: u64,
        /// Behind the last.
        end: u64,
    },
    /// The host kernel refused memory.
    Memory {
        /// What for.
        what: &'static str,
        /// Its error.
        errno: Errno,
    },
    /// The address space of a 32-bit guest cannot be had.
    LowMemory {
        /// First byte.
        start: u64,
        /// Behind the last.
        end: u64,
        /// What the host kernel says.
        errno: Errno,
    },
    /// The description contradicts itself.
    Damaged,
    /// The dynamic linker cannot be loaded.
    Linker {
        /// Its path.
        path: CString,
        /// What is wrong with it.
        problem: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Taken { start, end } => write!(
                f,
                "the program's addresses {start:#x}–{end:#x} are taken in this process or below vm.mmap_min_addr; \
                 link the program elsewhere or as position-independent"
            ),
            Error::Memory { what, errno } => {
                write!(f, "cannot map {what}: {}", std::io::Error::from_raw_os_error(errno.0))
            }
            Error::LowMemory { start, end, errno } => write!(
                f,
                "cannot reserve {start:#x}–{end:#x}, the address space of a 32-bit program: {}; something else is mapped there, \
                 vm.mmap_min_addr is above it, or RLIMIT_AS (ulimit -v) is below 5 GiB",
                std::io::Error::from_raw_os_error(errno.0)
            ),
            Error::Linker { path, problem } => write!(
                f,
                "cannot load the program's dynamic linker {}: {problem}; install the ARM system's libraries (Debian: libc6:arm64 or \
                 libc6-arm64-cross, libc6:armhf or libc6-armhf-cross), or set XLATE_SYSROOT to the directory that holds them",
                path.to_string_lossy()
            ),
            Error::Damaged => write!(f, "the tables of this file are damaged; translate the program again"),
        }
    }
}

/// Where a position-independent program goes: as on arm64 with a 39-bit address space, far from everything that the
/// host places.
const PIE_BASE: u64 = 0x55_0000_0000;
const PIE_STEP: u64 = 0x1_0000_0000;
/// The same for 32-bit programs: as on arm, low, with room for the heap above.
const PIE_BASE_32: u64 = 0x0040_0000;
const PIE_STEP_32: u64 = 0x0100_0000;

pub(crate) fn anonymous(addr: u64, len: u64, prot: u32, extra: i32) -> MapRequest {
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | extra) as u32;
    MapRequest { addr, len, prot, flags, fd: -1, offset: 0 }
}

/// An address space for programs of that instruction set.
pub fn address_space(isa: Isa) -> Result<AddressSpace, Error> {
    match isa {
        Isa::A64 => Ok(AddressSpace::default()),
        Isa::A32 => AddressSpace::low().map_err(|(start, end, errno)| Error::LowMemory { start, end, errno }),
    }
}

/// Maps the program and gives its description with the bias.
pub fn load(desc: &'static ImageDesc, isa: Isa, mem: &AddressSpace) -> Result<Loaded, Error> {
    let mut image = Loaded { desc, bias: 0, isa };
    let segments = image.segments();
    let start = page_down(segments.iter().map(|s| s.vaddr).min().ok_or(Error::Damaged)?);
    let end = segments.iter().try_fold(0, |e, s| s.vaddr.checked_add(s.memsz).map(|x| x.max(e)));
    let end = end.and_then(page_up).ok_or(Error::Damaged)?;
    // Behind the program there is room for its libraries, which the heap follows.
    let all = image.libraries().last().map(|l| libraries::end(&image, l)).and_then(page_up).unwrap_or(end);
    image.bias = reserve(&image, start, all, mem)?;
    if all > end {
        mem.unmap(end + image.bias, all - end)
            .map_err(|errno| Error::Memory { what: "room for libraries", errno })?;
    }
    let own = own_file(&image);
    let source = Source {
        fd: own.as_ref().map_or(-1, |(file, _)| file.as_raw_fd()),
        offset: own.as_ref().map_or(0, |own| own.1),
        bytes: image.file(),
        kind: Kind::Image,
    };
    map_segments(segments, image.bias, &source, mem)
        .map_err(|errno| Error::Memory { what: "a segment", errno })?;
    let (lo, hi) = (start + image.bias, end + image.bias);
    mem.set_brk_start(all + image.bias);
    crate::trace!(Topic::Load, "program at {lo:#x}–{hi:#x}, bias {:#x}", image.bias);
    Ok(image)
}

/// Takes the program's whole range, so that nothing else gets in between; gives the bias.
fn reserve(image: &Loaded, start: u64, end: u64, mem: &AddressSpace) -> Result<u64, Error> {
    let flags = libc::MAP_FIXED_NOREPLACE | libc::MAP_NORESERVE;
    let (base, step) = match image.isa {
        Isa::A64 => (PIE_BASE, PIE_STEP),
        Isa::A32 => (PIE_BASE_32, PIE_STEP_32),
    };
    let biases: Vec<u64> = match image.desc.position_independent {
        0 => vec![0],
        _ => (0..64).map(|i| base + i * step - page_down(start)).collect(),
    };
    for bias in biases {
        let at = start.wrapping_add(bias);
        match mem.map_as(anonymous(at, end - start, 0, flags), Kind::Image) {
            Ok(got) if got == at => return Ok(bias),
            Ok(got) => {
                let _ = mem.unmap(got, end - start);
            }
            Err(Errno(libc::EEXIST | libc::EPERM)) => {}
            Err(errno) => return Err(Error::Memory { what: "the program", errno }),
        }
    }
    Err(Error::Taken { start, end })
}

/// Where the bytes of segments are.
pub(crate) struct Source<'a> {
    /// The file, whose pages are shared by all processes that map them; −1 if it cannot be mapped.
    pub fd: i32,
    /// Where the ELF file begins in it.
    pub offset: u64,
    /// The ELF file.
    pub bytes: &'a [u8],
    /// What the mapped areas are.
    pub kind: Kind,
}

/// Maps segments, sorted by address, over a reservation of the pages from the first to the last; what no segment covers is not
/// mapped behind it.
pub(crate) fn map_segments(
    segments: &[SegmentDesc],
    bias: u64,
    source: &Source<'_>,
    mem: &AddressSpace,
) -> Result<(), Errno> {
    let mut at = segments.first().map_or(0, |s| page_down(s.vaddr + bias));
    for s in segments {
        map_segment(s, bias, source, mem)?;
        let from = page_down(s.vaddr + bias);
        if at < from {
            let _ = mem.unmap(at, from - at);
        }
        at = at.max(page_up(s.vaddr + s.memsz + bias).unwrap_or(at));
    }
    Ok(())
}

fn map_segment(s: &SegmentDesc, bias: u64, source: &Source<'_>, mem: &AddressSpace) -> Result<(), Errno> {
    let at = s.vaddr + bias;
    let page = page_down(at);
    let file_end = at + s.filesz;
    let end = page_up(at + s.memsz).ok_or(Errno(libc::ENOMEM))?;
    let backed = page_up(file_end).ok_or(Errno(libc::ENOMEM))?;
    let skew = at - page;
    if s.filesz != 0 {
        let prot = s.prot & (READ | WRITE | EXEC);
        if source.fd >= 0 && s.offset % PAGE == skew {
            let flags = (libc::MAP_PRIVATE | libc::MAP_FIXED) as u32;
            let offset = source.offset + s.offset - skew;
            let r = MapRequest { addr: page, len: backed - page, prot, flags, fd: source.fd, offset };
            mem.map_as(r, source.kind)?;
        } else {
            let bytes = source.bytes.get(s.offset as usize..(s.offset + s.filesz) as usize);
            let bytes = bytes.ok_or(Errno(libc::ENOEXEC))?;
            mem.map_as(anonymous(page, backed - page, READ | WRITE, libc::MAP_FIXED), source.kind)?;
            access::copy_to_guest(at, bytes)?;
            mem.protect(page, backed - page, prot, 0)?;
        }
        // The rest of the last page belongs to bss; a segment that is not writable keeps the file's bytes there.
        if s.memsz > s.filesz && s.prot & WRITE != 0 && file_end < backed {
            access::copy_to_guest(file_end, &[0; PAGE as usize][..(backed - file_end) as usize])?;
        }
    }
    let zero_from = if s.filesz != 0 { backed } else { page };
    if zero_from < end {
        mem.map_as(anonymous(zero_from, end - zero_from, s.prot & 7, libc::MAP_FIXED), source.kind)?;
    }
    Ok(())
}

/// The output file, and where the guest file begins in it, if its pages can be mapped.
fn own_file(image: &Loaded) -> Option<(File, u64)> {
    let offset = file_offset(image.desc.file as u64).filter(|o| o % PAGE == 0)?;
    Some((File::open("/proc/self/exe").ok()?, offset))
}

/// Offset in the executable file of the byte that is loaded at a host address.
fn file_offset(addr: u64) -> Option<u64> {
    struct Query {
        addr: u64,
        offset: Option<u64>,
    }
    unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, data: *mut libc::c_void) -> i32 {
        // SAFETY: libc passes its description of an object, and the query below.
        let (info, q) = unsafe { (&*info, &mut *data.cast::<Query>()) };
        // SAFETY: as above; the headers are part of the object.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum as usize) };
        for h in headers.iter().filter(|h| h.p_type == libc::PT_LOAD) {
            let at = info.dlpi_addr.wrapping_add(h.p_vaddr);
            if (at..at + h.p_filesz).contains(&q.addr) {
                q.offset = Some(q.addr - at + h.p_offset);
            }
        }
        // Only the first object, the program itself.
        1
    }
    let mut q = Query { addr, offset: None };
    // SAFETY: `visit` matches; the query outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut q).cast()) };
    q.offset
}

/// `mov x8, #139; svc #0`: what a handler returns to if the guest's libc gave no code of its own.
const SIGRETURN: [u32; 2] = [0xd280_1168, 0xd400_0001];

/// Maps the page with the signal return code, for 32-bit programs with the kernel's other helpers, and gives its address.
pub fn map_trampoline(isa: Isa, mem: &AddressSpace) -> Result<u64, Error> {
    let fail = |errno| Error::Memory { what: "the signal return page", errno };
    if isa == Isa::A32 {
        mem.map_vectors(vectors::BASE, &vectors::page()).map_err(fail)?;
        return Ok(vectors::BASE);
    }
    let at = mem.map_as(anonymous(0, PAGE, READ | WRITE, 0), Kind::Trampoline).map_err(fail)?;
    access::write(at, SIGRETURN).map_err(fail)?;
    mem.protect(at, PAGE, READ | EXEC, 0).map_err(fail)?;
    Ok(at)
}

/// Largest initial stack: an unlimited RLIMIT_STACK must not take the address space.
const STACK_MAX: u64 = 1 << 30;
const STACK_DEFAULT: u64 = 8 << 20;
/// What the kernel keeps free below a stack (`stack_guard_gap`), because frames may be larger than a page.
const STACK_GUARD: u64 = 1 << 20;

/// Maps the initial stack and gives its top.
pub fn map_stack(mem: &AddressSpace, executable: bool) -> Result<u64, Error> {
    let fail = |errno| Error::Memory { what: "the stack", errno };
    let mut limit = [0u64; 2];
    syscall(libc::SYS_prlimit64, [0, libc::RLIMIT_STACK as u64, 0, limit.as_mut_ptr() as u64, 0, 0]);
    let size = match limit[0] {
        libc::RLIM_INFINITY | 0 => STACK_DEFAULT,
        n => page_up(n.clamp(256 * 1024, STACK_MAX)).unwrap_or(STACK_DEFAULT),
    };
    // Inaccessible pages below, so that running out of stack is a fault there and then.
    let prot = READ | WRITE | if executable { EXEC } else { 0 };
    let guard =
        mem.map(anonymous(0, size + STACK_GUARD, 0, libc::MAP_NORESERVE | libc::MAP_STACK)).map_err(fail)?;
    let at = guard + STACK_GUARD;
    mem.map_as(
        anonymous(at, size, prot, libc::MAP_FIXED | libc::MAP_NORESERVE | libc::MAP_STACK),
        Kind::Stack,
    )
    .map_err(fail)?;
    // The guard is nobody's: the guest sees nothing mapped there, and nothing else may come there.
    mem.forget(guard, STACK_GUARD);
    let _: Option<Vma> = mem.query(at);
    Ok(at + size)
}
