//! Data operations as text: mnemonic, parser, the list of all operations, and the text of a soft operation (with types).
//! Takes and gives [`PureOp`] values only; blocks and functions are the business of `text` and `parse`.

use crate::op::*;
use crate::types::{FShape, Lane, Type};
use crate::verify_op::Operand;
use std::fmt;

const fn sign(signed: bool) -> &'static str {
    if signed { "s" } else { "u" }
}

const fn half(high: bool) -> &'static str {
    if high { "high" } else { "low" }
}

/// `#n`, or nothing for 0.
struct Fraction(u8);

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, "#{}", self.0) }
    }
}

impl fmt::Display for PureOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            PureOp::Int(op) => f.write_str(op.name()),
            PureOp::IntUn(op) => f.write_str(op.name()),
            PureOp::Cmp(op) => write!(f, "cmp.{}", op.name()),
            PureOp::CarryOut => f.write_str("carryout"),
            PureOp::Overflow => f.write_str("overflow"),
            PureOp::Select => f.write_str("select"),
            PureOp::Zext => f.write_str("zext"),
            PureOp::Sext => f.write_str("sext"),
            PureOp::Trunc => f.write_str("trunc"),
            PureOp::Bitcast => f.write_str("bitcast"),
            PureOp::Concat => f.write_str("concat"),
            PureOp::F(op, s) => write!(f, "f{}.{}", op.name(), s.name()),
            PureOp::FUn(op, s) => write!(f, "f{}.{}", op.name(), s.name()),
            PureOp::FMulAdd(s) => write!(f, "fmuladd.{}", s.name()),
            PureOp::FCmp { cmp, signaling, shape } => {
                write!(f, "fcmp.{}{}.{}", cmp.name(), if signaling { ".sig" } else { "" }, shape.name())
            }
            PureOp::FConvert(round) => write!(f, "fconvert.{}", round.name()),
            PureOp::FWiden { from, high } => write!(f, "fwiden.{}.{}", half(high), from.name()),
            PureOp::FNarrow { from, round } => write!(f, "fnarrow.{}.{}", round.name(), from.name()),
            PureOp::FToInt { shape, signed, round, fbits } => {
                write!(f, "ftoint.{}.{}.{}{}", sign(signed), round.name(), shape.name(), Fraction(fbits))
            }
            PureOp::IntToF { shape, signed, fbits } => {
                write!(f, "inttof.{}.{}{}", sign(signed), shape.name(), Fraction(fbits))
            }
            PureOp::FRound { shape, round, exact } => {
                write!(f, "fround.{}{}.{}", round.name(), if exact { ".exact" } else { "" }, shape.name())
            }
            PureOp::VSplat(l) => write!(f, "vsplat.{}", l.name()),
            PureOp::VFromScalar => f.write_str("vfromscalar"),
            PureOp::VToScalar => f.write_str("vtoscalar"),
            PureOp::VExtract(l, i) => write!(f, "vextract.{}#{i}", l.name()),
            PureOp::VInsert(l, i) => write!(f, "vinsert.{}#{i}", l.name()),
            PureOp::V(op, l) => write!(f, "v.{}.{}", op.name(), l.name()),
            PureOp::VBit(op) => write!(f, "vbit.{}", op.name()),
            PureOp::VUn(op, l) => write!(f, "v.{}.{}", op.name(), l.name()),
            PureOp::VCmp(op, l) => write!(f, "vcmp.{}.{}", op.name(), l.name()),
            PureOp::VBitSelect => f.write_str("vbitselect"),
            PureOp::VShiftImm(op, l, n) => write!(f, "{}.{}#{n}", op.name(), l.name()),
            PureOp::VShuffle(sel) => {
                f.write_str("vshuffle[")?;
                for (i, s) in sel.iter().enumerate() {
                    write!(f, "{}{s:02x}", if i == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            PureOp::VLookup => f.write_str("vlookup"),
            PureOp::VWiden { lane, signed, high } => {
                write!(f, "vwiden.{}.{}.{}", sign(signed), half(high), lane.name())
            }
            PureOp::VNarrow(l) => write!(f, "vnarrow.{}", l.name()),
            PureOp::VSat(op, l) => write!(f, "vsat.{}.{}", op.name(), l.name()),
            PureOp::VSatQc(op, l) => write!(f, "vsatqc.{}.{}", op.name(), l.name()),
            PureOp::VReduce(op, l) => write!(f, "vreduce.{}.{}", op.name(), l.name()),
            PureOp::VLow64 => f.write_str("vlow64"),
            PureOp::VPMull8 { high } => write!(f, "vpmull8.{}", half(high)),
            PureOp::Helper(h) => f.write_str(h.name()),
        }
    }
}

fn parse_sign(s: &str) -> Option<bool> {
    match s {
        "s" => Some(true),
        "u" => Some(false),
        _ => None,
    }
}

fn parse_half(s: &str) -> Option<bool> {
    match s {
        "high" => Some(true),
        "low" => Some(false),
        _ => None,
    }
}

fn parse_shuffle(list: &str) -> Option<PureOp> {
    let mut sel = [0u8; 16];
    let mut n = 0;
    for s in list.split(',') {
        let s = s.trim();
        if s.len() > 2 || !s.bytes().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        *sel.get_mut(n)? = u8::from_str_radix(s, 16).ok()?;
        n += 1;
    }
    (n == 16).then_some(PureOp::VShuffle(sel))
}

impl PureOp {
    /// Name in the text form: `add`, `cmp.ult`, `fadd.4s`, `ftoint.s.zero.d#4`, `vshl.8h#3`, `crc32.b`…; unique.
    pub fn mnemonic(self) -> String {
        self.to_string()
    }

    /// The operation of that mnemonic. It need not be a valid one (see [`PureOp::is_valid`]).
    pub fn parse(text: &str) -> Option<PureOp> {
        if let Some(list) = text.strip_prefix("vshuffle[") {
            return parse_shuffle(list.strip_suffix(']')?);
        }
        if let Some(h) = Helper::parse(text) {
            return Some(PureOp::Helper(h));
        }
        let (text, imm) = match text.split_once('#') {
            Some((t, n)) if n.bytes().all(|c| c.is_ascii_digit()) => (t, Some(n.parse::<u8>().ok()?)),
            Some(_) => return None,
            None => (text, None),
        };
        let mut parts = [""; 5];
        let mut n = 0;
        for p in text.split('.') {
            *parts.get_mut(n)? = p;
            n += 1;
        }
        let parts = &parts[..n];
        match imm {
            None => Self::parse_plain(parts).or_else(|| Self::parse_imm(parts, 0, false)),
            Some(imm) => Self::parse_imm(parts, imm, true),
        }
    }

    fn parse_plain(parts: &[&str]) -> Option<PureOp> {
        Some(match *parts {
            [one] => match one {
                "carryout" => PureOp::CarryOut,
                "overflow" => PureOp::Overflow,
                "select" => PureOp::Select,
                "zext" => PureOp::Zext,
                "sext" => PureOp::Sext,
                "trunc" => PureOp::Trunc,
                "bitcast" => PureOp::Bitcast,
                "concat" => PureOp::Concat,
                "vfromscalar" => PureOp::VFromScalar,
                "vtoscalar" => PureOp::VToScalar,
                "vbitselect" => PureOp::VBitSelect,
                "vlookup" => PureOp::VLookup,
                "vlow64" => PureOp::VLow64,
                _ => {
                    return IntBin::parse(one)
                        .map(PureOp::Int)
                        .or_else(|| IntUn::parse(one).map(PureOp::IntUn));
                }
            },
            ["cmp", op] => PureOp::Cmp(IntCmp::parse(op)?),
            ["fconvert", round] => PureOp::FConvert(Round::parse(round)?),
            ["vsplat", l] => PureOp::VSplat(Lane::parse(l)?),
            ["vbit", op] => PureOp::VBit(VBit::parse(op)?),
            ["vnarrow", l] => PureOp::VNarrow(Lane::parse(l)?),
            ["vpmull8", h] => PureOp::VPMull8 { high: parse_half(h)? },
            ["fmuladd", s] => PureOp::FMulAdd(FShape::parse(s)?),
            [op, s] => {
                let op = op.strip_prefix('f')?;
                let s = FShape::parse(s)?;
                return FBin::parse(op)
                    .map(|o| PureOp::F(o, s))
                    .or_else(|| FUn::parse(op).map(|o| PureOp::FUn(o, s)));
            }
            ["fcmp", cmp, s] => {
                PureOp::FCmp { cmp: FCmp::parse(cmp)?, signaling: false, shape: FShape::parse(s)? }
            }
            ["fcmp", cmp, "sig", s] => {
                PureOp::FCmp { cmp: FCmp::parse(cmp)?, signaling: true, shape: FShape::parse(s)? }
            }
            ["fwiden", h, s] => PureOp::FWiden { from: FShape::parse(s)?, high: parse_half(h)? },
            ["fnarrow", r, s] => PureOp::FNarrow { from: FShape::parse(s)?, round: Round::parse(r)? },
            ["fround", r, s] => {
                PureOp::FRound { shape: FShape::parse(s)?, round: Round::parse(r)?, exact: false }
            }
            ["fround", r, "exact", s] => {
                PureOp::FRound { shape: FShape::parse(s)?, round: Round::parse(r)?, exact: true }
            }
            ["v", op, l] => {
                let l = Lane::parse(l)?;
                return VBin::parse(op)
                    .map(|o| PureOp::V(o, l))
                    .or_else(|| VUn::parse(op).map(|o| PureOp::VUn(o, l)));
            }
            ["vcmp", op, l] => PureOp::VCmp(IntCmp::parse(op)?, Lane::parse(l)?),
            ["vwiden", s, h, l] => {
                PureOp::VWiden { lane: Lane::parse(l)?, signed: parse_sign(s)?, high: parse_half(h)? }
            }
            ["vsat", op, l] => PureOp::VSat(VSat::parse(op)?, Lane::parse(l)?),
            ["vsatqc", op, l] => PureOp::VSatQc(VSat::parse(op)?, Lane::parse(l)?),
            ["vreduce", op, l] => PureOp::VReduce(VReduce::parse(op)?, Lane::parse(l)?),
            _ => return None,
        })
    }

    /// Operations with an immediate; `given` is false if there was none (then only fraction bits may be meant).
    fn parse_imm(parts: &[&str], imm: u8, given: bool) -> Option<PureOp> {
        Some(match *parts {
            ["ftoint", s, r, sh] => PureOp::FToInt {
                shape: FShape::parse(sh)?,
                signed: parse_sign(s)?,
                round: Round::parse(r)?,
                fbits: imm,
            },
            ["inttof", s, sh] => {
                PureOp::IntToF { shape: FShape::parse(sh)?, signed: parse_sign(s)?, fbits: imm }
            }
            _ if !given => return None,
            ["vextract", l] => PureOp::VExtract(Lane::parse(l)?, imm),
            ["vinsert", l] => PureOp::VInsert(Lane::parse(l)?, imm),
            [op, l] => PureOp::VShiftImm(VShift::parse(op)?, Lane::parse(l)?, imm),
            _ => return None,
        })
    }

    /// Every valid operation, with the smallest and largest immediates where there are some, and a few byte
    /// permutations. For tests that must not miss one.
    pub fn all() -> Vec<PureOp> {
        let mut v: Vec<PureOp> = vec![
            PureOp::CarryOut,
            PureOp::Overflow,
            PureOp::Select,
            PureOp::Zext,
            PureOp::Sext,
            PureOp::Trunc,
            PureOp::Bitcast,
            PureOp::Concat,
            PureOp::VFromScalar,
            PureOp::VToScalar,
            PureOp::VBitSelect,
            PureOp::VLookup,
            PureOp::VLow64,
            PureOp::VShuffle(std::array::from_fn(|i| i as u8)),
            PureOp::VShuffle(std::array::from_fn(|i| 31 - i as u8)),
            PureOp::VShuffle(std::array::from_fn(|i| if i % 3 == 2 { 255 } else { (i * 7 % 32) as u8 })),
        ];
        v.extend(IntBin::ALL.iter().map(|&o| PureOp::Int(o)));
        v.extend(IntUn::ALL.iter().map(|&o| PureOp::IntUn(o)));
        v.extend(IntCmp::ALL.iter().map(|&o| PureOp::Cmp(o)));
        v.extend(Round::ALL.iter().map(|&r| PureOp::FConvert(r)));
        v.extend(VBit::ALL.iter().map(|&o| PureOp::VBit(o)));
        v.extend(Helper::ALL.iter().map(|&h| PureOp::Helper(h)));
        v.extend([false, true].map(|high| PureOp::VPMull8 { high }));
        for s in FShape::ALL {
            v.extend(FBin::ALL.iter().map(|&o| PureOp::F(o, s)));
            v.extend(FUn::ALL.iter().map(|&o| PureOp::FUn(o, s)));
            v.push(PureOp::FMulAdd(s));
            for flag in [false, true] {
                v.extend(FCmp::ALL.iter().map(|&cmp| PureOp::FCmp { cmp, signaling: flag, shape: s }));
                v.push(PureOp::FWiden { from: s, high: flag });
                v.extend(Round::ALL.iter().map(|&round| PureOp::FRound { shape: s, round, exact: flag }));
                for fbits in [0, 1, s.bits() as u8] {
                    v.push(PureOp::IntToF { shape: s, signed: flag, fbits });
                    v.extend(Round::ALL.iter().map(|&round| PureOp::FToInt {
                        shape: s,
                        signed: flag,
                        round,
                        fbits,
                    }));
                }
            }
            v.extend(Round::ALL.iter().map(|&round| PureOp::FNarrow { from: s, round }));
        }
        for l in Lane::ALL {
            v.extend([PureOp::VSplat(l), PureOp::VNarrow(l)]);
            for i in [0, l.count() as u8 - 1] {
                v.extend([PureOp::VExtract(l, i), PureOp::VInsert(l, i)]);
            }
            v.extend(VBin::ALL.iter().map(|&o| PureOp::V(o, l)));
            v.extend(VUn::ALL.iter().map(|&o| PureOp::VUn(o, l)));
            v.extend(IntCmp::ALL.iter().map(|&o| PureOp::VCmp(o, l)));
            for n in [0, 1, l.bits() as u8 - 1, l.bits() as u8] {
                v.extend(VShift::ALL.iter().map(|&o| PureOp::VShiftImm(o, l, n)));
            }
            for signed in [false, true] {
                v.extend([false, true].map(|high| PureOp::VWiden { lane: l, signed, high }));
            }
            for &o in VSat::ALL {
                v.extend([PureOp::VSat(o, l), PureOp::VSatQc(o, l)]);
            }
            v.extend(VReduce::ALL.iter().map(|&o| PureOp::VReduce(o, l)));
        }
        v.retain(|op| op.is_valid());
        v
    }
}

/// A data operation with all its types: what a soft operation or a test case names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TypedOp {
    /// The operation.
    pub op: PureOp,
    /// Result type.
    pub ty: Type,
    /// Operand types; the entries from the arity on repeat the result type and mean nothing.
    pub args: [Type; 3],
}

impl TypedOp {
    /// The operation with these types; `None` if it does not take or give them.
    pub fn new(op: PureOp, ty: Type, args: &[Type]) -> Option<TypedOp> {
        if !op.accepts(ty, args) {
            return None;
        }
        let mut all = [ty; 3];
        all[..args.len()].copy_from_slice(args);
        Some(TypedOp { op, ty, args: all })
    }

    /// Types of the operands.
    pub fn operands(&self) -> &[Type] {
        &self.args[..self.op.arity()]
    }

    /// Every valid operation in every combination of types it takes. For tests that must not miss one.
    pub fn all() -> Vec<TypedOp> {
        let mut all = Vec::new();
        for op in PureOp::all() {
            for ty in Type::ALL {
                let rules = op.operands(ty);
                let rules = &rules[..op.arity()];
                let free: &[Type] = if rules.contains(&Operand::Free) { &Type::ALL } else { &[Type::I1] };
                for &t in free {
                    let mut args = [t; 3];
                    for (a, r) in args.iter_mut().zip(rules) {
                        if let Operand::Is(fixed) = r {
                            *a = *fixed;
                        }
                    }
                    all.extend(TypedOp::new(op, ty, &args[..rules.len()]));
                }
            }
        }
        all
    }

    /// Parses [`TypedOp`]'s text: `<result type> <mnemonic>`, and ` (<operand types>)` where result type and operation
    /// leave them open.
    pub fn parse(text: &str) -> Option<TypedOp> {
        let (ty, rest) = text.trim().split_once(' ')?;
        let ty = Type::parse(ty)?;
        let (op, list) = match rest.split_once('(') {
            Some((op, list)) => (op, Some(list.strip_suffix(')')?)),
            None => (rest, None),
        };
        let op = PureOp::parse(op.trim())?;
        let mut args = [ty; 3];
        match list {
            Some(list) => {
                let mut n = 0;
                for t in list.split(',') {
                    *args.get_mut(n)? = Type::parse(t.trim())?;
                    n += 1;
                }
                if n != op.arity() {
                    return None;
                }
            }
            None => {
                for (a, rule) in args.iter_mut().zip(&op.operands(ty)[..op.arity()]) {
                    match rule {
                        Operand::Is(t) => *a = *t,
                        Operand::Free => return None,
                    }
                }
            }
        }
        TypedOp::new(op, ty, &args[..op.arity()])
    }
}

impl fmt::Display for TypedOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.ty, self.op)?;
        if self.op.operands(self.ty)[..self.op.arity()].contains(&Operand::Free) {
            f.write_str(" (")?;
            for (i, t) in self.operands().iter().enumerate() {
                write!(f, "{}{t}", if i == 0 { "" } else { "," })?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// The text of a soft operation (see `abi::SoftOp`): `f64 fadd.d`, `i1 cmp.ult (i32,i32)`.
pub fn soft_text(op: PureOp, ty: Type, args: &[Type]) -> String {
    debug_assert!(op.accepts(ty, args), "{ty} {op} {args:?}");
    let mut all = [ty; 3];
    all[..args.len()].copy_from_slice(args);
    TypedOp { op, ty, args: all }.to_string()
}

/// Parses a soft operation's text.
pub fn parse_soft(text: &str) -> Option<TypedOp> {
    TypedOp::parse(text)
}
