//! Lifted runs by guest address: a table of fixed size, so that memory is bounded. Takes an address and guest memory,
//! gives the run there, lifted anew whenever the guest's bytes are not those that it was lifted from: changed code needs
//! no other invalidation.

use crate::memory::{Access, Fault, FaultKind, GuestMemory};
use crate::step::{Step, steps};
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
    pub(crate) insts: Box<[Inst]>,
    /// Types of the values by index (anything where there is none).
    pub(crate) types: Box<[Type]>,
    pub(crate) steps: Box<[Step]>,
    pub(crate) exit: Exit,
    entered: u32,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Cache {
    /// Direct mapped; empty until it is used, as it is not in most threads.
    runs: Vec<Option<Box<Compiled>>>,
    /// Its length, a power of two.
    size: usize,
    max_insns: usize,
    pub(crate) isa: Isa,
}

impl Cache {
    /// A table of `1 << log2` runs of full length.
    pub(crate) fn runs(isa: Isa, log2: u32) -> Cache {
        Cache { runs: Vec::new(), size: 1 << log2, max_insns: MAX_INSNS, isa }
    }

    /// A table of `1 << log2` single instructions.
    pub(crate) fn singles(isa: Isa, log2: u32) -> Cache {
        Cache { max_insns: 1, ..Cache::runs(isa, log2) }
    }

    /// The run at `pc` in these modes. Fails if there is no code that the guest may execute.
    pub(crate) fn get(&mut self, pc: u64, modes: Modes, mem: &impl GuestMemory) -> Result<&Compiled, Fault> {
        // Neighbouring entries of a loop must not collide; those of far functions may.
        let unit = pc >> self.isa.alignment(pc).trailing_zeros();
        let index = (unit ^ unit >> 12) as usize & (self.size - 1);
        let isa = self.isa;
        if self.runs.is_empty() {
            self.runs.resize_with(self.size, || None);
        }
        let entry = &mut self.runs[index];
        let valid = entry
            .as_ref()
            .is_some_and(|r| (r.pc, r.modes) == (pc, modes) && mem.code_is(isa.bytes_at(pc), &r.bytes));
        if !valid {
            *entry = Some(Box::new(compile(isa, pc, modes, mem, self.max_insns)?));
        }
        let run = entry.as_mut().expect("invariant: filled above");
        run.entered = run.entered.saturating_add(1);
        if run.entered == HOT {
            optimize(isa, run);
        }
        Ok(run)
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
            return Ok(Compiled {
                pc,
                modes,
                count,
                bytes: bytes.into(),
                insts: insts.into(),
                types,
                steps,
                exit,
                entered: 0,
            });
        }
        // More values than slots: one instruction has far fewer.
        max = (max / 2).max(1);
    }
}

fn types(isa: Isa, insts: &[Inst]) -> Box<[Type]> {
    ir::value_types(insts, isa.file()).into_iter().map(|t| t.unwrap_or(Type::I1)).collect()
}

/// Runs the IR's passes over a run that is entered often.
fn optimize(isa: Isa, run: &mut Compiled) {
    let mut roots = Vec::new();
    map_exit(&mut run.exit, |v| {
        roots.push(v);
        v
    });
    let mut insts = run.insts.to_vec();
    ir::pass::run_default_insts(&mut insts, &mut roots, isa.file());
    let types = types(isa, &insts);
    if let Some(steps) = steps(&insts, &types, isa.file()) {
        let mut new = roots.into_iter();
        map_exit(&mut run.exit, |_| new.next().expect("invariant: as many operands as before"));
        run.insts = insts.into();
        run.types = types;
        run.steps = steps;
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
