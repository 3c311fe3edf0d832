//! What each subcommand does.

mod completions;
mod devices;
mod embed;
mod ensemble;
mod export;
mod index;
mod inspect;
mod merge;
mod methods;
mod predict;
mod proposals;
#[cfg(feature = "embedded")]
mod quickstart;
mod search;
mod serve_device;
mod settings;
mod tokenize;
pub(super) mod train;
mod zero_shot;

pub(super) use train::prepared;

use super::args::Command;
use super::{Session, compare, measure, segment};

/// Runs a subcommand.
pub(super) fn run(command: Command, session: &Session) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "embedded")]
        Command::Quickstart(args) => quickstart::run(&args, session),
        #[cfg(not(feature = "embedded"))]
        Command::Quickstart(_) => {
            anyhow::bail!("this build has no embedded model; build it with `cargo build --release --features embedded`")
        }
        Command::Devices(args) => devices::run(&args),
        Command::ServeDevice(args) => serve_device::run(&args, session),
        Command::Inspect(args) => inspect::run(&args),
        Command::Tokenize(args) => tokenize::run(&args),
        Command::Embed(args) => embed::run(&args, session),
        Command::ZeroShot(args) => zero_shot::run(&args, session),
        Command::Predict(args) => predict::run(&args, session),
        Command::Train(args) => train::run(args, session),
        Command::Settings(args) => settings::run(&args),
        Command::Methods(args) => methods::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Eval(args) => measure::eval(&args, session),
        Command::Index(args) => index::run(&args, session),
        Command::Search(args) => search::run(&args, session),
        Command::Segment(args) => segment::run(&args, session),
        Command::Proposals(args) => proposals::run(&args, session),
        Command::Merge(args) => merge::run(&args, session),
        Command::Export(args) => export::run(&args, session),
        Command::Interpolate(args) => ensemble::interpolate(&args, session),
        Command::Soup(args) => ensemble::soup(&args, session),
        Command::Stock(args) => ensemble::stock(&args, session),
        Command::Sweep(args) => measure::sweep(&args, session),
        Command::Compare(args) => compare::run(&args, session),
    }
}
