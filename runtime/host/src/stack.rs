//! The initial stack of a guest process: strings, auxiliary vector, environment and arguments, laid out as
//! `fs/binfmt_elf.c` does. Takes what `main` of the host got, writes to guest memory in words of the guest's size, gives the
//! stack pointer.

use crate::access;
use crate::hostcall::{Errno, syscall};
use crate::image::Loaded;
use crate::linker::Linker;
use crate::mem::PAGE;
use crate::start::host_aux;
use isa::Isa;
use std::ffi::{CStr, CString};

/// The initial stack pointer and the auxiliary vector.
pub struct Initial {
    /// Stack pointer, 16-byte aligned, at argc.
    pub sp: u64,
    /// AT_* pairs, AT_NULL last.
    pub auxv: Vec<(u64, u64)>,
}

// Not all in the libc crate.
const AT_MINSIGSTKSZ: u64 = 51;
/// What the arm64 kernel says without SVE and SME: the frame, its record and alignment.
const MINSIGSTKSZ: u64 = 4720;

struct Down {
    at: u64,
}

impl Down {
    fn bytes(&mut self, b: &[u8]) -> Result<u64, Errno> {
        self.at -= b.len() as u64;
        access::copy_to_guest(self.at, b)?;
        Ok(self.at)
    }

    fn string(&mut self, s: &CStr) -> Result<u64, Errno> {
        self.bytes(s.to_bytes_with_nul())
    }
}

/// Words as they lie in the guest's memory: as long as its pointers.
pub fn in_words(isa: Isa, words: &[u64]) -> Vec<u8> {
    match isa {
        Isa::A64 => words.iter().flat_map(|w| w.to_le_bytes()).collect(),
        Isa::A32 => words.iter().flat_map(|w| (*w as u32).to_le_bytes()).collect(),
    }
}

/// Writes the stack whose top (page-aligned) is `top`.
pub fn build(
    top: u64,
    image: &Loaded,
    linker: Option<Linker>,
    exe: &CStr,
    argv: &[CString],
    envp: &[CString],
) -> Result<Initial, Errno> {
    // The kernel leaves a null word at the very top.
    let mut d = Down { at: top - 8 };
    let execfn = d.string(exe)?;
    let mut env = Vec::with_capacity(envp.len());
    for e in envp.iter().rev() {
        env.push(d.string(e)?);
    }
    env.reverse();
    let mut args = Vec::with_capacity(argv.len());
    for a in argv.iter().rev() {
        args.push(d.string(a)?);
    }
    args.reverse();
    d.at &= !15;
    let (platform, hwcap, hwcap2) = match image.isa {
        Isa::A64 => (c"aarch64", isa::a64::features::HWCAP, isa::a64::features::HWCAP2),
        Isa::A32 => {
            use isa::a32::features::{HWCAP, HWCAP2, PLATFORM};
            (PLATFORM, HWCAP, HWCAP2)
        }
    };
    let platform = d.string(platform)?;
    let mut random = [0u8; 16];
    syscall(libc::SYS_getrandom, [random.as_mut_ptr() as u64, 16, 0, 0, 0, 0]);
    let random = d.bytes(&random)?;

    let desc = image.desc;
    let phdr = if desc.phdr == 0 { 0 } else { desc.phdr.wrapping_add(image.bias) };
    let mut auxv = vec![
        (libc::AT_HWCAP, hwcap),
        (libc::AT_PAGESZ, PAGE),
        (libc::AT_CLKTCK, host_aux(libc::AT_CLKTCK)),
        (libc::AT_PHDR, phdr),
        (libc::AT_PHENT, desc.phent),
        (libc::AT_PHNUM, desc.phnum),
        (libc::AT_BASE, linker.map_or(0, |l| l.base)),
        (libc::AT_FLAGS, 0),
        (libc::AT_ENTRY, desc.entry.wrapping_add(image.bias)),
        (libc::AT_UID, host_aux(libc::AT_UID)),
        (libc::AT_EUID, host_aux(libc::AT_EUID)),
        (libc::AT_GID, host_aux(libc::AT_GID)),
        (libc::AT_EGID, host_aux(libc::AT_EGID)),
        (libc::AT_SECURE, host_aux(libc::AT_SECURE)),
        (libc::AT_RANDOM, random),
        (libc::AT_HWCAP2, hwcap2),
        (libc::AT_EXECFN, execfn),
        (libc::AT_PLATFORM, platform),
    ];
    if image.isa == Isa::A64 {
        auxv.push((AT_MINSIGSTKSZ, MINSIGSTKSZ));
    }
    auxv.push((libc::AT_NULL, 0));

    let mut words = vec![args.len() as u64];
    words.extend(&args);
    words.push(0);
    words.extend(&env);
    words.push(0);
    words.extend(auxv.iter().flat_map(|(k, v)| [*k, *v]));
    let bytes = in_words(image.isa, &words);
    let sp = (d.at - bytes.len() as u64) & !15;
    access::copy_to_guest(sp, &bytes)?;
    Ok(Initial { sp, auxv })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_size_of_pointers() {
        assert_eq!(in_words(Isa::A32, &[1, 0x1_0000_0002]), [1, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(in_words(Isa::A64, &[1])[..], 1u64.to_le_bytes());
    }
}
