/* Jumps out of calls to frames that are still there: the next one up, one far up, an older one of a recursive function, from a
   signal handler, and to a function's own loop. Prints sums; how often the dispatcher was needed for it, the test counts. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TURNS 2000

static jmp_buf out, marks[8];
static sigjmp_buf from_handler;
static volatile unsigned sink;

__attribute__((noinline)) static unsigned deep(unsigned depth, unsigned value) {
	if (depth == 0)
		longjmp(out, (int)value);
	unsigned below = deep(depth - 1, value);
	sink += below; /* not a tail call */
	return below + depth;
}

/* Registers that the callee saves hold values across both returns of setjmp. */
__attribute__((noinline)) static unsigned catching(unsigned i, unsigned a, unsigned b, double c) {
	unsigned value = (unsigned)setjmp(out);
	if (value == 0)
		return deep(i % 9, i | 1);
	return value + a * 3 + b * 5 + (unsigned)c;
}

/* `marks[n]` is of the activation at depth n; the innermost jumps to any of them. */
__attribute__((noinline)) static unsigned nested(unsigned depth, unsigned target) {
	unsigned value = (unsigned)setjmp(marks[depth]);
	if (value != 0)
		return value * 16 + depth;
	if (depth == 7)
		longjmp(marks[target], (int)target + 1);
	unsigned below = nested(depth + 1, target);
	return below * 3 + depth;
}

__attribute__((noinline)) static void jump(unsigned n) {
	sink++;
	longjmp(out, (int)n + 1);
}

/* Every turn of the loop ends by a jump back to its beginning. */
__attribute__((noinline)) static unsigned loop(unsigned turns) {
	static volatile unsigned n, sum;
	n = sum = 0;
	unsigned value = (unsigned)setjmp(out);
	sum += value;
	if (++n < turns)
		jump(n);
	return sum;
}

static void handler(int signal) {
	(void)signal;
	siglongjmp(from_handler, 7);
}

__attribute__((noinline)) static unsigned interrupted(unsigned i) {
	unsigned value = (unsigned)sigsetjmp(from_handler, 1);
	if (value == 0) {
		raise(SIGUSR1);
		return 0;
	}
	return value + i;
}

int main(int argc, char **argv) {
	unsigned sums[4] = {0};
	for (unsigned i = 0; i < TURNS; i++)
		sums[0] = sums[0] * 31 + catching(i, i ^ 21, i + 4, i * 0.5);
	for (unsigned i = 0; i < TURNS; i++)
		sums[1] = sums[1] * 31 + nested(0, i % 7);
	sums[2] = loop(TURNS);
	/* The handler is the dispatcher's. */
	if (argc > 1 && strcmp(argv[1], "signals") == 0) {
		signal(SIGUSR1, handler);
		for (unsigned i = 0; i < TURNS; i++)
			sums[3] = sums[3] * 31 + interrupted(i);
	}
	printf("%u %u %u %u\n", sums[0], sums[1], sums[2], sums[3]);
	return 0;
}
