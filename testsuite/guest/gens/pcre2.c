// PCRE2 with its compiler against its interpreter: each pattern on each subject by both, which must agree in everything; what they
// find is printed. `pcre2 [ROUNDS [KILOBYTES]]`.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    uint32_t options;
} patterns[] = {
    {"abc", 0},
    {"(a+)(b*)c?", 0},
    {"\\b(\\w+)\\s+\\1\\b", PCRE2_CASELESS},
    {"^(?:(\\d{1,3})\\.){3}(\\d{1,3})$", PCRE2_MULTILINE},
    {"[A-Za-z_][A-Za-z0-9_.+-]*@[A-Za-z0-9-]+(?:\\.[A-Za-z]{2,})+", 0},
    {"(?<year>\\d{4})-(?<month>0[1-9]|1[0-2])-(?<day>\\d\\d)", 0},
    {"\\((?:[^()]++|(?R))*+\\)", 0},
    {"(?=.*\\d)(?=.*[a-z])(?!.*\\s)\\S{6,}", 0},
    {"(?<=foo)bar|(?<!x)baz", 0},
    {"(?:a|ab)(?:c|bcd)(?:d*)$", 0},
    {"(?i)straße|\\x{dc}ber", PCRE2_UTF},
    {"\\p{Lu}\\p{Ll}+\\s\\p{N}", PCRE2_UTF | PCRE2_UCP},
    {"[^\\x00-\\x7f]+", PCRE2_UTF},
    {"(?s)/\\*.*?\\*/", 0},
    {"\"(?:[^\"\\\\]|\\\\.)*\"", 0},
    {"(a(?:b(?:c(?:d)?)?)?)+", 0},
    {"(?>a+)b|a+c", 0},
    {"^(.)(?:(.).*\\2)?.*\\1$", PCRE2_MULTILINE},
    {"(?|(ab)|(cd)|(ef))\\1", 0},
    {"(x)?(?(1)y|z)", 0},
    {"(*COMMIT)ab|(*SKIP)(*F)|[b-e]+", 0},
    {"a{3,7}?b{2}", 0},
    {"[[:alpha:]]+[[:punct:]][[:space:]]", 0},
    {"\\X{2}", PCRE2_UTF},
    {"(?m)^#\\s*include\\s*[<\"]([^>\"]+)", 0},
    {"(\\w+)(?:,\\s*(\\w+))*;", 0},
    {"(?:(?:(?:a?){2}){2}){2}b", 0},
    {"\\R+\\K\\h*\\w", 0},
    {"(?C1)a(?C2)b", 0},
    {"a(?=b(*ACCEPT)c)|q", 0},
    {"(?<n>a)(?&m)(?(DEFINE)(?<m>b+c))", 0},
    {"^(?:a?b?){8}$", PCRE2_MULTILINE},
};

static const char *const subjects[] = {
    "",
    "abc",
    "xaaabbbccc aab The the quick Quick brown  brown",
    "192.168.0.1\n10.0.0.255\n1.2.3\n999.1.1.1",
    "mail: some.body+tag@example.co.uk, root@localhost, a@b.cd; 2024-02-30 1999-12-31 2020-13-01",
    "f(a(b)c(d(e)(f)g)h) ((()) (x",
    "passw0rd secret 123456 aB3$xyz",
    "foobar xbaz baz foobaz",
    "abcd abbcd acd abcdd",
    "Stra\xc3\x9f" "e STRASSE \xc3\x9c" "ber \xc3\xbc" "ber \xce\x91\xce\xb2\xce\xb3 5 e\xcc\x81" "e\xcc\x81x",
    "int a; /* one */ char *s = \"q\\\"uote\"; /* two\nlines */ #include <stdio.h>\n# include \"own.h\"\nx, y, z;",
    "aaaaaaab aaabb aaaaaaaabb aac aaaaaaaaaaaaaaaaaaaaaaaaac",
    "abababab cdcd efef abcd xy z xz",
    "level\nradar\nnot\nabcdcba\n\r\n\n  word",
};

static int callouts;

static int callout(pcre2_callout_block *b, void *data) {
    (void)data;
    callouts += (int)b->callout_number + (int)b->current_position;
    return b->current_position > 20;
}

static unsigned long sum;

static int run(pcre2_code *code, pcre2_match_data *m, pcre2_match_context *c, const char *s, size_t len, int jit, int print, char *out,
               size_t room) {
    size_t at = 0, used = 0;
    int found = 0, rc = 0;
    out[0] = 0;
    while (at <= len && found < 200) {
        uint32_t options = jit ? 0 : PCRE2_NO_JIT;
        rc = pcre2_match(code, (PCRE2_SPTR)s, len, at, options, m, c);
        if (rc < 0) {
            break;
        }
        found++;
        size_t *v = pcre2_get_ovector_pointer(m);
        if (print) {
            for (int i = 0; i < rc; i++) {
                used += (size_t)snprintf(out + used, used < room ? room - used : 0, i ? ",%d-%d" : " %d-%d", (int)v[2 * i], (int)v[2 * i + 1]);
                used = used < room ? used : room - 1;
            }
            PCRE2_SPTR mark = pcre2_get_mark(m);
            if (mark) {
                used += (size_t)snprintf(out + used, room - used, "#%s", mark);
            }
        } else {
            for (int i = 0; i < 2 * rc; i++) {
                sum = sum * 31 + v[i];
            }
        }
        at = v[1] > at ? v[1] : at + 1;
        // Not into the middle of a character.
        while (at < len && (s[at] & 0xc0) == 0x80) {
            at++;
        }
    }
    if (print) {
        snprintf(out + used, room - used, " end %d", rc);
    }
    return found;
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    uint32_t has = 0;
    pcre2_config(PCRE2_CONFIG_JIT, &has);
    char target[64];
    pcre2_config(PCRE2_CONFIG_JITTARGET, target);
    printf("jit %u %s\n", has, target);
    pcre2_match_context *c = pcre2_match_context_create(NULL);
    pcre2_set_callout(c, callout, NULL);
    pcre2_jit_stack *stack = pcre2_jit_stack_create(1024, 1 << 20, NULL);
    pcre2_jit_stack_assign(c, NULL, stack);
    static char a[1 << 16], b[1 << 16];
    int bad = 0;
    for (int round = 0; round < rounds; round++) {
        for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
            int error;
            size_t offset;
            pcre2_code *code =
                pcre2_compile((PCRE2_SPTR)patterns[p].text, PCRE2_ZERO_TERMINATED, patterns[p].options, &error, &offset, NULL);
            if (!code) {
                printf("%s: error %d at %zu\n", patterns[p].text, error, offset);
                continue;
            }
            int jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
            size_t size = 0;
            pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &size);
            if (round == 0) {
                printf("%s: compiled %d %d\n", patterns[p].text, jit, size > 0);
            }
            pcre2_match_data *m = pcre2_match_data_create_from_pattern(code, NULL);
            for (size_t s = 0; s < sizeof subjects / sizeof *subjects; s++) {
                callouts = 0;
                run(code, m, c, subjects[s], strlen(subjects[s]), 1, 1, a, sizeof a);
                int calls = callouts;
                callouts = 0;
                run(code, m, c, subjects[s], strlen(subjects[s]), 0, 1, b, sizeof b);
                if (strcmp(a, b) || calls != callouts) {
                    printf("DIFFERENT %s on subject %zu: %s (%d) and %s (%d)\n", patterns[p].text, s, a, calls, b, callouts);
                    bad++;
                }
                if (round == 0) {
                    printf(" %zu:%s\n", s, a);
                }
            }
            pcre2_match_data_free(m);
            pcre2_code_free(code);
        }
    }
    // Large subjects, partial matches, the fast path, substitution, the limits.
    size_t len = (size_t)(argc > 2 ? atoi(argv[2]) : 4) << 10;
    char *big = malloc(len + 1);
    unsigned seed = 1;
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned r = seed >> 16 & 63;
        big[i] = r < 40 ? (char)('a' + r % 6) : r < 50 ? ' ' : r < 60 ? (char)('0' + r % 10) : "().\n"[r & 3];
    }
    big[len] = 0;
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        if (p == 26 || p == 28) {
            continue;
        }
        int error;
        size_t offset;
        pcre2_code *code =
            pcre2_compile((PCRE2_SPTR)patterns[p].text, PCRE2_ZERO_TERMINATED, patterns[p].options, &error, &offset, NULL);
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_SOFT | PCRE2_JIT_PARTIAL_HARD);
        pcre2_match_data *m = pcre2_match_data_create_from_pattern(code, NULL);
        sum = 0;
        int n = run(code, m, c, big, len, 1, 0, a, sizeof a);
        unsigned long with = sum;
        sum = 0;
        int k = run(code, m, c, big, len, 0, 0, a, sizeof a);
        bad += n != k || with != sum;
        int soft = pcre2_match(code, (PCRE2_SPTR) "xx aaab 2024-0", 14, 0, PCRE2_PARTIAL_SOFT, m, c);
        int hard = pcre2_match(code, (PCRE2_SPTR) "xx aaab 2024-0", 14, 0, PCRE2_PARTIAL_HARD, m, c);
        int fast = pcre2_jit_match(code, (PCRE2_SPTR)subjects[p % 14], strlen(subjects[p % 14]), 0, 0, m, c);
        PCRE2_UCHAR out[512];
        size_t room = sizeof out;
        int replaced = pcre2_substitute(code, (PCRE2_SPTR)subjects[p % 14], PCRE2_ZERO_TERMINATED, 0,
                                        PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_EXTENDED, m, c, (PCRE2_SPTR) "<${0}>",
                                        PCRE2_ZERO_TERMINATED, out, &room);
        printf("%zu: %d %lx %d %d %d %d %s\n", p, n, with, soft, hard, fast, replaced, replaced >= 0 ? (char *)out : "");
        pcre2_match_data_free(m);
        pcre2_code_free(code);
    }
    pcre2_set_match_limit(c, 1000);
    pcre2_set_heap_limit(c, 20);
    int error;
    size_t offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR) "(?:(a)|b)*+c|(a|b)*d", PCRE2_ZERO_TERMINATED, 0, &error, &offset, NULL);
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    pcre2_match_data *m = pcre2_match_data_create(10, NULL);
    memset(big, 'a', len);
    int limit = pcre2_match(code, (PCRE2_SPTR)big, len, 0, 0, m, c);
    // A stack of its own that is too small.
    pcre2_jit_stack *small = pcre2_jit_stack_create(1024, 8192, NULL);
    pcre2_jit_stack_assign(c, NULL, small);
    pcre2_set_match_limit(c, 10000000);
    int overflow = pcre2_match(code, (PCRE2_SPTR)big, len, 0, 0, m, c);
    printf("limits %d %d\n", limit, overflow);
    printf("%d differences\n", bad);
    return bad != 0;
}
