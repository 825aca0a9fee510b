// Processes: fork, pipes, exec of native programs, posix_spawn, exit statuses.
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(void)
{
    setvbuf(stdout, 0, _IONBF, 0);
    int fd[2], status;
    if (pipe(fd))
        return 1;
    if (fork() == 0) {
        dup2(fd[1], 1);
        close(fd[0]);
        close(fd[1]);
        execl("/bin/echo", "echo", "from", "exec", (char *)0);
        _exit(127);
    }
    close(fd[1]);
    char buf[100];
    ssize_t n = read(fd[0], buf, sizeof buf);
    printf("%zd %.*s", n, (int)n, buf);
    wait(&status);
    printf("status %d\n", WEXITSTATUS(status));
    pid_t pid;
    char *args[] = {"sh", "-c", "echo spawned $X; exit 5", 0};
    setenv("X", "value", 1);
    if (posix_spawn(&pid, "/bin/sh", 0, 0, args, environ))
        return 2;
    waitpid(pid, &status, 0);
    printf("status %d\n", WEXITSTATUS(status));
    // qemu-user makes vfork a fork, so that glibc's posix_spawn cannot tell there that the child's execve failed.
    if (posix_spawn(&pid, "/does/not/exist", 0, 0, args, environ) ||
        (waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 127))
        puts("no such program");
    printf("system %d\n", WEXITSTATUS(system("exit 9")));
    FILE *p = popen("echo popen; cat >/dev/null", "r");
    if (p && fgets(buf, sizeof buf, p))
        printf("%s", buf);
    printf("pclose %d\n", p ? pclose(p) : -1);
    if ((pid = vfork()) == 0)
        _exit(17);
    waitpid(pid, &status, 0);
    printf("vfork %d\n", WEXITSTATUS(status));
    return 0;
}
