//! A library at another address: all that an [`Image`] says of addresses, moved.

use crate::Image;

impl Image {
    /// The position-independent image as it is when loaded at `base`: all addresses in it are higher by that. What stands in the
    /// file stays as it is, as before relocation.
    pub fn moved(mut self, base: u64) -> Image {
        debug_assert!(self.position_independent);
        // Libraries without an entry say 0.
        for address in [&mut self.entry, &mut self.phdr] {
            if *address != 0 {
                *address += base;
            }
        }
        self.segments.iter_mut().for_each(|s| s.vaddr += base);
        for r in self.text.iter_mut().chain(&mut self.unwind) {
            r.start += base;
            r.end += base;
        }
        self.symbols.iter_mut().for_each(|s| s.addr += base);
        self.mapping.iter_mut().for_each(|m| m.addr += base);
        self.starts.iter_mut().chain(&mut self.init).for_each(|a| *a += base);
        for p in &mut self.pointers {
            p.at += base;
            p.target += base;
        }
        self
    }

    /// Bytes of the file that are loaded: up to the end of the last segment in it.
    pub fn loaded_bytes(&self) -> &[u8] {
        let end = self.segments.iter().map(|s| s.offset + s.filesz).max().unwrap_or(0);
        &self.file[..(end as usize).min(self.file.len())]
    }
}
