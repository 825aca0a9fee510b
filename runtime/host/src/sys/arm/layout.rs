//! Structures of the arm EABI as x86-64 knows them, field by field. Takes nothing, gives [`Shape`]s; the tests compare every
//! offset with the kernel's headers for arm as a C compiler sees them.

use crate::sys::shape::{Field, Narrow, Shape};

/// `signedness guest offset : size => host offset : size`.
macro_rules! fields {
    ($($kind:ident $go:literal:$gs:literal => $ho:literal:$hs:literal),* $(,)?) => {
        &[$(Field { guest: ($go, $gs), host: ($ho, $hs), signed: signed!($kind) }),*]
    };
}
macro_rules! signed {
    (s) => {
        true
    };
    (u) => {
        false
    };
}
macro_rules! shape {
    ($(#[$doc:meta])* $name:ident $guest:literal $host:literal $narrow:ident [$($f:tt)*]) => {
        $(#[$doc])*
        pub static $name: Shape =
            Shape { guest: $guest, host: $host, narrow: Narrow::$narrow, fields: fields!($($f)*) };
    };
}

shape!(/// `struct old_timespec32`, and `struct old_timeval32`.
    TIME 8 16 Cut [s 0:4 => 0:8, s 4:4 => 8:8]);
shape!(/// Two of them: an interval timer, or the times of a file.
    TIMES 16 32 Cut [s 0:4 => 0:8, s 4:4 => 8:8, s 8:4 => 16:8, s 12:4 => 24:8]);
shape!(/// `struct __kernel_timespec` from a 32-bit program, whose nanoseconds have 32 bits and padding.
    TIME64 16 16 Cut [s 0:8 => 0:8, u 8:4 => 8:8]);
shape!(/// Two of them.
    TIMES64 32 32 Cut [s 0:8 => 0:8, u 8:4 => 8:8, s 16:8 => 16:8, u 24:4 => 24:8]);
shape!(/// `struct tms`.
    TMS 16 32 Cut [u 0:4 => 0:8, u 4:4 => 8:8, u 8:4 => 16:8, u 12:4 => 24:8]);
shape!(/// `struct rlimit`.
    RLIMIT 8 16 Most [u 0:4 => 0:8, u 4:4 => 8:8]);
shape!(/// `struct rusage`.
    RUSAGE 72 144 Cut [
        s 0:4 => 0:8, s 4:4 => 8:8, s 8:4 => 16:8, s 12:4 => 24:8, s 16:4 => 32:8, s 20:4 => 40:8,
        s 24:4 => 48:8, s 28:4 => 56:8, s 32:4 => 64:8, s 36:4 => 72:8, s 40:4 => 80:8, s 44:4 => 88:8,
        s 48:4 => 96:8, s 52:4 => 104:8, s 56:4 => 112:8, s 60:4 => 120:8, s 64:4 => 128:8, s 68:4 => 136:8]);
shape!(/// `struct old_timex32`.
    TIMEX 128 208 Cut [
        u 0:4 => 0:4, s 4:4 => 8:8, s 8:4 => 16:8, s 12:4 => 24:8, s 16:4 => 32:8, s 20:4 => 40:4,
        s 24:4 => 48:8, s 28:4 => 56:8, s 32:4 => 64:8, s 36:4 => 72:8, s 40:4 => 80:8, s 44:4 => 88:8,
        s 48:4 => 96:8, s 52:4 => 104:8, s 56:4 => 112:4, s 60:4 => 120:8, s 64:4 => 128:8, s 68:4 => 136:8,
        s 72:4 => 144:8, s 76:4 => 152:8, s 80:4 => 160:4]);
shape!(/// `struct mq_attr`.
    MQ_ATTR 32 64 Cut [
        s 0:4 => 0:8, s 4:4 => 8:8, s 8:4 => 16:8, s 12:4 => 24:8,
        s 16:4 => 32:8, s 20:4 => 40:8, s 24:4 => 48:8, s 28:4 => 56:8]);
shape!(/// `struct sigevent`.
    SIGEVENT 64 64 Cut [u 0:4 => 0:8, s 4:4 => 8:4, s 8:4 => 12:4, s 12:4 => 16:4]);
shape!(/// `stack_t`.
    STACK 12 24 Cut [u 0:4 => 0:8, u 4:4 => 8:8, u 8:4 => 16:8]);
shape!(/// `struct sigaction` as `rt_sigaction` takes it.
    SIGACTION 20 32 Cut [u 0:4 => 0:8, u 4:4 => 8:8, u 8:4 => 16:8, u 12:8 => 24:8]);
shape!(/// `struct old_sigaction`: handler, mask, flags, restorer.
    OLD_SIGACTION 16 32 Cut [u 0:4 => 0:8, u 4:4 => 24:8, u 8:4 => 8:8, u 12:4 => 16:8]);
shape!(/// `struct ustat`.
    USTAT 20 32 Cut [s 0:4 => 0:4, u 4:4 => 8:8, u 8:6 => 16:6, u 14:6 => 22:6]);
shape!(/// `struct stat64`.
    STAT64 104 144 Cut [
        u 0:8 => 0:8, u 12:4 => 8:8, u 16:4 => 24:4, u 20:4 => 16:8, u 24:4 => 28:4, u 28:4 => 32:4,
        u 32:8 => 40:8, s 48:8 => 48:8, u 56:4 => 56:8, u 64:8 => 64:8,
        u 72:4 => 72:8, u 76:4 => 80:8, u 80:4 => 88:8, u 84:4 => 96:8, u 88:4 => 104:8, u 92:4 => 112:8,
        u 96:8 => 8:8]);
shape!(/// `struct stat` but for what has rules of its own: devices, owners, size.
    STAT 64 144 Fail [u 4:4 => 8:8, u 8:2 => 24:2, u 10:2 => 16:8, u 24:4 => 56:8]);
shape!(/// `struct statfs` but for the counts of files.
    STATFS 64 120 Fail [
        u 0:4 => 0:8, u 4:4 => 8:8, u 8:4 => 16:8, u 12:4 => 24:8, u 16:4 => 32:8, u 28:8 => 56:8,
        u 36:4 => 64:8, u 40:4 => 72:8, u 44:4 => 80:8]);
shape!(/// `struct statfs64`, packed on arm.
    STATFS64 84 120 Cut [
        u 0:4 => 0:8, u 4:4 => 8:8, u 8:8 => 16:8, u 16:8 => 24:8, u 24:8 => 32:8, u 32:8 => 40:8, u 40:8 => 48:8,
        u 48:8 => 56:8, u 56:4 => 64:8, u 60:4 => 72:8, u 64:4 => 80:8]);
shape!(/// `struct flock`.
    FLOCK 16 32 Fail [s 0:2 => 0:2, s 2:2 => 2:2, s 4:4 => 8:8, s 8:4 => 16:8, s 12:4 => 24:4]);
shape!(/// `struct msqid64_ds`.
    MSQID 88 120 Cut [
        u 0:20 => 0:20, u 20:2 => 20:4, u 24:2 => 24:2, u 36:4 => 48:4, u 40:4 => 52:4, u 44:4 => 56:4, u 48:4 => 60:4,
        u 52:4 => 64:4, u 56:4 => 68:4, u 60:4 => 72:8, u 64:4 => 80:8, u 68:4 => 88:8, s 72:4 => 96:4, s 76:4 => 100:4]);
shape!(/// `struct shmid64_ds`.
    SHMID 84 112 Cut [
        u 0:20 => 0:20, u 20:2 => 20:4, u 24:2 => 24:2, u 36:4 => 48:8, u 40:4 => 56:4, u 44:4 => 60:4, u 48:4 => 64:4,
        u 52:4 => 68:4, u 56:4 => 72:4, u 60:4 => 76:4, s 64:4 => 80:4, s 68:4 => 84:4, u 72:4 => 88:8]);
shape!(/// `struct semid64_ds`.
    SEMID 64 104 Cut [
        u 0:20 => 0:20, u 20:2 => 20:4, u 24:2 => 24:2, u 36:4 => 48:4, u 40:4 => 52:4, u 44:4 => 64:4, u 48:4 => 68:4,
        u 52:4 => 80:8]);
shape!(/// `struct shminfo64`.
    SHMINFO 36 72 Most [u 0:4 => 0:8, u 4:4 => 8:8, u 8:4 => 16:8, u 12:4 => 24:8, u 16:4 => 32:8]);
shape!(/// `struct shm_info`.
    SHM_INFO 24 48 Cut [s 0:4 => 0:4, u 4:4 => 8:8, u 8:4 => 16:8, u 12:4 => 24:8, u 16:4 => 32:8, u 20:4 => 40:8]);
shape!(/// `struct iovec`.
    IOVEC 8 16 Cut [u 0:4 => 0:8, u 4:4 => 8:8]);
shape!(/// `struct msghdr`; the flags are written separately.
    MSGHDR 28 56 Cut [
        u 0:4 => 0:8, s 4:4 => 8:4, u 8:4 => 16:8, u 12:4 => 24:8, u 16:4 => 32:8, u 20:4 => 40:8, u 24:4 => 48:4]);
shape!(/// `{ sigset_t *; size_t }` of `pselect6`.
    SIZED_MASK 8 16 Cut [u 0:4 => 0:8, u 4:4 => 8:8]);
shape!(/// A file position.
    LONG 4 8 Fail [s 0:4 => 0:8]);
shape!(/// An unsigned long.
    WORD 4 8 Cut [u 0:4 => 0:8]);
