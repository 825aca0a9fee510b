//! Lifts a case and executes it.

use crate::case::{Bytes, Case, FPSR, REFUSED, SCRATCH, SIGILL, SIGTRAP, State};
use crate::common::machine::{Fault, Guest, Machine, SIGBUS, SIGSEGV};
use ir::{Align, CallTarget, GuestAddr, Inst, Reg, RegFile, TrapKind};
use isa::Exit;
use isa::a32::{self, Place, reg};

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
            reg::GE => (0..4).map(|i| u64::from(self.s.cpsr >> (16 + i) & 1) << (8 * i)).sum(),
            reg::TPIDRURW => self.s.tpidrurw,
            reg::TPIDRURO | reg::RETURN => 0,
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
            reg::GE => {
                let bits: u32 = (0..4).map(|i| ((v >> (8 * i)) as u32 & 1) << (16 + i)).sum();
                self.s.cpsr = self.s.cpsr & !0xf_0000 | bits;
            }
            reg::TPIDRURW => self.s.tpidrurw = v,
            // Between lifted functions only.
            reg::RETURN => {}
            Reg(n @ 32..64) => self.s.d[n as usize - 32] = v,
            Reg(n) => self.s.r[n as usize] = v,
        }
    }

    fn memory(&mut self, addr: u64, bytes: u32, align: Align, write: bool) -> Result<&mut [u8], Fault> {
        let addr = addr as u32;
        if !addr.is_multiple_of(align.bytes(bytes)) {
            return Err(Fault(SIGBUS, addr.into()));
        }
        let size = bytes as usize;
        for (start, area) in [(SCRATCH, &mut self.s.memory), (self.code_at, &mut self.code)] {
            let at = addr.wrapping_sub(start) as usize;
            if at >= area.len() || write && start != SCRATCH {
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
pub struct Ours {
    pub after: State,
    /// The whole instruction is undefined, whatever its registers and condition.
    pub undefined: bool,
}

/// True if the instructions access memory.
pub fn accesses(insts: &[Inst]) -> bool {
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
pub fn lift(case: &Case, at: Place, code: &[u8]) -> isa::Run {
    let end = GuestAddr(u64::from(case.at.addr + case.len()));
    a32::lift_run(&Bytes(code, case.page() - 0x1000), at.into(), end, 1)
}

pub fn execute(case: &Case, before: &State) -> Ours {
    let code = case.code();
    let mut at = case.at;
    let undefined =
        matches!(lift(case, at.tested(), &code).exit, Exit::Trap { kind: TrapKind::Undefined, .. });
    let status = FPSR & before.fpscr;
    let world = World { s: before.clone(), code: code.clone(), code_at: case.page() - 0x1000 };
    // Control bits are all that are neither status nor flags.
    let mut m = Machine::new(world, before.fpscr & 0x07ff_9f00 & !FPSR, status);
    let ours = |after: State| Ours { after, undefined };
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
        return ours(after);
    }
    panic!("{} {:08x}: its condition is tested again and again", case.row.name, case.word)
}
