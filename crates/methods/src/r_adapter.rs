//! R-Adapter: small linear adapters after attention and MLP of every block of a frozen CLIP.

use std::io::{self, Write};
use std::path::Path;

use burn::tensor::Device;
use radapter_adapter::{
    AdapterConfig, AdapterError, AdapterFile, AdapterSet, Alpha, Alphas, RAdapter, Scale, attach, merge,
    merge_checkpoint,
};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Clip, Encoder, Place};
use radapter_training::config::Tune;
use radapter_training::finetuned::{FineTunedError, RunFiles, TunedModel};
use radapter_training::method::Output;
use radapter_training::state::HEAD;
use radapter_training::{Method, Outcome, Start, TrainError, Tuning};

const STEM: &str = "adapters";

/// R-Adapter (Kim, Jeong, Kim and Kwak, ECCV 2024): adapters trained with MPM-NCE, dropped at random in training, averaged over the
/// steps, scaled by α and merged.
#[derive(Clone, Copy, Debug)]
pub struct RAdapterMethod;

impl Method for RAdapterMethod {
    fn name(&self) -> &'static str {
        "r-adapter"
    }

    fn about(&self) -> &'static str {
        "adapters in both towers, dropped, averaged, scaled by alpha and merged; MPM-NCE"
    }

    fn source(&self) -> &'static str {
        "Kim et al., ECCV 2024, arXiv 2408.05749"
    }

    fn settings(&self) -> &'static str {
        r#"
            tune = "adapters"
            loss.kind = "mpm-nce"
            alpha = "auto"
        "#
    }

    fn groups(&self) -> &'static [&'static str] {
        &["adapter"]
    }

    fn tunes(&self) -> &'static [Tune] {
        &[Tune::Adapters]
    }

    fn is_scaled(&self) -> bool {
        true
    }

    fn output(&self) -> Output {
        Output::Mergeable
    }

    fn stem(&self) -> &'static str {
        STEM
    }

    fn train(&self, start: Start) -> Result<Outcome, TrainError> {
        let settings = start.settings();
        let base = start.base().in_precision(settings.precision);
        let adapter = settings.adapter.clone();
        let clip = attach(base, &adapter, settings.seed).map_err(|error| TrainError::Adapter(Box::new(error)))?;
        start.run(clip, Box::new(Adapters { adapter }))
    }

    /// Merges the adapters, scaled by α, and checks the merge on `device`.
    fn open(
        &self,
        run: &RunFiles,
        base: &Checkpoint,
        alphas: &Alphas,
        device: &Device,
    ) -> Result<TunedModel, FineTunedError> {
        let file = AdapterFile::read(run.evaluated(STEM))?;
        file.check_base(&base.state.hash(), &base.config)?;
        let (checkpoint, _) = merge_checkpoint(base, &file.adapters, alphas.clone(), device)?;
        Ok(TunedModel::Merged(Box::new(checkpoint)))
    }
}

/// Trains all adapters, wherever the settings put them, and the classifier if the loss has one.
#[derive(Debug)]
struct Adapters {
    adapter: AdapterConfig,
}

impl Tuning<RAdapter> for Adapters {
    fn stem(&self) -> &'static str {
        STEM
    }

    fn trains(&self, key: &str, _phase: usize) -> bool {
        let of_adapter = |key: &str| key.rsplit_once('.').is_some_and(|(place, _)| place.parse::<Place>().is_ok());
        key == HEAD || of_adapter(key)
    }

    fn encoder(&self, clip: Clip<RAdapter>, alpha: Alpha) -> Result<Box<dyn Encoder>, AdapterError> {
        Ok(Box::new(merge(&clip, alpha)?))
    }

    fn write(&self, clip: &Clip<RAdapter>, base_hash: &str, mut out: &mut dyn Write) -> io::Result<()> {
        let file = AdapterFile {
            adapters: AdapterSet::from_model(clip),
            base: Some(base_hash.to_owned()),
            config: Some(self.adapter.clone()),
        };
        file.write_to(&mut out)
    }

    fn read(&self, clip: Clip<RAdapter>, path: &Path) -> Result<Clip<RAdapter>, TrainError> {
        let refused = |error: AdapterError| TrainError::Adapter(Box::new(error));
        let set = AdapterFile::read(path).map_err(refused)?.adapters;
        // A fixed scale is a setting, which saved states do not have.
        if let Scale::Fixed(own) = self.adapter.scale
            && let Some(other) = set.iter().map(|(_, adapter)| adapter.scale.unwrap_or(1.0)).find(|scale| *scale != own)
        {
            let expected = format!("{other}, the scale of {}", path.display());
            return Err(refused(AdapterError::Setting { key: "adapter.scale", found: own.to_string(), expected }));
        }
        set.apply_to(clip).map_err(refused)
    }
}
