// A program that opens its own file finds itself: the ELF file of its own machine, with what was appended to it. Executed as
//     own COPY
// in the directory where it lies, COPY being another file with the same bytes. Prints a line for each check that fails, and how
// many there were. (qemu-user opens the right file, but describes another in stat.)
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static int checks, failures;
static const char *way = "";
#define CHECK(x) \
    do { \
        checks++; \
        errno = 0; \
        if (!(x)) { \
            failures++; \
            printf("line %d: %s: %s (errno %d)\n", __LINE__, way, #x, errno); \
        } \
    } while (0)
#define FAILS(call, error) CHECK((long)(call) == -1 && errno == (error))

#ifdef __aarch64__
enum { MACHINE = EM_AARCH64 };
#else
enum { MACHINE = EM_ARM };
#endif

static unsigned char *copy;
static long size;

static void read_copy(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) || !(copy = malloc(st.st_size)) || read(fd, copy, st.st_size) != st.st_size) {
        perror(path);
        exit(2);
    }
    size = st.st_size;
    close(fd);
}

static int lowest(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

/* Everything that a descriptor of the file tells, for a file that `path` names, too. */
static void content(int fd, int flags)
{
    static unsigned char buffer[5000];
    Elf32_Ehdr head;
    CHECK(pread(fd, &head, sizeof head, 0) == sizeof head && head.e_machine == MACHINE);
    long at = 0, n;
    int same = 1;
    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        same = same && at + n <= size && !memcmp(buffer, copy + at, n);
        at += n;
    }
    CHECK(n == 0 && at == size && same);
    CHECK(lseek(fd, -8, SEEK_END) == size - 8 && read(fd, buffer, 9) == 8 && !memcmp(buffer, "appended", 8));
    CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_APPEND)) == (flags & ~O_CLOEXEC));
    CHECK(fcntl(fd, F_GETFD) == (flags & O_CLOEXEC ? FD_CLOEXEC : 0));
    FAILS(write(fd, "x", 1), EBADF);
    FAILS(ftruncate(fd, 0), EINVAL);
}

static void status(int fd, const char *path)
{
    struct stat by_fd, by_name;
    CHECK(!fstat(fd, &by_fd) && !stat(path, &by_name));
    CHECK(by_fd.st_size == size && by_name.st_size == size);
    CHECK(by_fd.st_blocks == (size + 4095) / 4096 * 8 && by_name.st_blocks == by_fd.st_blocks);
    CHECK(by_fd.st_dev == by_name.st_dev && by_fd.st_ino == by_name.st_ino && by_fd.st_mode == by_name.st_mode);
    CHECK(by_fd.st_nlink == by_name.st_nlink && by_fd.st_mtime == by_name.st_mtime);
    // struct statx as words: inode, size, blocks.
    uint64_t x[32] = {0};
    unsigned size_and_inode = 0x200 | 0x100;
    CHECK(!syscall(SYS_statx, AT_FDCWD, path, 0, size_and_inode, x));
    CHECK(x[4] == by_name.st_ino && x[5] == (uint64_t)size && x[6] == (uint64_t)by_name.st_blocks);
    memset(x, 0, sizeof x);
    CHECK(!syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x200, x) && x[4] == by_name.st_ino && x[5] == (uint64_t)size);
    FAILS(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x200, 8), EFAULT);
#ifdef __arm__
    uint64_t s64[13];
    CHECK(!syscall(SYS_fstat64, fd, s64) && s64[6] == (uint64_t)size && s64[12] == by_name.st_ino);
    CHECK(!syscall(SYS_stat64, path, s64) && s64[6] == (uint64_t)size && s64[8] == (uint64_t)by_name.st_blocks);
    unsigned s[16];
    // Numbers of devices may be too large for it.
    if (!syscall(SYS_stat, path, s))
        CHECK(s[5] == (unsigned)size && !syscall(SYS_fstat, fd, s) && s[5] == (unsigned)size);
#endif
}

/* The mapping at `at` in /proc/self/maps is of the file that /proc/self/exe says, at `offset`. */
static int mapped_from_exe(const void *at, unsigned long offset, ino_t inode)
{
    char line[4500], exe[4096] = "", name[4096];
    if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0)
        return 0;
    FILE *f = fopen("/proc/self/maps", "re");
    int found = 0;
    while (f && !found && fgets(line, sizeof line, f)) {
        unsigned long start, from, number;
        name[0] = 0;
        found = sscanf(line, "%lx-%*x %*s %lx %*s %lu %4095[^\n]", &start, &from, &number, name) == 4
            && start == (unsigned long)at && from == offset && number == inode && !strcmp(name, exe);
    }
    if (f)
        fclose(f);
    return found;
}

static void mappings(int fd)
{
    struct stat st;
    fstat(fd, &st);
    for (int kind = MAP_SHARED; kind <= MAP_PRIVATE; kind++) {
        unsigned char *m = mmap(0, size, PROT_READ, kind, fd, 0);
        CHECK(m != MAP_FAILED && !memcmp(m, copy, size) && mapped_from_exe(m, 0, st.st_ino));
        munmap(m, size);
    }
    unsigned char *m = mmap(0, size - 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
    CHECK(m != MAP_FAILED && !memcmp(m, copy + 4096, size - 4096) && mapped_from_exe(m, 4096, st.st_ino));
    m[0] ^= 1;
    munmap(m, size - 4096);
    FAILS(mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
    unsigned char byte;
    CHECK(pread(fd, &byte, 1, 4096) == 1 && byte == copy[4096]);
}

static void links(int fd)
{
    char path[40], exe[4096], own[4096];
    memset(exe, '-', sizeof exe);
    memset(own, '-', sizeof own);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(readlink(path, own, sizeof own) == readlink("/proc/self/exe", exe, sizeof exe));
    CHECK(!memcmp(own, exe, sizeof exe));
    int again = open(path, O_RDONLY);
    CHECK(again >= 0);
    content(again, 0);
    close(again);
}

static void open_as(const char *path)
{
    way = path;
    int expected = lowest();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd == expected);
    content(fd, O_CLOEXEC);
    status(fd, path);
    mappings(fd);
    links(fd);
    close(fd);
    fd = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
    CHECK(fd == expected);
    content(fd, O_NONBLOCK);
    close(fd);
    uint64_t how[3] = {O_RDONLY};
    fd = syscall(SYS_openat2, AT_FDCWD, path, how, sizeof how);
    CHECK(fd == expected);
    content(fd, 0);
    close(fd);
    fd = open(path, O_PATH);
    CHECK(fd == expected);
    status(fd, path);
    close(fd);
    FAILS(open(path, O_RDWR), ETXTBSY);
    FAILS(open(path, O_WRONLY), ETXTBSY);
    FAILS(open(path, O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK(lowest() == expected);
}

/* With no descriptor to spare, opening fails or not, but nothing is lost. */
static void few_descriptors(void)
{
    way = "few descriptors";
    struct rlimit old, few;
    int first = lowest();
    getrlimit(RLIMIT_NOFILE, &old);
    for (int spare = 0; spare < 3; spare++) {
        few = old;
        few.rlim_cur = first + spare;
        setrlimit(RLIMIT_NOFILE, &few);
        errno = 0;
        int fd = open("/proc/self/exe", O_RDONLY), error = errno;
        setrlimit(RLIMIT_NOFILE, &old);
        CHECK(fd == first || (spare < 2 && fd == -1 && error == EMFILE));
        if (fd >= 0) {
            content(fd, 0);
            close(fd);
        }
        CHECK(lowest() == first);
    }
}

static void *in_thread(void *path)
{
    open_as(path);
    return 0;
}

static int ended_with(pid_t child, int code)
{
    int s;
    return child > 0 && waitpid(child, &s, 0) == child && WIFEXITED(s) && WEXITSTATUS(s) == code;
}

static void children(void)
{
    way = "vfork";
    pid_t child = vfork();
    if (!child) {
        Elf32_Ehdr head;
        int fd = open("/proc/self/exe", O_RDONLY);
        _exit(read(fd, &head, sizeof head) == sizeof head && head.e_machine == MACHINE ? 5 : 6);
    }
    CHECK(ended_with(child, 5));
    // Executed is the program, however its file was opened. The descriptor left open is still of its own file.
    for (int kind = 0; kind < 2; kind++) {
        way = kind ? "fexecve" : "execve of a descriptor";
        child = fork();
        if (!child) {
            char path[40], number[12];
            int fd = open("own", O_RDONLY);
            snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
            snprintf(number, sizeof number, "%d", fd);
            char *arguments[] = {"own", "executed", number, 0};
            if (kind)
                syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH);
            else
                execve(path, arguments, environ);
            _exit(1);
        }
        CHECK(ended_with(child, 7));
    }
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        struct stat by_fd, by_name;
        return fstat(atoi(argv[2]), &by_fd) || stat("/proc/self/exe", &by_name) || by_fd.st_ino != by_name.st_ino ? 8 : 7;
    }
    read_copy(argv[1]);
    char path[64], name[64];
    pthread_t thread;
    if (link("own", "hard") || symlink("own", "soft"))
        return 2;
    open_as("/proc/self/exe");
    open_as("/proc/thread-self/exe");
    snprintf(path, sizeof path, "/proc/%d/exe", getpid());
    open_as(path);
    open_as(argv[0]);
    open_as((const char *)getauxval(AT_EXECFN));
    open_as("hard");
    open_as("soft");
    pthread_create(&thread, 0, in_thread, "/proc/thread-self/exe");
    pthread_join(thread, 0);
    struct stat st;
    way = "links";
    CHECK(!lstat("soft", &st) && st.st_size == 3 && !lstat("hard", &st) && st.st_size == size && st.st_nlink == 2);
    CHECK(readlink("soft", name, sizeof name) == 3);
    few_descriptors();
    children();
    way = "deleted";
    int before = open("own", O_RDONLY);
    CHECK(!unlink("own") && !unlink("hard") && !unlink("soft"));
    content(before, 0);
    CHECK(!fstat(before, &st) && st.st_nlink == 0 && st.st_size == size);
    int after = open("/proc/self/exe", O_RDONLY);
    content(after, 0);
    mappings(after);
    // Another file of the same name is another file.
    int fd = open("own", O_RDWR | O_CREAT | O_EXCL, 0700);
    CHECK(write(fd, "other", 5) == 5 && !close(fd) && !stat("own", &st) && st.st_size == 5);
    fd = open("own", O_RDONLY);
    CHECK(read(fd, path, sizeof path) == 5 && !memcmp(path, "other", 5));
    unlink("own");
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
