//! What the machine that guests see can do: the features implemented, and from the same table the HWCAP bits and the ID
//! registers as Linux shows them to EL0. A feature may stand here only if all of its instructions lift.

use super::table::Feature;

/// Where Linux and the ID registers announce a feature.
#[derive(Clone, Copy, Debug)]
pub struct Announcement {
    /// The feature whose table rows belong to it; `None` if it has no instruction of its own.
    pub feature: Option<Feature>,
    /// Name in `/proc/cpuinfo`, empty for ID fields without one.
    pub name: &'static str,
    /// Bit in AT_HWCAP, or 64 + bit in AT_HWCAP2; `NO_BIT` for none.
    pub hwcap: u32,
    /// ID register: CRm and op2 (op0 = 3, op1 = CRn = 0), lowest bit of the field, and its value.
    pub id: (u32, u32, u32, u64),
}

const NO_BIT: u32 = 128;
const HWCAP2_BASE: u32 = 64;

const PFR0: (u32, u32) = (4, 0);
const ISAR0: (u32, u32) = (6, 0);
const ISAR1: (u32, u32) = (6, 1);
const MMFR0: (u32, u32) = (7, 0);

const fn row(
    feature: Option<Feature>,
    name: &'static str,
    hwcap: u32,
    register: (u32, u32),
    field: u32,
    value: u64,
) -> Announcement {
    Announcement { feature, name, hwcap, id: (register.0, register.1, field, value) }
}

/// Everything announced. Where a feature has levels, the field's greatest value counts.
pub const ANNOUNCED: &[Announcement] = &[
    row(Some(Feature::Fp), "fp", 0, PFR0, 16, 0),
    row(Some(Feature::AdvSimd), "asimd", 1, PFR0, 20, 0),
    row(Some(Feature::Aes), "aes", 3, ISAR0, 4, 1),
    row(Some(Feature::Aes), "pmull", 4, ISAR0, 4, 2),
    row(Some(Feature::Sha1), "sha1", 5, ISAR0, 8, 1),
    row(Some(Feature::Sha256), "sha2", 6, ISAR0, 12, 1),
    row(Some(Feature::Crc32), "crc32", 7, ISAR0, 16, 1),
    row(Some(Feature::Lse), "atomics", 8, ISAR0, 20, 2),
    row(Some(Feature::Fp16), "fphp", 9, PFR0, 16, 1),
    row(Some(Feature::Fp16), "asimdhp", 10, PFR0, 20, 1),
    row(None, "cpuid", 11, PFR0, 0, 1),
    row(Some(Feature::Rdm), "asimdrdm", 12, ISAR0, 28, 1),
    row(Some(Feature::JsCvt), "jscvt", 13, ISAR1, 12, 1),
    row(Some(Feature::Fcma), "fcma", 14, ISAR1, 16, 1),
    row(Some(Feature::Lrcpc), "lrcpc", 15, ISAR1, 20, 1),
    row(Some(Feature::Dpb), "dcpop", 16, ISAR1, 0, 1),
    row(Some(Feature::Sha3), "sha3", 17, ISAR0, 32, 1),
    row(Some(Feature::DotProd), "asimddp", 20, ISAR0, 44, 1),
    row(Some(Feature::Sha512), "sha512", 21, ISAR0, 12, 2),
    row(Some(Feature::Fhm), "asimdfhm", 23, ISAR0, 48, 1),
    row(Some(Feature::Lrcpc), "ilrcpc", 26, ISAR1, 20, 2),
    row(Some(Feature::FlagM), "flagm", 27, ISAR0, 52, 1),
    row(Some(Feature::Sb), "sb", 29, ISAR1, 36, 1),
    row(Some(Feature::Dpb), "dcpodp", HWCAP2_BASE, ISAR1, 0, 2),
    row(Some(Feature::FlagM), "flagm2", HWCAP2_BASE + 7, ISAR0, 52, 2),
    row(Some(Feature::FrintTs), "frint", HWCAP2_BASE + 8, ISAR1, 32, 1),
    row(Some(Feature::I8mm), "i8mm", HWCAP2_BASE + 13, ISAR1, 52, 1),
    row(None, "ecv", HWCAP2_BASE + 19, MMFR0, 60, 1),
    // EL1 as Linux shows it always.
    row(None, "", NO_BIT, PFR0, 4, 1),
    // Debug architecture, and granules "not there": Linux's safe values.
    row(None, "", NO_BIT, (5, 0), 0, 6),
    row(None, "", NO_BIT, MMFR0, 24, 15),
    row(None, "", NO_BIT, MMFR0, 28, 15),
];

const fn hwcap(base: u32) -> u64 {
    let (mut caps, mut i) = (0, 0);
    while i < ANNOUNCED.len() {
        let bit = ANNOUNCED[i].hwcap;
        if bit >= base && bit < base + 64 {
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

/// MIDR_EL1: Arm's Neoverse N1, r4p1. Programs choose variants by it that differ in speed alone: a core without SVE for which C
/// libraries copy memory by vector registers, which suits x86 better than pairs of general registers. What a program may
/// execute, it must learn from `HWCAP` and the other ID registers. The last revision has the fewest errata to work around.
pub const MIDR: u64 = 0x414f_d0c1;

/// CTR_EL0: 64-byte lines of both caches, 64-byte granules of exclusives and write-back, PIPT. IDC = DIC = 0: programs
/// must clean and invalidate when they write code, which tells us.
pub const CTR: u64 = 0x8444_c004;

/// Block size of DC ZVA.
pub const ZVA_BYTES: u64 = 64;

/// DCZID_EL0: log2 of the words that DC ZVA writes.
pub const DCZID: u64 = (ZVA_BYTES / 4).trailing_zeros() as u64;

/// An ID register (op0 = 3, op1 = 0, CRn = 0) as Linux lets EL0 read it; `None` for those that it does not emulate.
pub const fn id_register(crm: u32, op2: u32) -> Option<u64> {
    match (crm, op2) {
        (0, 0) => return Some(MIDR),
        // MPIDR_EL1: its one RES1 bit; REVIDR_EL1.
        (0, 5) => return Some(1 << 31),
        (0, 6) => return Some(0),
        (0 | 1, _) => return None,
        (8.., _) => return None,
        _ => {}
    }
    let (mut value, mut i) = (0u64, 0);
    while i < ANNOUNCED.len() {
        let (m, o, field, level) = ANNOUNCED[i].id;
        if m == crm && o == op2 && level > value >> field & 15 {
            value = value & !(15 << field) | level << field;
        }
        i += 1;
    }
    Some(value)
}

/// The names of all features, as `Features:` in `/proc/cpuinfo` lists them.
pub fn cpuinfo_names() -> impl Iterator<Item = &'static str> {
    ANNOUNCED.iter().map(|a| a.name).filter(|n| !n.is_empty())
}
