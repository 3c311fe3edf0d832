//! Methods that tune CLIP's own weights or a classifier, without modules. Each is a declaration; what they share is here.

use std::io::{self, Write};
use std::path::Path;

use burn::tensor::Device;
use radapter_adapter::{AdapterError, Alpha, Alphas, Depth};
use radapter_clip::checkpoint::{Checkpoint, read_safetensors};
use radapter_clip::model::{Clip, Encoder, NoAdapter};
use radapter_clip::state_dict::RawTensor;
use radapter_ensemble::mix;
use radapter_training::config::{TrainSettings, Tune};
use radapter_training::finetuned::{FineTunedError, RunFiles, TunedModel, misfit};
use radapter_training::method::Output;
use radapter_training::state::{HEAD, read_parameters, write_parameters};
use radapter_training::tuning::Phase;
use radapter_training::{Averaging, Method, Outcome, Schedule, Start, TrainError, Tuning};

/// A method that tunes a classifier, the weights of the towers that its loss uses, or both.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the other fields are documented at `Method`")]
pub struct WeightTuning {
    pub name: &'static str,
    pub about: &'static str,
    pub source: &'static str,
    pub settings: &'static str,
    pub tunes: &'static [Tune],
    pub needs_classifier: bool,
    pub groups: &'static [&'static str],
    pub classifier: Classifier,
    /// How the trained parameters are averaged over a run of so many steps; by the setting `ema` if `None`.
    pub averaging: Option<fn(u64) -> Averaging>,
}

/// When a classifier is trained, if the loss has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classifier {
    /// From the first step, with the weights.
    Trained,
    /// Alone for the share of the steps that the settings give, then with the weights.
    First,
    /// Never: it stays the zero-shot classifier.
    Frozen,
}

impl WeightTuning {
    /// The rest of a declaration: what most methods do.
    pub(crate) const USUAL: Self = Self {
        name: "",
        about: "",
        source: "",
        settings: "",
        tunes: &[],
        needs_classifier: true,
        groups: &[],
        classifier: Classifier::Trained,
        averaging: None,
    };
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

    fn groups(&self) -> &'static [&'static str] {
        self.groups
    }

    fn ignores(&self) -> &'static [&'static str] {
        match (self.averaging, self.tunes) {
            (Some(_), _) => &["ema"],
            // Its embeddings do not change.
            (None, [Tune::Head]) => &["regularizer.kind", "regularizer.weight", "regularizer.orthogonality"],
            (None, _) => &[],
        }
    }

    fn tunes(&self) -> &'static [Tune] {
        self.tunes
    }

    fn needs_classifier(&self) -> bool {
        self.needs_classifier
    }

    fn output(&self) -> Output {
        if self.tunes == [Tune::Head] { Output::HeadOnly } else { Output::Mergeable }
    }

    fn stem(&self) -> &'static str {
        STEM
    }

    fn train(&self, start: Start) -> Result<Outcome, TrainError> {
        let settings = start.settings();
        let towers = match settings.tune {
            Tune::Head => Towers::None,
            Tune::All if start.needs_text() => Towers::Both,
            Tune::All | Tune::Image | Tune::Adapters => Towers::Image,
        };
        let clip = match towers {
            Towers::None => start.base().in_precision(settings.precision),
            // The weights are trained or, where they are not, written as they are.
            Towers::Image | Towers::Both => start.base().computing_in(settings.precision),
        };
        let Self { classifier, averaging, .. } = *self;
        start.run(clip, Box::new(Weights { towers, classifier, averaging }))
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

/// Towers whose weights are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Towers {
    None,
    Image,
    Both,
}

/// CLIP's own logit scale is never trained, because the loss has its own temperature.
#[derive(Debug)]
struct Weights {
    towers: Towers,
    classifier: Classifier,
    averaging: Option<fn(u64) -> Averaging>,
}

impl Tuning<NoAdapter> for Weights {
    fn stem(&self) -> &'static str {
        STEM
    }

    fn trains(&self, key: &str, phase: usize) -> bool {
        if key == HEAD {
            return self.classifier != Classifier::Frozen;
        }
        let of_towers = match self.towers {
            Towers::None => false,
            Towers::Image => key.starts_with("visual."),
            Towers::Both => key != "logit_scale",
        };
        of_towers && (self.classifier != Classifier::First || phase > 0)
    }

    fn phases(&self, settings: &TrainSettings, steps: u64) -> Vec<Phase> {
        let all = |steps| Phase { steps, schedule: settings.schedule(steps) };
        if self.classifier != Classifier::First {
            return vec![all(steps)];
        }
        // The last phase has at least a step.
        let alone = ((settings.head.share * steps as f64).round() as u64).min(steps.saturating_sub(1));
        let schedule = Schedule { lr: settings.head.lr, ..settings.schedule(alone) };
        vec![Phase { steps: alone, schedule }, all(steps - alone)]
    }

    fn averaging(&self, settings: &TrainSettings, steps: u64) -> Option<Averaging> {
        match self.averaging {
            Some(averaging) => Some(averaging(steps)),
            None => settings.ema.value().map(Averaging::exponential),
        }
    }

    fn encoder(&self, clip: Clip, _alpha: Alpha) -> Result<Box<dyn Encoder>, AdapterError> {
        Ok(Box::new(clip))
    }

    /// All weights, the frozen ones too, under OpenCLIP's names: with the run's architecture, a checkpoint. None if the classifier
    /// alone is trained.
    fn write(&self, clip: &Clip, _base_hash: &str, out: &mut dyn Write) -> io::Result<()> {
        write_parameters(clip, |_| self.towers != Towers::None, out)
    }

    fn read(&self, clip: Clip, path: &Path) -> Result<Clip, TrainError> {
        read_parameters(clip, |_| self.towers != Towers::None, path)
    }
}
