// The kernel interface of 32-bit ARM programs: structures and arguments that differ from those of 64-bit programs, the calls that
// only arm has, signal frames, and the kernel's helpers at the end of the address space. Prints a line for each check that
// fails, and how many there were. (qemu-arm gets some of them wrong.)
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

#define FAILS(call, error) CHECK((errno = 0, (long)(call) == -1) && errno == (error))

#define NR_BREAKPOINT 0xf0001
#define NR_CACHEFLUSH 0xf0002
#define NR_USR26 0xf0003
#define NR_GET_TLS 0xf0006

static unsigned thread_pointer(void) {
    return (unsigned)(uintptr_t)__builtin_thread_pointer();
}

static void clocks(void) {
    int t[2] = {0, -1}, rest[2] = {7, 7}, old[4];
    int64_t long_t[2] = {0, -1};
    CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, t) == 0 && t[0] > 0 && t[1] >= 0 && t[1] < 1000000000);
    CHECK(syscall(SYS_clock_gettime64, CLOCK_MONOTONIC, long_t) == 0 && long_t[0] >= t[0] && long_t[1] < 1000000000);
    CHECK(syscall(SYS_gettimeofday, t, 0) == 0 && t[0] > 1700000000 && t[1] < 1000000);
    CHECK(syscall(SYS_nanosleep, (int[]){0, 1000}, rest) == 0 && rest[0] == 7);
    FAILS(syscall(SYS_nanosleep, (int[]){0, -1}, rest), EINVAL);
    FAILS(syscall(SYS_nanosleep, 4, rest), EFAULT);
    // The kernel does not look at the upper half of nanoseconds, which is padding.
    CHECK(syscall(SYS_clock_nanosleep_time64, CLOCK_MONOTONIC, 0, (int64_t[]){0, 0x5500000000000400}, 0) == 0);
    CHECK(syscall(SYS_setitimer, ITIMER_REAL, (int[]){0, 0, 30000, 5000}, old) == 0);
    CHECK(syscall(SYS_getitimer, ITIMER_REAL, old) == 0 && old[0] == 0 && old[2] > 20000 && old[2] <= 30000);
    CHECK(syscall(SYS_setitimer, ITIMER_REAL, (int[4]){0}, old) == 0 && old[2] > 20000);
    int event[16] = {0x1234, SIGUSR1, SIGEV_NONE}, id = -1;
    CHECK(syscall(SYS_timer_create, CLOCK_MONOTONIC, event, &id) == 0 && id >= 0);
    CHECK(syscall(SYS_timer_settime, id, 0, (int[]){0, 0, 30000, 0}, old) == 0);
    CHECK(syscall(SYS_timer_gettime, id, old) == 0 && old[2] > 20000 && old[2] <= 30000);
    CHECK(syscall(SYS_timer_delete, id) == 0);
    int fd = syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0);
    uint64_t n = 0;
    CHECK(syscall(SYS_timerfd_settime, fd, 0, (int[]){0, 0, 0, 1000}, old) == 0 && read(fd, &n, 8) == 8 && n == 1);
    CHECK(syscall(SYS_timerfd_settime64, fd, 0, (int64_t[]){0, 0, 0, 1000}, 0) == 0 && read(fd, &n, 8) == 8);
    close(fd);
    int usage[18], ticks[4], timex[32] = {0}, word = 5;
    CHECK(syscall(SYS_getrusage, RUSAGE_SELF, usage) == 0 && usage[4] > 0 && usage[5] == 0);
    CHECK(syscall(SYS_times, ticks) != -1 && ticks[2] == 0);
    CHECK(syscall(SYS_adjtimex, timex) >= 0 && timex[11] >= 9000 && timex[11] <= 11000 && timex[9] > 1700000000);
    FAILS(syscall(SYS_futex, &word, FUTEX_WAIT, 5, (int[]){0, 1000}, 0, 0), ETIMEDOUT);
    FAILS(syscall(SYS_futex, &word, FUTEX_WAIT, 6, (int[]){0, 1000}, 0, 0), EAGAIN);
    FAILS(syscall(SYS_futex_time64, &word, FUTEX_WAIT, 5, (int64_t[]){0, 1000}, 0, 0), ETIMEDOUT);
    CHECK(syscall(SYS_futex, &word, FUTEX_WAKE, 1, 4, 0, 0) == 0);
}

static void files(void) {
    char name[] = "/tmp/kernel32-XXXXXX", b[16];
    int fd = mkstemp(name);
    CHECK(pwrite64(fd, "hello", 5, 0x100000005) == 5);
    struct stat64 st;
    unsigned old[16];
    CHECK(syscall(SYS_fstat64, fd, &st) == 0 && st.st_size == 0x10000000a && st.st_nlink == 1 && S_ISREG(st.st_mode));
    FAILS(syscall(SYS_fstat, fd, old), EOVERFLOW);
    FAILS(syscall(SYS_open, name, O_RDONLY), EOVERFLOW);
    int other = syscall(SYS_open, name, O_RDONLY | 0400000);
    CHECK(other >= 0 && close(other) == 0);
    CHECK(ftruncate64(fd, 10000) == 0 && syscall(SYS_lstat64, name, &st) == 0 && st.st_size == 10000);
    // The old structure has no room for what some file systems have for numbers.
    if (st.st_ino >> 32 == 0 && major(st.st_dev) < 256 && minor(st.st_dev) < 256) {
        CHECK(syscall(SYS_fstat, fd, old) == 0 && old[5] == 10000 && (old[2] >> 16) == 1);
        CHECK(syscall(SYS_stat, name, old) == 0 && st.st_ino == old[1]);
    } else {
        FAILS(syscall(SYS_fstat, fd, old), EOVERFLOW);
    }
    CHECK(syscall(SYS_fstatat64, AT_FDCWD, name, &st, 0) == 0 && st.st_size == 10000);
    long long at = 0;
    CHECK(syscall(SYS__llseek, fd, 1, 5, &at, SEEK_SET) == 0 && at == 0x100000005);
    FAILS(syscall(SYS_lseek, fd, 0, SEEK_CUR), EOVERFLOW);
    CHECK(syscall(SYS_lseek, fd, -3, SEEK_END) == 9997);
    struct iovec v[2] = {{"abc", 3}, {"defg", 4}}, w[2] = {{b, 2}, {b + 4, 3}};
    CHECK(pwritev(fd, v, 2, 4) == 7 && preadv(fd, w, 2, 4) == 5 && !memcmp(b, "ab", 2) && !memcmp(b + 4, "cde", 3));
    CHECK(preadv2(fd, w, 2, 5, 0) == 5 && !memcmp(b, "bc", 2));
    FAILS(syscall(SYS_readv, fd, w, 2000), EINVAL);
    CHECK(posix_fadvise64(fd, 0, 100, POSIX_FADV_WILLNEED) == 0 && sync_file_range(fd, 0, 100, 2) == 0);
    CHECK(truncate64(name, 5000) == 0 && lseek64(fd, 0, SEEK_END) == 5000);
    unsigned fs[22], short_fs[16];
    CHECK(syscall(SYS_statfs64, "/proc", 84, fs) == 0 && fs[0] == 0x9fa0 && fs[1] == 4096 && fs[14] == 255);
    CHECK(syscall(SYS_statfs, "/proc", short_fs) == 0 && short_fs[0] == 0x9fa0 && short_fs[9] == 255);
    FAILS(syscall(SYS_statfs64, "/proc", 80, fs), EINVAL);
    struct flock lock = {F_WRLCK, SEEK_SET, 10, 20};
    struct flock64 long_lock = {F_WRLCK, SEEK_SET, 0x100000000, 200};
    CHECK(syscall(SYS_fcntl64, fd, 6, &lock) == 0 && syscall(SYS_fcntl64, fd, 13, &long_lock) == 0);
    FAILS(syscall(SYS_fcntl, fd, 13, &long_lock), EINVAL);
    pid_t parent = getpid(), child = fork();
    if (!child) {
        struct flock get = {F_WRLCK, SEEK_SET, 0, 100};
        int ok = syscall(SYS_fcntl64, fd, 5, &get) == 0 && get.l_start == 10 && get.l_len == 20 && get.l_pid == parent;
        get = (struct flock){F_WRLCK, SEEK_SET, 100, 0};
        _exit(ok && syscall(SYS_fcntl64, fd, 5, &get) == -1 && errno == EOVERFLOW ? 7 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 7 << 8);
    int dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
    CHECK((syscall(SYS_fcntl64, dir, F_GETFL) & 0740000 & ~0400000) == 040000);
    FAILS(open(name, O_DIRECTORY), ENOTDIR);
    FAILS(open("/proc/self", O_NOFOLLOW), ELOOP);
    char entries[2000];
    int found = 0;
    long n = syscall(SYS_getdents, dir, entries, sizeof entries);
    for (long i = 0; i < n; i += *(unsigned short *)(entries + i + 8)) {
        found += !strcmp(entries + i + 10, "fd") && entries[i + *(unsigned short *)(entries + i + 8) - 1] == 4;
    }
    CHECK(found == 1);
    FAILS((lseek(dir, 0, SEEK_SET), syscall(SYS_getdents, dir, entries, 8)), EINVAL);
    close(dir);
    CHECK(syscall(SYS_utimes, name, (int[]){1000, 5, 2000, 6}) == 0 && stat64(name, &st) == 0);
    CHECK(st.st_atime == 1000 && st.st_atim.tv_nsec == 5000 && st.st_mtime == 2000);
    CHECK(syscall(SYS_utimensat, AT_FDCWD, name, (int[]){0, UTIME_OMIT, 3000, 7}, 0) == 0 && stat64(name, &st) == 0);
    CHECK(st.st_atime == 1000 && st.st_mtime == 3000 && st.st_mtim.tv_nsec == 7);
    int p[2];
    CHECK(pipe(p) == 0);
    off_t offset = 2;
    off64_t long_offset = 3;
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && syscall(SYS_sendfile, p[1], fd, &offset, 10) == 10 && offset == 12);
    CHECK(syscall(SYS_sendfile64, p[1], fd, &long_offset, 10) == 10 && long_offset == 13);
    struct iovec page = {"xyz", 3};
    int waiting = 0;
    CHECK(vmsplice(p[1], &page, 1, 0) == 3 && ioctl(p[0], FIONREAD, &waiting) == 0 && waiting == 23);
    char *m = mmap64(0, 4096, PROT_READ, MAP_SHARED, fd, 4096);
    CHECK(m != MAP_FAILED && (uintptr_t)m < 0xffff0000);
    char *moved = mremap(m, 4096, 1 << 20, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && munmap(moved, 1 << 20) == 0);
    FAILS(syscall(SYS_mmap2, 0xffff0000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
    unsigned set[2] = {0, 0x55};
    CHECK(syscall(SYS_sched_getaffinity, 0, 4, set) == 4 || errno == EINVAL);
    CHECK(set[1] == 0x55);
    FAILS(syscall(SYS_sched_getaffinity, 0, 3, set), EINVAL);
    close(fd);
    unlink(name);
}

static void sockets(void) {
    int s[2], got[2] = {0}, one = 1;
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
    socklen_t len = 8;
    // SO_RCVTIMEO with times of 32 bits.
    CHECK(setsockopt(s[0], SOL_SOCKET, 20, (int[]){3, 500000}, 8) == 0);
    CHECK(getsockopt(s[0], SOL_SOCKET, 20, got, &len) == 0 && len == 8 && got[0] == 3 && got[1] == 500000);
    FAILS(setsockopt(s[0], SOL_SOCKET, 20, got, 4), EINVAL);
    char control[64], data[64];
    struct iovec v[2] = {{"ab", 2}, {"cdef", 4}}, w = {data, sizeof data};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_control = control, .msg_controllen = CMSG_SPACE(4)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    *h = (struct cmsghdr){.cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(h), &s[0], 4);
    // SO_TIMESTAMP in its old form, too.
    setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &one, 4);
    setsockopt(s[0], SOL_SOCKET, 29, &one, 4);
    CHECK(sendmsg(s[1], &m, 0) == 6);
    m = (struct msghdr){.msg_iov = &w, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK(recvmsg(s[0], &m, MSG_CMSG_CLOEXEC) == 6 && m.msg_flags == MSG_CMSG_CLOEXEC);
    unsigned seen = 0;
    for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        int word;
        memcpy(&word, CMSG_DATA(h), 4);
        if (h->cmsg_type == SCM_RIGHTS) {
            seen |= h->cmsg_len == 16 && close(word) == 0;
        } else if (h->cmsg_type == SCM_CREDENTIALS) {
            seen |= (h->cmsg_len == 24 && word == getpid()) << 1;
        } else if (h->cmsg_type == 29) {
            seen |= (h->cmsg_len == 20 && word > 1700000000) << 2;
        }
    }
    CHECK(seen == 7);
    CHECK(send(s[1], "xyz", 3, 0) == 3);
    m = (struct msghdr){.msg_iov = &w, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 14};
    CHECK(recvmsg(s[0], &m, 0) == 3 && (m.msg_flags & MSG_CTRUNC) && m.msg_controllen == 14);
    struct mmsghdr many[2] = {{{.msg_iov = &v[0], .msg_iovlen = 1}}, {{.msg_iov = &v[1], .msg_iovlen = 1}}};
    CHECK(sendmmsg(s[1], many, 2, 0) == 2 && many[0].msg_len == 2 && many[1].msg_len == 4);
    struct iovec parts[2] = {{data, 8}, {data + 8, 8}};
    many[0].msg_hdr.msg_iov = &parts[0];
    many[1].msg_hdr.msg_iov = &parts[1];
    CHECK(syscall(SYS_recvmmsg, s[0], many, 2, 0, (int[]){60, 0}) == 2 && many[1].msg_len == 4);
    CHECK(!memcmp(data, "ab", 2) && !memcmp(data + 8, "cdef", 4));
    CHECK(syscall(SYS_send, s[1], "q", 1, 0) == 1);
    int ep = epoll_create(1);
    struct epoll_event e = {EPOLLIN, {.u64 = 0x123456789abcdef}}, out[2];
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e) == 0 && syscall(SYS_epoll_wait, ep, out, 2, -1) == 1);
    CHECK(out[0].events == EPOLLIN && out[0].data.u64 == 0x123456789abcdef);
    // Sets of descriptors are in words of 4 bytes: what lies behind is not touched.
    unsigned sets[3] = {1u << s[0], 0xaaaaaaaa, 0xaaaaaaaa};
    CHECK(s[0] < 31 && syscall(SYS__newselect, s[0] + 1, sets, 0, 0, (int[]){60, 0}) == 1);
    CHECK(sets[0] == 1u << s[0] && sets[1] == 0xaaaaaaaa);
    unsigned mask[2] = {0, 0};
    CHECK(syscall(SYS_pselect6, s[0] + 1, sets, 0, 0, (int[]){60, 0}, (void *[]){mask, (void *)8}) == 1);
    struct pollfd fd = {s[0], POLLIN, 0};
    CHECK(syscall(SYS_ppoll, &fd, 1, (int[]){60, 0}, mask, 8) == 1 && fd.revents == POLLIN);
    CHECK(syscall(SYS_recv, s[0], data, 8, 0) == 1);
}

static void ipc(void) {
    int q = msgget(IPC_PRIVATE, 0600), id = semget(IPC_PRIVATE, 2, 0600), h = shmget(IPC_PRIVATE, 9000, 0600);
    struct {
        long type;
        char text[20];
    } message = {7, "message"};
    struct msqid_ds queue;
    CHECK(msgsnd(q, &message, 8, 0) == 0 && msgctl(q, IPC_STAT, &queue) == 0);
    CHECK(queue.msg_qnum == 1 && queue.msg_lspid == getpid() && (queue.msg_perm.mode & 0777) == 0600);
    memset(&message, 0, sizeof message);
    CHECK(msgrcv(q, &message, 20, 7, 0) == 8 && message.type == 7 && !strcmp(message.text, "message"));
    FAILS(msgrcv(q, &message, 20, -9, IPC_NOWAIT), ENOMSG);
    CHECK(msgctl(q, IPC_RMID, 0) == 0);
    struct semid_ds semaphores;
    unsigned short values[2];
    CHECK(semctl(id, 1, SETVAL, 5) == 0 && semctl(id, 0, IPC_STAT, &semaphores) == 0 && semaphores.sem_nsems == 2);
    CHECK(semctl(id, 0, GETALL, values) == 0 && values[0] == 0 && values[1] == 5);
    struct sembuf down = {0, -1, 0};
    FAILS(syscall(SYS_semtimedop, id, &down, 1, (int[]){0, 1000}), EAGAIN);
    CHECK(semctl(id, 0, IPC_RMID) == 0);
    char *p = shmat(h, 0, 0);
    CHECK(p != (char *)-1 && (uintptr_t)p < 0xffff0000);
    p[8999] = 5;
    struct shmid_ds segment;
    CHECK(shmctl(h, IPC_STAT, &segment) == 0 && segment.shm_segsz == 9000 && segment.shm_nattch == 1);
    char *again = shmat(h, 0, SHM_RDONLY);
    CHECK(again != (char *)-1 && again[8999] == 5 && shmdt(again) == 0);
    FAILS(shmdt(again), EINVAL);
    CHECK(shmat(h, again, 0) == again);
    FAILS(shmat(h, p, 0), EINVAL);
    CHECK(shmdt(p) == 0 && shmdt(again) == 0 && shmctl(h, IPC_RMID, 0) == 0);
}

static volatile int got;
static siginfo_t info;
static ucontext_t context;

static void note(int s) {
    got = s;
}

static void note_all(int s, siginfo_t *i, void *u) {
    got = s;
    info = *i;
    context = *(ucontext_t *)u;
}

__attribute__((target("arm"))) static void a32_handler(int s) {
    got = 1000 + s;
}

__attribute__((target("thumb"))) static void t32_handler(int s) {
    got = 2000 + s;
}

// A handler without a restorer returns through the kernel's own code.
static void kernel_returns(void *handler, unsigned flags, int expected) {
    struct {
        void *handler;
        unsigned flags;
        void *restorer;
        unsigned mask[2];
    } action = {handler, flags, 0, {0, 0}};
    CHECK(syscall(SYS_rt_sigaction, SIGUSR1, &action, 0, 8) == 0);
    got = 0;
    raise(SIGUSR1);
    CHECK(got == expected);
}

static void signals(void) {
    struct sigaction a = {.sa_sigaction = note_all, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR2, &a, 0);
    sigaction(34, &a, 0);
    sigaction(SIGCHLD, &a, 0);
    union sigval value = {.sival_int = 0x12345678};
    CHECK(sigqueue(getpid(), 34, value) == 0 && got == 34 && info.si_code == SI_QUEUE && info.si_int == 0x12345678);
    CHECK(kill(getpid(), SIGUSR2) == 0 && got == SIGUSR2 && info.si_code == SI_USER && info.si_pid == getpid());
    pid_t child = fork();
    if (!child) {
        _exit(9);
    }
    siginfo_t w;
    memset(&w, 0xff, sizeof w);
    while (waitid(P_PID, child, &w, WEXITED | WNOWAIT) < 0) {
    }
    CHECK(w.si_signo == SIGCHLD && w.si_code == CLD_EXITED && w.si_status == 9 && w.si_pid == child);
    int status, usage[18];
    CHECK(syscall(SYS_wait4, child, &status, 0, usage) == child && status == 9 << 8 && usage[4] > 0);
    CHECK(got == SIGCHLD && info.si_pid == child && info.si_status == 9);
    FAILS(waitid(P_PID, child, &w, WEXITED), ECHILD);
    kernel_returns(t32_handler, 0, 2000 + SIGUSR1);
    kernel_returns(t32_handler, SA_SIGINFO, 2000 + SIGUSR1);
    kernel_returns(a32_handler, 0, 1000 + SIGUSR1);
    kernel_returns(a32_handler, SA_SIGINFO, 1000 + SIGUSR1);
    unsigned pending, before, set = 1u << (SIGUSR2 - 1);
    sigset_t block, now;
    sigemptyset(&block);
    sigaddset(&block, 35);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, 0);
    CHECK(sigqueue(getpid(), 35, value) == 0 && syscall(SYS_rt_sigtimedwait, &block, &w, (int[]){60, 0}, 8) == 35);
    CHECK(w.si_int == 0x12345678 && w.si_code == SI_QUEUE);
    FAILS(syscall(SYS_rt_sigtimedwait, &block, &w, (int[]){0, 1000}, 8), EAGAIN);
    // The old call replaces the first 32 signals.
    CHECK(syscall(SYS_sigprocmask, SIG_SETMASK, &set, &before) == 0 && before == 1u << (SIGUSR1 - 1));
    CHECK(sigprocmask(SIG_SETMASK, 0, &now) == 0 && sigismember(&now, 35) && !sigismember(&now, SIGUSR1));
    CHECK(kill(getpid(), SIGUSR2) == 0 && syscall(SYS_sigpending, &pending) == 0 && pending == set);
    got = 0;
    FAILS(syscall(SYS_sigsuspend, 0, 0, 0), EINTR);
    CHECK(got == SIGUSR2);
    sigemptyset(&now);
    sigprocmask(SIG_SETMASK, &now, 0);
    struct {
        void *handler;
        unsigned mask, flags;
        void *restorer;
    } old = {note, 1 << 9, 0, 0}, read;
    CHECK(syscall(SYS_sigaction, SIGWINCH, &old, 0) == 0 && syscall(SYS_sigaction, SIGWINCH, 0, &read) == 0);
    CHECK(read.handler == note && read.mask == 1 << 9 && raise(SIGWINCH) == 0 && got == SIGWINCH);
    stack_t stack = {malloc(20000), 0, 2047};
    FAILS(sigaltstack(&stack, 0), ENOMEM);
    stack.ss_size = 2048;
    CHECK(sigaltstack(&stack, 0) == 0);
    stack.ss_size = 20000;
    CHECK(sigaltstack(&stack, 0) == 0);
    a.sa_flags |= SA_ONSTACK;
    sigaction(SIGUSR2, &a, 0);
    raise(SIGUSR2);
    CHECK(context.uc_stack.ss_sp == stack.ss_sp && context.uc_stack.ss_size == 20000);
    stack.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&stack, 0) == 0);
}

static unsigned seen[6] __attribute__((used));

// Fault with known registers, changed by the handler.
__attribute__((target("arm"), noinline)) static void fault_in_a32(void) {
    __asm__ volatile(
        "mov r4, #4; mov r5, #5; mov r6, #6; mov r8, #16\n"
        "vmov.f64 d9, #2.5; vmov.f64 d8, #1.5; vcmp.f64 d9, d8\n"
        "cmp r5, r4\n"
        "ldr r6, [r8]\n"
        "ldr r1, =seen\n"
        "mrs r2, cpsr; vmrs r3, fpscr\n"
        "str r5, [r1]; str r6, [r1, #4]; str r2, [r1, #8]; str r3, [r1, #12]; vstr d9, [r1, #16]\n"
        ".ltorg" ::: "r1", "r2", "r3", "r4", "r5", "r6", "r8", "d8", "d9", "cc", "memory");
}

// A fault of the third instruction of an IT block, and the fourth, which is not executed.
__attribute__((target("thumb"), noinline)) static int fault_in_it(int a) {
    int r;
    __asm__ volatile("mov r8, #16; mov r6, #3; cmp %1, #1\n"
                     "itete eq\n"
                     "moveq r6, #1; movne r6, #2; ldreq r6, [r8]; addne r6, #0x10\n"
                     "mov %0, r6"
                     : "=r"(r)
                     : "r"(a)
                     : "r6", "r8", "cc", "memory");
    return r;
}

static int change;

static void faulted(int s, siginfo_t *i, void *u) {
    note_all(s, i, u);
    mcontext_t *m = &((ucontext_t *)u)->uc_mcontext;
    unsigned *vfp = (unsigned *)((ucontext_t *)u)->uc_regspace;
    memcpy(context.uc_regspace, vfp, 288);
    if (change) {
        double d9 = 42.5;
        memcpy(vfp + 2 + 2 * 9, &d9, 8);
        vfp[66] ^= 0xf0000000;
        m->arm_r5 = 0x5555;
        m->arm_cpsr ^= 0x80000000;
    }
    // Behind the instruction; in an IT block the state is that of the next one.
    m->arm_pc += 4;
    if (m->arm_cpsr & 0x20) {
        unsigned it = (m->arm_cpsr >> 25 & 3) | (m->arm_cpsr >> 8 & 0xfc);
        it = (it & 7) == 0 ? 0 : (it & 0xe0) | (it << 1 & 0x1f);
        m->arm_cpsr = (m->arm_cpsr & ~0x0600fc00) | (it & 3) << 25 | (it & 0xfc) << 8;
    }
}

static void frames(void) {
    struct sigaction a = {.sa_sigaction = faulted, .sa_flags = SA_SIGINFO}, before;
    sigaction(SIGSEGV, &a, &before);
    fault_in_a32();
    mcontext_t *m = &context.uc_mcontext;
    unsigned *vfp = (unsigned *)context.uc_regspace;
    double d[2];
    memcpy(d, vfp + 2 + 2 * 8, 16);
    CHECK(info.si_code == SEGV_MAPERR && info.si_addr == (void *)16 && m->fault_address == 16);
    CHECK(m->arm_r4 == 4 && m->arm_r5 == 5 && m->arm_r6 == 6 && m->arm_r8 == 16 && m->error_code == 0);
    CHECK((m->arm_cpsr & 0xf000003f) == 0x20000010);
    CHECK(vfp[0] == 0x56465001 && vfp[1] == 288 && vfp[72] == 0);
    CHECK(d[0] == 1.5 && d[1] == 2.5 && vfp[66] >> 28 == 2);
    CHECK(seen[0] == 5 && seen[1] == 6 && seen[2] >> 28 == 2 && seen[3] >> 28 == 2);
    change = 1;
    fault_in_a32();
    memcpy(d, seen + 4, 8);
    CHECK(seen[0] == 0x5555 && seen[2] >> 28 == 0xa && seen[3] >> 28 == 0xd && d[0] == 42.5);
    change = 0;
    CHECK(fault_in_it(1) == 1 && (m->arm_cpsr & 0x20) && (m->arm_cpsr & 0x0600fc00) == 0x0c00);
    CHECK(fault_in_it(0) == 0x12);
    sigaction(SIGSEGV, &before, 0);
}

static int wrong;

static void spoil(int s, siginfo_t *i, void *u) {
    mcontext_t *m = &((ucontext_t *)u)->uc_mcontext;
    unsigned *vfp = (unsigned *)((ucontext_t *)u)->uc_regspace;
    switch (wrong) {
    case 0: m->arm_cpsr = 0x13; break;
    case 1: m->arm_cpsr |= 0x80; break;
    case 2: vfp[0] = 5; break;
    default: vfp[1] = 5;
    }
}

// A frame that the kernel does not accept is a fault.
static void bad_frames(void) {
    for (wrong = 0; wrong < 4; wrong++) {
        pid_t child = fork();
        if (!child) {
            setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
            struct sigaction a = {.sa_sigaction = spoil, .sa_flags = SA_SIGINFO};
            sigaction(SIGUSR1, &a, 0);
            raise(SIGUSR1);
            _exit(3);
        }
        int status;
        while (waitpid(child, &status, 0) < 0) {
        }
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    }
}

static volatile int *ticks;

static void tick(int s) {
    ++*ticks;
}

// read() by an SVC in the middle of an IT block, in which the call is restarted.
__attribute__((target("thumb"), noinline)) static int read_in_it(int fd, char *b) {
    register int r0 __asm__("r0") = fd;
    register char *r1 __asm__("r1") = b;
    register int r2 __asm__("r2") = 1;
    register int r8 __asm__("r8") = 0;
    __asm__ volatile("push {r7}; mov r7, #3; cmp r0, r0\n"
                     "itte eq\n"
                     "svceq 0; moveq r8, #7; movne r8, #9\n"
                     "pop {r7}"
                     : "+r"(r0), "+r"(r8)
                     : "r"(r1), "r"(r2)
                     : "cc", "memory");
    return r0 * 100 + r8;
}

static void restarts(void) {
    ticks = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int p[2];
    char b[4] = {0};
    CHECK(pipe(p) == 0);
    signal(SIGCHLD, SIG_DFL);
    struct sigaction a = {.sa_handler = tick, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &a, 0);
    pid_t parent = getpid(), child = fork();
    if (!child) {
        while (*ticks < 5) {
            kill(parent, SIGUSR1);
            usleep(1000);
        }
        _exit(write(p[1], "x", 1) != 1);
    }
    CHECK(read_in_it(p[0], b) == 107 && b[0] == 'x' && *ticks >= 5);
    while (waitpid(child, 0, 0) < 0) {
    }
}

static sigjmp_buf env;
static uintptr_t trapped_at;

static void trapped(int s, siginfo_t *i, void *u) {
    trapped_at = (uintptr_t)i->si_addr;
    info = *i;
    siglongjmp(env, s);
}

static void only_arm(void) {
    struct sigaction a = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
    CHECK((unsigned)syscall(NR_GET_TLS) == thread_pointer());
    CHECK(syscall(NR_CACHEFLUSH, only_arm, (char *)only_arm + 100, 0) == 0);
    FAILS(syscall(NR_CACHEFLUSH, 100, 50, 0), EINVAL);
    FAILS(syscall(NR_USR26), ENOSYS);
    FAILS(syscall(0xf0100), ENOSYS);
    FAILS(syscall(900), ENOSYS);
    sigaction(SIGTRAP, &a, 0);
    sigaction(SIGILL, &a, 0);
    int s = sigsetjmp(env, 1);
    if (!s) {
        syscall(NR_BREAKPOINT);
    }
    CHECK(s == SIGTRAP && info.si_code == TRAP_BRKPT && trapped_at != 0);
    s = sigsetjmp(env, 1);
    if (!s) {
        syscall(0xf0800);
    }
    CHECK(s == SIGILL && info.si_code == ILL_ILLTRP && trapped_at != 0);
    unsigned short ids[3];
    CHECK(syscall(SYS_getresuid, ids, ids + 1, ids + 2) == 0 && (getuid() > 65534 || ids[0] == getuid()));
    CHECK(syscall(SYS_getuid) == (getuid() > 65535 ? 65534 : (int)getuid()));
    CHECK(syscall(SYS_setresuid, 0xffff, 0xffff, 0xffff) == 0);
    unsigned limit[2];
    CHECK(syscall(SYS_ugetrlimit, RLIMIT_CPU, limit) == 0 && limit[1] >= limit[0]);
    struct sysinfo system;
    CHECK(sysinfo(&system) == 0 && system.procs > 0 && system.totalram > 0 && system.mem_unit >= 1);
    CHECK(getauxval(AT_PAGESZ) == 4096 && ((char *)getauxval(AT_PLATFORM))[0] == 'v' && getauxval(AT_PHENT) == 32);
}

// Kernel AIO: handles, rings and vectors have addresses of 32 bits, and times three forms.
static void aio(void) {
    struct ring {
        unsigned id, nr, head, tail, magic, compatible, incompatible, header;
    };
    unsigned long context = 0, other = 1;
    FAILS(syscall(SYS_io_setup, 10, &other), EINVAL);
    FAILS(syscall(SYS_io_setup, 0, &context), EINVAL);
    FAILS(syscall(SYS_io_setup, 10, 0), EFAULT);
    CHECK(syscall(SYS_io_setup, 10, &context) == 0 && context != 0);
    const struct ring *ring = (struct ring *)context;
    CHECK(ring->magic == 0xa10a10a1 && ring->nr >= 10 && ring->header == sizeof *ring && ring->head == ring->tail);
    int fd = memfd_create("aio", 0);
    char text[] = "kernel aio", one[5] = "", two[7] = "";
    struct iovec parts[2] = {{one, 4}, {two, 6}};
    struct iocb write = {.aio_data = 1ll << 40, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (uintptr_t)text,
                         .aio_nbytes = 10, .aio_offset = 3};
    struct iocb read = {.aio_data = 2, .aio_lio_opcode = IOCB_CMD_PREADV, .aio_fildes = fd, .aio_buf = (uintptr_t)parts,
                        .aio_nbytes = 2, .aio_offset = 3};
    struct iocb bad = {.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = -1};
    struct iocb *list[] = {&write, &bad};
    struct io_event events[4];
    CHECK(syscall(SYS_io_submit, context, 2, list) == 1);
    CHECK(syscall(SYS_io_getevents, context, 1, 4, events, 0) == 1);
    CHECK(events[0].data == 1ll << 40 && events[0].obj == (uintptr_t)&write && events[0].res == 10 && lseek(fd, 0, SEEK_END) == 13);
    list[0] = &read;
    CHECK(syscall(SYS_io_submit, context, 1, list) == 1);
    CHECK(syscall(SYS_io_pgetevents, context, 1, 4, events, (int[]){5, 0}, 0) == 1 && events[0].res == 10);
    CHECK(!strcmp(one, "kern") && !strcmp(two, "el aio") && ring->tail == 2);
    // Nothing more comes: all three forms of times.
    CHECK(syscall(SYS_io_getevents, context, 1, 4, events, (int[]){0, 1000000}) == 0);
    CHECK(syscall(SYS_io_pgetevents, context, 1, 4, events, (int[]){0, 1000000}, (unsigned[]){0, 8}) == 0);
    CHECK(syscall(SYS_io_pgetevents_time64, context, 1, 4, events, (int64_t[]){0, 1000000}, 0) == 0);
    FAILS(syscall(SYS_io_submit, context, 1, &list[1]), EBADF);
    FAILS(syscall(SYS_io_submit, context, 1, 0), EFAULT);
    FAILS(syscall(SYS_io_submit, context, -1, list), EINVAL);
    // One that waits, given up.
    int p[2];
    pipe(p);
    struct iocb poll = {.aio_data = 3, .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = p[0], .aio_buf = POLLIN};
    list[0] = &poll;
    CHECK(syscall(SYS_io_submit, context, 1, list) == 1);
    int r = syscall(SYS_io_cancel, context, &poll, events);
    CHECK(r == 0 || (r == -1 && (errno == EINPROGRESS || errno == EINVAL)));
    CHECK(syscall(SYS_io_destroy, context) == 0);
    FAILS(syscall(SYS_io_destroy, context), EINVAL);
    FAILS(syscall(SYS_io_getevents, context, 0, 4, events, 0), EINVAL);
    FAILS(msync((void *)context, 4096, MS_ASYNC), ENOMEM);
    CHECK(mmap((void *)context, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)context);
    close(fd);
    close(p[0]);
    close(p[1]);
}

static void helpers(void) {
    // User mode may ask whether it has performance counters (libx264 does): it has none.
    unsigned counters = 5;
    asm volatile("mrc p15, 0, %0, c9, c14, 0" : "=r"(counters));
    CHECK(counters == 0);
    typedef int exchange(int, int, volatile int *);
    typedef int exchange64(const int64_t *, const int64_t *, volatile int64_t *);
    volatile int x = 5;
    volatile int64_t y = 5;
    int64_t old = 5, new = 1ll << 40;
    CHECK(*(int *)0xffff0ffc >= 5);
    CHECK(((exchange *)0xffff0fc0)(5, 6, &x) == 0 && x == 6 && ((exchange *)0xffff0fc0)(5, 7, &x) != 0 && x == 6);
    CHECK(((exchange64 *)0xffff0f60)(&old, &new, &y) == 0 && y == new && ((exchange64 *)0xffff0f60)(&old, &new, &y) != 0);
    ((void (*)(void))0xffff0fa0)();
    CHECK(((unsigned (*)(void))0xffff0fe0)() == thread_pointer());
}

int main(void) {
    clocks();
    files();
    sockets();
    ipc();
    signals();
    frames();
    bad_frames();
    restarts();
    only_arm();
    aio();
    helpers();
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
