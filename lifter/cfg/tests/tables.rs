//! Jump tables as compilers make them: every switch is recovered with exactly its cases.

mod support;

use support::*;

/// `n` cases from `first` on, each with a body that no other has, so that nothing is merged.
fn cases(first: i64, n: i64) -> String {
    (first..first + n)
        .map(|i| {
            format!("case {i}: side({}); x ^= {}; break;\n", 100 + i * i * 7 % 61, 200 + i * i * i * 13 % 97)
        })
        .collect()
}

fn program(body: &str) -> String {
    format!(
        "volatile int sink; __attribute__((noinline)) void side(int v) {{ sink = v; }}\n\
         void spread(int v);\n{body}\n\
         void start(void) {{ dispatch(sink, sink); for (;;) ; }}\n"
    )
}

/// True if a function has an indirect jump: compilers replace some switches by comparisons or arithmetic.
fn jumps_indirectly(image: &image::Image, f: &cfg::Found) -> bool {
    let words = f.shape.blocks.iter().flat_map(|b| (b.start.0..b.end.0).step_by(4));
    words.into_iter().any(|a| image.u32_at(a).is_some_and(|w| w & 0xffff_fc1f == 0xd61f_0000))
}

/// Checks the tables of `dispatch`; the number of switches found.
fn check_switch(what: &str, image: &image::Image, wanted: std::ops::RangeInclusive<usize>) -> usize {
    let p = discover(image);
    check(&p);
    let f = function(&p, "dispatch");
    let found: usize = targets(f).iter().sum();
    let switches = targets(f).len();
    if jumps_indirectly(image, f) {
        assert!(
            wanted.contains(&found),
            "{what}: {found} targets, not {wanted:?}\n{}\n{}",
            p.cfg_report(),
            p.report()
        );
    }
    assert_eq!(p.unresolved_jumps, [0; 0], "{what}");
    assert!(p.coverage() > 0.99, "{what}\n{}", p.report());
    switches
}

/// All compilers and options, on a switch of `n` cases (the default may be in the table, too, and one case split off).
fn everywhere(body: &str, n: usize) {
    let source = program(body);
    let mut found = 0;
    for level in ["-O0", "-O1", "-O2", "-O3", "-Os"] {
        let options = ["-fno-pic", "-fpie"];
        for pic in options {
            let args = [level, pic, "-fno-tree-switch-conversion", "-fno-builtin"];
            found +=
                check_switch(&format!("gcc {level} {pic}\n{body}"), &gcc(&source, "c", &args), n - 1..=n + 1);
            let args = [level, pic, "-fno-builtin"];
            found +=
                check_switch(&format!("clang {level} {pic}\n{body}"), &clang(&source, &args), n - 1..=n + 1);
        }
    }
    assert!(found >= 8, "only {found} of these are tables at all:\n{body}");
}

#[test]
fn dense_int() {
    everywhere(
        &format!(
            "int dispatch(int v, int x) {{ switch (v) {{ {} default: side(-1); }} return x; }}",
            cases(0, 20)
        ),
        20,
    );
}

#[test]
fn lower_bound_and_negative() {
    everywhere(
        &format!(
            "int dispatch(int v, int x) {{ switch (v) {{ {} default: side(-1); }} return x; }}",
            cases(-5, 17)
        ),
        17,
    );
    everywhere(
        &format!(
            "int dispatch(int v, int x) {{ switch (v) {{ {} default: side(-1); }} return x; }}",
            cases(97, 12)
        ),
        12,
    );
}

#[test]
fn masked_without_check() {
    let body = format!(
        "int dispatch(int v, int x) {{ switch (v & 15) {{ {} default: __builtin_unreachable(); }} return x; }}",
        cases(0, 16)
    );
    everywhere(&body, 16);
}

#[test]
fn large_bodies_need_wider_offsets() {
    let big: String = (0..24)
        .map(|i| {
            let lines: String = (0..40).map(|j| format!("side({});", i * 100 + j)).collect();
            format!("case {i}: {lines} x += {i}; break;\n")
        })
        .collect();
    everywhere(
        &format!("int dispatch(int v, int x) {{ switch (v) {{ {big} default: side(-1); }} return x; }}"),
        24,
    );
}

#[test]
fn long_and_char_indices() {
    everywhere(
        &format!(
            "int dispatch(long v, int x) {{ switch (v) {{ {} default: side(-1); }} return x; }}",
            cases(0, 20)
        ),
        20,
    );
    let body = format!(
        "int dispatch(int w, int x) {{ unsigned char v = w; switch (v) {{ {} default: side(-1); }} return x; }}",
        cases(40, 20)
    );
    everywhere(&body, 20);
}

/// What is looked up to get the index is no jump table, though it is a table.
#[test]
fn an_index_from_another_table() {
    let kinds: String = (0..64).map(|i| format!("{}, ", i * 37 % 50)).collect();
    let body = format!(
        "static const unsigned char kinds[64] = {{ {kinds} }};
         int dispatch(int w, int x) {{ switch (kinds[w]) {{ {} default: side(-1); }} return x; }}",
        cases(0, 20)
    );
    everywhere(&body, 20);
}

#[test]
fn in_a_loop_with_the_table_base_kept() {
    let body = format!(
        "int dispatch(int v, int x) {{ const unsigned char *p = (const unsigned char *)(long)v; \
         for (;;) {{ switch (*p++) {{ {} case 63: return x; default: side(x); }} }} }}",
        cases(1, 20)
    );
    everywhere(&body, 21);
}

#[test]
fn computed_goto() {
    let labels: String = (0..12).map(|i| format!("&&l{i},")).collect();
    let code: String =
        (0..12).map(|i| format!("l{i}: side({i}); x ^= {}; goto *table[*p++ % 12];\n", i * 3 + 1)).collect();
    let body = format!(
        "int dispatch(int v, int x) {{ static const void *const table[] = {{ {labels} }}; \
         const unsigned char *p = (const unsigned char *)(long)v; goto *table[*p++ % 12]; {code} return x; }}"
    );
    let source = program(&body);
    for level in ["-O0", "-O1", "-O2", "-Os"] {
        for image in [gcc(&source, "c", &[level, "-fno-pic"]), clang(&source, &[level, "-fno-pic"])] {
            let p = discover(&image);
            check(&p);
            let t = targets(function(&p, "dispatch"));
            assert!(
                !t.is_empty() && t.iter().all(|&n| n == 12),
                "{level}: {t:?}\n{}\n{}",
                p.cfg_report(),
                p.report()
            );
            assert!(p.coverage() > 0.99, "{level}\n{}", p.report());
        }
    }
}

/// Hand-written code that is entered by the magnitude of a size, through distances back from where they stand, and whose
/// symbol has no size. The last distance is that of a size that does not occur.
const BY_MAGNITUDE: &str = r#"
    .text
    .global start
    .type start, %function
start:
    ldr w1, [x0]
    bl copy
    b start
    .type copy, %function
copy:
    adr x6, 1f
    clz w1, w1
    sub w1, w1, #28
    ldrh w1, [x6, x1, lsl #1]
    sub x6, x6, w1, uxtw
    br x6
2:  strh w0, [x2]
    ret
4:  str w0, [x2]
    ret
8:  str x0, [x2]
    ret
1:
    .hword 1b - 8b
    .hword 1b - 4b
    .hword 1b - 2b
    .hword 0
"#;

#[test]
fn an_index_that_counts_zeros_is_bounded() {
    check_table(gcc(BY_MAGNITUDE, "S", &[]), "copy", 3);
}

#[test]
fn stripped_switches_are_found_all_the_same() {
    let body = format!(
        "int dispatch(int v, int x) {{ switch (v) {{ {} default: side(-1); }} return x; }}",
        cases(0, 20)
    );
    for options in [&["-O2", "-fno-asynchronous-unwind-tables"][..], &["-O0"], &["-Os"]] {
        let image = gcc(&program(&body), "c", options);
        let mut bare = image.clone();
        bare.symbols.clear();
        bare.mapping.clear();
        bare.unwind.clear();
        let (p, q) = (discover(&image), discover(&bare));
        let size = |p: &cfg::Program| p.functions.iter().flat_map(targets).sum::<usize>();
        assert_eq!(size(&p), size(&q), "{options:?}\n{}\n{}", p.cfg_report(), q.cfg_report());
    }
}
