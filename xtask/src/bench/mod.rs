//! `cargo xtask bench`: training step, image half and inference with random weights, compared with the same work in PyTorch.
//!
//! Every measurement runs in a process of its own, so that its peak memory is its own. Ours and the peer's take turns, and the
//! table has medians over the rounds, because single times drift on a shared machine. Ours is compared with the fastest peer.

mod against;
mod device;
mod measurement;
mod one;
mod peer;
mod photos;
mod products;
mod rows;
mod run;
mod step;
mod table;
mod towers;

use std::path::PathBuf;

use radapter::clip::model::Precision;

pub(crate) use measurement::{Measurement, median};
pub(crate) use run::{answer, of_part};

/// The timed work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// A whole training step through the trainer: captions of ten classes, adapters in both towers
    Step,
    /// Forward and backward of the image tower with its adapters
    Image,
    /// The merged image tower, forward
    Inference,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Step => "step",
            Part::Image => "image",
            Part::Inference => "inference",
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Architectures, by preset name
    #[arg(long, value_delimiter = ',', default_value = "ViT-B-32-quickgelu")]
    arch: Vec<String>,
    /// The work to time
    #[arg(long, value_delimiter = ',', default_value = "step,image,inference")]
    part: Vec<Part>,
    /// Samples per step
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Timed steps per measurement, of which the median counts
    #[arg(long, default_value_t = 3)]
    steps: u64,
    /// Measurements of each kind, taking turns
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Train all weights instead of adapters; only in `step`
    #[arg(long)]
    all: bool,
    /// In `step`: samples per micro-batch
    #[arg(long)]
    micro_batch: Option<usize>,
    /// In `step`: activation checkpointing, which keeps only the inputs of blocks
    #[arg(long)]
    checkpointing: bool,
    /// In `step`: a setting of the training, such as `adapter.drop=0`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Device: cpu, or cuda, vulkan or wgpu if this build has it
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Types of our activations and frozen weights, a row each: f32, bf16 or f16
    #[arg(long, value_delimiter = ',', default_value = "f32")]
    precision: Vec<Precision>,
    /// A Python with `bench/requirements.txt`, to time the same work in PyTorch, ONNX Runtime and OpenVINO
    #[arg(long, value_name = "PYTHON")]
    peer: Option<PathBuf>,
    /// Modes of the peer; `bench/peer.py --list` prints them
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "eager,compile,bf16-pure,bf16-pure-compile,onnx,openvino,openvino-bf16"
    )]
    peer_mode: Vec<String>,
    /// Allocators to preload in the peer's processes (LD_PRELOAD), a row each, such as `none,/usr/lib/libjemalloc.so.2`
    #[arg(long, value_name = "PATH", value_delimiter = ',', default_value = peer::NO_PRELOAD)]
    peer_preload: Vec<String>,
    /// A folder of photos to time decoding and preprocessing on
    #[arg(long)]
    photos: Option<PathBuf>,
    /// Write the figures as JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Figures of an earlier `--json` on the same machine; fail if one is worse by more than a tenth
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Write the table into `performance.md` of this folder
    #[arg(long)]
    docs: Option<PathBuf>,
    /// Measure once in this process and print JSON, for the processes that the benchmark starts
    #[arg(long, hide = true)]
    one: bool,
    /// With `--one`: the matrix products alone
    #[arg(long, hide = true, requires = "one")]
    products: bool,
}

impl Args {
    /// Whether the step is the published one, which the peer runs too.
    fn plain(&self) -> bool {
        !self.all && self.micro_batch.is_none() && !self.checkpointing && self.set.is_empty()
    }

    /// How the step differs from the published one.
    fn variant(&self) -> String {
        let mut names = Vec::new();
        names.extend((self.device != "cpu").then(|| self.device.clone()));
        names.extend(self.all.then(|| "all weights".to_owned()));
        names.extend(self.micro_batch.map(|size| format!("{size} at a time")));
        names.extend(self.checkpointing.then(|| "checkpointing".to_owned()));
        names.extend(self.set.iter().cloned());
        names.join(", ")
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.one { one::run(args) } else { run::run(args) }
}
