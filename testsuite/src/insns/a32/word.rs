//! One random case of an encoding: its operands, what must come before it, and what the states must provide so that it
//! does something worth comparing. Takes an encoding and random numbers, gives a case. Where it accesses memory and where it
//! goes, lifting says.

use super::excused::{EXCLUDED, aligned_to_32, several, unusable};
use super::meaning::{Leaves, Meaning, Root, lift};
use super::{START, TESTED, Tested, text};
use crate::insns::{Case, Fill, Item, Layout, Needs, Random};
use isa::a32::{Feature, Place, Row, Set};

/// Registers that a word may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Registers {
    /// All, often few of them.
    Any,
    /// As sequences need: data in r0–r3 and r12, bases and indices in others.
    Five,
}

/// Registers that sequences compute with.
pub const DATA: u32 = 0x100f;
/// Registers that point into the window in sequences; of those the ones that stay multiples of 4.
pub const POINTERS: u32 = 0xf30;
pub const ALIGNED_POINTERS: u32 = 0xc10;
/// Index registers of sequences.
pub const INDICES: u32 = 0xc0;

/// Equal letters side by side in a row's pattern.
struct Field {
    letter: char,
    low: u32,
    width: u32,
}

impl Field {
    fn mask(&self) -> u32 {
        ((1u64 << self.width) - 1) as u32
    }

    fn get(&self, w: u32) -> u32 {
        w >> self.low & self.mask()
    }

    fn set(&self, w: u32, value: u32) -> u32 {
        w & !(self.mask() << self.low) | (value & self.mask()) << self.low
    }
}

fn fields(row: &Row) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let letters: Vec<char> = row.pattern.chars().filter(|c| *c != ' ').collect();
    for (i, &letter) in letters.iter().enumerate() {
        let low = (letters.len() - 1 - i) as u32;
        match fields.last_mut() {
            Some(f) if f.letter == letter && f.low == low + 1 => {
                f.low = low;
                f.width += 1;
            }
            _ => fields.push(Field { letter, low, width: 1 }),
        }
    }
    fields
}

/// Floating point and Advanced SIMD.
pub fn is_simd(row: &Row) -> bool {
    !matches!(row.feature, Feature::Base | Feature::Idiv | Feature::Crc32)
}

/// True for accesses to words at multiples of 4, which move their base by words.
pub fn of_words(t: &Tested) -> bool {
    several(t.row.name) && !(is_simd(t.row) && t.row.pattern.contains("mmmm"))
}

/// A word in the form in which Thumb has this A32 form of a shared encoding.
pub fn thumb_form(w: u32) -> u32 {
    match w >> 24 {
        0xf2 | 0xf3 => 0xef00_0000 | (w >> 24 & 1) << 28 | w & 0x00ff_ffff,
        0xf4 => 0xf900_0000 | w & 0x00ff_ffff,
        _ => w,
    }
}

/// Completes a word in the form of the row's set: bits that should be 0 or 1, and the condition.
fn finished(t: &Tested, mut w: u32, cond: u32) -> u32 {
    for f in fields(t.row) {
        match f.letter {
            'z' => w = f.set(w, 0),
            'o' => w = f.set(w, !0),
            _ => {}
        }
    }
    if t.row.conditional() {
        w = w & 0x0fff_ffff | cond << 28;
    }
    match (t.row.set, t.thumb) {
        (Set::T16, _) => w & 0xffff,
        (Set::Both, true) => thumb_form(w),
        _ => w,
    }
}

/// A random word with any operands, executed always.
pub fn plain(t: &Tested, random: &mut Random) -> u32 {
    let (mask, value) = t.row.bits();
    let w = value | random.word() & !mask;
    finished(t, particular(t.row, w, random), 14)
}

/// One of the registers of a set.
fn one_of(set: u32, random: &mut Random) -> u32 {
    let n = random.below(set.count_ones());
    (0..32).filter(|r| set >> r & 1 != 0).nth(n as usize).expect("invariant: the set has as many")
}

/// Chooses the registers of a word.
struct Choice {
    registers: Registers,
    /// Those of the results and operands.
    data: u32,
    base: u32,
    index: u32,
}

impl Choice {
    fn new(t: &Tested, registers: Registers, narrow: bool, random: &mut Random) -> Choice {
        let (all, pointers) = match (registers, narrow) {
            (Registers::Any, false) => (0x7fff, 0x1fff),
            (Registers::Any, true) => (0xff, 0xff),
            (Registers::Five, _) => {
                let pointers = if of_words(t) { ALIGNED_POINTERS } else { POINTERS & !ALIGNED_POINTERS };
                (DATA, pointers)
            }
        };
        let all = if narrow { all & 0xff } else { all };
        let pointers = if narrow { pointers & 0xff } else { pointers };
        let stack = !narrow && random.one_in(8);
        let base = if stack { 13 } else { one_of(pointers, random) };
        let index = match registers {
            Registers::Five => one_of(INDICES, random),
            Registers::Any => one_of(pointers & !(1 << base), random),
        };
        let mut data = all;
        if registers == Registers::Any && random.one_in(4) {
            data = (0..3).fold(0, |set, _| set | 1 << one_of(all, random));
        }
        if t.accesses && !random.one_in(8) {
            let without = data & !(1 << base);
            data = if without == 0 { all & !(1 << base) } else { without };
        }
        Choice { registers, data, base, index }
    }

    /// A list of registers to load or store.
    fn list(&self, load: bool, drawn: u32, random: &mut Random) -> u32 {
        match self.registers {
            Registers::Five if load => drawn & DATA,
            Registers::Five => drawn & 0x1fff,
            Registers::Any => {
                let few = if random.one_in(2) { drawn & random.word() } else { drawn };
                let unusual = 1 << 13 | 1 << 15 | 1 << self.base;
                if random.one_in(4) { few } else { few & !unusual }
            }
        }
    }
}

/// A random word of the encoding, with operands that it can be executed with, and condition `cond`.
pub fn word(t: &Tested, registers: Registers, cond: u32, random: &mut Random) -> u32 {
    let (mask, value) = t.row.bits();
    let mut w = value | random.word() & !mask;
    let (name, simd, narrow) = (t.row.name, is_simd(t.row), t.row.set == Set::T16);
    let choice = Choice::new(t, registers, narrow, random);
    // Vectors in few registers: D0 to D7, of which Q registers are even ones, and S0 to S7.
    let few = registers == Registers::Five || random.one_in(4);
    let single = t.row.pattern.contains("101s") && w >> 8 & 1 == 0 || t.row.pattern.contains("1010");
    let shifted = t.accesses && fields(t.row).iter().any(|f| f.letter == 'k');
    for f in fields(t.row) {
        let general = matches!(f.width, 3 | 4) && "dnmtsahlu".contains(f.letter);
        let vector = simd && (f.width == 4 || f.width == 1) && "dnm".contains(f.letter);
        let load = name.starts_with("LD") || name.starts_with("POP");
        w = match f.letter {
            'n' if f.width > 1 && t.accesses => f.set(w, choice.base),
            // Advanced SIMD: SP means writeback by the size, PC none.
            'm' if f.width > 1 && t.accesses && simd => match random.below(4) {
                0 => f.set(w, 13),
                1 => f.set(w, choice.index),
                _ => f.set(w, 15),
            },
            'm' if f.width > 1 && t.accesses => f.set(w, choice.index),
            'l' if f.width >= 8 => f.set(w, choice.list(load, f.get(w), random)),
            't' | 'u' if general => {
                let pc = t.accesses && registers == Registers::Any && random.one_in(8);
                f.set(w, if pc { 15 } else { one_of(choice.data, random) })
            }
            _ if vector && few && single => f.set(w, if f.width == 1 { f.get(w) } else { f.get(w) & 3 }),
            _ if vector && few => f.set(w, if f.width == 1 { 0 } else { f.get(w) & 7 }),
            _ if general && !simd => {
                let pc = !t.accesses && !narrow && registers == Registers::Any && random.one_in(16);
                f.set(w, if pc { 15 } else { one_of(choice.data, random) })
            }
            // In T16 the upper bit of a register.
            'd' | 'n' if narrow && f.width == 1 && registers == Registers::Five => f.set(w, 0),
            // An index shifted little.
            'i' if shifted && f.width == 5 => match w >> 5 & 3 {
                0 => f.set(w, random.below(4)),
                3 => f.set(w, [0, 29, 30, 31][random.below(4) as usize]),
                _ => w,
            },
            // From nearby text, or near the base.
            'i' if f.width == 12 && (name.contains("literal") || registers == Registers::Five) => {
                f.set(w, f.get(w) & if random.one_in(2) { 0x7c } else { 0x7f })
            }
            _ => w,
        };
        // One register in two places.
        if f.letter == 'm' && matches!(name, "REV" | "REV16" | "RBIT" | "REVSH" | "CLZ") && t.thumb && !narrow
        {
            w = Field { letter: 'm', low: 0, width: 4 }.set(w, w >> 16 & 15);
        }
    }
    if several(name) && name.contains("RD (") && !t.thumb && w >> 22 & 1 == 1 {
        // LDRD and STRD at multiples of 4.
        w &= !3;
    }
    finished(t, particular(t.row, w, random), cond)
}

/// Coprocessor 15 registers of user mode as MCR and MRC name them: ISB, DSB, DMB, TPIDRURW.
const COPROCESSOR: [u32; 4] = [0x7_0085, 0x7_008a, 0x7_00aa, 0xd_0040];

/// Operands without which an instruction does nothing or leaves the program.
fn particular(row: &Row, w: u32, random: &mut Random) -> u32 {
    match row.name {
        // FPSCR; VMRS to APSR, too.
        "VMRS" if random.one_in(2) => w & !0x000f_f000 | 0x0001_f000,
        "VMSR" | "VMRS" => w & !0x000f_0000 | 0x0001_0000,
        "MCR" => w & !0x00ef_00ef | COPROCESSOR[random.below(4) as usize] & 0x00ef_00ef,
        "MRC" => w & !0x00ef_00ef | 0x000d_0040,
        "SVC" if row.set == Set::A32 => w & 0xff00_0000,
        _ => w,
    }
}

/// The only kind of IT block around one instruction.
fn block(first: bool, row: &Row, random: &mut Random) -> u8 {
    if first || row.name == "IT" || !random.one_in(3) {
        return 0;
    }
    let mask = if random.one_in(3) { 4 | (random.below(2) << 3) } else { 8 };
    (random.below(14) << 4 | mask) as u8
}

/// A random case of the encoding, the first of it or a further one. None if the word drawn belongs to another encoding, is
/// not defined though others are (which words are UNDEFINED and which UNPREDICTABLE is the affair of isa's `a32_oracle`), or
/// cannot be compared.
pub fn case(t: &'static Tested, first: bool, random: &mut Random) -> Option<Case> {
    let cond = if first || t.thumb || !random.one_in(3) { 14 } else { random.below(14) };
    let mut w = word(t, Registers::Any, cond, random);
    if first && is_simd(t.row) && t.row.pattern.contains("aa") {
        // No demands on alignment.
        w &= !0x30;
    }
    let it = if t.thumb { block(first, t.row, random) } else { 0 };
    let at = Place { addr: START, thumb: t.thumb, it, passed: false };
    if !t.is(at, w) || unusable(t.row, w, at).is_some() {
        return None;
    }
    let meaning = lift(w, at);
    if meaning.is_none() && !t.raises {
        return None;
    }
    let mut items = Vec::new();
    if it != 0 {
        items.push(Item::Word(0xbf00 | u32::from(it)));
    }
    items.push(Item::Word(w));
    // The rest of its IT block, or the one that it begins.
    let block = if t.row.name == "IT" { w as u8 } else { at.next(0).it };
    if block & 15 != 0 {
        let rest = 4 - (block & 15).trailing_zeros();
        items.extend((0..rest).map(|_| Item::Word(0xbf00)));
    }
    let mut c = Case {
        row: &t.title,
        thumb: t.thumb,
        items,
        layout: Layout::Plain,
        needs: Needs { kind: class(t.row, w) << Needs::CLASS_SHIFT, ..Needs::default() },
        seed: w,
    };
    if let Some(m) = meaning {
        access(t, w, &m, first, &mut c, random);
        leave(t, w, &m, &mut c, random)?;
        let before = before(t, w, &m, random);
        c.items.splice(0..0, before.into_iter().map(Item::Word));
    }
    Some(c)
}

/// False for words that random programs leave out: what cases leave out, words that are UNPREDICTABLE for bits that should be
/// others or for their operands, what qemu checks otherwise than for alignment first, system calls, which could do anything, and
/// IT, whose block would hold any words and be jumped into.
pub fn comparable(thumb: bool, w: u32) -> bool {
    let at = Place { addr: START, thumb, it: 0, passed: false };
    let Some(t) = TESTED.iter().find(|t| t.thumb == thumb && t.is(at, w)) else { return thumb || !is_fpa(w) };
    let name = t.row.name;
    let left_out = ["SVC", "IT"].contains(&name) || EXCLUDED.iter().any(|e| e.0 == name);
    let unaligned = aligned_to_32(t.row, w) || name.contains("STREX") || name.contains("STLEX");
    let defined = finished(t, w, w >> 28) == w && (t.raises || lift(w, at).is_some());
    defined && !left_out && !unaligned && unusable(t.row, w, at).is_none()
}

/// True for an A32 word of the FPA, the floating point before VFP, which qemu emulates: coprocessors 1 and 2.
fn is_fpa(w: u32) -> bool {
    w >> 28 != 15 && matches!(w >> 24 & 15, 0xc..=0xe) && matches!(w >> 8 & 15, 1 | 2)
}

/// What an access needs.
fn access(t: &Tested, w: u32, m: &Meaning, first: bool, c: &mut Case, random: &mut Random) {
    let Some((root, bias)) = m.address() else { return };
    c.needs.kind |= Needs::MEMORY;
    let field = |letter| fields(t.row).iter().find(|f| f.letter == letter && f.width > 2).map(|f| f.get(w));
    match root {
        Root::Register(n) => (c.needs.pointers, c.needs.bias) = (1 << n, bias),
        Root::Computed => {
            c.needs.pointers = field('n').map_or(0, |n| 1 << n);
            c.needs.indices = field('m').map_or(0, |n| 1 << n) & !c.needs.pointers;
        }
        Root::Code | Root::Memory => {}
    }
    if is_simd(t.row) && field('m').is_some_and(|m| m < 13) {
        c.needs.indices = field('m').map_or(0, |n| 1 << n) & !c.needs.pointers;
    }
    // What processors demand and Linux makes good, or not.
    let name = t.row.name;
    let words = several(name) && !is_simd(t.row) || name == "TBH";
    let aligned = ["EX", "LDA", "STL", "SWP", "VLDR", "VSTR", "VLDM", "VSTM"];
    if words || aligned.iter().any(|p| name.contains(p)) && (first || !random.one_in(8)) {
        c.needs.kind |= Needs::ALIGNED;
    }
}

/// What a jump needs, and whether the link register is an operand. None if it goes where nothing can be prepared.
fn leave(t: &Tested, w: u32, m: &Meaning, c: &mut Case, random: &mut Random) -> Option<()> {
    let landings = |thumb: bool, back: bool, random: &mut Random| Layout::Landings {
        back,
        padding: random.below(5),
        off: u64::from(thumb),
    };
    match m.leaves() {
        Leaves::Next | Leaves::Trap => {
            let links = (m.reads() | m.writes()) >> 14 & 1 != 0;
            let coprocessor = t.row.name.starts_with("MRC") || t.row.name.starts_with("MCR");
            if links && coprocessor {
                return None;
            }
            if links || !coprocessor && random.one_in(4) {
                c.layout = Layout::Link;
            }
        }
        Leaves::Syscall => c.needs.kind |= Needs::SYSCALL,
        Leaves::Direct => {
            let back = t.row.name != "CBNZ, CBZ" && random.one_in(3);
            c.layout = landings(t.thumb ^ text::changes_state(t.thumb, w), back, random);
        }
        Leaves::Indirect(Root::Register(n), bias) => {
            // Others may change the state in the address.
            if !["B", "MOV", "ADD", "SUB"].iter().any(|p| t.row.name.starts_with(p)) {
                return None;
            }
            // Jumps of data processing in Thumb stay there.
            let stays = t.thumb && !t.row.name.starts_with("B");
            let thumb = if stays { true } else { random.one_in(2) };
            c.layout = landings(thumb, random.one_in(3), random);
            let slot = if n == 14 { 15 } else { n };
            c.needs.kind |= Needs::TARGET | slot << Needs::REGISTER_SHIFT;
            c.needs.bias = bias;
        }
        Leaves::Indirect(Root::Memory, 0) if c.needs.pointers != 0 => {
            // The index stays a multiple of 4.
            if c.needs.indices != 0 && !t.thumb && w >> 5 & 3 != 0 {
                return None;
            }
            c.layout = landings(random.one_in(2), random.one_in(3), random);
            c.needs.fill = Fill::Target;
            c.needs.kind |= Needs::ALIGNED;
        }
        Leaves::Indirect(Root::Computed, _) if t.row.name.starts_with("TB") && w >> 16 & 15 != 15 => {
            c.layout = landings(true, false, random);
            let positions = text::positions(c);
            let at = positions.items[usize::from(c.items.len() > 1)];
            let halves = (positions.landing - at - 4) as u32 / 2;
            let repeated = if t.row.name == "TBB" { 0x0101_0101 } else { 0x0001_0001 };
            c.needs.fill = Fill::Word(halves * repeated);
        }
        Leaves::Indirect(..) => return None,
    }
    Some(())
}

/// Instructions that must come first.
fn before(t: &Tested, w: u32, m: &Meaning, random: &mut Random) -> Vec<u32> {
    let name = t.row.name;
    // A general register that is not used.
    let free = !(m.reads() | m.writes()) & 0xfff;
    let even = (free & free >> 1) & 0x555;
    if name == "VMSR" {
        return vec![fpscr_operand(t.thumb, w >> 12 & 15)];
    }
    if !(name.starts_with("STREX") || name.starts_with("STLEX")) || random.one_in(3) || even == 0 {
        return Vec::new();
    }
    // A load-exclusive of the same place and size.
    let r = even.trailing_zeros();
    let load = match (t.thumb, name) {
        (false, _) => 0xe000_0000 | w & 0x0fff_0f00 | 0x0010_009f | r << 12,
        (true, "STREX") => w & !0xff00 & !0xf000 | 0x0010_0f00 | r << 12,
        (true, _) => w & 0xffff_00f0 & !0xf000 | 0x0010_000f | r << 12 | (r + 1) << 8,
    };
    let load = if t.thumb && name != "STREX" && !name.ends_with('D') { load | 0xf00 } else { load };
    vec![load]
}

/// `BIC Rt, Rt, #0x3f0000`: of what goes to FPSCR only what Armv8 has without FZ16, and no vector mode.
pub fn fpscr_operand(thumb: bool, t: u32) -> u32 {
    if thumb { 0xf420_107c | t << 16 | t << 8 } else { 0xe3c0_083f | t << 16 | t << 12 }
}

/// What V registers should hold for this word, as the case program counts: 1–3 floating point by width, 4 integers.
fn class(row: &Row, w: u32) -> u32 {
    if !is_simd(row) {
        return 0;
    }
    let name = row.name;
    if name.contains("half") {
        return 1;
    }
    if row.pattern.contains("101s") {
        return if w >> 8 & 1 == 0 { 2 } else { 3 };
    }
    let float = ["(vector", "floating-point", "VRECP", "VRSQRT", "VACG"].iter().any(|p| name.contains(p));
    if float || matches!(row.feature, Feature::Vfp | Feature::Vfp4) { 2 } else { 4 }
}
