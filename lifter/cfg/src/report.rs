//! Texts of what was found, for people and snapshots: stable from run to run.

use crate::{Program, Source};
use std::fmt;

impl Source {
    /// All sources, most trusted first.
    pub const ALL: [Source; 10] = [
        Source::Entry,
        Source::Symbol,
        Source::Init,
        Source::Unwind,
        Source::Call,
        Source::TailCall,
        Source::CodePointer,
        Source::DataPointer,
        Source::Profile,
        Source::Sweep,
    ];

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Entry => "entry",
            Source::Symbol => "symbol",
            Source::Init => "init",
            Source::Unwind => "unwind",
            Source::Call => "call",
            Source::TailCall => "tail-call",
            Source::CodePointer => "code-pointer",
            Source::DataPointer => "data-pointer",
            Source::Profile => "profile",
            Source::Sweep => "sweep",
        }
    }
}

impl Program {
    /// Covered bytes as part of the text that is neither padding nor data, 0 to 1.
    pub fn coverage(&self) -> f64 {
        let code = self.text.saturating_sub(self.padding + self.data);
        if code == 0 { 1.0 } else { self.covered as f64 / code as f64 }
    }

    /// Number of functions that `source` named first.
    pub fn count(&self, source: Source) -> usize {
        self.functions.iter().filter(|f| f.source == source).count()
    }

    /// What `--emit coverage` prints.
    pub fn report(&self) -> CoverageReport<'_> {
        CoverageReport(self)
    }

    /// What `--emit cfg` prints.
    pub fn cfg_report(&self) -> CfgReport<'_> {
        CfgReport(self)
    }
}

/// How much of the text was found, by which sources, and what is left.
#[derive(Clone, Copy, Debug)]
pub struct CoverageReport<'a>(&'a Program);

impl fmt::Display for CoverageReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = self.0;
        writeln!(f, "text          {:>10} bytes", p.text)?;
        writeln!(f, "covered       {:>10} bytes, {:.2} % of code", p.covered, 100.0 * p.coverage())?;
        writeln!(f, "padding       {:>10} bytes", p.padding)?;
        writeln!(f, "data          {:>10} bytes", p.data)?;
        let rest = p.text.saturating_sub(p.covered + p.padding + p.data);
        writeln!(f, "unexplained   {rest:>10} bytes")?;
        writeln!(f, "functions     {:>10}", p.functions.len())?;
        for s in Source::ALL {
            let n = p.count(s);
            if n > 0 {
                writeln!(f, "  {:<12}{n:>10}", s.name())?;
            }
        }
        let blocks: usize = p.functions.iter().map(|f| f.shape.blocks.len()).sum();
        writeln!(f, "blocks        {blocks:>10}")?;
        writeln!(f, "jump tables   {:>10}", p.jump_tables)?;
        writeln!(f, "pointer jumps {:>10}", p.pointer_jumps)?;
        writeln!(f, "unresolved    {:>10}", p.unresolved_jumps.len())?;
        for j in &p.unresolved_jumps {
            writeln!(f, "  indirect jump at 0x{j:x}")?;
        }
        writeln!(f, "gaps          {:>10}", p.gaps.len())?;
        for g in &p.gaps {
            writeln!(f, "  0x{:x}..0x{:x} {}", g.start, g.end, g.len())?;
        }
        Ok(())
    }
}

/// Every function with its source, blocks and jump tables.
#[derive(Clone, Copy, Debug)]
pub struct CfgReport<'a>(&'a Program);

impl fmt::Display for CfgReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for found in &self.0.functions {
            let s = &found.shape;
            writeln!(f, "function {} {} ({})", s.entry, s.name, found.source.name())?;
            for b in &s.blocks {
                write!(f, "  {}..{}", b.start, b.end)?;
                if let Some(targets) = &b.switch {
                    write!(f, " switch")?;
                    for t in targets {
                        write!(f, " {t}")?;
                    }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
