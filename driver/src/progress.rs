//! Progress bars on a terminal; silence elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pipeline::{Progress, Stage};

/// One bar, which shows the stage under way.
pub(crate) struct Bars(ProgressBar);

impl Bars {
    pub(crate) fn new() -> Bars {
        // Hides itself if stderr is no terminal.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg:9} {bar:40} {pos}/{len} {eta}")
            .expect("invariant: the template is well-formed");
        bar.set_style(style);
        Bars(bar)
    }
}

impl Progress for Bars {
    fn begin(&self, stage: Stage, total: u64) {
        self.0.reset();
        self.0.set_message(stage.name());
        self.0.set_length(total);
    }

    fn advance(&self, n: u64) {
        self.0.inc(n);
    }

    fn end(&self, _: Stage) {
        self.0.finish_and_clear();
    }
}
