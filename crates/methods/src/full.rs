//! Full fine-tuning of the image tower and a classifier made of class names, by cross-entropy.

use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_clip::checkpoint::Checkpoint;
use radapter_training::config::Tune;
use radapter_training::finetuned::{FineTunedError, FineTunedRun, TunedModel};
use radapter_training::method::Output;
use radapter_training::{Method, Outcome, Start, TrainError};

use crate::weights;

/// Full fine-tuning of the image tower and a classifier made of class names, by cross-entropy.
#[derive(Clone, Copy, Debug)]
pub struct Full;

impl Method for Full {
    fn name(&self) -> &'static str {
        "full"
    }

    fn about(&self) -> &'static str {
        "all weights of the image tower and a classifier, cross-entropy"
    }

    fn source(&self) -> &'static str {
        "Wortsman et al., CVPR 2022, arXiv 2109.01903"
    }

    fn settings(&self) -> &'static str {
        r#"
            tune = "all"
            loss.kind = "cross-entropy"
            lr = 3e-5
            weight_decay = 0.1
            ema = "none"
            alpha = 1.0
        "#
    }

    fn tunes(&self) -> &'static [Tune] {
        &[Tune::All, Tune::Image]
    }

    fn needs_classifier(&self) -> bool {
        true
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
