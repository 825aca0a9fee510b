// Many threads at mutexes, condition variables, atomics, and each other's signals, for some seconds; then every sum is
// checked. Arguments: threads, seconds.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64, LOCKS = 8, ITEMS = 64 };
static struct { pthread_mutex_t m; pthread_cond_t c; long n, items[ITEMS], count; } locks[LOCKS];
static atomic_long added, expected, taken, given, signalled, handled;
static uintptr_t wide[2] __attribute__((aligned(16)));
static atomic_int stop, alive;
static pthread_t threads[MOST];
static long number;
static int64_t per_thread[MOST];
static __thread long own;
static __thread unsigned seed;

static unsigned rnd(void) { return seed = seed * 1103515245 + 12345, seed >> 8; }
static void on_signal(int sig)
{
    (void)sig;
    own++;
    handled++;
}
static void *short_lived(void *a)
{
    atomic_fetch_add(&added, (long)a);
    return a;
}
static void fail(const char *what)
{
    printf("wrong: %s\n", what);
    exit(1);
}

static void *work(void *a)
{
    long me = (long)a;
    int64_t mine = 0;
    seed = me * 77 + 1;
    alive++;
    while (!stop) {
        unsigned k = rnd() % LOCKS;
        switch (rnd() % 8) {
        case 0: // a counter under a lock
            pthread_mutex_lock(&locks[k].m);
            locks[k].n++;
            pthread_mutex_unlock(&locks[k].m);
            mine++;
            break;
        case 1: // give
            pthread_mutex_lock(&locks[k].m);
            if (locks[k].count < ITEMS) {
                long v = rnd() % 1000;
                locks[k].items[locks[k].count++] = v;
                given += v;
                pthread_cond_signal(&locks[k].c);
            }
            pthread_mutex_unlock(&locks[k].m);
            break;
        case 2: { // take, or wait a little for it
            pthread_mutex_lock(&locks[k].m);
            if (!locks[k].count) {
                struct timespec t;
                clock_gettime(CLOCK_REALTIME, &t);
                t.tv_nsec += 1000000;
                if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
                pthread_cond_timedwait(&locks[k].c, &locks[k].m, &t);
            }
            if (locks[k].count) taken += locks[k].items[--locks[k].count];
            pthread_mutex_unlock(&locks[k].m);
            break;
        }
        case 3: {
            long v = rnd() % 100;
            atomic_fetch_add(&added, v);
            atomic_fetch_add(&expected, v);
            break;
        }
        case 4: {
            int again;
#ifdef __arm__
            uint64_t both;
            do {
                __asm__ volatile("ldaexd %0, %H0, [%1]" : "=&r"(both) : "r"(wide) : "memory");
                both += 3 | 1ull << 32;
                __asm__ volatile("stlexd %0, %2, %H2, [%1]" : "=&r"(again) : "r"(wide), "r"(both) : "memory");
            } while (again);
#else
            uint64_t lo, hi;
            do
                __asm__ volatile("ldaxp %0, %1, [%3]\n add %0, %0, #3\n add %1, %1, #1\n stlxp %w2, %0, %1, [%3]"
                                 : "=&r"(lo), "=&r"(hi), "=&r"(again) : "r"(wide) : "memory");
            while (again);
#endif
            mine += 1ll << 32;
            break;
        }
        case 5:
            if (rnd() % 8 == 0 && alive == number) {
                signalled++;
                // (One that is pending already is lost, as POSIX says: real-time signals queue.)
                if (pthread_kill(threads[rnd() % number], SIGRTMIN + 2)) signalled--;
            }
            break;
        case 6:
            if (rnd() % 64 == 0) {
                pthread_t t;
                void *r;
                if (!pthread_create(&t, 0, short_lived, (void *)5)) {
                    atomic_fetch_add(&expected, 5);
                    pthread_join(t, &r);
                    if (r != (void *)5) fail("result");
                }
            }
            break;
        case 7: {
            char *p = malloc(rnd() % 3000 + 1);
            *p = me;
            if (rnd() & 1) sched_yield();
            if (*p != (char)me) fail("memory");
            free(p);
            break;
        }
        }
    }
    per_thread[me] = mine;
    return 0;
}

int main(int argc, char **argv)
{
    number = argc > 1 ? atol(argv[1]) : 32;
    int seconds = argc > 2 ? atoi(argv[2]) : 3;
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGRTMIN + 2, &sa, 0);
    for (int i = 0; i < LOCKS; i++) {
        pthread_mutex_init(&locks[i].m, 0);
        pthread_cond_init(&locks[i].c, 0);
    }
    for (long i = 0; i < number; i++) pthread_create(&threads[i], 0, work, (void *)i);
    time_t end = time(0) + seconds;
    while (time(0) < end) usleep(100000);
    stop = 1;
    long n = 0, counted = 0, pairs = 0, left = 0;
    for (int i = 0; i < number; i++) pthread_join(threads[i], 0);
    for (int i = 0; i < number; i++) counted += (int)per_thread[i], pairs += per_thread[i] >> 32;
    for (int i = 0; i < LOCKS; i++) {
        n += locks[i].n;
        for (int j = 0; j < locks[i].count; j++) left += locks[i].items[j];
    }
    if (n != counted) fail("counters");
    if (given != taken + left) fail("items");
    if (added != expected) fail("sums");
    if ((long)wide[1] != (long)pairs || (long)wide[0] != (long)(3 * pairs)) fail("pairs");
    if (handled > signalled) fail("signals");
    if (getenv("STRESS_VERBOSE")) fprintf(stderr, "%ld counted, %ld pairs, %ld signals, %ld handled\n", n, pairs, (long)signalled, (long)handled);
    puts("stress");
    return 0;
}
