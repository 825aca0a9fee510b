// Children of vfork that are killed while they execute compiled code, and then much code: what is compiled for it must find room.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 6, FUNCTIONS = 500, WORDS = 32, TIMES = 4 };
static volatile pid_t child;
static volatile long turns;

static void *killer(void *arg)
{
    (void)arg;
    for (int i = 0; i < CHILDREN; i++) {
        while (!child)
            sched_yield();
        for (long was = turns; turns < was + 100000;)
            sched_yield();
        pid_t pid = child;
        child = 0;
        kill(pid, SIGKILL);
    }
    return 0;
}

int main(void)
{
    pthread_t t;
    if (pthread_create(&t, 0, killer, 0))
        return 2;
    int killed = 0;
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            child = getpid();
            for (;;)
                turns++;
        }
        int status;
        waitpid(pid, &status, 0);
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    pthread_join(t, 0);
    uint32_t *code = mmap(0, FUNCTIONS * WORDS * 4, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < FUNCTIONS; i++) {
        uint32_t *f = code + i * WORDS;
        // add x0, x0, #i, many times; ret
        for (int k = 0; k < WORDS - 1; k++)
            f[k] = 0x91000000 | i << 10;
        f[WORDS - 1] = 0xd65f03c0;
    }
    __builtin___clear_cache((char *)code, (char *)(code + FUNCTIONS * WORDS));
    long sum = 0;
    for (int k = 0; k < TIMES; k++)
        for (int i = 0; i < FUNCTIONS; i++)
            sum = ((long (*)(long))(code + i * WORDS))(sum);
    printf("killed %d, sum %ld\n", killed, sum);
    return 0;
}
