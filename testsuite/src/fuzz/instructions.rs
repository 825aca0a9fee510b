//! Instructions of all three sets drawn from arbitrary bytes: anything, or mostly what exists, with branches that mostly go to
//! one of them. Takes choices, gives words and bytes.

use super::Source;
use crate::guest::Target;
use crate::insns::{Bytes, a32, a64};
use ir::GuestAddr;
use isa::a32::Set;
use std::sync::LazyLock;

/// Instructions one behind the other.
pub struct Instructions {
    target: Target,
    /// As [`word`] gives them.
    words: Vec<u32>,
}

impl Instructions {
    /// Draws `count` instructions.
    pub fn draw(s: &mut Source<'_>, target: Target, count: usize) -> Instructions {
        Instructions::draw_some(s, target, count, |_| true)
    }

    /// Draws `count` instructions among those that `accept` takes. Zero must be one of them: it is drawn when the source is used up.
    pub fn draw_some(
        s: &mut Source<'_>,
        target: Target,
        count: usize,
        accept: impl Fn(u32) -> bool,
    ) -> Instructions {
        let drawn = std::iter::repeat_with(|| word(s, target));
        let words: Vec<u32> = drawn.filter(|&w| accept(w)).take(count).collect();
        let mut all = Instructions { target, words };
        let starts = all.starts();
        for (word, &here) in all.words.iter_mut().zip(&starts) {
            let to = starts[s.below(count)];
            if s.byte() & 7 != 0 {
                *word = aim(target, *word, to as i32 - here as i32);
            }
        }
        all
    }

    /// Where each begins, and behind the last, in bytes from the first.
    fn starts(&self) -> Vec<usize> {
        let ends = self.words.iter().scan(0, |end, &w| {
            *end += bytes(self.target, w).len();
            Some(*end)
        });
        [0].into_iter().chain(ends).collect()
    }

    /// The words.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Their bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|&w| bytes(self.target, w)).collect()
    }

    /// A readable line for each.
    pub fn listing(&self) -> String {
        let (isa, bytes) = (self.target.isa(), self.bytes());
        let start = 1 << 16;
        let code = Bytes { start, bytes: &bytes };
        let show = |pc: GuestAddr| isa.show(&code, pc);
        let first = show(GuestAddr(start | u64::from(self.target == Target::T32)));
        std::iter::successors(first, |before| show(before.next))
            .map(|i| format!("{} {} [{}]\n", i.bits, i.text, i.name))
            .collect()
    }
}

/// The bytes of an instruction as they stand in memory.
pub fn bytes(target: Target, word: u32) -> Vec<u8> {
    match target {
        Target::A64 => word.to_le_bytes().to_vec(),
        Target::A32 | Target::T32 => a32::bytes(target == Target::T32, word),
    }
}

/// An instruction: anything, or mostly of an encoding that exists. Thumb's is as [`isa::a32::decode()`] takes it: the first halfword
/// in bits 31:16, or one in the low half.
pub fn word(s: &mut Source<'_>, target: Target) -> u32 {
    let (raw, choice) = (s.word(), s.byte());
    if choice < 16 {
        // Thumb: a word whose upper half begins no 32-bit instruction is two instructions.
        let wide = target != Target::T32 || isa::a32::is_wide((raw >> 16) as u16);
        return if wide { raw } else { raw >> 16 };
    }
    let all = &ENCODINGS[target as usize];
    let e = &all[usize::from(u16::from_le_bytes(s.take())) % all.len()];
    let mut word = e.value | raw & !e.mask;
    if e.conditional && (choice & 8 == 0 || target == Target::T32) {
        word = word & 0x0fff_ffff | 14 << 28;
    }
    if e.shared && target == Target::T32 { a32::thumb_form(word) } else { word }
}

/// An encoding's fixed bits.
struct Encoding {
    mask: u32,
    value: u32,
    /// Bits 31:28 are a condition.
    conditional: bool,
    /// Thumb has it in another form.
    shared: bool,
}

/// Those of each target. Of Thumb, half are narrow ones, though there are fewer.
static ENCODINGS: LazyLock<[Vec<Encoding>; 3]> = LazyLock::new(|| {
    let a64 = isa::a64::rows().map(|row| {
        let (mask, value) = row.bits();
        Encoding { mask, value, conditional: false, shared: false }
    });
    let of = |sets: &'static [Set]| {
        isa::a32::rows().filter(|r| sets.contains(&r.set)).map(|row| {
            let (mask, value) = row.bits();
            let upper = if row.set == Set::T16 { 0xffff_0000 } else { 0 };
            let shared = row.set == Set::Both;
            Encoding { mask: mask | upper, value, conditional: row.conditional(), shared }
        })
    };
    let wide: Vec<Encoding> = of(&[Set::T32, Set::Both]).collect();
    let often = wide.len().div_ceil(of(&[Set::T16]).count());
    let narrow = (0..often).flat_map(|_| of(&[Set::T16]));
    [a64.collect(), of(&[Set::A32, Set::Both]).collect(), narrow.chain(wide).collect()]
});

/// `word` with its target, if it is a direct branch, `delta` bytes away.
pub fn aim(target: Target, word: u32, delta: i32) -> u32 {
    let thumb = target == Target::T32;
    match target {
        Target::A64 if a64::is_direct_branch(word) => a64::branch_to(word, delta >> 2),
        Target::A32 | Target::T32 if a32::is_direct_branch(thumb, word) => a32::branch_to(thumb, word, delta),
        _ => word,
    }
}

/// False for instructions whose execution cannot be compared with qemu's: system calls, which could do anything, and what qemu
/// executes otherwise.
pub fn comparable(target: Target, word: u32) -> bool {
    let is = |name: &str, prefixes: &[&str]| prefixes.iter().any(|p| name.starts_with(p));
    match target {
        Target::A64 => {
            let name = isa::a64::decode(word).map_or("", |r| r.name);
            let call = word & 0xffe0_001f == 0xd400_0001;
            !call && !is(name, &["DC ", "IC ", "SYS", "MSR (imm", "MRS", "HLT", "STX", "STLX"])
        }
        Target::A32 | Target::T32 => a32::comparable(target == Target::T32, word),
    }
}

/// The instructions that set a general register, or the stack pointer (31 or 13), to an address below 4 GiB.
pub fn set_register(target: Target, register: u32, value: u32) -> Vec<u32> {
    let (low, high) = (value & 0xffff, value >> 16);
    match target {
        // MOVZ, MOVK; to SP by way of X0.
        Target::A64 if register == 31 => [set_register(target, 0, value), vec![0x9100_001f]].concat(),
        Target::A64 => vec![0xd280_0000 | low << 5 | register, 0xf2a0_0000 | high << 5 | register],
        // MOVW, MOVT; in Thumb, to SP by way of R0.
        Target::A32 => [(0xe300_0000, low), (0xe340_0000, high)]
            .map(|(op, half)| op | half >> 12 << 16 | register << 12 | half & 0xfff)
            .to_vec(),
        Target::T32 if register == 13 => [set_register(target, 0, value), vec![0x4685]].concat(),
        Target::T32 => [(0xf240_0000, low), (0xf2c0_0000, high)]
            .map(|(op, half)| {
                op | half >> 12 << 16
                    | (half >> 11 & 1) << 26
                    | (half >> 8 & 7) << 12
                    | register << 8
                    | half & 0xff
            })
            .to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isa::Flow::{Branch, Call, Jump};

    /// Control flow of a word at 16 MiB.
    fn flow(target: Target, word: u32) -> isa::Flow {
        let (start, bytes) = (1 << 24, bytes(target, word));
        let pc = GuestAddr(start | u64::from(target == Target::T32));
        target.isa().leaving(&Bytes { start, bytes: &bytes }, pc).expect("the word is there").flow
    }

    #[test]
    fn branches_go_where_they_are_aimed() {
        let a64 = [0x1400_0000, 0x9412_3456, 0x5400_0001, 0x3500_0003, 0xb600_0001, 0x3780_0001];
        // B, BNE, BL, BLX; the same in Thumb, narrow and wide.
        let a32 = [0xea12_3456, 0x1a00_0001, 0xeb00_0000, 0xfb00_0000];
        let t32 = [0xe7fe, 0xd1fe, 0xf000_b800, 0xf040_8000, 0xf000_f800, 0xf000_e800];
        let all = [(Target::A64, &a64[..]), (Target::A32, &a32), (Target::T32, &t32)];
        for (target, words) in all {
            for (&word, delta) in words.iter().zip([-12, 0, 4, 200].into_iter().cycle()) {
                let aimed = aim(target, word, delta);
                let to = match flow(target, aimed) {
                    Jump(t) | Branch(t) | Call(t) => target.isa().bytes_at(t.0),
                    flow => panic!("{target:?} {word:#x}: {flow:?}"),
                };
                assert_eq!(to, (1u64 << 24).wrapping_add_signed(delta.into()), "{target:?} {word:#x}");
            }
        }
        assert_eq!(aim(Target::A64, 0xd503_201f, 28), 0xd503_201f);
    }

    #[test]
    fn registers_are_set() {
        let set = |target, register| {
            Instructions { target, words: set_register(target, register, 0x1234_fedc) }.listing()
        };
        let a64 = "d29fdb80 mov x0, #0xfedc [MOVZ]\n\
            f2a24680 movk x0, #0x1234, lsl #16 [MOVK]\n\
            9100001f mov sp, x0 [ADD (immediate)]\n";
        assert_eq!(set(Target::A64, 31), a64);
        let a32 = "e30fdedc mov sp, 0xfedc [MOV, MOVS (immediate) A2]\n\
            e341d234 movt sp, 0x1234 [MOVT]\n";
        assert_eq!(set(Target::A32, 13), a32);
        let t32 = "f64f60dc mov r0, 0xfedc [MOV, MOVS (immediate) T3]\n\
            f2c12034 movt r0, 0x1234 [MOVT]\n\
            4685 mov sp, r0 [MOV, MOVS (register) T1]\n";
        assert_eq!(set(Target::T32, 13), t32);
    }

    #[test]
    fn most_words_are_instructions() {
        for target in Target::ALL {
            let bytes = crate::fuzz::input(5, 40_000);
            let s = &mut Source::new(&bytes);
            let all = Instructions::draw(s, target, 2000);
            let defined = all.words().iter().filter(|&&w| flow(target, w) != isa::Flow::Trap).count();
            assert!((1000..2000).contains(&defined), "{target:?}: {defined}");
        }
    }
}
