//! `docs/coverage-ledger.md` is current, and an encoding never gets worse in it. `XLATE_UPDATE_DOCS=1` rewrites it, if
//! nothing got worse; if that is meant, delete the page first and say why in the commit.

use testsuite::insns::{ledger, shrunk};

#[test]
fn the_ledger_is_current_and_only_grows() {
    let path = testsuite::root().join("docs/coverage-ledger.md");
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let new = ledger();
    let worse = shrunk(&old, &new);
    assert!(
        worse.is_empty(),
        "{} encodings are worse than docs/coverage-ledger.md says: {worse:#?}",
        worse.len()
    );
    if std::env::var_os("XLATE_UPDATE_DOCS").is_some() {
        std::fs::write(&path, new).expect("the page can be written");
    } else {
        assert!(old == new, "docs/coverage-ledger.md is not current; run this test with XLATE_UPDATE_DOCS=1");
    }
}
