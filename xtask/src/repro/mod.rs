//! Reproductions on real data. Each reuses the finished runs in its output folder and continues from there.

mod alpha;
mod arm;
mod cache;
mod camvid;
mod grid;
mod pacs;
mod paper;
mod retrieval;
mod row;
mod run;
mod sets;
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
    /// The paper's Table 1: methods on all training images, several backbones
    Table1(paper::Args),
    /// The paper's Table 2: 16 shots, by method and by rank
    Table2(paper::Args),
    /// 1 to 16 shots
    Shots(paper::Args),
    /// The paper's Table 3: retrieval
    Table3(paper::Args),
    /// The paper's Table 4: open-vocabulary segmentation
    Table4(paper::Args),
    /// The paper's Table 5: the ablation
    Table5(paper::Args),
    /// The paper's Figure 3: over alpha
    Fig3(paper::Args),
    /// What dropping, averaging and the adapters cost in time and memory
    TrainingTime(paper::Args),
    /// All of the paper's experiments, from table1 to training-time
    All(paper::Args),
}

pub(crate) fn run(what: &Repro) -> anyhow::Result<()> {
    match what {
        Repro::Pacs(args) => pacs::run(args),
        Repro::Alpha(args) => alpha::run(args),
        Repro::Flickr8k(args) => retrieval::flickr8k(args),
        Repro::Camvid(args) => camvid::run(args),
        Repro::Retrieval(args) => retrieval::papers(args),
        Repro::Table1(args) => paper::run(Some("table1"), args),
        Repro::Table2(args) => paper::run(Some("table2"), args),
        Repro::Shots(args) => paper::run(Some("shots"), args),
        Repro::Table3(args) => paper::run(Some("table3"), args),
        Repro::Table4(args) => paper::run(Some("table4"), args),
        Repro::Table5(args) => paper::run(Some("table5"), args),
        Repro::Fig3(args) => paper::run(Some("fig3"), args),
        Repro::TrainingTime(args) => paper::run(Some("training-time"), args),
        Repro::All(args) => paper::run(None, args),
    }
}
