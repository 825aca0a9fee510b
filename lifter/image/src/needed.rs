//! Entries of the dynamic section that name other files → [`Dynamic`]. Takes them with the string table; what is damaged is left
//! out with a diagnostic.

use crate::elf::{self as file, Table};
use crate::{Dynamic, Image};
use object::elf;
use std::ffi::CStr;

/// Fills [`Image::dynamic`] from the section's `entries`. Takes time and memory in proportion to the file's size.
pub(crate) fn read(image: &mut Image, entries: Table<'_, file::Dynamic>, strings: &[u8]) {
    // A sound table ends with a NUL; behind the last one there is no string, so that each search for an end finds one.
    let end = strings.iter().rposition(|&b| b == 0).map_or(0, |last| last + 1);
    let strings = &strings[..end];
    // Entries of a damaged file may name one long string many times.
    let mut budget = image.file.len();
    let mut damaged = 0;
    let mut dynamic = Dynamic::default();
    for e in entries.iter().take_while(|e| e.tag != elf::DT_NULL) {
        if !matches!(e.tag, elf::DT_NEEDED | elf::DT_SONAME | elf::DT_RPATH | elf::DT_RUNPATH) {
            continue;
        }
        let found = usize::try_from(e.value).ok().and_then(|at| strings.get(at..));
        let Some(string) = found.and_then(|s| CStr::from_bytes_until_nul(s).ok()) else {
            damaged += 1;
            continue;
        };
        let Some(left) = budget.checked_sub(string.count_bytes() + 1) else {
            image
                .diagnostics
                .push("the dynamic section names more than the file holds: the rest ignored".to_owned());
            break;
        };
        budget = left;
        if e.tag == elf::DT_NEEDED && string.is_empty() {
            damaged += 1;
            continue;
        }
        let string = string.to_owned();
        // As for the dynamic linker, the last entry of a kind counts.
        match e.tag {
            elf::DT_NEEDED => dynamic.needed.push(string),
            elf::DT_SONAME => dynamic.soname = Some(string),
            elf::DT_RPATH => dynamic.rpath = Some(string),
            _ => dynamic.runpath = Some(string),
        }
    }
    if damaged > 0 {
        let text = format!("{damaged} entries of the dynamic section name no file or directory, ignored");
        image.diagnostics.push(text);
    }
    image.dynamic = dynamic;
}
