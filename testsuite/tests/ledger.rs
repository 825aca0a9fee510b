//! `docs/coverage-ledger*.md` are current, and an encoding never gets worse in them. `XLATE_UPDATE_DOCS=1` rewrites them, if
//! nothing got worse; if that is meant, delete the page first and say why in the commit.

use testsuite::insns::{LEDGERS, ledger, shrunk};

#[test]
fn the_ledgers_are_current_and_only_grow() {
    for (name, set) in LEDGERS {
        let path = testsuite::root().join("docs").join(name);
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        let new = ledger(set);
        let worse = shrunk(&old, &new);
        assert!(worse.is_empty(), "{} encodings are worse than docs/{name} says: {worse:#?}", worse.len());
        if std::env::var_os("XLATE_UPDATE_DOCS").is_some() {
            std::fs::write(&path, new).expect("the page can be written");
        } else {
            assert!(old == new, "docs/{name} is not current; run this test with XLATE_UPDATE_DOCS=1");
        }
    }
}
