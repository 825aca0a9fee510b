//! Lifted runs by guest address: a table that grows with what the guest executes, up to a size, so that memory is bounded. Takes an address and guest memory,
//! gives the run there, lifted anew whenever the guest's bytes are not those that it was lifted from: changed code needs
//! no other invalidation.

use crate::memory::{Access, Fault, FaultKind, GuestMemory};
use crate::step::{Steps, steps};
use std::cell::RefCell;

use ir::{CallTarget, GuestAddr, Inst, Type, Value};
use isa::a32::Modes;
use isa::{Code, Exit, Isa, Run};

/// Instructions in one run at most.
const MAX_INSNS: usize = 64;
/// Entries after which a run is worth optimizing.
const HOT: u32 = 32;

/// A run ready to execute.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) pc: u64,
    /// What it was lifted for.
    modes: Modes,
    /// Guest instructions in it.
    pub(crate) count: u64,
    /// The bytes it was lifted from.
    bytes: Box<[u8]>,
    pub(crate) steps: Steps,
    pub(crate) exit: Exit,
    entered: u32,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Cache {
    /// Direct mapped; empty until it is used, as it is not in most threads.
    runs: Vec<Option<Box<Compiled>>>,
    /// Its length, a power of two, now and at most.
    size: usize,
    most: usize,
    /// Runs that gave way to others since it has had this length.
    evicted: usize,
    max_insns: usize,
    pub(crate) isa: Isa,
}

impl Cache {
    /// A table of runs of full length.
    pub(crate) fn runs(isa: Isa) -> Cache {
        Cache { runs: Vec::new(), size: 1 << 12, most: 1 << 16, evicted: 0, max_insns: MAX_INSNS, isa }
    }

    /// A table of single instructions.
    pub(crate) fn singles(isa: Isa) -> Cache {
        Cache { size: 1 << 9, most: 1 << 9, max_insns: 1, ..Cache::runs(isa) }
    }

    fn index(&self, pc: u64) -> usize {
        // Neighbouring entries of a loop must not collide; those of far functions may.
        let unit = pc >> self.isa.alignment(pc).trailing_zeros();
        (unit ^ unit >> 12) as usize & (self.size - 1)
    }

    /// The run at `pc` in these modes. Fails if there is no code that the guest may execute.
    pub(crate) fn get(&mut self, pc: u64, modes: Modes, mem: &impl GuestMemory) -> Result<&Compiled, Fault> {
        let isa = self.isa;
        if self.runs.is_empty() {
            self.runs.resize_with(self.size, || None);
        }
        let mut index = self.index(pc);
        let there = self.runs[index].as_ref();
        let valid =
            there.is_some_and(|r| (r.pc, r.modes) == (pc, modes) && mem.code_is(isa.bytes_at(pc), &r.bytes));
        if !valid {
            if there.is_some_and(|r| r.pc != pc) {
                self.evicted += 1;
                if self.evicted > self.size && self.size < self.most {
                    self.grow();
                    index = self.index(pc);
                }
            }
            self.runs[index] = Some(Box::new(compile(isa, pc, modes, mem, self.max_insns)?));
        }
        let run = self.runs[index].as_mut().expect("invariant: filled above");
        run.entered = run.entered.saturating_add(1);
        if run.entered == HOT {
            optimize(isa, run);
        }
        Ok(run)
    }

    fn grow(&mut self) {
        (self.size, self.evicted) = (4 * self.size, 0);
        let mut before = std::mem::take(&mut self.runs);
        self.runs.resize_with(self.size, || None);
        for run in before.drain(..).flatten() {
            let index = self.index(run.pc);
            self.runs[index] = Some(run);
        }
    }
}

/// Guest memory as code, and the bytes that were read: another thread may be changing it, and what is kept of a run must be
/// what it was lifted from.
struct Fetch<'a, M> {
    mem: &'a M,
    start: u64,
    bytes: RefCell<Vec<u8>>,
}

impl<M: GuestMemory> Fetch<'_, M> {
    fn read<const N: usize>(&self, pc: GuestAddr) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.mem.fetch(pc.0, &mut bytes).ok()?;
        let mut read = self.bytes.borrow_mut();
        let at = pc.0.wrapping_sub(self.start) as usize;
        match read.get(at..at + N) {
            Some(before) => bytes.copy_from_slice(before),
            None => {
                read.resize(at, 0);
                read.extend_from_slice(&bytes);
            }
        }
        Some(bytes)
    }
}

impl<M: GuestMemory> Code for Fetch<'_, M> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        self.read(pc).map(u32::from_le_bytes)
    }

    fn half(&self, pc: GuestAddr) -> Option<u16> {
        self.read(pc).map(u16::from_le_bytes)
    }
}

fn compile(
    isa: Isa,
    pc: u64,
    modes: Modes,
    mem: &impl GuestMemory,
    max_insns: usize,
) -> Result<Compiled, Fault> {
    let start = isa.bytes_at(pc);
    if !isa.is_aligned(pc) {
        return Err(Fault { kind: FaultKind::Alignment, access: Access::Execute, addr: start });
    }
    let mut max = max_insns;
    loop {
        let code = Fetch { mem, start, bytes: RefCell::default() };
        let run = isa.lift_run_in(modes, &code, GuestAddr(pc), max);
        let types = types(isa, &run.insts);
        if let Some(steps) = steps(&run.insts, &types, isa.file()) {
            let Run { len, insts, exit, .. } = run;
            let mut bytes = code.bytes.into_inner();
            if bytes.is_empty() {
                // Nothing could be fetched: here is why, unless that has changed meanwhile.
                mem.fetch(start, &mut [0; 4][..isa.alignment(pc) as usize])?;
                continue;
            }
            if let Exit::Fallback { .. } = exit {
                // The second half of its only instruction cannot be fetched.
                mem.fetch(start + bytes.len() as u64, &mut [0; 2])?;
                continue;
            }
            bytes.truncate(len as usize);
            let count = insts.iter().filter(|i| matches!(i, Inst::Mark(_))).count() as u64;
            return Ok(Compiled { pc, modes, count, bytes: bytes.into(), steps, exit, entered: 0 });
        }
        // More values than slots: one instruction has far fewer.
        max = (max / 2).max(1);
    }
}

fn types(isa: Isa, insts: &[Inst]) -> Box<[Type]> {
    ir::value_types(insts, isa.file()).into_iter().map(|t| t.unwrap_or(Type::I1)).collect()
}

/// The bytes that a run was lifted from.
struct Kept<'a> {
    start: u64,
    bytes: &'a [u8],
}

impl Kept<'_> {
    fn read<const N: usize>(&self, pc: GuestAddr) -> Option<[u8; N]> {
        let at = pc.0.checked_sub(self.start)? as usize;
        self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()
    }
}

impl Code for Kept<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        self.read(pc).map(u32::from_le_bytes)
    }

    fn half(&self, pc: GuestAddr) -> Option<u16> {
        self.read(pc).map(u16::from_le_bytes)
    }
}

/// Runs the IR's passes over a run that is entered often.
fn optimize(isa: Isa, run: &mut Compiled) {
    let code = Kept { start: isa.bytes_at(run.pc), bytes: &run.bytes };
    let Run { len, mut insts, mut exit, .. } =
        isa.lift_run_in(run.modes, &code, GuestAddr(run.pc), usize::MAX);
    if len as usize != run.bytes.len() {
        return;
    }
    let mut roots = Vec::new();
    map_exit(&mut exit, |v| {
        roots.push(v);
        v
    });
    ir::pass::run_default_insts(&mut insts, &mut roots, isa.file());
    if let Some(steps) = steps(&insts, &types(isa, &insts), isa.file()) {
        let mut new = roots.into_iter();
        map_exit(&mut exit, |_| new.next().expect("invariant: as many operands as before"));
        (run.steps, run.exit) = (steps, exit);
    }
}

/// Replaces each operand of a run's exit by `f` of it.
fn map_exit(exit: &mut Exit, mut f: impl FnMut(Value) -> Value) {
    match exit {
        Exit::Branch { cond: v, .. }
        | Exit::Indirect(v)
        | Exit::Return(v)
        | Exit::Call { target: CallTarget::Indirect(v), .. } => *v = f(*v),
        Exit::Next(_)
        | Exit::Jump(_)
        | Exit::Call { target: CallTarget::Direct(_), .. }
        | Exit::Syscall { .. }
        | Exit::Trap { .. }
        | Exit::Fallback { .. } => {}
    }
}
