//! What the guest is told about the machine and itself: `uname`, `personality`, `prctl`, and `seccomp`. Takes calls,
//! gives x0.

use super::{Call, err, guest, ret};
use crate::hostcall::syscall;
use crate::thread::Thread;
use isa::Isa;

/// `uname`: six fields of 65 bytes, the fifth being the machine.
pub fn uname(c: &mut Call<'_>) -> i64 {
    const FIELD: usize = 65;
    let mut fields = [0u8; 6 * FIELD];
    let r = c.host([fields.as_mut_ptr() as u64, 0, 0, 0, 0, 0]);
    if r < 0 {
        return r;
    }
    let machine = &mut fields[4 * FIELD..5 * FIELD];
    machine.fill(0);
    // An arm kernel's, or an arm64 kernel's for 32-bit programs.
    let name: &[u8] = match c.thread.process.isa() {
        Isa::A64 => b"aarch64",
        Isa::A32 => b"armv8l",
    };
    machine[..name.len()].copy_from_slice(name);
    ret(guest::copy_to_guest(c.args[0], &fields).map(|()| 0))
}

/// `personality(0xffffffff)`: ask only.
const ASK: u64 = 0xffff_ffff;

/// True if readable memory is executable for this thread.
pub fn read_implies_exec(t: &mut Thread) -> bool {
    let ask = || syscall(libc::SYS_personality, [ASK, 0, 0, 0, 0, 0]) as u64;
    *t.personality.get_or_insert_with(ask) & libc::READ_IMPLIES_EXEC as u64 != 0
}

/// `personality`.
pub fn personality(c: &mut Call<'_>) -> i64 {
    const PER_MASK: u64 = 0xff;
    const PER_LINUX32: u64 = 0x8;
    let wanted = c.args[0] as u32 as u64;
    if wanted != ASK && wanted & PER_MASK == PER_LINUX32 && c.thread.process.isa() == Isa::A64 {
        return err(libc::EINVAL);
    }
    let r = c.forward();
    if r >= 0 && wanted != ASK {
        c.thread.personality = Some(wanted);
    }
    r
}

/// `seccomp`: absent, as in a kernel without it (SECCOMP_GET_… included).
pub fn seccomp(_: &mut Call<'_>) -> i64 {
    err(libc::EINVAL)
}

/// `prctl` options answered with EINVAL, with the reason.
pub const REFUSED: &[(i32, &str)] = &[
    (5, "PR_GET_UNALIGN: other architectures"),
    (6, "PR_SET_UNALIGN: other architectures"),
    (9, "PR_GET_FPEMU: other architectures"),
    (10, "PR_SET_FPEMU: other architectures"),
    (11, "PR_GET_FPEXC: other architectures"),
    (12, "PR_SET_FPEXC: other architectures"),
    (19, "PR_GET_ENDIAN: other architectures"),
    (20, "PR_SET_ENDIAN: other architectures"),
    (22, "PR_SET_SECCOMP: would judge the runtime's calls"),
    (25, "PR_GET_TSC: x86"),
    (26, "PR_SET_TSC: x86"),
    (43, "PR_MPX_ENABLE_MANAGEMENT: x86"),
    (44, "PR_MPX_DISABLE_MANAGEMENT: x86"),
    (45, "PR_SET_FP_MODE: other architectures"),
    (46, "PR_GET_FP_MODE: other architectures"),
    (50, "PR_SVE_SET_VL: no SVE"),
    (51, "PR_SVE_GET_VL: no SVE"),
    (54, "PR_PAC_RESET_KEYS: no pointer authentication"),
    (55, "PR_SET_TAGGED_ADDR_CTRL: no tagged address ABI"),
    (56, "PR_GET_TAGGED_ADDR_CTRL: no tagged address ABI"),
    (59, "PR_SET_SYSCALL_USER_DISPATCH: would catch the runtime's calls"),
    (60, "PR_PAC_SET_ENABLED_KEYS: no pointer authentication"),
    (61, "PR_PAC_GET_ENABLED_KEYS: no pointer authentication"),
    (63, "PR_SME_SET_VL: no SME"),
    (64, "PR_SME_GET_VL: no SME"),
    (65, "PR_SET_MDWE: would bind the runtime's code cache"),
    (66, "PR_GET_MDWE: as PR_SET_MDWE"),
    (69, "PR_RISCV_V_SET_CONTROL: other architectures"),
    (70, "PR_RISCV_V_GET_CONTROL: other architectures"),
    (71, "PR_RISCV_SET_ICACHE_FLUSH_CTX: other architectures"),
    (72, "PR_PPC_GET_DEXCR: other architectures"),
    (73, "PR_PPC_SET_DEXCR: other architectures"),
    (74, "PR_GET_SHADOW_STACK_STATUS: no guarded control stack"),
    (75, "PR_SET_SHADOW_STACK_STATUS: no guarded control stack"),
    (76, "PR_LOCK_SHADOW_STACK_STATUS: no guarded control stack"),
];

const PR_GET_AUXV: i32 = 0x4155_5856;

/// `prctl`.
pub fn prctl(c: &mut Call<'_>) -> i64 {
    let option = c.int(0);
    match option {
        PR_GET_AUXV => get_auxv(c),
        // Moves the kernel's idea of where code, heap and auxv lie: only the argument strings are the guest's.
        libc::PR_SET_MM => match c.args[1] as i32 {
            libc::PR_SET_MM_ARG_START..=libc::PR_SET_MM_ENV_END => c.forward(),
            _ => err(libc::EPERM),
        },
        _ if REFUSED.iter().any(|(o, _)| *o == option) => err(libc::EINVAL),
        _ => c.forward(),
    }
}

/// The auxiliary vector as bytes.
pub fn auxv_bytes(c: &Call<'_>) -> Vec<u8> {
    let words: Vec<u64> = c.thread.process.auxv.iter().flat_map(|(k, v)| [*k, *v]).collect();
    crate::stack::in_words(c.thread.process.isa(), &words)
}

fn get_auxv(c: &Call<'_>) -> i64 {
    let [_, to, len, a, b, _] = c.args;
    if a != 0 || b != 0 {
        return err(libc::EINVAL);
    }
    let bytes = auxv_bytes(c);
    let n = bytes.len().min(len as usize);
    ret(guest::copy_to_guest(to, &bytes[..n]).map(|()| bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_options_are_sorted_and_reasoned() {
        assert!(REFUSED.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(REFUSED.iter().all(|(_, why)| why.starts_with("PR_") && why.contains(": ")));
    }
}
