//! Which guest paths are looked for in a sysroot, and where sysroots usually are: the same for the translator, which finds
//! libraries, and the runtime, whose guest opens them.

use std::ffi::CStr;

/// Trees that are the host's in any case: the kernel's file systems, and what programs share.
const HOST: [&[u8]; 8] = [b"proc", b"sys", b"dev", b"tmp", b"run", b"home", b"root", b"mnt"];

/// Where Debian's and others' cross libraries are, by the end of the dynamic linker's name.
const CROSS: [(&[u8], &CStr); 6] = [
    (b"ld-linux-aarch64.so.1", c"/usr/aarch64-linux-gnu"),
    (b"ld-linux-armhf.so.3", c"/usr/arm-linux-gnueabihf"),
    (b"ld-linux.so.3", c"/usr/arm-linux-gnueabi"),
    (b"ld-musl-aarch64.so.1", c"/usr/aarch64-linux-musl"),
    (b"ld-musl-armhf.so.1", c"/usr/arm-linux-musleabihf"),
    (b"ld-musl-arm.so.1", c"/usr/arm-linux-musleabi"),
];

/// True if `path`, absolute, is looked for in a sysroot before it is taken as the host's.
pub fn covers(path: &[u8]) -> bool {
    let first = path
        .strip_prefix(b"/")
        .and_then(|inside| inside.split(|b| *b == b'/').find(|part| !part.is_empty() && *part != b"."));
    first.is_some_and(|first| !HOST.contains(&first) && first != b"..")
}

/// The directory with cross libraries of which `linker` is the dynamic linker; its last part is their triplet.
pub fn cross(linker: &CStr) -> Option<&'static CStr> {
    CROSS.iter().find(|(name, _)| linker.to_bytes().ends_with(name)).map(|(_, directory)| *directory)
}
