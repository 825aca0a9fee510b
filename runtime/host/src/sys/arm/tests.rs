//! The table of the arm EABI against the `syscalls` crate, and what dispatch needs of its calls.

use super::*;
use crate::sys::table::{PRIVATE, Policy, find, table};
use isa::Isa;
use syscalls::arm::Sysno;
use syscalls::x86_64::Sysno as Host;

#[test]
fn every_number_has_a_row() {
    for guest in Sysno::iter() {
        let row = find(Isa::A32, guest.id() as u64);
        assert_eq!(row.map(|r| r.name), Some(guest.name()));
    }
    let rows = table(Isa::A32);
    assert!(rows.windows(2).all(|w| w[0].nr < w[1].nr), "in order, each once");
    assert!(rows.iter().all(|r| std::ptr::eq(find(Isa::A32, r.nr as u64).unwrap(), r)));
    for none in [7, 17, 90, 102, 113, 117, 402, 415, 447, PRIVATE as u64, PRIVATE as u64 + 7, u64::MAX] {
        assert!(find(Isa::A32, none).is_none(), "{none}");
    }
}

#[test]
fn hosts_calls_exist_and_reasons_are_given() {
    for r in table(Isa::A32) {
        if let Some(h) = r.host {
            assert!(Host::new(h as usize).is_some(), "{}", r.name);
        }
        assert_eq!(r.note.is_empty(), matches!(r.policy, Policy::Forward), "{}", r.name);
        assert!(
            r.host.is_some()
                || !matches!(r.policy, Policy::Forward | Policy::Shaped(..))
                || r.name == "sigaltstack"
        );
        assert!(r.args.len() <= 6, "{}", r.name);
        if let Policy::Shaped(parts, _) = r.policy {
            assert!(parts.iter().all(|p| p.arg < r.args.len()), "{}", r.name);
            assert!(parts.len() <= crate::sys::shape::PARTS);
        }
    }
}

/// Pairs begin at even registers, as the EABI wants it.
#[test]
fn pairs_are_aligned() {
    for r in table(Isa::A32) {
        for (i, a) in r.args.iter().enumerate().filter(|(_, a)| **a == Arg::Pair) {
            // preadv and its like pass two longs, which are no pair.
            let longs = r.name.starts_with("preadv") || r.name.starts_with("pwritev");
            assert!(i % 2 == 0 || longs, "{}", r.name);
            assert_eq!(r.args[i + 1], Arg::Skip, "{} {a:?}", r.name);
        }
    }
}

#[test]
fn signed_arguments_are_extended() {
    let mut s = GuestState::default();
    s.x[1] = 0xffff_fffe;
    s.x[2] = 0xffff_ffff;
    let lseek = find(Isa::A32, Sysno::lseek as u64).unwrap();
    assert_eq!(arguments(lseek, &s)[1..3], [-2i64 as u64, 0xffff_ffff]);
}
