// What a program finds when it starts: arguments, auxiliary vector, zeroed data, heap, stack.
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static char bss[100000];
static char data[5000] = "data";
extern char **environ;

int main(int argc, char **argv)
{
    const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
    int ok = getauxval(AT_PHENT) == sizeof *ph && getauxval(AT_PHNUM) > 2 && getauxval(AT_PAGESZ) == 4096;
    int loads = 0;
    for (unsigned i = 0; i < getauxval(AT_PHNUM); i++)
        loads += ph[i].p_type == PT_LOAD;
    ok &= loads >= 1 && getauxval(AT_UID) == getuid() && getauxval(AT_SECURE) == 0 && getauxval(AT_BASE) == 0;
    ok &= strcmp((char *)getauxval(AT_PLATFORM), "aarch64") == 0 && (getauxval(AT_HWCAP) & 3) == 3;
    ok &= strstr((char *)getauxval(AT_EXECFN), "start") != 0 && getauxval(AT_SYSINFO_EHDR) == 0;
    ok &= getauxval(AT_RANDOM) != 0 && getauxval(AT_MINSIGSTKSZ) > 4096 && environ[0] != 0;
    ok &= ((uintptr_t)__builtin_frame_address(0) & 15) == 0;
    int zero = strcmp(data, "data") == 0;
    for (unsigned i = 0; i < sizeof bss; i++)
        zero &= bss[i] == 0;
    for (unsigned i = 4; i < sizeof data; i++)
        zero &= data[i] == 0;
    char *at = sbrk(100000);
    int heap = at != (char *)-1 && at[99999] == 0 && (at[50000] = 1) && sbrk(-50000) == at + 100000;
    printf("argc %d, %s, auxv %s, bss %s, brk %s\n", argc, argv[1], ok ? "ok" : "bad", zero ? "ok" : "bad", heap ? "ok" : "bad");
    return 3;
}
