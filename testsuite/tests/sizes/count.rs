//! Sizes of lifted functions: takes an x86-64 object, gives for each function what its hot part and the rest amount to.
//!
//! Hot is what runs when nothing unusual happens: reachable from the entry without the other side of stack and mode checks, fault
//! labels (to which no jump leads), ways that end in leaving for the runtime, and soft operations, wherever a branch leaves
//! the choice.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A function's size.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Size {
    /// Instructions in the hot part.
    pub insns: usize,
    /// Their bytes.
    pub hot: usize,
    /// Bytes of the rest.
    pub cold: usize,
}

/// Sizes of all functions in `object`, by name.
pub fn sizes(object: &[u8]) -> HashMap<String, Size> {
    let file = object::File::parse(object).expect("the emitter gives ELF");
    let mut out = HashMap::new();
    for symbol in file.symbols().filter(|s| s.is_definition() && s.size() != 0) {
        let Some(name) = symbol.name().ok().and_then(|n| n.strip_prefix(abi::symbol::FUNCTION_PREFIX)) else {
            continue;
        };
        let section = symbol.section_index().and_then(|i| file.section_by_index(i).ok());
        let section = section.expect("a function has a section");
        let start = symbol.address() - section.address();
        let data = section.data().expect("the section has bytes");
        let bytes = &data[start as usize..(start + symbol.size()) as usize];
        let calls: HashMap<u64, String> = section
            .relocations()
            .filter(|r| (start..start + symbol.size()).contains(&r.0))
            .filter_map(|(at, r)| match r.target() {
                RelocationTarget::Symbol(s) => {
                    Some((at - start, file.symbol_by_index(s).ok()?.name().ok()?.to_string()))
                }
                _ => None,
            })
            .collect();
        out.insert(name.to_string(), Flow::new(bytes, calls).size());
    }
    out
}

/// A basic block.
struct Block {
    insns: usize,
    bytes: usize,
    /// Where it goes, in the function; of a branch the place jumped to first.
    to: Vec<u64>,
    /// Calls or jumps out of the function to another than a lifted function, or takes what stands for one that is absent.
    runtime: bool,
    /// Leaves by a return, or by a jump to a lifted function or to a computed place.
    leaves: bool,
    /// Ends with a branch that is taken in unusual states only.
    unusual: bool,
}

/// True for the comparisons that ask whether the host stack is at its end, FPCR is not as programs find it, or a result is
/// one that x86 may have got wrong (PTEST, of all lanes at once).
fn looks_at_the_unusual(i: &Instruction) -> bool {
    let fpcr = std::mem::offset_of!(abi::GuestState, fpcr) as u64;
    let stack = [i.op0_register(), i.op1_register()].contains(&Register::RSP);
    let mode = (fpcr..fpcr + 4).contains(&i.memory_displacement64()) && i.op0_kind() == OpKind::Memory;
    let compares = matches!(i.mnemonic(), Mnemonic::Cmp | Mnemonic::Test);
    compares && (stack || mode) || i.mnemonic() == Mnemonic::Ptest
}

struct Flow(BTreeMap<u64, Block>);

impl Flow {
    fn new(bytes: &[u8], names: HashMap<u64, String>) -> Flow {
        let insns: Vec<Instruction> =
            Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).into_iter().collect();
        let end = bytes.len() as u64;
        let name = |i: &Instruction| (i.ip()..i.next_ip()).find_map(|at| names.get(&at));
        let inside = |i: &Instruction| {
            let near = i.is_jmp_short_or_near() || i.is_jcc_short_or_near();
            (near && name(i).is_none() && i.near_branch_target() < end).then(|| i.near_branch_target())
        };
        let mut starts = BTreeSet::from([0]);
        for i in insns.iter().filter(|i| i.flow_control() != FlowControl::Next) {
            starts.insert(i.next_ip());
            starts.extend(inside(i));
        }
        let mut blocks = BTreeMap::new();
        let mut block: Option<(u64, Block)> = None;
        let mut unusual = false;
        for i in &insns {
            let (_, b) = block.get_or_insert_with(|| {
                let new = Block {
                    insns: 0,
                    bytes: 0,
                    to: Vec::new(),
                    runtime: false,
                    leaves: false,
                    unusual: false,
                };
                (i.ip(), new)
            });
            // Padding depends on where the function stands.
            if i.mnemonic() != Mnemonic::Nop {
                b.insns += 1;
                b.bytes += i.len();
            }
            b.runtime |= name(i).is_some_and(|n| n == abi::symbol::ABSENT);
            let lifted = name(i).is_some_and(|n| n.starts_with(abi::symbol::FUNCTION_PREFIX));
            let falls = match i.flow_control() {
                FlowControl::ConditionalBranch => {
                    b.to.extend(inside(i));
                    b.unusual = unusual;
                    true
                }
                FlowControl::UnconditionalBranch => {
                    b.to.extend(inside(i));
                    b.runtime |= inside(i).is_none() && !lifted;
                    b.leaves |= lifted;
                    false
                }
                FlowControl::Call => {
                    b.runtime |= !lifted;
                    true
                }
                FlowControl::IndirectBranch | FlowControl::Return => {
                    b.leaves = true;
                    false
                }
                FlowControl::Exception | FlowControl::Interrupt => false,
                FlowControl::Next | FlowControl::IndirectCall | FlowControl::XbeginXabortXend => true,
            };
            unusual = looks_at_the_unusual(i);
            if starts.contains(&i.next_ip()) || i.next_ip() == end {
                let (at, mut done) = block.take().expect("invariant: just filled");
                if falls && i.next_ip() < end {
                    done.to.push(i.next_ip());
                }
                blocks.insert(at, done);
            }
        }
        Flow(blocks)
    }

    /// Blocks from which every way goes to the runtime before it leaves the function, or never leaves it.
    fn cold(&self) -> BTreeSet<u64> {
        let mut warm: BTreeSet<u64> =
            self.0.iter().filter(|(_, b)| b.leaves && !b.runtime).map(|(&a, _)| a).collect();
        loop {
            let more: Vec<u64> = self
                .0
                .iter()
                .filter(|(a, b)| !warm.contains(a) && !b.runtime && b.to.iter().any(|t| warm.contains(t)))
                .map(|(&a, _)| a)
                .collect();
            if more.is_empty() {
                break;
            }
            warm.extend(more);
        }
        self.0.keys().filter(|a| !warm.contains(a)).copied().collect()
    }

    fn size(&self) -> Size {
        let cold = self.cold();
        let mut hot = BTreeSet::new();
        let mut work = vec![0];
        while let Some(at) = work.pop() {
            let Some(b) = self.0.get(&at) else { continue };
            if !hot.insert(at) {
                continue;
            }
            let (warm, other): (Vec<u64>, Vec<u64>) = b.to.iter().partition(|t| !cold.contains(t));
            match &b.to[..] {
                [_, next] if b.unusual => work.push(*next),
                _ => work.extend(if warm.is_empty() { other } else { warm }),
            }
        }
        let mut size = Size::default();
        for b in hot.iter().map(|a| &self.0[a]) {
            size.insns += b.insns;
            size.hot += b.bytes;
        }
        size.cold = self.0.values().map(|b| b.bytes).sum::<usize>() - size.hot;
        size
    }
}
