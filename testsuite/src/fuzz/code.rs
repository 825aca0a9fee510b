//! Targets on instructions: lifting and the IR's passes, emission by LLVM, and the interpreter on memory of its own.

use super::Source;
use super::instructions::Instructions;
use crate::guest::Target;
use crate::insns::Bytes;
use abi::GuestState;
use exec::{Access, AsCode, Event, Fault, FaultKind, GuestMemory, Interp, rmw_value};
use ir::{Function, GuestAddr, RegFile, RmwOp};
use isa::{BlockShape, Code, Flow, FunctionShape, Isa, Leaving};

/// Instructions at an address.
struct Text {
    isa: Isa,
    /// The first one's code address.
    pc: GuestAddr,
    bytes: Vec<u8>,
}

impl Text {
    fn new(s: &mut Source<'_>, most: usize) -> Text {
        let target = s.guest();
        let isa = target.isa();
        // Lifting must not mind where code stands: the first page, the last, and across the middle of the address space.
        let last = if isa.is_32() { u64::from(u32::MAX) } else { u64::MAX };
        let addr = match s.byte() {
            0 => 0,
            1 => last - 0xff,
            2 => last / 2 - 0x7f,
            3 => s.long() & last & !3,
            _ => 0x40_0000,
        };
        let count = 1 + s.below(most);
        let pc = GuestAddr(addr | u64::from(target == Target::T32));
        Text { isa, pc, bytes: Instructions::draw(s, target, count).bytes() }
    }

    /// The instructions' code addresses, and how control leaves them.
    fn instructions(&self) -> Vec<(GuestAddr, Leaving)> {
        let code = self.code();
        let at = |pc: GuestAddr| self.isa.leaving(&code, pc).map(|l| (pc, l));
        std::iter::successors(at(self.pc), |(_, l)| at(l.next)).collect()
    }

    /// A function over all instructions, cut where control leaves or arrives, and at arbitrary places, but never in an IT block.
    fn shape(&self, s: &mut Source<'_>) -> FunctionShape {
        let isa = self.isa;
        let all = self.instructions();
        let mut cut = vec![false; all.len() + 1];
        for (i, (_, l)) in all.iter().enumerate() {
            match l.flow {
                Flow::Next => cut[i] |= s.byte() == 0,
                Flow::Jump(t) | Flow::Branch(t) => {
                    cut[i + 1] = true;
                    if let Some(index) = all.iter().position(|(pc, _)| *pc == t) {
                        cut[index] = true;
                    }
                }
                _ => cut[i + 1] = true,
            }
        }
        let mut starts: Vec<usize> =
            (0..all.len()).filter(|&i| cut[i] && !isa.is_inner(all[i].0.0)).collect();
        starts.insert(0, 0);
        starts.dedup();
        let pcs: Vec<GuestAddr> = starts.iter().map(|&i| all[i].0).collect();
        let ends = starts[1..].iter().copied().chain([all.len()]);
        let blocks = pcs.iter().zip(ends).map(|(&start, end)| {
            let last = &all[end - 1].1;
            let switch = (last.flow == Flow::Indirect && s.byte() & 1 == 0).then(|| {
                let mut t: Vec<GuestAddr> = (0..1 + s.below(5)).map(|_| pcs[s.below(pcs.len())]).collect();
                t.sort();
                t.dedup();
                t
            });
            BlockShape { start, end: GuestAddr(isa.bytes_at(last.next.0)), switch }
        });
        let blocks = blocks.collect();
        FunctionShape { isa, name: "f".into(), entry: pcs[s.below(pcs.len())], blocks }
    }

    fn code(&self) -> Bytes<'_> {
        Bytes { start: self.isa.bytes_at(self.pc.0), bytes: &self.bytes }
    }
}

fn check(f: &Function, file: &RegFile, when: &str) {
    let errors = ir::verify(f, file);
    assert!(errors.is_empty(), "{when}: {errors:?}\n{}", f.display(file));
}

/// Instructions → decode, disassemble, lift, verify, passes, verify, print, parse.
pub fn lift(data: &[u8]) {
    let s = &mut Source::new(data);
    let text = Text::new(s, 48);
    for (pc, leaving) in text.instructions() {
        let shown = text.isa.show(&text.code(), pc).expect("its bytes are there");
        assert!(!shown.text.is_empty() && shown.next == leaving.next);
        if shown.name == isa::UNALLOCATED {
            assert_eq!(leaving.flow, Flow::Trap, "{} has no row, but goes on", shown.bits);
            let defined = text.isa == Isa::A64 && text.code().word(pc).is_some_and(isa::a64::is_defined);
            assert!(!defined, "{} has no row, but a meaning", shown.bits);
        }
    }
    let file = text.isa.file();
    let mut f = isa::lift_function(&text.shape(s), &text.code());
    check(&f, file, "as lifted");
    read_back(&f, file);
    ir::pass::run_default(&mut f, file);
    check(&f, file, "after the passes");
    read_back(&f, file);
}

/// What is printed reads back as the same function.
fn read_back(f: &Function, file: &RegFile) {
    let text = f.display(file).to_string();
    match ir::parse_function(&text, file) {
        Ok(back) => assert!(back == *f, "{text}\nreads back as\n{}", back.display(file)),
        Err(e) => panic!("{e} in\n{text}"),
    }
}

/// Instructions → a lifted function → an object, with LLVM's verifier in between (in builds with debug assertions).
pub fn emit(data: &[u8]) {
    let s = &mut Source::new(data);
    let choices = s.byte();
    let text = Text::new(s, 20);
    let (isa, file) = (text.isa, text.isa.file());
    let mut f = isa::lift_function(&text.shape(s), &text.code());
    ir::pass::run_default(&mut f, file);
    let options = emit_llvm::Options {
        opt: if choices & 0x38 == 0 { 2 } else { 0 },
        cpu: if choices & 1 == 0 { "x86-64-v2" } else { "x86-64-v3" }.into(),
        checkpoints: match choices >> 6 {
            0 | 1 => emit_llvm::Checkpoints::Callbr,
            2 => emit_llvm::Checkpoints::Commit,
            _ => emit_llvm::Checkpoints::Mixed,
        },
        text_base: GuestAddr(isa.bytes_at(text.pc.0)),
        text_size: text.bytes.len() as u64,
        addresses: emit_llvm::Addresses::Fixed,
        position_independent: choices & 2 != 0,
        hot: pipeline::hot::choose(isa, std::slice::from_ref(&f)),
        regs: file,
        dispatch_unit: if isa.is_32() { 1 } else { 4 },
    };
    let resolve = |a: GuestAddr| (a.0 & 8 == 0).then(|| format!("{}g", abi::symbol::FUNCTION_PREFIX));
    if let Err(e) = emit_llvm::emit_unit("fuzz", &[f.clone()], &options, &resolve) {
        panic!("{e}\n{}", f.display(file));
    }
}

/// Bytes of code of the interpreter target.
const CODE: usize = 0x100;

/// Guest memory of the interpreter target: one range whose first [`CODE`] bytes may be executed and the rest written. (Code
/// that changed itself would differ: a run need not see what it writes before it ends.)
#[derive(Clone, PartialEq)]
struct Flat {
    base: u64,
    bytes: Vec<u8>,
}

impl Flat {
    fn place(&self, addr: u64, size: usize, access: Access) -> Result<std::ops::Range<usize>, Fault> {
        let at = addr.wrapping_sub(self.base);
        let end = self.base + self.bytes.len() as u64;
        match usize::try_from(at).ok().filter(|&at| at < self.bytes.len()) {
            None => Err(Fault { kind: FaultKind::Unmapped, access, addr }),
            Some(at) if at + size > self.bytes.len() => {
                Err(Fault { kind: FaultKind::Unmapped, access, addr: end })
            }
            Some(at) if (access == Access::Write) == (at < CODE) && access != Access::Read => {
                Err(Fault { kind: FaultKind::Permission, access, addr })
            }
            Some(at) => Ok(at..at + size),
        }
    }
}

impl GuestMemory for Flat {
    fn load(&mut self, addr: u64, size: u32) -> Result<u128, Fault> {
        let at = self.place(addr, size as usize, Access::Read)?;
        let mut v = [0; 16];
        v[..size as usize].copy_from_slice(&self.bytes[at]);
        Ok(u128::from_le_bytes(v))
    }

    fn store(&mut self, addr: u64, size: u32, value: u128) -> Result<(), Fault> {
        let at = self.place(addr, size as usize, Access::Write)?;
        self.bytes[at].copy_from_slice(&value.to_le_bytes()[..size as usize]);
        Ok(())
    }

    fn rmw(&mut self, op: RmwOp, addr: u64, size: u32, value: u64) -> Result<u64, Fault> {
        self.place(addr, size as usize, Access::Write)?;
        let old = self.load(addr, size)? as u64;
        self.store(addr, size, u128::from(rmw_value(op, size * 8, old, value)))?;
        Ok(old)
    }

    fn cas(&mut self, addr: u64, size: u32, expected: u128, new: u128) -> Result<u128, Fault> {
        self.place(addr, size as usize, Access::Write)?;
        let old = self.load(addr, size)?;
        if old == expected {
            self.store(addr, size, new)?;
        }
        Ok(old)
    }

    fn fetch(&self, addr: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        let at = self.place(addr, bytes.len(), Access::Execute)?;
        bytes.copy_from_slice(&self.bytes[at]);
        Ok(())
    }
}

/// Makes NOPs of what reads the counter, which differs from read to read; A32 and Thumb can become each other.
fn without_counter(isa: Isa, mem: &mut Flat) {
    let (states, nop): (&[u64], &[u8]) = match isa {
        Isa::A64 => (&[0], &[0x1f, 0x20, 0x03, 0xd5]),
        // A32: ANDEQ; Thumb: MOVS R0, R0, two of them.
        Isa::A32 => (&[0, 1], &[0; 4]),
    };
    for at in (0..CODE).step_by(2) {
        let reads = states.iter().map(|state| GuestAddr((mem.base + at as u64) | state)).any(|pc| {
            let aligned = isa.is_aligned(pc.0);
            let word = AsCode(mem).word(GuestAddr(mem.base + at as u64)).filter(|_| aligned);
            match isa {
                // MRS of op1 = 3, CRn = 14.
                Isa::A64 => word.is_some_and(|w| w & 0xffff_ff00 == 0xd53b_e000),
                Isa::A32 => aligned && isa.name_at(&AsCode(mem), pc).is_some_and(|n| n.1 == "MRRC"),
            }
        });
        if reads {
            mem.bytes[at..][..4].copy_from_slice(nop);
        }
    }
}

/// Instructions executed by the interpreter, run by run and, beside it, one at a time: both reach the same states.
pub fn interp(data: &[u8]) {
    const BASE: u64 = 0x1_0000;
    const SIZE: usize = 0x1000;
    /// Instructions in one run at most: as the interpreter has it, groups of up to four conditional ones of A32 counting as one.
    const RUN: usize = 4 * 64;
    let s = &mut Source::new(data);
    let target = s.guest();
    let isa = target.isa();
    let mut mem = Flat { base: BASE, bytes: vec![0; SIZE] };
    let count = 1 + s.below(CODE / 4);
    let code = Instructions::draw(s, target, count).bytes();
    mem.bytes[..code.len()].copy_from_slice(&code);
    without_counter(isa, &mut mem);
    let pc = BASE | u64::from(target == Target::T32);
    let mut state = GuestState { pc, sp: BASE + 0x800, ..GuestState::default() };
    let general = if isa.is_32() { 15 } else { 31 };
    for x in &mut state.x[..general] {
        *x = match s.byte() & 3 {
            0 if isa.is_32() => u64::from(s.word()),
            0 => s.long(),
            1 => u64::from(s.byte()),
            _ => BASE + 8 * s.below(SIZE / 8) as u64,
        };
    }
    for v in &mut state.v {
        *v = [s.long(), s.long()];
    }
    let (mut runs, mut steps) = (Interp::new(isa), Interp::new(isa));
    let (mut single, mut single_mem) = (state.clone(), mem.clone());
    for _ in 0..32 {
        let before = state.pc;
        let event = runs.run(&mut state, &mut mem, |_| true);
        // A run that only tests a condition is no step.
        if event == Event::Continue && state.pc != before && isa.untested(state.pc) == before {
            single.pc = state.pc;
            continue;
        }
        let agreed = (0..RUN).find_map(|_| {
            let e = steps.step(&mut single, &mut single_mem);
            // A run that goes back into itself passes its end's pc before. A step does not end behind the test of a condition.
            let there = isa.untested(single.pc) == isa.untested(state.pc);
            let same = e == event && there && same_registers(&single, &state);
            let same = same && mem == single_mem;
            (same || e != Event::Continue).then_some(same)
        });
        assert_eq!(
            agreed,
            Some(true),
            "{event:?}, at {:#x} by runs, {:#x} by steps, x {:x?} and {:x?}",
            state.pc,
            single.pc,
            state.x,
            single.x
        );
        match event {
            Event::Continue | Event::Syscall { .. } | Event::InvalidateCode { .. } => {}
            Event::Trap(_) | Event::Fault(_) | Event::Unsupported => {
                let pc = GuestAddr(state.pc);
                let four = isa.plain(state.pc.wrapping_add(4));
                state.pc = isa.leaving(&AsCode(&mem), pc).map_or(four, |l| l.next.0);
            }
        }
        single.pc = state.pc;
    }
}

fn same_registers(a: &GuestState, b: &GuestState) -> bool {
    (a.x, a.sp, a.nzcv, a.a32_flags, a.v, a.fpcr, a.big_endian)
        == (b.x, b.sp, b.nzcv, b.a32_flags, b.v, b.fpcr, b.big_endian)
}
