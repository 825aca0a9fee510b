//! The reference beside translated code: follows it from checkpoint to checkpoint with the interpreter and says where the
//! two differ. Takes the exact guest states that translated code shows, executes the same instructions on a state of its
//! own; what these store is compared with what the translated code has stored. Knows nothing of hosts and signals.
//!
//! At a checkpoint the shadow stands before the instruction that makes the access, as the translated code does. It
//! executes that instruction at once, into an [`Overlay`], while memory is still as the instruction finds it; when the
//! translated code has arrived at the next checkpoint, memory must be what the overlay says.

use crate::interp::{Event, Interp};
use crate::memory::{AsCode, Fault, GuestMemory, rmw_value};
use crate::{host, registers, soft};
use abi::GuestState;
use ir::{GuestAddr, Inst, IntBin, PureOp, RmwOp, SysReg, Value};
use isa::Isa;

/// Instructions between two checkpoints after which the two are taken to have parted.
const FARTHEST: usize = 1 << 16;

/// A register with different values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unequal {
    /// Its name.
    pub name: &'static str,
    /// In translated code.
    pub translated: u128,
    /// In the interpreter.
    pub expected: u128,
    /// Address of the last instruction since the last checkpoint that changed it in the interpreter.
    pub writer: Option<u64>,
}

/// How translated code and interpreter differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// At the same instruction, other values.
    Registers(Vec<Unequal>),
    /// The byte at the address is not what the instruction at `pc` stores.
    Memory {
        /// The storing instruction.
        pc: u64,
        /// Address of the byte.
        addr: u64,
        /// In memory now; `None` if it cannot be read.
        translated: Option<u8>,
        /// What the interpreter would have stored.
        expected: u8,
    },
    /// The interpreter accesses memory at this instruction, which the translated code did not or does not.
    Access(u64),
    /// The interpreter does not come by the instruction at which the translated code is; it is here.
    Path(u64),
}

/// A difference, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Divergence {
    /// Where both were equal last.
    pub from: u64,
    /// Where the translated code is.
    pub at: u64,
    /// What differs.
    pub difference: Difference,
}

/// What an instruction stores, before it is stored.
#[derive(Debug, Default)]
struct Overlay {
    bytes: Vec<(u64, u8)>,
    accesses: u32,
}

impl Overlay {
    /// The byte that it holds last for the address.
    fn byte(&self, addr: u64) -> Option<u8> {
        self.bytes.iter().rev().find(|b| b.0 == addr).map(|b| b.1)
    }
}

/// Guest memory behind an overlay.
struct Covered<'a, M> {
    over: &'a mut Overlay,
    mem: &'a mut M,
}

impl<M: GuestMemory> Covered<'_, M> {
    fn put(&mut self, addr: u64, size: u32, value: u128) {
        let bytes = value.to_le_bytes().into_iter().take(size as usize).enumerate();
        self.over.bytes.extend(bytes.map(|(i, b)| (addr.wrapping_add(i as u64), b)));
    }

    fn see(&mut self, addr: u64, size: u32) -> Result<u128, Fault> {
        let mut bytes = self.mem.load(addr, size)?.to_le_bytes();
        for (i, b) in bytes.iter_mut().enumerate().take(size as usize) {
            *b = self.over.byte(addr.wrapping_add(i as u64)).unwrap_or(*b);
        }
        Ok(u128::from_le_bytes(bytes))
    }
}

impl<M: GuestMemory> GuestMemory for Covered<'_, M> {
    fn load(&mut self, addr: u64, size: u32) -> Result<u128, Fault> {
        self.over.accesses += 1;
        self.see(addr, size)
    }

    fn store(&mut self, addr: u64, size: u32, value: u128) -> Result<(), Fault> {
        self.over.accesses += 1;
        self.put(addr, size, value);
        Ok(())
    }

    fn rmw(&mut self, op: RmwOp, addr: u64, size: u32, value: u64) -> Result<u64, Fault> {
        self.over.accesses += 1;
        let old = self.see(addr, size)? as u64;
        self.put(addr, size, rmw_value(op, size * 8, old, value) as u128);
        Ok(old)
    }

    fn cas(&mut self, addr: u64, size: u32, expected: u128, new: u128) -> Result<u128, Fault> {
        self.over.accesses += 1;
        let old = self.see(addr, size)?;
        if old == expected {
            self.put(addr, size, new);
        }
        Ok(old)
    }

    fn fetch(&self, addr: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        self.mem.fetch(addr, bytes)
    }

    fn code_is(&self, addr: u64, bytes: &[u8]) -> bool {
        self.mem.code_is(addr, bytes)
    }
}

/// The interpreter that follows one thread's translated code.
pub struct Shadow {
    isa: Isa,
    state: GuestState,
    /// The state before the instruction that was executed ahead.
    before: GuestState,
    /// Its stores.
    over: Overlay,
    interp: Interp,
    /// Instructions since the last checkpoint, that at it included, with what each changed.
    window: Vec<(u64, Vec<&'static str>)>,
}

impl Shadow {
    /// A shadow that follows nothing yet.
    pub fn new(isa: Isa) -> Shadow {
        Shadow {
            isa,
            state: GuestState::default(),
            before: GuestState::default(),
            over: Overlay::default(),
            interp: Interp::new(isa),
            window: Vec::new(),
        }
    }

    /// Begins where the translated code does; `state` is exact, its flags settled.
    pub fn start(&mut self, state: &GuestState) {
        self.take(state, soft::fpsr(state));
        self.before = self.state.clone();
        self.before.pc = u64::MAX;
    }

    fn take(&mut self, state: &GuestState, fpsr: u32) {
        self.state = state.clone();
        self.state.pc = self.isa.untested(state.pc);
        self.state.fpsr = fpsr;
        self.state.pending = 0;
        self.over.bytes.clear();
        self.window.clear();
    }

    /// The translated code is at `pc` with that state (exact, flags settled): goes there and compares. At a checkpoint, with
    /// the instruction there still to come, also executes that ahead.
    pub fn follow(
        &mut self,
        state: &GuestState,
        pc: u64,
        checkpoint: bool,
        mem: &mut impl GuestMemory,
    ) -> Result<(), Divergence> {
        let (fpsr, pc) = (soft::fpsr(state), self.isa.untested(pc));
        // Instructions with two accesses have two checkpoints, at the second of which nothing is done yet, either.
        if self.before.pc == pc && unequal(self.isa, state, fpsr, &self.before).is_empty() {
            return Ok(());
        }
        // MXCSR belongs to the translated code, flags and all.
        let word = host::mxcsr();
        let result = self.go_to(state, fpsr, pc, mem);
        if checkpoint && result.is_ok() {
            self.go_ahead(mem);
        }
        host::set_mxcsr(word);
        let from = if self.window.is_empty() { pc } else { self.window[0].0 };
        result.map_err(|difference| Divergence { from, at: pc, difference })
    }

    fn go_to(
        &mut self,
        state: &GuestState,
        fpsr: u32,
        pc: u64,
        mem: &mut impl GuestMemory,
    ) -> Result<(), Difference> {
        for (i, &(addr, expected)) in self.over.bytes.iter().enumerate() {
            let again = self.over.bytes[i + 1..].iter().any(|b| b.0 == addr);
            let translated = mem.load(addr, 1).ok().map(|v| v as u8);
            if !again && translated != Some(expected) {
                return Err(Difference::Memory { pc: self.before.pc, addr, translated, expected });
            }
        }
        self.over.bytes.clear();
        // A loop's first turn can be code of its own, without a checkpoint: then it is a later arrival that is meant.
        let mut first = None;
        loop {
            if let Err(difference) = self.arrive(pc, first.is_some(), mem) {
                return Err(first.unwrap_or(difference));
            }
            let mut list = unequal(self.isa, state, fpsr, &self.state);
            if list.is_empty() {
                return Ok(());
            }
            if self.window.iter().any(|w| reads_counter(self.isa, w.0, mem)) {
                // Two looks at the clock, two times: go on from what the translated code saw.
                self.take(state, fpsr);
                self.state.pc = pc;
                return Ok(());
            }
            for r in &mut list {
                r.writer = self.window.iter().rev().find(|w| w.1.contains(&r.name)).map(|w| w.0);
            }
            first.get_or_insert(Difference::Registers(list));
        }
    }

    /// Goes to `pc` without an access, but for literals, which are constants in translated code; with `leave` although it is there.
    fn arrive(&mut self, pc: u64, leave: bool, mem: &mut impl GuestMemory) -> Result<(), Difference> {
        let mut left = !leave;
        while self.state.pc != pc || !left {
            left = true;
            let at = self.state.pc;
            let event = self.step(mem);
            if self.over.accesses > 0 && !reads_literals_only(self.isa, at, mem) {
                return Err(Difference::Access(at));
            }
            let arrived = matches!(event, Event::Syscall { .. }) && self.state.pc == pc;
            if !(event == Event::Continue || arrived) || self.window.len() > FARTHEST {
                return Err(Difference::Path(at));
            }
        }
        Ok(())
    }

    fn go_ahead(&mut self, mem: &mut impl GuestMemory) {
        self.window.clear();
        self.before = self.state.clone();
        let event = self.step(mem);
        if !matches!(event, Event::Continue | Event::InvalidateCode { .. }) {
            // It faults, as it will in the translated code.
            self.state = self.before.clone();
            self.over.bytes.clear();
            self.window.clear();
        }
    }

    /// Executes one instruction, its stores into the overlay.
    fn step(&mut self, mem: &mut impl GuestMemory) -> Event {
        let last = self.state.clone();
        self.over.accesses = 0;
        host::set_mxcsr(host::MXCSR_DEFAULT);
        let event = self.interp.step(&mut self.state, &mut Covered { over: &mut self.over, mem });
        self.state.fpsr = soft::fpsr(&self.state);
        // What is not executed can lead behind the next instruction's test, as between LDREQ and LDRNE.
        self.state.pc = self.isa.untested(self.state.pc);
        self.window.push((last.pc, changed(self.isa, &last, &self.state)));
        event
    }
}

/// Registers of `a`, whose FPSR is `fpsr`, that are not as in `b`.
fn unequal(isa: Isa, a: &GuestState, fpsr: u32, b: &GuestState) -> Vec<Unequal> {
    let homes = isa.file().regs.iter().map(|r| {
        let get = |s| registers::get(s, r.offset, r.ty) & r.ty.mask();
        (r.name, get(a), get(b))
    });
    let others = [
        ("fpcr", a.fpcr as u128, b.fpcr as u128),
        ("fpsr", fpsr as u128, b.fpsr as u128),
        ("endian", a.big_endian as u128, b.big_endian as u128),
    ];
    homes
        // Neither is the guest's: QC is FPSR's, and `ret` means something between a return and its caller only.
        .filter(|r| !matches!(r.0, "qc" | "ret"))
        .chain(others)
        .filter(|(_, a, b)| a != b)
        .map(|(name, translated, expected)| Unequal { name, translated, expected, writer: None })
        .collect()
}

fn changed(isa: Isa, from: &GuestState, to: &GuestState) -> Vec<&'static str> {
    unequal(isa, from, from.fpsr, to).into_iter().map(|r| r.name).collect()
}

fn reads_counter(isa: Isa, pc: u64, mem: &impl GuestMemory) -> bool {
    let run = isa.lift_run(&AsCode(mem), GuestAddr(pc), GuestAddr(u64::MAX), 1);
    run.insts.iter().any(|i| matches!(i, Inst::ReadSys(SysReg::Counter)))
}

/// True if the instruction accesses nothing but constants at addresses that it says itself.
fn reads_literals_only(isa: Isa, pc: u64, mem: &impl GuestMemory) -> bool {
    let run = isa.lift_run(&AsCode(mem), GuestAddr(pc), GuestAddr(u64::MAX), 1);
    let def = |v: Value| run.insts[v.0 as usize];
    let is_literal = |addr: Value| match def(addr) {
        Inst::CodeAddr(_) => true,
        Inst::Pure { op: PureOp::Int(IntBin::Add), args: [a, b, ..], .. } => {
            matches!((def(a), def(b)), (Inst::CodeAddr(_), Inst::Const { .. }))
        }
        _ => false,
    };
    run.insts.iter().all(|i| match *i {
        Inst::Load { addr, .. } => is_literal(addr),
        i => !i.is_checkpoint(),
    })
}
