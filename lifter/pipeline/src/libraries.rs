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
    /// The largest alignment that its segments ask for, in bytes.
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
        let end = from.saturating_add(end_of(&l.image) - (first & !(align - 1))).saturating_add(2 * align);
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
pub(crate) fn join(images: &[&Image], programs: Vec<Program>) -> Vec<(usize, Found)> {
    debug_assert_eq!(images.len(), programs.len());
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
