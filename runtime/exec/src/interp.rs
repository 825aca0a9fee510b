//! The interpreter: executes lifted runs on the guest state. Takes the state, with its pc, and guest memory; gives the
//! event at which it stopped, the state being exact there. It is the reference engine: everything else must agree with
//! it.

use crate::cache::{Cache, Compiled};
use crate::memory::{Access, AsCode, Fault, FaultKind, GuestMemory};
use crate::step::{self, Other, Step};
use crate::{registers, soft};
use abi::GuestState;
use abi::profile::{Finding, Kind};
use ir::{Align, CacheOp, CallTarget, Fence, GuestAddr, Inst, Order, TrapKind, Type, TypedOp, Value};
use isa::{Exit, Flow, Isa, a32};
use std::sync::atomic::{Ordering, fence};

/// Why the interpreter stopped. `GuestState::pc` is where execution goes on, unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The work asked for is done, or a signal is pending.
    Continue,
    /// System call; pc is behind the instruction.
    Syscall {
        /// Immediate of the instruction.
        imm: u16,
    },
    /// The instruction at pc traps; the state is the one before it.
    Trap(TrapKind),
    /// The instruction at pc could not access memory, or could not be fetched; the state is the one before it.
    Fault(Fault),
    /// The instruction at pc is one that no engine implements; the state is the one before it.
    Unsupported,
    /// The guest says that it changed the code at this address (its cache line): translations of it are stale. (This
    /// interpreter compares code bytes anyway.)
    InvalidateCode {
        /// The address.
        addr: u64,
    },
}

/// The interpreter of one thread, with its cache of lifted runs.
#[derive(Debug)]
pub struct Interp {
    values: Vec<u128>,
    runs: Cache,
    singles: Cache,
    executed: u64,
    watch: Option<fn(Finding)>,
}

/// How a run was left.
enum Left {
    To(u64),
    /// By an indirect branch.
    Through(u64),
    With(Event),
}

impl Interp {
    /// An interpreter with an empty cache.
    pub fn new(isa: Isa) -> Interp {
        let (runs, singles) = (Cache::runs(isa), Cache::singles(isa));
        Interp { values: Vec::new(), runs, singles, executed: 0, watch: None }
    }

    /// Instructions executed so far.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// Has `f` called with the run-time addresses of indirect branches and of their targets, while
    /// [`run`](Interp::run) executes them; not for returns to where a call returns.
    pub fn watch(&mut self, f: Option<fn(Finding)>) {
        self.watch = f;
    }

    /// Executes the one instruction at pc.
    pub fn step<M: GuestMemory>(&mut self, state: &mut GuestState, mem: &mut M) -> Event {
        let isa = self.singles.isa;
        loop {
            state.pc = isa.code_addr(state.pc);
            let run = match self.singles.get(state.pc, isa.modes(state), mem) {
                Ok(run) => run,
                Err(fault) => return Event::Fault(fault),
            };
            match execute(isa, run, &mut self.values, &mut self.executed, state, mem) {
                Left::To(pc) | Left::Through(pc) => {
                    let before = state.pc;
                    state.pc = isa.code_addr(pc);
                    // Only its condition was tested.
                    if isa != Isa::A32 || isa.bytes_at(before) != isa.bytes_at(pc) || !is_tested(pc) {
                        return Event::Continue;
                    }
                }
                Left::With(event) => return event,
            }
        }
    }

    /// Executes runs of instructions, at least one, until `stop` holds of the pc at the end of a run, a signal is
    /// pending, or something happens.
    pub fn run<M: GuestMemory>(
        &mut self,
        state: &mut GuestState,
        mem: &mut M,
        stop: impl Fn(u64) -> bool,
    ) -> Event {
        let isa = self.runs.isa;
        loop {
            state.pc = isa.code_addr(state.pc);
            let run = match self.runs.get(state.pc, isa.modes(state), mem) {
                Ok(run) => run,
                Err(fault) => return Event::Fault(fault),
            };
            match execute(isa, run, &mut self.values, &mut self.executed, state, mem) {
                Left::To(pc) => state.pc = isa.code_addr(pc),
                Left::Through(pc) => {
                    state.pc = isa.code_addr(pc);
                    if let Some(watch) = self.watch {
                        run.tell(isa, state.pc, mem, watch);
                    }
                }
                Left::With(event) => return event,
            }
            if registers::pending(state) || stop(state.pc) {
                return Event::Continue;
            }
        }
    }
}

/// True for the place of an AArch32 instruction whose condition was tested.
fn is_tested(pc: u64) -> bool {
    a32::Place::from(GuestAddr(pc)).passed
}

fn execute<M: GuestMemory>(
    isa: Isa,
    run: &Compiled,
    values: &mut Vec<u128>,
    executed: &mut u64,
    state: &mut GuestState,
    mem: &mut M,
) -> Left {
    // All of them but where the run is left early.
    *executed += run.count;
    if values.len() < run.steps.values {
        values.resize(run.steps.values, 0);
    }
    let values = &mut values[..run.steps.values];
    let mut pc = run.pc;
    let mut event = None;
    macro_rules! low {
        ($slot:expr) => {
            values[$slot as usize] as u64
        };
    }
    macro_rules! put {
        ($slot:expr, $value:expr) => {
            values[$slot as usize] = $value as u128
        };
    }
    for s in &run.steps.list {
        match *s {
            Step::Mark(at) => pc = at,
            Step::LeaveMark(at) => {
                *executed -= run.count_from(at);
                return leave(state, event, at);
            }
            Step::Const { dst, bits } => put!(dst, bits),
            Step::Get8 { dst, offset } => put!(dst, registers::get8(state, offset)),
            Step::Get64 { dst, offset } => put!(dst, registers::get64(state, offset)),
            Step::Get128 { dst, offset } => put!(dst, registers::get128(state, offset)),
            Step::Set8 { src, offset } => registers::set8(state, offset, low!(src) as u8),
            Step::Set64 { src, offset } => registers::set64(state, offset, low!(src)),
            Step::Set128 { src, offset } => registers::set128(state, offset, values[src as usize]),
            Step::Bin32 { op, dst, a, b } => put!(dst, step::bin32(op, low!(a) as u32, low!(b) as u32)),
            Step::Bin64 { op, dst, a, b } => put!(dst, step::bin64(op, low!(a), low!(b))),
            Step::Not { dst, a, mask } => put!(dst, !low!(a) & mask),
            Step::Cmp32 { op, dst, a, b } => put!(dst, step::cmp32(op, low!(a) as u32, low!(b) as u32)),
            Step::Cmp64 { op, dst, a, b } => put!(dst, step::cmp64(op, low!(a), low!(b))),
            Step::Carry { bits, dst, a, b, c } => put!(dst, step::carry(bits, low!(a), low!(b), low!(c))),
            Step::Overflow { bits, dst, a, b, c } => {
                put!(dst, step::overflow(bits, low!(a), low!(b), low!(c)))
            }
            Step::Bit { op, dst, a, b } => put!(dst, step::bit(op, low!(a), low!(b))),
            Step::Select { dst, c, a, b } => {
                values[dst as usize] = values[if low!(c) != 0 { a } else { b } as usize];
            }
            Step::Copy { dst, a } => values[dst as usize] = values[a as usize],
            Step::Low { dst, a, mask } => put!(dst, low!(a) & mask),
            Step::Sext { dst, a, from, to } => put!(dst, step::sext(from, to, low!(a))),
            Step::Load { dst, addr, size } => match mem.load(isa.data_addr(low!(addr)), size as u32) {
                Ok(v) => values[dst as usize] = v,
                Err(fault) => return faulted(run, executed, state, pc, fault),
            },
            Step::Store { addr, src, size } => {
                if let Err(fault) = mem.store(isa.data_addr(low!(addr)), size as u32, values[src as usize]) {
                    return faulted(run, executed, state, pc, fault);
                }
            }
            Step::Other(i) => match other(isa, &run.steps.others[i as usize], values, state, mem) {
                Ok(None) => {}
                Ok(some) => event = some,
                Err(fault) => return faulted(run, executed, state, pc, fault),
            },
        }
    }
    let value = |v: Value| values[v.0 as usize] as u64;
    let (next, end) = match run.exit {
        Exit::Next(a) | Exit::Jump(a) | Exit::Call { target: CallTarget::Direct(a), .. } => (a.0, None),
        Exit::Branch { cond, then, els } => (if value(cond) != 0 { then.0 } else { els.0 }, None),
        Exit::Indirect(v) | Exit::Return(v) | Exit::Call { target: CallTarget::Indirect(v), .. } => {
            if event.is_none() {
                return Left::Through(value(v));
            }
            (value(v), None)
        }
        Exit::Syscall { imm, next } => (next.0, Some(Event::Syscall { imm })),
        Exit::Trap { kind, pc } => {
            *executed -= run.count_from(pc.0);
            (pc.0, Some(Event::Trap(kind)))
        }
        Exit::Fallback { pc } => {
            *executed -= run.count_from(pc.0);
            (pc.0, Some(Event::Unsupported))
        }
    };
    leave(state, end.or(event), next)
}

impl Compiled {
    /// Instructions from the one at `pc` on.
    fn count_from(&self, pc: u64) -> u64 {
        let behind = |s: &&Step| matches!(**s, Step::Mark(at) | Step::LeaveMark(at) if at >= pc);
        self.steps.list.iter().filter(behind).count() as u64
    }

    /// Tells `watch` of the indirect branch at the end, which went to `target`.
    #[cold]
    fn tell<M: GuestMemory>(&self, isa: Isa, target: u64, mem: &M, watch: fn(Finding)) {
        let last = self.steps.list.iter().rev().find_map(|s| match *s {
            Step::Mark(at) | Step::LeaveMark(at) => Some(at),
            _ => None,
        });
        let kind = match self.exit {
            Exit::Call { .. } => Kind::Call,
            // As a jump, unless it is to where a call returns.
            Exit::Return(_) if behind_call(isa, target, mem) => return,
            _ => Kind::Jump,
        };
        watch(Finding { kind, source: last.unwrap_or(0), target });
    }
}

/// True if the instruction before `pc` may be a call.
fn behind_call<M: GuestMemory>(isa: Isa, pc: u64, mem: &M) -> bool {
    let is_call = |flow| matches!(flow, Flow::Call(_) | Flow::IndirectCall);
    (isa.alignment(pc)..=4).step_by(2).any(|len| {
        let before = GuestAddr(isa.plain(pc.wrapping_sub(len)));
        isa.leaving(&AsCode(mem), before).is_some_and(|l| u64::from(l.len) == len && is_call(l.flow))
    })
}

fn leave(state: &mut GuestState, event: Option<Event>, pc: u64) -> Left {
    match event {
        Some(event) => {
            state.pc = pc;
            Left::With(event)
        }
        None => Left::To(pc),
    }
}

#[cold]
fn faulted(run: &Compiled, executed: &mut u64, state: &mut GuestState, pc: u64, fault: Fault) -> Left {
    *executed -= run.count_from(pc);
    state.pc = pc;
    Left::With(Event::Fault(fault))
}

/// The instructions that have no step of their own.
fn other<M: GuestMemory>(
    isa: Isa,
    other: &Other,
    values: &mut [u128],
    state: &mut GuestState,
    mem: &mut M,
) -> Result<Option<Event>, Fault> {
    let value = |v: Value| values[v.0 as usize];
    let address = |v: Value| isa.data_addr(values[v.0 as usize] as u64);
    let home = |r| isa.file().info(r);
    let result = match other.inst {
        Inst::Const { bits, .. } => bits,
        Inst::Get(r) => registers::get(state, home(r).offset, home(r).ty),
        Inst::Set(r, v) => {
            registers::set(state, home(r).offset, home(r).ty, value(v));
            return Ok(None);
        }
        Inst::Pure { op, ty, args } => {
            let mut typed = TypedOp { op, ty, args: [ty; 3] };
            let mut operands = [0; 3];
            for (i, &a) in args[..op.arity()].iter().enumerate() {
                typed.args[i] = other.types[i];
                operands[i] = value(a);
            }
            soft::eval_in(state, &typed, &operands)
        }
        Inst::Load { ty, addr, align, .. } => {
            let addr = address(addr);
            check(addr, ty, align, Access::Read)?;
            mem.load(addr, ty.bytes())?
        }
        Inst::Store { addr, value: v, order, align } => {
            let (addr, ty) = (address(addr), other.types[1]);
            check(addr, ty, align, Access::Write)?;
            mem.store(addr, ty.bytes(), value(v))?;
            if order != Order::Relaxed {
                // A later load-acquire must not pass a store-release; the host's loads pass its stores.
                fence(Ordering::SeqCst);
            }
            return Ok(None);
        }
        Inst::Rmw { op, ty, addr, value: v, .. } => {
            let addr = address(addr);
            check(addr, ty, Align::Natural, Access::Read)?;
            mem.rmw(op, addr, ty.bytes(), value(v) as u64)? as u128
        }
        Inst::Cas { ty, addr, expected, new, .. } => {
            let addr = address(addr);
            check(addr, ty, Align::Natural, Access::Read)?;
            mem.cas(addr, ty.bytes(), value(expected), value(new))?
        }
        Inst::LoadEx { ty, addr, .. } => {
            let addr = address(addr);
            check(addr, ty, Align::Natural, Access::Read)?;
            let v = mem.load(addr, ty.bytes())?;
            state.excl_addr = addr;
            state.excl_size = ty.bytes() as u64;
            state.excl_value = [v as u64, (v >> 64) as u64];
            v
        }
        Inst::StoreEx { addr, value: v, .. } => {
            let (addr, ty) = (address(addr), other.types[1]);
            check(addr, ty, Align::Natural, Access::Write)?;
            let open = state.excl_size == ty.bytes() as u64 && isa.data_addr(state.excl_addr) == addr;
            let stored = open && {
                let expected = state.excl_value[0] as u128 | (state.excl_value[1] as u128) << 64;
                let old = mem.cas(addr, ty.bytes(), expected & ty.mask(), value(v));
                old.map_err(|f| Fault { access: Access::Write, ..f })? == expected & ty.mask()
            };
            state.excl_size = 0;
            !stored as u128
        }
        Inst::ClearEx => {
            state.excl_size = 0;
            return Ok(None);
        }
        Inst::Fence(kind) => {
            match kind {
                Fence::Full => fence(Ordering::SeqCst),
                Fence::Load | Fence::Store => fence(Ordering::AcqRel),
                // The next mark leaves the run, and entering one looks at the code again.
                Fence::Instruction => {}
            }
            return Ok(None);
        }
        Inst::Cache { op, addr } => {
            let addr = address(addr);
            let mut touch = || mem.load(addr, 1).map_err(|f| Fault { access: Access::Maintain, ..f });
            return match op {
                CacheOp::InvalidateCode => {
                    touch()?;
                    Ok(Some(Event::InvalidateCode { addr }))
                }
                CacheOp::CleanData => touch().map(|_| None),
                CacheOp::Prefetch => Ok(None),
            };
        }
        Inst::ReadSys(r) => soft::read_sys(state, r) as u128,
        Inst::WriteSys(r, v) => {
            soft::write_sys(state, r, value(v) as u64);
            return Ok(None);
        }
        Inst::CodeAddr(pc) => pc.0 as u128,
        Inst::Mark(_) => return Ok(None),
    };
    values[other.dst as usize] = result;
    Ok(None)
}

fn check(addr: u64, ty: Type, align: Align, access: Access) -> Result<(), Fault> {
    if addr & u64::from(align.bytes(ty.bytes()) - 1) != 0 {
        return Err(Fault { kind: FaultKind::Alignment, access, addr });
    }
    Ok(())
}
