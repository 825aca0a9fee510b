//! Loads that leave the old value of the register they overwrite in the host register of their result. A load that faults
//! writes nothing, so at its fault label the result still is the old value, if the assembly had that as an input in the same
//! register; nothing else has to keep it. That LLVM does not move the result between the two is not something it promises
//! (it may spill it behind the assembly, on the way that does not fault), so the finished code is looked at, and if need be
//! changed.
//!
//! The access and the start of its fault block leave a record each in a section that is not linked: the register of the
//! result, the fault label, and how far behind it the block's record is. The instructions between must leave the value where
//! it is, or copy it, from the one register to the other. If they load it from the stack instead, that becomes a copy; if
//! LLVM copies it on the way that does not fault, there is room for a copy at the block's record.
//! Functions with loads for which that fails are compiled again without tying those.

use crate::Error;
use crate::function::Fx;
use crate::llvm::V;
use abi::symbol;
use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
};
use ir::{Inst, PureOp, Reg, Type, Value};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::LazyLock;

/// A load's number and the register whose old value is tied to its result.
pub(crate) type Tie = (u32, Reg);

/// Section of the records: the load's number, a distance, the fault label, the register's name, `;`.
const SECTION: &str = "xl_tied";

/// Functions of more blocks have more values than registers: a spilled one would be fetched before the load and stored behind it.
const LARGE: usize = 60;

/// Stands for the distance in the record of an access.
const ACCESS: i32 = i32::MIN;

/// What the assembly of an access adds; `label` is the number of the operand that is the fault label.
pub(crate) fn access_record(id: u32, label: usize) -> String {
    format!("\n.set .Lxl_tied{id}, ${{{label}:l}}{}", record(id, &ACCESS.to_string(), "0"))
}

fn record(id: u32, distance: &str, label: &str) -> String {
    format!(
        "\n.pushsection {SECTION},\"e\",@progbits\n.long {id}, {distance}\n.quad {label}\n.ascii \"$0;\"\n.popsection"
    )
}

/// Sees to it that the fault blocks of the finished code find old values where loads leave them; gives the numbers of the
/// loads for which that is not possible.
pub(crate) fn settle(object: &mut [u8]) -> Result<Vec<u32>, Error> {
    let malformed = || Error::Llvm("records of tied loads cannot be read".into());
    let file = object::File::parse(&*object).map_err(|e| Error::Llvm(e.to_string()))?;
    let Some(section) = file.section_by_name(SECTION) else { return Ok(Vec::new()) };
    let text = file.section_by_name(symbol::TEXT_SECTION).ok_or_else(malformed)?;
    let (text_at, text_size) = text.file_range().ok_or_else(malformed)?;
    // Where fault labels are is told by relocations against symbols of the text.
    let label_of = |r: &object::Relocation| match r.target() {
        object::RelocationTarget::Symbol(s) => {
            let symbol = file.symbol_by_index(s).ok().filter(|s| s.section_index() == Some(text.index()))?;
            symbol.address().checked_add_signed(r.addend())
        }
        _ => None,
    };
    let labels: HashMap<u64, Option<u64>> = section.relocations().map(|(at, r)| (at, label_of(&r))).collect();
    let mut bytes = section.data().map_err(|e| Error::Llvm(e.to_string()))?;
    let end = bytes.len();
    let mut loads: BTreeMap<u32, Load> = BTreeMap::new();
    while !bytes.is_empty() {
        let at = (end - bytes.len()) as u64;
        let record = Record::parse(bytes).ok_or_else(malformed)?;
        bytes = record.rest;
        let load = loads.entry(record.id).or_default();
        load.records += 1;
        if record.distance == ACCESS {
            load.left_in = register(record.register);
        } else {
            let label = labels.get(&(at + Record::LABEL)).copied().flatten().ok_or_else(malformed)?;
            let length = u64::try_from(record.distance).map_err(|_| malformed())?;
            if label.checked_add(length).is_none_or(|end| end > text_size) {
                return Err(malformed());
            }
            let start = (text_at + label) as usize;
            load.before = start..start + length as usize;
            load.wanted_in = register(record.register);
            load.room = load.before.end..load.before.end + load.wanted_in.map_or(0, room);
        }
    }
    let mut failures = Vec::new();
    for (id, load) in loads {
        let code = object.get_mut(load.before.start..load.room.end).ok_or_else(malformed)?;
        let (before, room) = code.split_at_mut(load.before.len());
        if !load.settle(before, room) {
            failures.push(id);
        }
    }
    Ok(failures)
}

/// What the records say of one load.
#[derive(Default)]
struct Load {
    records: u32,
    /// The registers in which the load leaves the value and the fault block wants it.
    left_in: Option<Register>,
    wanted_in: Option<Register>,
    /// Where in the object the instructions between the fault label and there are.
    before: Range<usize>,
    /// Where behind those there is room for a copy.
    room: Range<usize>,
}

impl Load {
    /// True if the instructions `before` take the value from the one register to the other. They are made to if LLVM has
    /// them fetch it from the stack, or expects it in the other register, where it would be if the load had not faulted.
    fn settle(&self, before: &mut [u8], room: &mut [u8]) -> bool {
        let (Some(left), Some(wanted)) = (self.left_in, self.wanted_in) else { return false };
        if self.records != 2 || left.is_xmm() != wanted.is_xmm() {
            return false;
        }
        let mut holders = vec![left];
        let mut info = InstructionInfoFactory::new();
        // The last instruction that writes the wanted register with something else, and what holds the value in front of it.
        let mut fetch: Option<(Instruction, Vec<Register>)> = None;
        for inst in Decoder::new(64, before, DecoderOptions::NONE).iter() {
            if inst.is_invalid() || inst.flow_control() != FlowControl::Next {
                return false;
            }
            let whole = matches!(inst.code(), Code::Mov_rm64_r64 | Code::Mov_r64_rm64)
                || matches!(inst.mnemonic(), Mnemonic::Movaps | Mnemonic::Vmovaps) && wanted.is_xmm();
            let copy = whole && inst.op0_kind() == OpKind::Register && holders.contains(&inst.op1_register());
            let from_stack = whole && inst.op0_register() == wanted && inst.op1_kind() == OpKind::Memory;
            let earlier = from_stack.then(|| holders.clone());
            for used in info.info(&inst).used_registers() {
                let reads =
                    matches!(used.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess);
                let written = used.register().full_register();
                if !reads {
                    holders.retain(|h| h.full_register() != written);
                    if written == wanted.full_register() {
                        fetch = None;
                    }
                }
            }
            if copy {
                holders.push(inst.op0_register());
            }
            if let Some(earlier) = earlier {
                fetch = Some((inst, earlier));
            }
        }
        match fetch {
            None => holders.contains(&wanted) || put(room, &holders, wanted),
            Some((inst, holders)) => {
                put(&mut before[inst.ip() as usize..inst.next_ip() as usize], &holders, wanted)
            }
        }
    }
}

/// Writes a copy of one of `holders` to `wanted` over `place`, or nothing where it is there; false if it cannot be.
fn put(place: &mut [u8], holders: &[Register], wanted: Register) -> bool {
    let code = if holders.contains(&wanted) {
        Some(Vec::new())
    } else {
        holders.first().and_then(|&h| copy(h, wanted))
    };
    let Some(code) = code.filter(|c| c.len() <= place.len()) else { return false };
    place.fill(NOP);
    place[..code.len()].copy_from_slice(&code);
    true
}

/// Bytes that a copy of a register takes.
fn room(r: Register) -> usize {
    if r.is_xmm() { 4 } else { 3 }
}

const NOP: u8 = 0x90;

/// The instruction that copies a whole register.
fn copy(from: Register, to: Register) -> Option<Vec<u8>> {
    if from.number() > 15 || to.number() > 15 {
        return None;
    }
    let (f, t) = (from.number() as u8, to.number() as u8);
    if to.is_xmm() {
        // movaps: the target is in the middle of the last byte.
        return Some(vec![0x40 | t >> 3 << 2 | f >> 3, 0x0f, 0x28, 0xc0 | (t & 7) << 3 | f & 7]);
    }
    // mov: there it is the source.
    Some(vec![0x48 | f >> 3 << 2 | t >> 3, 0x89, 0xc0 | (f & 7) << 3 | t & 7])
}

/// The 64-bit or vector register of that name in AT&T's syntax.
fn register(name: &[u8]) -> Option<Register> {
    static NAMES: LazyLock<HashMap<String, Register>> = LazyLock::new(|| {
        let wanted = Register::values().filter(|r| r.is_gpr64() || r.is_xmm());
        wanted.map(|r| (format!("%{r:?}").to_lowercase(), r)).collect()
    });
    NAMES.get(std::str::from_utf8(name).ok()?).copied()
}

/// One record.
struct Record<'a> {
    id: u32,
    distance: i32,
    register: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Record<'a> {
    /// Offset of the fault label.
    const LABEL: u64 = 8;

    fn parse(bytes: &'a [u8]) -> Option<Record<'a>> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (distance, rest) = rest.split_first_chunk()?;
        let (_, rest) = rest.split_first_chunk::<8>()?;
        let end = rest.iter().position(|&c| c == b';')?;
        Some(Record {
            id: u32::from_le_bytes(*id),
            distance: i32::from_le_bytes(*distance),
            register: &rest[..end],
            rest: &rest[end + 1..],
        })
    }
}

impl Fx<'_, '_> {
    /// The start of the block to which the fault of load `id` goes: the result is the old value of `r`.
    pub(crate) fn tied_fault(&mut self, id: u32, r: Reg, old: V) {
        let vector = self.unit.options.regs.info(r).ty == Type::V128;
        // NOPs of as many bytes as `room` says.
        let room = if vector { ".byte 0x0f, 0x1f, 0x40, 0" } else { ".byte 0x0f, 0x1f, 0" };
        let text =
            format!("1: {room}{}", record(id, &format!("1b-.Lxl_tied{id}"), &format!(".Lxl_tied{id}")));
        // The result is a value of its own, so that nothing but this looks for the old one.
        let ty = self.l.type_of(old);
        let old = self.l.asm_call(&text, if vector { "=x,0" } else { "=r,0" }, ty, &[old], &[]);
        let old = self.l.bitcast(old, self.unit.ty(self.unit.options.regs.info(r).ty));
        self.put(r, old);
    }

    /// The register of type `ty` that the load `i` from `p` overwrites, if its old value is to be tied to the result, and a
    /// number for the load.
    pub(crate) fn tie(&self, i: usize, p: V, ty: Type) -> Option<Tie> {
        let untied = self.unit.untied?;
        if self.blocks.len() > LARGE {
            return None;
        }
        // In runs of floating-point operations that are there twice, the second form begins with all registers as they were.
        if self.together.is_some() || self.again.is_some() {
            return None;
        }
        if !self.callbr() || self.l.symbol_behind(p).is_some() {
            return None;
        }
        let r = self.destination(i)?;
        // What need not be stored for a fault need not be kept for it.
        let fits = self.unit.options.regs.info(r).ty == ty;
        let wanted = self.unit.regs.hot.contains(r) || self.dirty.contains(r);
        if !fits || !wanted || !self.in_register(i, r) {
            return None;
        }
        let id = self.unit.ties.get();
        self.unit.ties.set(id + 1);
        untied.binary_search(&id).is_err().then_some((id, r))
    }

    /// The register that the instruction of load `i` writes its value to, if it has no other access behind it.
    fn destination(&self, i: usize) -> Option<Reg> {
        let mut same = vec![Value(i as u32)];
        for (n, inst) in self.cur.insts.iter().enumerate().skip(i + 1) {
            match *inst {
                Inst::Pure { op: PureOp::Zext | PureOp::Sext | PureOp::VFromScalar, args, .. }
                    if same.contains(&args[0]) =>
                {
                    same.push(Value(n as u32));
                }
                Inst::Set(r, v) if same.contains(&v) => return Some(r),
                Inst::Mark(_) => return None,
                ref inst if inst.is_checkpoint() => return None,
                _ => {}
            }
        }
        None
    }

    /// True if the old value of `r` is in a register in front of load `i` anyway, and not needed behind it. If nothing but
    /// the load's address uses it, it is computed in the fault block.
    fn in_register(&self, i: usize, r: Reg) -> bool {
        let made = self.cur.insts[..i].iter().rev().find_map(|inst| match *inst {
            Inst::Set(s, v) if s == r => Some(v),
            _ => None,
        });
        let Some(old) = made else { return true };
        let uses = |range: &[Inst], v: Value| {
            let mut n = 0;
            range.iter().for_each(|inst| inst.for_each_arg(|a| n += (a == v) as u32));
            n
        };
        match self.def(old) {
            Inst::Const { .. } | Inst::CodeAddr(_) | Inst::Get(_) => return false,
            _ if uses(&self.cur.insts[i + 1..], old) != 0 => return false,
            Inst::Load { .. } => return true,
            Inst::Pure { op: PureOp::VFromScalar, args, .. } => {
                // Other scalars become vectors in the fault block.
                return matches!(self.def(args[0]), Inst::Load { .. });
            }
            _ => {}
        }
        let Inst::Load { addr, .. } = *self.def(Value(i as u32)) else { return false };
        let before = &self.cur.insts[..i];
        let in_address = match self.def(addr) {
            Inst::Pure { .. } if uses(&self.cur.insts, addr) == 1 => {
                uses(std::slice::from_ref(self.def(addr)), old)
            }
            _ => 0,
        };
        let sets = before.iter().filter(|inst| matches!(**inst, Inst::Set(_, v) if v == old)).count() as u32;
        uses(before, old) > in_address + sets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settles a load that leaves its value in `left` and whose fault block wants it in `wanted` behind `code`.
    fn settled(left: Register, wanted: Register, code: &[u8]) -> Option<Vec<u8>> {
        let mut code = code.to_vec();
        let room = code.len()..code.len();
        let load =
            Load { records: 2, left_in: Some(left), wanted_in: Some(wanted), before: 0..code.len(), room };
        load.settle(&mut code, &mut []).then_some(code)
    }

    #[test]
    fn values_that_stay_are_left_alone() {
        let other = [0x48, 0x8b, 0x4c, 0x24, 0x08]; // mov 8(%rsp), %rcx
        assert_eq!(settled(Register::RAX, Register::RAX, &[]), Some(vec![]));
        assert_eq!(settled(Register::RAX, Register::RAX, &other), Some(other.to_vec()));
        let copy = [0x48, 0x89, 0xc1]; // mov %rax, %rcx
        assert_eq!(settled(Register::RAX, Register::RCX, &copy), Some(copy.to_vec()));
    }

    #[test]
    fn values_from_the_stack_are_taken_from_where_they_are() {
        let code = [0x48, 0x8b, 0x4c, 0x24, 0x08]; // mov 8(%rsp), %rcx
        assert_eq!(settled(Register::RCX, Register::RCX, &code), Some(vec![NOP; 5]));
        let moved = Some(vec![0x4c, 0x89, 0xe1, NOP, NOP]); // mov %r12, %rcx
        assert_eq!(settled(Register::R12, Register::RCX, &code), moved);
        let vector = [0x0f, 0x28, 0x4c, 0x24, 0x10]; // movaps 16(%rsp), %xmm1
        let moved = Some(vec![0x41, 0x0f, 0x28, 0xc9, NOP]); // movaps %xmm9, %xmm1
        assert_eq!(settled(Register::XMM9, Register::XMM1, &vector), moved);
    }

    #[test]
    fn values_copied_where_nothing_faults_are_copied_at_the_record() {
        let mut room = vec![0x0f, 0x1f, 0x00];
        let (left, wanted) = (Some(Register::R10), Some(Register::RCX));
        let load = Load { records: 2, left_in: left, wanted_in: wanted, before: 0..0, room: 0..3 };
        assert!(load.settle(&mut [], &mut room));
        assert_eq!(room, [0x4c, 0x89, 0xd1]); // mov %r10, %rcx
    }

    #[test]
    fn values_that_are_gone_fail() {
        // Another register, and none that was copied.
        assert_eq!(settled(Register::RAX, Register::RCX, &[]), None);
        // xor %ecx, %ecx, and a part of it: mov $1, %cl
        assert_eq!(settled(Register::RCX, Register::RCX, &[0x31, 0xc9]), None);
        assert_eq!(settled(Register::RCX, Register::RCX, &[0xb1, 0x01]), None);
        // mov 8(%rsp), %rcx; mov (%rsp), %rdx: the only holder is gone.
        let code = [0x48, 0x8b, 0x4c, 0x24, 0x08, 0x48, 0x8b, 0x14, 0x24];
        assert_eq!(settled(Register::RCX, Register::RDX, &code), None);
        // mov 8(%rsp), %rcx; inc %rcx
        let code = [0x48, 0x8b, 0x4c, 0x24, 0x08, 0x48, 0xff, 0xc1];
        assert_eq!(settled(Register::RCX, Register::RCX, &code), None);
        // A jump, half an instruction, kinds of registers.
        assert_eq!(settled(Register::RCX, Register::RCX, &[0xeb, 0x00]), None);
        assert_eq!(settled(Register::RCX, Register::RCX, &[0x48]), None);
        assert_eq!(settled(Register::XMM1, Register::RCX, &[]), None);
    }

    #[test]
    fn copies_are_what_they_say() {
        let all = Register::values().filter(|r| r.is_gpr64() || r.is_xmm() && r.number() < 16);
        let all: Vec<Register> = all.collect();
        for (&from, &to) in all.iter().flat_map(|f| all.iter().map(move |t| (f, t))) {
            if from.is_xmm() == to.is_xmm() {
                let code = copy(from, to).expect("both are among the first sixteen");
                let inst = Decoder::new(64, &code, DecoderOptions::NONE).decode();
                assert_eq!((inst.len(), inst.op0_register(), inst.op1_register()), (code.len(), to, from));
                assert!(matches!(inst.mnemonic(), Mnemonic::Mov | Mnemonic::Movaps));
            }
        }
    }
}
