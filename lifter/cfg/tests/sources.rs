//! Each source of entries, on small programs; stripped against unstripped; repeatability; damaged text.

mod support;

use abi::profile::{Finding, Kind};
use cfg::{Options, Source};
use support::*;

const ASM: &str = r#"
        .text
        .globl start
        .type start, %function
start:  bl called
        adr x0, by_adr
        adrp x1, by_adrp
        add x1, x1, :lo12:by_adrp
        ldr x2, =0x123456789abcdef0
        blr x0
        b tail
        .size start, . - start
        .ltorg
called: cbz x0, 1f
        ret
1:      brk #1
by_adr: mov w0, #1
        ret
        .p2align 4
by_adrp: mov w0, #2
        ret
        nop
in_data: mov w0, #3
        svc #0
        ret
tail:   mov x8, #93
        svc #0
2:      b 2b
        .word 0xffffffff
swept:  add x0, x0, #1
        cbnz x0, swept
        ret
        .data
        .p2align 3
        .quad in_data
"#;

#[test]
fn every_source_by_hand() {
    let mut image = gcc(ASM, "S", &[]);
    let at =
        |name: &str| image.symbols.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("{name}")).addr;
    let places = ["start", "called", "by_adr", "by_adrp", "in_data", "tail", "swept"].map(at);
    image.symbols.clear();
    let p = cfg::discover(&image, &Options::default());
    check(&p);
    let found: Vec<Source> = places
        .iter()
        .map(|&a| {
            p.functions
                .iter()
                .find(|f| f.shape.entry.0 == a)
                .unwrap_or_else(|| panic!("{a:x}\n{}", p.cfg_report()))
                .source
        })
        .collect();
    let wanted = [
        Source::Entry,
        Source::Call,
        Source::CodePointer,
        Source::CodePointer,
        Source::DataPointer,
        Source::TailCall,
        Source::Sweep,
    ];
    assert_eq!(found, wanted, "{}", p.cfg_report());
    // The literal and the word that is no instruction are no code.
    assert!(p.gaps.iter().map(|g| g.len()).sum::<u64>() >= 12);
    assert_eq!(p.functions[0].shape.name, format!("sub_{:x}", places[0]));

    let call = |target| Finding { kind: Kind::Call, source: 0, target };
    let profile = Options { findings: [places[6], 0, 3, u64::MAX].map(call).to_vec(), sweep: false };
    let p = cfg::discover(&image, &profile);
    assert_eq!(
        p.functions.iter().find(|f| f.shape.entry.0 == places[6]).map(|f| f.source),
        Some(Source::Profile)
    );
}

#[test]
fn data_in_text_is_left_alone() {
    let source = ".globl start\n.type start, %function\nstart: ldr x0, lit\n b over\nlit: .quad 0x14000000d503201f\n\
                  over: ret\n.size start, . - start\n.word 0xd65f03c0\n";
    let image = gcc(source, "S", &[]);
    assert!(image.mapping.iter().any(|m| !m.code));
    let p = cfg::discover(&image, &Options::default());
    check(&p);
    assert_eq!(p.functions.len(), 1, "{}", p.cfg_report());
    assert_eq!(p.data, 12, "{}", p.report());
    assert_eq!(p.covered, 12);
}

#[test]
fn calls_that_do_not_return_end_blocks() {
    let source = ".globl start\n.type start, %function\nstart: cbz x0, 1f\n bl never\n1: ret\n.size start, . - start\n\
                  .type never, %function\nnever: mov x8, #93\n2: svc #0\n b 2b\n.size never, . - never\n";
    let image = gcc(source, "S", &[]);
    let p = discover(&image);
    let start = function(&p, "start");
    assert_eq!(start.shape.blocks.len(), 3, "{}", p.cfg_report());
}

#[test]
fn equal_names_are_told_apart() {
    let source = ".globl start\n.type start, %function\nstart: bl f\n b 1f\n.type f, %function\nf: ret\n\
                  1: bl g\n ret\n.type g, %function\ng: nop\n ret\n";
    let mut image = gcc(source, "S", &[]);
    for s in &mut image.symbols {
        if s.name == "g" {
            s.name = "f".to_owned();
        }
    }
    let p = discover(&image);
    check(&p);
    assert_eq!(
        p.functions.iter().filter(|f| f.shape.name.starts_with("f.")).count(),
        2,
        "{}",
        p.cfg_report()
    );
}

/// As gcc lays out `work` with a rare branch: the cold part has a symbol and unwind information of its own. `more` stands behind.
fn with_cold_part(more: &str) -> String {
    let filler = "add x1, x1, #1\n eor x1, x1, x0\n".repeat(100);
    format!(
        ".section .text.unlikely,\"ax\"\n.type work.cold, %function\nwork.cold: .cfi_startproc\n\
         bl rare\n b back\n .cfi_endproc\n.size work.cold, . - work.cold\n\
         .text\n.type work, %function\nwork: .cfi_startproc\n cbz x0, work.cold\n\
         back: {filler} cbnz x1, back\n ret\n .cfi_endproc\n.size work, . - work\n\
         .globl start\n.type start, %function\nstart: .cfi_startproc\n bl work\n b start\n .cfi_endproc\n\
         .size start, . - start\n\
         .type rare, %function\nrare: .cfi_startproc\n ret\n .cfi_endproc\n.size rare, . - rare\n{more}"
    )
}

#[test]
fn cold_parts_belong_to_their_function() {
    let source = with_cold_part("");
    let image = gcc(&source, "S", &[]);
    let cold = image.symbols.iter().find(|s| s.name == "work.cold").expect("a cold part").addr;
    assert!(image.unwind.iter().any(|r| r.start == cold));
    for stripped in [false, true] {
        let mut image = image.clone();
        if stripped {
            image.symbols.clear();
        }
        let p = discover(&image);
        check(&p);
        assert!(!entries(&p).contains(&cold), "stripped {stripped}\n{}", p.cfg_report());
        let holders = p.functions.iter().filter(|f| f.shape.blocks.iter().any(|b| b.start.0 == cold)).count();
        assert_eq!(holders, 1, "{}", p.cfg_report());
        assert!(p.coverage() > 0.999, "{}", p.report());
    }
}

/// A cold part to which another function jumps, which is found only later: too much to share, so that it becomes a function again. The search
/// must end, and go on to what nothing names.
#[test]
fn cold_parts_that_others_jump_to_become_functions() {
    let source = with_cold_part(
        "late: stp x29, x30, [sp, #-16]!\n mov x29, sp\n add x0, x0, #2\n ldp x29, x30, [sp], #16\n b work.cold\n\
         orphan: add x0, x0, #3\n ret\n.data\n.balign 8\n.xword late\n",
    );
    let mut image = gcc(&source, "S", &[]);
    let cold = image.symbols.iter().find(|s| s.name == "work.cold").expect("a cold part").addr;
    image.symbols.clear();
    let p = cfg::discover(&image, &cfg::Options::default());
    check(&p);
    assert!(entries(&p).contains(&cold), "{}", p.cfg_report());
    assert!(p.coverage() > 0.999, "{}", p.report());
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
    for args in [&["-O2", "-static"][..], &["-O2", "-static-pie", "-fpie"]] {
        let bytes = hosted(HOSTED, args);
        let image = image::load("full", bytes.clone()).expect("loads");
        let p = cfg::discover(&image, &Options::default());
        check(&p);
        assert!(p.coverage() > 0.99, "{}", p.report());
        assert!(p.unresolved_jumps.len() <= 2, "{}", p.report());

        let stripped = image::load("stripped", strip(&bytes)).expect("loads");
        let q = cfg::discover(&stripped, &Options::default());
        check(&q);
        let (all, found) = (entries(&p), entries(&q));
        let missing: Vec<u64> = all.difference(&found).copied().collect();
        assert!(missing.len() * 100 < all.len(), "{missing:x?}");
        assert!(q.coverage() > 0.99, "{}", q.report());

        // Also without unwind tables, from calls, pointers and the sweep.
        let mut bare = stripped.clone();
        bare.unwind.clear();
        let q = cfg::discover(&bare, &Options::default());
        check(&q);
        assert!(q.coverage() > 0.98, "{}", q.report());
    }
}

#[test]
fn without_section_headers_data_is_not_taken_for_code() {
    let bytes = hosted(HOSTED, &["-O2", "-static"]);
    let full = cfg::discover(&image::load("full", bytes.clone()).expect("loads"), &Options::default());
    let mut bare = strip(&bytes);
    bare[0x28..0x30].fill(0);
    let image = image::load("bare", bare).expect("loads");
    assert!(!image.text_exact);
    let p = cfg::discover(&image, &Options::default());
    check(&p);
    assert!(p.covered * 100 > full.covered * 99, "{} of {}", p.covered, full.covered);
    assert!(p.covered * 100 < full.covered * 103, "{} of {}", p.covered, full.covered);
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let image = image::load("t", hosted(HOSTED, &["-O2", "-static"])).expect("loads");
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("thread pool");
        let p = pool.install(|| cfg::discover(&image, &Options::default()));
        format!("{}{}", p.report(), p.cfg_report())
    };
    assert!(with(1) == with(3), "reports differ");
}

#[test]
fn no_text_makes_it_panic() {
    let image = gcc(ASM, "S", &[]);
    let segment = *image.segments.iter().find(|s| s.exec).expect("text");
    let mut state = 0x1234_5678_9abc_def1u64;
    for round in 0..300 {
        let mut i = image.clone();
        let mut file = i.file.to_vec();
        let text =
            &mut file[image.text[0].start as usize - segment.vaddr as usize + segment.offset as usize..];
        let text = &mut text[..image.text[0].len() as usize];
        for b in text.iter_mut() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if round % 3 == 0 || state.is_multiple_of(16) {
                *b = (state >> 32) as u8;
            }
        }
        i.file = file.into();
        check(&cfg::discover(&i, &Options::default()));
    }
}
