//! Random instructions of the integer, memory, branch and system groups against qemu: each word is lifted, its IR run by
//! the small executor below with `ir::eval`, and registers, memory, faults and the next pc are compared with what the
//! oracle program (`testsuite/guest/insn-oracle.c`) did with the same word. Needs `aarch64-linux-gnu-gcc` and
//! `qemu-aarch64-static`. `XLATE_SEED`, `XLATE_RANDOM` (words per row) and `XLATE_ROW` (part of a name) vary the choice.

mod common;

use common::machine::{Fault, Guest, Machine, SIGBUS, SIGSEGV};
use common::random::Random;
use common::{Directory, ask, build, number};
use ir::{Align, Builder, CallTarget, GuestAddr, RegFile, Term, TrapKind};
use isa::Exit;
use isa::a64::{self, Outcome, reg};

const SCRATCH: u64 = 0x1000_0000;
const SCRATCH_SIZE: usize = 4096;
const WORD: u64 = 0x2000_0000;
const SIGILL: u32 = 4;
const SIGTRAP: u32 = 5;

/// Registers and memory before or after an instruction; the oracle's record.
#[derive(Clone, PartialEq)]
struct State {
    x: [u64; 31],
    sp: u64,
    nzcv: u64,
    fpcr: u64,
    fpsr: u64,
    pc: u64,
    addr: u64,
    signal: u32,
    v: [u128; 32],
    memory: Vec<u8>,
}

impl State {
    fn to_record(&self, word: u32) -> Vec<u8> {
        let mut r = Vec::new();
        r.extend(word.to_le_bytes());
        r.extend(1u32.to_le_bytes());
        for v in self.x.iter().chain([&self.sp, &self.nzcv, &self.fpcr, &self.fpsr, &0, &0]) {
            r.extend(v.to_le_bytes());
        }
        for v in &self.v {
            r.extend(v.to_le_bytes());
        }
        r.extend(&self.memory);
        r
    }

    fn from_record(r: &[u8]) -> State {
        let word = |i: usize| u64::from_le_bytes(r[i..i + 8].try_into().expect("8 bytes"));
        State {
            x: std::array::from_fn(|i| word(8 + 8 * i)),
            sp: word(256),
            nzcv: word(264),
            fpcr: word(272),
            fpsr: word(280),
            pc: word(288),
            addr: word(296),
            signal: u32::from_le_bytes(r[4..8].try_into().expect("4 bytes")),
            v: std::array::from_fn(|i| {
                u128::from_le_bytes(r[304 + 16 * i..][..16].try_into().expect("16 bytes"))
            }),
            memory: r[816..].to_vec(),
        }
    }

    /// What differs, for a failure message.
    fn differences(&self, other: &State) -> Vec<String> {
        let mut d = Vec::new();
        let mut compare = |name: String, a: u128, b: u128| {
            if a != b {
                d.push(format!("{name}: lifted {a:#x}, oracle {b:#x}"));
            }
        };
        for i in 0..31 {
            compare(format!("x{i}"), self.x[i] as u128, other.x[i] as u128);
        }
        for i in 0..32 {
            compare(format!("v{i}"), self.v[i], other.v[i]);
        }
        for (name, a, b) in [
            ("sp", self.sp, other.sp),
            ("nzcv", self.nzcv, other.nzcv),
            ("fpcr", self.fpcr, other.fpcr),
            ("fpsr", self.fpsr, other.fpsr),
            ("pc", self.pc, other.pc),
            ("si_addr", self.addr, other.addr),
            ("signal", self.signal as u64, other.signal as u64),
        ] {
            compare(name.into(), a as u128, b as u128);
        }
        for (i, (a, b)) in self.memory.iter().zip(&other.memory).enumerate() {
            compare(format!("memory {i:#x}"), *a as u128, *b as u128);
        }
        d
    }
}

/// What lifted code sees.
struct World {
    s: State,
    qc: bool,
}

impl Guest for World {
    const FILE: &'static RegFile = &a64::FILE;

    fn get(&self, r: ir::Reg) -> u128 {
        let flag = |bit: u64| (self.s.nzcv >> bit & 1) as u128;
        match r {
            reg::SP => self.s.sp as u128,
            reg::N => flag(31),
            reg::Z => flag(30),
            reg::C => flag(29),
            reg::V => flag(28),
            reg::QC => self.qc as u128,
            reg::TPIDR | reg::TPIDRRO => 0,
            ir::Reg(n) if n < 31 => self.s.x[n as usize] as u128,
            ir::Reg(n) => self.s.v[n as usize - 32],
        }
    }

    fn set(&mut self, r: ir::Reg, v: u128) {
        let mut flag = |bit: u64| self.s.nzcv = self.s.nzcv & !(1 << bit) | (v as u64) << bit;
        match r {
            reg::SP => self.s.sp = v as u64,
            reg::N => flag(31),
            reg::Z => flag(30),
            reg::C => flag(29),
            reg::V => flag(28),
            reg::QC => self.qc = v != 0,
            reg::TPIDR | reg::TPIDRRO => {}
            ir::Reg(n) if n < 31 => self.s.x[n as usize] = v as u64,
            ir::Reg(n) => self.s.v[n as usize - 32] = v,
        }
    }

    /// In the scratch page. The top byte of addresses is ignored, and Linux clears it in si_addr.
    fn memory(&mut self, tagged: u64, bytes: u32, align: Align, _write: bool) -> Result<&mut [u8], Fault> {
        let addr = ((tagged << 8) as i64 >> 8) as u64;
        // Linux's untagged_addr().
        let far = tagged & addr;
        let start = addr.wrapping_sub(SCRATCH);
        let end = addr.wrapping_add(bytes as u64 - 1).wrapping_sub(SCRATCH);
        let size = SCRATCH_SIZE as u64;
        if !addr.is_multiple_of(align.bytes(bytes).into()) {
            Err(Fault(SIGBUS, far))
        } else if start < size && end < size {
            Ok(&mut self.s.memory[start as usize..=end as usize])
        } else if start < size {
            Err(Fault(SIGSEGV, SCRATCH + size))
        } else {
            Err(Fault(SIGSEGV, far))
        }
    }
}

/// A machine in this state.
fn machine(s: &State) -> Machine<World> {
    let qc = s.fpsr >> 27 & 1 != 0;
    Machine::new(World { s: s.clone(), qc }, s.fpcr as u32, s.fpsr as u32)
}

/// Its state.
fn state(m: &Machine<World>) -> State {
    let mut s = m.guest.s.clone();
    s.fpcr = m.env.fpcr as u64;
    s.fpsr = m.env.fpsr as u64 | (m.guest.qc as u64) << 27;
    s
}

/// The state after `word`, by the lifter.
fn execute(word: u32, before: &State) -> State {
    let pc = GuestAddr(WORD);
    let mut b = Builder::new(&a64::FILE, pc);
    let outcome = a64::lift_insn(&mut b, word, pc);
    let block = b.finish(Term::Fallback { pc });
    let mut m = machine(before);
    if let Err(Fault(signal, addr)) = m.run(&block.insts) {
        // Stores made before the fault stay; registers do not.
        return State { signal, addr, pc: WORD, memory: m.guest.s.memory, ..before.clone() };
    }
    let after = State { pc: WORD + 4, ..state(&m) };
    let trap = |signal| State { signal, pc: WORD, addr: WORD, ..before.clone() };
    // A branch drops the target's tag (Arm ARM, BranchAddr), which is the dispatcher's business in translated code.
    let to = |mut s: State, target: u64| {
        s.pc = target & ((target << 8) as i64 >> 8) as u64;
        s
    };
    match outcome {
        Outcome::Next | Outcome::End(Exit::Next(_)) => after,
        Outcome::End(Exit::Jump(a)) => to(after, a.0),
        Outcome::End(Exit::Branch { cond, then, els }) => {
            let taken = m.value(cond) != 0;
            to(after, if taken { then.0 } else { els.0 })
        }
        Outcome::End(Exit::Call { target: CallTarget::Direct(a), .. }) => to(after, a.0),
        Outcome::End(
            Exit::Call { target: CallTarget::Indirect(v), .. } | Exit::Indirect(v) | Exit::Return(v),
        ) => {
            let target = m.value(v) as u64;
            to(after, target)
        }
        Outcome::End(Exit::Trap { kind: TrapKind::Undefined, .. }) => trap(SIGILL),
        Outcome::End(Exit::Trap { kind: TrapKind::Breakpoint(_), .. }) => trap(SIGTRAP),
        Outcome::End(Exit::Syscall { .. } | Exit::Fallback { .. }) => panic!("{word:08x}: {outcome:?}"),
    }
}

/// Rows whose random words say nothing: why.
fn excluded(name: &str, word: u32) -> Option<&'static str> {
    match name {
        "SVC" | "HVC" | "SMC" | "HLT" => Some("refused by the oracle, or semihosting"),
        "DCPS1" | "DCPS2" | "DCPS3" | "ERET" | "DRPS" => Some("not for EL0"),
        "SYS" | "SYSL" | "MSR (immediate)" => Some("qemu has more features than we announce"),
        "MRS" | "MSR (register)" => {
            let known = [0xd510_4200, 0xd51b_4400, 0xd51b_4420, 0xd51b_4200].contains(&(word & 0xffdf_ffe0));
            (!known).then_some("ID registers differ, and the oracle itself uses TPIDR_EL0")
        }
        "XPACLRI" => Some("qemu -cpu max has pointer authentication, we do not"),
        _ if name.starts_with("PACIA") => Some("qemu -cpu max has pointer authentication, we do not"),
        "DC ZVA" => Some("qemu -cpu max has another block size"),
        "DC CVAP" | "DC CVADP" => Some("undefined in qemu 7.2 user mode, in spite of its announcement"),
        _ => None,
    }
}

fn random_state(random: &mut Random, memory: bool) -> State {
    let mut x = [0; 31];
    for (i, x) in x.iter_mut().enumerate() {
        *x = match (memory, random.below(8)) {
            (true, 0) => SCRATCH + random.below(32),
            (true, 1) => SCRATCH + 4096 - random.below(40),
            (true, 2) => random.interesting(),
            (true, 3) => SCRATCH + 0x800 + random.below(16),
            (true, _) if i % 2 == 0 => SCRATCH + 0x800 + 16 * random.below(16),
            (true, _) => (random.below(64) as i64 - 32) as u64,
            _ => random.interesting(),
        };
    }
    let mut bytes = vec![0; SCRATCH_SIZE];
    // Only what accesses reach is worth filling.
    for b in bytes.iter_mut() {
        *b = random.next() as u8;
    }
    State {
        x,
        sp: SCRATCH + 0x800,
        nzcv: random.below(16) << 28,
        fpcr: 0,
        fpsr: 0,
        pc: 0,
        addr: 0,
        signal: 0,
        v: std::array::from_fn(|_| (random.next() as u128) << 64 | random.interesting() as u128),
        memory: bytes,
    }
}

#[test]
fn random_instructions_agree_with_qemu() {
    let per_row = number("XLATE_RANDOM", 12);
    let only = std::env::var("XLATE_ROW").unwrap_or_default();
    let mut random = Random::seeded(number("XLATE_SEED", 1));
    let mut cases = Vec::new();
    for row in a64::rows().filter(|r| a64::is_integer_row(r) && r.name.contains(&only)) {
        let (mask, value) = row.bits();
        for _ in 0..per_row {
            let word = value | random.next() as u32 & !mask;
            if a64::decode(word).is_none_or(|r| r.name != row.name) || excluded(row.name, word).is_some() {
                continue;
            }
            // Data processing gets numbers, the rest (bits 28:26 x1x0, branches to registers) pointers.
            let memory = word >> 27 & 1 == 1 && word >> 25 & 1 == 0 || word >> 25 & 0x7f == 0x6b;
            let state = random_state(&mut random, memory);
            let after = execute(word, &state);
            // Not into the oracle's own memory: its code pages and its program.
            let within = |start: u64, size: u64| after.addr.wrapping_sub(start) < size;
            if after.signal == SIGSEGV
                && (within(WORD - 0x0800_0000, 0x1000_0000) || within(0x40_0000, 0x20_0000))
            {
                continue;
            }
            cases.push((row.name, word, state));
        }
    }
    let dir = Directory::new("int-oracle");
    let program = build("aarch64-linux-gnu-gcc", "insn-oracle.c", &[], &dir.0);
    let input = cases.iter().flat_map(|(_, word, state)| state.to_record(*word)).collect();
    let out = ask("qemu-aarch64-static", &program, input).unwrap_or_else(|e| panic!("oracle: {e}"));

    let mut failures = Vec::new();
    let records = out.chunks_exact(816 + SCRATCH_SIZE);
    assert_eq!(records.len(), cases.len(), "the oracle answers every record");
    for ((name, word, before), record) in cases.iter().zip(records) {
        let mut oracle = State::from_record(record);
        let mut ours = execute(*word, before);
        normalise(name, &mut ours, &mut oracle);

        let differences = ours.differences(&oracle);
        if !differences.is_empty() {
            failures.push(format!("{name}: {word:08x}: {}", differences.join("; ")));
        }
    }
    let mut seen = std::collections::HashMap::<String, usize>::new();
    let total = failures.len();
    failures.retain(|f| {
        let count = seen.entry(f.split(": ").next().unwrap_or_default().into()).or_default();
        *count += 1;
        *count <= 3
    });
    let shown = failures.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{total} of {} differ:\n{shown}", cases.len());
}

/// Removes differences that are none: how the oracle reports branches, and what qemu leaves undone.
fn normalise(name: &str, ours: &mut State, oracle: &mut State) {
    if ours.signal == 0 && ours.pc != WORD + 4 {
        // A taken branch arrives as a signal at its target.
        oracle.signal = 0;
        oracle.addr = 0;
    }
    let parts = ["LD1", "LD2", "LD3", "LD4", "ST1", "ST2", "ST3", "ST4"].iter().any(|p| name.starts_with(p));
    if oracle.signal == SIGSEGV && (parts || name.contains("128-bit") || name.contains("P (SIMD&FP")) {
        // qemu keeps what it loaded or stored before the fault; the architecture allows both.
        (oracle.v, oracle.memory) = (ours.v, ours.memory.clone());
    }
    if ours.signal == SIGBUS && name.starts_with("LDAP") {
        // qemu 7.2 does not check their alignment.
        *ours = oracle.clone();
    }
    if oracle.addr == u64::MAX && name.starts_with("ST") && name.contains('X') {
        // -1 is qemu's closed monitor.
        *ours = oracle.clone();
    }
    if oracle.signal == SIGSEGV && oracle.addr == 0 {
        // qemu on x86 does not learn the address of a non-canonical access.
        ours.addr = 0;
    }
}

/// Lifted as one run, where conditions fuse with what set the flags, instructions do what they do lifted one by one.
#[test]
fn fusing_conditions_changes_nothing() {
    let mut random = Random(7);
    let in_group = |prefixes: &[&str]| -> Vec<_> {
        a64::rows().filter(|r| prefixes.iter().any(|p| r.name.starts_with(p))).map(|r| r.bits()).collect()
    };
    let setters = in_group(&[
        "ADDS", "SUBS", "ANDS", "BICS", "ADCS", "SBCS", "FCMP", "CFINV", "RMIF", "SETF", "AXFLAG", "XAFLAG",
    ]);
    let middle = in_group(&["CCMP", "CCMN", "FCCMP", "ADD (", "MSR (register)"]);
    let readers = in_group(&["CSEL", "CSINC", "CSINV", "CSNEG", "CCMP", "B.cond", "ADC", "FCSEL"]);
    struct Words(Vec<u32>);
    impl isa::Code for Words {
        fn word(&self, pc: GuestAddr) -> Option<u32> {
            self.0.get((pc.0.checked_sub(WORD)? / 4) as usize).copied()
        }
    }
    for _ in 0..20_000 {
        let words: Vec<u32> = [&setters, &middle, &middle, &readers]
            .into_iter()
            .filter_map(|group| {
                let (mask, value) = group[random.below(group.len().max(1) as u64) as usize];
                // Few registers, so that later words use what earlier ones wrote; but FCMP keeps its opcode bits.
                let word = value | random.next() as u32 & !mask & 0xffe3_ffff;
                a64::is_defined(word).then_some(word)
            })
            .collect();
        if words.is_empty() {
            continue;
        }
        let mut before = random_state(&mut random, false);
        before.pc = WORD;
        let code = Words(words);
        let end = GuestAddr(WORD + 4 * code.0.len() as u64);
        let run = a64::lift_run(&code, GuestAddr(WORD), end, usize::MAX);
        let finish = |m: Machine<World>, exit: Exit| {
            let pc = match exit {
                Exit::Branch { cond, then, els } => {
                    if m.value(cond) != 0 {
                        then.0
                    } else {
                        els.0
                    }
                }
                Exit::Jump(a) | Exit::Next(a) => a.0,
                e => panic!("{e:?}"),
            };
            State { pc, ..state(&m) }
        };
        let mut fused = machine(&before);
        assert!(fused.run(&run.insts).is_ok());
        let fused = finish(fused, run.exit);
        let mut single = before.clone();
        while let Some(word) = isa::Code::word(&code, GuestAddr(single.pc)) {
            let pc = GuestAddr(single.pc);
            let mut b = Builder::new(&a64::FILE, pc);
            let exit = match a64::lift_insn(&mut b, word, pc) {
                Outcome::Next => Exit::Next(pc.offset(4)),
                Outcome::End(e) => e,
            };
            let mut m = machine(&single);
            assert!(m.run(&b.finish(Term::Fallback { pc }).insts).is_ok());
            single = finish(m, exit);
            if !matches!(exit, Exit::Next(_)) {
                break;
            }
        }
        let differences = fused.differences(&single);
        assert!(
            differences.is_empty(),
            "{:08x?} (oracle: one by one): {}\n{}",
            code.0,
            differences.join("; "),
            ir::display_insts(&run.insts, &a64::FILE)
        );
    }
}
