//! Files of the process in /proc that would show the runtime instead of the guest: maps, smaps, auxv, stat, and the CPU of
//! /proc/cpuinfo. Takes an open, gives a descriptor of a memory file with the guest's view; everything else in /proc
//! (cmdline, fd …) is true as it is, because a translated program is a process with its own file and arguments; exe is one of the
//! names of its file (see `own`).

use super::exec::read_link;
use super::layout::open_flags_to_host;
use super::memory_file::MemoryFile;
use super::{Call, file, identity, own};
use crate::hostcall::syscall;
use crate::mem::{EXEC, Kind, PAGE, READ, Vma, WRITE};
use crate::thread::Process;
use isa::{Isa, a32, a64};
use std::ffi::{CStr, CString};
use std::fmt::Write;

/// A file with a guest view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum View {
    Maps,
    Smaps,
    Auxv,
    Stat,
    CpuInfo,
}

const VIEWS: [(&str, View); 5] = [
    ("maps", View::Maps),
    ("smaps", View::Smaps),
    ("auxv", View::Auxv),
    ("stat", View::Stat),
    ("cpuinfo", View::CpuInfo),
];

/// True if the number is this process's, or that of a thread of it, under which the kernel shows the process, too.
fn is_own(id: i64) -> bool {
    id == syscall(libc::SYS_getpid, [0; 6]) || std::path::Path::new(&format!("/proc/self/task/{id}")).exists()
}

/// Which view the absolute path names; `is_own` tells the numbers under which this process goes.
fn view(path: &str, is_own: impl Fn(i64) -> bool) -> Option<View> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    let of = |name: &str| VIEWS.iter().find(|v| v.0 == name).map(|v| v.1);
    let own = |p: &str| p == "self" || p == "thread-self" || p.parse().is_ok_and(&is_own);
    match parts[..] {
        ["proc", "cpuinfo"] => Some(View::CpuInfo),
        ["proc", process, name] if own(process) => of(name).filter(|v| *v != View::CpuInfo),
        ["proc", process, "task", _, name] if own(process) => of(name).filter(|v| *v != View::CpuInfo),
        _ => None,
    }
}

/// If the file at `path` (a guest address) has a guest view: the result of opening it.
pub fn open(c: &Call<'_>, dirfd: i32, path: u64, flags: u32) -> Option<i64> {
    let name = file::path(path).ok()?;
    let name = std::str::from_utf8(&name).ok()?;
    // Most opens end here.
    let last = name.rsplit('/').next().unwrap_or_default();
    if !VIEWS.iter().any(|v| v.0 == last) {
        return None;
    }
    let full = if name.starts_with('/') {
        name.to_owned()
    } else {
        let base = match dirfd {
            libc::AT_FDCWD => "/proc/thread-self/cwd".to_owned(),
            fd => format!("/proc/thread-self/fd/{fd}"),
        };
        format!("{}/{name}", String::from_utf8(read_link(base.as_bytes()).ok()?).ok()?)
    };
    let view = view(&full, is_own)?;
    let flags = open_flags_to_host(flags as u64);
    // The true file first: it says what is wrong, and is the lowest free descriptor.
    let real = syscall(libc::SYS_openat, [dirfd as i64 as u64, path, flags, 0, 0, 0]);
    if real < 0 || flags & libc::O_PATH as u64 != 0 {
        return Some(real);
    }
    let text = match view {
        View::Maps => maps(c.thread.process, &read_whole(&full), false).into_bytes(),
        View::Smaps => maps(c.thread.process, &read_whole(&full), true).into_bytes(),
        View::Auxv => identity::auxv_bytes(c),
        View::Stat => stat(c.thread.process, &read_whole(&full)).into_bytes(),
        View::CpuInfo => {
            let processors = read_whole("/proc/cpuinfo").matches("processor\t").count().max(1);
            cpuinfo(c.thread.process.isa(), processors).into_bytes()
        }
    };
    let Ok(label) = CString::new(last) else { return Some(real) };
    let file = MemoryFile { name: &label, bytes: &text, mtime: None };
    // Without a memory file the true one is better than nothing.
    let _ = file.replace(real as u64, flags & libc::O_CLOEXEC as u64);
    Some(real)
}

fn read_whole(path: &str) -> String {
    std::fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
}

/// A line of the host's maps.
struct HostLine<'a> {
    start: u64,
    end: u64,
    shared: bool,
    offset: u64,
    device: &'a str,
    inode: &'a str,
    name: &'a str,
}

fn host_line(line: &str) -> Option<HostLine<'_>> {
    // Addresses, permissions, offset, device, inode; then the name, which may contain blanks.
    let mut rest = line;
    let mut word = || {
        rest = rest.trim_start_matches(' ');
        let end = rest.find(' ').unwrap_or(rest.len());
        let (w, r) = rest.split_at(end);
        rest = r;
        w
    };
    let (range, permissions, offset, device, inode) = (word(), word(), word(), word(), word());
    let (start, end) = range.split_once('-')?;
    Some(HostLine {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        shared: permissions.as_bytes().get(3)? == &b's',
        offset: u64::from_str_radix(offset, 16).ok()?,
        device,
        inode,
        name: rest.trim_start_matches(' '),
    })
}

/// The guest's part of the host's maps (or smaps), with the guest's protections and names.
fn maps(process: &Process, host: &str, details: bool) -> String {
    let areas = process.mem.areas();
    let segment_offset = |at: u64| {
        let link = at.wrapping_sub(process.image.bias);
        let s = process
            .image
            .segments()
            .iter()
            .find(|s| link >= s.vaddr & !(PAGE - 1) && link < s.vaddr + s.memsz)?;
        Some((s.offset & !(PAGE - 1)) + (link - (s.vaddr & !(PAGE - 1))))
    };
    let lines = || host.lines().filter_map(host_line);
    let output = lines().find(|h| (h.start..h.end).contains(&process.own.address()));
    let mut out = String::new();
    let mut shown = false;
    for line in host.lines() {
        let Some(h) = host_line(line)
            .filter(|_| line.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_lowercase()))
        else {
            // Details of smaps belong to the line before.
            if details && shown {
                out.push_str(line);
                out.push('\n');
            }
            continue;
        };
        // What the program mapped of its own file is of the output, as its segments are.
        let h = match &output {
            Some(o) if h.name == own::VIEW => {
                HostLine { device: o.device, inode: o.inode, name: o.name, ..h }
            }
            _ => h,
        };
        let h = match (&output, process.own.name().map(CStr::to_str)) {
            (Some(o), Some(Ok(name))) if h.name == o.name => HostLine { name, ..h },
            _ => h,
        };
        shown = false;
        for v in areas.iter().filter(|v| v.start < h.end && v.end > h.start) {
            area_line(&mut out, process.isa(), v, &h, segment_offset(v.start.max(h.start)));
            shown = true;
        }
    }
    out
}

fn area_line(out: &mut String, isa: Isa, v: &Vma, h: &HostLine<'_>, segment_offset: Option<u64>) {
    let (start, end) = (v.start.max(h.start), v.end.min(h.end));
    let bit = |b: u32, c: char| if v.prot & b != 0 { c } else { '-' };
    let from_file = h.inode != "0";
    let offset = match v.kind {
        Kind::Image if from_file => segment_offset.unwrap_or(h.offset),
        _ if from_file => h.offset + (start - h.start),
        _ => 0,
    };
    let name = match v.kind {
        Kind::Heap => "[heap]",
        Kind::Stack => "[stack]",
        Kind::Trampoline if isa == Isa::A32 => "[vectors]",
        Kind::Trampoline => "[vdso]",
        // What the host calls heap or stack is the runtime's.
        Kind::Image | Kind::Mapped | Kind::Growing
            if h.name.starts_with("[heap") || h.name.starts_with("[stack") =>
        {
            ""
        }
        Kind::Image | Kind::Mapped | Kind::Growing => h.name,
    };
    let flags = [bit(READ, 'r'), bit(WRITE, 'w'), bit(EXEC, 'x'), if h.shared { 's' } else { 'p' }];
    let mut line =
        format!("{start:08x}-{end:08x} {} {offset:08x} {} {}", String::from_iter(flags), h.device, h.inode);
    if !name.is_empty() {
        // The name begins in column 73 as the kernel pads it.
        line = format!("{line:<73}{name}");
    } else {
        line.push(' ');
    }
    let _ = writeln!(out, "{line}");
}

/// /proc/self/stat with the addresses of the guest's code, stack and heap.
fn stat(process: &Process, host: &str) -> String {
    let Some((head, tail)) = host.rsplit_once(')') else { return host.to_owned() };
    let mut fields: Vec<String> = tail.split_ascii_whitespace().map(str::to_owned).collect();
    let areas = process.mem.areas();
    let image = |exec: bool| {
        let mut of = areas.iter().filter(|v| v.kind == Kind::Image && (v.prot & EXEC != 0) == exec);
        let first = of.next().map_or(0, |v| v.start);
        (
            first,
            of.next_back()
                .map_or_else(|| areas.iter().find(|v| v.start == first).map_or(0, |v| v.end), |v| v.end),
        )
    };
    let ((code, code_end), (data, data_end)) = (image(true), image(false));
    // Random bytes lie above the initial stack pointer, as the vectors do not; nothing of a frame is above them.
    let stack = process.auxv.iter().find(|(k, _)| *k == libc::AT_RANDOM).map_or(0, |(_, v)| v & !15);
    // Field numbers of proc(5); the first two stand before the ')'.
    let heap = process.mem.heap().0;
    for (field, value) in [(26, code), (27, code_end), (28, stack), (45, data), (46, data_end), (47, heap)] {
        if let Some(f) = fields.get_mut(field - 3).filter(|f| *f != "0") {
            *f = value.to_string();
        }
    }
    format!("{head}) {}\n", fields.join(" "))
}

/// /proc/cpuinfo of an arm64 machine with that many processors; for a 32-bit program, as such a machine shows it to them.
fn cpuinfo(isa: Isa, processors: usize) -> String {
    let mut out = String::new();
    let (names, midr): (Vec<&str>, u64) = match isa {
        Isa::A64 => (a64::features::cpuinfo_names().collect(), a64::features::MIDR),
        Isa::A32 => (a32::features::cpuinfo_names().collect(), a32::features::MIDR),
    };
    let model = match isa {
        Isa::A64 => String::new(),
        Isa::A32 => format!("model name\t: ARMv8 Processor rev {} (v8l)\n", midr & 0xf),
    };
    for n in 0..processors {
        // The kernel computes BogoMIPS from the counter: its frequency / 500 000.
        let mips = abi::COUNTER_HZ / 500_000;
        let _ = write!(
            out,
            "processor\t: {n}\n{model}BogoMIPS\t: {mips}.00\nFeatures\t: {}\nCPU implementer\t: 0x{:02x}\n\
             CPU architecture: 8\nCPU variant\t: 0x{:x}\nCPU part\t: 0x{:03x}\nCPU revision\t: {}\n\n",
            names.join(" "),
            midr >> 24 & 0xff,
            midr >> 20 & 0xf,
            midr >> 4 & 0xfff,
            midr & 0xf,
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_process() {
        let own = |id| matches!(id, 42 | 44);
        assert_eq!(view("/proc/44/maps", own), Some(View::Maps));
        assert_eq!(view("/proc/self/maps", own), Some(View::Maps));
        assert_eq!(view("//proc/./42/auxv", own), Some(View::Auxv));
        assert_eq!(view("/proc/thread-self/stat", own), Some(View::Stat));
        assert_eq!(view("/proc/42/task/43/smaps", own), Some(View::Smaps));
        assert_eq!(view("/proc/cpuinfo", own), Some(View::CpuInfo));
        for other in ["/proc/43/maps", "/proc/self/cpuinfo", "/proc/stat", "/tmp/maps", "maps"] {
            assert_eq!(view(other, own), None);
        }
    }

    #[test]
    fn maps_lines() {
        let line = "7f00-8f00 r--s 00001000 fd:01 1234                       /a file (deleted)";
        let h = host_line(line).unwrap();
        assert_eq!((h.start, h.end, h.offset, h.device, h.inode), (0x7f00, 0x8f00, 0x1000, "fd:01", "1234"));
        assert_eq!(h.name, "/a file (deleted)");
        let mut out = String::new();
        let v = Vma { start: 0x7f00, end: 0x8000, prot: READ | EXEC, kind: Kind::Mapped };
        area_line(&mut out, Isa::A64, &v, &h, None);
        assert_eq!(
            out.split_at(73),
            (
                "00007f00-00008000 r-xs 00001000 fd:01 1234                               ",
                "/a file (deleted)\n"
            )
        );
    }

    #[test]
    fn cpuinfo_lists_features() {
        let text = cpuinfo(Isa::A64, 2);
        assert_eq!(text.matches("processor\t: ").count(), 2);
        assert!(text.contains("Features\t: fp asimd") && text.contains("CPU architecture: 8\n"));
        let text = cpuinfo(Isa::A32, 1);
        assert!(text.starts_with("processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nBogoMIPS\t: "));
        assert!(
            text.contains("Features\t: swp half thumb ") && text.contains(" sb\nCPU implementer\t: 0x41\n")
        );
    }
}
