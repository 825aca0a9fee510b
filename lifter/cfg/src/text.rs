//! The image's text as instructions: what can be code, and how control leaves each instruction. Computed once, so that walking
//! functions again and again is cheap. Knows no functions. Addresses of instructions are code addresses here and in all of
//! this crate: on AArch32 bit 0 says the state; ranges are of bytes.

mod a32;
mod code;

pub use code::ImageCode;

use a32::Halves;
use image::{Image, Range};
use ir::GuestAddr;
use isa::{Flow, Isa, a64};
use rayon::prelude::*;

/// What an instruction is to a walk.
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

/// An instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unit {
    /// What it is.
    pub(crate) kind: Kind,
    /// It has a condition, so that control may also go on behind it whatever its kind says.
    pub(crate) conditional: bool,
    /// The code address behind it, which in an IT block tells the block's state.
    pub(crate) next: u64,
}

/// Classified text.
pub(crate) struct Text<'a> {
    /// The image.
    pub(crate) image: &'a Image,
    /// Text ranges on instruction boundaries, with the index of their first instruction in `kinds` or `halves`.
    ranges: Vec<(Range, usize)>,
    /// AArch64: the kinds of all words.
    kinds: Vec<Kind>,
    /// AArch32.
    halves: Halves,
}

impl<'a> Text<'a> {
    /// Classifies the image's text.
    pub(crate) fn new(image: &'a Image) -> Self {
        let step = step(image.isa);
        let mut ranges = Vec::new();
        let mut units = 0;
        for r in &image.text {
            let (start, end) = (r.start.next_multiple_of(step), r.end & !(step - 1));
            // Only what the file gives: the zero-filled tail of a segment is no code yet.
            let backed = image.segment_at(start).map_or(start, |s| s.file_backed().end & !(step - 1));
            let end = end.min(backed);
            if start < end {
                ranges.push((Range { start, end }, units));
                units += ((end - start) / step) as usize;
            }
        }
        let mut kinds: Vec<Kind> = Vec::new();
        if image.isa == Isa::A32 {
            let halves = Halves::new(units);
            return Text { image, ranges, kinds, halves };
        }
        kinds.reserve(units);
        for (r, _) in &ranges {
            let bytes = image.bytes_at(r.start, r.len()).unwrap_or(&[]);
            let start = r.start;
            kinds.par_extend(bytes.par_chunks_exact(4).enumerate().map(|(i, w)| {
                let word = u32::from_le_bytes([w[0], w[1], w[2], w[3]]);
                classify(word, start + 4 * i as u64)
            }));
        }
        kinds.resize(units, Kind::Data);
        let mut text = Text { image, ranges, kinds, halves: Halves::new(0) };
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

    /// What the instruction at `addr` is; `Data` outside text, where none can stand, and in the wrong state.
    pub(crate) fn kind(&self, addr: u64) -> Kind {
        match self.image.isa {
            Isa::A64 => match self.find(addr) {
                Some((r, first)) if addr.is_multiple_of(4) => {
                    self.kinds[first + ((addr - r.start) / 4) as usize]
                }
                _ => Kind::Data,
            },
            Isa::A32 => self.unit(addr).kind,
        }
    }

    /// The instruction at `addr`.
    pub(crate) fn unit(&self, addr: u64) -> Unit {
        match self.image.isa {
            Isa::A64 => Unit { kind: self.kind(addr), conditional: false, next: addr + 4 },
            Isa::A32 => self.unit32(addr),
        }
    }

    /// The code address behind the instruction at `addr`.
    pub(crate) fn next(&self, addr: u64) -> u64 {
        self.unit(addr).next
    }

    /// The code address without the state of an IT block.
    pub(crate) const fn plain(&self, addr: u64) -> u64 {
        self.image.isa.plain(addr)
    }

    /// The address of the bytes of the code address `addr`.
    pub(crate) fn bytes(&self, addr: u64) -> u64 {
        self.image.isa.bytes_at(addr)
    }

    /// Bytes of the smallest instruction.
    pub(crate) fn step(&self) -> u64 {
        step(self.image.isa)
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

    /// Control flow of the instruction at `addr`.
    pub(crate) fn flow(&self, addr: u64) -> Flow {
        match self.image.isa {
            Isa::A64 => self.word(addr).map_or(Flow::Trap, |w| a64::flow(w, GuestAddr(addr))),
            Isa::A32 => self.flow32(addr),
        }
    }

    /// True if the smallest instruction at the byte address `addr` only fills space between functions: NOP, or zero.
    pub(crate) fn is_padding(&self, addr: u64) -> bool {
        match self.image.isa {
            Isa::A64 => self.kind(addr) == Kind::Nop || self.word(addr) == Some(0),
            Isa::A32 => self.is_padding32(addr),
        }
    }

    /// True if mapping symbols say that the byte at `addr` is data.
    pub(crate) fn is_marked_data(&self, addr: u64) -> bool {
        match self.image.isa {
            Isa::A64 => self.kind(addr) == Kind::Data,
            Isa::A32 => matches!(self.mark(addr), Some((false, _))),
        }
    }

    /// The code addresses that the bytes at `addr` may have, the likely one first: what mapping symbols say, or all.
    pub(crate) fn places(&self, addr: u64) -> Vec<u64> {
        match (self.image.isa, self.mark(addr)) {
            (Isa::A64, _) => vec![addr],
            (Isa::A32, Some((false, _))) => Vec::new(),
            (Isa::A32, Some((true, thumb))) => vec![addr | u64::from(thumb)],
            (Isa::A32, None) if !addr.is_multiple_of(4) => vec![addr | 1],
            (Isa::A32, None) => vec![addr | 1, addr],
        }
    }

    /// True if control does not come to the code address `addr` from before it, as far as can be seen: what stands there ends,
    /// pads or is no code.
    pub(crate) fn follows_end(&self, addr: u64) -> bool {
        match self.image.isa {
            Isa::A64 => self.kind(addr.wrapping_sub(4)).ends() || self.is_padding(addr.wrapping_sub(4)),
            Isa::A32 => self.follows_end32(addr),
        }
    }

    /// True if a call stands before the code address `addr`.
    pub(crate) fn follows_call(&self, addr: u64) -> bool {
        let call = |at: u64| {
            let u = self.unit(at);
            u.kind == Kind::Call && u.next == addr
        };
        call(addr.wrapping_sub(4))
    }

    /// True if the instruction at `addr` is one that functions begin with: one that marks them, or makes a frame.
    pub(crate) fn is_prologue(&self, addr: u64) -> bool {
        match self.image.isa {
            Isa::A64 => self.word(addr).is_some_and(is_prologue64),
            Isa::A32 => self.is_prologue32(addr),
        }
    }
}

/// BTI c and jc, PACIASP, and stores of a frame at the stack pointer or its move down.
fn is_prologue64(w: u32) -> bool {
    matches!(w, 0xd503_245f | 0xd503_24df | 0xd503_233f)
        || w & 0xffc0_03e0 == 0xa980_03e0
        || w & 0xffe0_0fe0 == 0xf800_0fe0
        || w & 0xff80_03ff == 0xd100_03ff
}

/// Bytes of the smallest instruction.
fn step(isa: Isa) -> u64 {
    match isa {
        Isa::A64 => 4,
        Isa::A32 => 2,
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
