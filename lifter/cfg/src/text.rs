//! The image's text as words: what can be code, and how control leaves each word. Computed once, so that walking
//! functions again and again is cheap. Knows no functions.

use image::{Image, Range};
use ir::GuestAddr;
use isa::{Code, Flow, a64};
use rayon::prelude::*;

/// What a word of text is to a walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Marked `$d`: not code.
    Data,
    /// Not an instruction.
    Undefined,
    /// An instruction that traps on purpose: BRK and the like.
    Trap,
    /// NOP: code, but also what pads functions.
    Nop,
    /// Goes on to the next word.
    Next,
    /// Unconditional direct jump.
    Jump,
    /// Conditional jump.
    Branch,
    /// Direct call.
    Call,
    /// Indirect call.
    IndirectCall,
    /// Indirect jump.
    Indirect,
    /// Return.
    Return,
    /// System call.
    Syscall,
}

impl Kind {
    /// True if control never goes on to the next word.
    pub(crate) const fn ends(self) -> bool {
        match self {
            Kind::Data | Kind::Undefined | Kind::Trap | Kind::Jump | Kind::Indirect | Kind::Return => true,
            Kind::Nop | Kind::Next | Kind::Branch | Kind::Call | Kind::IndirectCall | Kind::Syscall => false,
        }
    }

    /// True if a word of this kind can be executed without an undefined-instruction trap.
    pub(crate) const fn is_code(self) -> bool {
        !matches!(self, Kind::Data | Kind::Undefined)
    }
}

const NOP: u32 = 0xd503_201f;

/// Classified text.
pub(crate) struct Text<'a> {
    /// The image.
    pub(crate) image: &'a Image,
    /// Text ranges on word boundaries, with the index of their first word in `kinds`.
    ranges: Vec<(Range, usize)>,
    kinds: Vec<Kind>,
}

impl<'a> Text<'a> {
    /// Classifies every word of the image's text.
    pub(crate) fn new(image: &'a Image) -> Self {
        let mut ranges = Vec::new();
        let mut words = 0;
        for r in &image.text {
            let (start, end) = (r.start.next_multiple_of(4), r.end & !3);
            // Only what the file gives: the zero-filled tail of a segment is no code yet.
            let end = image.segment_at(start).map_or(start, |s| end.min(s.file_backed().end & !3));
            if start < end {
                ranges.push((Range { start, end }, words));
                words += ((end - start) / 4) as usize;
            }
        }
        let mut kinds: Vec<Kind> = Vec::with_capacity(words);
        for (r, _) in &ranges {
            let bytes = image.bytes_at(r.start, r.len()).unwrap_or(&[]);
            let start = r.start;
            kinds.par_extend(bytes.par_chunks_exact(4).enumerate().map(|(i, w)| {
                let word = u32::from_le_bytes([w[0], w[1], w[2], w[3]]);
                classify(word, start + 4 * i as u64)
            }));
        }
        kinds.resize(words, Kind::Data);
        let mut text = Text { image, ranges, kinds };
        text.exclude_data();
        text
    }

    fn exclude_data(&mut self) {
        let ends = self.image.mapping.iter().skip(1).map(|m| m.addr).chain([u64::MAX]);
        let data: Vec<Range> = self
            .image
            .mapping
            .iter()
            .zip(ends)
            .filter(|(m, _)| !m.code)
            .map(|(m, end)| Range { start: m.addr, end })
            .collect();
        for d in data {
            // A mapping symbol holds to the end of its section: no further than the range it stands in.
            let Some((r, first)) = self.find(d.start).copied() else { continue };
            let from = first + ((d.start - r.start) / 4) as usize;
            let to = first + ((d.end.min(r.end) - r.start) / 4) as usize;
            self.kinds[from..to.max(from)].fill(Kind::Data);
        }
    }

    fn find(&self, addr: u64) -> Option<&(Range, usize)> {
        let i = self.ranges.partition_point(|r| r.0.start <= addr);
        self.ranges[..i].last().filter(|r| r.0.contains(addr))
    }

    /// What the word at `addr` is; `Data` outside text and off word boundaries.
    pub(crate) fn kind(&self, addr: u64) -> Kind {
        match self.find(addr) {
            Some((r, first)) if addr.is_multiple_of(4) => self.kinds[first + ((addr - r.start) / 4) as usize],
            _ => Kind::Data,
        }
    }

    /// The text range that holds `addr`.
    pub(crate) fn range(&self, addr: u64) -> Option<Range> {
        self.find(addr).map(|r| r.0)
    }

    /// Text ranges by address.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range> + '_ {
        self.ranges.iter().map(|r| r.0)
    }

    /// The word at `addr` (any, also data).
    pub(crate) fn word(&self, addr: u64) -> Option<u32> {
        self.find(addr).and_then(|_| self.image.u32_at(addr))
    }

    /// Control flow of the word at `addr`.
    pub(crate) fn flow(&self, addr: u64) -> Flow {
        self.word(addr).map_or(Flow::Trap, |w| a64::flow(w, GuestAddr(addr)))
    }

    /// True if the word only fills space between functions: NOP, or zero.
    pub(crate) fn is_padding(&self, addr: u64) -> bool {
        self.kind(addr) == Kind::Nop || self.word(addr) == Some(0)
    }
}

fn classify(word: u32, addr: u64) -> Kind {
    if word == NOP {
        return Kind::Nop;
    }
    match a64::flow(word, GuestAddr(addr)) {
        Flow::Next => Kind::Next,
        Flow::Jump(_) => Kind::Jump,
        Flow::Branch(_) => Kind::Branch,
        Flow::Call(_) => Kind::Call,
        Flow::IndirectCall => Kind::IndirectCall,
        Flow::Indirect => Kind::Indirect,
        Flow::Return => Kind::Return,
        Flow::Syscall => Kind::Syscall,
        // BRK, HLT and the like are instructions; the rest is not.
        Flow::Trap if word >> 24 == 0xd4 && a64::decode(word).is_some() => Kind::Trap,
        Flow::Trap => Kind::Undefined,
    }
}

/// An image's text as instruction words.
pub struct ImageCode<'a>(pub &'a Image);

impl Code for ImageCode<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        let s = self.0.segment_at(pc.0).filter(|s| s.exec)?;
        if !pc.0.is_multiple_of(4) || !s.file_backed().contains(pc.0) {
            return None;
        }
        self.0.u32_at(pc.0)
    }
}
