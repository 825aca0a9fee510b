//! Guest memory accesses: inline assembly of one instruction, a checkpoint entry for it, and, with `Checkpoints::Callbr`,
//! a fault label. The address operand is left to LLVM, which folds base, index and displacement into it.

use crate::Checkpoints;
use crate::function::Fx;
use crate::llvm::{AsmText, IPred, T, V};
use crate::tied::{self, Tie};
use abi::{Exit, GuestState};
use ir::{Align, Inst, IntBin, Order, PureOp, RmwOp, Type, Value};
use std::mem::offset_of;

/// One access: the assembly of one instruction and its operands, outputs first. `{i}` in the text is operand i.
struct Access<'a> {
    text: &'a str,
    /// Constraints of outputs, then of inputs, in operand order.
    constraints: &'a str,
    clobbers: &'a str,
    ret: T,
    args: &'a [V],
    /// Type of the memory operand, which is the first argument.
    mem: Option<T>,
    /// The register whose old value is tied to the result: see `tied`.
    tie: Option<Tie>,
}

impl Fx<'_, '_> {
    fn access(&mut self, a: &Access<'_>) -> V {
        if let Some(n) = a.mem.and_then(|_| self.l.symbol_behind(a.args[0])) {
            return self.absolute_access(a, n);
        }
        let l = self.l;
        let mode = self.unit.options.checkpoints;
        let mut args = a.args.to_vec();
        let mut constraints = a.constraints.to_string();
        if let Some((_, r)) = a.tie {
            args.push(l.bitcast(self.get(r), a.ret));
            constraints += ",0";
        }
        let mem: Vec<(u32, T)> = a.mem.iter().map(|&t| (0, t)).collect();
        if mode == Checkpoints::None {
            constraints += a.clobbers;
            let v = l.asm_call(a.text, constraints.trim_start_matches(','), a.ret, &args, &mem);
            l.only_guest_memory(v);
            return v;
        }
        // Operands are numbered through; the guest address comes after those of the instruction, then the label.
        let n = constraints.split(',').filter(|c| !c.is_empty()).count();
        let comma = if n == 0 { "" } else { "," };
        let (word, state) = self.unit.checkpoint_word(self.pc);
        args.push(l.i32(word));
        let section = abi::symbol::CHECKPOINT_SECTION;
        let table = |label: &str| {
            format!(
                "1: {}\n.pushsection {section},\"a\",@progbits\n.long 1b-.\n.long {label}\n.long ${{{n}:c}}, {state}\n.popsection",
                a.text
            )
        };
        if !self.callbr() {
            self.commit();
            // The handler reads the state: the stores above must not move or go.
            constraints += &format!("{comma}i{},~{{memory}}", a.clobbers);
            return l.asm_call(&table("0"), &constraints, a.ret, &args, &mem);
        }
        let mut text = table(&format!("${{{}:l}}-.", n + 1));
        constraints += &format!("{comma}i,!i{}", a.clobbers);
        let next = l.block(self.func, "");
        let fault = if let Some((id, _)) = a.tie {
            text += &tied::access_record(id, n + 1);
            l.block(self.func, "fault")
        } else {
            self.fault_block()
        };
        let asm = AsmText { text: &text, constraints: &constraints, mem: &mem };
        let v = l.asm_callbr(&asm, a.ret, &args, next, fault);
        l.only_guest_memory(v);
        if let Some((id, r)) = a.tie {
            self.tied_fault_block(fault, id, r, v);
        }
        l.at_end(next);
        v
    }

    /// An access at an address that is a number filled in later. As a memory operand it would become relative to the
    /// instruction, which is not where it will be said to be.
    fn absolute_access(&mut self, a: &Access<'_>, number: V) -> V {
        let index = a.constraints.split(',').position(|c| c.ends_with("*m"));
        let index = index.expect("invariant: an access has a memory operand");
        let text = a.text.replace(&format!("${index}"), &format!("${{{index}:c}}"));
        let constraints = a.constraints.replace("=*m", "i").replace("*m", "i");
        let args: Vec<V> = std::iter::once(number).chain(a.args[1..].iter().copied()).collect();
        self.access(&Access { text: &text, constraints: &constraints, args: &args, mem: None, ..*a })
    }

    /// An empty checkpoint: no instruction, but a place to stop at for asynchronous signals.
    pub(crate) fn poll(&mut self) {
        if self.unit.options.checkpoints == Checkpoints::None {
            return;
        }
        let ret = self.l.void_ty();
        self.access(&Access {
            text: "",
            constraints: "",
            clobbers: "",
            ret,
            args: &[],
            mem: None,
            tie: None,
        });
    }

    fn address(&self, addr: Value) -> V {
        self.l.int_to_ptr(self.unreduced(addr))
    }

    /// Leaves at the current instruction if the address is not a multiple of `bytes`; the interpreter raises the fault.
    fn check_alignment(&mut self, addr: Value, bytes: u32) {
        if bytes == 1 {
            return;
        }
        let l = self.l;
        let low = l.and(self.value(addr), l.i64(bytes as u64 - 1));
        let bad = l.icmp(IPred::LLVMIntNE, low, l.i64(0));
        let (misaligned, ok) = (l.block(self.func, "misaligned"), l.block(self.func, ""));
        l.unlikely_br(bad, misaligned, ok);
        l.at_end(misaligned);
        self.set_exit(Exit::Checkpoint, self.pc);
        if self.callbr() {
            let fault = self.fault_block();
            l.br(fault);
        } else {
            self.store_dirty();
            self.leave();
        }
        l.at_end(ok);
    }

    pub(crate) fn load(&mut self, i: usize, ty: Type, addr: Value, align: Align) {
        self.check_alignment(addr, align.bytes(ty.bytes()));
        let p = self.address(addr);
        let uses = self.uses[i];
        let all = |n: u32| n != 0 && n == uses.count;
        if self.unit.options.checkpoints == Checkpoints::None {
            let vector = matches!(ty, Type::I32 | Type::I64) && all(uses.vector);
            let signed = matches!(ty, Type::I8 | Type::I16 | Type::I32) && all(uses.sext);
            let sext = signed.then_some(if uses.sext_bits == 64 { 64 } else { 32 });
            return self.plain_load(i, ty, p, sext, vector);
        }
        match ty {
            Type::V128 => {
                let v = self.load_vec(None, "movups", self.unit.ty(ty), p, self.unit.ty(ty));
                self.define(i, v);
            }
            Type::I128 => {
                let v = self.load_vec(None, "movups", self.unit.ty(Type::V128), p, self.unit.ty(ty));
                let v = self.l.bitcast(v, self.unit.ty(ty));
                self.define(i, v);
            }
            Type::F64 if self.stored_by_words(i, addr, align) => {
                let single = self.l.vec_ty(self.l.float_ty(32), 4);
                let words = [0, 4].map(|at| {
                    let p = self.l.gep(p, self.l.i64(at));
                    self.load_vec(None, "movss", single, p, self.l.float_ty(32))
                });
                let v = self.pair(words.map(|v| self.l.extract(v, 0)));
                self.define(i, v);
            }
            // In a vector register the load clears the bits above.
            Type::F32 | Type::F64 => {
                let (op, n) = if ty == Type::F32 { ("movss", 4) } else { ("movsd", 2) };
                let full = self.l.vec_ty(self.unit.ty(ty), n);
                let tie = self.tie(i, p, Type::V128);
                let v = self.load_vec(tie, op, full, p, self.unit.ty(ty));
                let wide = self.l.bitcast(v, self.unit.ty(Type::V128));
                let scalar = self.l.extract(v, 0);
                self.define_wide(i, scalar, wide);
            }
            Type::I32 | Type::I64 if self.goes_home(i) => {
                let home =
                    self.load_vec(None, vector_move(ty), self.unit.ty(Type::V128), p, self.unit.ty(ty));
                let v = self.l.extract(home, 0);
                let narrow = self.l.trunc(v, self.unit.ty(ty));
                self.define_wide(i, narrow, v);
            }
            Type::I32 | Type::I64 if all(uses.vector) => {
                let vec = self.unit.ty(Type::V128);
                let tie = self.tie(i, p, Type::V128);
                let wide = self.load_vec(tie, vector_move(ty), vec, p, self.unit.ty(ty));
                let lanes = self.l.ivec_ty(ty.bits(), 128 / ty.bits());
                let scalar = self.l.extract(self.l.bitcast(wide, lanes), 0);
                self.define_wide(i, scalar, wide);
            }
            Type::I64 if all(uses.word) && self.together.is_none() && self.again.is_none() => {
                let v = self.load_words(p);
                self.define(i, v);
            }
            Type::I8 | Type::I16 | Type::I32 if all(uses.sext) => {
                let op = match (ty, uses.sext_bits) {
                    (Type::I8, 64) => "movsbq $1, $0",
                    (Type::I16, 64) => "movswq $1, $0",
                    (Type::I32, 64) => "movslq $1, $0",
                    (Type::I8, _) => "movsbl $1, ${0:k}",
                    (Type::I16, _) => "movswl $1, ${0:k}",
                    _ => "movl $1, ${0:k}",
                };
                // The sign-extended value stands for the narrow one; `Sext` looks here first.
                let v = self.load_int(i, op, p, ty);
                let narrow = self.l.trunc(v, self.unit.ty(ty));
                self.define_wide(i, narrow, v);
            }
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::F16 | Type::I1 => {
                let op = match ty.bits() {
                    1 | 8 => "movzbl $1, ${0:k}",
                    16 => "movzwl $1, ${0:k}",
                    32 => "movl $1, ${0:k}",
                    _ => "movq $1, $0",
                };
                let v = self.load_int(i, op, p, ty);
                let narrow = self.l.trunc(v, self.unit.ty(ty));
                self.define_wide(i, narrow, v);
            }
        }
    }

    /// True if the value is a load that was made sign-extending.
    pub(crate) fn loaded_signed(&self, v: Value) -> bool {
        let u = self.uses[v.0 as usize];
        matches!(self.def(v), ir::Inst::Load { ty: Type::I8 | Type::I16 | Type::I32, .. })
            && u.sext != 0
            && u.sext == u.count
    }

    /// True if load `i` reads two words (VLDR), of which its block has just stored one singly: a processor waits until that is in its
    /// cache before it loads both as one.
    fn stored_by_words(&self, i: usize, addr: Value, align: Align) -> bool {
        /// How many instructions of the IR a store may lie back.
        const RECENT: usize = 128;
        if self.unit.vector_regs || align.bytes(8) != 4 {
            return false;
        }
        let (base, offset) = self.base_and_offset(addr);
        self.cur.insts[i.saturating_sub(RECENT)..i].iter().any(|inst| match *inst {
            Inst::Store { addr, value, .. } if self.type_of(value).bytes() == 4 => {
                let (other, at) = self.base_and_offset(addr);
                other == base && at.wrapping_sub(offset) < 8
            }
            _ => false,
        })
    }

    fn base_and_offset(&self, addr: Value) -> (Value, u64) {
        match *self.def(addr) {
            Inst::Pure { op: PureOp::Int(IntBin::Add), args: [base, k, ..], .. } => {
                self.constant(k).map_or((addr, 0), |k| (base, k as u64))
            }
            _ => (addr, 0),
        }
    }

    /// Loads 64 bits that are used word by word: as two words as long as nobody else can see the memory, since a processor that
    /// has just stored them so waits until they are in its cache before it loads them as one.
    fn load_words(&mut self, p: V) -> V {
        if self.commits() {
            // Both ways must agree on what is stored.
            self.commit();
        }
        let l = self.l;
        let (word, wide) = (l.int_ty(32), l.i64_ty());
        let seen = l.load(l.int_ty(8), self.field(offset_of!(GuestState, seen_by_others)));
        let seen = l.icmp(IPred::LLVMIntNE, seen, l.zero(l.int_ty(8)));
        let (one, two, end) = (l.block(self.func, "one"), l.block(self.func, "two"), l.block(self.func, ""));
        l.unlikely_br(seen, one, two);
        l.at_end(two);
        let mut load = |text, at, ty| self.load_tied(None, text, at, ty);
        let words =
            [load("movl $1, ${0:k}", p, Type::I32), load("movl $1, ${0:k}", l.gep(p, l.i64(4)), Type::I32)]
                .map(|v| l.trunc(v, word));
        let two = l.current_block();
        l.br(end);
        l.at_end(one);
        let v = load("movq $1, $0", p, Type::I64);
        let halves = [l.trunc(v, word), l.trunc(l.lshr(v, l.i64(32)), word)];
        let one = l.current_block();
        l.br(end);
        l.at_end(end);
        let [low, high] = [0, 1].map(|n| l.phi(word, &[(words[n], two), (halves[n], one)]));
        l.or(l.zext(low, wide), l.shl(l.zext(high, wide), l.i64(32)))
    }

    /// Loads for instruction `i`.
    fn load_int(&mut self, i: usize, text: &str, p: V, mem: Type) -> V {
        let tie = self.tie(i, p, Type::I64);
        self.load_tied(tie, text, p, mem)
    }

    fn load_tied(&mut self, tie: Option<Tie>, text: &str, p: V, mem: Type) -> V {
        let mem = Some(self.l.int_ty(mem.bits().max(8)));
        let ret = self.l.i64_ty();
        self.access(&Access { text, constraints: "=r,*m", clobbers: "", ret, args: &[p], mem, tie })
    }

    fn load_vec(&mut self, tie: Option<Tie>, op: &str, ret: T, p: V, mem: T) -> V {
        let text = &self.unit.vector_text(&format!("{op} $1, $0"));
        let mem = Some(mem);
        self.access(&Access { text, constraints: "=x,*m", clobbers: "", ret, args: &[p], mem, tie })
    }

    /// An access that reads one byte for its fault only.
    pub(crate) fn touch(&mut self, addr: Value) {
        let p = self.address(addr);
        self.load_tied(None, "movzbl $1, ${0:k}", p, Type::I8);
    }

    pub(crate) fn store(&mut self, addr: Value, value: Value, order: Order, align: Align) {
        let ty = self.type_of(value);
        self.check_alignment(addr, align.bytes(ty.bytes()));
        let p = self.address(addr);
        if let (true, Order::Relaxed, Some(home)) = (self.callbr(), order, self.value_at_home(value)) {
            let text = self.unit.vector_text(&format!("{} $1, $0", vector_move(ty)));
            return self.store_text(&text, "=*m,x", p, home, self.unit.ty(ty));
        }
        let v = self.value(value);
        let release = matches!(order, Order::Release | Order::AcqRel);
        match ty {
            Type::F32 => self.store_vec("movss", p, v),
            Type::F64 => self.store_vec("movsd", p, v),
            Type::V128 => self.store_vec("movups", p, v),
            Type::I128 => {
                let v = self.l.bitcast(v, self.unit.ty(Type::V128));
                self.store_vec("movups", p, v);
            }
            Type::I1 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::F16 => {
                let v = if ty == Type::I1 { self.l.zext(v, self.l.int_ty(8)) } else { v };
                if release {
                    // A store-release may not be passed by a later load-acquire: `xchg` is a full barrier.
                    self.exchange(ty, p, v);
                    return;
                }
                match ty.bits() {
                    1 | 8 => self.store_as("movb ${1:b}, $0", "=*m,ri", p, v),
                    16 => self.store_as("movw ${1:w}, $0", "=*m,ri", p, v),
                    32 => self.store_as("movl ${1:k}, $0", "=*m,ri", p, v),
                    _ => self.store_as("movq $1, $0", "=*m,re", p, v),
                }
            }
        }
        if release {
            self.full_fence();
        }
    }

    fn store_vec(&mut self, op: &str, p: V, v: V) {
        self.store_as(&self.unit.vector_text(&format!("{op} $1, $0")), "=*m,x", p, v);
    }

    fn store_as(&mut self, text: &str, constraints: &str, p: V, v: V) {
        if self.unit.options.checkpoints == Checkpoints::None {
            return self.l.store_volatile(v, p);
        }
        self.store_text(text, constraints, p, v, self.l.type_of(v));
    }

    fn store_text(&mut self, text: &str, constraints: &str, p: V, v: V, mem: T) {
        let (ret, mem) = (self.l.void_ty(), Some(mem));
        self.access(&Access { text, constraints, clobbers: "", ret, args: &[p, v], mem, tie: None });
    }

    pub(crate) fn full_fence(&mut self) {
        // Cheaper than `mfence`, and as strong for ordinary memory.
        let ret = self.l.void_ty();
        self.l.asm_call("lock orl $$0, (%rsp)", "~{memory},~{flags}", ret, &[], &[]);
    }

    /// `xchg`, `lock xadd`: an instruction that leaves the old value in the operand's register.
    fn fetch(&mut self, op: &str, ty: Type, p: V, v: V) -> V {
        let text = format!("{op}{} ${{0:{}}}, $1", suffix(ty), modifier(ty));
        let mem = self.l.type_of(v);
        self.access(&Access {
            text: &text,
            constraints: "=r,=*m,0",
            clobbers: ",~{flags}",
            ret: mem,
            args: &[p, v],
            mem: Some(mem),
            tie: None,
        })
    }

    fn exchange(&mut self, ty: Type, p: V, v: V) -> V {
        self.fetch("xchg", ty, p, v)
    }

    /// `lock cmpxchg`: the old value.
    fn compare_exchange(&mut self, ty: Type, p: V, expected: V, new: V) -> V {
        let l = self.l;
        if ty == Type::I128 {
            let half = |v: V, n: u32| l.trunc(l.lshr(v, l.int(l.int_ty(128), n as u128)), l.i64_ty());
            let args = [p, half(expected, 0), half(expected, 64), half(new, 0), half(new, 64)];
            let pair = self.access(&Access {
                text: "lock cmpxchg16b $2",
                constraints: "={rax},={rdx},=*m,0,1,{rbx},{rcx}",
                clobbers: ",~{flags}",
                ret: l.struct_ty(&[l.i64_ty(), l.i64_ty()]),
                args: &args,
                mem: Some(l.int_ty(128)),
                tie: None,
            });
            let wide = |i: u32| l.zext(l.extract_value(pair, i), l.int_ty(128));
            return l.or(wide(0), l.shl(wide(1), l.int(l.int_ty(128), 64)));
        }
        let text = format!("lock cmpxchg{} ${{3:{}}}, $1", suffix(ty), modifier(ty));
        let mem = l.type_of(new);
        self.access(&Access {
            text: &text,
            constraints: "={rax},=*m,0,r",
            clobbers: ",~{flags}",
            ret: mem,
            args: &[p, expected, new],
            mem: Some(mem),
            tie: None,
        })
    }

    pub(crate) fn rmw(&mut self, i: usize, op: RmwOp, ty: Type, addr: Value, value: Value) {
        self.check_alignment(addr, ty.bytes());
        let l = self.l;
        let p = self.address(addr);
        let v = self.value(value);
        let unused = self.uses[i].count == 0;
        let old = match op {
            RmwOp::Swap => self.exchange(ty, p, v),
            RmwOp::Add => self.fetch("lock xadd", ty, p, v),
            RmwOp::Clear if unused => {
                let mask = l.not(v);
                self.modify("and", ty, p, mask)
            }
            RmwOp::Or if unused => self.modify("or", ty, p, v),
            RmwOp::Xor if unused => self.modify("xor", ty, p, v),
            RmwOp::Clear | RmwOp::Or | RmwOp::Xor | RmwOp::SMax | RmwOp::SMin | RmwOp::UMax | RmwOp::UMin => {
                self.rmw_loop(op, ty, p, v)
            }
        };
        self.define(i, old);
    }

    /// A locked instruction whose old value nobody wants.
    fn modify(&mut self, op: &str, ty: Type, p: V, v: V) -> V {
        let text = format!("lock {op}{} ${{1:{}}}, $0", suffix(ty), modifier(ty));
        let mem = self.l.type_of(v);
        let ret = self.l.void_ty();
        self.access(&Access {
            text: &text,
            constraints: "=*m,r",
            clobbers: ",~{flags}",
            ret,
            args: &[p, v],
            mem: Some(mem),
            tie: None,
        });
        self.l.poison(mem)
    }

    fn rmw_loop(&mut self, op: RmwOp, ty: Type, p: V, v: V) -> V {
        let l = self.l;
        let narrow = self.unit.ty(ty);
        let load = match ty.bits() {
            8 => "movzbl $1, ${0:k}",
            16 => "movzwl $1, ${0:k}",
            32 => "movl $1, ${0:k}",
            _ => "movq $1, $0",
        };
        let first = self.load_tied(None, load, p, ty);
        let first = l.trunc(first, narrow);
        let slot_from = l.current_block();
        let (again, done) = (l.block(self.func, "again"), l.block(self.func, "done"));
        l.br(again);
        l.at_end(again);
        let old = l.phi(narrow, &[(first, slot_from)]);
        let pick = |p: IPred| l.select(l.icmp(p, old, v), old, v);
        let new = match op {
            RmwOp::Add => l.add(old, v),
            RmwOp::Clear => l.and(old, l.not(v)),
            RmwOp::Xor => l.xor(old, v),
            RmwOp::Or => l.or(old, v),
            RmwOp::SMax => pick(IPred::LLVMIntSGT),
            RmwOp::SMin => pick(IPred::LLVMIntSLT),
            RmwOp::UMax => pick(IPred::LLVMIntUGT),
            RmwOp::UMin => pick(IPred::LLVMIntULT),
            RmwOp::Swap => v,
        };
        let seen = self.compare_exchange(ty, p, old, new);
        let same = l.icmp(IPred::LLVMIntEQ, seen, old);
        let end = l.current_block();
        l.add_incoming(old, seen, end);
        l.likely_br(same, done, again);
        l.at_end(done);
        old
    }

    pub(crate) fn cas(&mut self, i: usize, ty: Type, addr: Value, expected: Value, new: Value) {
        self.check_alignment(addr, ty.bytes());
        let p = self.address(addr);
        let (expected, new) = (self.value(expected), self.value(new));
        let old = self.compare_exchange(ty, p, expected, new);
        self.define(i, old);
    }

    pub(crate) fn load_ex(&mut self, i: usize, ty: Type, addr: Value) {
        self.load(i, ty, addr, Align::Natural);
        let l = self.l;
        let v = l.zext(self.value(Value(i as u32)), l.int_ty(ty.bits().max(64)));
        let value = offset_of!(GuestState, excl_value);
        l.store(l.trunc(v, l.i64_ty()), self.field(value));
        if ty == Type::I128 {
            let high = l.trunc(l.lshr(v, l.int(l.int_ty(128), 64)), l.i64_ty());
            l.store(high, self.field(value + 8));
        }
        l.store(self.value(addr), self.field(offset_of!(GuestState, excl_addr)));
        l.store(l.i64(ty.bytes() as u64), self.field(offset_of!(GuestState, excl_size)));
    }

    pub(crate) fn store_ex(&mut self, i: usize, addr: Value, value: Value) {
        let ty = self.type_of(value);
        self.check_alignment(addr, ty.bytes());
        if self.commits() {
            // Both paths must agree on what is stored.
            self.commit();
        }
        let l = self.l;
        let p = self.address(addr);
        let new = self.value(value);
        let size = l.load(l.i64_ty(), self.field(offset_of!(GuestState, excl_size)));
        let at = l.load(l.i64_ty(), self.field(offset_of!(GuestState, excl_addr)));
        let open = l.and(
            l.icmp(IPred::LLVMIntEQ, size, l.i64(ty.bytes() as u64)),
            l.icmp(IPred::LLVMIntEQ, at, self.value(addr)),
        );
        let closed = l.current_block();
        let (attempt, end) = (l.block(self.func, "attempt"), l.block(self.func, "closed"));
        l.likely_br(open, attempt, end);
        l.at_end(attempt);
        let word = |n: usize| l.load(l.i64_ty(), self.field(offset_of!(GuestState, excl_value) + 8 * n));
        let expected = match ty {
            Type::I128 => {
                let wide = |v: V| l.zext(v, l.int_ty(128));
                l.or(wide(word(0)), l.shl(wide(word(1)), l.int(l.int_ty(128), 64)))
            }
            _ => l.trunc(word(0), l.type_of(new)),
        };
        let old = self.compare_exchange(ty, p, expected, new);
        let failed = l.zext(l.icmp(IPred::LLVMIntNE, old, expected), l.int_ty(32));
        let tried = l.current_block();
        l.br(end);
        l.at_end(end);
        let status = l.phi(l.int_ty(32), &[(l.i32(1), closed), (failed, tried)]);
        l.store(l.i64(0), self.field(offset_of!(GuestState, excl_size)));
        self.define(i, status);
    }
}

/// The move of an integer of 32 or 64 bits to or from a vector register.
fn vector_move(ty: Type) -> &'static str {
    if ty == Type::I32 { "movd" } else { "movq" }
}

/// Size suffix of an AT&T mnemonic.
fn suffix(ty: Type) -> &'static str {
    match ty.bits() {
        1 | 8 => "b",
        16 => "w",
        32 => "l",
        _ => "q",
    }
}

/// Operand modifier that names the register of that size.
fn modifier(ty: Type) -> &'static str {
    match ty.bits() {
        1 | 8 => "b",
        16 => "w",
        32 => "k",
        _ => "q",
    }
}
