//! The target on whole files: loading, every text that shows an image, and the discovery of its code.

use super::{Source, elf, mutate};
use std::collections::HashSet;

/// Arbitrary bytes, or damage to a well-formed file → load → discover. See [`examine`].
pub fn image(data: &[u8]) {
    let s = &mut Source::new(data);
    let file = match s.byte() & 3 {
        0 => s.rest().to_vec(),
        1 => {
            let count = 1 + s.below(256);
            let words: Vec<u32> = (0..count).map(|i| s.instruction(i, count)).collect();
            elf::tiny(&words)
        }
        _ => mutate::damage(&elf::rich(), s),
    };
    examine(file);
}

/// Loads `file` and discovers its code, and checks what every result must hold. Gives the image if it loaded.
pub fn examine(file: Vec<u8>) -> Option<image::Image> {
    let image = match image::load("the-input", file) {
        Ok(image) => image,
        Err(e) => {
            let text = e.to_string();
            // The file's name first, what is wrong, and behind a semicolon what to do.
            assert!(text.starts_with("the-input: ") && text.contains("; "), "{text}");
            assert!(text.contains("offset 0x"), "{text}");
            return None;
        }
    };
    let shown = image.to_string();
    assert!(!shown.is_empty());
    let program = cfg::discover(&image, &cfg::Options::default());
    let _ = (program.report().to_string(), program.cfg_report().to_string());
    let mut names = HashSet::new();
    for f in &program.functions {
        let shape = &f.shape;
        assert!(names.insert(&shape.name), "two functions {}", shape.name);
        assert!(shape.blocks.iter().any(|b| b.start == shape.entry), "{}: no entry block", shape.name);
        assert!(shape.blocks.is_sorted_by(|a, b| a.end <= b.start), "{}: blocks overlap", shape.name);
        for b in &shape.blocks {
            let whole = b.start < b.end && image.is_text(b.start.0) && image.is_text(b.end.0 - 1);
            assert!(whole, "{}: block {}–{} is not text", shape.name, b.start, b.end);
        }
    }
    assert!(program.covered + program.gaps.iter().map(image::Range::len).sum::<u64>() == program.text);
    Some(image)
}
