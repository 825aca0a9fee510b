//! The run-time compiler: guest code at an address → host code, by Cranelift. Takes code bytes and the addresses of the
//! runtime's helpers; gives position-independent host code with the table of its accesses. Keeps no code and maps no memory:
//! that is the host part's. Knows no system call, and of an instruction set only what `isa` says.
//!
//! A *region* is a piece of a guest function: what direct jumps reach from its entry. Guest registers are SSA values in it.
//! Before an access that can fault all registers written since the last one are stored to the guest state, unless all that was
//! done since then may be done again (see `point`); the pc at which the state is exact has to be found, by the table. Regions end in [`Link`]s or come back to the
//! dispatcher with one of [`Left`]'s reasons.
//!
//! A *checked* region looks at its own guest code: at its entry at all of it, at the head of a loop at the loop's. So each instruction
//! was what it was compiled from when the region was entered, or the present turn of the loop began.

mod emit;
mod flags;
mod float;
mod float_standard;
mod live;
mod op;
mod point;
mod region;
mod vector;

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, control::ControlPlane};
use cranelift_frontend::FunctionBuilderContext;
use ir::{FShape, GuestAddr, Round, TypedOp};
use std::sync::atomic::AtomicU64;

/// A way out of host code to a guest address, and an entry of the table for addresses known at run time only. Whoever goes
/// this way loads `host` and jumps there with the link's address as argument.
#[derive(Debug)]
#[repr(C)]
pub struct Link {
    /// Host entry: a region's, or that of the code that returns the link's address to the dispatcher.
    pub host: AtomicU64,
    /// The guest address. That of an exit ([`Compiled::exits`]) may be changed, while `host` leads back to the dispatcher; others'
    /// are constant, as who has compared one goes on to what `host` is then.
    pub pc: AtomicU64,
}

/// What host code returns, if not the address of a [`Link`]: why it came back, with the guest address in the state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Left {
    /// Go on there.
    Pc = 0,
    /// The instruction there is for the interpreter.
    Alone = 1,
    /// A system call, whose return address is there.
    Syscall = 2,
    /// The code there, or behind it, is not what it was.
    Changed = 3,
    /// The region there, compiled as [`First`] says, was entered often.
    Often = 4,
}

/// Addresses of the runtime's helpers, called with the C convention. Those that keep all registers cost nothing where they are
/// not called: no value has to be kept in memory for them.
#[derive(Clone, Copy, Debug)]
pub struct Helpers {
    /// `fn(state, *const TypedOp, args: *const [u128; 3], result: *mut u128)`: the evaluator. Keeps all registers.
    pub soft: u64,
    /// The first of routines `fn(value: *mut)` at [`ROUND_SIZE`] bytes' distance, which round to integers in the same type and place; see
    /// [`round_index`]. Keep all registers. SSE's instructions can do without raising Inexact, but Cranelift's operations cannot.
    pub round: u64,
    /// `fn(state)`: makes the state's flags bytes. Keeps all registers.
    pub settle: u64,
    /// `fn(state, pc: u64, access: u64)`: verification. The state is exact before the instruction at `pc`, which accesses memory if
    /// `access` is 1. Keeps all registers.
    pub verify: u64,
    /// `fn(state, register: u64) -> u64`: reads a system register (0 FPCR, 1 FPSR, 2 the counter).
    pub read_sys: u64,
    /// `fn(state, *const Atomic, address, args: *const [u128; 2], result: *mut u128) -> u64`: 1 after a fault, and nothing is done then.
    pub atomic: u64,
}

/// See [`Helpers::round`].
pub const ROUND_SIZE: u64 = 32;

/// Which of the routines of [`Helpers::round`] rounds numbers of that shape so: by shape (scalar f32, f64, vectors of f32, f64), then by
/// the immediate operand of ROUNDSD: the mode, as in MXCSR, or 4 for MXCSR's, and 8 if Inexact is not raised. `None`: none does.
pub fn round_index(shape: FShape, round: Round, exact: bool) -> Option<u64> {
    let shape = match shape {
        FShape::S => 0,
        FShape::D => 1,
        FShape::V2S | FShape::V4S => 2,
        FShape::V2D => 3,
        FShape::H | FShape::V4H | FShape::V8H | FShape::N2S | FShape::N4S => return None,
    };
    let mode = match (round, exact) {
        (Round::Current, true) => 4,
        (Round::Current, false) => 4 | 8,
        (Round::TieEven, false) => 8,
        (Round::MinusInf, false) => 1 | 8,
        (Round::PlusInf, false) => 2 | 8,
        (Round::Zero, false) => 3 | 8,
        (Round::TieAway | Round::Odd, _)
        | (Round::TieEven | Round::MinusInf | Round::PlusInf | Round::Zero, true) => return None,
    };
    Some(shape << 4 | mode)
}

/// An atomic access that a helper does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Atomic {
    /// What.
    pub op: AtomicOp,
    /// Its size in bytes.
    pub size: u32,
}

/// See [`Atomic`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtomicOp {
    /// Read-modify-write with the first argument.
    Rmw(ir::RmwOp),
    /// Compare with the first argument, store the second.
    Cas,
    /// Store-exclusive of the first argument; the result is its status.
    StoreEx,
}

/// Where things are that host code refers to by address. They must live as long as the code.
pub trait Arena {
    /// A new link to that guest address.
    fn link(&mut self, pc: u64) -> u64;
    /// A copy of the operation.
    fn typed_op(&mut self, op: TypedOp) -> u64;
    /// A copy of the access.
    fn atomic(&mut self, op: Atomic) -> u64;
    /// A counter of entries that stands at `n`.
    fn counter(&mut self, n: i32) -> u64;
}

/// The table for guest addresses known at run time only: `1 << log2` pointers to [`Link`]s.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its address.
    pub base: u64,
    /// See there.
    pub log2: u32,
    /// Low bits of guest addresses that do not tell entries apart.
    pub shift: u32,
}

impl Table {
    /// Where the link to that address belongs.
    pub fn index(&self, pc: u64) -> usize {
        (pc >> self.shift) as usize & ((1 << self.log2) - 1)
    }
}

/// What to compile.
pub struct Request<'a> {
    /// Instruction set of the code.
    pub isa: isa::Isa,
    /// Guest code.
    pub code: &'a dyn isa::Code,
    /// Where the region begins.
    pub pc: GuestAddr,
    /// True of addresses that no region goes on at: where there is other code.
    pub stop: &'a dyn Fn(u64) -> bool,
    /// How often control came there so far, 0 for hardly: regions do not go on there either, but may be larger. Most of what is never
    /// executed, such as the ways out of code that other run-time compilers make, is not compiled then. `None`: it is not known.
    pub seen: Option<&'a dyn Fn(u64) -> u16>,
    /// The region is compiled for the first time, quickly.
    pub first: Option<First<'a>>,
    /// The region is checked; see the module's heading.
    pub checked: bool,
    /// The region is compared with the interpreter: before each access and at heads of loops the state is made exact, and
    /// [`Helpers::verify`] is called.
    pub verified: bool,
    /// Floating-point operations are left to the evaluator (FPCR.FZ).
    pub soft_float: bool,
    /// See there.
    pub helpers: Helpers,
    /// See there.
    pub table: Table,
    /// The host has FMA3.
    pub fma: bool,
    /// True: print the IR and the host code.
    pub debug: bool,
}

/// How a region differs of which it is not known whether it is worth the time: it is small, goes on in other regions where it meets them,
/// and counts.
#[derive(Clone, Copy)]
pub struct First<'a> {
    /// True of addresses at which other regions begin.
    pub joins: &'a dyn Fn(u64) -> bool,
    /// The address of an `AtomicI32`: entries until the region comes back with [`Left::Often`] instead of going on.
    pub counter: u64,
}

/// A compiled region.
#[derive(Debug)]
pub struct Compiled {
    /// Host code, which begins with the entry.
    pub code: Vec<u8>,
    /// Offset of each instruction in it that accesses guest memory, in order, and the address of the guest instruction before
    /// which the state is exact then: that of the access or one before, from which the interpreter comes to the access.
    pub accesses: Vec<(u32, u64)>,
    /// Direct branches out of the region that lead to where their links do: their addresses, and those of the links. If nothing but the
    /// target of one is changed, the region is what it would be if it were compiled anew, once the link has been changed, too.
    pub exits: Vec<(u64, u64)>,
    /// The guest code: address and length, sorted, not touching each other.
    pub ranges: Vec<(u64, u32)>,
    /// Guest instructions.
    pub insns: u32,
}

/// The compiler, with what it keeps from region to region.
pub struct Compiler {
    isa: OwnedTargetIsa,
    context: Context,
    builder: FunctionBuilderContext,
}

/// What the host processor has beyond SSE4.2 and POPCNT.
#[derive(Clone, Copy, Default, Debug)]
pub struct Features {
    /// AVX.
    pub avx: bool,
    /// AVX2.
    pub avx2: bool,
    /// FMA3.
    pub fma: bool,
    /// BMI1.
    pub bmi1: bool,
    /// BMI2.
    pub bmi2: bool,
    /// LZCNT.
    pub lzcnt: bool,
    /// SSE4.2 and all before, and POPCNT: without, nothing is compiled.
    pub base: bool,
}

impl Compiler {
    /// For that processor; `None` if it is too old.
    pub fn new(features: Features) -> Option<Compiler> {
        if !features.base {
            return None;
        }
        let mut flags = settings::builder();
        // Nothing may fold, move or repeat floating-point operations: they read and set MXCSR. The IR's own passes do what pays.
        let options = [
            ("opt_level", "none"),
            ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
            ("unwind_info", "false"),
            ("enable_probestack", "false"),
            // Tail calls want them.
            ("preserve_frame_pointers", "true"),
            ("is_pic", "false"),
        ];
        for (name, value) in options {
            flags.set(name, value).ok()?;
        }
        let triple = "x86_64-unknown-linux-gnu".parse().ok()?;
        let mut builder = cranelift_codegen::isa::lookup(triple).ok()?;
        for name in ["has_cmpxchg16b", "has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"] {
            builder.enable(name).ok()?;
        }
        let more = [
            (features.avx, "has_avx"),
            (features.avx2, "has_avx2"),
            (features.fma, "has_fma"),
            (features.bmi1, "has_bmi1"),
            (features.bmi2, "has_bmi2"),
            (features.lzcnt, "has_lzcnt"),
        ];
        for (_, name) in more.iter().filter(|m| m.0) {
            builder.enable(name).ok()?;
        }
        let isa = builder.finish(settings::Flags::new(flags)).ok()?;
        Some(Compiler { isa, context: Context::new(), builder: FunctionBuilderContext::new() })
    }

    /// Compiles a region; `None` if there is no code, or if it cannot be compiled: it is interpreted then.
    pub fn compile(&mut self, request: &Request<'_>, arena: &mut dyn Arena) -> Option<Compiled> {
        self.compile_region(request, arena, region::most(request)).or_else(|| {
            // It may have been too large.
            self.compile_region(request, arena, region::MAX_INSNS)
        })
    }

    fn compile_region(
        &mut self,
        request: &Request<'_>,
        arena: &mut dyn Arena,
        most: usize,
    ) -> Option<Compiled> {
        let region = region::Region::find(request, most)?;
        let live = live::Live::of(
            region.isa.file(),
            &region.function,
            &region.ways,
            request.checked,
            request.verified,
        );
        self.context.clear();
        let emit::Emitted { accesses, exits } =
            emit::emit(&mut self.context.func, &mut self.builder, &region, &live, request, arena)?;
        if request.debug {
            self.context.set_disasm(true);
            eprintln!("{}", self.context.func.display());
        }
        let result = self.context.compile(self.isa.as_ref(), &mut ControlPlane::default());
        let compiled = match result {
            Ok(compiled) => compiled,
            Err(e) => {
                if cfg!(debug_assertions) || request.debug {
                    panic!("{e:?}");
                }
                return None;
            }
        };
        if request.debug {
            eprintln!("{}", compiled.vcode.as_deref().unwrap_or(""));
        }
        let buffer = &compiled.buffer;
        if !buffer.relocs().is_empty() {
            debug_assert!(false, "{:?}", buffer.relocs());
            return None;
        }
        let pc_of = |code: u8| accesses.get(code as usize - 1).copied();
        let accesses =
            buffer.traps().iter().filter_map(|t| Some((t.offset, pc_of(t.code.as_raw().get())?))).collect();
        Some(Compiled {
            code: buffer.data().to_vec(),
            accesses,
            exits,
            ranges: region.ranges,
            insns: region.insns,
        })
    }
}
