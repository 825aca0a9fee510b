//! What is executed, and the state before and after: the oracle's record.

use crate::common::random::{Random, element};
use ir::GuestAddr;
use isa::a32::{Place, Row};

pub const SCRATCH: u32 = 0x1000_0000;
pub const SCRATCH_SIZE: usize = 4096;
pub const A32_PAGE: u32 = 0x2000_1000;
pub const T32_PAGE: u32 = 0x3000_1000;
pub const CODE: u32 = 0x27f0_0000;
pub const WAY_OUT: u32 = CODE + 0x800;
pub const SIGILL: u32 = 4;
pub const SIGTRAP: u32 = 5;
/// The oracle refuses to execute it.
pub const REFUSED: u32 = !0;
pub const RECORD: usize = 352;
/// Bits of CPSR that user mode sees.
pub const CPSR: u32 = 0xf80f_0000;
/// FPSCR: cumulative exceptions; its other bits but the condition flags and QC control.
pub const FPSR: u32 = 0x9f;

/// One instruction to execute.
#[derive(Clone, Copy)]
pub struct Case {
    pub row: &'static Row,
    /// As the oracle takes it: T32 with the first halfword above, T16 alone.
    pub word: u32,
    pub at: Place,
}

impl Case {
    pub fn len(&self) -> u32 {
        if self.at.thumb && self.word >> 16 == 0 { 2 } else { 4 }
    }

    pub fn page(&self) -> u32 {
        if self.at.thumb { T32_PAGE } else { A32_PAGE }
    }

    /// The bytes from the page before that of the instruction to the page behind.
    pub fn code(&self) -> Vec<u8> {
        let mut code = Vec::new();
        let fill: [u8; 4] = if self.at.thumb { [0xde; 4] } else { 0xe7f0_def0_u32.to_le_bytes() };
        code.resize_with(0x3000, || 0);
        code.as_chunks_mut::<4>().0.fill(fill);
        let mut put = |at: u32, bytes: &[u8]| {
            let at = (at - (self.page() - 0x1000)) as usize;
            code[at..at + bytes.len()].copy_from_slice(bytes);
        };
        let halves = |w: u32| [(w >> 16) as u16, w as u16].map(u16::to_le_bytes).concat();
        if !self.at.thumb {
            put(self.at.addr, &self.word.to_le_bytes());
            put(self.at.addr + 4, &0xe51f_f004_u32.to_le_bytes());
            put(self.at.addr + 8, &WAY_OUT.to_le_bytes());
            return code;
        }
        for i in 0..8 {
            put(T32_PAGE + 2 * i, &0xbf00_u16.to_le_bytes());
        }
        put(T32_PAGE + 16, &halves(0xf8df_f000));
        put(T32_PAGE + 20, &WAY_OUT.to_le_bytes());
        if self.at.it != 0 {
            put(self.at.addr - 2, &(0xbf00 | u16::from(self.at.it)).to_le_bytes());
        }
        if self.len() == 2 {
            put(self.at.addr, &(self.word as u16).to_le_bytes());
        } else {
            put(self.at.addr, &halves(self.word));
        }
        code
    }

    /// The address behind it, with the state.
    pub fn next(&self) -> u32 {
        (self.at.addr + self.len()) | self.at.thumb as u32
    }
}

/// Code bytes of a case for the lifter.
pub struct Bytes<'a>(pub &'a [u8], pub u32);

impl isa::Code for Bytes<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        let at = (pc.0 as u32).checked_sub(self.1)? as usize;
        Some(u32::from_le_bytes(self.0.get(at..at + 4)?.try_into().ok()?))
    }
}

/// Registers and memory before or after an instruction: the oracle's record.
#[derive(Clone, PartialEq)]
pub struct State {
    /// Wider than the registers, because nothing may be set above them.
    pub r: [u64; 15],
    pub cpsr: u32,
    pub fpscr: u32,
    pub pc: u32,
    pub addr: u32,
    pub tpidrurw: u64,
    pub signal: u32,
    pub d: [u64; 32],
    /// The scratch page; empty for instructions without accesses.
    pub memory: Vec<u8>,
}

impl State {
    pub fn random(random: &mut Random, memory: bool) -> State {
        let mut r: [u64; 15] = std::array::from_fn(|i| {
            let v = match (memory, random.below(8)) {
                (true, 0) => SCRATCH as u64 + random.below(32),
                (true, 1) => SCRATCH as u64 + 4096 - random.below(40),
                (true, 2) => random.interesting(),
                (true, 3) => SCRATCH as u64 + 0x800 + random.below(16),
                (true, _) if i % 2 == 0 => SCRATCH as u64 + 0x800 + 16 * random.below(16),
                (true, _) => (random.below(64) as i64 - 32) as u64,
                _ if random.below(4) == 0 => element(random, 32),
                _ => random.interesting(),
            };
            v as u32 as u64
        });
        if memory && random.below(8) != 0 {
            r[13] = u64::from(SCRATCH) + 0x800;
        }
        // Rounding modes, then FZ, DN, AHP, each in some of the cases; flags; now and then cumulative exceptions.
        let mut fpscr = (random.below(4) as u32) << 22 | (random.below(16) as u32) << 28;
        for bit in [24, 25, 26] {
            fpscr |= u32::from(random.below(6) == 0) << bit;
        }
        if random.below(8) == 0 {
            fpscr |= random.next() as u32 & (FPSR | 1 << 27);
        }
        let mut bytes = Vec::new();
        if memory {
            bytes.extend((0..SCRATCH_SIZE / 8).flat_map(|_| random.next().to_le_bytes()));
        }
        State {
            r,
            cpsr: random.next() as u32 & CPSR,
            fpscr,
            pc: 0,
            addr: 0,
            tpidrurw: random.next() as u32 as u64,
            signal: 0,
            d: std::array::from_fn(|_| {
                let bits = 8 << random.below(4) as u32;
                (0..64 / bits).fold(0, |v, i| v | element(random, bits) << (i * bits))
            }),
            memory: bytes,
        }
    }

    pub fn write(&self, case: &Case, out: &mut Vec<u8>) {
        let start = out.len();
        let flags = !self.memory.is_empty() as u32 | (case.at.thumb as u32) << 1;
        let head = [case.word, flags, case.at.addr, u32::from(case.at.it)];
        let tail = [self.cpsr, self.fpscr, 0, 0, self.tpidrurw as u32];
        for v in head.into_iter().chain(self.r.map(|r| r as u32)).chain(tail) {
            out.extend(v.to_le_bytes());
        }
        for v in self.d {
            out.extend(v.to_le_bytes());
        }
        assert_eq!(out.len() - start, RECORD);
        out.extend(&self.memory);
    }

    /// The record at the start of `from`, which it is cut off.
    pub fn read(from: &mut &[u8], memory: bool) -> State {
        let (r, rest) = from.split_at(RECORD);
        let (bytes, rest) = rest.split_at(if memory { SCRATCH_SIZE } else { 0 });
        *from = rest;
        let word = |i: usize| u32::from_le_bytes(r[i..i + 4].try_into().expect("4 bytes"));
        State {
            signal: word(4),
            r: std::array::from_fn(|i| word(16 + 4 * i).into()),
            cpsr: word(76) & CPSR,
            fpscr: word(80),
            pc: word(84),
            addr: word(88),
            tpidrurw: word(92).into(),
            d: std::array::from_fn(|i| u64::from(word(96 + 8 * i)) | u64::from(word(100 + 8 * i)) << 32),
            memory: bytes.to_vec(),
        }
    }

    /// What differs, for a failure message: in qemu's state from this one.
    pub fn differences(&self, qemu: &State) -> Vec<String> {
        let mut d = Vec::new();
        let mut compare = |name: String, a: u64, b: u64| {
            if a != b {
                d.push(format!("{name}: here {a:#x}, qemu {b:#x}"));
            }
        };
        for i in 0..15 {
            compare(format!("r{i}"), self.r[i], qemu.r[i]);
        }
        for i in 0..32 {
            compare(format!("d{i}"), self.d[i], qemu.d[i]);
        }
        for (name, a, b) in [
            ("cpsr", self.cpsr, qemu.cpsr),
            ("fpscr", self.fpscr, qemu.fpscr),
            ("pc", self.pc, qemu.pc),
            ("si_addr", self.addr, qemu.addr),
            ("signal", self.signal, qemu.signal),
        ] {
            compare(name.into(), a.into(), b.into());
        }
        compare("tpidrurw".into(), self.tpidrurw, qemu.tpidrurw);
        for (i, (a, b)) in self.memory.iter().zip(&qemu.memory).enumerate() {
            compare(format!("memory {i:#x}"), u64::from(*a), u64::from(*b));
        }
        d
    }
}
