//! What the machine that 32-bit guests see can do: the features implemented, with the HWCAP bits and names under which Linux tells
//! programs of them. A feature may stand here only if all of its instructions lift.

use super::table::Feature;
pub use crate::a64::features::MIDR;

/// How Linux announces a feature.
#[derive(Clone, Copy, Debug)]
pub struct Announcement {
    /// The feature whose table rows belong to it.
    pub feature: Feature,
    /// Name in `/proc/cpuinfo`.
    pub name: &'static str,
    /// Bit in AT_HWCAP, or 32 + bit in AT_HWCAP2.
    pub hwcap: u32,
}

const HWCAP2_BASE: u32 = 32;

const fn row(feature: Feature, name: &'static str, hwcap: u32) -> Announcement {
    Announcement { feature, name, hwcap }
}

/// Everything announced, in the order of `/proc/cpuinfo`. (Armv8's additions without a bit are implied by the platform `v8l`;
/// LPAE says that aligned LDRD and STRD are single accesses.)
pub const ANNOUNCED: &[Announcement] = &[
    row(Feature::Base, "swp", 0),
    row(Feature::Base, "half", 1),
    row(Feature::Base, "thumb", 2),
    row(Feature::Base, "fastmult", 4),
    row(Feature::Vfp, "vfp", 6),
    row(Feature::Base, "edsp", 7),
    row(Feature::Neon, "neon", 12),
    row(Feature::Vfp, "vfpv3", 13),
    row(Feature::Base, "tls", 15),
    row(Feature::Vfp4, "vfpv4", 16),
    row(Feature::Idiv, "idiva", 17),
    row(Feature::Idiv, "idivt", 18),
    row(Feature::Vfp, "vfpd32", 19),
    row(Feature::Base, "lpae", 20),
    row(Feature::Aes, "aes", HWCAP2_BASE),
    row(Feature::Aes, "pmull", HWCAP2_BASE + 1),
    row(Feature::Sha1, "sha1", HWCAP2_BASE + 2),
    row(Feature::Sha2, "sha2", HWCAP2_BASE + 3),
    row(Feature::Crc32, "crc32", HWCAP2_BASE + 4),
    row(Feature::Base, "sb", HWCAP2_BASE + 5),
];

const fn hwcap(base: u32) -> u64 {
    let (mut caps, mut i) = (0, 0);
    while i < ANNOUNCED.len() {
        let bit = ANNOUNCED[i].hwcap;
        if bit >= base && bit < base + 32 {
            caps |= 1 << (bit - base);
        }
        i += 1;
    }
    caps
}

/// AT_HWCAP.
pub const HWCAP: u64 = hwcap(0);

/// AT_HWCAP2.
pub const HWCAP2: u64 = hwcap(HWCAP2_BASE);

/// AT_PLATFORM: architecture version and byte order.
pub const PLATFORM: &core::ffi::CStr = c"v8l";

/// The names of all features, as `Features:` in `/proc/cpuinfo` lists them.
pub fn cpuinfo_names() -> impl Iterator<Item = &'static str> {
    ANNOUNCED.iter().map(|a| a.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers are those of arm's `asm/hwcap.h`.
    #[test]
    fn announced_features_have_rows() {
        assert_eq!((HWCAP, HWCAP2), (0x1f_b0d7, 0x3f));
        assert!(ANNOUNCED.windows(2).all(|w| w[0].hwcap < w[1].hwcap));
        for a in ANNOUNCED {
            assert!(crate::a32::rows().any(|r| r.feature == a.feature), "{}", a.name);
        }
    }
}
