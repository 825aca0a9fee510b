//! Libraries that are translated with a program: where they lie in its address space, and one list of functions of all. The
//! runtime maps a library of the same content there when the guest's dynamic linker asks for any place
//! (docs/decisions/0044-libraries-ahead-of-time.md).

use abi::profile::{Finding, Kind};
use cfg::{Found, Program};
use image::{Image, Range};
use std::collections::HashSet;

/// A library, or the dynamic linker, as in its file.
#[derive(Clone, Debug)]
pub struct Library {
    /// Where it was found: for messages.
    pub name: String,
    /// It.
    pub image: Image,
}

/// A library in its place.
pub(crate) struct Placed {
    pub(crate) name: String,
    /// What was added to its addresses.
    pub(crate) base: u64,
    /// The largest alignment that its segments ask for, in bytes, between [`LEAST_ALIGN`] and [`MOST_ALIGN`].
    pub(crate) align: u64,
    /// With addresses as in that place.
    pub(crate) image: Image,
}

/// Pages of arm64 kernels have up to 64 KiB.
const LEAST_ALIGN: u64 = 1 << 16;
/// Greater alignments are left to chance.
const MOST_ALIGN: u64 = 1 << 21;
/// The program with all libraries takes no more, so that distances have 32 bits, and a 32-bit program has room for more.
const SPACE_64: u64 = 1 << 30;
const SPACE_32: u64 = 1 << 28;

/// Gives libraries places behind the program, in order. Each has room for what dynamic linkers reserve to choose an aligned
/// address in: its size and the alignment. Leaves out what does not fit.
pub(crate) fn place(program: &Image, libraries: &[Library]) -> Vec<Placed> {
    let end_of = |image: &Image| image.segments.last().map_or(0, |s| s.vaddr + s.memsz);
    let start = program.segments.first().map_or(0, |s| s.vaddr);
    let limit = match program.isa {
        isa::Isa::A64 => start.saturating_add(SPACE_64),
        isa::Isa::A32 => (start + SPACE_32).min(1 << 31),
    };
    let mut at = end_of(program);
    let mut placed = Vec::new();
    for l in libraries.iter().filter(|l| l.image.isa == program.isa && l.image.position_independent) {
        let first = l.image.segments.first().map_or(0, |s| s.vaddr);
        let align =
            l.image.segments.iter().map(|s| s.align).max().unwrap_or(0).clamp(LEAST_ALIGN, MOST_ALIGN);
        let from = at.next_multiple_of(align) + align;
        let end = from.saturating_add(end_of(&l.image)).saturating_add(2 * align);
        // Of a library that begins elsewhere than at 0, nobody knows how it is mapped.
        if first >= align || end > limit {
            continue;
        }
        placed.push(Placed { name: l.name.clone(), base: from, align, image: l.image.clone().moved(from) });
        at = end;
    }
    placed
}

/// All functions by address, each with the number of its image, under names that are unique.
pub(crate) fn join(programs: Vec<Program>) -> Vec<(usize, Found)> {
    let mut all: Vec<(usize, Found)> = programs
        .into_iter()
        .enumerate()
        .flat_map(|(i, p)| p.functions.into_iter().map(move |f| (i, f)))
        .collect();
    let mut names = HashSet::new();
    for (_, f) in &mut all {
        while !names.insert(f.shape.name.clone()) {
            f.shape.name = format!("{}.{:x}", f.shape.name, f.shape.entry.0);
        }
    }
    all
}

/// Those functions by which registers are chosen: the C library's, if it is there, so that programs agree and share what is compiled
/// of their libraries; else all.
pub(crate) fn common(images: &[&Image], found: &[(usize, Found)]) -> std::ops::Range<usize> {
    let is_c = |i: &&Image| i.dynamic.soname.as_ref().is_some_and(|n| n.to_bytes().starts_with(b"libc."));
    match images.iter().skip(1).position(is_c) {
        Some(i) => found.partition_point(|f| f.0 <= i)..found.partition_point(|f| f.0 <= i + 1),
        None => 0..found.len(),
    }
}

/// What is about that image, of findings about a program and its libraries. A jump from another image is a call.
pub(crate) fn findings(image: &Image, all: &[Finding]) -> Vec<Finding> {
    let (Some(first), Some(last)) = (image.segments.first(), image.segments.last()) else {
        return Vec::new();
    };
    let range = Range { start: first.vaddr, end: last.range().end };
    let here = all.iter().filter(|f| range.contains(image.isa.bytes_at(f.target)));
    here.map(|f| match f.kind {
        Kind::Jump if !range.contains(image.isa.bytes_at(f.source)) => {
            Finding { kind: Kind::Call, source: 0, ..*f }
        }
        _ => *f,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library of one executable segment of that size in memory.
    fn library(size: u64, align: u64) -> Image {
        let mut file = vec![0u8; 0x1000];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"\x7fELF\x02\x01\x01");
        // ET_DYN, EM_AARCH64, EV_CURRENT.
        put(16, &[3, 0, 183, 0, 1]);
        // e_phoff, e_ehsize, e_phentsize, e_phnum.
        put(32, &[64]);
        put(52, &[64, 0, 56, 0, 1]);
        // PT_LOAD, readable and executable.
        put(64, &[1, 0, 0, 0, 5]);
        for (at, value) in [(64 + 32, 0x1000), (64 + 40, size), (64 + 48, align)] {
            put(at, &value.to_le_bytes());
        }
        image::load_library("library", file).unwrap()
    }

    fn places(libraries: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let program = library(0x5000, 0x1000).moved(0x40_0000);
        let libraries: Vec<Library> = libraries
            .iter()
            .map(|&(size, align)| Library { name: String::new(), image: library(size, align) })
            .collect();
        let placed = place(&program, &libraries);
        assert!(placed.iter().all(|p| p.image.segments[0].vaddr == p.base));
        placed.iter().map(|p| (p.base, p.align)).collect()
    }

    #[test]
    fn libraries_lie_behind_the_program_with_room_to_align() {
        assert_eq!(
            places(&[(0x1000, 0x1000), (0x2_3000, 0x20_0000), (0x1000, 0)]),
            [(0x42_0000, 0x1_0000), (0x80_0000, 0x20_0000), (0xc4_0000, 0x1_0000)]
        );
        // Too large, or aligned too strictly: the others have their places all the same.
        assert_eq!(places(&[(SPACE_64, 0x1000), (0x1000, 0x1000)]), [(0x42_0000, 0x1_0000)]);
        assert_eq!(places(&[(0x1000, 1 << 30)]), [(0x80_0000, MOST_ALIGN)]);
    }

    #[test]
    fn findings_belong_to_the_image_they_are_in() {
        let image = library(0x1000, 0x1000).moved(0x42_0000);
        let finding = |kind, source, target| Finding { kind, source, target };
        let all = [
            finding(Kind::Jump, 0x42_0010, 0x42_0020),
            finding(Kind::Jump, 0x40_0010, 0x42_0020),
            finding(Kind::Return, 0, 0x40_0020),
        ];
        assert_eq!(findings(&image, &all), [all[0], finding(Kind::Call, 0, 0x42_0020)]);
    }
}
