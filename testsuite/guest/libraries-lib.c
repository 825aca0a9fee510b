// Two functions of the same form, aligned to words: each returns a constant.
__attribute__((aligned(16))) int value(void) { return VALUE; }
__attribute__((aligned(16))) int other(void) { return 9; }
