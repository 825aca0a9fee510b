//! Functions of guest words for tests of what is noted late, and the evaluator as their reference.

use super::Program;
use abi::{EXIT_PC, GuestState};
use ir::eval::{Bits, FpEnv, eval};
use ir::*;
use isa::{BlockShape, Code, FunctionShape, Isa};

/// Code of 32-bit words at an address.
pub struct Words(pub u64, pub Vec<u32>);

impl Code for Words {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        self.1.get(((pc.0 - self.0) / 4) as usize).copied()
    }
}

/// In what `assemble` hands to `branch`: that of the last block, behind which there is nothing.
pub const LAST: u32 = 1 << 31;

/// A function of these blocks. The last item of each is its target's number × 256 plus what tells `branch`, together with
/// the distance to the target in words, which branch to make.
pub fn assemble(isa: Isa, at: u64, blocks: Vec<Vec<u32>>, branch: impl Fn(u32, u32) -> u32) -> Function {
    let starts: Vec<u32> = blocks
        .iter()
        .scan(0, |at, b| {
            let start = *at;
            *at += b.len() as u32;
            Some(start)
        })
        .collect();
    let mut all = Vec::new();
    let mut shapes = Vec::new();
    for (b, mut words) in blocks.into_iter().enumerate() {
        let last = words.pop().expect("a block ends with its branch");
        let here = starts[b] + words.len() as u32;
        let offset = starts[(last >> 8) as usize].wrapping_sub(here);
        let kind = last & 0xff | if b + 1 == starts.len() { LAST } else { 0 };
        words.push(branch(kind, offset));
        let address = |n: u32| GuestAddr(at + 4 * n as u64);
        let end = starts[b] + words.len() as u32;
        shapes.push(BlockShape { start: address(starts[b]), end: address(end), switch: None });
        all.extend(words);
    }
    let shape = FunctionShape { isa, name: format!("g{at:x}"), entry: GuestAddr(at), blocks: shapes };
    let mut f = isa::lift_function(&shape, &Words(at, all));
    ir::pass::run_default(&mut f, isa.file());
    f
}

/// Runs `f` on the evaluator up to its load.
pub fn reference(f: &Function, file: &RegFile, regs: &mut [u128]) {
    reference_to(f, file, regs, u64::MAX);
}

/// As `reference`, or until `stores` stores have been made and the next begins; gives the address of that.
pub fn reference_to(f: &Function, file: &RegFile, regs: &mut [u128], mut stores: u64) -> GuestAddr {
    let mut pc = f.entry;
    let mut env = FpEnv::default();
    let mut b = 0;
    loop {
        let block = &f.blocks[b];
        let mut values = vec![0u128; block.insts.len()];
        for (i, inst) in block.insts.iter().enumerate() {
            let v = |v: Value| values[v.0 as usize];
            values[i] = match *inst {
                Inst::Const { bits, .. } => bits,
                Inst::Get(r) => regs[r.0 as usize],
                Inst::Set(r, x) => {
                    regs[r.0 as usize] = v(x);
                    0
                }
                Inst::Pure { op, ty, args } => {
                    let ty_of = |v: Value| block.insts[v.0 as usize].result(block, |r| file.info(r).ty);
                    let args: Vec<Bits> = args[..op.arity()]
                        .iter()
                        .map(|&a| Bits::new(ty_of(a).expect("a value"), v(a)))
                        .collect();
                    eval(op, ty, &args, &mut env)
                }
                Inst::Load { .. } => return pc,
                Inst::Mark(at) => {
                    pc = at;
                    0
                }
                Inst::Store { .. } if stores == 0 => return pc,
                Inst::Store { .. } => {
                    stores -= 1;
                    0
                }
                _ => 0,
            };
        }
        b = match &block.term {
            Term::Jump(b) => b.0 as usize,
            Term::Branch { cond, then, els } => {
                (if values[cond.0 as usize] != 0 { then } else { els }).0 as usize
            }
            t => panic!("unexpected {t:?}"),
        };
    }
}

/// The address, of 31 bits, behind a page that can be accessed.
pub fn edge() -> u64 {
    let page = 4096usize;
    // SAFETY: a fresh mapping, whose second page is taken away.
    unsafe {
        let p = libc::mmap(
            std::ptr::null_mut(),
            2 * page,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
            -1,
            0,
        );
        assert_ne!(p, libc::MAP_FAILED);
        assert_eq!(libc::mprotect(p.byte_add(page), page, libc::PROT_NONE), 0);
        p as u64 + page as u64
    }
}

/// Runs `f`, which is the `i`th function of `program`, from `s` to the store that faults, behind `stores` others, in host code and on
/// the evaluator: address, flags, the first `gprs` registers and those of floats and vectors must be the same. `level` is for the message.
pub fn compare_at_store(
    program: &Program,
    (i, f): (usize, &Function),
    file: &'static RegFile,
    mut s: GuestState,
    stores: u64,
    gprs: usize,
    level: u8,
) {
    let flags = file.regs.iter().position(|r| r.name == "n").expect("the register file has flags");
    let mut regs = vec![0u128; file.regs.len()];
    for (r, x) in regs.iter_mut().zip(s.x) {
        *r = x as u128;
    }
    for (n, &f) in s.nzcv.iter().enumerate() {
        regs[flags + n] = f as u128;
    }
    let vectors = |s: &GuestState| -> Vec<(usize, u128)> {
        let is_vector = |r: &(usize, &RegInfo)| matches!(r.1.ty, Type::F64 | Type::V128);
        let value = |(n, r): (usize, &RegInfo)| {
            let at = r.offset as usize - std::mem::offset_of!(GuestState, v);
            let [low, high] = s.v[at / 16].map(u128::from);
            let all = if at % 16 == 8 { high } else { low | high << 64 };
            (n, all & r.ty.mask())
        };
        file.regs.iter().enumerate().filter(is_vector).map(value).collect()
    };
    for (n, v) in vectors(&s) {
        regs[n] = v;
    }
    let pc = reference_to(f, file, &mut regs, stores);
    assert_eq!(program.run_faulting(i, &mut s), EXIT_PC);
    let nzcv: [u8; 4] = std::array::from_fn(|n| regs[flags + n] as u8);
    let expected: Vec<u64> = regs[..gprs].iter().map(|&r| r as u64).collect();
    let what = || format!("-O{level}, {stores} stores: {}", f.display(file));
    assert_eq!((s.pc, s.nzcv), (pc.0, nzcv), "{}", what());
    assert_eq!(s.x[..gprs], expected, "{}", what());
    for (n, v) in vectors(&s) {
        assert_eq!(v, regs[n], "{} of {}", file.regs[n].name, what());
    }
}
