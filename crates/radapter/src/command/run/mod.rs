//! What each subcommand does.

mod devices;
mod embed;
mod eval;
mod inspect;
mod merge;
mod predict;
mod sweep;
mod tokenize;
mod train;
mod zero_shot;

use radapter_datasets::on_error::Skipped;

use super::Session;
use super::args::{Command, EvalTask};

/// Names of a report that are printed; the others are counted.
const NAMED: usize = 10;

/// Does what the command line says.
pub(super) fn run(command: Command, session: &Session) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "embedded")]
        Command::Quickstart(args) => super::quickstart::run(&args, session),
        #[cfg(not(feature = "embedded"))]
        Command::Quickstart(_) => {
            anyhow::bail!("this command was built without the embedded model; build it with --features embedded")
        }
        Command::Devices(args) => devices::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Tokenize(args) => tokenize::run(&args),
        Command::Embed(args) => embed::run(&args, session),
        Command::ZeroShot(args) => zero_shot::run(&args, session),
        Command::Predict(args) => predict::run(&args, session),
        Command::Train(args) => train::run(args, session),
        Command::Eval(args) => match args.task {
            EvalTask::Classification(args) => eval::run(&args, session),
        },
        Command::Merge(args) => merge::run(&args, session),
        Command::Sweep(args) => sweep::run(&args, session),
    }
}

/// Tells which images `--on-error skip` left out.
pub(super) fn report_skipped(skipped: &[Skipped], total: usize) {
    if skipped.is_empty() {
        return;
    }
    let named: Vec<&str> = skipped.iter().take(NAMED).map(|image| image.name.as_str()).collect();
    let more = match skipped.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = skipped.len();
    tracing::warn!("{count} of {total} images could not be read and were left out: {}{more}", named.join(", "));
}

/// Names and values in two columns.
fn aligned(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:<width$}  {value}");
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}
