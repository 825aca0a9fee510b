//! IR functions → x86-64 object bytes, by LLVM. Pure: the same functions and options give the same bytes, each call has an
//! LLVM context of its own, and nothing is read or written besides. Knows no ARM instruction (registers come as a
//! [`RegFile`] and a choice of hot ones) and no system call.

mod access;
mod access_plain;
mod flags;
mod flags_echo;
mod flags_place;
mod flags_split;
mod flags_state;
mod float_again;
mod float_chain;
mod float_result;
mod float_standard;
mod float_together;
mod flow;
mod fp_flags;
mod function;
mod glue;
mod homes;
mod lines;
mod llvm;
mod loops;
mod op;
mod op_crypto;
mod op_float;
mod op_float_int;
mod op_int;
mod op_vector;
mod op_vector_sat;
mod quads;
mod rare;
mod singles;
mod site;
mod slots;
mod soft;
mod sums;
mod target;
mod term;
mod tied;
mod unit;
mod uses;
mod zeros;

use abi::{HOT_GPRS, HOT_VECS};
use inkwell::context::Context;
use ir::{Function, GuestAddr, Reg, RegFile};

pub use lines::{LINE, phase};

/// How guest accesses are made recoverable (`docs/architecture.md`, checkpoints).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checkpoints {
    /// Each access names a fault label, whose code puts the guest state in order.
    Callbr,
    /// The guest state is stored before each access.
    Commit,
    /// In very large functions: as `Callbr` in the deepest loops, as `Commit` elsewhere.
    Mixed,
    /// None: a fault ends the program, and asynchronous signals wait until lifted code is left. For measurements only.
    None,
}

/// How guest addresses get into the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Addresses {
    /// As numbers.
    Fixed,
    /// As symbols, whose values are filled in later, so that the code is the same wherever the function lies. The
    /// addresses in the function are [`Place`]s; their values are smaller than [`ADDRESS_LIMIT`].
    Symbolic,
}

/// Values of symbolic addresses are smaller than this: they, and an offset that instructions add to them, fit immediates.
pub const ADDRESS_LIMIT: u64 = 0x7f00_0000;

/// A symbolic address: an offset from the start of a piece of the function's own code, or an address outside of it, each
/// with a number of its own. [`Place::addr`] is how it stands in the IR. Each place has a symbol of its own: LLVM puts a
/// symbol into an immediate, but not the sum of a symbol and an offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Which piece, or which address outside.
    pub number: u32,
    /// Distance from its start.
    pub offset: u32,
}

impl Place {
    /// A number from here on is no address, but a constant that is part of one: it is not moved with the program.
    pub const FIRST_CONSTANT: u32 = 1 << 31;
    /// Offsets are smaller than this.
    pub const OFFSET_LIMIT: u32 = 1 << 24;
    /// Instructions lie at places with numbers smaller than this.
    pub const CODE_LIMIT: u32 = 1 << 8;

    /// As an address of the IR.
    pub fn addr(self) -> GuestAddr {
        GuestAddr((self.number as u64) << 32 | self.offset as u64)
    }

    /// From an address of the IR.
    pub fn of(a: GuestAddr) -> Place {
        Place { number: (a.0 >> 32) as u32, offset: a.0 as u32 }
    }

    /// As it stands in a checkpoint's entry, in the place of the distance from the text's start.
    pub fn checkpoint(self) -> u32 {
        self.number << 24 | self.offset
    }

    /// From a checkpoint's entry.
    pub fn of_checkpoint(word: u32) -> Place {
        Place { number: word >> 24, offset: word % Self::OFFSET_LIMIT }
    }
}

/// What a symbol in an object with [`Addresses::Symbolic`] stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Number {
    /// The link-time address of a place.
    Place(Place),
    /// A place's, negated: x86 adds symbols, but does not subtract them.
    MinusPlace(Place),
    /// [`Options::text_base`], negated.
    MinusTextBase,
    /// Entries of the dispatch table.
    TextWords,
}

impl Number {
    const PREFIX: &str = "xl_at.";

    /// The symbol's name.
    pub fn name(self) -> String {
        let prefix = Self::PREFIX;
        match self {
            Number::Place(p) => format!("{prefix}{}.{}", p.number, p.offset),
            Number::MinusPlace(p) => format!("{prefix}-{}.{}", p.number, p.offset),
            Number::MinusTextBase => format!("{prefix}-text"),
            Number::TextWords => format!("{prefix}words"),
        }
    }

    /// The number of that name; `None` if the name is none of these.
    pub fn parse(name: &str) -> Option<Number> {
        let place = |text: &str| {
            let (number, offset) = text.split_once('.')?;
            Some(Place { number: number.parse().ok()?, offset: offset.parse().ok()? })
        };
        match name.strip_prefix(Self::PREFIX)? {
            "-text" => Some(Number::MinusTextBase),
            "words" => Some(Number::TextWords),
            rest => match rest.strip_prefix('-') {
                Some(rest) => place(rest).map(Number::MinusPlace),
                None => place(rest).map(Number::Place),
            },
        }
    }

    /// True if the name is meant to be a number's.
    pub fn is_one(name: &str) -> bool {
        name.starts_with(Self::PREFIX)
    }
}

/// Guest registers that travel in host registers between lifted functions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hot {
    /// Of type i64.
    pub gprs: [Reg; HOT_GPRS],
    /// Of type v128 or f64, which are hot; or of type i64, which stay cold, but have their home in the slot instead of the state.
    pub vecs: [Reg; HOT_VECS],
    /// The one of `gprs` that holds the address to return to where a lifted function returns.
    pub link: Reg,
    /// False if `link` is no register of the guest (AArch32): it means nothing but at returns.
    pub link_is_guest: bool,
}

impl Hot {
    /// True if `r` is a general register whose slot is one for vectors.
    pub(crate) fn in_vector_slot(&self, r: Reg, file: &RegFile) -> bool {
        file.info(r).ty == ir::Type::I64 && self.vecs.contains(&r)
    }
}

/// Choices that hold for all units of one output.
#[derive(Clone, Debug)]
pub struct Options {
    /// 0–3.
    pub opt: u8,
    /// LLVM's name of the host processor, or `native`.
    pub cpu: String,
    /// Kind of checkpoints.
    pub checkpoints: Checkpoints,
    /// Link-time address of the first instruction that the dispatch table covers.
    pub text_base: GuestAddr,
    /// Bytes it covers.
    pub text_size: u64,
    /// How guest addresses get into the code.
    pub addresses: Addresses,
    /// False if run-time addresses equal link-time addresses.
    pub position_independent: bool,
    /// Registers in host registers.
    pub hot: Hot,
    /// The guest's registers.
    pub regs: &'static RegFile,
    /// Bytes of text for each entry of the dispatch table: 4, or 1 if instructions' addresses have a bit for their state.
    pub dispatch_unit: u64,
}

/// A point at which the dispatcher may enter a lifted function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResumePoint {
    /// Link-time address.
    pub guest: GuestAddr,
    /// Symbol of the function.
    pub function: String,
    /// Index among the function's resume points.
    pub index: u32,
}

/// A compiled unit.
#[derive(Clone, Debug)]
pub struct Unit {
    /// A relocatable ELF object.
    pub object: Vec<u8>,
    /// Resume points of its functions.
    pub resume: Vec<ResumePoint>,
}

/// What can go wrong: LLVM refuses, or IR is malformed. Either is a bug of xlate or a wrong option.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// LLVM has no such target or processor.
    #[error("cannot set up LLVM for processor `{cpu}`: {reason}")]
    Target {
        /// The processor asked for.
        cpu: String,
        /// LLVM's words.
        reason: String,
    },
    /// A pass or the code generator failed.
    #[error("internal: this is a bug: LLVM: {0}")]
    Llvm(String),
}

/// Names the symbol of the lifted function that begins at an address, if there is one in any unit of the output.
pub type Resolve<'a> = &'a dyn Fn(GuestAddr) -> Option<String>;

/// How often a run of `f` may pass each block, very roughly: eight times for each loop around it.
pub fn block_weights(f: &Function) -> Vec<u64> {
    loops::analyse(f).depth.into_iter().map(|d| 8u64.pow(d.min(2))).collect()
}

/// For each register of the file: how often a run of `f` would move it between the state and a host register if it were not
/// [`Hot`]. The choice of hot registers is made by this.
pub fn register_traffic(f: &Function, regs: &'static RegFile) -> Vec<u64> {
    flow::traffic(f, regs, &block_weights(f))
}

/// For each register of the file: how often a run of `f` would save it to guest memory, or restore it, straight from or to a
/// vector slot. The choice of general registers in [`Hot::vecs`] is made by this.
pub fn saves(f: &Function, regs: &'static RegFile) -> Vec<u64> {
    homes::traffic(f, regs.regs.len(), &block_weights(f))
}

/// Symbol of a lifted function.
pub fn symbol_of(f: &Function) -> String {
    format!("{}{}", abi::symbol::FUNCTION_PREFIX, f.name)
}

/// Checks that code for that processor can be made: one of LLVM's names with at least x86-64-v2's instructions, or `native`.
pub fn check_cpu(cpu: &str) -> Result<(), Error> {
    target::check_cpu(cpu)
}

/// What decides the code besides functions and options: LLVM's version, the processor with its features, the passes.
pub fn identity(options: &Options) -> Result<String, Error> {
    Ok(format!("LLVM {} {}", llvm_version(), target::Target::new(options)?.identity(options)))
}

/// Version of the LLVM library in use.
pub fn llvm_version() -> String {
    let (major, minor, patch) = inkwell::support::get_llvm_version();
    format!("{major}.{minor}.{patch}")
}

/// Compiles functions to one object.
pub fn emit_unit(
    name: &str,
    functions: &[Function],
    options: &Options,
    resolve: Resolve,
) -> Result<Unit, Error> {
    compile_tied(name, functions, options, resolve).map(|(unit, _)| unit)
}

/// Compiles with loads tied to old values (see `tied`), but for those for which that does not work out, and gives the
/// numbers of these; `None` if no load is tied.
fn compile_tied(
    name: &str,
    functions: &[Function],
    options: &Options,
    resolve: Resolve,
) -> Result<(Unit, Option<Vec<u32>>), Error> {
    // Each round allocates registers anew.
    const ROUNDS: usize = 3;
    let compile = |untied: Option<&[u32]>| {
        let context = Context::create();
        let target = target::Target::new(options)?;
        let unit = unit::UnitCx::new(&context, name, options, target.features(), resolve, untied);
        let resume = functions.iter().flat_map(|f| function::emit(&unit, f)).collect();
        let object = target.compile(unit.llvm.module(), options, target::Kind::Object)?;
        Ok::<_, Error>(Unit { object, resume })
    };
    // At level 0 every value is spilled.
    let rounds = if options.opt == 0 { 0 } else { ROUNDS };
    let mut untied = Vec::new();
    for _ in 0..rounds {
        let mut unit = compile(Some(&untied))?;
        let failures = tied::settle(&mut unit.object)?;
        if failures.is_empty() {
            return Ok((unit, Some(untied)));
        }
        untied.extend(failures);
        untied.sort_unstable();
    }
    Ok((compile(None)?, None))
}

/// Compiles the stubs that each output needs once: `xl_enter`, and those that lifted code calls.
pub fn emit_glue(options: &Options) -> Result<Vec<u8>, Error> {
    let context = Context::create();
    let target = target::Target::new(options)?;
    let none = |_| None;
    let unit = unit::UnitCx::new(&context, "glue", options, target.features(), &none, None);
    glue::emit(&unit);
    target.compile(unit.llvm.module(), options, target::Kind::Object)
}

/// LLVM IR of one function, optimised as for an object.
pub fn emit_llvm_text(f: &Function, options: &Options, resolve: Resolve) -> Result<String, Error> {
    let (_, untied) = compile_tied("inspect", std::slice::from_ref(f), options, resolve)?;
    let context = Context::create();
    let target = target::Target::new(options)?;
    let unit = unit::UnitCx::new(&context, "inspect", options, target.features(), resolve, untied.as_deref());
    function::emit(&unit, f);
    target.optimise(unit.llvm.module(), options)?;
    Ok(unit.llvm.module().print_to_string().to_string())
}

/// LLVM IR of one function before any pass.
pub fn emit_raw_llvm_text(f: &Function, options: &Options, resolve: Resolve) -> Result<String, Error> {
    let (_, untied) = compile_tied("inspect", std::slice::from_ref(f), options, resolve)?;
    let context = Context::create();
    let target = target::Target::new(options)?;
    let unit = unit::UnitCx::new(&context, "inspect", options, target.features(), resolve, untied.as_deref());
    function::emit(&unit, f);
    Ok(unit.llvm.module().print_to_string().to_string())
}

/// Host assembly of one function.
pub fn emit_asm_text(f: &Function, options: &Options, resolve: Resolve) -> Result<String, Error> {
    let (_, untied) = compile_tied("inspect", std::slice::from_ref(f), options, resolve)?;
    let context = Context::create();
    let target = target::Target::new(options)?;
    let unit = unit::UnitCx::new(&context, "inspect", options, target.features(), resolve, untied.as_deref());
    function::emit(&unit, f);
    let bytes = target.compile(unit.llvm.module(), options, target::Kind::Assembly)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
