//! Reproductions on real data. Each finds runs that are done already in its output folder and goes on from there.

mod arm;
mod cache;
mod camvid;
mod grid;
mod pacs;
mod retrieval;
mod row;
mod run;
mod write;

use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Repro {
    /// PACS: tuned on photos, measured on photos, art, cartoons and sketches
    Pacs(pacs::Args),
    /// Flickr8k: tuned on captions, measured on retrieval and on what is kept of PACS
    Flickr8k(retrieval::Flickr8kArgs),
    /// CamVid: tuned on masked regions, measured on mIoU and on regions of classes that were kept apart
    Camvid(camvid::Args),
    /// COCO and Flickr30k: the paper's rows
    Retrieval(retrieval::PapersArgs),
}

pub(crate) fn run(what: &Repro) -> anyhow::Result<()> {
    match what {
        Repro::Pacs(args) => pacs::run(args),
        Repro::Flickr8k(args) => retrieval::flickr8k(args),
        Repro::Camvid(args) => camvid::run(args),
        Repro::Retrieval(args) => retrieval::papers(args),
    }
}
