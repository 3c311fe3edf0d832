//! Methods that tune CLIP's own weights, without modules: the shared code of full fine-tuning, FLYP and OVSeg.

use std::io::{self, Write};
use std::path::Path;

use burn::tensor::Device;
use radapter_adapter::{AdapterError, Alpha, Alphas, Depth};
use radapter_clip::checkpoint::{Checkpoint, read_safetensors};
use radapter_clip::model::{Clip, Encoder, NoAdapter};
use radapter_clip::state_dict::RawTensor;
use radapter_ensemble::mix;
use radapter_training::config::Tune;
use radapter_training::finetuned::{FineTunedError, RunFiles, TunedModel, misfit};
use radapter_training::method::Output;
use radapter_training::state::{HEAD, read_parameters, write_parameters};
use radapter_training::{Method, Outcome, Start, TrainError, Tuning};

/// A method that tunes the weights of the towers that its loss uses, or of the image tower alone.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the fields are documented at `Method`")]
pub struct WeightTuning {
    pub name: &'static str,
    pub about: &'static str,
    pub source: &'static str,
    pub settings: &'static str,
    pub tunes: &'static [Tune],
    pub needs_classifier: bool,
}

impl Method for WeightTuning {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn source(&self) -> &'static str {
        self.source
    }

    fn settings(&self) -> &'static str {
        self.settings
    }

    fn tunes(&self) -> &'static [Tune] {
        self.tunes
    }

    fn needs_classifier(&self) -> bool {
        self.needs_classifier
    }

    fn output(&self) -> Output {
        Output::Mergeable
    }

    fn stem(&self) -> &'static str {
        STEM
    }

    fn train(&self, start: Start) -> Result<Outcome, TrainError> {
        let settings = start.settings();
        let trains_text = start.needs_text() && settings.tune != Tune::Image;
        // The weights are trained or, where they are not, written as they are.
        let clip = start.base().computing_in(settings.precision);
        start.run(clip, Box::new(Weights { trains_text }))
    }

    /// Interpolates between the base's and the tuned tensors: `(1 − α)·θ_base + α·θ_tuned` (WiSE-FT; Wortsman et al., CVPR 2022).
    fn open(
        &self,
        run: &RunFiles,
        base: &Checkpoint,
        alphas: &Alphas,
        _device: &Device,
    ) -> Result<TunedModel, FineTunedError> {
        alphas.check_fits(&base.config)?;
        let (mut state, depth) = (base.state.clone(), Depth::from(&base.config));
        if alphas.single() != Some(Alpha::ZERO) {
            let path = run.evaluated(STEM);
            for (name, tuned) in read_safetensors(&path)?.tensors {
                let Some(start) = state.get(&name) else {
                    return Err(misfit(&path, &name, "no such tensor".to_owned(), Some(&tuned)));
                };
                if start.shape() != tuned.shape() {
                    let expected = format!("{:?}", start.shape());
                    return Err(misfit(&path, &name, expected, Some(&tuned)));
                }
                // The tuned tensors themselves stay in their mapped file.
                let mixed = match depth.alpha_of(alphas, &name) {
                    Alpha::ZERO => continue,
                    Alpha::ONE => tuned,
                    alpha => {
                        let values = mix(&start.to_f32(), &tuned.to_f32(), alpha.get());
                        RawTensor::from_f32(tuned.shape(), values)
                    }
                };
                state.insert(name, mixed);
            }
        }
        Ok(TunedModel::Merged(Box::new(Checkpoint { state, ..base.clone() })))
    }
}

/// The stem of the files of tuned weights.
const STEM: &str = "weights";

/// CLIP's own logit scale is never trained, because the loss has its own temperature.
#[derive(Debug)]
struct Weights {
    trains_text: bool,
}

impl Tuning<NoAdapter> for Weights {
    fn stem(&self) -> &'static str {
        STEM
    }

    fn trains(&self, key: &str, _phase: usize) -> bool {
        key != "logit_scale" && (self.trains_text || key == HEAD || key.starts_with("visual."))
    }

    fn encoder(&self, clip: Clip, _alpha: Alpha) -> Result<Box<dyn Encoder>, AdapterError> {
        Ok(Box::new(clip))
    }

    /// All weights, the frozen ones too, under OpenCLIP's names: with the run's architecture, a checkpoint.
    fn write(&self, clip: &Clip, _base_hash: &str, out: &mut dyn Write) -> io::Result<()> {
        write_parameters(clip, |_| true, out)
    }

    fn read(&self, clip: Clip, path: &Path) -> Result<Clip, TrainError> {
        read_parameters(clip, |_| true, path)
    }
}
