// LDRD and STRD of aligned double words are single-copy atomic (Arm ARM, A3.5.3, with the Large Physical Address Extension), for
// whoever sees the memory. A writer stores equal words while a reader looks for unequal ones.
//   pairs HOW: the writer is a thread, or a child in a shared mapping (mmap) or segment (shmat).
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHANGES = 5000 };
static uint64_t own __attribute__((aligned(8)));

static void *write_pairs(void *at)
{
    for (uint32_t n = 0;; n++) {
        register uint32_t low __asm__("r2") = n, high __asm__("r3") = n;
        __asm__ volatile("strd %0, %1, [%2]" : : "r"(low), "r"(high), "r"(at) : "memory");
    }
}

static uint32_t torn(void *at)
{
    uint32_t difference = 0, before = 0;
    for (int changes = 0; changes < CHANGES;) {
        register uint32_t low __asm__("r2"), high __asm__("r3");
        __asm__ volatile("ldrd %0, %1, [%2]" : "=r"(low), "=r"(high) : "r"(at) : "memory");
        difference |= low ^ high;
        changes += low != before;
        before = low;
    }
    return difference;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "thread";
    void *at = &own;
    pid_t child = 0;
    if (strcmp(how, "thread") == 0) {
        pthread_t id;
        if (pthread_create(&id, NULL, write_pairs, at) != 0)
            return 1;
    } else {
        if (strcmp(how, "shmat") == 0) {
            int id = shmget(IPC_PRIVATE, 4096, 0600);
            at = shmat(id, NULL, 0);
            shmctl(id, IPC_RMID, NULL);
        } else {
            at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        }
        if (at == (void *)-1)
            return 1;
        child = fork();
        if (child == 0)
            write_pairs(at);
    }
    printf("%s: %s\n", how, torn(at) == 0 ? "whole" : "torn");
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return 0;
}
