//! `sweep`: a run measured over a range of α.

mod classification;
mod result;
mod retrieval;
mod segmentation;

use crate::command::args::SweepArgs;
use crate::command::{Session, output};

pub(super) fn run(args: &SweepArgs, session: &Session) -> anyhow::Result<()> {
    let has_label_maps = args.label_maps.annotations.is_some() || args.label_maps.dataset.is_some();
    let sweep = match &args.suite {
        Some(suite) => classification::run(args, suite, session)?,
        None if has_label_maps => segmentation::run(args, session)?,
        None => retrieval::run(args, session)?,
    };
    sweep.write(args)?;
    output::print(&sweep.table().to_string())
}

/// Refuses what cannot be written, before the work.
fn check_out(args: &SweepArgs) -> anyhow::Result<()> {
    output::check_empty_dir(&args.out)?;
    output::make_dir(&args.out)?;
    output::check_writable(&args.out.join("sweep.json"))
}
