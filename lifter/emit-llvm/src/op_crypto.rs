//! The named helpers: AES, carry-less products, CRC-32, SHA-1, SHA-256 and SHA-512 steps. Where x86 has instructions for them, these
//! are used if the host has them ([`Fx::on_host`]); what needs few operations is composed.

use crate::function::Fx;
use crate::llvm::{AsmText, V};
use abi::HostFeature;
use ir::{Helper, Inst, Lane, PureOp, Type, Value};

/// What `SHA1RNDS4` adds to the words by itself, in the order of its functions: choice, parity, majority (FIPS 180-4 4.2.1;
/// the fourth is parity again).
const SHA1_K: [u32; 3] = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc];

/// The polynomial of CRC-32 with its highest coefficient, x³², in bit 0.
const CRC32: u64 = 0x1_db71_0641;
/// x⁹⁶ divided by it, without remainder and constant: the coefficient of x⁶⁴ in bit 0.
const CRC32_RECIPROCAL: u64 = crc32_reciprocal();

const fn crc32_reciprocal() -> u64 {
    let (mut remainder, mut quotient, mut bit) = (1u64, 0, 0);
    // Long division of 1 followed by zeros, highest coefficient first; bit 0 is the highest of the remainder.
    while bit < 64 {
        if remainder & 1 != 0 {
            quotient |= 1 << bit;
            remainder ^= CRC32;
        }
        remainder >>= 1;
        bit += 1;
    }
    quotient
}

/// The order of words of a vector from behind.
const REVERSED: [u32; 4] = [3, 2, 1, 0];

impl Fx<'_, '_> {
    pub(crate) fn helper(&mut self, i: usize, op: PureOp, h: Helper, ty: Type, args: &[Value]) {
        let v = match h {
            Helper::Crc32 { bits } => self.crc32(bits, op, args),
            Helper::Crc32c { bits } => self.crc32c(bits, args),
            // With the mixing of columns that follows it, a round of AES is one instruction.
            Helper::AesE | Helper::AesD if self.mixed_next(i) => return,
            Helper::AesE => self.aes_last("aesenclast", op, args),
            Helper::AesD => self.aes_last("aesdeclast", op, args),
            Helper::AesMc | Helper::AesImc => self.aes_mix(h, op, args),
            Helper::PMull64 => self.pmull64(op, args),
            Helper::Sha1C => self.sha1_rounds(0, op, args),
            Helper::Sha1P => self.sha1_rounds(1, op, args),
            Helper::Sha1M => self.sha1_rounds(2, op, args),
            Helper::Sha1H => {
                let x = self.value(args[0]);
                self.l.intrinsic("llvm.fshl", &[self.l.int_ty(32)], &[x, x, self.l.i32(30)])
            }
            Helper::Sha1Su0 => self.sha1_su0(args),
            Helper::Sha1Su1 => self.sha1_su1(args),
            Helper::Sha256H => self.sha256_rounds(args[0], args[1], true, op, args),
            Helper::Sha256H2 => self.sha256_rounds(args[1], args[0], false, op, args),
            Helper::Sha256Su0 => self.sha256_su0(op, args),
            Helper::Sha256Su1 => self.sha256_su1(op, args),
            Helper::Sha512H => self.sha512_h(args),
            Helper::Sha512H2 => self.sha512_h2(args),
            Helper::Sha512Su0 => self.sha512_su0(args),
            Helper::Sha512Su1 => self.sha512_su1(args),
            Helper::JsCvt => self.soft_pure(op, ty, args),
        };
        self.define(i, v);
    }

    /// The mixing of columns that goes with a round of AES.
    fn mixing(round: PureOp) -> Option<PureOp> {
        match round {
            PureOp::Helper(Helper::AesE) => Some(PureOp::Helper(Helper::AesMc)),
            PureOp::Helper(Helper::AesD) => Some(PureOp::Helper(Helper::AesImc)),
            _ => None,
        }
    }

    /// True if a value is a round of AES that is used for nothing but the mixing of columns that goes with it.
    fn mixed_next(&self, i: usize) -> bool {
        let Inst::Pure { op: round, .. } = self.cur.insts[i] else { return false };
        let user = |inst: &Inst| match inst {
            Inst::Pure { op, args, .. } => Self::mixing(round) == Some(*op) && args[0].0 as usize == i,
            _ => false,
        };
        self.uses[i].count == 1 && self.cur.insts[i..].iter().any(user)
    }

    /// AESE and AESD: the key first, then rows shifted and bytes substituted.
    fn aes_last(&mut self, name: &str, op: PureOp, args: &[Value]) -> V {
        let x = self.l.xor(self.value(args[0]), self.value(args[1]));
        let zero = self.l.zero(self.l.type_of(x));
        let (text, constraints) = self.two_operands(name);
        self.aes(&text, constraints, &[x, zero], |fx| fx.soft_pure(op, Type::V128, args))
    }

    /// Instructions of AES-NI.
    fn aes(
        &mut self,
        text: &str,
        constraints: &str,
        inputs: &[V],
        soft_value: impl FnOnce(&mut Self) -> V,
    ) -> V {
        let asm = AsmText { text, constraints, mem: &[] };
        self.on_host(HostFeature::Aes, &asm, self.l.type_of(inputs[0]), inputs, |_, r| r, soft_value)
    }

    /// AESMC and AESIMC.
    fn aes_mix(&mut self, h: Helper, op: PureOp, args: &[Value]) -> V {
        let l = self.l;
        let before = args[0].0 as usize;
        if self.mixed_next(before)
            && let Inst::Pure { op: round, args: operands, .. } = *self.def(args[0])
        {
            let x = l.xor(self.value(operands[0]), self.value(operands[1]));
            let (text, constraints) = self.two_operands(if h == Helper::AesMc { "aesenc" } else { "aesdec" });
            return self.aes(&text, constraints, &[x, l.zero(l.type_of(x))], |fx| {
                let unmixed = fx.soft_pure(round, Type::V128, &operands[..round.arity()]);
                fx.define(before, unmixed);
                fx.soft_pure(op, Type::V128, args)
            });
        }
        let x = self.value(args[0]);
        let zero = l.zero(l.type_of(x));
        // Mixing alone: behind the inverse of shifting rows and substituting bytes, a round without a key.
        let (text, constraints, inputs): (_, _, &[V]) = match (h, self.unit.features.avx) {
            (Helper::AesMc, true) => ("vaesdeclast $2, $1, $0\n\tvaesenc $2, $0, $0", "=&x,x,x", &[x, zero]),
            (Helper::AesMc, false) => ("aesdeclast $2, $0\n\taesenc $2, $0", "=&x,0,x", &[x, zero]),
            (_, true) => ("vaesimc $1, $0", "=x,x", &[x]),
            (_, false) => ("aesimc $1, $0", "=x,x", &[x]),
        };
        self.aes(text, constraints, inputs, |fx| fx.soft_pure(op, Type::V128, args))
    }

    /// A doubleword as the half of a vector that the instruction may name: the vector, and which half.
    fn half_of_vector(&self, v: Value) -> (V, u32) {
        match *self.def(v) {
            Inst::Pure { op: PureOp::VExtract(Lane::D2, half), args, .. } => {
                (self.value(args[0]), u32::from(half))
            }
            _ => (self.l.insert(self.l.zero(self.l.ivec_ty(64, 2)), self.value(v), 0), 0),
        }
    }

    fn pmull64(&mut self, op: PureOp, args: &[Value]) -> V {
        let ((a, first), (b, second)) = (self.half_of_vector(args[0]), self.half_of_vector(args[1]));
        let halves = first | second << 4;
        let (text, constraints) = match self.unit.features.avx {
            true => (format!("vpclmulqdq $${halves}, $2, $1, $0"), "=x,x,x"),
            false => (format!("pclmulqdq $${halves}, $2, $0"), "=x,0,x"),
        };
        let asm = AsmText { text: &text, constraints, mem: &[] };
        let ret = self.l.type_of(a);
        self.on_host(
            HostFeature::Pclmul,
            &asm,
            ret,
            &[a, b],
            |_, r| r,
            |fx| fx.soft_pure(op, Type::V128, args),
        )
    }

    /// CRC-32 by Barrett's reduction: accumulator and data are a polynomial of 64 coefficients; its quotient by CRC-32's
    /// comes of one product, and the remainder of another.
    fn crc32(&mut self, bits: u8, op: PureOp, args: &[Value]) -> V {
        let l = self.l;
        let (word, wide) = (l.int_ty(32), l.ivec_ty(64, 2));
        let (acc, data) = (self.value(args[0]), self.value(args[1]));
        // Aligned to the lowest coefficient, which is in bit 63.
        let sum = l.shl(l.xor(l.zext(acc, l.i64_ty()), data), l.i64(64 - u64::from(bits)));
        let low = |x: u64| l.const_vec(&[l.i64(x), l.i64(0)]);
        let inputs = [l.insert(l.zero(wide), sum, 0), low(CRC32_RECIPROCAL), low(CRC32)];
        let (text, constraints) = match self.unit.features.avx {
            true => ("vpclmulqdq $$0, $2, $1, $0\n\tvpclmulqdq $$0, $3, $0, $0", "=&x,x,x,x"),
            false => ("pclmulqdq $$0, $2, $0\n\tpclmulqdq $$0, $3, $0", "=&x,0,x,x"),
        };
        let asm = AsmText { text, constraints, mem: &[] };
        let native = |_: &Self, r: V| {
            let remainder = l.extract(l.bitcast(r, l.ivec_ty(32, 4)), 2);
            // What was not shifted out by the data.
            let rest = if bits < 32 { l.lshr(acc, l.i32(u32::from(bits))) } else { l.zero(word) };
            l.xor(remainder, rest)
        };
        self.on_host(HostFeature::Pclmul, &asm, wide, &inputs, native, |fx| fx.soft_pure(op, Type::I32, args))
    }

    fn crc32c(&self, bits: u8, args: &[Value]) -> V {
        let l = self.l;
        let (acc, data) = (self.value(args[0]), self.value(args[1]));
        if bits == 64 {
            let acc = l.zext(acc, l.i64_ty());
            let r = l.intrinsic("llvm.x86.sse42.crc32.64.64", &[], &[acc, data]);
            return l.trunc(r, l.int_ty(32));
        }
        let data = l.trunc(data, l.int_ty(u32::from(bits)));
        l.intrinsic(&format!("llvm.x86.sse42.crc32.32.{bits}"), &[], &[acc, data])
    }

    /// Each lane of words rotated.
    fn rotate_words(&self, x: V, left: u64) -> V {
        self.l.intrinsic("llvm.fshl", &[self.lane_ty(Lane::S4)], &[x, x, self.lane_const(Lane::S4, left)])
    }

    /// Words of a pair of vectors, 4 to 7 being the second's.
    fn pick_words(&self, a: V, b: V, pick: &[u32; 4]) -> V {
        self.l.shuffle(a, b, pick)
    }

    /// SHA1C, SHA1P, SHA1M. x86 has the first word highest and adds the constant, which Arm's words contain.
    fn sha1_rounds(&mut self, function: usize, op: PureOp, args: &[Value]) -> V {
        let l = self.l;
        let [abcd, e, w] = [0, 1, 2].map(|n| self.lanes(Lane::S4, args[n]));
        let e = self.pick_words(e, l.zero(l.type_of(e)), &[0, 4, 4, 4]);
        let w = l.add(l.sub(w, self.lane_const(Lane::S4, u64::from(SHA1_K[function]))), e);
        let ret = l.type_of(w);
        let inputs = [self.pick_words(abcd, abcd, &REVERSED), self.pick_words(w, w, &REVERSED)];
        let text = format!("sha1rnds4 $${function}, $2, $0");
        let asm = AsmText { text: &text, constraints: "=x,0,x", mem: &[] };
        let native = |fx: &Self, r: V| fx.flat(fx.pick_words(r, r, &REVERSED));
        self.on_host(HostFeature::Sha, &asm, ret, &inputs, native, |fx| fx.soft_pure(op, Type::V128, args))
    }

    fn sha1_su0(&self, args: &[Value]) -> V {
        let l = self.l;
        let [d, n, m] = [0, 1, 2].map(|i| self.value(args[i]));
        l.xor(l.xor(l.shuffle(d, n, &[1, 2]), d), m)
    }

    fn sha1_su1(&self, args: &[Value]) -> V {
        let l = self.l;
        let (d, n) = (self.lanes(Lane::S4, args[0]), self.lanes(Lane::S4, args[1]));
        let zero = l.zero(l.type_of(d));
        let t = l.xor(d, self.pick_words(n, zero, &[1, 2, 3, 4]));
        let first = self.pick_words(t, zero, &[4, 4, 4, 0]);
        self.flat(l.xor(self.rotate_words(t, 1), self.rotate_words(first, 2)))
    }

    /// SHA256H (`first`) and SHA256H2: four rounds on (abcd, efgh), of which one half is wanted.
    fn sha256_rounds(&mut self, abcd: Value, efgh: Value, first: bool, op: PureOp, args: &[Value]) -> V {
        let l = self.l;
        let [abcd, efgh, w] = [abcd, efgh, args[2]].map(|v| self.lanes(Lane::S4, v));
        // x86 has a, b, e, f in one register, c, d, g, h in the other, a and c highest. Two rounds replace the latter by the new
        // former; the old former is the new latter.
        let abef = self.pick_words(efgh, abcd, &[1, 0, 5, 4]);
        let cdgh = self.pick_words(efgh, abcd, &[3, 2, 7, 6]);
        let ret = l.struct_ty(&[l.type_of(w); 3]);
        let asm = AsmText {
            text: "sha256rnds2 %xmm0, $1, $0\n\tpsrldq $$8, %xmm0\n\tsha256rnds2 %xmm0, $0, $1",
            constraints: "=x,=x,={xmm0},0,1,2",
            mem: &[],
        };
        let native = |fx: &Self, r: V| {
            let (cdgh, abef) = (l.extract_value(r, 0), l.extract_value(r, 1));
            fx.flat(fx.pick_words(abef, cdgh, if first { &[3, 2, 7, 6] } else { &[1, 0, 5, 4] }))
        };
        let inputs = [cdgh, abef, w];
        self.on_host(HostFeature::Sha, &asm, ret, &inputs, native, |fx| fx.soft_pure(op, Type::V128, args))
    }

    fn sha256_su0(&mut self, op: PureOp, args: &[Value]) -> V {
        let inputs = [0, 1].map(|n| self.lanes(Lane::S4, args[n]));
        self.sha256_schedule("sha256msg1 $2, $0", &inputs, op, args)
    }

    fn sha256_su1(&mut self, op: PureOp, args: &[Value]) -> V {
        let [d, n, m] = [0, 1, 2].map(|i| self.lanes(Lane::S4, args[i]));
        let sum = self.l.add(d, self.pick_words(n, m, &[1, 2, 3, 4]));
        self.sha256_schedule("sha256msg2 $2, $0", &[sum, m], op, args)
    }

    fn sha256_schedule(&mut self, instruction: &str, inputs: &[V], op: PureOp, args: &[Value]) -> V {
        // Four bytes as a rule, where a site has five.
        let text = format!("{instruction}\n\tnop");
        let asm = AsmText { text: &text, constraints: "=x,0,x", mem: &[] };
        let ret = self.l.type_of(inputs[0]);
        let native = |fx: &Self, r: V| fx.flat(r);
        self.on_host(HostFeature::Sha, &asm, ret, inputs, native, |fx| fx.soft_pure(op, Type::V128, args))
    }

    /// The exclusive or of a doubleword, or of each lane of doublewords, rotated right by these numbers of bits.
    fn rotations(&self, x: V, amounts: &[u64]) -> V {
        let l = self.l;
        let t = l.type_of(x);
        let amount = |n: u64| if t == l.i64_ty() { l.i64(n) } else { self.lane_const(Lane::D2, n) };
        let rotated = amounts.iter().map(|&n| l.intrinsic("llvm.fshr", &[t], &[x, x, amount(n)]));
        rotated.reduce(|a, b| l.xor(a, b)).expect("invariant: there are some")
    }

    /// Both doublewords of a vector.
    fn doublewords(&self, v: Value) -> (V, V) {
        let v = self.value(v);
        (self.l.extract(v, 0), self.l.extract(v, 1))
    }

    fn of_doublewords(&self, low: V, high: V) -> V {
        let l = self.l;
        l.insert(l.insert(l.poison(l.ivec_ty(64, 2)), low, 0), high, 1)
    }

    /// Two rounds of SHA-512: the sums that e and a are made of.
    fn sha512_h(&self, args: &[Value]) -> V {
        let l = self.l;
        let ((w0, w1), (x0, x1)) = (self.doublewords(args[0]), self.doublewords(args[1]));
        let (y0, y1) = self.doublewords(args[2]);
        let round = |x: V, y: V, z: V, w: V| {
            let choice = l.xor(l.and(l.xor(y, z), x), z);
            l.add(l.add(choice, self.rotations(x, &[14, 18, 41])), w)
        };
        let high = round(y1, x0, x1, w1);
        let low = round(l.add(high, y0), y1, x0, w0);
        self.of_doublewords(low, high)
    }

    fn sha512_h2(&self, args: &[Value]) -> V {
        let l = self.l;
        let ((w0, w1), (x0, _)) = (self.doublewords(args[0]), self.doublewords(args[1]));
        let (y0, y1) = self.doublewords(args[2]);
        let round = |x: V, y: V, z: V, w: V| {
            let majority = l.or(l.and(x, y), l.and(l.or(x, y), z));
            l.add(l.add(majority, self.rotations(x, &[28, 34, 39])), w)
        };
        let high = round(y0, y1, x0, w1);
        let low = round(high, y0, y1, w0);
        self.of_doublewords(low, high)
    }

    fn sha512_su0(&self, args: &[Value]) -> V {
        let l = self.l;
        let (d, n) = (self.value(args[0]), self.value(args[1]));
        let next = l.shuffle(d, n, &[1, 2]);
        let sigma = l.xor(self.rotations(next, &[1, 8]), l.lshr(next, self.lane_const(Lane::D2, 7)));
        l.add(d, sigma)
    }

    fn sha512_su1(&self, args: &[Value]) -> V {
        let l = self.l;
        let [d, n, m] = [0, 1, 2].map(|i| self.value(args[i]));
        let sigma = l.xor(self.rotations(n, &[19, 61]), l.lshr(n, self.lane_const(Lane::D2, 6)));
        l.add(l.add(d, sigma), m)
    }
}
