use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ArchArg, ClassNamesArg, ModelRef, PixelCacheArg, TrainRetrieval, TrainSegmentation};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  radapter train classification --model embedded --train pets/train --out runs/pets
  radapter train --resume --out runs/pets"
)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) resume: ResumeArgs,
    #[command(subcommand)]
    pub(crate) task: Option<TrainTask>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrainTask {
    /// Fine-tune on a folder of labelled images
    Classification(TrainClassification),
    /// Fine-tune on images with captions
    Retrieval(TrainRetrieval),
    /// Fine-tune on masked regions of images with label maps or captions
    Segmentation(TrainSegmentation),
}

/// `train --resume --out RUN`: a run explains itself, so nothing else is needed.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Go on with the run in --out where it stopped
    #[arg(long, required = true)]
    pub(crate) resume: bool,
    /// The run directory
    #[arg(long, value_name = "RUN", required = true)]
    pub(crate) out: Option<PathBuf>,
    /// Settings as a TOML file; they must be the run's
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) config: Option<PathBuf>,
    /// One setting; it must be the run's
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Go on from the saved state of this step instead of the newest
    #[arg(long, value_name = "STEP")]
    pub(crate) from_step: Option<u64>,
    #[command(flatten)]
    pub(crate) cache: PixelCacheArg,
    /// Show live plots of loss, learning rate, throughput and validation in the terminal; q or Ctrl-C interrupts and saves
    #[arg(long)]
    pub(crate) dashboard: bool,
}

impl ResumeArgs {
    /// The run, where there is no subcommand: clap has asked for `--out` then.
    pub(crate) fn run(self) -> Option<RunArgs> {
        let Self { out, config, set, from_step, cache, dashboard, .. } = self;
        Some(RunArgs { out: out?, config, set, from_step, cache, dashboard })
    }
}

/// The run and its settings.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    /// The run directory
    #[arg(long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    /// Settings as a TOML file
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) config: Option<PathBuf>,
    /// One setting, as lr=1e-3 or adapter.rank=4; stands above --config
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Go on from the saved state of this step instead of the newest
    #[arg(long, value_name = "STEP", requires = "resume")]
    pub(crate) from_step: Option<u64>,
    #[command(flatten)]
    pub(crate) cache: PixelCacheArg,
    /// Show live plots of loss, learning rate, throughput and validation in the terminal; q or Ctrl-C interrupts and saves
    #[arg(long)]
    pub(crate) dashboard: bool,
}

/// `train classification`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --val a stratified tenth of --train, chosen by the seed, is held out (`--set val_fraction=0` for none).

Settings of --config and --set, with their defaults (N: the run's steps):
  epochs = 10, or steps         batch_size = min(64, images)     lr = 5e-4 (tune = all: 3e-5)
  warmup = min(500, N/20)       schedule = cosine                weight_decay = 0 (all: 0.1)
  clip_norm = 1                 seed = 0                         ema = auto: min(0.999, 0.01^(1/N))
  tune = adapters, or all       alpha = 0.5                      recipe = auto, or paper-imagenet,
  templates = simple            val_fraction = 0.1                 paper-16-shot, paper-base-to-novel,
  eval_templates = templates    shots = none                       paper-coco
  on_error = fail               best = top1, or top5             patience = none
  decode = exact, or fast       (large JPEGs at a fraction of their size)
  keep = last, or best (with patience: best)                     workers = processors, at most 8
  betas = [0.9, 0.999]          eps = 1e-8                       final_lr = 1e-6
  micro_batch = none            checkpointing = false            save_every = 500, validate_every
  precision = f32, bf16 or f16  of activations and frozen weights; adapters and loss stay f32
  loss.kind = mpm-nce           loss.margin = 0.05               loss.smoothing = 0.02
  loss.temperature = 0.01, or checkpoint
  adapter.rank = full           adapter.scale = learnable        adapter.drop = 0.2
  adapter.drop_mode = adapter   adapter.towers = both            adapter.layers = all
  adapter.sites = both          augment.scale = [0.9, 1]         augment.flip = 0
The values a run ends up with are printed and saved in its config.toml.

Examples:
  radapter train classification --model embedded --train pets/train --out runs/pets
  radapter train classification --model clip-b32 --train pets/train --val pets/val \\
      --set epochs=5 --set adapter.rank=4 --out runs/pets
  radapter train classification --model clip-b32 --train pets/train --set tune=all --out runs/full
  radapter train --resume --out runs/pets")]
pub(crate) struct TrainClassification {
    /// embedded, a directory, a file with --arch, hf://OWNER/NAME[@REVISION], or a run
    #[arg(long, value_name = "MODEL", required_unless_present = "resume")]
    pub(crate) model: Option<ModelRef>,
    #[command(flatten)]
    pub(crate) arch: ArchArg,
    /// Training images: one folder a class, or a .csv of path and label
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    pub(crate) train: Option<PathBuf>,
    /// Validation images; a tenth of --train where not given
    #[arg(long, value_name = "DIR")]
    pub(crate) val: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) class_names: ClassNamesArg,
    /// Go on with the run in --out where it stopped; other arguments must agree with it
    #[arg(long)]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}
