//! Parser of the text form that `text` prints. Takes text and a register file, gives functions or instructions, or the
//! first error with its line and column. Checks syntax and names only; types are the verifier's business.

use crate::func::*;
use crate::op::PureOp;
use crate::parse_line::{Line, ParseError, Result, lines};
use crate::types::*;
use std::collections::HashMap;

/// Parses any number of functions.
pub fn parse_functions(text: &str, regs: &RegFile) -> Result<Vec<Function>> {
    let mut functions: Vec<Function> = Vec::new();
    let mut block: Option<BlockBuilder> = None;
    for mut line in lines(text) {
        let at = line.position();
        match line.peek_word() {
            "function" => {
                end_of_block(&block, at)?;
                functions.push(line.function(regs)?);
            }
            "block" => {
                end_of_block(&block, at)?;
                let Some(f) = functions.last() else { return Err(line.error("a block outside a function")) };
                block = Some(line.block(f.blocks.len())?);
            }
            _ => {
                let (Some(f), Some(b)) = (functions.last_mut(), block.as_mut()) else {
                    return Err(line.error("an instruction outside a block"));
                };
                if let Some(term) = line.statement(b, regs)? {
                    let b = block.take().expect("invariant: checked above");
                    f.blocks.push(Block { pc: b.pc, insts: b.insts, term, resume: b.resume });
                }
            }
        }
        line.end()?;
    }
    end_of_block(&block, (text.lines().count().max(1), 1))?;
    Ok(functions)
}

/// Parses exactly one function.
pub fn parse_function(text: &str, regs: &RegFile) -> Result<Function> {
    let mut all = parse_functions(text, regs)?;
    match (all.pop(), all.is_empty()) {
        (Some(f), true) => Ok(f),
        _ => Err(ParseError { line: 1, column: 1, message: "one function expected".into() }),
    }
}

/// Parses a straight run of instructions without terminator, as `display_insts` prints it.
pub fn parse_insts(text: &str, regs: &RegFile) -> Result<Vec<Inst>> {
    let mut b = BlockBuilder::default();
    for mut line in lines(text) {
        let at = line.clone();
        if line.statement(&mut b, regs)?.is_some() {
            return Err(at.error("a terminator is not expected here"));
        }
        line.end()?;
    }
    Ok(b.insts)
}

fn end_of_block(open: &Option<BlockBuilder>, at: (usize, usize)) -> Result<()> {
    if open.is_some() {
        return Err(ParseError { line: at.0, column: at.1, message: "the block has no terminator".into() });
    }
    Ok(())
}

#[derive(Default)]
struct BlockBuilder {
    pc: GuestAddr,
    resume: bool,
    insts: Vec<Inst>,
    labels: HashMap<String, Value>,
}

impl<'a> Line<'a> {
    fn block_id(&mut self) -> Result<BlockId> {
        self.lookup("block", |w| w.strip_prefix('b')?.parse().ok().map(BlockId))
    }

    fn continuation(&mut self) -> Result<Option<BlockId>> {
        self.space();
        if self.rest().is_empty() { Ok(None) } else { self.block_id().map(Some) }
    }

    fn label(&mut self) -> Result<&'a str> {
        self.expect("%")?;
        self.word()
    }

    fn value(&mut self, b: &BlockBuilder) -> Result<Value> {
        self.space();
        let start = self.clone();
        let label = self.label()?;
        b.labels.get(label).copied().ok_or_else(|| start.error(format!("%{label} is not defined above")))
    }

    fn comma_value(&mut self, b: &BlockBuilder) -> Result<Value> {
        self.expect(",")?;
        self.value(b)
    }

    fn function(&mut self, regs: &RegFile) -> Result<Function> {
        self.expect("function")?;
        self.lookup("instruction set of these registers", |w| (w == regs.isa).then_some(()))?;
        self.space();
        let name = if self.rest().starts_with('"') { self.quoted()? } else { self.word()?.to_string() };
        let entry = self.at_address()?;
        Ok(Function { name, entry, blocks: Vec::new() })
    }

    fn block(&mut self, index: usize) -> Result<BlockBuilder> {
        self.expect("block")?;
        self.space();
        let start = self.clone();
        let id = self.block_id()?;
        if id.0 as usize != index {
            return Err(start.error(format!("block b{index} expected here")));
        }
        let pc = self.at_address()?;
        let resume = self.take("resume");
        self.expect(":")?;
        Ok(BlockBuilder { pc, resume, ..BlockBuilder::default() })
    }

    /// One instruction, which is appended to `b`, or a terminator.
    fn statement(&mut self, b: &mut BlockBuilder, regs: &RegFile) -> Result<Option<Term>> {
        let start = self.clone();
        let reg = |w: &str| regs.by_name(w);
        if self.take(".") {
            let pc = self.address()?;
            b.insts.push(Inst::Mark(pc));
            return Ok(None);
        }
        if self.rest().starts_with('%') {
            let label = self.label()?;
            self.expect("=")?;
            let inst = self.definition(b, regs)?;
            if b.labels.insert(label.to_string(), Value(b.insts.len() as u32)).is_some() {
                return Err(start.error(format!("%{label} is defined twice")));
            }
            b.insts.push(inst);
            return Ok(None);
        }
        let after_word = self.rest()[self.peek_word().len()..].trim_start();
        if after_word.starts_with('=') {
            let r = self.lookup("register", reg)?;
            self.expect("=")?;
            let v = self.value(b)?;
            b.insts.push(Inst::Set(r, v));
            return Ok(None);
        }
        let word = self.word()?;
        let (head, rest) = word.split_once('.').unwrap_or((word, ""));
        let bad = || start.error(format!("`{word}` is no instruction"));
        let inst = match head {
            "store" => {
                let (order, align) = access(rest).ok_or_else(bad)?;
                let addr = self.value(b)?;
                Inst::Store { addr, value: self.comma_value(b)?, order, align }
            }
            "clearex" if rest.is_empty() => Inst::ClearEx,
            "fence" => Inst::Fence(Fence::parse(rest).ok_or_else(bad)?),
            "cache" => Inst::Cache { op: CacheOp::parse(rest).ok_or_else(bad)?, addr: self.value(b)? },
            "writesys" if rest.is_empty() => {
                let r = self.lookup("system register", SysReg::parse)?;
                Inst::WriteSys(r, self.comma_value(b)?)
            }
            _ => return self.terminator(word, b, bad).map(Some),
        };
        b.insts.push(inst);
        Ok(None)
    }

    /// What stands behind `%n =`.
    fn definition(&mut self, b: &BlockBuilder, regs: &RegFile) -> Result<Inst> {
        match self.peek_word() {
            "get" => {
                self.word()?;
                return Ok(Inst::Get(self.lookup("register", |w| regs.by_name(w))?));
            }
            "codeaddr" => {
                self.word()?;
                return Ok(Inst::CodeAddr(self.at_address()?));
            }
            "readsys" => {
                self.word()?;
                return Ok(Inst::ReadSys(self.lookup("system register", SysReg::parse)?));
            }
            _ => {}
        }
        let ty = self.lookup("type", Type::parse)?;
        self.space();
        let start = self.clone();
        // A mnemonic ends at a blank, but for the list of a permutation, which ends with its bracket.
        let rest = self.rest();
        let n = if rest.starts_with("vshuffle[") {
            rest.find(']').map_or(rest.len(), |i| i + 1)
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        let word = &rest[..n];
        self.skip(n);
        let (head, suffix) = word.split_once('.').unwrap_or((word, ""));
        let bad = || start.error(format!("`{word}` is no operation"));
        let only_order = |s| access(s).filter(|a| a.1 == Align::Any).map(|a| a.0);
        Ok(match head {
            "const" if suffix.is_empty() => Inst::Const { ty, bits: self.number()? },
            "load" => {
                let (order, align) = access(suffix).ok_or_else(bad)?;
                Inst::Load { ty, addr: self.value(b)?, order, align }
            }
            "rmw" => {
                let (op, order) = suffix.split_once('.').unwrap_or((suffix, ""));
                let op = RmwOp::parse(op).ok_or_else(bad)?;
                let order = only_order(order).ok_or_else(bad)?;
                let addr = self.value(b)?;
                Inst::Rmw { op, ty, addr, value: self.comma_value(b)?, order }
            }
            "cas" => {
                let order = only_order(suffix).ok_or_else(bad)?;
                let addr = self.value(b)?;
                let expected = self.comma_value(b)?;
                Inst::Cas { ty, addr, expected, new: self.comma_value(b)?, order }
            }
            "loadex" => {
                let order = only_order(suffix).ok_or_else(bad)?;
                Inst::LoadEx { ty, addr: self.value(b)?, order }
            }
            "storeex" => {
                let order = only_order(suffix).filter(|_| ty == Type::I32).ok_or_else(bad)?;
                let addr = self.value(b)?;
                Inst::StoreEx { addr, value: self.comma_value(b)?, order }
            }
            _ => {
                let op = PureOp::parse(word).ok_or_else(bad)?;
                let mut args = [NO_VALUE; 3];
                for (i, a) in args[..op.arity()].iter_mut().enumerate() {
                    *a = if i == 0 { self.value(b)? } else { self.comma_value(b)? };
                }
                Inst::Pure { op, ty, args }
            }
        })
    }

    fn terminator(&mut self, word: &str, b: &BlockBuilder, bad: impl Fn() -> ParseError) -> Result<Term> {
        Ok(match word {
            "jump" => Term::Jump(self.block_id()?),
            "branch" => {
                let cond = self.value(b)?;
                self.expect(",")?;
                let then = self.block_id()?;
                self.expect(",")?;
                Term::Branch { cond, then, els: self.block_id()? }
            }
            "switch" => {
                let target = self.value(b)?;
                self.expect("[")?;
                let mut cases = Vec::new();
                while !self.take("]") {
                    if !cases.is_empty() {
                        self.expect(",")?;
                    }
                    let pc = self.address()?;
                    self.expect(":")?;
                    cases.push((pc, self.block_id()?));
                }
                Term::Switch { target, cases }
            }
            "goto" => Term::Goto(self.at_address()?),
            "indirect" => Term::Indirect(self.value(b)?),
            "call" => {
                self.space();
                let target = if self.rest().starts_with('@') {
                    CallTarget::Direct(self.at_address()?)
                } else {
                    CallTarget::Indirect(self.value(b)?)
                };
                self.expect("ret")?;
                let ret = self.at_address()?;
                Term::Call { target, ret, cont: self.continuation()? }
            }
            "return" => Term::Return(self.value(b)?),
            "syscall" => {
                let imm = self.narrow()?;
                self.expect("next")?;
                let next = self.at_address()?;
                Term::Syscall { imm, next, cont: self.continuation()? }
            }
            "trap" => {
                let kind = if self.take("breakpoint") {
                    TrapKind::Breakpoint(self.narrow()?)
                } else {
                    self.expect("undefined")?;
                    TrapKind::Undefined
                };
                Term::Trap { kind, pc: self.at_address()? }
            }
            "fallback" => Term::Fallback { pc: self.at_address()? },
            _ => return Err(bad()),
        })
    }
}

/// `acquire.aligned` and the like.
fn access(suffix: &str) -> Option<(Order, Align)> {
    let (mut order, mut align) = (Order::Relaxed, Align::Any);
    for s in suffix.split('.').filter(|s| !s.is_empty()) {
        match Order::parse(s) {
            Some(o) => order = o,
            None if s == "aligned" => align = Align::Natural,
            None => {
                let n: u8 = s.strip_prefix("align")?.parse().ok()?;
                if !n.is_power_of_two() {
                    return None;
                }
                align = Align::To(n);
            }
        }
    }
    Some((order, align))
}
