//! Compiles IR functions with the emitter, links them into a shared object with the runtime's symbols stubbed, loads it
//! into this process, and calls them: how tests run IR in the LLVM engine.
#![allow(unsafe_code, dead_code)]

pub mod a32;
pub mod graph;

use abi::{Exit, GuestState};
use emit_llvm::{Checkpoints, Hot, Options};
use ir::eval::{Bits, FpEnv, eval};
use ir::{Function, GuestAddr, Type, TypedOp};
use isa::a64::{FILE, reg};
use std::ffi::{CStr, CString};

/// Options for tests: text at 0x10000, 64 KiB of it.
pub fn options(opt: u8, checkpoints: Checkpoints) -> Options {
    Options {
        opt,
        cpu: "x86-64-v2".into(),
        checkpoints,
        text_base: GuestAddr(0x10000),
        text_size: 0x10000,
        addresses: emit_llvm::Addresses::Fixed,
        position_independent: false,
        hot: Hot {
            gprs: [0, 1, 2, 3, 4, 8, 19, 29, 30, 31].map(|n| if n == 31 { reg::SP } else { reg::x(n) }),
            // Three at home in their slots, as in every output of code that saves registers.
            vecs: std::array::from_fn(|n| if n < 3 { reg::x([20, 21, 24][n]) } else { reg::v(n as u32 - 3) }),
            link: reg::LR,
            link_is_guest: true,
        },
        regs: &FILE,
        dispatch_unit: 4,
    }
}

/// Stubs of the runtime's symbols. `soft_callback` and `syscall_callback` are set by the test; `again_callback` and `run_callback` may be.
const STUBS: &str = r#"
    .globl soft_callback, syscall_callback, again_callback, run_callback
    .protected soft_callback, syscall_callback, again_callback, run_callback
    .data
soft_callback: .quad 0
syscall_callback: .quad 0
again_callback: .quad 0
run_callback: .quad 0
    .text
    .hidden xl_rt_soft_op
    .globl xl_rt_soft_op
xl_rt_soft_op:
    pushq %rbp
    movq %rsp, %rbp
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $264, %rsp
    andq $-16, %rsp
    movaps %xmm0, (%rsp)
    movaps %xmm1, 16(%rsp)
    movaps %xmm2, 32(%rsp)
    movaps %xmm3, 48(%rsp)
    movaps %xmm4, 64(%rsp)
    movaps %xmm5, 80(%rsp)
    movaps %xmm6, 96(%rsp)
    movaps %xmm7, 112(%rsp)
    movaps %xmm8, 128(%rsp)
    movaps %xmm9, 144(%rsp)
    movaps %xmm10, 160(%rsp)
    movaps %xmm11, 176(%rsp)
    movaps %xmm12, 192(%rsp)
    movaps %xmm13, 208(%rsp)
    movaps %xmm14, 224(%rsp)
    movaps %xmm15, 240(%rsp)
    movq %r11, %rdi
    movq SOFT_OP_OFFSET(%r11), %rsi
    call *soft_callback(%rip)
    movaps (%rsp), %xmm0
    movaps 16(%rsp), %xmm1
    movaps 32(%rsp), %xmm2
    movaps 48(%rsp), %xmm3
    movaps 64(%rsp), %xmm4
    movaps 80(%rsp), %xmm5
    movaps 96(%rsp), %xmm6
    movaps 112(%rsp), %xmm7
    movaps 128(%rsp), %xmm8
    movaps 144(%rsp), %xmm9
    movaps 160(%rsp), %xmm10
    movaps 176(%rsp), %xmm11
    movaps 192(%rsp), %xmm12
    movaps 208(%rsp), %xmm13
    movaps 224(%rsp), %xmm14
    movaps 240(%rsp), %xmm15
    leaq -104(%rbp), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    popq %rbp
    retq

    .hidden xl_rt_syscall
    .globl xl_rt_syscall
xl_rt_syscall:
    jmp *syscall_callback(%rip)

    .hidden xl_rt_again
    .globl xl_rt_again
xl_rt_again:
    movq again_callback(%rip), %rax
    testq %rax, %rax
    jz 1f
    jmp *%rax
1:  retq

    .hidden xl_rt_run
    .globl xl_rt_run
xl_rt_run:
    movl $EXIT_PC, EXIT_OFFSET(%rdi)
    movq run_callback(%rip), %rax
    testq %rax, %rax
    jz 1f
    jmp *%rax
1:  retq

    .globl test_enter, test_leave
test_enter:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    movq %rsp, saved_sp(%rip)
    call xl_enter
1:  addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    retq
test_leave:
    movq saved_sp(%rip), %rsp
    movq $-1, %rax
    jmp 1b
    .local saved_sp
    .comm saved_sp,8,8

    .globl test_checkpoints, test_checkpoints_end
    .hidden __start_xl_ckpt, __stop_xl_ckpt
test_checkpoints:
    leaq __start_xl_ckpt(%rip), %rax
    retq
test_checkpoints_end:
    leaq __stop_xl_ckpt(%rip), %rax
    retq
    .section xl_ckpt,"a",@progbits
    .section .note.GNU-stack,"",@progbits
"#;

extern "C" fn soft_op(state: *mut GuestState, op: *const abi::SoftOp) {
    // SAFETY: lifted code passes its state and a record of its object.
    let (state, text) = unsafe { (&mut *state, CStr::from_ptr((*op).text.cast())) };
    let text = text.to_str().expect("text is ASCII");
    let op = TypedOp::parse(text).unwrap_or_else(|| panic!("soft operation `{text}` does not parse"));
    let args: Vec<Bits> = op
        .operands()
        .iter()
        .zip(state.soft_args)
        .map(|(&t, a)| Bits::new(t, a[0] as u128 | (a[1] as u128) << 64))
        .collect();
    let mut env = FpEnv { fpcr: state.fpcr, fpsr: state.fpsr };
    let r = eval(op.op, op.ty, &args, &mut env);
    state.fpsr = env.fpsr;
    state.soft_result = [r as u64, (r >> 64) as u64];
}

/// A loaded program.
pub struct Program {
    enter: extern "C" fn(*mut GuestState, *const u8) -> u64,
    entries: Vec<*const u8>,
    pub checkpoints: &'static [abi::CheckpointEntry],
    pub resume: Vec<emit_llvm::ResumePoint>,
    text_base: u64,
    leave: u64,
    again: *mut usize,
    run: *mut usize,
    _dir: tempfile::TempDir,
}

impl Program {
    /// Compiles and loads; the functions must have distinct names.
    pub fn new(functions: &[Function], options: &Options) -> Program {
        Self::with_syscall(functions, options, None)
    }

    pub fn with_syscall(
        functions: &[Function],
        options: &Options,
        syscall: Option<extern "C" fn(*mut GuestState) -> u64>,
    ) -> Program {
        for f in functions {
            let errors = ir::verify(f, options.regs);
            assert!(errors.is_empty(), "{}: {errors:?}", f.name);
        }
        let resolve = |a: GuestAddr| functions.iter().find(|f| f.entry == a).map(emit_llvm::symbol_of);
        let dir = tempfile::tempdir().expect("temporary directory");
        let unit = emit_llvm::emit_unit("test", functions, options, &resolve).expect("functions compile");
        let path = |n: &str| dir.path().join(n);
        std::fs::write(path("unit.o"), &unit.object).expect("write");
        std::fs::write(path("glue.o"), emit_llvm::emit_glue(options).expect("glue compiles")).expect("write");
        let offset = std::mem::offset_of!(GuestState, soft_op).to_string();
        let mut asm = STUBS.replace("SOFT_OP_OFFSET", &offset);
        let exit = std::mem::offset_of!(GuestState, exit).to_string();
        asm = asm.replace("EXIT_OFFSET", &exit).replace("EXIT_PC", &(Exit::Pc as u32).to_string());
        // The table is in front of what it is relative to, as in an output.
        asm += "    .section .rodata,\"a\"\n    .globl entries\n    .hidden xl_dispatch\n    .globl xl_dispatch\n    .balign 8\nxl_dispatch:\n";
        for n in 0..options.text_size / 4 {
            let a = GuestAddr(options.text_base.0 + 4 * n);
            match resolve(a) {
                Some(s) => asm += &format!("    .long \"{s}\" - xl_dispatch\n"),
                None => asm += "    .long 0\n",
            }
        }
        asm += "    .section .data.rel.ro,\"aw\"\n    .balign 8\nentries:\n";
        for f in functions {
            asm += &format!("    .quad \"{}\"\n", emit_llvm::symbol_of(f));
        }
        std::fs::write(path("stubs.s"), asm).expect("write");
        let status = std::process::Command::new("cc")
            .args(["-shared", "-o"])
            .arg(path("test.so"))
            .args([path("unit.o"), path("glue.o"), path("stubs.s")])
            .status()
            .expect("cc runs");
        assert!(status.success(), "the linker refuses");
        let so = CString::new(path("test.so").to_str().expect("UTF-8")).expect("no NUL");
        // SAFETY: the object was just built, its symbols have the types given here, and it is never unloaded.
        unsafe {
            let h = libc::dlopen(so.as_ptr(), libc::RTLD_NOW);
            assert!(!h.is_null(), "{:?}", CStr::from_ptr(libc::dlerror()));
            let sym = |n: &CStr| libc::dlsym(h, n.as_ptr());
            *(sym(c"soft_callback") as *mut usize) = soft_op as *const () as usize;
            if let Some(f) = syscall {
                *(sym(c"syscall_callback") as *mut usize) = f as *const () as usize;
            }
            let entries = std::slice::from_raw_parts(sym(c"entries") as *const *const u8, functions.len());
            let bound = |n| {
                std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> *const abi::CheckpointEntry>(sym(
                    n,
                ))()
            };
            let (start, end) = (bound(c"test_checkpoints"), bound(c"test_checkpoints_end"));
            let checkpoints = if start.is_null() {
                &[]
            } else {
                std::slice::from_raw_parts(start, end.offset_from(start) as usize)
            };
            Program {
                enter: std::mem::transmute::<
                    *mut libc::c_void,
                    extern "C" fn(*mut GuestState, *const u8) -> u64,
                >(sym(c"test_enter")),
                entries: entries.to_vec(),
                checkpoints,
                resume: unit.resume,
                text_base: options.text_base.0,
                leave: sym(c"test_leave") as u64,
                again: sym(c"again_callback") as *mut usize,
                run: sym(c"run_callback") as *mut usize,
                _dir: dir,
            }
        }
    }

    /// Host address of function `index`.
    pub fn entry(&self, index: usize) -> u64 {
        self.entries[index] as u64
    }

    /// What the runtime says of those who come back to elsewhere; without it, that nobody resumes.
    pub fn set_again(&self, f: extern "C" fn(*mut GuestState, u64) -> u32) {
        // SAFETY: a word of the loaded object, which the stub above reads.
        unsafe { *self.again = f as *const () as usize };
    }

    /// What the runtime does with calls of what has no function; without it, it goes on at the target with no frames.
    pub fn set_run(&self, f: extern "C" fn(*mut GuestState) -> u32) {
        // SAFETY: as above.
        unsafe { *self.run = f as *const () as usize };
    }

    /// Enters function `index`; gives the guest pc.
    pub fn run(&self, index: usize, state: &mut GuestState) -> u64 {
        let pc = (self.enter)(state, self.entries[index]);
        state.settle_flags();
        if state.exit != abi::Exit::Pc as u32 {
            return pc;
        }
        assert_eq!(pc, abi::EXIT_PC);
        state.exit = abi::Exit::None as u32;
        state.pc
    }

    /// As `run`, with a handler for host faults that does what the runtime's does.
    pub fn run_faulting(&self, index: usize, state: &mut GuestState) -> u64 {
        install_handler();
        RUNNING.set((self as *const Program, state as *mut GuestState));
        let pc = self.run(index, state);
        RUNNING.set((std::ptr::null(), std::ptr::null_mut()));
        pc
    }

    /// Address of an entry's access, and its label if there is one.
    pub fn checkpoint(&self, n: usize) -> (u64, Option<u64>) {
        let e = &self.checkpoints[n];
        let access = (&raw const e.access as u64).wrapping_add_signed(e.access as i64);
        let label = (&raw const e.label as u64).wrapping_add_signed(e.label as i64);
        (access, (e.label != 0).then_some(label))
    }
}

thread_local! {
    static RUNNING: std::cell::Cell<(*const Program, *mut GuestState)> =
        const { std::cell::Cell::new((std::ptr::null(), std::ptr::null_mut())) };
}

fn install_handler() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler follows the kernel's signature.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
            assert_eq!(libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut()), 0);
        }
    });
}

extern "C" fn fault(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a ucontext; the program and state are those that this thread runs.
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let (program, state) = RUNNING.get();
        if program.is_null() {
            libc::abort();
        }
        let (program, state) = (&*program, &mut *state);
        let rip = registers[libc::REG_RIP as usize] as u64;
        let found = (0..program.checkpoints.len()).find(|&n| program.checkpoint(n).0 == rip);
        let Some(n) = found else { libc::abort() };
        state.pc = program.text_base + program.checkpoints[n].guest as u64;
        state.exit = abi::Exit::Checkpoint as u32;
        registers[libc::REG_RIP as usize] = program.checkpoint(n).1.unwrap_or(program.leave) as i64;
    }
}

pub fn mxcsr() -> u32 {
    let mut m = 0u32;
    // SAFETY: stores four bytes.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut m) };
    m
}

pub fn set_mxcsr(m: u32) {
    // SAFETY: loads four bytes; callers put the default back before floating-point code of Rust's runs.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &m) };
}

/// Small deterministic random numbers (xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Values that matter, of the width of `ty`, repeated over a vector.
pub fn operand(ty: Type, random: &mut Random) -> u128 {
    let lane = |r: &mut Random, bits: u32| -> u128 {
        let special64: [u64; 24] = [
            0,
            1,
            2,
            u64::MAX,
            1 << 63,
            i64::MAX as u64,
            0x3ff0000000000000,
            0xbff0000000000000,
            0x7ff0000000000000,
            0xfff0000000000000,
            0x7ff8000000000123,
            0x7ff0000000000456,
            0xfff4000000000000,
            0x000fffffffffffff,
            0x0010000000000000,
            0x41dfffffffc00000,
            0x41e0000000000000,
            0xc1e0000000200000,
            0x43e0000000000000,
            0x3fe0000000000000,
            0x4004000000000000,
            0xbfe8000000000000,
            63,
            64,
        ];
        let special32: [u64; 20] = [
            0, 1, 0xffffffff, 0x80000000, 0x7fffffff, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
            0x7fc00123, 0x7f800456, 0x007fffff, 0x00800000, 0x4f000000, 0x4f800000, 0xcf000001, 0x3f000000,
            0x40200000, 31, 33,
        ];
        let x = r.next();
        let v = match (x >> 60, bits) {
            (0..=5, 64) => special64[(x >> 20) as usize % special64.len()],
            (0..=5, 32) => special32[(x >> 20) as usize % special32.len()],
            (0..=3, _) => [0, 1, u64::MAX, 1 << (bits - 1), (1 << (bits - 1)) - 1, 2, bits as u64]
                [(x >> 20) as usize % 7],
            // Exponents near the middle, so that sums and products are ordinary numbers.
            (6..=9, 64) => (r.next() & 0x800f_ffff_ffff_ffff) | (1023 - 32 + (x >> 8) % 70) << 52,
            (6..=9, 32) => (r.next() & 0x807f_ffff) | (127 - 16 + (x >> 8) % 50) << 23,
            (10, _) => r.next() & 0x7f,
            _ => r.next(),
        };
        v as u128 & ((1u128 << bits) - 1)
    };
    match ty {
        Type::I1 => random.next() as u128 & 1,
        Type::I128 | Type::V128 => {
            let bits = [8, 16, 32, 32, 64, 64][random.next() as usize % 6];
            (0..128 / bits).fold(0, |v, i| v | lane(random, bits) << (i * bits))
        }
        _ => lane(random, ty.bits()),
    }
}

/// FPSR bits of MXCSR's flags; the denormal flag has no counterpart while FZ is off.
pub fn fpsr_of(mxcsr: u32) -> u32 {
    let bit = |from: u32, to: u32| (mxcsr >> from & 1) << to;
    bit(0, 0) | bit(2, 1) | bit(3, 2) | bit(4, 3) | bit(5, 4)
}
