//! Reproductions on real data. Each finds runs that are done already in its output folder and goes on from there.

mod arm;
mod pacs;
mod row;
mod write;

use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Repro {
    /// PACS: tuned on photos, measured on photos, art, cartoons and sketches
    Pacs(pacs::Args),
}

pub(crate) fn run(what: &Repro) -> anyhow::Result<()> {
    match what {
        Repro::Pacs(args) => pacs::run(args),
    }
}
