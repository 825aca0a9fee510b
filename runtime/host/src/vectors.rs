//! The page of ARM's vectors at the end of the address space, of which programs see the helpers that Linux puts there
//! (Documentation/arch/arm/kernel_user_helpers.rst) and the code that handlers return to. It holds ordinary A32 and T32
//! instructions, so that every engine executes it like any other code. Takes nothing, gives the page's bytes and addresses in it.

/// Where the page is.
pub const BASE: u64 = 0xffff_0000;
/// Its size.
pub const SIZE: usize = 4096;

/// Offset of the code that handlers return to.
const SIGRETURN: usize = 0x500;

/// Four ways to return: from an A32 handler (two words), from a T32 handler (one word), and the same of handlers with siginfo.
const SIGRETURN_CODE: [u32; 6] = [
    0xe3a0_7077, // mov r7, #119
    0xef00_0077, // svc #119
    0xdf00_2777, // movs r7, #119; svc #0
    0xe3a0_70ad, // mov r7, #173
    0xef00_00ad, // svc #173
    0xdf00_27ad, // movs r7, #173; svc #0
];

/// The address to return to from a handler, with the state in bit 0.
pub fn sigreturn(thumb: bool, with_info: bool) -> u64 {
    let word = 3 * with_info as u64 + 2 * thumb as u64;
    BASE + SIGRETURN as u64 + 4 * word + thumb as u64
}

/// `__kuser_cmpxchg64`: r0 old, r1 new, r2 where; r0 0 and C set if it was exchanged.
const CMPXCHG64: [u32; 13] = [
    0xe92d_00f0, // push {r4-r7}
    0xe1c0_40d0, // ldrd r4, r5, [r0]
    0xe1c1_60d0, // ldrd r6, r7, [r1]
    0xe1b2_0e9f, // 1: ldaexd r0, r1, [r2]
    0xe050_3004, // subs r3, r0, r4
    0x0051_3005, // subseq r3, r1, r5
    0x01a2_ce96, // stlexdeq ip, r6, r7, [r2]
    0x035c_0001, // cmpeq ip, #1
    0x0aff_fff9, // beq 1b
    0xf57f_f05b, // dmb ish
    0xe273_0000, // rsbs r0, r3, #0
    0xe8bd_00f0, // pop {r4-r7}
    0xe12f_ff1e, // bx lr
];

/// `__kuser_memory_barrier`.
const MEMORY_BARRIER: [u32; 2] = [
    0xf57f_f05b, // dmb ish
    0xe12f_ff1e, // bx lr
];

/// `__kuser_cmpxchg`: r0 old, r1 new, r2 where; r0 0 and C set if it was exchanged.
const CMPXCHG: [u32; 8] = [
    0xe192_ce9f, // 1: ldaex ip, [r2]
    0xe05c_3000, // subs r3, ip, r0
    0x0182_ce91, // stlexeq ip, r1, [r2]
    0x035c_0001, // cmpeq ip, #1
    0x0aff_fffa, // beq 1b
    0xf57f_f05b, // dmb ish
    0xe273_0000, // rsbs r0, r3, #0
    0xe12f_ff1e, // bx lr
];

/// `__kuser_get_tls`.
const GET_TLS: [u32; 2] = [
    0xee1d_0f70, // mrc p15, 0, r0, c13, c0, 3
    0xe12f_ff1e, // bx lr
];

/// `__kuser_helper_version`: how many 32-byte slots there are.
const VERSION: u32 = 5;

/// What the page holds.
pub fn page() -> [u8; SIZE] {
    /// UDF: what nobody is to execute.
    const UNDEFINED: u32 = 0xe7f0_00f0;
    let mut page = [0; SIZE];
    let mut put = |at: usize, words: &[u32]| {
        for (i, w) in words.iter().enumerate() {
            page[at + 4 * i..][..4].copy_from_slice(&w.to_le_bytes());
        }
    };
    // The exception vectors themselves, which a program cannot use.
    put(0, &[UNDEFINED; 8]);
    put(SIGRETURN, &SIGRETURN_CODE);
    put(0xf60, &CMPXCHG64);
    put(0xfa0, &MEMORY_BARRIER);
    put(0xfc0, &CMPXCHG);
    put(0xfe0, &GET_TLS);
    put(0xffc, &[VERSION]);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_return() {
        let page = page();
        let word = |at: u64| {
            let i = (at & !1 & 0xfff) as usize;
            u32::from_le_bytes(page[i..i + 4].try_into().unwrap())
        };
        assert_eq!(word(sigreturn(false, false)), 0xe3a0_7077);
        assert_eq!(word(sigreturn(true, false)), 0xdf00_2777);
        assert_eq!(word(sigreturn(false, true)), 0xe3a0_70ad);
        assert_eq!(word(sigreturn(true, true)), 0xdf00_27ad);
        assert_eq!(sigreturn(true, true) & 1, 1);
        assert_eq!(word(0xffff_0ffc), VERSION);
    }
}
