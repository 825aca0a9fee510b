//! Random numbers for the tests against qemu, and the numbers at which something changes.

/// A small deterministic generator (xorshift64*).
pub struct Random(pub u64);

impl Random {
    /// The generator of a seed.
    pub fn seeded(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A number of the kind that finds mistakes in integer instructions.
    pub fn interesting(&mut self) -> u64 {
        let r = self.next();
        match self.below(8) {
            0 => [0, 1, u64::MAX, 1 << 63, i64::MAX as u64, 0x8000_0000, 0x7fff_ffff, 0xffff_ffff]
                [r as usize % 8],
            1 => r % 64,
            2 => (r % 64).wrapping_neg(),
            3 => 1 << (r % 64),
            4 => r as u32 as u64,
            5 => r as i32 as u64,
            _ => r,
        }
    }
}

/// Numbers of each width at which something changes.
const SPECIAL_8: &[u64] =
    &[0, 1, 2, 7, 8, 9, 0x7f, 0x80, 0x81, 0xff, 0xf8, 0xf9, 0xc0, 0x40, 0x1f, 0x20, 0xe0];
const SPECIAL_16: &[u64] = &[
    0, 1, 0x3ff, 0x400, 0x401, 0x3c00, 0x3800, 0x3bff, 0x3c01, 0x4000, 0x7bff, 0x7c00, 0x7c01, 0x7e00,
    0x7fff, 0x8000, 0x8001, 0xffff, 0xfc00, 0xfd55, 0xfe01, 0xbc00, 0x5bff, 0x77ff, 0x7800, 0x4200, 0x3e00,
    0x4100, 0xb800, 0x0200,
];
const SPECIAL_32: &[u64] = &[
    0,
    1,
    0x007f_ffff,
    0x0080_0000,
    0x0080_0001,
    0x3f80_0000,
    0x3f00_0000,
    0x3f7f_ffff,
    0x3f80_0001,
    0x4000_0000,
    0x7f7f_ffff,
    0x7f80_0000,
    0x7f80_0001,
    0x7fc0_0000,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_ffff,
    0xff80_0000,
    0xffa5_5555,
    0xffc0_0001,
    0xbf80_0000,
    0x4f00_0000,
    0x4eff_ffff,
    0x4f80_0000,
    0xcf00_0000,
    0xcf00_0001,
    0x3fc0_0000,
    0x4020_0000,
    0x477f_e000,
    0x477f_f000,
    0x3880_0000,
    0x387f_ffff,
    0x3300_0000,
    0x3300_0001,
    0xbf00_0000,
    0x0040_0000,
    0x5f00_0000,
    0x5eff_ffff,
    0x2000_0000,
    0x1fc0_0000,
    0x7e80_0000,
    0x7f00_0000,
    0x4b00_0001,
    0xcaff_ffff,
];
const SPECIAL_64: &[u64] = &[
    0,
    1,
    0x000f_ffff_ffff_ffff,
    0x0010_0000_0000_0000,
    0x0010_0000_0000_0001,
    0x3ff0_0000_0000_0000,
    0x3fe0_0000_0000_0000,
    0x3fef_ffff_ffff_ffff,
    0x3ff0_0000_0000_0001,
    0x4000_0000_0000_0000,
    0x7fef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x7ff8_0000_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0x8000_0000_0000_0001,
    0xffff_ffff_ffff_ffff,
    0xfff0_0000_0000_0000,
    0xfff5_5555_5555_5555,
    0xfff8_0000_0000_0001,
    0xbff0_0000_0000_0000,
    0x41e0_0000_0000_0000,
    0x41df_ffff_ffc0_0000,
    0x41df_ffff_ffe0_0000,
    0xc1e0_0000_0000_0000,
    0xc1e0_0000_0010_0000,
    0xc1e0_0000_0020_0000,
    0x43e0_0000_0000_0000,
    0x43df_ffff_ffff_ffff,
    0xc3e0_0000_0000_0000,
    0x43f0_0000_0000_0000,
    0x3ff8_0000_0000_0000,
    0x4004_0000_0000_0000,
    0x47ef_ffff_e000_0000,
    0x47ef_ffff_f000_0000,
    0x3810_0000_0000_0000,
    0x380f_ffff_ffff_ffff,
    0x36a0_0000_0000_0000,
    0x3690_0000_0000_0001,
    0xbfe0_0000_0000_0000,
    0x40ef_fe00_0000_0000,
    0x40ef_fc00_0000_0000,
    0x2000_0000_0000_0000,
    0x1ff8_0000_0000_0000,
];

/// A number of `bits` bits, often one of those.
pub fn element(random: &mut Random, bits: u32) -> u64 {
    let special = match bits {
        8 => SPECIAL_8,
        16 => SPECIAL_16,
        32 => SPECIAL_32,
        _ => SPECIAL_64,
    };
    let mask = u64::MAX >> (64 - bits);
    let base = match random.below(8) {
        0..=2 => random.pick(special),
        3 => random.pick(special) ^ 1 << (bits - 1),
        4 => random.pick(special).wrapping_add(random.below(3)).wrapping_sub(1),
        // Floats of moderate size, which neither overflow nor vanish.
        5 => {
            let (exponent, fraction) = match bits {
                16 => (15 - 4 + random.below(9), 10),
                32 => (127 - 20 + random.below(60), 23),
                64 => (1023 - 40 + random.below(120), 52),
                _ => (0, 4),
            };
            exponent << fraction | random.next() & ((1 << fraction) - 1) | random.next() << (bits - 1)
        }
        6 => random.below(64).wrapping_sub(32),
        _ => random.next(),
    };
    base & mask
}

/// 128 bits of elements.
pub fn vector(random: &mut Random) -> u128 {
    let bits = 8 << random.below(4) as u32;
    let mut v = 0;
    for i in 0..128 / bits {
        v |= u128::from(element(random, bits)) << (i * bits);
    }
    v
}
