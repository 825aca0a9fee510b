//! Where dynamic linkers look for libraries, besides what programs ask for: the configuration of glibc's `ldconfig` and of
//! musl, and the defaults. And the variables in what programs ask for (ld.so(8), "Dynamic string tokens").

use super::sysroot::Sysroot;
use isa::Isa;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Bytes of a path, the final NUL included (linux/limits.h).
const PATH_MAX: usize = 4096;

/// Configuration files, and names that one pattern gives, beyond that are not read.
const MOST_FILES: usize = 256;

/// Bytes of a configuration file beyond that are not read.
const LIMIT: u64 = 1 << 20;

/// Values of the variables that are the same for all files of a program.
#[derive(Clone, Debug)]
pub(super) struct Variables {
    /// $LIB: Debian's directories below / and /usr.
    pub lib: String,
    /// $PLATFORM: AT_PLATFORM.
    pub platform: &'static str,
}

impl Variables {
    /// `text` with $ORIGIN, $LIB and $PLATFORM, in braces or not, replaced. `None` if no path can be that long.
    pub(super) fn expand(&self, text: &[u8], origin: &Path) -> Option<PathBuf> {
        let values: [(&[u8], &[u8]); 3] = [
            (b"ORIGIN", origin.as_os_str().as_bytes()),
            (b"LIB", self.lib.as_bytes()),
            (b"PLATFORM", self.platform.as_bytes()),
        ];
        let mut out = Vec::new();
        let mut rest = text;
        while let Some((&byte, behind)) = rest.split_first() {
            let found = values.iter().filter(|_| byte == b'$').find_map(|(name, value)| {
                let braced =
                    behind.strip_prefix(b"{").and_then(|b| b.strip_prefix(*name)?.strip_prefix(b"}"));
                braced.or_else(|| behind.strip_prefix(*name)).map(|rest| (*value, rest))
            });
            let (value, next) = found.unwrap_or((&rest[..1], behind));
            out.extend_from_slice(value);
            rest = next;
            if out.len() >= PATH_MAX {
                return None;
            }
        }
        Some(PathBuf::from(OsString::from_vec(out)))
    }
}

/// What glibc's linker finds through ld.so.cache, which `ldconfig` makes of /etc/ld.so.conf, and its defaults, with Debian's.
pub(super) fn glibc(root: &Sysroot, isa: Isa, triplet: &str) -> Vec<PathBuf> {
    let mut list = Vec::new();
    let mut files = MOST_FILES;
    configuration(root, Path::new("/etc/ld.so.conf"), &mut files, &mut list);
    list.extend([format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")].map(PathBuf::from));
    if isa == Isa::A64 {
        list.extend(["/lib64", "/usr/lib64"].map(PathBuf::from));
    }
    list.extend(["/lib", "/usr/lib"].map(PathBuf::from));
    list
}

/// What musl's linker of that path searches: the file /etc/ld-musl-ARCH.path, seen from the linker's directory, or else its
/// defaults.
pub(super) fn musl(root: &Sysroot, linker: &Path) -> Vec<PathBuf> {
    let arch = linker.file_name().and_then(|n| n.to_str()?.strip_prefix("ld-musl-")?.split('.').next());
    let prefix = linker.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let file = arch.map(|arch| prefix.join(format!("etc/ld-musl-{arch}.path")));
    let text = file.and_then(|f| read(&root.resolve(&f)?));
    let text = text.as_deref().unwrap_or(b"/lib:/usr/local/lib:/usr/lib");
    let parts = text.split(|b| matches!(b, b':' | b'\n')).filter(|part| !part.is_empty());
    parts.take(MOST_FILES).map(|part| Path::new(OsStr::from_bytes(part)).to_owned()).collect()
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let meta = std::fs::metadata(path).ok()?;
    (meta.is_file() && meta.len() <= LIMIT).then(|| std::fs::read(path).ok()).flatten()
}

/// Adds the directories of a configuration file (ldconfig(8)) and of those that it includes.
fn configuration(root: &Sysroot, file: &Path, files: &mut usize, list: &mut Vec<PathBuf>) {
    let Some(left) = files.checked_sub(1) else { return };
    *files = left;
    let Some(text) = root.resolve(file).and_then(|f| read(&f)) else { return };
    for line in text.split(|b| *b == b'\n') {
        let line = line.split(|b| *b == b'#').next().unwrap_or_default().trim_ascii();
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        match line.strip_prefix(b"include").filter(|rest| rest.first().is_some_and(blank)) {
            Some(patterns) => {
                for pattern in patterns.split(blank).filter(|p| !p.is_empty()) {
                    // A relative one is meant from the file's directory.
                    let pattern = file.with_file_name(OsStr::from_bytes(pattern));
                    for included in glob(root, &pattern) {
                        configuration(root, &included, files, list);
                    }
                }
            }
            None => {
                // Behind `=` stood the kind of C library once.
                let directory = line.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
                // `hwcap` lines are no paths.
                if directory.starts_with(b"/") && list.len() < MOST_FILES {
                    list.push(PathBuf::from(OsStr::from_bytes(directory)));
                }
            }
        }
    }
}

/// Guest paths of files that the absolute `pattern` names, sorted; `*` and `?` stand for what they do in a shell.
fn glob(root: &Sysroot, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components().map(|c| c.as_os_str()) {
        if !part.as_bytes().iter().any(|b| matches!(b, b'*' | b'?')) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let mut next = Vec::new();
        for directory in found {
            let entries = root.resolve(&directory).and_then(|d| std::fs::read_dir(d).ok());
            let names = entries.into_iter().flatten().flatten().map(|e| e.file_name());
            let fits = |name: &OsString| matches(part.as_bytes(), name.as_bytes());
            next.extend(names.filter(fits).map(|name| directory.join(name)));
        }
        next.sort();
        next.truncate(MOST_FILES);
        found = next;
    }
    found
}

/// True if a file's name fits a shell's pattern of `*` and `?`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.starts_with(b".") && !pattern.starts_with(b".") {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stands and how much of the name is behind what it stands for.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced() {
        let v = Variables { lib: "lib/aarch64-linux-gnu".into(), platform: "aarch64" };
        let expand = |text: &str| v.expand(text.as_bytes(), Path::new("/opt/app"));
        for (text, want) in [
            ("$ORIGIN/../lib", "/opt/app/../lib"),
            ("${ORIGIN}x", "/opt/appx"),
            ("/usr/$LIB/${PLATFORM}", "/usr/lib/aarch64-linux-gnu/aarch64"),
            ("/a$", "/a$"),
            ("/$OTHER/${LIB", "/$OTHER/${LIB"),
            ("", ""),
        ] {
            assert_eq!(expand(text), Some(PathBuf::from(want)), "{text}");
        }
        assert_eq!(expand(&"$ORIGIN".repeat(600)), None);
    }

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, fits) in [
            ("*.conf", "libc.conf", true),
            ("*.conf", ".conf", false),
            (".*", ".conf", true),
            ("*", "", true),
            ("a?c*", "abcd", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbxx", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} {name}");
        }
    }
}
