// Code written at run time, called and rewritten: the runtime executes what translation could not see.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static int (*emit(uint32_t *page, int value))(int)
{
    page[0] = 0x11000000 | (uint32_t)value << 10; // add w0, w0, #value
    page[1] = 0xd65f03c0;                         // ret
    __builtin___clear_cache((char *)page, (char *)(page + 2));
    return (int (*)(int))page;
}

int main(void)
{
    uint32_t *page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long sum = 0;
    for (int i = 0; i < 2000; i++)
        sum += emit(page, i)(1);
    printf("%ld\n", sum);
    return 0;
}
