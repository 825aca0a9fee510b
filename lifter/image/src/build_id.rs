//! Build ids of ELF files for any machine, host programs among them.

use object::{Object, ReadCache};
use std::fs::File;
use std::io;

/// The build id that the linker gave the file (`.note.gnu.build-id`), if any. Reads headers and notes only, however large the file is.
///
/// # Errors
/// The file cannot be read, or is no object file.
pub fn build_id(file: File) -> io::Result<Option<Vec<u8>>> {
    let file = ReadCache::new(file);
    let id = |file: &ReadCache<File>| Ok(object::File::parse(file)?.build_id()?.map(<[u8]>::to_vec));
    id(&file).map_err(|e: object::Error| io::Error::new(io::ErrorKind::InvalidData, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn ids_of_files() {
        // This test's own file has one or not, as its linker was told; what is no object file is an error.
        let own = build_id(File::open(std::env::current_exe().unwrap()).unwrap()).unwrap();
        assert!(own.is_none_or(|id| id.len() >= 8));
        let mut text = tempfile::NamedTempFile::new().unwrap();
        text.write_all(&[b'x'; 100]).unwrap();
        assert!(build_id(File::open(text.path()).unwrap()).is_err());
    }
}
