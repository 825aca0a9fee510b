//! The named helpers: AES rounds (FIPS 197), SHA-1, SHA-256 and SHA-512 steps (FIPS 180-4) in the shape of the Arm
//! instructions, CRC-32 and carry-less multiplication. Takes and gives raw bits; tables are computed at compile time.

use super::softfloat::{self, FpEnv};
use super::vector::clmul;
use crate::op::Helper;

/// `Helper`; operands beyond its arity are ignored.
pub fn helper(h: Helper, a: u128, b: u128, c: u128, env: &mut FpEnv) -> u128 {
    match h {
        Helper::Crc32 { bits } => crc(&CRC32, a as u32, b as u64, bits) as u128,
        Helper::Crc32c { bits } => crc(&CRC32C, a as u32, b as u64, bits) as u128,
        Helper::AesE => aes_shift_sub(a ^ b, &SBOX, 1),
        Helper::AesD => aes_shift_sub(a ^ b, &INV_SBOX, 3),
        Helper::AesMc => aes_mix(a),
        Helper::AesImc => aes_inverse_mix(a),
        Helper::PMull64 => clmul(a as u64, b as u64),
        Helper::Sha1C => sha1(a, b, c, choose),
        Helper::Sha1P => sha1(a, b, c, |x, y, z| x ^ y ^ z),
        Helper::Sha1M => sha1(a, b, c, majority),
        Helper::Sha1H => (a as u32).rotate_left(30) as u128,
        Helper::Sha1Su0 => (b << 64 | a >> 64) ^ a ^ c,
        Helper::Sha1Su1 => sha1_su1(a, b),
        Helper::Sha256H => sha256(a, b, c).0,
        Helper::Sha256H2 => sha256(b, a, c).1,
        Helper::Sha256Su0 => sha256_su0(a, b),
        Helper::Sha256Su1 => sha256_su1(a, b, c),
        Helper::Sha512H => sha512_h(a, b, c),
        Helper::Sha512H2 => sha512_h2(a, b, c),
        Helper::Sha512Su0 => sha512_su0(a, b),
        Helper::Sha512Su1 => sha512_su1(a, b, c),
        Helper::JsCvt => softfloat::convert::to_js_int(a as u64, env),
    }
}

const CRC32: [u32; 256] = crc_table(0x04c1_1db7);
const CRC32C: [u32; 256] = crc_table(0x1edc_6f41);

/// Table of a bit-reflected CRC: the effect of one byte.
const fn crc_table(poly: u32) -> [u32; 256] {
    let poly = poly.reverse_bits();
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut v = i as u32;
        let mut bit = 0;
        while bit < 8 {
            v = if v & 1 != 0 { v >> 1 ^ poly } else { v >> 1 };
            bit += 1;
        }
        table[i] = v;
        i += 1;
    }
    table
}

fn crc(table: &[u32; 256], acc: u32, data: u64, bits: u8) -> u32 {
    let mut acc = acc;
    for byte in &data.to_le_bytes()[..(bits as usize / 8).min(8)] {
        acc = acc >> 8 ^ table[(acc as u8 ^ byte) as usize];
    }
    acc
}

/// Product in GF(2⁸) modulo x⁸ + x⁴ + x³ + x + 1.
const fn gf_mul(a: u8, b: u8) -> u8 {
    let (mut a, mut b, mut r) = (a, b, 0);
    while b != 0 {
        if b & 1 != 0 {
            r ^= a;
        }
        a = a << 1 ^ if a & 0x80 != 0 { 0x1b } else { 0 };
        b >>= 1;
    }
    r
}

/// FIPS 197 §5.1.1: the inverse in GF(2⁸), then the affine map.
const SBOX: [u8; 256] = {
    let mut table = [0; 256];
    let mut x = 0;
    while x < 256 {
        // x²⁵⁴ is the inverse of x, and 0 for 0.
        let (mut inv, mut i) = (1u8, 0);
        while i < 254 {
            inv = gf_mul(inv, x as u8);
            i += 1;
        }
        table[x] =
            inv ^ inv.rotate_left(1) ^ inv.rotate_left(2) ^ inv.rotate_left(3) ^ inv.rotate_left(4) ^ 0x63;
        x += 1;
    }
    table
};

const INV_SBOX: [u8; 256] = {
    let mut table = [0; 256];
    let mut x = 0;
    while x < 256 {
        table[SBOX[x] as usize] = x as u8;
        x += 1;
    }
    table
};

/// ShiftRows and SubBytes: row r of column c comes from column c + `step`·r (1 forward, 3 inverse).
fn aes_shift_sub(state: u128, sbox: &[u8; 256], step: usize) -> u128 {
    let s = state.to_le_bytes();
    u128::from_le_bytes(std::array::from_fn(|i| {
        let (row, col) = (i % 4, i / 4);
        sbox[s[row + 4 * ((col + step * row) % 4)] as usize]
    }))
}

/// x · 2 in GF(2⁸), on 16 bytes at once.
fn aes_double(s: u128) -> u128 {
    const ONES: u128 = u128::MAX / 0xff;
    ((s & (ONES * 0x7f)) << 1) ^ ((s >> 7 & ONES) * 0x1b)
}

/// Each column's rows moved up by `n`: row r gets row r + n.
fn aes_rotate(s: u128, n: u32) -> u128 {
    from_words(words(s).map(|column| column.rotate_right(8 * n)))
}

/// MixColumns: each row is 2·r0 + 3·r1 + r2 + r3 of the rows from it on.
fn aes_mix(s: u128) -> u128 {
    let next = aes_rotate(s, 1);
    aes_double(s ^ next) ^ next ^ aes_rotate(s, 2) ^ aes_rotate(s, 3)
}

/// InvMixColumns, which is MixColumns after 5·r0 + 4·r2: (14, 11, 13, 9) = (2, 3, 1, 1) × (5, 0, 4, 0).
fn aes_inverse_mix(s: u128) -> u128 {
    aes_mix(s ^ aes_double(aes_double(s ^ aes_rotate(s, 2))))
}

fn words(v: u128) -> [u32; 4] {
    std::array::from_fn(|i| (v >> (32 * i)) as u32)
}

fn from_words(w: [u32; 4]) -> u128 {
    w.iter().rev().fold(0, |v, &x| v << 32 | x as u128)
}

fn choose(x: u32, y: u32, z: u32) -> u32 {
    (y ^ z) & x ^ z
}

fn majority(x: u32, y: u32, z: u32) -> u32 {
    x & y | (x | y) & z
}

/// Four rounds of SHA-1 with that logical function.
fn sha1(d: u128, n: u128, m: u128, f: fn(u32, u32, u32) -> u32) -> u128 {
    let [mut a, mut b, mut c, mut d] = words(d);
    let mut e = n as u32;
    for w in words(m) {
        let t = e.wrapping_add(a.rotate_left(5)).wrapping_add(f(b, c, d)).wrapping_add(w);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, t);
    }
    from_words([a, b, c, d])
}

fn sha1_su1(d: u128, n: u128) -> u128 {
    let t = words(d ^ n >> 32);
    let mut r = t.map(|w| w.rotate_left(1));
    r[3] ^= t[0].rotate_left(2);
    from_words(r)
}

/// Four rounds of SHA-256 on (abcd, efgh), both halves given.
fn sha256(x: u128, y: u128, w: u128) -> (u128, u128) {
    let [mut a, mut b, mut c, mut d] = words(x);
    let [mut e, mut f, mut g, mut h] = words(y);
    for w in words(w) {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t = h.wrapping_add(s1).wrapping_add(choose(e, f, g)).wrapping_add(w);
        let u = t.wrapping_add(s0).wrapping_add(majority(a, b, c));
        (h, g, f, e) = (g, f, e, d.wrapping_add(t));
        (d, c, b, a) = (c, b, a, u);
    }
    (from_words([a, b, c, d]), from_words([e, f, g, h]))
}

fn sha256_su0(d: u128, n: u128) -> u128 {
    let w = words(d);
    let next = words(n << 96 | d >> 32);
    from_words(std::array::from_fn(|i| {
        let x = next[i];
        w[i].wrapping_add(x.rotate_right(7) ^ x.rotate_right(18) ^ x >> 3)
    }))
}

fn sha256_su1(d: u128, n: u128, m: u128) -> u128 {
    let w = words(d);
    let t0 = words(m << 96 | n >> 32);
    let t1 = words(m >> 64);
    let mut r = [0u32; 4];
    for i in 0..4 {
        let x = if i < 2 { t1[i] } else { r[i - 2] };
        let s = x.rotate_right(17) ^ x.rotate_right(19) ^ x >> 10;
        r[i] = s.wrapping_add(w[i]).wrapping_add(t0[i]);
    }
    from_words(r)
}

/// (low, high) lanes.
fn halves(v: u128) -> (u64, u64) {
    (v as u64, (v >> 64) as u64)
}

fn from_halves(lo: u64, hi: u64) -> u128 {
    (hi as u128) << 64 | lo as u128
}

fn sha512_h(d: u128, n: u128, m: u128) -> u128 {
    let sigma = |v: u64| v.rotate_right(14) ^ v.rotate_right(18) ^ v.rotate_right(41);
    let ((w0, w1), (x0, x1), (y0, y1)) = (halves(d), halves(n), halves(m));
    let hi = (y1 & x0 ^ !y1 & x1).wrapping_add(sigma(y1)).wrapping_add(w1);
    let t = hi.wrapping_add(y0);
    let lo = (t & y1 ^ !t & x0).wrapping_add(sigma(t)).wrapping_add(w0);
    from_halves(lo, hi)
}

fn sha512_h2(d: u128, n: u128, m: u128) -> u128 {
    let sigma = |v: u64| v.rotate_right(28) ^ v.rotate_right(34) ^ v.rotate_right(39);
    let maj = |x: u64, y: u64, z: u64| x & y ^ x & z ^ y & z;
    let ((w0, w1), (x0, _), (y0, y1)) = (halves(d), halves(n), halves(m));
    let hi = maj(x0, y1, y0).wrapping_add(sigma(y0)).wrapping_add(w1);
    let lo = maj(hi, y0, y1).wrapping_add(sigma(hi)).wrapping_add(w0);
    from_halves(lo, hi)
}

fn sha512_su0(d: u128, n: u128) -> u128 {
    let sigma = |v: u64| v.rotate_right(1) ^ v.rotate_right(8) ^ v >> 7;
    let ((w0, w1), (x0, _)) = (halves(d), halves(n));
    from_halves(w0.wrapping_add(sigma(w1)), w1.wrapping_add(sigma(x0)))
}

fn sha512_su1(d: u128, n: u128, m: u128) -> u128 {
    let sigma = |v: u64| v.rotate_right(19) ^ v.rotate_right(61) ^ v >> 6;
    let ((w0, w1), (x0, x1), (y0, y1)) = (halves(d), halves(n), halves(m));
    from_halves(w0.wrapping_add(sigma(x0)).wrapping_add(y0), w1.wrapping_add(sigma(x1)).wrapping_add(y1))
}
