// Files: the calls whose structures and flags differ between arm64 and x86-64, and the usual ones.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void *keep(void *p) { return p; }

int main(void)
{
    char dir[] = "/tmp/xlate-files-XXXXXX";
    if (!mkdtemp(dir) || chdir(dir))
        return 1;
    int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0640);
    printf("write %zd\n", write(fd, "hello world\n", 12));
    struct stat st;
    fstat(fd, &st);
    printf("size %ld mode %o links %lu blksize %d\n", (long)st.st_size, st.st_mode, (unsigned long)st.st_nlink, st.st_blksize > 0);
    printf("ino %d dev %d time %d\n", st.st_ino != 0, st.st_dev != 0, st.st_mtim.tv_sec > 1700000000);
    stat("f", &st);
    printf("size %ld\n", (long)st.st_size);
    if (symlink("f", "l"))
        return 2;
    lstat("l", &st);
    printf("link %d\n", S_ISLNK(st.st_mode));
    printf("nofollow %d %s\n", open("l", O_RDONLY | O_NOFOLLOW), strerror(errno));
    printf("directory %d %s\n", open("f", O_RDONLY | O_DIRECTORY), strerror(errno));
    int d = open(".", O_RDONLY | O_DIRECTORY);
    printf("flags %x %x\n", fcntl(d, F_GETFL) & O_DIRECTORY, fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND));
    fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK);
    printf("flags %x\n", fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE));
    struct flock lk = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    printf("lock %d\n", fcntl(fd, F_SETLK, &lk));
    char *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    m[0] = 'J';
    msync(m, 4096, MS_SYNC);
    char buf[64] = "";
    struct iovec iov[2] = {{buf, 5}, {buf + 10, 20}};
    printf("preadv %zd %.5s\n", preadv(fd, iov, 2, 0), buf);
    m = mremap(m, 4096, 8192, MREMAP_MAYMOVE);
    printf("mremap %d %c\n", m != MAP_FAILED, m[0]);
    munmap(m, 8192);
    ftruncate(fd, 5);
    printf("seek %ld\n", (long)lseek(fd, 0, SEEK_END));
    mkdir("sub", 0755);
    rename("f", "sub/g");
    DIR *dp = opendir("sub");
    struct dirent *e;
    int names = 0;
    while ((e = readdir(dp)))
        names += e->d_name[0] != '.' ? 10 : 1;
    closedir(dp);
    printf("entries %d\n", names);
    struct statfs sf;
    printf("statfs %d %d\n", statfs(".", &sf), sf.f_bsize > 0);
    struct utsname u;
    uname(&u);
    printf("uname %s %s\n", u.sysname, u.machine);
    int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(3, 0);
    struct epoll_event in = {.events = EPOLLIN, .data = {.u64 = 0x123456789abcdef0}}, out[2];
    memset(out, 0, sizeof out);
    epoll_ctl(ep, EPOLL_CTL_ADD, ev, &in);
    printf("epoll %d", epoll_wait(ep, out, 2, 100));
    printf(" %llx\n", (unsigned long long)out[0].data.u64);
    struct pollfd pf = {.fd = ev, .events = POLLIN};
    printf("poll %d\n", poll(&pf, 1, 0));
    int sv[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    printf("send %zd recv", send(sv[0], "abc", 3, 0));
    printf(" %zd\n", recv(sv[1], buf, 10, 0));
    struct timespec ts = {0, 1000000};
    printf("nanosleep %d\n", nanosleep(&ts, 0));
    struct timeval tv;
    gettimeofday(&tv, 0);
    printf("time %d\n", tv.tv_sec > 1700000000);
    struct sysinfo si;
    printf("sysinfo %d %d\n", sysinfo(&si), si.totalram > 0);
    char exe[256];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe);
    printf("exe %d\n", n > 0);
    FILE *f = fopen("/proc/self/cmdline", "r");
    printf("cmdline %d\n", f && fgetc(f) != EOF);
    fclose(f);
    f = fopen("/proc/self/maps", "r");
    char line[512];
    int stack = 0, mine = 0;
    while (fgets(line, sizeof line, f)) {
        unsigned long a, b;
        sscanf(line, "%lx-%lx", &a, &b);
        stack |= (unsigned long)&line >= a && (unsigned long)&line < b;
        mine |= (unsigned long)keep(main) >= a && (unsigned long)keep(main) < b && strstr(line, "r-xp") != 0;
    }
    printf("maps %d %d\n", stack, mine);
    // By the call itself: musl's sbrk moves nothing.
    char *brk0 = (char *)syscall(SYS_brk, 0L);
    syscall(SYS_brk, brk0 + 100000);
    brk0[50000] = 1;
    printf("brk %ld\n", (long)((char *)syscall(SYS_brk, 0L) - brk0));
    printf("mmap fail %d %s\n", mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED, strerror(errno));
    unlink("sub/g"), rmdir("sub"), unlink("l"), chdir("/"), rmdir(dir);
    return 0;
}
