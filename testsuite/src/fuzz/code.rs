//! Targets on instruction words: lifting and the IR's passes, emission by LLVM, and the interpreter on memory of its own.

use super::Source;
use abi::GuestState;
use exec::{Access, Event, Fault, FaultKind, GuestMemory, Interp, rmw_value};
use ir::{Function, GuestAddr, RmwOp};
use isa::a64::FILE;
use isa::{BlockShape, Code, Flow, FunctionShape, Isa};

/// Instruction words at an address.
struct Words {
    pc: GuestAddr,
    words: Vec<u32>,
}

impl Words {
    fn new(s: &mut Source<'_>, most: usize) -> Words {
        // Lifting must not mind where code stands: the first page, the last, and across the middle of the address space.
        let pc = match s.byte() {
            0 => 0,
            1 => 0xffff_ffff_ffff_ff00,
            2 => 0x7fff_ffff_ffff_ff80,
            3 => s.long() & !3,
            _ => 0x40_0000,
        };
        let count = 1 + s.below(most);
        let words = (0..count).map(|i| s.instruction(i, count)).collect();
        Words { pc: GuestAddr(pc), words }
    }

    fn at(&self, index: usize) -> GuestAddr {
        self.pc.offset(4 * index as i64)
    }

    /// A function over all words, cut where control leaves or arrives, and at arbitrary places.
    fn shape(&self, s: &mut Source<'_>) -> FunctionShape {
        let n = self.words.len();
        let mut cut = vec![false; n + 1];
        (cut[0], cut[n]) = (true, true);
        for (i, &w) in self.words.iter().enumerate() {
            match isa::a64::flow(w, self.at(i)) {
                Flow::Next => cut[i] |= s.byte() == 0,
                Flow::Jump(t) | Flow::Branch(t) => {
                    cut[i + 1] = true;
                    let index = t.0.wrapping_sub(self.pc.0) / 4;
                    if index < n as u64 {
                        cut[index as usize] = true;
                    }
                }
                _ => cut[i + 1] = true,
            }
        }
        let starts: Vec<usize> = (0..=n).filter(|&i| cut[i]).collect();
        let blocks = starts
            .windows(2)
            .map(|w| {
                let indirect = isa::a64::flow(self.words[w[1] - 1], self.at(w[1] - 1)) == Flow::Indirect;
                let switch = (indirect && s.byte() & 1 == 0).then(|| {
                    let mut t: Vec<GuestAddr> =
                        (0..1 + s.below(5)).map(|_| self.at(starts[s.below(starts.len() - 1)])).collect();
                    t.sort();
                    t.dedup();
                    t
                });
                BlockShape { start: self.at(w[0]), end: self.at(w[1]), switch }
            })
            .collect();
        FunctionShape {
            isa: isa::Isa::A64,
            name: "f".into(),
            entry: self.at(starts[s.below(starts.len() - 1)]),
            blocks,
        }
    }
}

impl Code for Words {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        let at = pc.0.wrapping_sub(self.pc.0);
        self.words.get(usize::try_from(at / 4).ok()?).copied().filter(|_| at.is_multiple_of(4))
    }
}

fn check(f: &Function, when: &str) {
    let errors = ir::verify(f, &FILE);
    assert!(errors.is_empty(), "{when}: {errors:?}\n{}", f.display(&FILE));
}

/// Words → decode, disassemble, lift, verify, passes, verify, print, parse.
pub fn lift(data: &[u8]) {
    let s = &mut Source::new(data);
    let words = Words::new(s, 48);
    for (i, &w) in words.words.iter().enumerate() {
        let flow = isa::a64::flow(w, words.at(i));
        let text = isa::a64::decode::disassemble(w, words.at(i));
        assert!(!text.is_empty());
        if isa::a64::decode(w).is_none() {
            assert_eq!(flow, Flow::Trap, "{w:08x} has no row, but goes on");
            assert!(!isa::a64::is_defined(w), "{w:08x} has no row, but a meaning");
        }
    }
    let mut f = isa::lift_function(&words.shape(s), &words);
    check(&f, "as lifted");
    read_back(&f);
    ir::pass::run_default(&mut f, &FILE);
    check(&f, "after the passes");
    read_back(&f);
}

/// What is printed reads back as the same function.
fn read_back(f: &Function) {
    let text = f.display(&FILE).to_string();
    match ir::parse_function(&text, &FILE) {
        Ok(back) => assert!(back == *f, "{text}\nreads back as\n{}", back.display(&FILE)),
        Err(e) => panic!("{e} in\n{text}"),
    }
}

/// Words → a lifted function → an object, with LLVM's verifier in between (in builds with debug assertions).
pub fn emit(data: &[u8]) {
    let s = &mut Source::new(data);
    let choices = s.byte();
    let words = Words::new(s, 20);
    let mut f = isa::lift_function(&words.shape(s), &words);
    ir::pass::run_default(&mut f, &FILE);
    let options = emit_llvm::Options {
        opt: if choices & 0x38 == 0 { 2 } else { 0 },
        cpu: if choices & 1 == 0 { "x86-64-v2" } else { "x86-64-v3" }.into(),
        checkpoints: match choices >> 6 {
            0 | 1 => emit_llvm::Checkpoints::Callbr,
            2 => emit_llvm::Checkpoints::Commit,
            _ => emit_llvm::Checkpoints::Mixed,
        },
        text_base: words.pc,
        text_size: 4 * words.words.len() as u64,
        addresses: emit_llvm::Addresses::Fixed,
        position_independent: choices & 2 != 0,
        hot: pipeline::hot::choose(Isa::A64, std::slice::from_ref(&f)),
        regs: &FILE,
        dispatch_unit: 4,
    };
    let resolve = |a: GuestAddr| (a.0 & 8 == 0).then(|| format!("{}g", abi::symbol::FUNCTION_PREFIX));
    if let Err(e) = emit_llvm::emit_unit("fuzz", &[f.clone()], &options, &resolve) {
        panic!("{e}\n{}", f.display(&FILE));
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

/// Words executed by the interpreter, run by run and, beside it, one instruction at a time: both reach the same states.
pub fn interp(data: &[u8]) {
    const BASE: u64 = 0x1_0000;
    const SIZE: usize = 0x1000;
    /// Instructions in one run at most, as the interpreter has it.
    const RUN: usize = 64;
    let s = &mut Source::new(data);
    let mut mem = Flat { base: BASE, bytes: vec![0; SIZE] };
    let count = 1 + s.below(CODE / 4);
    for i in 0..count {
        let mut word = s.instruction(i, count);
        // The counter differs from read to read.
        if word & 0xffff_ff00 == 0xd53b_e000 {
            word = 0xd503_201f;
        }
        mem.bytes[4 * i..][..4].copy_from_slice(&word.to_le_bytes());
    }
    let mut state = GuestState { pc: BASE, sp: BASE + 0x800, ..GuestState::default() };
    for x in &mut state.x {
        *x = match s.byte() & 3 {
            0 => s.long(),
            1 => u64::from(s.byte()),
            _ => BASE + 8 * s.below(SIZE / 8) as u64,
        };
    }
    for v in &mut state.v {
        *v = [s.long(), s.long()];
    }
    let (mut runs, mut steps) = (Interp::new(Isa::A64), Interp::new(Isa::A64));
    let (mut single, mut single_mem) = (state.clone(), mem.clone());
    for _ in 0..32 {
        let event = runs.run(&mut state, &mut mem, |_| true);
        let agreed = (0..RUN).find_map(|_| {
            let e = steps.step(&mut single, &mut single_mem);
            // A run that goes back into itself passes its end's pc before.
            let same = e == event && single.pc == state.pc && same_registers(&single, &state);
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
            Event::Trap(_) | Event::Fault(_) | Event::Unsupported => state.pc = state.pc.wrapping_add(4),
        }
        single.pc = state.pc;
    }
}

fn same_registers(a: &GuestState, b: &GuestState) -> bool {
    (a.x, a.sp, a.nzcv, a.v, a.fpcr) == (b.x, b.sp, b.nzcv, b.v, b.fpcr)
}
