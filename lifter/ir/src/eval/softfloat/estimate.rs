//! Reciprocal and reciprocal square root estimates: 8-bit tables that the architecture defines by computation.

use super::*;

/// RecipEstimate: 256…511 stands for 0.5…1, the result 256…511 for 1…2.
fn recip_table(a: u32) -> u32 {
    let b = (1 << 19) / (a * 2 + 1);
    b.div_ceil(2)
}

/// RecipSqrtEstimate: 128…511 stands for 0.25…1, the result 256…511 for 1…2.
fn rsqrt_table(a: u32) -> u32 {
    // The middle of the interval: a in units of 1/512 below one half, of 1/256 from there on.
    let a = if a < 256 { a * 2 + 1 } else { ((a & !1) + 1) * 2 };
    // The largest b with a · b² < 2²⁸, at least 512.
    let b = ((1 << 28) - 1u32).div_euclid(a).isqrt();
    b.div_ceil(2)
}

/// URECPE on one lane.
pub fn unsigned_recip(x: u32) -> u32 {
    if x >> 31 == 0 { u32::MAX } else { recip_table(x >> 23) << 23 }
}

/// URSQRTE on one lane.
pub fn unsigned_rsqrt(x: u32) -> u32 {
    if x >> 30 == 0 { u32::MAX } else { rsqrt_table(x >> 23) << 23 }
}

/// Exponent field (below 1 for denormals, as if the range went on) and the fraction's top bits as 0…255.
fn field_and_top(f: Fmt, bits: u64) -> (i32, u32) {
    let mut field = (bits >> f.frac & f.max_field()) as i32;
    let mut frac = bits & f.frac_mask();
    if field == 0 {
        let shift = frac.leading_zeros() - (63 - f.frac);
        frac = frac << shift & f.frac_mask();
        field = 1 - shift as i32;
    }
    (field, (frac >> (f.frac - 8)) as u32)
}

/// FPRecipEstimate (FRECPE).
pub fn recip(env: &mut FpEnv, f: Fmt, bits: u64) -> u64 {
    let n = unpack(env, f, bits);
    match n.class {
        Class::QNan | Class::SNan => return process_nan(env, f, n),
        Class::Inf => return f.zero(n.sign),
        Class::Zero => {
            env.raise(DZC);
            return f.infinity(n.sign);
        }
        Class::Finite => {}
    }
    let (field, top) = field_and_top(f, bits);
    // 2·bias − 1 − field: 29, 253, 2045 for the three formats.
    let result = 2 * (1 - f.min_exp()) - 1 - field;
    if field < -1 {
        env.raise(OFC | IXC);
        return match env.mode(Round::Current) {
            Round::PlusInf if n.sign => f.max_normal(true),
            Round::MinusInf if !n.sign => f.max_normal(false),
            Round::Zero => f.max_normal(n.sign),
            _ => f.infinity(n.sign),
        };
    }
    if result <= 0 && env.flush(f) {
        env.raise(UFC);
        return f.zero(n.sign);
    }
    let frac = ((recip_table(256 | top) & 0xff) as u64) << (f.frac - 8);
    match result {
        1.. => f.pack(n.sign, result as u64, frac),
        // Denormal results, 0 or −1 below the smallest exponent: the integer bit moves into the fraction.
        _ => f.pack(n.sign, 0, (frac | 1 << f.frac) >> (1 - result)),
    }
}

/// FPRSqrtEstimate (FRSQRTE).
pub fn rsqrt(env: &mut FpEnv, f: Fmt, bits: u64) -> u64 {
    let n = unpack(env, f, bits);
    match n.class {
        Class::QNan | Class::SNan => return process_nan(env, f, n),
        Class::Zero => {
            env.raise(DZC);
            return f.infinity(n.sign);
        }
        _ if n.sign => return env.invalid(f),
        Class::Inf => return f.zero(false),
        Class::Finite => {}
    }
    let (field, top) = field_and_top(f, bits);
    let scaled = if field & 1 == 0 { 256 | top } else { 128 | top >> 1 };
    // (3·bias − 1 − field) / 2: 44, 380, 3068 for the three formats.
    let result = (3 * (1 - f.min_exp()) - 1 - field) / 2;
    let frac = ((rsqrt_table(scaled) & 0xff) as u64) << (f.frac - 8);
    f.pack(false, result as u64, frac)
}

/// FPRecpX (FRECPX): the exponent inverted, the fraction zero.
pub fn recpx(env: &mut FpEnv, f: Fmt, bits: u64) -> u64 {
    let n = unpack(env, f, bits);
    if n.is_nan() {
        return process_nan(env, f, n);
    }
    let field = bits >> f.frac & f.max_field();
    let result = if field == 0 { f.max_field() - 1 } else { !field & f.max_field() };
    f.pack(n.sign, result, 0)
}
