// Coroutines by swapcontext: stacks of the guest's own making.
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

static ucontext_t main_context, routine[3];
static int running = 3, trace;

static void body(int id)
{
    for (int i = 0; i < 1000; i++) {
        trace = trace * 31 + id * 7 + i;
        swapcontext(&routine[id], &main_context);
    }
    running--;
}

int main(void)
{
    for (int i = 0; i < 3; i++) {
        getcontext(&routine[i]);
        routine[i].uc_stack.ss_sp = malloc(65536);
        routine[i].uc_stack.ss_size = 65536;
        routine[i].uc_link = &main_context;
        makecontext(&routine[i], (void (*)(void))body, 1, i);
    }
    for (int i = 0; running; i++)
        if (i / 3 <= 1000)
            swapcontext(&main_context, &routine[i % 3]);
    printf("%d\n", trace);
    return 0;
}
