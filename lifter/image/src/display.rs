//! The text of an image, for `xlate inspect`: stable, one fact a line.

use crate::{FloatAbi, Image};
use isa::Isa;
use std::fmt;

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match (self.position_independent, &self.linker) {
            (true, None) => "static PIE",
            (false, None) => "executable",
            (true, Some(_)) => "PIE, dynamically linked",
            (false, Some(_)) => "executable, dynamically linked",
        };
        let isa = match (self.isa, self.float_abi) {
            (Isa::A64, _) => "AArch64",
            (Isa::A32, FloatAbi::Hard) => "AArch32 hard-float",
            (Isa::A32, FloatAbi::Soft) => "AArch32 soft-float",
            (Isa::A32, FloatAbi::Unknown) => "AArch32",
        };
        writeln!(f, "{isa} {kind}, entry {:#x}", self.entry)?;
        if let Some(linker) = &self.linker {
            writeln!(f, "dynamic linker {}", linker.to_string_lossy())?;
        }
        if let Some(id) = &self.build_id {
            let hex: String = id.iter().map(|b| format!("{b:02x}")).collect();
            writeln!(f, "build id {hex}")?;
        }
        let stack = if self.exec_stack { "executable" } else { "not executable" };
        writeln!(f, "program headers {} at {:#x}; stack {stack}", self.phnum, self.phdr)?;
        for s in &self.segments {
            let flag = |on, c| if on { c } else { '-' };
            let prot: String = [flag(s.read, 'r'), flag(s.write, 'w'), flag(s.exec, 'x')].iter().collect();
            writeln!(
                f,
                "segment {:#x} +{:#x} {prot} from {:#x} +{:#x}",
                s.vaddr, s.memsz, s.offset, s.filesz
            )?;
        }
        for t in &self.text {
            writeln!(f, "text {:#x}..{:#x}", t.start, t.end)?;
        }
        for s in &self.symbols {
            let kind = if s.function { "function" } else { "object" };
            writeln!(f, "{kind} {:#x} +{:#x} {}", s.addr, s.size, s.name)?;
        }
        writeln!(
            f,
            "{} mapping symbols, {} unwind ranges, {} relocated pointers, {} initialisers",
            self.mapping.len(),
            self.unwind.len(),
            self.pointers.len(),
            self.init.len()
        )?;
        if !self.starts.is_empty() {
            writeln!(f, "{} functions in the exception index", self.starts.len())?;
        }
        self.diagnostics.iter().try_for_each(|d| writeln!(f, "note: {d}"))
    }
}
