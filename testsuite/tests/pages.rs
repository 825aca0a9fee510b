//! The generated pages are current.

#[test]
fn pages_are_current() {
    for (name, text) in testsuite::pages::all() {
        let path = testsuite::root().join("docs").join(name);
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(old == text, "docs/{name} is not current; run `cargo xtask docs`");
    }
}
