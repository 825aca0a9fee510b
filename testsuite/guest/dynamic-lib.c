// A shared library with everything that the dynamic linker has to do something for: constructors, thread-local variables, an
// IFUNC, a symbol that the program replaces, calls back, and a fault.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static int constructed;
__thread int counter = 40;
int shared_value = 7;

__attribute__((constructor)) static void begin(void) { constructed = 1; }
__attribute__((destructor)) static void end(void) { puts("library ends"); fflush(stdout); }

// The program has its own.
__attribute__((noinline)) int replaced(void) { return 1; }
int calls_replaced(void) { return replaced(); }

static int one(int x) { return x + 1; }
static int two(int x) { return x + 2; }
static int (*choose(void))(int) { return constructed ? one : two; }
int chosen(int) __attribute__((ifunc("choose")));

int is_constructed(void) { return constructed; }
int count(void) { return ++counter; }
int call(int (*f)(int), int x) { return f(x) + 1; }

static void *in_thread(void *p) {
    *(int *)p = count();
    return p;
}

int count_in_thread(void) {
    pthread_t t;
    int seen = 0;
    pthread_create(&t, 0, in_thread, &seen);
    pthread_join(t, 0);
    return seen;
}

int load(const int *p) { return *p; }
