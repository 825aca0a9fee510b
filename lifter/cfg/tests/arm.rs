//! AArch32: states, literals, conditions, jump tables of both states, and real programs with and without symbols.

mod support;

use cfg::Options;
use std::collections::BTreeSet;
use support::*;

/// A table of `n` cases from `first` on, each with a body that no other has.
fn switch(first: u32, n: u32) -> String {
    let cases: String = (0..n)
        .map(|i| {
            format!(
                "case {first}u + {i}: side({}); x ^= {}; break;\n",
                100 + i * i * 7 % 61,
                200 + i * i * i * 13 % 97
            )
        })
        .collect();
    format!(
        "volatile int sink; __attribute__((noinline)) void side(int v) {{ sink = v; }}\n\
         int dispatch(unsigned v, int x) {{ switch (v) {{ {cases} default: side(-1); }} return x; }}\n\
         void start(void) {{ dispatch(sink, sink); for (;;) ; }}\n"
    )
}

#[test]
fn jump_tables_of_both_states() {
    tables_from(0);
}

#[test]
fn indices_that_count_from_a_large_number() {
    tables_from(0x7f2b_b78a);
}

fn tables_from(first: u32) {
    let source = switch(first, 24);
    let mut tables = 0;
    for state in ["-marm", "-mthumb"] {
        for level in ["-O0", "-O1", "-O2", "-Os"] {
            for pic in ["-fno-pic", "-fpie"] {
                let args = [state, level, pic, "-fno-tree-switch-conversion", "-fno-builtin"];
                let gcc = gcc32(&source, "c", &args);
                let clang = clang32(&source, &[state, level, pic, "-fno-builtin"]);
                for (by, image) in [("gcc", gcc), ("clang", clang)] {
                    let p = discover(&image);
                    check(&p);
                    let what = format!("{by} {args:?}\n{}{}", p.report(), p.cfg_report());
                    let found: usize = targets(function(&p, "dispatch")).iter().sum();
                    assert!(found == 0 || (24..=25).contains(&found), "{found} targets: {what}");
                    assert_eq!(p.unresolved_jumps, [0; 0], "{what}");
                    assert!(p.coverage() > 0.99, "{what}");
                    let thumb = u64::from(state == "-mthumb");
                    assert_eq!(function(&p, "dispatch").shape.entry.0 & 1, thumb, "{what}");
                    tables += usize::from(found > 0);
                }
            }
        }
    }
    assert!(tables >= 24, "only {tables} of these are tables at all");
}

/// Both states, entered in every way there is.
const MIXED: &str = r#"
    .syntax unified
    .text
    .arm
    .global start
    .type start, %function
start:
    bl arm_leaf
    blx thumb_leaf
    ldr r3, =pointed
    blx r3
    mov lr, pc              @ a call as before BLX
    bx r3
    cmp r0, #3
    popeq {r4, pc}          @ a conditional return
    blne arm_leaf           @ a conditional call
    cmp r0, #3
    addls pc, pc, r0, lsl #2
    b 9f
    b 1f
    b 2f
    b 1f
    b 2f
1:  mov r0, #1
2:  b start
9:  bx lr
    .ltorg

    .type arm_leaf, %function
arm_leaf:
    movs r0, r0
    bxeq lr
    b thumb_leaf_from_arm
    .type thumb_leaf_from_arm, %function
thumb_leaf_from_arm:        @ a veneer
    ldr ip, [pc]
    bx ip
    .word thumb_tail

    .thumb
    .type thumb_leaf, %function
thumb_leaf:
    cmp r0, #0
    itt eq
    moveq r0, #1
    bxeq lr
    b arm_leaf_from_thumb
    .align 2
    .type arm_leaf_from_thumb, %function
arm_leaf_from_thumb:        @ a veneer as binutils make it
    bx pc
    nop
    .arm
    b arm_tail

    .type arm_tail, %function
arm_tail:
    bx lr
    .thumb
    .type thumb_tail, %function
thumb_tail:
    bx lr
    .type pointed, %function
pointed:
    svc #0
    bx lr
    .short 0xde00
"#;

#[test]
fn states_are_followed() {
    for marked in [true, false] {
        let mut image = gcc32(MIXED, "S", &[]);
        let named: BTreeSet<(u64, String)> =
            image.symbols.iter().filter(|s| s.function).map(|s| (s.addr, s.name.clone())).collect();
        if !marked {
            image.symbols.clear();
            image.mapping.clear();
        }
        let p = cfg::discover(&image, &Options::default());
        check(&p);
        let found = entries(&p);
        for (addr, name) in &named {
            // Nothing but their veneers leads to some; these may be part of them.
            let part = p.functions.iter().any(|f| f.shape.blocks.iter().any(|b| b.start.0 == *addr));
            assert!(found.contains(addr) || part, "{name} at {addr:#x}, marked {marked}\n{}", p.cfg_report());
        }
        let states: BTreeSet<(u64, u64)> = found.iter().map(|e| (e & !1, e & 1)).collect();
        let places: BTreeSet<u64> = found.iter().map(|e| e & !1).collect();
        assert_eq!(states.len(), places.len(), "no place in both states\n{}", p.cfg_report());
        let start = p.functions.iter().find(|f| f.shape.entry.0 == image.entry).expect("the entry");
        assert_eq!(targets(start), [4], "the table of branches\n{}", p.cfg_report());
        assert!(p.unresolved_jumps.is_empty(), "{}", p.report());
        // UDF behind the last function pads; the literals are data.
        assert!(p.coverage() > 0.98, "{}", p.report());
    }
}

/// Divides as libgcc does, in T32: enters 32 pieces at the first bit that the quotient can have.
const DIVISION: &str = r#"
    .syntax unified
    .thumb
    .text
    .global start
    .type start, %function
start:
    bl divide
    b start
    .type divide, %function
divide:
    cmp r0, r1
    bls 2f
    clz r3, r0
    clz r2, r1
    sub r3, r2, r3
    rsb r3, r3, #31
    adr r2, 1f
    add r3, r2, r3, lsl #4
    mov r2, #0
    mov pc, r3
    .p2align 3
1:
    .set shift, 32
    .rept 32
    .set shift, shift - 1
    cmp.w r0, r1, lsl #shift
    nop.n
    adc.w r2, r2, r2
    it cs
    subcs.w r0, r0, r1, lsl #shift
    .endr
    mov r0, r2
    bx lr
2:  mov r0, #0
    bx lr
    .size divide, . - divide
"#;

#[test]
fn division_enters_one_of_equal_pieces() {
    // And what stands behind the last.
    check_table(gcc32(DIVISION, "S", &[]), "divide", 33);
}

/// What sources in A32 state begin with.
const A32: &str = r#"
    .syntax unified
    .arm
    .text
    .global start
    .type start, %function
"#;

/// Hand-written code that is entered by the magnitude of a size, through offsets that stand right before it, and whose symbol
/// has no size.
const BY_MAGNITUDE: &str = r#"
start:
    ldr r1, [r0]
    bl copy
    b start
    .type copy, %function
copy:
    clz r1, r1
    adr r12, 1f
    sub r1, r1, #24
    ldr r1, [r12, r1, lsl #2]
    add r12, r12, r1
    bx r12
1:
    .word 16f - 1b
    .word 8f - 1b
    .word 4f - 1b
4:  str r0, [r2]
    bx lr
8:  stm r2, {r0, r3}
    bx lr
16: stm r2, {r0, r3, r4, r5}
    bx lr
"#;

#[test]
fn a_table_ends_where_its_code_begins() {
    check_table(gcc32(&format!("{A32}{BY_MAGNITUDE}"), "S", &[]), "copy", 3);
}

/// A function that nothing names, with a table of branches: the search for such functions must not take the branches for ones.
const UNNAMED: &str = r#"
start:
    mov r0, #0
    b start
    .type unnamed, %function
unnamed:
    push {r4, lr}
    cmp r0, #3
    addls pc, pc, r0, lsl #2
    b 9f
    b 1f
    b 2f
    b 3f
    b 1f
1:  add r0, r0, #1
    pop {r4, pc}
2:  add r0, r0, #2
    pop {r4, pc}
3:  add r0, r0, #3
    pop {r4, pc}
9:  mov r0, #0
    pop {r4, pc}
"#;

#[test]
fn branches_of_a_table_are_no_functions() {
    let mut image = gcc32(&format!("{A32}{UNNAMED}"), "S", &[]);
    let unnamed = image.symbols.iter().find(|s| s.name == "unnamed").expect("a symbol").addr;
    image.symbols.clear();
    let p = cfg::discover(&image, &Options::default());
    check(&p);
    assert_eq!(entries(&p), BTreeSet::from([image.entry, unnamed]), "{}", p.cfg_report());
    assert_eq!(p.unresolved_jumps, [0; 0], "{}", p.cfg_report());
}

/// A function to which only data points, and numbers in data that are addresses in its middle and in Thumb state, as Go's tables of functions
/// are full of. The upper half of most A32 instructions is a branch of Thumb.
const NUMBERS: &str = r#"
start:
    ldr r1, =table
    ldr r1, [r1]
    blx r1
    b start
    .ltorg
pointed:
    add r0, r0, #1
    str r0, [r1]
inside:
    add r0, r0, #2
    str r0, [r1, #4]
    bx lr
    .data
table:
    .word pointed
    .word inside
    .word inside + 1
"#;

#[test]
fn numbers_in_data_are_no_functions() {
    let mut image = gcc32(&format!("{A32}{NUMBERS}"), "S", &[]);
    let at = |name: &str| image.symbols.iter().find(|s| s.name == name).map(|s| s.addr);
    let (pointed, inside) = (at("pointed"), at("inside"));
    let pointed = pointed.expect("a symbol");
    assert_eq!(inside, Some(pointed + 8));
    // As if stripped: nothing says the state.
    image.symbols.clear();
    image.mapping.clear();
    let p = cfg::discover(&image, &Options::default());
    check(&p);
    let found = entries(&p);
    assert!(found.contains(&pointed), "{}", p.cfg_report());
    assert!(!found.contains(&(pointed + 8)) && !found.contains(&(pointed + 9)), "{}", p.cfg_report());
}

const HOSTED: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <regex.h>
int main(int argc, char **argv) {
    regex_t r;
    if (argc < 3 || regcomp(&r, argv[1], 0)) abort();
    printf("%d %s\n", regexec(&r, argv[2], 0, 0, 0), argv[0]);
    return 0;
}
"#;

#[test]
fn a_real_program_stripped_or_not() {
    let bytes = hosted32(HOSTED, &["-O2", "-static"]);
    let image = image::load("full", bytes.clone()).expect("loads");
    let p = cfg::discover(&image, &Options::default());
    check(&p);
    assert!(p.coverage() > 0.99, "{}", p.report());
    assert!(p.unresolved_jumps.len() <= 8, "{}", p.report());

    let stripped = image::load("stripped", strip32(&bytes)).expect("loads");
    let q = cfg::discover(&stripped, &Options::default());
    check(&q);
    assert!(q.coverage() > 0.98, "{}", q.report());
    // Nothing but what is called says where functions begin, and in which state.
    let (all, found) = (entries(&p), entries(&q));
    let missing: Vec<u64> = all.difference(&found).copied().collect();
    assert!(missing.len() * 30 < all.len(), "{missing:x?}");
    let wrong = found.iter().filter(|&f| all.contains(&(f ^ 1)) && !all.contains(f)).count();
    assert!(wrong * 200 < all.len(), "{wrong} functions in the wrong state");
}

#[test]
fn no_text_makes_it_panic() {
    let image = gcc32(MIXED, "S", &[]);
    let segment = *image.segments.iter().find(|s| s.exec).expect("text");
    let mut state = 0x1234_5678_9abc_def1u64;
    for round in 0..300 {
        let mut i = image.clone();
        if round % 2 == 0 {
            i.mapping.clear();
        }
        let mut file = i.file.to_vec();
        let at = i.text[0].start as usize - segment.vaddr as usize + segment.offset as usize;
        for b in &mut file[at..at + i.text[0].len() as usize] {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if round % 3 == 0 || state.is_multiple_of(16) {
                *b = (state >> 32) as u8;
            }
        }
        i.file = file.into();
        let p = cfg::discover(&i, &Options::default());
        check(&p);
        for f in &p.functions {
            let lifted = isa::lift_function(&f.shape, &cfg::ImageCode(&i));
            let problems = ir::verify(&lifted, isa::Isa::A32.file());
            assert!(problems.is_empty(), "{problems:?}\n{lifted:?}");
        }
    }
}
