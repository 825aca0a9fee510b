//! `xlate inspect`: any stage of a translation as text.

use crate::{InspectArgs, Libraries, load_any, output};
use anyhow::{Result, bail};
use cfg::Found;
use clap::ValueEnum;
use image::Image;
use rayon::prelude::*;
use std::fmt::Write as _;

/// What to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Emit {
    /// Segments, symbols and what else the file says.
    Image,
    /// Guest instructions.
    Insns,
    /// Functions, blocks and edges.
    Cfg,
    /// The IR after its passes.
    Ir,
    /// LLVM IR as lifted, before LLVM's passes.
    Llvm,
    /// LLVM IR after its passes.
    LlvmOpt,
    /// x86-64 assembly.
    Asm,
    /// What was found by which source, and what was not.
    Coverage,
}

pub(crate) fn command(args: &InspectArgs) -> Result<u8> {
    let image = load_any(&args.input, &args.common)?;
    args.common.libraries(&image, &args.input, Libraries::None)?;
    let text = args.common.pool(|| render(&image, args))??;
    output::data(&text)?;
    Ok(0)
}

fn render(image: &Image, args: &InspectArgs) -> Result<String> {
    let options = args.common.options(image)?;
    if args.emit == Emit::Image {
        return Ok(image.to_string());
    }
    let program = pipeline::discover(image, &options);
    if args.emit == Emit::Coverage {
        return Ok(coverage(image, &program));
    }
    let chosen = select(&program, args)?;
    let mut text = String::new();
    match args.emit {
        Emit::Image | Emit::Coverage => {}
        Emit::Insns => chosen.iter().for_each(|f| instructions(image, f, &mut text)),
        Emit::Cfg => {
            let part = cfg::Program { functions: chosen.into_iter().cloned().collect(), ..program.clone() };
            text = part.cfg_report().to_string();
        }
        Emit::Ir => {
            for f in chosen {
                let lifted = pipeline::lift_one(image, f);
                let _ = writeln!(text, "{}", lifted.display(image.isa.file()));
            }
        }
        Emit::Llvm | Emit::LlvmOpt | Emit::Asm => {
            // All functions vote for the hot registers, so that what is shown is what is linked.
            let lifted: Vec<_> = program.functions.par_iter().map(|f| pipeline::lift_one(image, f)).collect();
            let emit = pipeline::emit_options_for(image, &options, &lifted);
            let known: std::collections::HashMap<_, _> =
                lifted.iter().map(|f| (f.entry, f.name.as_str())).collect();
            let resolve = |a| known.get(&a).map(|n| format!("{}{n}", abi::symbol::FUNCTION_PREFIX));
            for f in lifted.iter().filter(|l| chosen.iter().any(|c| c.shape.entry == l.entry)) {
                let emit = pipeline::options_for(f, &emit);
                text += &match args.emit {
                    Emit::Llvm => emit_llvm::emit_raw_llvm_text(f, &emit, &resolve)?,
                    Emit::LlvmOpt => emit_llvm::emit_llvm_text(f, &emit, &resolve)?,
                    _ => emit_llvm::emit_asm_text(f, &emit, &resolve)?,
                };
            }
        }
    }
    Ok(text)
}

fn select<'p>(program: &'p cfg::Program, args: &InspectArgs) -> Result<Vec<&'p Found>> {
    let Some(wanted) = &args.function else { return Ok(program.functions.iter().collect()) };
    let addr = wanted.strip_prefix("0x").and_then(|h| u64::from_str_radix(h, 16).ok());
    let hit = |f: &&Found| match addr {
        Some(a) => f.shape.blocks.iter().any(|b| (b.start.0..b.end.0).contains(&a)),
        None => f.shape.name == *wanted,
    };
    let found: Vec<&Found> = program.functions.iter().filter(hit).collect();
    if found.is_empty() {
        bail!(
            "{}: no function {wanted}; `--emit cfg` lists the {} that were found",
            args.input.display(),
            program.functions.len()
        );
    }
    Ok(found)
}

fn instructions(image: &Image, found: &Found, text: &mut String) {
    let code = cfg::ImageCode(image);
    let _ = writeln!(text, "{}:", found.shape.name);
    for block in &found.shape.blocks {
        let mut pc = block.start;
        while image.isa.bytes_at(pc.0) < block.end.0 {
            let Some(i) = image.isa.show(&code, pc) else { break };
            let at = ir::GuestAddr(image.isa.bytes_at(pc.0));
            let _ = writeln!(text, "  {at}: {:<8}  {:<44} {}", i.bits, i.text, i.name);
            pc = i.next;
        }
        let _ = writeln!(text);
    }
}

/// The discovery report, and every instruction that is in a block but not lifted.
fn coverage(image: &Image, program: &cfg::Program) -> String {
    let mut text = program.report().to_string();
    let lists: Vec<Vec<String>> = program
        .functions
        .par_iter()
        .map(|f| {
            let lifted = pipeline::lift_one(image, f);
            let line = |pc: ir::GuestAddr, why: &str| {
                let (bits, shown) = match image.isa.show(&cfg::ImageCode(image), pc) {
                    Some(i) => (i.bits, i.text),
                    None => ("00000000".into(), "no instruction".into()),
                };
                format!("{pc}: {bits} {why} in {}: {shown}", f.shape.name)
            };
            lifted
                .blocks
                .iter()
                .filter_map(|b| match b.term {
                    ir::Term::Fallback { pc } => Some(line(pc, "interpreted")),
                    ir::Term::Trap { kind: ir::TrapKind::Undefined, pc } => Some(line(pc, "undefined")),
                    _ => None,
                })
                .collect()
        })
        .collect();
    let mut lines: Vec<String> = lists.into_iter().flatten().collect();
    lines.sort();
    lines.dedup();
    let _ = writeln!(text, "not lifted or undefined instructions: {}", lines.len());
    for l in lines {
        let _ = writeln!(text, "  {l}");
    }
    text
}
