//! The meaning of every A32 and Thumb encoding against qemu: random words of each row with random registers, executed by
//! `ir::eval` here and by `testsuite/guest/insn-oracle32.c` under qemu-arm; registers, flags, memory, the next place and faults
//! are compared. Words that the manual leaves UNPREDICTABLE, of which the two may make different things, are those for which
//! LLVM's disassembler warns or fails.
//!
//! `XLATE_SEED`, `XLATE_RANDOM` (words for each row and state), `XLATE_ROW` (part of a row's name), `XLATE_SET` (`a32`, `t16`,
//! `t32`: as executed; `both`: rows that A32 and T32 share), `XLATE_SHOW` (differences shown of each row) vary the choice.
//! `XLATE_WORD` (hexadecimal, with `XLATE_SET` for its state) runs one word only and shows its IR.

mod common;

use common::machine::{Fault, Guest, Machine, SIGBUS, SIGSEGV};
use common::random::{Random, element};
use common::{Directory, ask, build, number};
use ir::{Align, CallTarget, GuestAddr, Inst, Reg, RegFile, TrapKind};
use isa::Exit;
use isa::a32::{self, Place, Row, Set, reg};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const SCRATCH: u32 = 0x1000_0000;
const SCRATCH_SIZE: usize = 4096;
const A32_PAGE: u32 = 0x2000_1000;
const T32_PAGE: u32 = 0x3000_1000;
const CODE: u32 = 0x27f0_0000;
const WAY_OUT: u32 = CODE + 0x800;
const SIGILL: u32 = 4;
const SIGTRAP: u32 = 5;
/// The oracle refuses to execute it.
const REFUSED: u32 = !0;
const RECORD: usize = 352;
/// Bits of CPSR that user mode sees.
const CPSR: u32 = 0xf80f_0000;
/// FPSCR: cumulative exceptions; its other bits but the condition flags and QC control.
const FPSR: u32 = 0x9f;
const BATCH: usize = 4000;

/// One instruction to execute.
#[derive(Clone, Copy)]
struct Case {
    row: &'static Row,
    /// As the oracle takes it: T32 with the first halfword above, T16 alone.
    word: u32,
    at: Place,
}

impl Case {
    fn len(&self) -> u32 {
        if self.at.thumb && self.word >> 16 == 0 { 2 } else { 4 }
    }

    fn page(&self) -> u32 {
        if self.at.thumb { T32_PAGE } else { A32_PAGE }
    }

    /// The bytes from the page before that of the instruction to the page behind.
    fn code(&self) -> Vec<u8> {
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
    fn next(&self) -> u32 {
        (self.at.addr + self.len()) | self.at.thumb as u32
    }
}

/// Code bytes of a case for the lifter.
struct Bytes<'a>(&'a [u8], u32);

impl isa::Code for Bytes<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        let at = (pc.0 as u32).checked_sub(self.1)? as usize;
        Some(u32::from_le_bytes(self.0.get(at..at + 4)?.try_into().ok()?))
    }
}

/// Registers and memory before or after an instruction: the oracle's record.
#[derive(Clone, PartialEq)]
struct State {
    /// Wider than the registers, because nothing may be set above them.
    r: [u64; 15],
    cpsr: u32,
    fpscr: u32,
    pc: u32,
    addr: u32,
    tpidrurw: u64,
    signal: u32,
    d: [u64; 32],
    /// The scratch page; empty for instructions without accesses.
    memory: Vec<u8>,
}

impl State {
    fn random(random: &mut Random, memory: bool) -> State {
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

    fn write(&self, case: &Case, out: &mut Vec<u8>) {
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
    fn read(from: &mut &[u8], memory: bool) -> State {
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
    fn differences(&self, qemu: &State) -> Vec<String> {
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

/// The registers and the memory that lifted code sees.
struct World {
    s: State,
    code: Vec<u8>,
    code_at: u32,
}

/// Bit of CPSR or FPSCR that a register of one bit is.
fn flag(r: Reg) -> Option<(bool, u32)> {
    Some(match r {
        reg::N | reg::Z | reg::C | reg::V => (false, 31 - u32::from(r.0 - reg::N.0)),
        reg::Q => (false, 27),
        Reg(72..=75) => (false, 16 + u32::from(r.0 - 72)),
        reg::FP_N | reg::FP_Z | reg::FP_C | reg::FP_V => (true, 31 - u32::from(r.0 - reg::FP_N.0)),
        reg::QC => (true, 27),
        _ => return None,
    })
}

impl Guest for World {
    const FILE: &'static RegFile = &a32::FILE;

    fn get(&self, r: Reg) -> u128 {
        if let Some((fp, bit)) = flag(r) {
            let word = if fp { self.s.fpscr } else { self.s.cpsr };
            return u128::from(word >> bit & 1);
        }
        u128::from(match r {
            reg::SP => self.s.r[13],
            reg::TPIDRURW => self.s.tpidrurw,
            reg::TPIDRURO => 0,
            Reg(n @ 32..64) => self.s.d[n as usize - 32],
            Reg(n) => self.s.r[n as usize],
        })
    }

    fn set(&mut self, r: Reg, v: u128) {
        if let Some((fp, bit)) = flag(r) {
            let word = if fp { &mut self.s.fpscr } else { &mut self.s.cpsr };
            *word = *word & !(1 << bit) | (v as u32) << bit;
            return;
        }
        let v = v as u64;
        match r {
            reg::SP => self.s.r[13] = v,
            reg::TPIDRURW => self.s.tpidrurw = v,
            Reg(n @ 32..64) => self.s.d[n as usize - 32] = v,
            Reg(n) => self.s.r[n as usize] = v,
        }
    }

    fn memory(&mut self, addr: u64, bytes: u32, align: Align) -> Result<&mut [u8], Fault> {
        let addr = addr as u32;
        if !addr.is_multiple_of(align.bytes(bytes)) {
            return Err(Fault(SIGBUS, addr.into()));
        }
        let size = bytes as usize;
        for (start, area) in [(SCRATCH, &mut self.s.memory), (self.code_at, &mut self.code)] {
            let at = addr.wrapping_sub(start) as usize;
            if at >= area.len() {
                continue;
            }
            let len = area.len();
            let end = u64::from(start) + len as u64;
            return area.get_mut(at..at + size).ok_or(Fault(SIGSEGV, end));
        }
        Err(Fault(SIGSEGV, addr.into()))
    }
}

/// What the lifter makes of a case.
struct Ours {
    after: State,
    /// The whole instruction is undefined, whatever its registers and condition.
    undefined: bool,
    /// It wrote to the page of the instruction.
    wrote_code: bool,
}

/// True if the instructions access memory.
fn accesses(insts: &[Inst]) -> bool {
    insts.iter().any(|i| {
        matches!(
            i,
            Inst::Load { .. }
                | Inst::Store { .. }
                | Inst::Rmw { .. }
                | Inst::Cas { .. }
                | Inst::LoadEx { .. }
                | Inst::StoreEx { .. }
        )
    })
}

/// The run of the instruction alone, and, if it is conditional, with its condition known to hold.
fn lift(case: &Case, at: Place, code: &[u8]) -> isa::Run {
    let end = GuestAddr(u64::from(case.at.addr + case.len()));
    a32::lift_run(&Bytes(code, case.page() - 0x1000), at.into(), end, 1)
}

fn execute(case: &Case, before: &State) -> Ours {
    let code = case.code();
    let mut at = case.at;
    let undefined =
        matches!(lift(case, at.tested(), &code).exit, Exit::Trap { kind: TrapKind::Undefined, .. });
    let status = FPSR & before.fpscr;
    let world = World { s: before.clone(), code: code.clone(), code_at: case.page() - 0x1000 };
    // Control bits are all that are neither status nor flags.
    let mut m = Machine::new(world, before.fpscr & 0x07ff_9f00 & !FPSR, status);
    let ours = |after: State| Ours { after, undefined, wrote_code: false };
    let place = case.at.addr | case.at.thumb as u32;
    for _ in 0..3 {
        let run = lift(case, at, &code);
        let errors = ir::verify_insts(&run.insts, &a32::FILE);
        assert!(errors.is_empty(), "{} {:08x}: {errors:?}", case.row.name, case.word);
        if let Err(Fault(signal, addr)) = m.run(&run.insts) {
            // Stores made before the fault stay; registers do not.
            let memory = m.guest.s.memory;
            return ours(State { signal, addr: addr as u32, pc: place, memory, ..before.clone() });
        }
        let end = |signal| State { signal, pc: place, addr: case.at.addr, ..before.clone() };
        let target = match run.exit {
            Exit::Next(a) | Exit::Jump(a) => a.0,
            Exit::Branch { cond, then, els } => {
                if m.value(cond) != 0 {
                    then.0
                } else {
                    els.0
                }
            }
            Exit::Call { target: CallTarget::Direct(a), .. } => a.0,
            Exit::Call { target: CallTarget::Indirect(v), .. } | Exit::Indirect(v) | Exit::Return(v) => {
                m.value(v) as u64
            }
            Exit::Trap { kind: TrapKind::Undefined, .. } => return ours(end(SIGILL)),
            Exit::Trap { kind: TrapKind::Breakpoint(_), .. } => return ours(end(SIGTRAP)),
            Exit::Syscall { .. } | Exit::Fallback { .. } => return ours(end(REFUSED)),
        };
        let to = Place::from(GuestAddr(target));
        if to.addr == case.at.addr && to.passed && !at.passed {
            at = to;
            continue;
        }
        let mut after = m.guest.s;
        after.pc = to.addr | to.thumb as u32;
        let flags = after.fpscr & 0xf800_0000;
        after.fpscr = flags | m.env.fpcr & !FPSR | m.env.fpsr & FPSR;
        return Ours { after, undefined, wrote_code: m.guest.code != code };
    }
    panic!("{} {:08x}: its condition is tested again and again", case.row.name, case.word)
}

/// Cases that say nothing, or would harm the oracle.
fn unusable(case: &Case, ours: &Ours) -> bool {
    let s = &ours.after;
    let foreign = |a: u32| {
        // The oracle and what qemu maps, the page of kernel helpers, the other code pages.
        (0x4000_0000..0x8000_0000).contains(&a)
            || a >= 0xfff0_0000
            || a.wrapping_sub(CODE) < 0x2000
            || a.wrapping_sub(A32_PAGE - 0x1000) < 0x3000
            || a.wrapping_sub(T32_PAGE - 0x1000) < 0x3000
    };
    if ours.wrote_code || s.signal == SIGSEGV && foreign(s.addr) {
        return true;
    }
    // TPIDRURO is the oracle's own.
    if case.word & 0x0fff_0fff == 0x0e1d_0f70 {
        return true;
    }
    if s.signal != 0 || s.pc == case.next() {
        return false;
    }
    let (to, thumb) = (s.pc & !1, s.pc & 1 != 0);
    let in_page = to.wrapping_sub(case.page() - 0x1000) < 0x3000;
    let known = in_page && thumb == case.at.thumb && to.wrapping_sub(case.page()) >= 24;
    foreign(to) && !known || !thumb && to & 2 != 0
}

/// Adapts what the two sides may do differently; true if the case says nothing.
fn normalise(case: &Case, before: &State, ours: &mut State, qemu: &mut State) -> bool {
    let name = case.row.name;
    if ours.signal == 0 && ours.pc != case.next() && qemu.signal != 0 {
        // A taken branch arrives as a signal at its target.
        (qemu.signal, qemu.addr) = (0, 0);
    }
    if qemu.signal == REFUSED || ours.signal == REFUSED {
        // A system call whose condition does not hold, too.
        return true;
    }
    if name == "VMSR" {
        // LEN and STRIDE, which read as zero here, and FZ16.
        qemu.fpscr &= !0x003f_0000 | ours.fpscr;
    }
    let words = ["VLDR", "VSTR", "VLDM", "VSTM"].iter().any(|p| name.starts_with(p));
    if words && qemu.signal == SIGBUS && qemu.addr & 3 != 0 {
        // Addresses that are no multiples of 4 are not refused.
        return true;
    }
    if qemu.signal == SIGSEGV && ours.signal == SIGSEGV && qemu.addr == ours.addr {
        // qemu keeps what it loaded or stored before the fault; the architecture allows both, but for the base register.
        let several =
            ["LDM", "STM", "POP", "PUSH", "VLD", "VST", "VPOP", "VPUSH", "LDRD", "STRD", "FLDM", "FSTM"];
        if several.iter().any(|p| name.starts_with(p)) {
            qemu.memory = ours.memory.clone();
            qemu.d = ours.d;
            if before.r[13] == qemu.r[13] {
                qemu.r = ours.r;
            }
        }
    }
    false
}

/// A word in the form in which Thumb has this A32 form of a shared encoding.
fn thumb_form(word: u32) -> u32 {
    match word >> 24 {
        0xf2 | 0xf3 => 0xef00_0000 | (word >> 24 & 1) << 28 | word & 0x00ff_ffff,
        0xf4 => 0xf900_0000 | word & 0x00ff_ffff,
        _ => word,
    }
}

/// A random word of the row, if it is not another row's.
fn random_case(random: &mut Random, row: &'static Row, thumb: bool) -> Option<Case> {
    let (mask, value) = row.bits();
    let mut word = value | random.next() as u32 & !mask;
    // Should-be-zero and should-be-one bits as they should be.
    let letters = row.pattern.chars().filter(|c| *c != ' ').rev().enumerate();
    for (i, c) in letters {
        match c {
            'z' => word &= !(1 << i),
            'o' => word |= 1 << i,
            _ => {}
        }
    }
    if row.set == Set::T16 {
        word &= 0xffff;
    }
    if row.conditional() {
        let cond = if thumb || random.below(10) != 0 { 14 } else { random.below(14) as u32 };
        word = word & 0x0fff_ffff | cond << 28;
    }
    let mut at = Place { addr: A32_PAGE + 4, thumb, it: 0, passed: false };
    if thumb {
        at.addr = T32_PAGE + 4 + 2 * random.below(2) as u32;
        if random.below(10) == 0 {
            let mask = if random.below(2) == 0 { 8 } else { 1 + random.below(15) as u8 };
            at.it = (random.below(14) as u8) << 4 | mask;
        }
    }
    if row.set == Set::Both && thumb {
        word = thumb_form(word);
    }
    let found = a32::decode(at, word).row?;
    (found.name == row.name && found.set == row.set).then_some(Case { row, word, at })
}

/// The case with a state in which it is likely to do something.
fn with_state(random: &mut Random, case: Case) -> Option<(Case, State, Ours)> {
    let memory = accesses(&lift(&case, case.at.tested(), &case.code()).insts);
    for _ in 0..4 {
        let state = State::random(random, memory);
        let ours = execute(&case, &state);
        if unusable(&case, &ours) || ours.after.signal == SIGSEGV && random.below(4) != 0 {
            continue;
        }
        return Some((case, state, ours));
    }
    None
}

/// As [`excused`], for floating point and Advanced SIMD.
fn unpredictable_float(name: &str, case: &Case) -> Option<&'static str> {
    let w = case.word;
    let field = |low: u32| w >> low & 15;
    let general = name.starts_with("VMOV (") && name.contains("general") || name == "VDUP (general register)";
    if general && (field(12) == 15 || name.contains("two") && field(16) == 15) {
        return Some("the PC as operand");
    }
    if name.contains("two general registers and") {
        if w >> 20 & 1 != 0 && field(12) == field(16) {
            return Some("both destinations are one");
        }
        if name.ends_with("singles)") && field(0) == 15 && w >> 5 & 1 != 0 {
            return Some("S32 does not exist");
        }
    }
    let fixed =
        matches!(name, "VCVT (fixed-point to floating-point)" | "VCVT (floating-point to fixed-point)");
    if fixed && w >> 7 & 1 == 0 && (field(0) << 1 | w >> 5 & 1) > 16 {
        return Some("fraction bits less than none");
    }
    None
}

/// UNPREDICTABLE words that LLVM takes for good, or that mean something else to qemu: why.
fn excused(case: &Case) -> Option<&'static str> {
    let last = !case.at.in_it() || case.at.last_in_it();
    match case.row.name {
        "BLX (register)" if case.word >> if case.at.thumb { 3 } else { 0 } & 15 == 15 => {
            Some("BLX PC is unpredictable")
        }
        "BLX (register)" | "BX" | "BL, BLX (immediate) T1" | "BL, BLX (immediate) T2" | "B T2" | "B T4"
            if !last =>
        {
            Some("unpredictable within an IT block")
        }
        name => unpredictable_float(name, case),
    }
}

/// The indices of cases for which LLVM warns (UNPREDICTABLE) or fails (undefined, or of a feature that it does not know).
fn doubtful(cases: &[Case]) -> BTreeSet<usize> {
    let mut doubtful = BTreeSet::new();
    for thumb in [false, true] {
        let (mut text, mut lines) = (String::new(), Vec::new());
        let mut line = |index: usize, bytes: &[u8]| {
            let bytes: Vec<String> = bytes.iter().map(|b| format!("{b:#04x}")).collect();
            text += &(bytes.join(" ") + "\n");
            lines.push(index);
        };
        for (i, case) in cases.iter().enumerate().filter(|(_, c)| c.at.thumb == thumb) {
            let code = case.code();
            let at = (case.at.addr - case.page() + 0x1000) as usize;
            if case.at.it != 0 {
                line(i, &code[at - 2..at]);
            }
            line(i, &code[at..at + case.len() as usize]);
            // The rest of the block.
            for _ in 0..if case.at.it != 0 { 3 - case.at.it.trailing_zeros() } else { 0 } {
                line(i, &[0, 0xbf]);
            }
        }
        let triple = if thumb { "thumbv8a-none-linux-gnueabihf" } else { "armv8a-none-linux-gnueabihf" };
        let mut child = Command::new("llvm-mc-19")
            .args(["--disassemble", "-triple", triple])
            .arg("-mattr=+neon,+fp-armv8,+crypto,+crc,+hwdiv,+hwdiv-arm,+mp,+sha2,+aes")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("llvm-mc-19 (of llvm-19, which xtask setup installs)");
        let mut stdin = child.stdin.take().expect("piped");
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        let out = child.wait_with_output().expect("llvm-mc-19 runs");
        writer.join().expect("no panic").expect("llvm-mc-19 reads everything");
        for message in String::from_utf8_lossy(&out.stderr).lines() {
            // <stdin>:LINE:COLUMN: warning: …
            let number = message.strip_prefix("<stdin>:").and_then(|m| m.split(':').next());
            doubtful.extend(number.and_then(|n| n.parse::<usize>().ok()).map(|n| lines[n - 1]));
        }
    }
    doubtful
}

/// Sets in which a row is executed: true is Thumb.
fn states(row: &Row, choice: &str) -> Vec<bool> {
    let thumb = match row.set {
        Set::A32 => vec![false],
        Set::T16 | Set::T32 => vec![true],
        Set::Both => vec![false, true],
    };
    let wanted = |thumb: &bool| match choice {
        "a32" => !thumb,
        "t16" => row.set == Set::T16,
        "t32" => *thumb && row.set != Set::T16,
        "both" => row.set == Set::Both,
        _ => true,
    };
    thumb.into_iter().filter(wanted).collect()
}

#[derive(Default)]
struct Tally {
    compared: usize,
    /// UNPREDICTABLE words.
    doubtful: usize,
    failures: Vec<String>,
}

/// Compares a batch of cases with what the oracle program does.
fn compare(oracle: &Path, cases: Vec<(Case, State, Ours)>, tallies: &mut BTreeMap<String, Tally>) {
    let mut input = Vec::new();
    for (case, before, _) in &cases {
        before.write(case, &mut input);
    }
    let output = ask("qemu-arm-static", oracle, input);
    let mut rest = output.as_slice();
    let mut failed = Vec::new();
    for (case, before, ours) in cases {
        let mut qemu = State::read(&mut rest, !before.memory.is_empty());
        let mut here = ours.after.clone();
        let tally = tallies.entry(title(case.row, case.at.thumb)).or_default();
        if normalise(&case, &before, &mut here, &mut qemu) || here == qemu {
            tally.compared += 1;
            continue;
        }
        let what = if ours.undefined && qemu.signal != SIGILL {
            format!("undefined here, signal {} in qemu", qemu.signal)
        } else {
            here.differences(&qemu).join("; ")
        };
        let registers: Vec<String> =
            before.r.iter().enumerate().map(|(i, r)| format!("r{i}={r:x}")).collect();
        let it = if case.at.it != 0 { format!(" in IT {:02x}", case.at.it) } else { String::new() };
        let text = format!(
            "{:08x}{it} at {:x}: {what}\n      cpsr={:08x} fpscr={:08x} {}",
            case.word,
            case.at.addr,
            before.cpsr,
            before.fpscr,
            registers.join(" ")
        );
        failed.push((case, text));
    }
    assert!(rest.is_empty(), "the oracle answers every record");
    let asked: Vec<Case> = failed.iter().map(|(c, _)| *c).collect();
    let doubtful = doubtful(&asked);
    for (i, (case, text)) in failed.into_iter().enumerate() {
        let tally = tallies.entry(title(case.row, case.at.thumb)).or_default();
        if doubtful.contains(&i) || excused(&case).is_some() {
            tally.doubtful += 1;
        } else {
            tally.failures.push(text);
        }
    }
}

fn title(row: &Row, thumb: bool) -> String {
    match (row.set, thumb) {
        (Set::Both, false) => format!("A32 {}", row.name),
        (Set::Both, true) => format!("T32 {}", row.name),
        (set, _) => format!("{set:?} {}", row.name),
    }
}

#[test]
fn agrees_with_qemu() {
    let per_row = number("XLATE_RANDOM", 12);
    let only = std::env::var("XLATE_ROW").unwrap_or_default();
    let choice = std::env::var("XLATE_SET").unwrap_or_default();
    let show = number("XLATE_SHOW", 3) as usize;
    let dir = Directory::new("a32-oracle");
    let options = ["-marm", "-mfpu=neon", "-Wl,-Ttext-segment=0x60000000"];
    let oracle = build("arm-linux-gnueabihf-gcc", "insn-oracle32.c", &options, &dir.0);
    let mut random = Random::seeded(number("XLATE_SEED", 1));
    let mut tallies = BTreeMap::new();
    let mut cases = Vec::new();
    for row in a32::rows().filter(|r| r.name.contains(&only)) {
        for thumb in states(row, &choice) {
            tallies.insert(title(row, thumb), Tally::default());
            for _ in 0..per_row {
                let Some(case) = random_case(&mut random, row, thumb) else { continue };
                cases.extend(with_state(&mut random, case));
            }
            if cases.len() >= BATCH {
                compare(&oracle, std::mem::take(&mut cases), &mut tallies);
            }
        }
    }
    if let Some(word) = std::env::var("XLATE_WORD").ok().and_then(|w| u32::from_str_radix(&w, 16).ok()) {
        cases.clear();
        tallies.clear();
        cases.extend(one_word(&mut random, word, choice.starts_with('t')));
    }
    compare(&oracle, cases, &mut tallies);
    report(&tallies, show);
}

/// States for one word; shows what it lifts to.
fn one_word(random: &mut Random, word: u32, thumb: bool) -> Vec<(Case, State, Ours)> {
    let addr = if thumb { T32_PAGE } else { A32_PAGE } + 4;
    let at = Place { addr, thumb, it: 0, passed: false };
    let row = a32::decode(at, word).row.unwrap_or_else(|| panic!("{word:08x} is unallocated"));
    let case = Case { row, word, at };
    let run = lift(&case, at, &case.code());
    println!("{row:?}\n{}{:?}", ir::display_insts(&run.insts, &a32::FILE), run.exit);
    (0..20).filter_map(|_| with_state(random, case)).collect()
}

fn report(tallies: &BTreeMap<String, Tally>, show: usize) {
    let mut text = Vec::new();
    for (name, t) in tallies.iter().filter(|(_, t)| !t.failures.is_empty()) {
        let of = t.failures.len() + t.compared + t.doubtful;
        text.push(format!("{name}: {} of {of} differ", t.failures.len()));
        text.extend(t.failures.iter().take(show).map(|f| format!("    {f}")));
    }
    let sum = |f: fn(&Tally) -> usize| tallies.values().map(f).sum::<usize>();
    let bare: Vec<&str> = tallies.iter().filter(|(_, t)| t.compared == 0).map(|(n, _)| n.as_str()).collect();
    println!(
        "{} rows: {} words agree, {} differ, {} differ but are unpredictable; rows without a word that agrees: {}",
        tallies.len(),
        sum(|t| t.compared),
        sum(|t| t.failures.len()),
        sum(|t| t.doubtful),
        bare.join(", ")
    );
    let text = text.join("\n");
    assert!(sum(|t| t.failures.len()) == 0, "{text}");
}
