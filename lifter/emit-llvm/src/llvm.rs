//! A small builder over LLVM's C API: what `inkwell` does not offer (`callbr`, attributes of types) and, for the rest,
//! one value type for scalars and vectors, so that lowerings read alike. Knows no IR of ours.
//!
//! # Safety
//! Every [`V`], [`T`] and [`Bb`] comes from the `Llvm` it is used with (the types are private to this crate, and an
//! `Llvm` lives inside one emission), which keeps its context, module and builder alive; so references passed to LLVM
//! are valid. Operand types are the callers' affair; a mistake there is caught by LLVM's verifier, which every test runs.
#![allow(unsafe_code)]

use inkwell::builder::Builder;
use inkwell::context::Context;
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::{
    LLVMInlineAsmDialect, LLVMLinkage, LLVMModuleFlagBehavior, LLVMOpcode, LLVMTailCallKind, LLVMVisibility,
};
use inkwell::module::Module;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;

pub(crate) use inkwell::llvm_sys::LLVMIntPredicate as IPred;
pub(crate) use inkwell::llvm_sys::LLVMRealPredicate as FPred;

/// A value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct V(LLVMValueRef);

/// A type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct T(LLVMTypeRef);

/// A basic block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bb(LLVMBasicBlockRef);

/// Calling convention of lifted functions.
pub(crate) const REGCALL: u32 = 92;
/// The C calling convention.
pub(crate) const C_CONV: u32 = 0;

/// Declared intrinsics by name and overloaded types: function and its type.
type Intrinsics = HashMap<(String, Vec<T>), (V, T)>;

/// Context, module and builder of one emission.
pub(crate) struct Llvm<'c> {
    module: Module<'c>,
    _builder: Builder<'c>,
    ctx: LLVMContextRef,
    b: LLVMBuilderRef,
    intrinsics: RefCell<Intrinsics>,
    asm: RefCell<HashMap<(String, String, T), V>>,
    unlikely: V,
    likely: V,
    /// For branches that take the first or the second way rarely.
    rare: [V; 2],
    prof: u32,
    invariant: u32,
    absolute: u32,
    empty_node: V,
    scope: u32,
    noalias: u32,
    /// List of the one alias scope: memory of the host, which guest accesses do not touch.
    host_memory: V,
}

fn cstr(s: &str) -> CString {
    CString::new(s).expect("invariant: symbol names hold no NUL")
}

const NO_NAME: *const i8 = c"".as_ptr();

macro_rules! binary {
    ($($name:ident $op:ident;)*) => {
        $(pub(crate) fn $name(&self, a: V, b: V) -> V {
            self.bin(LLVMOpcode::$op, a, b)
        })*
    };
}

impl<'c> Llvm<'c> {
    pub(crate) fn new(context: &'c Context, name: &str) -> Self {
        let module = context.create_module(name);
        let builder = context.create_builder();
        let (ctx, b) = (context.raw(), builder.as_mut_ptr());
        // SAFETY: the context is alive; strings are passed with their lengths.
        let (likely, unlikely, rare, empty_node, host_memory, kinds) = unsafe {
            let i32t = LLVMInt32TypeInContext(ctx);
            let weight = |n| LLVMValueAsMetadata(LLVMConstInt(i32t, n, 0));
            let tag = || LLVMMDStringInContext2(ctx, c"branch_weights".as_ptr(), 14);
            let node = |mut m: Vec<LLVMMetadataRef>| {
                V(LLVMMetadataAsValue(ctx, LLVMMDNodeInContext2(ctx, m.as_mut_ptr(), m.len())))
            };
            (
                node(vec![tag(), weight(2000), weight(1)]),
                node(vec![tag(), weight(1), weight(2000)]),
                [(1, 16), (16, 1)].map(|(a, b)| node(vec![tag(), weight(a), weight(b)])),
                node(vec![]),
                {
                    let name = |n: &str| LLVMMDStringInContext2(ctx, n.as_ptr().cast(), n.len());
                    let list =
                        |mut m: Vec<LLVMMetadataRef>| LLVMMDNodeInContext2(ctx, m.as_mut_ptr(), m.len());
                    let scope = list(vec![name("host memory"), list(vec![name("lifted code")])]);
                    node(vec![scope])
                },
                ["prof", "invariant.load", "absolute_symbol", "alias.scope", "noalias"]
                    .map(|n| LLVMGetMDKindIDInContext(ctx, n.as_ptr().cast(), n.len() as u32)),
            )
        };
        let [prof, invariant, absolute, scope, noalias] = kinds;
        Llvm {
            module,
            _builder: builder,
            ctx,
            b,
            intrinsics: RefCell::default(),
            asm: RefCell::default(),
            unlikely,
            likely,
            rare,
            prof,
            invariant,
            absolute,
            empty_node,
            scope,
            noalias,
            host_memory,
        }
    }

    pub(crate) fn module(&self) -> &Module<'c> {
        &self.module
    }

    // Types.

    pub(crate) fn int_ty(&self, bits: u32) -> T {
        // SAFETY: see the module's head.
        T(unsafe { LLVMIntTypeInContext(self.ctx, bits) })
    }

    pub(crate) fn i64_ty(&self) -> T {
        self.int_ty(64)
    }

    pub(crate) fn float_ty(&self, bits: u32) -> T {
        // SAFETY: see the module's head.
        unsafe {
            match bits {
                32 => T(LLVMFloatTypeInContext(self.ctx)),
                64 => T(LLVMDoubleTypeInContext(self.ctx)),
                // binary16 has no native operation: its bits travel as an integer.
                _ => self.int_ty(bits),
            }
        }
    }

    pub(crate) fn vec_ty(&self, elem: T, n: u32) -> T {
        // SAFETY: see the module's head.
        T(unsafe { LLVMVectorType(elem.0, n) })
    }

    /// `<n x i(bits)>`
    pub(crate) fn ivec_ty(&self, bits: u32, n: u32) -> T {
        self.vec_ty(self.int_ty(bits), n)
    }

    pub(crate) fn ptr_ty(&self) -> T {
        // SAFETY: see the module's head.
        T(unsafe { LLVMPointerTypeInContext(self.ctx, 0) })
    }

    pub(crate) fn void_ty(&self) -> T {
        // SAFETY: see the module's head.
        T(unsafe { LLVMVoidTypeInContext(self.ctx) })
    }

    pub(crate) fn struct_ty(&self, fields: &[T]) -> T {
        let mut f: Vec<_> = fields.iter().map(|t| t.0).collect();
        // SAFETY: see the module's head.
        T(unsafe { LLVMStructTypeInContext(self.ctx, f.as_mut_ptr(), f.len() as u32, 0) })
    }

    pub(crate) fn fn_ty(&self, ret: T, params: &[T]) -> T {
        let mut p: Vec<_> = params.iter().map(|t| t.0).collect();
        // SAFETY: see the module's head.
        T(unsafe { LLVMFunctionType(ret.0, p.as_mut_ptr(), p.len() as u32, 0) })
    }

    pub(crate) fn type_of(&self, v: V) -> T {
        // SAFETY: see the module's head.
        T(unsafe { LLVMTypeOf(v.0) })
    }

    // Constants.

    pub(crate) fn int(&self, ty: T, bits: u128) -> V {
        let words = [bits as u64, (bits >> 64) as u64];
        // SAFETY: two words are given.
        V(unsafe { LLVMConstIntOfArbitraryPrecision(ty.0, 2, words.as_ptr()) })
    }

    pub(crate) fn i64(&self, v: u64) -> V {
        self.int(self.i64_ty(), v as u128)
    }

    pub(crate) fn i32(&self, v: u32) -> V {
        self.int(self.int_ty(32), v as u128)
    }

    pub(crate) fn bool(&self, v: bool) -> V {
        self.int(self.int_ty(1), v as u128)
    }

    pub(crate) fn zero(&self, ty: T) -> V {
        // SAFETY: see the module's head.
        V(unsafe { LLVMConstNull(ty.0) })
    }

    pub(crate) fn ones(&self, ty: T) -> V {
        // SAFETY: see the module's head.
        V(unsafe { LLVMConstAllOnes(ty.0) })
    }

    pub(crate) fn poison(&self, ty: T) -> V {
        // SAFETY: see the module's head.
        V(unsafe { LLVMGetPoison(ty.0) })
    }

    pub(crate) fn const_vec(&self, lanes: &[V]) -> V {
        let mut l: Vec<_> = lanes.iter().map(|v| v.0).collect();
        // SAFETY: see the module's head.
        V(unsafe { LLVMConstVector(l.as_mut_ptr(), l.len() as u32) })
    }

    /// The scalar constant in every lane of `n`.
    pub(crate) fn splat_const(&self, n: u32, v: V) -> V {
        self.const_vec(&vec![v; n as usize])
    }

    pub(crate) fn const_float(&self, ty: T, v: f64) -> V {
        // SAFETY: see the module's head.
        V(unsafe { LLVMConstReal(ty.0, v) })
    }

    // Operations.

    pub(crate) fn bin(&self, op: LLVMOpcode, a: V, b: V) -> V {
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildBinOp(self.b, op, a.0, b.0, NO_NAME) })
    }

    binary! {
        add LLVMAdd;
        sub LLVMSub;
        mul LLVMMul;
        udiv LLVMUDiv;
        sdiv LLVMSDiv;
        and LLVMAnd;
        or LLVMOr;
        xor LLVMXor;
        shl LLVMShl;
        lshr LLVMLShr;
        ashr LLVMAShr;
    }

    pub(crate) fn not(&self, a: V) -> V {
        self.xor(a, self.ones(self.type_of(a)))
    }

    pub(crate) fn neg(&self, a: V) -> V {
        self.sub(self.zero(self.type_of(a)), a)
    }

    pub(crate) fn fneg(&self, a: V) -> V {
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildFNeg(self.b, a.0, NO_NAME) })
    }

    pub(crate) fn icmp(&self, p: IPred, a: V, b: V) -> V {
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildICmp(self.b, p, a.0, b.0, NO_NAME) })
    }

    pub(crate) fn fcmp(&self, p: FPred, a: V, b: V) -> V {
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildFCmp(self.b, p, a.0, b.0, NO_NAME) })
    }

    pub(crate) fn select(&self, c: V, a: V, b: V) -> V {
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildSelect(self.b, c.0, a.0, b.0, NO_NAME) })
    }

    fn cast(&self, op: LLVMOpcode, v: V, ty: T) -> V {
        if self.type_of(v) == ty {
            return v;
        }
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildCast(self.b, op, v.0, ty.0, NO_NAME) })
    }

    pub(crate) fn zext(&self, v: V, ty: T) -> V {
        self.cast(LLVMOpcode::LLVMZExt, v, ty)
    }

    pub(crate) fn sext(&self, v: V, ty: T) -> V {
        self.cast(LLVMOpcode::LLVMSExt, v, ty)
    }

    pub(crate) fn trunc(&self, v: V, ty: T) -> V {
        self.cast(LLVMOpcode::LLVMTrunc, v, ty)
    }

    pub(crate) fn bitcast(&self, v: V, ty: T) -> V {
        self.cast(LLVMOpcode::LLVMBitCast, v, ty)
    }

    pub(crate) fn int_to_ptr(&self, v: V) -> V {
        self.cast(LLVMOpcode::LLVMIntToPtr, v, self.ptr_ty())
    }

    pub(crate) fn extract(&self, v: V, lane: u32) -> V {
        let i = self.i32(lane);
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildExtractElement(self.b, v.0, i.0, NO_NAME) })
    }

    pub(crate) fn insert(&self, v: V, x: V, lane: u32) -> V {
        let i = self.i32(lane);
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildInsertElement(self.b, v.0, x.0, i.0, NO_NAME) })
    }

    pub(crate) fn shuffle(&self, a: V, b: V, lanes: &[u32]) -> V {
        let mask: Vec<V> = lanes.iter().map(|&l| self.i32(l)).collect();
        let mask = self.const_vec(&mask);
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildShuffleVector(self.b, a.0, b.0, mask.0, NO_NAME) })
    }

    pub(crate) fn extract_value(&self, agg: V, i: u32) -> V {
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildExtractValue(self.b, agg.0, i, NO_NAME) })
    }

    // Memory of the host (state, tables, stack slots).

    pub(crate) fn alloca(&self, ty: T, name: &str) -> V {
        let name = cstr(name);
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildAlloca(self.b, ty.0, name.as_ptr()) })
    }

    /// A load of memory of the host.
    pub(crate) fn load(&self, ty: T, ptr: V) -> V {
        // SAFETY: see the module's head.
        unsafe {
            let v = LLVMBuildLoad2(self.b, ty.0, ptr.0, NO_NAME);
            LLVMSetMetadata(v, self.scope, self.host_memory.0);
            V(v)
        }
    }

    /// Says of a guest access that it does not touch memory of the host.
    pub(crate) fn only_guest_memory(&self, access: V) {
        // SAFETY: see the module's head.
        unsafe { LLVMSetMetadata(access.0, self.noalias, self.host_memory.0) }
    }

    /// A load of memory that never changes while lifted code runs.
    pub(crate) fn load_invariant(&self, ty: T, ptr: V) -> V {
        let v = self.load(ty, ptr);
        // SAFETY: `v` is the load just built.
        unsafe { LLVMSetMetadata(v.0, self.invariant, self.empty_node.0) };
        v
    }

    /// A volatile load of guest memory, of any alignment.
    pub(crate) fn load_volatile(&self, ty: T, ptr: V) -> V {
        // SAFETY: see the module's head; attributes are set on the load just built.
        let v = unsafe {
            let v = LLVMBuildLoad2(self.b, ty.0, ptr.0, NO_NAME);
            LLVMSetVolatile(v, 1);
            LLVMSetAlignment(v, 1);
            V(v)
        };
        self.only_guest_memory(v);
        v
    }

    /// A volatile store to guest memory, of any alignment.
    pub(crate) fn store_volatile(&self, v: V, ptr: V) {
        // SAFETY: see the module's head; attributes are set on the store just built.
        unsafe {
            let s = LLVMBuildStore(self.b, v.0, ptr.0);
            self.only_guest_memory(V(s));
            LLVMSetVolatile(s, 1);
            LLVMSetAlignment(s, 1);
        }
    }

    /// A store to memory of the host.
    pub(crate) fn store(&self, v: V, ptr: V) {
        // SAFETY: see the module's head.
        unsafe {
            let s = LLVMBuildStore(self.b, v.0, ptr.0);
            LLVMSetMetadata(s, self.scope, self.host_memory.0);
        }
    }

    /// Address `offset` bytes behind `ptr`.
    pub(crate) fn gep(&self, ptr: V, offset: V) -> V {
        let mut o = [offset.0];
        // SAFETY: see the module's head.
        V(unsafe { LLVMBuildGEP2(self.b, self.int_ty(8).0, ptr.0, o.as_mut_ptr(), 1, NO_NAME) })
    }

    // Control.

    pub(crate) fn block(&self, f: V, name: &str) -> Bb {
        let name = cstr(name);
        // SAFETY: see the module's head.
        Bb(unsafe { LLVMAppendBasicBlockInContext(self.ctx, f.0, name.as_ptr()) })
    }

    pub(crate) fn at_end(&self, bb: Bb) {
        // SAFETY: see the module's head.
        unsafe { LLVMPositionBuilderAtEnd(self.b, bb.0) }
    }

    pub(crate) fn current_block(&self) -> Bb {
        // SAFETY: the builder is positioned.
        Bb(unsafe { LLVMGetInsertBlock(self.b) })
    }

    pub(crate) fn br(&self, to: Bb) {
        // SAFETY: see the module's head.
        unsafe { LLVMBuildBr(self.b, to.0) };
    }

    pub(crate) fn cond_br(&self, c: V, then: Bb, els: Bb) {
        // SAFETY: see the module's head.
        unsafe { LLVMBuildCondBr(self.b, c.0, then.0, els.0) };
    }

    /// A branch that goes to `then` hardly ever.
    pub(crate) fn unlikely_br(&self, c: V, then: Bb, els: Bb) {
        // SAFETY: see the module's head.
        unsafe {
            let br = LLVMBuildCondBr(self.b, c.0, then.0, els.0);
            LLVMSetMetadata(br, self.prof, self.unlikely.0);
        }
    }

    /// A branch that goes to `then` nearly always.
    pub(crate) fn likely_br(&self, c: V, then: Bb, els: Bb) {
        // SAFETY: see the module's head.
        unsafe {
            let br = LLVMBuildCondBr(self.b, c.0, then.0, els.0);
            LLVMSetMetadata(br, self.prof, self.likely.0);
        }
    }

    /// A branch that goes to `then`, or else to `els`, in one of about sixteen times.
    pub(crate) fn rare_br(&self, c: V, then: Bb, els: Bb, then_is_rare: bool) {
        // SAFETY: see the module's head.
        unsafe {
            let br = LLVMBuildCondBr(self.b, c.0, then.0, els.0);
            LLVMSetMetadata(br, self.prof, self.rare[!then_is_rare as usize].0);
        }
    }

    pub(crate) fn switch(&self, v: V, default: Bb, cases: &[(V, Bb)]) {
        // SAFETY: see the module's head.
        unsafe {
            let s = LLVMBuildSwitch(self.b, v.0, default.0, cases.len() as u32);
            for (value, bb) in cases {
                LLVMAddCase(s, value.0, bb.0);
            }
        }
    }

    pub(crate) fn unreachable(&self) {
        // SAFETY: see the module's head.
        unsafe { LLVMBuildUnreachable(self.b) };
    }

    pub(crate) fn ret(&self, v: V) {
        // SAFETY: see the module's head.
        unsafe { LLVMBuildRet(self.b, v.0) };
    }

    pub(crate) fn ret_aggregate(&self, values: &[V]) {
        let mut v: Vec<_> = values.iter().map(|v| v.0).collect();
        // SAFETY: see the module's head.
        unsafe { LLVMBuildAggregateRet(self.b, v.as_mut_ptr(), v.len() as u32) };
    }

    pub(crate) fn phi(&self, ty: T, incoming: &[(V, Bb)]) -> V {
        let mut values: Vec<_> = incoming.iter().map(|i| i.0.0).collect();
        let mut blocks: Vec<_> = incoming.iter().map(|i| i.1.0).collect();
        // SAFETY: both lists have that length.
        unsafe {
            let phi = LLVMBuildPhi(self.b, ty.0, NO_NAME);
            LLVMAddIncoming(phi, values.as_mut_ptr(), blocks.as_mut_ptr(), values.len() as u32);
            V(phi)
        }
    }

    /// A further incoming value of a phi.
    pub(crate) fn add_incoming(&self, phi: V, v: V, from: Bb) {
        let (mut v, mut b) = ([v.0], [from.0]);
        // SAFETY: both lists have one entry.
        unsafe { LLVMAddIncoming(phi.0, v.as_mut_ptr(), b.as_mut_ptr(), 1) }
    }

    // Functions and calls.

    /// The function of that name, declared hidden if it is not there yet.
    pub(crate) fn declare(&self, name: &str, ty: T, conv: u32) -> V {
        let n = cstr(name);
        // SAFETY: see the module's head.
        unsafe {
            let old = LLVMGetNamedFunction(self.module.as_mut_ptr(), n.as_ptr());
            if !old.is_null() {
                return V(old);
            }
            let f = LLVMAddFunction(self.module.as_mut_ptr(), n.as_ptr(), ty.0);
            LLVMSetFunctionCallConv(f, conv);
            if conv == REGCALL {
                LLVMAddAttributeAtIndex(f, u32::MAX, self.keeps_nothing());
            }
            LLVMSetVisibility(f, LLVMVisibility::LLVMHiddenVisibility);
            V(f)
        }
    }

    pub(crate) fn set_section(&self, global: V, section: &str) {
        let s = cstr(section);
        // SAFETY: see the module's head.
        unsafe { LLVMSetSection(global.0, s.as_ptr()) }
    }

    /// An external hidden variable.
    pub(crate) fn extern_global(&self, name: &str, ty: T) -> V {
        let n = cstr(name);
        // SAFETY: see the module's head.
        unsafe {
            let old = LLVMGetNamedGlobal(self.module.as_mut_ptr(), n.as_ptr());
            if !old.is_null() {
                return V(old);
            }
            let g = LLVMAddGlobal(self.module.as_mut_ptr(), ty.0, n.as_ptr());
            LLVMSetVisibility(g, LLVMVisibility::LLVMHiddenVisibility);
            V(g)
        }
    }

    /// The value of an external symbol that is a number smaller than `limit`, or the negation of one. It becomes an immediate or
    /// a displacement.
    pub(crate) fn absolute_symbol(&self, name: &str, limit: u64, negative: bool) -> V {
        let n = cstr(name);
        let i64t = self.i64_ty().0;
        // SAFETY: see the module's head; the metadata has the two operands that its kind wants.
        unsafe {
            let mut g = LLVMGetNamedGlobal(self.module.as_mut_ptr(), n.as_ptr());
            if g.is_null() {
                // LLVM takes things with a size to lie at different addresses: numbers may be equal.
                let nothing = LLVMArrayType2(self.int_ty(8).0, 0);
                g = LLVMAddGlobal(self.module.as_mut_ptr(), nothing, n.as_ptr());
                LLVMSetVisibility(g, LLVMVisibility::LLVMHiddenVisibility);
                let range = if negative { [limit.wrapping_neg() + 1, 1] } else { [0, limit] };
                let mut range = range.map(|v| LLVMValueAsMetadata(LLVMConstInt(i64t, v, 0)));
                let node = LLVMMDNodeInContext2(self.ctx, range.as_mut_ptr(), range.len());
                LLVMGlobalSetMetadata(g, self.absolute, node);
            }
            V(LLVMConstPtrToInt(g, i64t))
        }
    }

    /// The symbol behind a constant pointer, as an integer: such as `int_to_ptr` of an absolute symbol's value.
    pub(crate) fn symbol_behind(&self, ptr: V) -> Option<V> {
        let mut v = ptr.0;
        // SAFETY: see the module's head; operands are asked of constant expressions, which have them.
        unsafe {
            while !LLVMIsAConstantExpr(v).is_null()
                && matches!(LLVMGetConstOpcode(v), LLVMOpcode::LLVMIntToPtr | LLVMOpcode::LLVMPtrToInt)
            {
                v = LLVMGetOperand(v, 0);
            }
            let symbol = !LLVMIsAGlobalVariable(v).is_null();
            symbol.then(|| V(LLVMConstPtrToInt(v, self.i64_ty().0)))
        }
    }

    /// A private variable with that initial value.
    pub(crate) fn private_global(&self, name: &str, init: V, constant: bool) -> V {
        let n = cstr(name);
        // SAFETY: see the module's head.
        unsafe {
            let g = LLVMAddGlobal(self.module.as_mut_ptr(), LLVMTypeOf(init.0), n.as_ptr());
            LLVMSetInitializer(g, init.0);
            LLVMSetLinkage(g, LLVMLinkage::LLVMPrivateLinkage);
            LLVMSetGlobalConstant(g, constant as i32);
            V(g)
        }
    }

    pub(crate) fn const_cstring(&self, s: &str) -> V {
        // SAFETY: the length is that of the string; LLVM appends the NUL.
        V(unsafe { LLVMConstStringInContext2(self.ctx, s.as_ptr().cast(), s.len(), 0) })
    }

    pub(crate) fn const_struct(&self, fields: &[V]) -> V {
        let mut f: Vec<_> = fields.iter().map(|v| v.0).collect();
        // SAFETY: see the module's head.
        V(unsafe { LLVMConstStructInContext(self.ctx, f.as_mut_ptr(), f.len() as u32, 0) })
    }

    pub(crate) fn param(&self, f: V, i: u32) -> V {
        // SAFETY: callers stay within the function's parameters.
        V(unsafe { LLVMGetParam(f.0, i) })
    }

    fn attribute(&self, name: &str) -> LLVMAttributeRef {
        // SAFETY: the name is passed with its length.
        unsafe {
            let kind = LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
            LLVMCreateEnumAttribute(self.ctx, kind, 0)
        }
    }

    /// Has the function align its frame to that many bytes, whatever its caller does.
    pub(crate) fn align_frame(&self, f: V, bytes: u64) {
        const NAME: &str = "alignstack";
        // SAFETY: the name is passed with its length.
        unsafe {
            let kind = LLVMGetEnumAttributeKindForName(NAME.as_ptr().cast(), NAME.len());
            LLVMAddAttributeAtIndex(f.0, u32::MAX, LLVMCreateEnumAttribute(self.ctx, kind, bytes));
        }
    }

    /// Says that functions find the stack aligned to words only, and keep it so: no words are pushed for alignment.
    pub(crate) fn word_aligned_stack(&self) {
        const KEY: &str = "override-stack-alignment";
        // SAFETY: the key is passed with its length.
        unsafe {
            let bytes = LLVMValueAsMetadata(LLVMConstInt(LLVMInt32TypeInContext(self.ctx), 8, 0));
            let behavior = LLVMModuleFlagBehavior::LLVMModuleFlagBehaviorError;
            LLVMAddModuleFlag(self.module.as_mut_ptr(), behavior, KEY.as_ptr().cast(), KEY.len(), bytes);
        }
    }

    /// Of functions and calls of the convention of lifted functions: no host register survives a call. Nothing lives across
    /// a call there but what the call passes and returns, so that saving a register is wasted.
    fn keeps_nothing(&self) -> LLVMAttributeRef {
        self.text_attribute("no_callee_saved_registers")
    }

    /// An attribute that LLVM knows by its text.
    fn text_attribute(&self, name: &str) -> LLVMAttributeRef {
        // SAFETY: name and empty value are passed with their lengths.
        unsafe { LLVMCreateStringAttribute(self.ctx, name.as_ptr().cast(), name.len() as u32, NO_NAME, 0) }
    }

    /// Has the function put up with whatever alignment its frame has.
    pub(crate) fn never_align_frame(&self, f: V) {
        // SAFETY: see the module's head.
        unsafe { LLVMAddAttributeAtIndex(f.0, u32::MAX, self.text_attribute("no-realign-stack")) }
    }

    pub(crate) fn fn_attribute(&self, f: V, name: &str) {
        // SAFETY: see the module's head.
        unsafe { LLVMAddAttributeAtIndex(f.0, u32::MAX, self.attribute(name)) }
    }

    fn build_call(&self, callee: V, ty: T, args: &[V], conv: u32) -> LLVMValueRef {
        let mut a: Vec<_> = args.iter().map(|v| v.0).collect();
        // SAFETY: see the module's head.
        unsafe {
            let c = LLVMBuildCall2(self.b, ty.0, callee.0, a.as_mut_ptr(), a.len() as u32, NO_NAME);
            LLVMSetInstructionCallConv(c, conv);
            if conv == REGCALL {
                LLVMAddCallSiteAttribute(c, u32::MAX, self.keeps_nothing());
            }
            c
        }
    }

    pub(crate) fn call(&self, callee: V, ty: T, args: &[V], conv: u32) -> V {
        V(self.build_call(callee, ty, args, conv))
    }

    /// Calls a function of the caller's own type and convention in its place, and returns what it returns.
    pub(crate) fn tail_call(&self, callee: V, ty: T, args: &[V], conv: u32) {
        let c = self.build_call(callee, ty, args, conv);
        // SAFETY: `c` is the call just built.
        unsafe {
            LLVMSetTailCallKind(c, LLVMTailCallKind::LLVMTailCallKindMustTail);
            LLVMBuildRet(self.b, c);
        }
    }

    /// The intrinsic `name` for these overloaded types, called.
    pub(crate) fn intrinsic(&self, name: &str, types: &[T], args: &[V]) -> V {
        let key = (name.to_string(), types.to_vec());
        let (f, ty) = *self.intrinsics.borrow_mut().entry(key).or_insert_with(|| {
            let mut t: Vec<_> = types.iter().map(|t| t.0).collect();
            // SAFETY: the name is passed with its length.
            unsafe {
                let id = LLVMLookupIntrinsicID(name.as_ptr().cast(), name.len());
                assert!(id != 0, "invariant: {name} is an intrinsic");
                let f = LLVMGetIntrinsicDeclaration(self.module.as_mut_ptr(), id, t.as_mut_ptr(), t.len());
                (V(f), T(LLVMGlobalGetValueType(f)))
            }
        });
        self.call(f, ty, args, C_CONV)
    }

    /// Metadata string as an operand.
    pub(crate) fn metadata(&self, s: &str) -> V {
        // SAFETY: the string is passed with its length.
        V(unsafe {
            LLVMMetadataAsValue(self.ctx, LLVMMDStringInContext2(self.ctx, s.as_ptr().cast(), s.len()))
        })
    }

    /// A metadata node of one string, as an operand.
    pub(crate) fn metadata_node(&self, s: &str) -> V {
        // SAFETY: the string is passed with its length.
        V(unsafe {
            let mut m = [LLVMMDStringInContext2(self.ctx, s.as_ptr().cast(), s.len())];
            LLVMMetadataAsValue(self.ctx, LLVMMDNodeInContext2(self.ctx, m.as_mut_ptr(), 1))
        })
    }

    // Inline assembly.

    fn asm_value(&self, text: &str, constraints: &str, ty: T) -> V {
        let key = (text.to_string(), constraints.to_string(), ty);
        *self.asm.borrow_mut().entry(key).or_insert_with(|| {
            // SAFETY: strings are passed with their lengths.
            V(unsafe {
                LLVMGetInlineAsm(
                    ty.0,
                    text.as_ptr().cast(),
                    text.len(),
                    constraints.as_ptr().cast(),
                    constraints.len(),
                    1,
                    0,
                    LLVMInlineAsmDialect::LLVMInlineAsmDialectATT,
                    0,
                )
            })
        })
    }

    fn mark_asm(&self, call: LLVMValueRef, mem: &[(u32, T)]) {
        // SAFETY: `call` is a call of inline assembly just built; indices are those of its pointer operands.
        unsafe {
            LLVMAddCallSiteAttribute(call, u32::MAX, self.attribute("nounwind"));
            for &(arg, ty) in mem {
                let kind = LLVMGetEnumAttributeKindForName(c"elementtype".as_ptr(), 11);
                let a = LLVMCreateTypeAttribute(self.ctx, kind, ty.0);
                LLVMAddCallSiteAttribute(call, arg + 1, a);
            }
        }
    }

    fn asm_ty(&self, ret: T, args: &[V]) -> T {
        let params: Vec<T> = args.iter().map(|&a| self.type_of(a)).collect();
        self.fn_ty(ret, &params)
    }

    /// Inline assembly with side effects; `mem` names the memory operands among `args` and their types.
    pub(crate) fn asm_call(&self, text: &str, constraints: &str, ret: T, args: &[V], mem: &[(u32, T)]) -> V {
        let ty = self.asm_ty(ret, args);
        let f = self.asm_value(text, constraints, ty);
        let c = self.build_call(f, ty, args, C_CONV);
        self.mark_asm(c, mem);
        V(c)
    }

    /// As `asm_call`, but ends the block: execution goes on at `next`, or, if the assembly says so, at `fault`. The
    /// result is usable from `next` on.
    pub(crate) fn asm_callbr(&self, asm: &AsmText<'_>, ret: T, args: &[V], next: Bb, fault: Bb) -> V {
        let ty = self.asm_ty(ret, args);
        let f = self.asm_value(asm.text, asm.constraints, ty);
        let mut a: Vec<_> = args.iter().map(|v| v.0).collect();
        let mut dests = [fault.0];
        // SAFETY: see the module's head; there are no operand bundles.
        unsafe {
            let c = LLVMBuildCallBr(
                self.b,
                ty.0,
                f.0,
                next.0,
                dests.as_mut_ptr(),
                1,
                a.as_mut_ptr(),
                a.len() as u32,
                std::ptr::null_mut(),
                0,
                NO_NAME,
            );
            self.mark_asm(c, asm.mem);
            V(c)
        }
    }
}

/// Text of an inline assembly, its constraints, and which arguments are memory operands of which type.
pub(crate) struct AsmText<'a> {
    pub(crate) text: &'a str,
    pub(crate) constraints: &'a str,
    pub(crate) mem: &'a [(u32, T)],
}

/// Hands options to LLVM's command line once per process: what the C API does not offer otherwise.
pub(crate) fn set_global_options(options: &[&str]) {
    let owned: Vec<CString> = std::iter::once("xlate").chain(options.iter().copied()).map(cstr).collect();
    let pointers: Vec<_> = owned.iter().map(|s| s.as_ptr()).collect();
    // SAFETY: `pointers` holds that many NUL-terminated strings; LLVM copies them. Called once, before any other use.
    unsafe {
        inkwell::llvm_sys::support::LLVMParseCommandLineOptions(
            pointers.len() as i32,
            pointers.as_ptr(),
            std::ptr::null(),
        );
    }
}

/// Gives 32-bit additions of negative numbers their sign back. LLVM's `instcombine` widens them to 64 bits under a mask, with
/// the number zero-extended; code generation takes that for an expensive constant, keeps it in a register and makes others
/// from it.
pub(crate) fn extend_addends(module: &Module<'_>) {
    // SAFETY: walks what the module owns, by LLVM's own lists; the operands that are changed keep their types.
    unsafe {
        let mut function = LLVMGetFirstFunction(module.as_mut_ptr());
        while !function.is_null() {
            let mut block = LLVMGetFirstBasicBlock(function);
            while !block.is_null() {
                let mut inst = LLVMGetFirstInstruction(block);
                while !inst.is_null() {
                    extend_addend(inst);
                    inst = LLVMGetNextInstruction(inst);
                }
                block = LLVMGetNextBasicBlock(block);
            }
            function = LLVMGetNextFunction(function);
        }
    }
}

/// See [`extend_addends`].
///
/// # Safety
/// `add` is an instruction.
unsafe fn extend_addend(add: LLVMValueRef) {
    const LOW: u64 = u32::MAX as u64;
    /// The value of an integer constant of up to 64 bits.
    unsafe fn constant(v: LLVMValueRef) -> Option<u64> {
        // SAFETY: as the caller promises; constants are asked only what they are.
        unsafe {
            (!LLVMIsAConstantInt(v).is_null() && LLVMGetIntTypeWidth(LLVMTypeOf(v)) <= 64)
                .then(|| LLVMConstIntGetZExtValue(v))
        }
    }
    // SAFETY: instructions of these kinds have these operands.
    unsafe {
        if LLVMGetInstructionOpcode(add) != LLVMOpcode::LLVMAdd {
            return;
        }
        let Some(k) = constant(LLVMGetOperand(add, 1)).filter(|k| (1 << 31..=LOW).contains(k)) else {
            return;
        };
        if LLVMGetIntTypeWidth(LLVMTypeOf(add)) != 64 {
            return;
        }
        // Nobody looks at the upper half.
        let mut used = LLVMGetFirstUse(add);
        while !used.is_null() {
            let user = LLVMGetUser(used);
            let low = match LLVMGetInstructionOpcode(user) {
                LLVMOpcode::LLVMAnd => constant(LLVMGetOperand(user, 1)).is_some_and(|m| m <= LOW),
                LLVMOpcode::LLVMTrunc => LLVMGetIntTypeWidth(LLVMTypeOf(user)) <= 32,
                _ => false,
            };
            if !low {
                return;
            }
            used = LLVMGetNextUse(used);
        }
        LLVMSetOperand(add, 1, LLVMConstInt(LLVMTypeOf(add), k | !LOW, 0));
        LLVMSetNUW(add, 0);
        LLVMSetNSW(add, 0);
    }
}
