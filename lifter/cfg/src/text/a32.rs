//! AArch32's part of the text: instructions of both states by halfwords, classified when they are first asked for, because most
//! text is of one state only.

use super::{ImageCode, Kind, Text, Unit};
use image::Range;
use ir::{GuestAddr, Inst};
use isa::a32::Place;
use isa::{Flow, Isa};
use std::sync::atomic::{AtomicU8, Ordering};

/// What is known of each halfword in each state.
pub(super) struct Halves(Vec<AtomicU8>);

/// The entry is known; below are the kind (4 bits) and the flags.
const KNOWN: u8 = 0x80;
const WIDE: u8 = 0x10;
const CONDITIONAL: u8 = 0x20;
/// IT: what is behind it has its state.
const IT: u8 = 0x40;

impl Halves {
    pub(super) fn new(halves: usize) -> Halves {
        Halves((0..2 * halves).map(|_| AtomicU8::new(0)).collect())
    }
}

const KINDS: [Kind; 12] = [
    Kind::Data,
    Kind::Undefined,
    Kind::Trap,
    Kind::Nop,
    Kind::Next,
    Kind::Jump,
    Kind::Branch,
    Kind::Call,
    Kind::IndirectCall,
    Kind::Indirect,
    Kind::Return,
    Kind::Syscall,
];

impl Text<'_> {
    /// What mapping symbols say of the byte at `addr`: whether it is code, and whether that is Thumb.
    pub(super) fn mark(&self, addr: u64) -> Option<(bool, bool)> {
        let r = self.find(addr)?.0;
        let marks = &self.image.mapping;
        let m = marks[..marks.partition_point(|m| m.addr <= addr)].last()?;
        // A mapping symbol holds to the end of its section: no further than the range it stands in.
        (m.addr >= r.start).then_some((m.code, m.thumb))
    }

    pub(super) fn unit32(&self, addr: u64) -> Unit {
        let place = Place::from(GuestAddr(addr));
        let nothing = Unit { kind: Kind::Data, conditional: false, next: addr.wrapping_add(2) };
        let at = u64::from(place.addr);
        let Some(&(r, first)) = self.find(at) else { return nothing };
        if !self.image.isa.is_aligned(addr) {
            return nothing;
        }
        // In an IT block the block decides, not the bytes alone.
        if place.in_it() {
            return self.classify32(place).map_or(nothing, |(u, _)| u);
        }
        let slot = &self.halves.0[2 * (first + ((at - r.start) / 2) as usize) + usize::from(place.thumb)];
        let mut known = slot.load(Ordering::Relaxed);
        if known == 0 {
            known = KNOWN
                | self.classify32(place).map_or(0, |(u, it)| {
                    let kind = KINDS.iter().position(|&k| k == u.kind).unwrap_or(0) as u8;
                    let wide = Place::from(GuestAddr(u.next)).addr.wrapping_sub(place.addr) == 4;
                    let flag = |on: bool, bit: u8| if on { bit } else { 0 };
                    kind | flag(wide, WIDE) | flag(u.conditional, CONDITIONAL) | flag(it, IT)
                });
            slot.store(known, Ordering::Relaxed);
        }
        let kind = KINDS[usize::from(known & 15)];
        let mut next = place.next(if known & WIDE != 0 { 4 } else { 2 });
        if known & IT != 0 {
            next.it = self.half(at).unwrap_or(0) as u8;
        }
        Unit { kind, conditional: known & CONDITIONAL != 0, next: GuestAddr::from(next).0 }
    }

    fn half(&self, at: u64) -> Option<u16> {
        Some(u16::from_le_bytes(self.image.bytes_at(at, 2)?.try_into().ok()?))
    }

    /// The instruction at `place`, and whether it is IT; `None` if mapping symbols say that none is there.
    fn classify32(&self, place: Place) -> Option<(Unit, bool)> {
        let at = u64::from(place.addr);
        let unmarked = |m: Option<(bool, bool)>| m.is_none_or(|(code, thumb)| code && thumb == place.thumb);
        if !unmarked(self.mark(at)) {
            return None;
        }
        let l = Isa::A32.leaving(&ImageCode(self.image), place.into())?;
        let last = at + u64::from(l.len) - 2;
        if self.find(last).is_none() || !unmarked(self.mark(last)) {
            return None;
        }
        let kind = match l.flow {
            Flow::Next if self.is_nop(place) => Kind::Nop,
            Flow::Next => Kind::Next,
            Flow::Jump(_) if l.conditional => Kind::Branch,
            Flow::Jump(_) => Kind::Jump,
            Flow::Branch(_) => Kind::Branch,
            Flow::Call(_) => Kind::Call,
            Flow::IndirectCall => Kind::IndirectCall,
            Flow::Indirect => Kind::Indirect,
            Flow::Return => Kind::Return,
            Flow::Syscall => Kind::Syscall,
            Flow::Trap if self.is_trap(place) => Kind::Trap,
            Flow::Trap => Kind::Undefined,
        };
        let it = !place.in_it() && Place::from(l.next).in_it();
        Some((Unit { kind, conditional: l.conditional, next: l.next.0 }, it))
    }

    pub(super) fn flow32(&self, addr: u64) -> Flow {
        Isa::A32.leaving(&ImageCode(self.image), GuestAddr(addr)).map_or(Flow::Trap, |l| l.flow)
    }

    /// The literals that the instruction at `addr` loads.
    pub(crate) fn literals(&self, addr: u64) -> Vec<Range> {
        if self.image.isa == Isa::A64 {
            return Vec::new();
        }
        let place = Place::from(GuestAddr(addr));
        // Most instructions load nothing: those that do so with PC as their base are few.
        let w = self.code_word(place);
        let maybe = match place.thumb {
            true => w >> 27 == 0b01001 || w >> 28 >= 14 && w >> 16 & 15 == 15,
            false => w >> 16 & 15 == 15,
        };
        if !maybe {
            return Vec::new();
        }
        let run = isa::a32::lift_run(&ImageCode(self.image), place.tested().into(), GuestAddr(addr + 4), 1);
        let loads = run.insts.iter().filter_map(|i| match *i {
            Inst::Load { ty, addr, .. } => match run.insts[addr.0 as usize] {
                Inst::CodeAddr(a) => Some(Range { start: a.0, end: a.0 + u64::from(ty.bytes()) }),
                _ => None,
            },
            _ => None,
        });
        loads.collect()
    }

    /// The word at `place`: of Thumb, the first halfword in bits 31:16.
    fn code_word(&self, place: Place) -> u32 {
        let at = u64::from(place.addr);
        let (low, high) = (self.half(at).unwrap_or(0), self.half(at + 2).unwrap_or(0));
        let (first, second) = if place.thumb { (low, high) } else { (high, low) };
        u32::from(first) << 16 | u32::from(second)
    }

    fn is_nop(&self, place: Place) -> bool {
        let w = self.code_word(place);
        match place.thumb {
            // NOP, MOV R8, R8 and NOP.W.
            true => matches!(w >> 16, 0xbf00 | 0x46c0) || w == 0xf3af_8000,
            // MOV R0, R0 and NOP.
            false => matches!(w, 0xe1a0_0000 | 0xe320_f000),
        }
    }

    /// BKPT and UDF: they trap on purpose.
    fn is_trap(&self, place: Place) -> bool {
        let w = self.code_word(place);
        match place.thumb {
            true => matches!(w >> 24, 0xbe | 0xde) || w & 0xfff0_f000 == 0xf7f0_a000,
            false => w & 0xfff0_00f0 == 0xe120_0070 || w & 0xfff0_00f0 == 0xe7f0_00f0,
        }
    }

    /// True if the halfword at `addr` is zero or part of a NOP.
    pub(super) fn is_padding32(&self, addr: u64) -> bool {
        let half = |at: u64| self.find(at).and_then(|_| self.half(at));
        let word = |at: u64| u32::from(half(at).unwrap_or(1)) | u32::from(half(at + 2).unwrap_or(1)) << 16;
        match half(addr) {
            None => false,
            Some(0 | 0xbf00 | 0x46c0) => true,
            Some(_) => {
                let arm = word(addr & !3);
                matches!(arm, 0xe1a0_0000 | 0xe320_f000)
                    || word(addr) == 0x8000_f3af
                    || word(addr.wrapping_sub(2)) == 0x8000_f3af
            }
        }
    }

    pub(super) fn follows_end32(&self, addr: u64) -> bool {
        let at = self.bytes(addr);
        let ends = |before: u64, thumb: u64| {
            let u = self.unit(before | thumb);
            u.kind.ends() && u.kind != Kind::Data && !u.conditional && self.bytes(u.next) == at
        };
        let two = at.wrapping_sub(2);
        // Thumb's short branch looks like the upper half of an A32 instruction without a condition.
        let a32 = addr == at && self.half(two).is_some_and(|h| h >> 11 == 0b11100);
        self.find(two).is_none()
            || self.is_marked_data(two)
            || self.is_padding32(two)
            || !a32 && ends(two, 1)
            || ends(at.wrapping_sub(4), 1)
            || ends(at.wrapping_sub(4), 0)
    }

    /// Stores of registers, LR among them, at the stack pointer, or its move down.
    pub(super) fn is_prologue32(&self, addr: u64) -> bool {
        if !self.kind(addr).is_code() {
            return false;
        }
        let place = Place::from(GuestAddr(addr));
        let w = self.code_word(place);
        match place.thumb {
            // PUSH {…, LR}; STMDB SP!, {…, LR}; STR LR, [SP, #-…]!; SUB SP, SP, #….
            true => {
                w >> 24 == 0xb5
                    || w & 0xffff_4000 == 0xe92d_4000
                    || w & 0xffff_fd00 == 0xf84d_ed00
                    || w >> 23 == 0xb080 >> 7
            }
            false => {
                // MOV IP, SP comes before it in frames of the old procedure call standard.
                w == 0xe1a0_c00d
                    || w & 0xffff_4000 == 0xe92d_4000
                    || w & 0xffff_f000 == 0xe52d_e000
                    || w & 0xffff_f000 == 0xe24d_d000
            }
        }
    }
}
