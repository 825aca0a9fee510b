// A dynamically linked program: argv[1] is a shared library (dynamic-lib.c), opened while it runs; or `execute PROGRAM`, `find PATH`, `self`, `again`.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

int replaced(void) { return 100; }

static int twice(int x) { return 2 * x; }

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static int objects;
static int visit(struct dl_phdr_info *info, size_t size, void *data) {
    (void)info, (void)size, (void)data;
    objects++;
    return 0;
}

static sigjmp_buf out;
static void on_fault(int sig, siginfo_t *info, void *context) {
    (void)context;
    printf("signal %d at %p\n", sig, info->si_addr);
    siglongjmp(out, 1);
}

// What an access of a library's code faults at; callers are the program's.
static void faults(int (*load)(const int *)) {
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &act, 0);
    for (int i = 0; i < 3; i++)
        if (!sigsetjmp(out, 1)) printf("loaded %d\n", load((const int *)(long)(16 + i * 4)));
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    if (!strcmp(argv[1], "execute")) {
        execl(argv[2], "other name", "executed", (char *)0);
        return 3;
    }
    if (!strcmp(argv[1], "find")) {
        struct stat s, l;
        char to[64] = "";
        int links = readlink(argv[2], to, sizeof to - 1) > 0;
        printf("%d %d %d %s\n", stat(argv[2], &s) == 0 && S_ISREG(s.st_mode), lstat(argv[2], &l) == 0 && S_ISLNK(l.st_mode),
               access(argv[2], R_OK) == 0, links ? to : "no link");
        return 0;
    }
    if (!strcmp(argv[1], "self") || !strcmp(argv[1], "again")) {
        // By which names the program finds itself; a library beside it (RUNPATH); then the same executed anew.
        char to[4096] = "", view[4096] = "", small[5] = "", name[32];
        long full = readlink("/proc/self/exe", to, sizeof to - 1), part = readlink("/proc/self/exe", small, 4);
        int own = open("/proc/self/exe", O_RDONLY);
        snprintf(name, sizeof name, "/proc/self/fd/%d", own);
        readlink(name, view, sizeof view - 1);
        FILE *maps = fopen("/proc/self/maps", "r");
        char line[4200];
        int mapped = 0;
        while (fgets(line, sizeof line, maps)) mapped |= strstr(line, to) != 0;
        printf("%s %d %s %d%d%d%d\n", to, full == (long)strlen(to), (char *)getauxval(AT_EXECFN), !strcmp(to, view),
               part == 4 && !memcmp(small, to, 4), mapped, !getenv("XLATE_EXE") && !getenv("XLATE_RUN"));
        printf("%s\n", dlopen("libbeside.so", RTLD_NOW) ? "found" : dlerror());
        fflush(stdout);
        if (argv[1][0] == 's') execl("/proc/self/exe", "self", "again", (char *)0);
        return 0;
    }
    if (!strcmp(argv[1], "executed")) {
        printf("%s\n", argv[0]);
        return 0;
    }
    printf("linker %d, entry %d\n", getauxval(AT_BASE) != 0, getauxval(AT_ENTRY) != 0);
    int numbers[] = {5, 3, 9, 1, 7};
    qsort(numbers, 5, sizeof *numbers, compare);
    for (int i = 0; i < 5; i++) printf("%d ", numbers[i]);
    volatile double x = 0.5;
    printf("%.6f %.17g %s\n", sin(x), exp(x), strerror(ENOENT));

    void *lib = dlopen(argv[1], RTLD_NOW);
    if (!lib) return printf("%s\n", dlerror()), 1;
    int (*f)(int) = dlsym(lib, "chosen");
    int (*constructed)(void) = dlsym(lib, "is_constructed");
    int (*calls)(void) = dlsym(lib, "calls_replaced");
    int (*count)(void) = dlsym(lib, "count"), (*threads)(void) = dlsym(lib, "count_in_thread");
    int (*call)(int (*)(int), int) = dlsym(lib, "call");
    printf("%d %d %d\n", constructed(), f(10), calls());
    printf("%d %d %d %d\n", count(), count(), threads(), count());
    int sum = 0;
    for (int i = 0; i < 100000; i++) sum += call(twice, i) & 3;
    printf("%d %d\n", sum, *(int *)dlsym(lib, "shared_value"));
    dl_iterate_phdr(visit, 0);
    printf("%d objects, %s\n", objects, dlsym(lib, "absent") ? "?" : "no such symbol");
    faults(dlsym(lib, "load"));
    dlclose(lib);
    printf("%s\n", dlopen("libabsent.so", RTLD_NOW) ? "?" : dlerror());
    fflush(stdout);
    return 0;
}
