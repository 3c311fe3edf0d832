//! Reproductions on real data. Each reuses the finished runs in its output folder and continues from there.

mod alpha;
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
    /// PACS: tuned on photos, evaluated on photos, art, cartoons and sketches
    Pacs(pacs::Args),
    /// Rules that choose alpha, on PACS with each domain in turn as what is learnt
    Alpha(alpha::Args),
    /// Flickr8k: tuned on captions, evaluated on retrieval and on zero-shot PACS
    Flickr8k(retrieval::Flickr8kArgs),
    /// CamVid: tuned on masked regions, evaluated by mIoU and on regions of held-out classes
    Camvid(camvid::Args),
    /// COCO and Flickr30k: the paper's rows
    Retrieval(retrieval::PapersArgs),
}

pub(crate) fn run(what: &Repro) -> anyhow::Result<()> {
    match what {
        Repro::Pacs(args) => pacs::run(args),
        Repro::Alpha(args) => alpha::run(args),
        Repro::Flickr8k(args) => retrieval::flickr8k(args),
        Repro::Camvid(args) => camvid::run(args),
        Repro::Retrieval(args) => retrieval::papers(args),
    }
}
