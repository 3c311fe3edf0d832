//! OVSeg's fine-tuning: the image tower by CLIP's own contrastive loss, texts locked.

use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_clip::checkpoint::Checkpoint;
use radapter_training::config::Tune;
use radapter_training::finetuned::{FineTunedError, FineTunedRun, TunedModel};
use radapter_training::method::Output;
use radapter_training::{Method, Outcome, Start, TrainError};

use crate::weights;

/// OVSeg's fine-tuning: the image tower by CLIP's own contrastive loss, texts locked.
#[derive(Clone, Copy, Debug)]
pub struct Ovseg;

impl Method for Ovseg {
    fn name(&self) -> &'static str {
        "ovseg"
    }

    fn about(&self) -> &'static str {
        "all weights of the image tower, texts locked, CLIP's own contrastive loss"
    }

    fn source(&self) -> &'static str {
        "Liang et al., CVPR 2023, arXiv 2210.04150"
    }

    fn settings(&self) -> &'static str {
        r#"
            tune = "image"
            loss.kind = "info-nce"
            lr = 3e-5
            weight_decay = 0.1
            ema = "none"
            alpha = 1.0
        "#
    }

    fn tunes(&self) -> &'static [Tune] {
        &[Tune::Image]
    }

    fn output(&self) -> Output {
        Output::Mergeable
    }

    fn stem(&self) -> &'static str {
        weights::STEM
    }

    fn train(&self, start: Start) -> Result<Outcome, TrainError> {
        weights::train(start)
    }

    fn open(
        &self,
        run: &FineTunedRun,
        base: &Checkpoint,
        alpha: Alpha,
        _device: &Device,
    ) -> Result<TunedModel, FineTunedError> {
        weights::open(run, base, alpha)
    }
}
