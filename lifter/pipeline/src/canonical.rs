//! Functions apart from where they lie: addresses become symbols, numbered as they appear, so that the same code at another
//! address, with its callees and data elsewhere, is compiled once. Takes a lifted function and its shape, gives it with
//! [`Place`]s for addresses, and what each symbol in its object stands for.

use crate::Layout;
use crate::merge::{Meaning, Symbols};
use emit_llvm::{ADDRESS_LIMIT, Addresses, Number, Options, Place};
use ir::pass::{Convention, guess_parts};
use ir::{CallTarget, Function, GuestAddr, Inst, Reg, Term};
use isa::FunctionShape;
use isa::a64::reg;
use isa::{Isa, a32};
use std::collections::{BTreeMap, HashMap};

/// Blocks with no more than this between them count as one piece of code: padding, literals, jump tables.
const GAP: u64 = 64;

/// What ADRP loads is divisible by this.
const PAGE: u64 = 4096;

/// Name of every function: objects of equal functions are equal.
const NAME: &str = "f";

/// A function to compile, or to find compiled.
pub(crate) struct Canonical {
    /// The function with other names and addresses.
    pub(crate) function: Function,
    addresses: Addresses,
    places: Values,
    /// Lifted functions that it may go to, by address as it stands in `function`; their symbols.
    known: BTreeMap<GuestAddr, String>,
    /// Its own symbol.
    symbol: String,
    layout: Layout,
}

impl Canonical {
    /// `resolve` names the symbol of the function at an address.
    pub(crate) fn new(
        f: &Function,
        shape: &FunctionShape,
        layout: Layout,
        resolve: &dyn Fn(GuestAddr) -> Option<String>,
    ) -> Canonical {
        let symbol = emit_llvm::symbol_of(f);
        let mut function = f.clone();
        function.name = NAME.into();
        let mut highest = layout.text_base.max(layout.text_size);
        function.map_addrs(|a| {
            highest = highest.max(a.0);
            a
        });
        if highest < ADDRESS_LIMIT - Place::OFFSET_LIMIT as u64
            && let Some(mut places) = Places::new(shape)
        {
            places.take_parts(&mut function);
            function.map_addrs(|a| places.place(a).addr());
            let places = places.values();
            let known = known(&function, &|a| resolve(places.real(a)?));
            return Canonical { function, addresses: Addresses::Symbolic, places, known, symbol, layout };
        }
        Self::fixed(f, layout, resolve)
    }

    /// As `new`, with addresses as numbers.
    pub(crate) fn fixed(
        f: &Function,
        layout: Layout,
        resolve: &dyn Fn(GuestAddr) -> Option<String>,
    ) -> Canonical {
        let known = known(f, &|a| resolve(a));
        let symbol = emit_llvm::symbol_of(f);
        let mut function = f.clone();
        function.name = NAME.into();
        Canonical { function, addresses: Addresses::Fixed, places: Values::default(), known, symbol, layout }
    }

    /// True if its addresses are symbols.
    pub(crate) fn is_symbolic(&self) -> bool {
        self.addresses == Addresses::Symbolic
    }

    /// The options to compile it with.
    pub(crate) fn options(&self, options: &Options) -> Options {
        let mut o = options.clone();
        o.addresses = self.addresses;
        if self.addresses != Addresses::Fixed {
            (o.text_base, o.text_size) = (GuestAddr(0), 0);
        }
        o
    }

    /// The symbol of the function at an address that stands in `function`.
    pub(crate) fn resolve(&self, a: GuestAddr) -> Option<String> {
        self.known.contains_key(&a).then(|| format!("{}{:x}", abi::symbol::FUNCTION_PREFIX, a.0))
    }

    /// The addresses that `resolve` has something for.
    pub(crate) fn known(&self) -> impl Iterator<Item = GuestAddr> {
        self.known.keys().copied()
    }

    /// The link-time address of one that stands in `function`.
    pub(crate) fn real(&self, a: GuestAddr) -> Option<GuestAddr> {
        match self.addresses {
            Addresses::Fixed => Some(a),
            Addresses::Symbolic => self.places.real(a),
        }
    }

    /// What it is compiled from, in a form in which equal is equal.
    pub(crate) fn identity(&self) -> impl std::hash::Hash {
        let known: Vec<GuestAddr> = self.known().collect();
        (self.function.clone(), known)
    }
}

impl Symbols for Canonical {
    fn meaning(&self, name: &str) -> Option<Meaning> {
        if Number::is_one(name) {
            let value = match Number::parse(name)? {
                Number::Place(p) => self.places.real(p.addr())?.0,
                Number::MinusPlace(p) => self.places.real(p.addr())?.0.wrapping_neg(),
                Number::MinusTextBase => self.layout.text_base.wrapping_neg(),
                Number::TextWords => self.layout.text_size / self.layout.unit,
            };
            return Some(Meaning::Value(value));
        }
        let Some(rest) = name.strip_prefix(abi::symbol::FUNCTION_PREFIX) else {
            return Some(Meaning::Name(name.to_string()));
        };
        if rest == NAME {
            return Some(Meaning::Name(self.symbol.clone()));
        }
        let a = GuestAddr(u64::from_str_radix(rest, 16).ok()?);
        Some(Meaning::Name(self.known.get(&a)?.clone()))
    }

    fn checkpoint(&self, word: u32) -> Option<u32> {
        match self.addresses {
            Addresses::Fixed => Some(word),
            Addresses::Symbolic => {
                let p = Place::of_checkpoint(word);
                Some(self.places.real(p.addr())?.0.wrapping_sub(self.layout.text_base) as u32)
            }
        }
    }
}

/// Symbols of the lifted functions that `f` may go to.
fn known(f: &Function, resolve: &dyn Fn(GuestAddr) -> Option<String>) -> BTreeMap<GuestAddr, String> {
    let targets = f.blocks.iter().flat_map(|b| ways_out(&b.term));
    targets.flatten().filter_map(|a| Some((a, resolve(a)?))).collect()
}

/// What symbolic addresses stand for.
#[derive(Default)]
struct Values {
    /// Starts of pieces and addresses outside, by number.
    addresses: Vec<u64>,
    /// By number above `Place::FIRST_CONSTANT`.
    constants: Vec<u64>,
}

impl Values {
    fn real(&self, a: GuestAddr) -> Option<GuestAddr> {
        let p = Place::of(a);
        let value = match p.number.checked_sub(Place::FIRST_CONSTANT) {
            Some(n) => self.constants.get(n as usize)?,
            None => self.addresses.get(p.number as usize)?,
        };
        Some(GuestAddr(value.wrapping_add(p.offset as u64)))
    }
}

/// Addresses outside the function, perhaps, to which a block's end goes.
fn ways_out(term: &Term) -> [Option<GuestAddr>; 2] {
    match *term {
        Term::Goto(a) | Term::Syscall { next: a, .. } => [Some(a), None],
        Term::Call { target: CallTarget::Direct(a), ret, .. } => [Some(a), Some(ret)],
        Term::Call { target: CallTarget::Indirect(_), ret, .. } => [Some(ret), None],
        Term::Jump(_)
        | Term::Branch { .. }
        | Term::Switch { .. }
        | Term::Indirect(_)
        | Term::Return(_)
        | Term::Trap { .. }
        | Term::Fallback { .. } => [None, None],
    }
}

/// Numbers for addresses: pieces of the function's code first, the one with the entry before the others, then what lies
/// outside, as it comes.
struct Places {
    /// Start and end of the code's pieces.
    code: Vec<(u64, u64)>,
    /// Their numbers by start.
    by_start: BTreeMap<u64, u32>,
    outside: Vec<u64>,
    numbers: HashMap<u64, u32>,
    /// Values of constants that are parts of addresses.
    constants: Vec<u64>,
    isa: Isa,
}

/// How compilers write addresses. A64: of variables by page and distance, of thread-local ones by distance from the thread's.
/// AArch32: from literals.
fn convention<T>(isa: Isa, f: impl FnOnce(&Convention<'_>) -> T) -> T {
    let (kept, base): (Vec<Reg>, Reg) = match isa {
        Isa::A64 => ((19..29).map(reg::x).collect(), reg::TPIDR),
        Isa::A32 => ((4..12).map(a32::reg::r).collect(), a32::reg::TPIDRURO),
    };
    f(&Convention { kept: &kept, bases: &[base], page: PAGE })
}

impl Places {
    /// `None` if there are more pieces, or larger ones, than numbers.
    fn new(shape: &FunctionShape) -> Option<Places> {
        let mut code: Vec<(u64, u64)> = Vec::new();
        for b in &shape.blocks {
            match code.last_mut() {
                Some(last) if b.start.0 - last.1 <= GAP => last.1 = b.end.0,
                _ => code.push((b.start.0, b.end.0)),
            }
        }
        let fits = code.iter().all(|c| c.1 - c.0 < Place::OFFSET_LIMIT as u64);
        if !fits || code.len() >= Place::CODE_LIMIT as usize {
            return None;
        }
        code.sort_by_key(|c| (!(c.0..=c.1).contains(&shape.entry.0), c.0));
        let by_start = code.iter().enumerate().map(|(i, c)| (c.0, i as u32)).collect();
        Some(Places {
            code,
            by_start,
            outside: Vec::new(),
            numbers: HashMap::new(),
            constants: Vec::new(),
            isa: shape.isa,
        })
    }

    /// Makes constants that are parts of addresses symbolic, too: they are others in another program.
    fn take_parts(&mut self, f: &mut Function) {
        let mut numbers: HashMap<(GuestAddr, Option<Reg>, u128), u32> = HashMap::new();
        for part in convention(self.isa, |c| guess_parts(f, self.isa.file(), c)) {
            let inst = &mut f.blocks[part.block.0 as usize].insts[part.value.0 as usize];
            let Inst::Const { bits, .. } = *inst else { continue };
            if bits >= ADDRESS_LIMIT as u128 {
                continue;
            }
            // What is part of the same address is the same everywhere; equal parts of others may not be.
            let n = *numbers.entry((part.sum, part.base, bits)).or_insert_with(|| {
                self.constants.push(bits as u64);
                self.constants.len() as u32 - 1
            });
            *inst = Inst::CodeAddr(Place { number: Place::FIRST_CONSTANT + n, offset: 0 }.addr());
        }
    }

    /// The place of an address; constants are places already.
    fn place(&mut self, a: GuestAddr) -> Place {
        if Place::of(a).number >= Place::FIRST_CONSTANT {
            return Place::of(a);
        }
        if let Some((&start, &number)) = self.by_start.range(..=a.0).next_back()
            && a.0 <= self.code[number as usize].1
        {
            return Place { number, offset: (a.0 - start) as u32 };
        }
        let next = (self.code.len() + self.outside.len()) as u32;
        // Two variables may share a page here and not elsewhere: each mention of a page is one of its own.
        let number = if a.0.is_multiple_of(PAGE) { next } else { *self.numbers.entry(a.0).or_insert(next) };
        if number == next {
            self.outside.push(a.0);
        }
        Place { number, offset: 0 }
    }

    fn values(self) -> Values {
        let addresses = self.code.iter().map(|c| c.0).chain(self.outside).collect();
        Values { addresses, constants: self.constants }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::{Block, BlockId};
    use isa::BlockShape;

    /// At `base`: a block that calls `callee`, and one that leaves to `data`'s neighbour, some way off.
    fn function(base: u64, callee: u64, data: u64) -> (Function, FunctionShape) {
        let shape =
            |start: u64| BlockShape { start: GuestAddr(start), end: GuestAddr(start + 8), switch: None };
        let term = Term::Call {
            target: CallTarget::Direct(GuestAddr(callee)),
            ret: GuestAddr(base + 8),
            cont: Some(BlockId(1)),
        };
        let block = |pc: u64, insts: Vec<Inst>, term| Block { pc: GuestAddr(pc), insts, term, resume: false };
        let f = Function {
            name: format!("at_{base:x}"),
            entry: GuestAddr(base),
            blocks: vec![
                block(base, vec![Inst::Mark(GuestAddr(base)), Inst::CodeAddr(GuestAddr(data))], term),
                block(base + 0x1000, vec![Inst::Mark(GuestAddr(base + 0x1004))], Term::Goto(GuestAddr(data))),
            ],
        };
        let blocks = vec![shape(base), shape(base + 0x1000)];
        (f, FunctionShape { isa: Isa::A64, name: String::new(), entry: GuestAddr(base), blocks })
    }

    fn canonical(base: u64, callee: u64, data: u64) -> Canonical {
        let (f, shape) = function(base, callee, data);
        let layout = Layout { text_base: 0x1_0000, text_size: 0x10_0000, unit: 4 };
        Canonical::new(&f, &shape, layout, &|a| (a.0 == callee).then(|| "xl.callee".into()))
    }

    #[test]
    fn what_lies_elsewhere_is_the_same() {
        let (a, b) = (canonical(0x2_0000, 0x3_0004, 0x9_0008), canonical(0x5_0040, 0x1_0008, 0x8_0123));
        assert_eq!(a.function, b.function);
        assert_eq!(a.known().collect::<Vec<_>>(), b.known().collect::<Vec<_>>());
        assert!(a.is_symbolic());
        // The callee and the data are one.
        let c = canonical(0x2_0000, 0x9_0008, 0x9_0008);
        assert_ne!(a.function, c.function);
        // The call stays in the piece.
        let d = canonical(0x2_0000, 0x2_0004, 0x9_0008);
        assert_ne!(a.function, d.function);
    }

    #[test]
    fn what_stands_for_something_is_told() {
        let c = canonical(0x5_0040, 0x1_0008, 0x8_0123);
        let callee = c.known().next().expect("the callee is known");
        assert_eq!(c.real(callee), Some(GuestAddr(0x1_0008)));
        let name = c.resolve(callee).expect("the callee is known");
        assert_eq!(c.meaning(&name), Some(Meaning::Name("xl.callee".into())));
        assert_eq!(c.meaning("xl.f"), Some(Meaning::Name("xl.at_50040".into())));
        assert_eq!(c.meaning("xl_leave"), Some(Meaning::Name("xl_leave".into())));
        let value = |n: Number| match c.meaning(&n.name()) {
            Some(Meaning::Value(v)) => Some(v),
            _ => None,
        };
        let place = |number, offset| Place { number, offset };
        assert_eq!(value(Number::Place(place(1, 4))), Some(0x5_1044));
        assert_eq!(value(Number::MinusPlace(place(2, 0))), Some(0x8_0123u64.wrapping_neg()));
        assert_eq!(value(Number::Place(place(4, 0))), None);
        assert_eq!(value(Number::TextWords), Some(0x4_0000));
        assert_eq!(value(Number::MinusTextBase), Some(0x1_0000u64.wrapping_neg()));
        assert_eq!(c.meaning("xl_at.1"), None);
        let Inst::Mark(pc) = c.function.blocks[1].insts[0] else { panic!("no mark") };
        assert_eq!(c.checkpoint(Place::of(pc).checkpoint()), Some(0x4_1044));
    }

    /// At `base`: the page of `variable` goes to x19, and behind a call the rest is added, with an offset of thread-local
    /// data.
    fn variable(base: u64, variable: u64, local: u64) -> Canonical {
        let text = format!(
            "function a64 f @{base}\nblock b0 @{base}:\n .{base}\n %1 = codeaddr @{}\n x19 = %1\n call @{} ret @{} b1
             block b1 @{} resume:\n .{}\n %1 = get x19\n %2 = i64 const {}\n %3 = i64 add %1, %2\n %4 = get tpidr_el0
             %5 = i64 const {local}\n %6 = i64 add %4, %5\n store %3, %6\n return %3",
            variable & !0xfff,
            base + 0x100,
            base + 8,
            base + 8,
            base + 8,
            variable & 0xfff,
        );
        let f = ir::parse_function(&text, &isa::a64::FILE).expect("the text is well-formed");
        let block = BlockShape { start: f.entry, end: f.entry.offset(0x40), switch: None };
        let shape = FunctionShape { isa: Isa::A64, name: "f".into(), entry: f.entry, blocks: vec![block] };
        Canonical::new(&f, &shape, Layout { text_base: 0, text_size: 0x10_0000, unit: 4 }, &|_| None)
    }

    #[test]
    fn parts_of_addresses_are_apart() {
        let (a, b) = (variable(0x1_0000, 0x9_0123, 16), variable(0x2_0000, 0xa_0456, 32));
        assert_eq!(a.function, b.function);
        let values = |c: &Canonical| c.places.constants.clone();
        assert_eq!((values(&a), values(&b)), (vec![0x123, 16], vec![0x456, 32]));
        let name = Number::Place(Place { number: Place::FIRST_CONSTANT, offset: 0 }).name();
        assert_eq!(b.meaning(&name), Some(Meaning::Value(0x456)));
    }

    #[test]
    fn large_addresses_stay() {
        let c = canonical(0x5_0040, 0x1_0008, 0x8000_0000);
        assert!(!c.is_symbolic());
        assert_eq!(c.function.entry, GuestAddr(0x5_0040));
        assert_eq!(c.meaning("xl.10008"), Some(Meaning::Name("xl.callee".into())));
    }
}
