// Generated code whose branches are given other targets again and again, as compilers that link traces do. `relink KIND ROUNDS`:
// what is executed must be what stands there. Without arguments, the kinds are listed.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 1 << 16, TARGETS = 16, FAR = 999 };

// Always the same, so that counters by address are those of no other code.
#define PLACE ((void *)0x20000000)

static const char *const KINDS[] = {"cbz", "cbnz", "tbz", "tbnz", "beq", "b", "bl", "bne_to_b", "state", "back", "threads"};

typedef long code(long);

static uint32_t *view, *text;
static int at;

static void put(uint32_t word) { view[at++] = word; }

// The instruction at `from`, as a branch to `to`; its other bits are `word`.
static uint32_t branch(uint32_t word, int from, int to) {
    int32_t d = to - from;
    switch (word >> 24) {
    case 0x14: case 0x94: return (word & 0xfc000000) | (d & 0x3ffffff);
    case 0x36: case 0x37: return (word & 0xfff8001f) | (d & 0x3fff) << 5;
    default: return (word & 0xff00001f) | (d & 0x7ffff) << 5;
    }
}

static void clear(int from, int words) { __builtin___clear_cache((char *)(text + from), (char *)(text + from + words)); }

static void writable(int on) {
    if (mprotect(view, SIZE, PROT_READ | (on ? PROT_WRITE : PROT_EXEC))) {
        perror("mprotect");
        exit(2);
    }
}

static void patch(int toggled, int from, uint32_t word) {
    if (toggled) {
        writable(1);
    }
    view[from] = word;
    clear(from, 1);
    if (toggled) {
        writable(0);
    }
}

// Targets: x0 = 100 + their number.
static int targets(void) {
    int first = at;
    for (int n = 0; n < TARGETS; n++) {
        put(0xd2800000 | (100 + n) << 5); // mov x0, #100 + n
        put(0xd65f03c0);                  // ret
    }
    return first;
}

static int failures;

static void expect(const char *kind, int round, long got, long expected) {
    if (got != expected && failures++ < 10) {
        printf("%s: round %d: %ld, not %ld\n", kind, round, got, expected);
    }
}

static volatile int begun, changed, done;
static code *shared;

static void *caller(void *arg) {
    (void)arg;
    for (;;) {
        int least = __atomic_load_n(&changed, __ATOMIC_ACQUIRE);
        __asm__ volatile("isb" ::: "memory");
        long got = shared(0);
        int most = __atomic_load_n(&begun, __ATOMIC_ACQUIRE);
        int ok = 0;
        for (int n = least; n <= most; n++) {
            ok |= got == 100 + n % TARGETS;
        }
        if (!ok && failures++ < 10) {
            printf("threads: between %d and %d: %ld\n", least, most, got);
        }
        __atomic_store_n(&done, least, __ATOMIC_RELEASE);
        if (least < 0) {
            return NULL;
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 3) {
        for (unsigned n = 0; n < sizeof KINDS / sizeof *KINDS; n++) {
            puts(KINDS[n]);
        }
        return 0;
    }
    const char *kind = argv[1];
    int rounds = atoi(argv[2]), toggled = strcmp(kind, "threads") != 0;
    if (toggled) {
        view = text = mmap(PLACE, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    } else {
        int fd = memfd_create("code", 0);
        ftruncate(fd, SIZE);
        view = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        text = mmap(PLACE, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
    }
    // f(x): goes to the target if x is 0, else gives 1.
    uint32_t word = 0xb4000000; // cbz x0
    int far = 0, between = 0;
    int first = targets();
    int f = at;
    if (!strcmp(kind, "cbnz")) {
        put(0xf100001f); // cmp x0, #0
        put(0x9a9f17e0); // cset x0, eq
        word = 0xb5000000;
    } else if (!strcmp(kind, "tbz")) {
        word = 0x36000000; // tbz w0, #0
    } else if (!strcmp(kind, "tbnz")) {
        put(0xd2400000); // eor x0, x0, #1
        word = 0x37000000;
    } else if (!strcmp(kind, "beq")) {
        put(0xf100001f); // cmp x0, #0
        word = 0x54000000;
    } else if (!strcmp(kind, "b") || !strcmp(kind, "bl")) {
        far = 1;
        word = kind[1] ? 0x94000000 : 0x14000000;
        put(0xaa1e03e9); // mov x9, x30
        // So far that what is compiled together ends at the branch.
        while (at - f < FAR) {
            put(0x91000421); // add x1, x1, #1
        }
    } else if (!strcmp(kind, "bne_to_b")) {
        // The way goes by a branch of its own.
        put(0xb5000060); // cbnz x0, 12
        word = 0x14000000;
    } else if (!strcmp(kind, "state")) {
        // What was computed before must be there behind the way: flags and registers.
        between = 1;
        put(0x91001402); // add x2, x0, #5
        put(0xf100001f); // cmp x0, #0
        word = 0x54000000;
    } else if (!strcmp(kind, "back")) {
        // To the beginning, where it goes the other way.
        word = 0xb4000000;
    }
    int site = at;
    put(branch(word, site, first));
    if (kind[0] == 'b' && kind[1] == 'l') {
        put(0xaa0903fe); // mov x30, x9
    } else if (!strcmp(kind, "bne_to_b")) {
        put(0xd4200000); // brk #0
    }
    if (kind[0] != 'b' || kind[1] != 'l') {
        put(0xd2800020); // mov x0, #1
    }
    put(0xd65f03c0);
    int sums = at;
    for (int n = 0; between && n < TARGETS; n++) {
        put(0x9a9f17e0);         // cset x0, eq
        put(0x8b020000);         // add x0, x0, x2
        put(0x91000000 | n << 10); // add x0, x0, #n
        put(0xd65f03c0);
    }
    int again = at;
    put(0x91000400); // add x0, x0, #1
    put(branch(0x14000000, at, f));
    clear(0, at);
    if (toggled) {
        writable(0);
    }
    code *run = (code *)(text + f);
    // Until it is compiled; the way is not taken, if there is another.
    for (int n = 0; n < 100; n++) {
        expect(kind, -1, run(!far), far ? 100 : 1);
    }
    pthread_t thread;
    if (!toggled) {
        shared = run;
        pthread_create(&thread, NULL, caller, NULL);
    }
    for (int n = 1; n <= rounds; n++) {
        int to = n % TARGETS;
        long expected = 100 + to;
        if (between) {
            patch(1, site, branch(word, site, sums + 4 * to));
            expected = 1 + 5 + to;
        } else if (!strcmp(kind, "back")) {
            patch(1, site, branch(word, site, n & 1 ? again : first + 2 * to));
            expected = n & 1 ? 1 : expected;
        } else {
            begun = n;
            patch(toggled, site, branch(word, site, first + 2 * to));
        }
        if (!toggled) {
            __atomic_store_n(&changed, n, __ATOMIC_RELEASE);
            while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) != n) {
                sched_yield();
            }
        }
        for (int i = 0; i < 3; i++) {
            expect(kind, n, run(0), expected);
            expect(kind, n, run(1), far ? expected : 1);
        }
    }
    if (!toggled) {
        begun = rounds + TARGETS;
        __atomic_store_n(&changed, -1, __ATOMIC_RELEASE);
        pthread_join(thread, NULL);
    }
    return failures != 0;
}
