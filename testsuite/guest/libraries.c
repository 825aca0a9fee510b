// Opens the libraries that its arguments name one behind the other, asks each for its value, and closes it. "patch" in place of a
// name: the value of the library named next is changed by writing to its code, and back.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static long ask(int (*value)(void)) {
    long sum = 0;
    for (int i = 0; i < 1000; i++) sum += value();
    return sum;
}

static void patch(int (*value)(void), int (*other)(void)) {
    // Bit 0 of a function's address in Thumb state is its state. Both return constants by instructions of the same length.
    char *to = (char *)((uintptr_t)value & ~(uintptr_t)3), *from = (char *)((uintptr_t)other & ~(uintptr_t)3), was[4];
    long page = sysconf(_SC_PAGESIZE);
    char *start = (char *)((uintptr_t)to & -page);
    if (mprotect(start, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC)) perror("mprotect");
    memcpy(was, to, 4);
    memcpy(to, from, 4);
    __builtin___clear_cache(to, to + 4);
    printf("%ld patched\n", ask(value));
    memcpy(to, was, 4);
    __builtin___clear_cache(to, to + 4);
    if (mprotect(start, 2 * page, PROT_READ | PROT_EXEC)) perror("mprotect");
    printf("%ld as before\n", ask(value));
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        int patched = !strcmp(argv[i], "patch");
        void *lib = dlopen(argv[i += patched], RTLD_NOW);
        if (!lib) return printf("%s\n", dlerror()), 1;
        int (*value)(void) = (int (*)(void))dlsym(lib, "value"), (*other)(void) = (int (*)(void))dlsym(lib, "other");
        printf("%ld\n", ask(value));
        if (patched) patch(value, other);
        dlclose(lib);
    }
    return 0;
}
