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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;
    use std::process::{Command, Stdio};

    /// A shape, the type in C for the guest and for the host, and the members that its fields are, in their order; `a=b`: the host
    /// calls it b. One that ends in `..` stands for itself and members behind it.
    struct Check {
        shape: &'static Shape,
        guest: &'static str,
        host: &'static str,
        members: &'static str,
    }

    const fn check(
        shape: &'static Shape,
        guest: &'static str,
        host: &'static str,
        members: &'static str,
    ) -> Check {
        Check { shape, guest, host, members }
    }

    const STAT_MEMBERS: &str = "st_dev __st_ino=st_ino st_mode st_nlink st_uid st_gid st_rdev st_size st_blksize st_blocks \
        st_atime st_atime_nsec st_mtime st_mtime_nsec st_ctime st_ctime_nsec st_ino";
    const STATFS_MEMBERS: &str =
        "f_type f_bsize f_blocks f_bfree f_bavail f_files f_ffree f_fsid f_namelen f_frsize f_flags";

    static CHECKS: &[Check] = &[
        check(&TIME, "struct __kernel_old_timespec", "struct __kernel_old_timespec", "tv_sec tv_nsec"),
        check(&TIME, "struct __kernel_old_timeval", "struct __kernel_old_timeval", "tv_sec tv_usec"),
        check(
            &TIMES,
            "struct __kernel_old_itimerval",
            "struct __kernel_old_itimerval",
            "it_interval.tv_sec it_interval.tv_usec it_value.tv_sec it_value.tv_usec",
        ),
        check(&TMS, "struct tms", "struct tms", "tms_utime tms_stime tms_cutime tms_cstime"),
        check(&RLIMIT, "struct rlimit", "struct rlimit", "rlim_cur rlim_max"),
        check(
            &RUSAGE,
            "struct rusage",
            "struct rusage",
            "ru_utime.tv_sec ru_utime.tv_usec ru_stime.tv_sec ru_stime.tv_usec ru_maxrss ru_ixrss ru_idrss ru_isrss \
             ru_minflt ru_majflt ru_nswap ru_inblock ru_oublock ru_msgsnd ru_msgrcv ru_nsignals ru_nvcsw ru_nivcsw",
        ),
        check(
            &TIMEX,
            "struct timex",
            "struct timex",
            "modes offset freq maxerror esterror status constant precision tolerance time.tv_sec time.tv_usec tick \
             ppsfreq jitter shift stabil jitcnt calcnt errcnt stbcnt tai",
        ),
        check(
            &MQ_ATTR,
            "struct mq_attr",
            "struct mq_attr",
            "mq_flags mq_maxmsg mq_msgsize mq_curmsgs __reserved[0] __reserved[1] __reserved[2] __reserved[3]",
        ),
        check(
            &SIGEVENT,
            "struct sigevent",
            "struct sigevent",
            "sigev_value sigev_signo sigev_notify _sigev_un._tid",
        ),
        check(&STACK, "stack_t", "stack_t", "ss_sp ss_flags.. ss_size"),
        check(&USTAT, "struct ustat", "struct ustat", "f_tfree f_tinode f_fname f_fpack"),
        check(&STAT64, "struct stat64", "struct stat", STAT_MEMBERS),
        check(&STAT, "struct stat", "struct stat", "st_ino st_mode.. st_nlink st_blksize"),
        check(
            &STATFS,
            "struct statfs",
            "struct statfs",
            "f_type f_bsize f_blocks f_bfree f_bavail f_fsid f_namelen f_frsize f_flags",
        ),
        check(&STATFS64, "struct statfs64", "struct statfs", STATFS_MEMBERS),
        check(&FLOCK, "struct flock", "struct flock", "l_type l_whence l_start l_len l_pid"),
        check(
            &MSQID,
            "struct msqid64_ds",
            "struct msqid64_ds",
            "msg_perm.key.. msg_perm.mode msg_perm.seq msg_stime.. msg_stime_high=+4 msg_rtime.. msg_rtime_high=+4 \
             msg_ctime.. msg_ctime_high=+4 msg_cbytes msg_qnum msg_qbytes msg_lspid msg_lrpid",
        ),
        check(
            &SHMID,
            "struct shmid64_ds",
            "struct shmid64_ds",
            "shm_perm.key.. shm_perm.mode shm_perm.seq shm_segsz shm_atime.. shm_atime_high=+4 shm_dtime.. \
             shm_dtime_high=+4 shm_ctime.. shm_ctime_high=+4 shm_cpid shm_lpid shm_nattch",
        ),
        check(
            &SEMID,
            "struct semid64_ds",
            "struct semid64_ds",
            "sem_perm.key.. sem_perm.mode sem_perm.seq sem_otime.. sem_otime_high=+4 sem_ctime.. sem_ctime_high=+4 \
             sem_nsems",
        ),
        check(&SHMINFO, "struct shminfo64", "struct shminfo64", "shmmax shmmin shmmni shmseg shmall"),
        check(
            &SHM_INFO,
            "struct shm_info",
            "struct shm_info",
            "used_ids shm_tot shm_rss shm_swp swap_attempts swap_successes",
        ),
        check(&IOVEC, "struct iovec", "struct iovec", "iov_base iov_len"),
    ];

    const HEADERS: [&str; 19] = [
        "asm/stat.h",
        "asm/statfs.h",
        "asm/fcntl.h",
        "asm/signal.h",
        "asm/siginfo.h",
        "asm/ipcbuf.h",
        "linux/types.h",
        "linux/time.h",
        "linux/time_types.h",
        "linux/times.h",
        "linux/timex.h",
        "linux/resource.h",
        "linux/mqueue.h",
        "linux/uio.h",
        "linux/ipc.h",
        "linux/msg.h",
        "linux/shm.h",
        "linux/sem.h",
        "asm/ioctls.h",
    ];

    /// The compiler must agree with all of them.
    fn compile(compiler: &str, assertions: &str) {
        let mut source = String::new();
        for h in HEADERS {
            let _ = writeln!(source, "#include <{h}>");
        }
        // Of the kernel's internal headers.
        source.push_str(
            "struct ustat { int f_tfree; unsigned long f_tinode; char f_fname[6], f_fpack[6]; };\n",
        );
        source.push_str(assertions);
        let mut child = Command::new(compiler)
            .args(["-x", "c", "-fsyntax-only", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{compiler}: {e}; `cargo xtask setup` installs it"));
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), source.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{compiler}: {}", String::from_utf8_lossy(&out.stderr));
    }

    fn assertion(out: &mut String, ty: &str, member: &str, partly: bool, (at, size): (usize, usize)) {
        let _ =
            writeln!(out, "_Static_assert(__builtin_offsetof({ty}, {member}) == {at}, \"{ty} {member}\");");
        if !partly {
            let of = format!("sizeof((({ty} *)0)->{member})");
            let _ = writeln!(out, "_Static_assert({of} == {size}, \"size of {ty} {member}\");");
        }
    }

    #[test]
    fn layouts_are_those_of_the_headers() {
        let (mut guest, mut host) = (String::new(), String::new());
        for c in CHECKS {
            let _ = writeln!(guest, "_Static_assert(sizeof({0}) == {1}, \"{0}\");", c.guest, c.shape.guest);
            let _ = writeln!(host, "_Static_assert(sizeof({0}) == {1}, \"{0}\");", c.host, c.shape.host);
            let members: Vec<&str> = c.members.split_whitespace().collect();
            assert_eq!(members.len(), c.shape.fields.len(), "{}", c.guest);
            for (m, f) in members.iter().zip(c.shape.fields) {
                let (name, partly) = m.strip_suffix("..").map_or((*m, false), |m| (m, true));
                let (ours, theirs) = name.split_once('=').unwrap_or((name, name));
                assertion(&mut guest, c.guest, ours, partly, f.guest);
                // The host has no such member where the guest has two halves.
                if !theirs.starts_with('+') {
                    assertion(&mut host, c.host, theirs, partly, f.host);
                }
            }
        }
        // What is checked without a shape: the parts of sysinfo, siginfo and the signal context, and an ioctl request.
        for (ty, member, at) in [
            ("siginfo_t", "_sifields._kill._pid", 12),
            ("siginfo_t", "_sifields._rt._sigval", 20),
            ("siginfo_t", "_sifields._timer._sigval", 20),
            ("siginfo_t", "_sifields._sigchld._stime", 28),
            ("siginfo_t", "_sifields._sigfault._addr_lsb", 16),
            ("siginfo_t", "_sifields._sigfault._addr_bnd._lower", 20),
            ("siginfo_t", "_sifields._sigfault._addr_pkey._pkey", 20),
            ("siginfo_t", "_sifields._sigpoll._fd", 16),
            ("siginfo_t", "_sifields._sigsys._arch", 20),
            ("struct sigcontext", "error_code", 4),
            ("struct sigcontext", "oldmask", 8),
            ("struct sigcontext", "arm_r0", 12),
            ("struct sigcontext", "arm_sp", 64),
            ("struct sigcontext", "arm_cpsr", 76),
            ("struct sigcontext", "fault_address", 80),
            ("struct sysinfo", "totalram", 16),
            ("struct sysinfo", "procs", 40),
            ("struct sysinfo", "totalhigh", 44),
            ("struct sysinfo", "mem_unit", 52),
        ] {
            assertion(&mut guest, ty, member, true, (at, 0));
        }
        for (ty, member, at) in [
            ("struct sysinfo", "totalram", 32),
            ("struct sysinfo", "totalswap", 64),
            ("struct sysinfo", "procs", 80),
            ("struct sysinfo", "totalhigh", 88),
            ("struct sysinfo", "mem_unit", 104),
            ("siginfo_t", "_sifields._sigchld._stime", 40),
            ("siginfo_t", "_sifields._sigfault._addr_bnd._lower", 32),
            ("siginfo_t", "_sifields._timer._sigval", 24),
        ] {
            assertion(&mut host, ty, member, true, (at, 0));
        }
        guest.push_str("_Static_assert(sizeof(struct sysinfo) == 64 && FIOQSIZE == 0x545e, \"\");\n");
        guest.insert_str(0, "#include <asm/sigcontext.h>\n#include <linux/sysinfo.h>\n");
        host.insert_str(0, "#include <linux/sysinfo.h>\n");
        compile("arm-linux-gnueabihf-gcc", &guest);
        compile("gcc", &host);
    }
}
