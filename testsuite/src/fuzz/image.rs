//! The target on whole files: loading, every text that shows an image, and the discovery of its code.

use super::instructions::Instructions;
use super::{Source, elf, mutate};
use std::collections::HashSet;

/// Arbitrary bytes, or damage to a well-formed file → load → discover. See [`examine`].
pub fn image(data: &[u8]) {
    let s = &mut Source::new(data);
    let file = match s.byte() & 3 {
        0 => s.rest().to_vec(),
        1 => {
            let (target, count) = (s.guest(), 1 + s.below(256));
            elf::tiny(target, &Instructions::draw(s, target, count).bytes())
        }
        _ => {
            let target = s.guest();
            mutate::damage(target, &elf::rich(target.isa()), s)
        }
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
            let (start, end) = (image.isa.bytes_at(b.start.0), image.isa.bytes_at(b.end.0));
            let whole = start < end && image.is_text(start) && image.is_text(end - 1);
            assert!(whole, "{}: block {}–{} is not text", shape.name, b.start, b.end);
        }
    }
    assert!(program.covered + program.gaps.iter().map(image::Range::len).sum::<u64>() == program.text);
    Some(image)
}
