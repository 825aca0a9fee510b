// Threads as C libraries make them: each argument names a test, which prints what it found. What is printed does not
// depend on how threads are scheduled.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef pthread_t T;
static int scale = 1;

#define CHECK(what) \
    do { \
        if (!(what)) printf("line %d: %s is false (errno %d)\n", __LINE__, #what, errno), failed = 1; \
    } while (0)
static volatile int failed;

static T start(void *(*f)(void *), void *a)
{
    T t;
    int e = pthread_create(&t, 0, f, a);
    if (e) {
        printf("pthread_create: %s\n", strerror(e));
        exit(1);
    }
    return t;
}
static void *join(T t)
{
    void *r = 0;
    int e = pthread_join(t, &r);
    if (e) printf("pthread_join: %s\n", strerror(e));
    return r;
}
static int tid(void) { return syscall(SYS_gettid); }
static void ms(int n) { struct timespec t = {n / 1000, n % 1000 * 1000000}; while (nanosleep(&t, &t)) {} }
static struct timespec after(int n)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += n % 1000 * 1000000;
    t.tv_sec += n / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

// --- create, join, detach, local variables, keys, once
static __thread int local = 5;
static __thread char local_buffer[3000];
static pthread_key_t key, key2;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int destroyed, once_runs, detached;
static void destroy(void *p)
{
    destroyed++;
    if (p == (void *)7) pthread_setspecific(key2, (void *)8); // again, in the next round
}
static void run_once(void) { once_runs++; }
static void *basic(void *a)
{
    local += (long)a;
    memset(local_buffer, (int)(long)a, sizeof local_buffer);
    pthread_once(&once, run_once);
    pthread_setspecific(key, (void *)7);
    CHECK(pthread_getspecific(key2) == 0);
    sched_yield();
    CHECK(local_buffer[2999] == (char)(long)a);
    return (void *)(long)local;
}
static int tasks(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}
static void *detached_thread(void *a)
{
    pthread_detach(pthread_self());
    detached++;
    pthread_exit(a);
}
static void *deep(void *a)
{
    volatile char big[20000];
    long n = (long)a;
    big[n % sizeof big] = 1;
    return n ? (void *)((long)deep((void *)(n - 1)) + big[n % sizeof big]) : 0;
}
static void t_basic(void)
{
    int before = tasks(); // one; under qemu its own thread, too
    T t[10];
    pthread_key_create(&key, destroy);
    pthread_key_create(&key2, destroy);
    for (long i = 0; i < 10; i++) t[i] = start(basic, (void *)i);
    long sum = 0;
    for (int i = 0; i < 10; i++) sum += (long)join(t[i]);
    CHECK(pthread_getspecific(key) == 0);
    printf("sum %ld, local %d, destructors %d, once %d\n", sum, local, destroyed, once_runs);
    for (int i = 0; i < 5; i++) start(detached_thread, 0);
    while (detached < 5) ms(1);
    pthread_attr_t a;
    pthread_attr_init(&a);
    size_t size = 8 << 20;
    void *stack = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pthread_attr_setstack(&a, stack, size);
    T own;
    CHECK(!pthread_create(&own, &a, deep, (void *)300L));
    printf("deep %ld\n", (long)join(own));
    pthread_attr_destroy(&a);
    CHECK(!munmap(stack, size));
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 64 << 20);
    CHECK(!pthread_create(&own, &a, deep, (void *)3000L));
    printf("deeper %ld\n", (long)join(own));
    CHECK(pthread_equal(pthread_self(), pthread_self()));
    // `pthread_exit` unwinds, and a process's end takes the unwinder's tables away: glibc aborts, if a thread still ends then.
    while (tasks() > before) ms(1);
    puts("detached");
}

// --- many
static pthread_barrier_t barrier;
static void *meet(void *a)
{
    pthread_barrier_wait(&barrier);
    return a;
}
static long memory(int field)
{
    long v[2] = {0};
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", v, v + 1) != 2) puts("no statm");
    if (f) fclose(f);
    return v[field] * 4;
}
static void *nothing(void *a) { return a; }
static void t_many(void)
{
    int n = 1000;
    T *t = calloc(n, sizeof *t);
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 64 * 1024);
    pthread_barrier_init(&barrier, 0, n + 1);
    for (long i = 0; i < n; i++) CHECK(!pthread_create(&t[i], &a, meet, (void *)i));
    pthread_barrier_wait(&barrier);
    long sum = 0;
    for (int i = 0; i < n; i++) sum += (long)join(t[i]);
    printf("%d at once: %ld\n", n, sum);
}
static void t_turn(void)
{
    for (int i = 0; i < 500; i++) join(start(nothing, 0));
    long size = memory(0), resident = memory(1);
    for (int i = 0; i < 5000 * scale; i++) {
        T t = start(nothing, (void *)(long)i);
        if (join(t) != (void *)(long)i) puts("wrong result");
    }
    long more = memory(0) - size, more_resident = memory(1) - resident;
    // A page kept for each thread would be 20 MiB; threads that end while the next begins may take a few stacks more.
    if (more > 16384 || more_resident > 16384) printf("grown by %ld and %ld KiB\n", more, more_resident);
    puts("in turn");
}

// --- mutexes
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static void *count(void *m)
{
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(m);
        counter++;
        pthread_mutex_unlock(m);
    }
    return 0;
}
static void contend(pthread_mutex_t *m, const char *name)
{
    T t[4];
    counter = 0;
    for (int i = 0; i < 4; i++) t[i] = start(count, m);
    for (int i = 0; i < 4; i++) join(t[i]);
    printf("%s %ld\n", name, counter);
}
static void *try_it(void *m)
{
    struct timespec soon = after(20);
    CHECK(pthread_mutex_trylock(m) == EBUSY);
    CHECK(pthread_mutex_timedlock(m, &soon) == ETIMEDOUT);
    return (void *)(long)pthread_mutex_unlock(m);
}
static void make(pthread_mutex_t *m, int type, int protocol, int robust, int shared)
{
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, type);
    int e = pthread_mutexattr_setprotocol(&a, protocol);
    if (e) printf("no protocol %d: %s\n", protocol, strerror(e));
    if (robust) pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    if (shared) pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(m, &a);
}
static void t_mutex(void)
{
    pthread_mutex_t m;
    contend(&mutex, "normal");
    make(&m, PTHREAD_MUTEX_RECURSIVE, 0, 0, 0);
    contend(&m, "recursive");
    CHECK(!pthread_mutex_lock(&m) && !pthread_mutex_lock(&m));
    CHECK((long)join(start(try_it, &m)) == EPERM);
    CHECK(!pthread_mutex_unlock(&m) && !pthread_mutex_unlock(&m) && pthread_mutex_unlock(&m) == EPERM);
    make(&m, PTHREAD_MUTEX_ERRORCHECK, 0, 0, 0);
    contend(&m, "errorcheck");
    CHECK(!pthread_mutex_lock(&m) && pthread_mutex_lock(&m) == EDEADLK);
    CHECK((long)join(start(try_it, &m)) == EPERM);
    CHECK(!pthread_mutex_unlock(&m));
    pthread_spinlock_t s;
    pthread_spin_init(&s, 0);
    CHECK(!pthread_spin_lock(&s) && pthread_spin_trylock(&s) == EBUSY && !pthread_spin_unlock(&s));
}
static void t_pi(void)
{
    pthread_mutex_t m;
    make(&m, PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, 0, 0);
    contend(&m, "inherit");
    make(&m, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_INHERIT, 0, 0);
    CHECK(!pthread_mutex_lock(&m) && pthread_mutex_lock(&m) == EDEADLK);
    CHECK((long)join(start(try_it, &m)) == EPERM);
    CHECK(!pthread_mutex_unlock(&m));
}

// --- robust mutexes: the owner ends, or dies with its process
static pthread_mutex_t *robust;
static void *die_owning(void *a)
{
    for (int i = 0; i < 3; i++) pthread_mutex_lock(&robust[i]);
    if (a) syscall(SYS_exit, 0); // past the C library
    return 0;
}
static void *wait_for_owner(void *a)
{
    int e = pthread_mutex_lock(a);
    if (e == EOWNERDEAD) pthread_mutex_consistent(a);
    pthread_mutex_unlock(a);
    return (void *)(long)e;
}
static volatile int owning;
static void *own_and_wait(void *a)
{
    pthread_mutex_lock(a);
    owning = 1;
    ms(50);
    return 0;
}
static void t_robust(void)
{
    robust = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int protocol = 0; protocol < 2; protocol++) {
        for (int i = 0; i < 3; i++) make(&robust[i], PTHREAD_MUTEX_NORMAL, protocol ? PTHREAD_PRIO_INHERIT : 0, 1, 1);
        for (int round = 0; round < 20; round++) {
            join(start(die_owning, 0));
            // Whoever joins finds it done: no wait, no EBUSY.
            for (int i = 0; i < 3; i++) {
                CHECK(pthread_mutex_trylock(&robust[i]) == EOWNERDEAD);
                CHECK(!pthread_mutex_consistent(&robust[i]) && !pthread_mutex_unlock(&robust[i]));
            }
        }
        T owner = start(own_and_wait, &robust[0]);
        while (!owning) ms(1);
        owning = 0;
        T waiter = start(wait_for_owner, &robust[0]);
        CHECK((long)join(waiter) == EOWNERDEAD);
        join(owner);
        for (int how = 0; how < 3; how++) {
            pid_t child = fork();
            if (!child) {
                for (int i = 0; i < 3; i++) pthread_mutex_lock(&robust[i]);
                if (how == 0) raise(SIGKILL);
                if (how == 1) _exit(0);
                execl("/bin/true", "true", (char *)0);
                _exit(0);
            }
            CHECK(waitpid(child, 0, 0) == child);
            for (int i = 0; i < 3; i++) {
                CHECK(pthread_mutex_lock(&robust[i]) == EOWNERDEAD);
                CHECK(!pthread_mutex_consistent(&robust[i]) && !pthread_mutex_unlock(&robust[i]));
            }
        }
        join(start(die_owning, 0));
        CHECK(pthread_mutex_lock(&robust[1]) == EOWNERDEAD && !pthread_mutex_unlock(&robust[1]));
        CHECK(pthread_mutex_lock(&robust[1]) == ENOTRECOVERABLE);
    }
    puts("robust");
}

// --- condition variables, locks, barriers, semaphores
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int queue[4], queued, produced, consumed;
static void *produce(void *a)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        while (queued == 4) pthread_cond_wait(&cond, &mutex);
        queue[queued++] = i;
        produced += i;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
    }
    return a;
}
static void *consume(void *a)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        while (!queued) pthread_cond_wait(&cond, &mutex);
        consumed += queue[--queued];
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
    }
    return a;
}
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2];
static void *reader(void *a)
{
    for (int i = 0; i < 2000; i++) {
        pthread_rwlock_rdlock(&rwlock);
        if (pair[0] != pair[1]) printf("torn\n");
        pthread_rwlock_unlock(&rwlock);
    }
    return a;
}
static void *writer(void *a)
{
    for (int i = 0; i < 2000; i++) {
        pthread_rwlock_wrlock(&rwlock);
        pair[0]++;
        pair[1]++;
        pthread_rwlock_unlock(&rwlock);
    }
    return a;
}
static sem_t sem, sem2;
static void *ping(void *a)
{
    for (int i = 0; i < 1000; i++) {
        sem_wait(&sem);
        sem_post(&sem2);
    }
    return a;
}
static atomic_int serial, rounds[50];
static void *rendezvous(void *a)
{
    for (int i = 0; i < 50; i++) {
        rounds[i]++;
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) serial++;
        if (rounds[i] != 6) puts("too early");
        pthread_barrier_wait(&barrier);
    }
    return a;
}
static void t_sync(void)
{
    T t[6];
    for (int i = 0; i < 6; i++) t[i] = start(i & 1 ? produce : consume, 0);
    for (int i = 0; i < 6; i++) join(t[i]);
    printf("produced %d, consumed %d, left %d\n", produced, consumed, queued);
    struct timespec soon = after(20);
    pthread_mutex_lock(&mutex);
    CHECK(pthread_cond_timedwait(&cond, &mutex, &soon) == ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    pthread_condattr_t ca;
    pthread_cond_t monotonic;
    pthread_condattr_init(&ca);
    pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
    pthread_cond_init(&monotonic, &ca);
    clock_gettime(CLOCK_MONOTONIC, &soon);
    soon.tv_sec += 0;
    pthread_mutex_lock(&mutex);
    CHECK(pthread_cond_timedwait(&monotonic, &mutex, &soon) == ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 4; i++) t[i] = start(i ? reader : writer, 0);
    for (int i = 0; i < 4; i++) join(t[i]);
    soon = after(20);
    CHECK(!pthread_rwlock_rdlock(&rwlock) && pthread_rwlock_timedwrlock(&rwlock, &soon) == ETIMEDOUT);
    CHECK(!pthread_rwlock_tryrdlock(&rwlock) && pthread_rwlock_trywrlock(&rwlock) == EBUSY);
    CHECK(!pthread_rwlock_unlock(&rwlock) && !pthread_rwlock_unlock(&rwlock));
    printf("written %ld\n", pair[1]);
    sem_init(&sem, 0, 0);
    sem_init(&sem2, 0, 0);
    t[0] = start(ping, 0);
    for (int i = 0; i < 1000; i++) {
        sem_post(&sem);
        sem_wait(&sem2);
    }
    join(t[0]);
    soon = after(20);
    CHECK(sem_timedwait(&sem, &soon) == -1 && errno == ETIMEDOUT);
    pthread_barrier_init(&barrier, 0, 6);
    for (int i = 0; i < 6; i++) t[i] = start(rendezvous, 0);
    for (int i = 0; i < 6; i++) join(t[i]);
    printf("serial %d\n", serial);
}

// --- shared between processes
struct shared {
    pthread_mutex_t m;
    pthread_cond_t c;
    pthread_barrier_t b;
    sem_t s;
    long n;
};
static void t_shared(void)
{
    struct shared *s = mmap(0, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    make(&s->m, PTHREAD_MUTEX_NORMAL, 0, 0, 1);
    pthread_condattr_t ca;
    pthread_condattr_init(&ca);
    pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&s->c, &ca);
    pthread_barrierattr_t ba;
    pthread_barrierattr_init(&ba);
    pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&s->b, &ba, 3);
    sem_init(&s->s, 1, 0);
    pid_t child[2];
    for (int i = 0; i < 2; i++) {
        if (!(child[i] = fork())) {
            pthread_barrier_wait(&s->b);
            for (int j = 0; j < 10000; j++) {
                pthread_mutex_lock(&s->m);
                s->n++;
                pthread_mutex_unlock(&s->m);
            }
            pthread_mutex_lock(&s->m);
            s->n += 1000000;
            pthread_cond_signal(&s->c);
            pthread_mutex_unlock(&s->m);
            sem_post(&s->s);
            _exit(0);
        }
    }
    pthread_barrier_wait(&s->b);
    pthread_mutex_lock(&s->m);
    while (s->n < 2000000) pthread_cond_wait(&s->c, &s->m);
    pthread_mutex_unlock(&s->m);
    sem_wait(&s->s);
    sem_wait(&s->s);
    for (int i = 0; i < 2; i++) waitpid(child[i], 0, 0);
    printf("shared %ld\n", s->n);
}

// --- cancellation
static atomic_int cleaned, reached;
static int pipes[2];
static void cleanup(void *a) { cleaned += (int)(long)a; }
static void *cancelled(void *a)
{
    char b;
    struct timespec long_time = {1000, 0};
    sigset_t none;
    int old;
    pthread_cleanup_push(cleanup, (void *)1L);
    pthread_cleanup_push(cleanup, (void *)100L);
    reached = 1;
    switch ((long)a) {
    case 0: pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old); for (;;) {}
    case 1: (void)!read(pipes[0], &b, 1); break;
    case 2: nanosleep(&long_time, 0); break;
    case 3: pthread_mutex_lock(&mutex); for (;;) pthread_cond_wait(&cond, &mutex);
    case 4: for (;;) pthread_testcancel();
    case 5: sem_wait(&sem); break;
    case 6: sigemptyset(&none); sigsuspend(&none); break;
    case 7: pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old); ms(30); reached = 2;
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old); for (;;) pthread_testcancel();
    case 8: for (;;) pause();
    }
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return a;
}
static void t_cancel(void)
{
    (void)!pipe(pipes);
    sem_init(&sem, 0, 0);
    for (long i = 0; i < 9; i++) {
        for (int early = 0; early < 2; early++) {
            cleaned = reached = 0;
            T t = start(cancelled, (void *)i);
            while (!reached) sched_yield();
            if (!early) ms(10);
            CHECK(!pthread_cancel(t));
            void *r = join(t);
            if (i == 3) pthread_mutex_unlock(&mutex);
            if (!early) printf("cancelled %ld: %d, handlers %d\n", i, r == PTHREAD_CANCELED, cleaned);
            else if (r != PTHREAD_CANCELED || cleaned != 101) printf("early %ld: %d %d\n", i, r == PTHREAD_CANCELED, cleaned);
        }
    }
}

// --- signals
static atomic_int got[65], by[8];
static __thread int me = 7;
static void note(int sig) { got[sig]++; by[me]++; }
static volatile int stop;
static void *spin(void *a)
{
    me = (long)a;
    reached++;
    while (!stop) {}
    return 0;
}
static void *sleeper(void *a)
{
    me = (long)a;
    reached++;
    while (!stop) ms(1000);
    return 0;
}
static void *waiter(void *a)
{
    sigset_t s;
    int sig, sum = 0;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigaddset(&s, SIGUSR2);
    sigaddset(&s, SIGTERM);
    do {
        sigwait(&s, &sig);
        sum += sig;
        reached++;
    } while (sig != SIGTERM);
    return a ? a : (void *)(long)sum;
}
static sigjmp_buf *jump_of[8];
static atomic_long fault_stacks;
static void on_fault(int sig, siginfo_t *info, void *context)
{
    char here;
    stack_t s;
    sigaltstack(0, &s);
    CHECK(s.ss_flags == SS_ONSTACK && &here > (char *)s.ss_sp && &here < (char *)s.ss_sp + s.ss_size);
    CHECK(info->si_addr == (void *)(0x1000L + 8 * me));
    (void)context, (void)sig;
    fault_stacks++;
    siglongjmp(*jump_of[me], 1);
}
static void *faulting(void *a)
{
    sigjmp_buf jump;
    stack_t s = {.ss_sp = malloc(65536), .ss_size = 65536}, old;
    me = (long)a;
    sigaltstack(0, &old);
    CHECK(old.ss_flags == SS_DISABLE);
    sigaltstack(&s, 0);
    jump_of[me] = &jump;
    pthread_barrier_wait(&barrier);
    for (volatile int i = 0; i < 500; i++)
        if (!sigsetjmp(jump, 1)) *(volatile long *)(0x1000L + 8 * me) = 1;
    return 0;
}
static void t_signals(void)
{
    struct sigaction sa = {.sa_handler = note};
    sigset_t set, old;
    T t[4];
    sigaction(SIGUSR1, &sa, 0);
    sa.sa_flags = SA_RESTART;
    sigaction(SIGUSR2, &sa, 0);
    reached = 0;
    for (long i = 0; i < 4; i++) t[i] = start(i & 1 ? spin : sleeper, (void *)i);
    while (reached < 4) ms(1);
    for (int i = 0; i < 100; i++)
        for (int j = 0; j < 4; j++) {
            int before = by[j];
            CHECK(!pthread_kill(t[j], i & 1 ? SIGUSR1 : SIGUSR2));
            while (by[j] == before) sched_yield();
        }
    stop = 1;
    for (int j = 0; j < 4; j += 2) pthread_kill(t[j], SIGUSR1);
    for (int j = 0; j < 4; j++) join(t[j]);
    printf("by thread: %d %d %d %d, other %d\n", by[0] / 100, by[1], by[2] / 100, by[3], by[7]);

    // A thread waits for what all others block.
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    reached = 0;
    T w = start(waiter, 0);
    for (int i = 0; i < 100; i++) {
        kill(getpid(), SIGUSR1);
        while (reached <= i) sched_yield();
    }
    pthread_kill(w, SIGTERM);
    printf("waited for %d\n", (int)(long)join(w));
    // Pending for the thread and for the process.
    raise(SIGUSR2);
    kill(getpid(), SIGUSR1);
    sigpending(&set);
    printf("pending %d %d\n", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2));
    int before = got[SIGUSR1] + got[SIGUSR2];
    pthread_sigmask(SIG_SETMASK, &old, 0);
    printf("then %d\n", got[SIGUSR1] + got[SIGUSR2] - before);

    // Faults in four threads at once, each on its own alternate stack.
    sa.sa_sigaction = on_fault;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &sa, 0);
    pthread_barrier_init(&barrier, 0, 4);
    for (long i = 0; i < 4; i++) t[i] = start(faulting, (void *)i);
    for (int i = 0; i < 4; i++) join(t[i]);
    printf("faults %ld\n", fault_stacks);
}
static void count_timer(union sigval v) { *(atomic_int *)v.sival_ptr += 1; }
static atomic_int timer_count;
static void *with_timer(void *a)
{
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 3};
    struct itimerspec i = {{0, 2000000}, {0, 2000000}};
    timer_t timer;
    me = (long)a;
    ((int *)&e.sigev_notify)[1] = tid(); // sigev_notify_thread_id
    CHECK(!timer_create(CLOCK_MONOTONIC, &e, &timer));
    timer_settime(timer, 0, &i, 0);
    while (by[me] < 20) {}
    timer_delete(timer);
    return 0;
}
static void t_timers(void)
{
    T t[3];
    struct sigaction sa = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigaction(SIGRTMIN + 3, &sa, 0);
    sigaction(SIGPROF, &sa, 0);
    for (long i = 0; i < 3; i++) t[i] = start(with_timer, (void *)i);
    for (int i = 0; i < 3; i++) join(t[i]);
    printf("own timers %d %d %d\n", by[0] >= 20, by[1] >= 20, by[2] >= 20);
    struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = count_timer};
    e.sigev_value.sival_ptr = &timer_count;
    struct itimerspec i = {{0, 5000000}, {0, 5000000}};
    timer_t timer;
    CHECK(!timer_create(CLOCK_MONOTONIC, &e, &timer));
    timer_settime(timer, 0, &i, 0);
    while (timer_count < 10) ms(2);
    timer_delete(timer);
    struct itimerval profile = {{0, 2000}, {0, 2000}}, off = {0};
    stop = reached = 0;
    by[5] = 0;
    T s = start(spin, (void *)5L);
    setitimer(ITIMER_PROF, &profile, 0);
    while (by[5] < 10) ms(1);
    setitimer(ITIMER_PROF, &off, 0);
    stop = 1;
    join(s);
    puts("timers");
}

// --- ends of the process
static void *end_later(void *a)
{
    ms(30);
    if (a == (void *)1) {
        puts("after the initial thread");
        fflush(stdout);
        char link[100];
        CHECK(readlink("/proc/thread-self/cwd", link, sizeof link) > 0);
        void *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
        CHECK(p != MAP_FAILED && !munmap(p, 1 << 20));
        join(start(nothing, 0));
        return 0;
    }
    if (a == (void *)2) exit(3);
    if (a == (void *)3) kill(getpid(), SIGKILL);
    if (a == (void *)4) *(volatile int *)a = 1;
    if (a == (void *)5) execl("/proc/self/exe", "threads", "executed", (char *)0);
    if (a == (void *)6) abort();
    return 0;
}
static void *block(void *a)
{
    char b;
    return (void *)(long)read(pipes[0], &b, 1) ? a : a;
}
static void t_ends(void)
{
    (void)!pipe(pipes);
    for (long how = 0; how < 7; how++) {
        // (How an initial thread ends that is not the process's first but a forked one, C libraries get wrong.)
        if (how == 1) continue;
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            setvbuf(stdout, 0, _IONBF, 0);
            stop = 0;
            for (long i = 0; i < 2; i++) pthread_detach(start(spin, (void *)i));
            pthread_detach(start(block, 0));
            if (!how) {
                ms(20);
                _exit(9);
            }
            start(end_later, (void *)how);
            for (;;) pause();
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        printf("end %ld: %x\n", how, status & 0xff7f);
    }
}
static void t_leader(void)
{
    for (long i = 0; i < 2; i++) pthread_detach(start(nothing, 0));
    start(end_later, (void *)1);
    fflush(stdout);
    pthread_exit(0);
}
static void t_executed(void)
{
    printf("executed: %d thread, leader %d\n", tasks(), tid() == getpid());
}

// --- processes made by threads
static void *in_child(void *a)
{
    T t[2];
    for (int i = 0; i < 2; i++) t[i] = start(count, &mutex);
    for (int i = 0; i < 2; i++) join(t[i]);
    return a;
}
static void *allocate(void *a)
{
    // What the C library and the runtime do under locks.
    while (!stop) {
        free(malloc(100 + rand() % 5000));
        void *p = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(p, 4096, PROT_READ);
        munmap(p, 65536);
        if (a) join(start(nothing, 0));
    }
    return 0;
}
extern char **environ;
static atomic_int spawned;
static void *forking(void *a)
{
    for (int i = 0; i < 15 * (int)(long)a; i++) {
        int status = -1;
        pid_t child = fork();
        if (!child) {
            counter = 0;
            pthread_mutex_init(&mutex, 0);
            if (i % 5 == 0) in_child(0);
            _exit(i % 5 == 0 ? counter == 40000 ? 5 : 6 : 5);
        }
        CHECK(waitpid(child, &status, 0) == child);
        if (status != 5 << 8) printf("child ended by %x\n", status);
        char *arguments[] = {"threads", "hello", 0};
        if (!posix_spawn(&child, "/proc/self/exe", 0, 0, arguments, environ)) {
            waitpid(child, &status, 0);
            if (status == 11 << 8) spawned++;
        }
        if (i % 5 == 0 && posix_spawn(&child, "/nowhere", 0, 0, arguments, environ) != ENOENT) puts("spawned nothing");
    }
    return 0;
}
static void t_processes(void)
{
    T t[4], others[2];
    stop = 0;
    for (long i = 0; i < 2; i++) others[i] = start(allocate, (void *)i);
    for (int i = 0; i < 4; i++) t[i] = start(forking, (void *)(long)scale);
    for (int i = 0; i < 4; i++) join(t[i]);
    stop = 1;
    for (int i = 0; i < 2; i++) join(others[i]);
    printf("spawned %d\n", spawned / scale);
}

// --- clone itself
static int value, stack_words[65536] __attribute__((aligned(16)));
static volatile int shared_value;
static int child_function(void *a)
{
    shared_value = (int)(long)a;
    signal(SIGUSR1, SIG_IGN);
    return 3;
}
static void *in_other_directory(void *a)
{
    char path[PATH_MAX];
    CHECK(!syscall(SYS_unshare, CLONE_FS));
    CHECK(!chdir("/"));
    return getcwd(path, sizeof path) ? a : 0;
}
static void t_clone(void)
{
    char before[PATH_MAX], now[PATH_MAX];
    struct sigaction sa;
    int status, ids[2] = {0};
    void *top = stack_words + 65536;
    // A process in the same memory, with handlers of its own, beside its parent.
    signal(SIGUSR1, note);
    for (int i = 0; i < 30; i++) {
        int pid = clone(child_function, top, CLONE_VM | SIGCHLD, (void *)(long)(7 + i));
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
        CHECK(status == 3 << 8 && shared_value == 7 + i);
    }
    sigaction(SIGUSR1, 0, &sa);
    CHECK(sa.sa_handler == note);
    // The same, while the parent waits.
    int pid = clone(child_function, top, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)9);
    CHECK(shared_value == 9 && waitpid(pid, &status, 0) == pid && status == 3 << 8);
    // … sharing handlers, too.
    pid = clone(child_function, top, CLONE_VM | CLONE_SIGHAND | SIGCHLD, (void *)10);
    CHECK(waitpid(pid, &status, 0) == pid);
    sigaction(SIGUSR1, 0, &sa);
    CHECK(sa.sa_handler == SIG_IGN);
    // Without shared memory, with ids.
    pid = clone(child_function, top, CLONE_PARENT_SETTID | SIGCHLD, (void *)11, &ids[0], 0, &ids[1]);
    CHECK(ids[0] == pid && waitpid(pid, &status, 0) == pid && shared_value == 10);
    // What the kernel refuses.
    long thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    long bad[] = {CLONE_SIGHAND, CLONE_THREAD, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_SIGHAND, CLONE_FS | CLONE_NEWNS,
                  thread | CLONE_NEWPID};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(syscall(SYS_clone, bad[i], top, 0, 0, 0) == -1 && errno == EINVAL);
    CHECK(getcwd(before, sizeof before) && join(start(in_other_directory, (void *)1)) && getcwd(now, sizeof now));
    CHECK(!strcmp(before, now));
    puts("clone");
}

// --- what the system says of threads
static char comm[64];
static int task_count;
static void *named(void *a)
{
    char path[100], text[4096];
    cpu_set_t cpus;
    struct sched_param param;
    int policy;
    unsigned cpu = -1, node;
    prctl(PR_SET_NAME, "second");
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid());
    FILE *f = fopen(path, "r");
    CHECK(f && fgets(comm, sizeof comm, f));
    fclose(f);
    task_count = tasks();
    f = fopen("/proc/thread-self/status", "r");
    CHECK(f);
    while (fgets(text, sizeof text, f))
        if (!strncmp(text, "Threads:", 8) || !strncmp(text, "Name:", 5)) printf("%s", text);
    fclose(f);
    f = fopen("/proc/thread-self/maps", "r");
    CHECK(f && fgets(text, sizeof text, f));
    fclose(f);
    snprintf(path, sizeof path, "/proc/%d/maps", tid());
    f = fopen(path, "r");
    CHECK(f);
    int lines = 0;
    while (f && fgets(text, sizeof text, f)) lines += strstr(text, "/") != 0;
    fclose(f);
    CHECK(lines && lines < 10);
    CHECK(!syscall(SYS_sched_getaffinity, 0, sizeof cpus, &cpus) || 1);
    CHECK(!pthread_getschedparam(pthread_self(), &policy, &param) && policy == SCHED_OTHER);
    CHECK(!syscall(SYS_getcpu, &cpu, &node, 0) && cpu < 4096);
    CHECK(tid() != getpid() && getpid() == (int)(long)a);
    errno = 0;
    CHECK(syscall(SYS_tgkill, getpid(), tid(), 0) == 0 && syscall(SYS_tkill, tid(), 0) == 0);
    return 0;
}
static void t_proc(void)
{
    char name[64];
    prctl(PR_SET_NAME, "first");
    join(start(named, (void *)(long)getpid()));
    prctl(PR_GET_NAME, name);
    printf("names %s %stasks %d\n", name, comm, task_count);
}

// --- all threads change their ids
static void *ids(void *a)
{
    reached++;
    while (!stop) sched_yield();
    return (void *)(long)(getegid() == (gid_t)(long)a);
}
static void t_ids(void)
{
    T t[4];
    long good = 0, gid = getuid() ? (long)getegid() : 7;
    reached = stop = 0;
    for (int i = 0; i < 4; i++) t[i] = start(ids, (void *)gid);
    while (reached < 4) sched_yield();
    CHECK(!setresgid(gid, gid, gid));
    stop = 1;
    for (int i = 0; i < 4; i++) good += (long)join(t[i]);
    printf("ids %ld\n", good);
}

// --- atomics
static _Atomic unsigned char a8;
static _Atomic short a16;
static atomic_int a32, flags_or, xored;
static atomic_long a64, most;
static volatile long plain;
// Two words whose sum is 0, changed by pair exclusives.
static union { struct { uintptr_t lo, hi; } p; long low; } pair128 __attribute__((aligned(16)));
#ifdef __arm__
static int bump128(void)
{
    uint64_t old, new;
    int fail;
    do {
        __asm__ volatile("ldaexd %0, %H0, [%1]" : "=&r"(old) : "r"(&pair128) : "memory");
        new = (old + 1 & 0xffffffff) | ((old >> 32) - 1) << 32;
        __asm__ volatile("stlexd %0, %2, %H2, [%1]" : "=&r"(fail) : "r"(&pair128), "r"(new) : "memory");
    } while (fail);
    return (uint32_t)old + (uint32_t)(old >> 32) == 0;
}
#else
static int bump128(void)
{
    uint64_t lo, hi, l2, h2;
    int fail;
    do
        __asm__ volatile("ldaxp %0, %1, [%5]\n add %2, %0, #1\n sub %3, %1, #1\n stlxp %w4, %2, %3, [%5]"
                         : "=&r"(lo), "=&r"(hi), "=&r"(l2), "=&r"(h2), "=&r"(fail)
                         : "r"(&pair128)
                         : "memory");
    while (fail);
    return lo + hi == 0;
}
#endif
#ifdef __ARM_FEATURE_ATOMICS
static int casp(void)
{
    register uint64_t lo __asm__("x0"), hi __asm__("x1"), l2 __asm__("x2"), h2 __asm__("x3");
    uint64_t l, h;
    do {
        l = ((volatile uint64_t *)&pair128)[0];
        h = ((volatile uint64_t *)&pair128)[1];
        lo = l, hi = h, l2 = l + 1, h2 = h - 1;
        __asm__ volatile("caspal x0, x1, x2, x3, [%4]" : "+r"(lo), "+r"(hi) : "r"(l2), "r"(h2), "r"(&pair128) : "memory");
    } while (lo != l || hi != h);
    return lo + hi == 0;
}
#else
#define casp bump128
#endif
static void *atomics(void *a)
{
    long n = (long)a;
    for (int i = 0; i < 10000; i++) {
        a8++;
        a16 += 3;
        a32--;
        a64 += n;
        flags_or |= 1 << (i % 20);
        xored ^= i;
        long m = most;
        while (m < i * n && !atomic_compare_exchange_weak(&most, &m, i * n)) {}
        if (!(i & 1 ? casp() : bump128())) puts("torn pair");
        // A store of another thread must make a store exclusive fail, or come behind it: the word only grows.
        long old, fail;
#ifdef __arm__
        __asm__ volatile("1: ldrex %0, [%2]\n add %0, %0, #2\n strex %1, %0, [%2]\n cmp %1, #0\n bne 1b"
                         : "=&r"(old), "=&r"(fail) : "r"(&plain) : "cc", "memory");
#else
        __asm__ volatile("1: ldxr %0, [%2]\n add %0, %0, #2\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
                         : "=&r"(old), "=&r"(fail) : "r"(&plain) : "memory");
#endif
    }
    return 0;
}
static void *even(void *a)
{
    // Stores the same value again: a store exclusive may go either way, but must never lose an addition to its own load.
    while (!stop) {
        long v = plain;
        if (v & 1) puts("odd");
    }
    return a;
}
static void t_atomics(void)
{
    T t[4];
    stop = 0;
    T e = start(even, 0);
    for (long i = 0; i < 4; i++) t[i] = start(atomics, (void *)(i + 1));
    for (int i = 0; i < 4; i++) join(t[i]);
    stop = 1;
    join(e);
    printf("%d %d %d %ld %x %x %ld %ld %ld\n", a8, a16, a32, a64, flags_or, xored, most, pair128.low, plain);
}

static const struct { const char *name; void (*run)(void); } tests[] = {
    {"basic", t_basic}, {"many", t_many}, {"turn", t_turn}, {"mutex", t_mutex}, {"pi", t_pi}, {"robust", t_robust},
    {"sync", t_sync}, {"shared", t_shared}, {"cancel", t_cancel}, {"signals", t_signals}, {"timers", t_timers},
    {"ends", t_ends}, {"leader", t_leader}, {"executed", t_executed}, {"processes", t_processes}, {"clone", t_clone}, {"proc", t_proc},
    {"ids", t_ids}, {"atomics", t_atomics},
};

int main(int argc, char **argv)
{
    (void)value;
    if (argc > 1 && !strcmp(argv[1], "hello")) return 11;
    for (int i = 1; i < argc; i++) {
        if (atoi(argv[i])) scale = atoi(argv[i]);
        for (unsigned j = 0; j < sizeof tests / sizeof *tests; j++)
            if (!strcmp(argv[i], tests[j].name)) tests[j].run();
    }
    return failed;
}
