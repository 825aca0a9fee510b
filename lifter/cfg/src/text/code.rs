//! An image's text as code to lift.

use image::Image;
use ir::GuestAddr;
use isa::Code;

/// An image's text as instruction words.
pub struct ImageCode<'a>(pub &'a Image);

impl ImageCode<'_> {
    fn is_code(&self, addr: u64, size: u64) -> bool {
        let segment = self.0.segment_at(addr).filter(|s| s.exec);
        addr.is_multiple_of(size) && segment.is_some_and(|s| s.file_backed().contains(addr))
    }
}

impl Code for ImageCode<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        if self.is_code(pc.0, 4) { self.0.u32_at(pc.0) } else { None }
    }

    fn half(&self, pc: GuestAddr) -> Option<u16> {
        if !self.is_code(pc.0, 2) {
            return None;
        }
        Some(u16::from_le_bytes(self.0.bytes_at(pc.0, 2)?.try_into().ok()?))
    }
}
