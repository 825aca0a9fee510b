//! System V IPC and message queues: structures, messages whose type is a long, and shared memory below 4 GiB. Takes calls, gives
//! r0.

use super::layout::{MSQID, SEMID, SHM_INFO, SHMID, SHMINFO};
use crate::hostcall::Errno;
use crate::sys::shape::{Buffer, Shape};
use crate::sys::{Call, err, guest, ret};

/// Flag of commands: structures of the present form. Programs without it are older than the EABI.
const IPC_64: i32 = 0x100;
const IPC_INFO: i32 = 3;
const MSG_STAT: i32 = 11;
const MSG_STAT_ANY: i32 = 13;
const SHM_STAT: i32 = 13;
const SHM_INFO_COMMAND: i32 = 14;
const SHM_STAT_ANY: i32 = 15;
const SEM_STAT: i32 = 18;
const SEM_STAT_ANY: i32 = 20;

/// The command without its flag, or EINVAL if it needs the flag and lacks it.
fn command(given: i32, structured: &[i32]) -> Result<i32, Errno> {
    let bare = given & !IPC_64;
    if given & IPC_64 == 0 && structured.contains(&bare) {
        return Err(Errno(libc::EINVAL));
    }
    Ok(bare)
}

/// The call with the structure at argument `i` in the host's form.
fn structure(c: &Call<'_>, mut args: [u64; 6], i: usize, shape: &Shape, gives: bool) -> i64 {
    let to = args[i];
    let mut b = Buffer::new();
    if !gives && let Err(e) = shape.read(to, &mut b.0) {
        return e.as_return();
    }
    args[i] = b.at();
    match c.host(args) {
        r if r < 0 || !gives => r,
        r => {
            if std::ptr::eq(shape, &SHMINFO) {
                // As the kernel has it for 32-bit programs.
                let most = b.word(0).min(i32::MAX as u64);
                b.0[..8].copy_from_slice(&most.to_le_bytes());
            }
            ret(shape.write(to, &b.0).map(|()| r as u64))
        }
    }
}

fn control(
    c: &mut Call<'_>,
    i: usize,
    structured: &[i32],
    shape: impl Fn(i32) -> Option<&'static Shape>,
) -> i64 {
    let mut args = c.args;
    let command = match command(c.int(i - 1), structured) {
        Ok(bare) => bare,
        Err(e) => return e.as_return(),
    };
    args[i - 1] = command as u64;
    match shape(command) {
        Some(s) => structure(c, args, i, s, command != libc::IPC_SET),
        None => c.host(args),
    }
}

/// `semctl`.
pub fn semctl(c: &mut Call<'_>) -> i64 {
    let with = [libc::IPC_STAT, libc::IPC_SET, SEM_STAT, SEM_STAT_ANY];
    control(c, 3, &with, |command| with.contains(&command).then_some(&SEMID))
}

/// `msgctl`.
pub fn msgctl(c: &mut Call<'_>) -> i64 {
    let with = [libc::IPC_STAT, libc::IPC_SET, MSG_STAT, MSG_STAT_ANY];
    control(c, 2, &with, |command| with.contains(&command).then_some(&MSQID))
}

/// `shmctl`.
pub fn shmctl(c: &mut Call<'_>) -> i64 {
    let with = [libc::IPC_STAT, libc::IPC_SET, SHM_STAT, SHM_STAT_ANY];
    control(c, 2, &with, |command| match command {
        IPC_INFO => Some(&SHMINFO),
        SHM_INFO_COMMAND => Some(&SHM_INFO),
        _ => with.contains(&command).then_some(&SHMID),
    })
}

/// Bytes of the type before a message: the guest's and the host's.
const TYPE: (usize, usize) = (4, 8);

/// Longest message that the system allows.
fn message_max() -> usize {
    const DEFAULT: usize = 8192;
    let text = std::fs::read_to_string("/proc/sys/kernel/msgmax").unwrap_or_default();
    text.trim().parse().unwrap_or(DEFAULT)
}

/// `msgsnd`.
pub fn msgsnd(c: &mut Call<'_>) -> i64 {
    let [id, at, size, flags, ..] = c.args;
    let len = size as u32 as usize;
    if len > message_max() {
        return err(libc::EINVAL);
    }
    let mut bytes = vec![0u8; TYPE.1 + len];
    let kind = match guest::read::<i32>(at) {
        Ok(k) => k as i64,
        Err(e) => return e.as_return(),
    };
    bytes[..TYPE.1].copy_from_slice(&kind.to_le_bytes());
    if let Err(e) = guest::copy_from_guest(&mut bytes[TYPE.1..], at + TYPE.0 as u64) {
        return e.as_return();
    }
    c.host([id, bytes.as_ptr() as u64, len as u64, flags, 0, 0])
}

/// `msgrcv`.
pub fn msgrcv(c: &mut Call<'_>) -> i64 {
    let [id, at, size, kind, flags, _] = c.args;
    if size as i32 <= -1 {
        return err(libc::EINVAL);
    }
    let room = (size as usize).min(message_max());
    let mut bytes = vec![0u8; TYPE.1 + room];
    let r = c.host([id, bytes.as_mut_ptr() as u64, room as u64, kind, flags, 0]);
    if r < 0 {
        return r;
    }
    let written = guest::copy_to_guest(at, &bytes[..TYPE.0])
        .and_then(|()| guest::copy_to_guest(at + TYPE.0 as u64, &bytes[TYPE.1..][..r as usize]));
    ret(written.map(|()| r as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostcall::syscall;

    #[test]
    fn segments_in_the_guests_form() {
        let get = [libc::IPC_PRIVATE as u64, 12345, 0o600, 0, 0, 0];
        let id = syscall(libc::SYS_shmget, get) as i32;
        assert!(id >= 0);
        let mut b = Buffer::new();
        assert_eq!(syscall(libc::SYS_shmctl, [id as u64, libc::IPC_STAT as u64, b.at(), 0, 0, 0]), 0);
        let mut g = [0u8; 84];
        SHMID.to_guest(&b.0, &mut g).unwrap();
        let word = |at: usize| u32::from_le_bytes(g[at..at + 4].try_into().unwrap());
        assert_eq!((word(36), word(20) & 0o777, word(64)), (12345, 0o600, std::process::id()));
        syscall(libc::SYS_shmctl, [id as u64, libc::IPC_RMID as u64, 0, 0, 0, 0]);
    }

    #[test]
    fn commands_say_which_structures_they_mean() {
        assert_eq!(command(IPC_64 | libc::IPC_STAT, &[libc::IPC_STAT]), Ok(libc::IPC_STAT));
        assert_eq!(command(libc::IPC_STAT, &[libc::IPC_STAT]), Err(Errno(libc::EINVAL)));
        assert_eq!(command(libc::IPC_RMID, &[libc::IPC_STAT]), Ok(libc::IPC_RMID));
    }
}
