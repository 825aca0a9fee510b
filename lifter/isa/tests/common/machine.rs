//! Executes the IR of one instruction with `ir::eval`, on registers and memory that the test keeps.

use ir::eval::{Bits, FpEnv, eval};
use ir::{Align, Inst, Reg, RegFile, RmwOp, SysReg, Type, Value};

/// SIGBUS.
pub const SIGBUS: u32 = 7;
/// SIGSEGV.
pub const SIGSEGV: u32 = 11;

/// A signal that ends the instruction, and its address.
pub struct Fault(pub u32, pub u64);

/// What the executed instruction sees.
pub trait Guest {
    /// Its registers.
    const FILE: &'static RegFile;
    /// Reads a register.
    fn get(&self, r: Reg) -> u128;
    /// Writes a register.
    fn set(&mut self, r: Reg, v: u128);
    /// The `bytes` bytes of memory at `addr`, to be written if `write` says so.
    fn memory(&mut self, addr: u64, bytes: u32, align: Align, write: bool) -> Result<&mut [u8], Fault>;
}

/// Runs the IR of one instruction.
pub struct Machine<G> {
    /// Registers and memory.
    pub guest: G,
    /// Floating-point control and status.
    pub env: FpEnv,
    values: Vec<Bits>,
}

fn number(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |v, b| v << 8 | *b as u128)
}

impl<G: Guest> Machine<G> {
    /// A machine in this state.
    pub fn new(guest: G, fpcr: u32, fpsr: u32) -> Self {
        Machine { guest, env: FpEnv { fpcr, fpsr }, values: Vec::new() }
    }

    /// A value of the last [`Machine::run`].
    pub fn value(&self, v: Value) -> u128 {
        self.values[v.0 as usize].bits
    }

    fn read(&mut self, addr: Value, ty: Type, align: Align) -> Result<u128, Fault> {
        let addr = self.value(addr) as u64;
        Ok(number(self.guest.memory(addr, ty.bytes(), align, false)?))
    }

    fn write(&mut self, addr: Value, ty: Type, align: Align, v: u128) -> Result<(), Fault> {
        let (addr, bytes) = (self.value(addr) as u64, ty.bytes());
        self.guest.memory(addr, bytes, align, true)?.copy_from_slice(&v.to_le_bytes()[..bytes as usize]);
        Ok(())
    }

    /// Executes straight-line code.
    pub fn run(&mut self, insts: &[Inst]) -> Result<(), Fault> {
        let types = ir::value_types(insts, G::FILE);
        self.values.clear();
        for (inst, ty) in insts.iter().zip(types) {
            let result = self.step(inst)?;
            self.values.push(Bits { ty: ty.unwrap_or(Type::I1), bits: result });
        }
        Ok(())
    }

    fn step(&mut self, inst: &Inst) -> Result<u128, Fault> {
        Ok(match *inst {
            Inst::Mark(_) | Inst::ClearEx | Inst::Fence(_) | Inst::Cache { .. } => 0,
            Inst::Const { bits, .. } => bits,
            Inst::CodeAddr(a) => a.0 as u128,
            Inst::Get(r) => self.guest.get(r),
            Inst::Set(r, v) => {
                self.guest.set(r, self.value(v));
                0
            }
            Inst::Pure { op, ty, args } => {
                let args: Vec<Bits> = args[..op.arity()].iter().map(|a| self.values[a.0 as usize]).collect();
                eval(op, ty, &args, &mut self.env)
            }
            Inst::Load { ty, addr, align, .. } => self.read(addr, ty, align)?,
            Inst::Store { addr, value, align, .. } => {
                let ty = self.values[value.0 as usize].ty;
                self.write(addr, ty, align, self.value(value))?;
                0
            }
            Inst::Rmw { op, ty, addr, value, .. } => {
                let (old, v) = (self.read(addr, ty, Align::Natural)?, self.value(value));
                let signed = |v: u128| (v << (128 - ty.bits())) as i128;
                let new = match op {
                    RmwOp::Add => old.wrapping_add(v),
                    RmwOp::Clear => old & !v,
                    RmwOp::Xor => old ^ v,
                    RmwOp::Or => old | v,
                    RmwOp::SMax if signed(old) > signed(v) => old,
                    RmwOp::SMin if signed(old) < signed(v) => old,
                    RmwOp::SMax | RmwOp::SMin | RmwOp::Swap => v,
                    RmwOp::UMax => old.max(v),
                    RmwOp::UMin => old.min(v),
                };
                self.write(addr, ty, Align::Natural, new)?;
                old
            }
            Inst::Cas { ty, addr, expected, new, .. } => {
                let old = self.read(addr, ty, Align::Natural)?;
                if old == self.value(expected) {
                    self.write(addr, ty, Align::Natural, self.value(new))?;
                }
                old
            }
            Inst::LoadEx { ty, addr, .. } => self.read(addr, ty, Align::Natural)?,
            // The monitor is closed: each instruction runs alone.
            Inst::StoreEx { .. } => 1,
            Inst::ReadSys(SysReg::Fpcr) => self.env.fpcr as u128,
            Inst::ReadSys(SysReg::Fpsr) => self.env.fpsr as u128,
            Inst::ReadSys(SysReg::Counter | SysReg::Endian) => 0,
            Inst::WriteSys(r, v) => {
                let v = self.value(v) as u32;
                match r {
                    SysReg::Fpcr => self.env.fpcr = v,
                    SysReg::Fpsr => self.env.fpsr = v,
                    SysReg::Counter | SysReg::Endian => {}
                }
                0
            }
        })
    }
}
