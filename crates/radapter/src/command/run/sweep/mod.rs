//! `sweep`: a run measured over a range of α.

mod classification;
mod result;
mod retrieval;
mod segmentation;

use radapter_training::RunDir;

use crate::command::args::SweepArgs;
use crate::command::failure::Usage;
use crate::command::{Session, output};

pub(super) fn run(args: &SweepArgs, session: &Session) -> anyhow::Result<()> {
    let has_label_maps = args.label_maps.annotations.is_some() || args.dataset.dataset.is_some();
    let sweep = match &args.suite {
        Some(suite) => classification::run(args, suite, session)?,
        None if has_label_maps => segmentation::run(args, session)?,
        None if args.captions.captions.is_some() => retrieval::run(args, session)?,
        None => return Err(nothing_to_measure_on(args)?.into()),
    };
    sweep.write(args)?;
    output::print(&sweep.table().to_string())
}

/// The flags that are missing.
fn nothing_to_measure_on(args: &SweepArgs) -> anyhow::Result<Usage> {
    let record = RunDir::open(&args.run)?.record()?;
    Ok(Usage(format!(
        "there is nothing to measure this run of {} on: give --suite (accuracy), --captions and --images (recall), or --images, \
         --annotations and --classes, or --dataset (mIoU)",
        record.task
    )))
}

/// Refuses what cannot be written, before the work.
fn check_out(args: &SweepArgs) -> anyhow::Result<()> {
    output::check_empty_dir(&args.out)?;
    output::make_dir(&args.out)?;
    output::check_writable(&args.out.join("sweep.json"))
}
