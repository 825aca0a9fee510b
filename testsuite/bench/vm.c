// An interpreter's loop: a switch over byte codes.
// bench: class=interpreter small=2000
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// The width of the processor's words; NARROW asks for that of AArch32 on other machines.
#if defined NARROW || __SIZEOF_POINTER__ == 4
typedef int32_t word;
typedef uint32_t uword;
#else
typedef int64_t word;
typedef uint64_t uword;
#endif

enum { PUSH, ADD, MUL, DEC, DUP, JNZ, SWAP, DROP, HALT };

static word run(const int *code)
{
    word stack[32], *sp = stack;
    for (const int *pc = code;;) {
        switch (*pc++) {
        case PUSH: *sp++ = *pc++; break;
        case ADD: sp--; sp[-1] = (word)((uword)sp[-1] + (uword)*sp); break;
        case MUL: sp--; sp[-1] = (word)((uword)sp[-1] * (uword)*sp); break;
        case DEC: sp[-1]--; break;
        case DUP: *sp = sp[-1]; sp++; break;
        case JNZ: if (*--sp) pc += *pc; else pc++; break;
        case SWAP: { word t = sp[-1]; sp[-1] = sp[-2]; sp[-2] = t; break; }
        case DROP: sp--; break;
        case HALT: return sp[-1];
        }
    }
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 20000000;
    const int code[] = {PUSH, 1, PUSH, n, SWAP, PUSH, 3, MUL, PUSH, 7, ADD, SWAP, DEC, DUP, JNZ, -11, DROP, HALT};
    printf("%lld\n", (long long)run(code));
    return 0;
}
