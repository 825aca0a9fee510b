//! `xlate IN -o OUT`: loads, translates, links, reports.

use crate::cache::Cache;
use crate::output::{self, Output};
use crate::progress::Bars;
use crate::{CommonArgs, Libraries, TranslateArgs, link, load};
use anyhow::{Context, Result};
use pipeline::{Progress, Stage, Stats};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(crate) fn command(args: &TranslateArgs) -> Result<u8> {
    let input = args.input.as_deref().expect("invariant: clap requires IN");
    let output = args.output.clone().unwrap_or_else(|| {
        let mut name = input.as_os_str().to_owned();
        name.push(".x86");
        PathBuf::from(name)
    });
    let stats = to_file(input, &output, &args.common, Libraries::Needed, args.cache.open()?.as_ref())?;
    if args.json {
        let text = serde_json::to_string_pretty(&stats).context("internal: this is a bug: statistics")?;
        output::data(&(text + "\n"))?;
    } else if args.stats {
        output::message(format_args!("{}", Report(&stats)));
    }
    if stats.fallbacks > 0 && (args.strict || args.common.verbose) {
        output::message(format_args!(
            "xlate: {}: {} instructions have no translation and are interpreted; `xlate inspect --emit coverage` lists them\n",
            input.display(),
            stats.fallbacks
        ));
    }
    Ok(u8::from(args.strict && stats.fallbacks > 0))
}

/// Translates the file `input` to the executable `output`, with `libraries` if the options do not say with which.
pub(crate) fn to_file(
    input: &Path,
    output: &Path,
    common: &CommonArgs,
    libraries: Libraries,
    cache: Option<&Cache>,
) -> Result<Stats> {
    let image = load(input, common)?;
    let libraries = common.libraries(&image, input, libraries)?;
    let options = common.options(&image)?;
    common.report_profile(&image)?;
    let file = Output::create(input, output)?;
    let bars = Bars::new();
    let translation = common.pool(|| {
        pipeline::translate(&image, &libraries, &options, cache.map(|c| c as &dyn pipeline::Store), &bars)
    })??;
    if let Some(c) = cache {
        c.finish();
    }
    let mut stats = translation.stats;
    let start = Instant::now();
    bars.begin(Stage::Link, 1);
    link::link(&translation.objects, file.path(), common.verbose, common.for_guest)?;
    bars.end(Stage::Link);
    stats.seconds.push((Stage::Link, start.elapsed().as_secs_f64()));
    stats.output_bytes = file.finish()?;
    Ok(stats)
}

struct Report<'a>(&'a Stats);

impl std::fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let s = self.0;
        let sources: Vec<String> = s.sources.iter().map(|(k, v)| format!("{v} {k}")).collect();
        if s.libraries > 0 {
            writeln!(f, "libraries     {:>9}", s.libraries)?;
        }
        writeln!(f, "functions     {:>9}  ({})", s.functions, sources.join(", "))?;
        writeln!(f, "blocks        {:>9}", s.blocks)?;
        writeln!(f, "instructions  {:>9}  guest, {} in IR", s.guest_instructions, s.ir_instructions)?;
        writeln!(f, "not lifted    {:>9}  (interpreted), {} undefined", s.fallbacks, s.undefined)?;
        writeln!(f, "text          {:>9}  bytes, {:.2} % lifted", s.text_bytes, 100.0 * s.coverage())?;
        writeln!(
            f,
            "jump tables   {:>9}  ({} indirect jumps left to dispatch)",
            s.jump_tables, s.unresolved_jumps
        )?;
        let learned = s.sources.get("profile").copied().unwrap_or(0);
        if learned + s.learned_targets + s.learned_points + s.learned_known + s.learned_ignored > 0 {
            writeln!(
                f,
                "profile       {learned:>9}  functions, {} jump targets, {} places to enter: {} bytes more; {} findings known, {} ignored",
                s.learned_targets, s.learned_points, s.learned_bytes, s.learned_known, s.learned_ignored
            )?;
        }
        writeln!(
            f,
            "cache         {:>9}  functions were there, {} compiled",
            s.cache_hits,
            s.functions - s.cache_hits
        )?;
        writeln!(
            f,
            "objects       {:>9}  bytes; output {} bytes; {} of each are the guest file",
            s.object_bytes, s.output_bytes, s.guest_file_bytes
        )?;
        let total: f64 = s.seconds.iter().map(|t| t.1).sum();
        let parts: Vec<String> = s.seconds.iter().map(|(k, t)| format!("{} {t:.2}", k.name())).collect();
        writeln!(f, "time          {total:>9.2}  s ({})", parts.join(", "))
    }
}
