//! A task of one's own through the training loop: it needs samples and a loss, and gives adapters.
//!
//! Here the task is to match drawn scenes with their captions, as retrieval would.

use std::sync::Arc;

use burn::tensor::Device;
use radapter::adapter::{AdapterFile, Alpha, attach_trained, merge_checked};
use radapter::clip::config::ClipConfig;
use radapter::clip::model::Clip;
use radapter::clip::tokenizer::Tokenizer;
use radapter::datasets::shapes::{Domain, Split, World};
use radapter::images::Preprocess;
use radapter::training::config::{LossKind, Situation, TaskDefaults, TrainConfig};
use radapter::training::{DataError, Outcome, ProgressEvent, RunDir, Sample, SampleKey, Setup, TrainData, train};
use radapter_examples::small_clip;

/// Scenes and captions of the drawn world.
struct Captions {
    world: World,
    preprocess: Preprocess,
    context_length: usize,
}

impl Captions {
    fn new(config: &ClipConfig) -> Self {
        let context_length = config.text.context_length;
        Self { world: World::new(0), preprocess: config.preprocessor(), context_length }
    }
}

impl TrainData for Captions {
    fn len(&self) -> usize {
        64
    }

    /// A pure function of the key: that is what makes a resumed run the same run.
    fn load(&self, key: SampleKey) -> Result<Option<Sample>, DataError> {
        let scene = self.world.scene(Split::Train, Domain::Photo, key.index as u64);
        let caption = &scene.captions[key.epoch as usize % scene.captions.len()];
        Ok(Some(Sample {
            pixels: self.preprocess.apply(&scene.image),
            tokens: Tokenizer::clip().encode_unpadded(caption, self.context_length),
            // Positives share a label: here each image has its own.
            label: key.index as i64,
        }))
    }
}

fn main() -> anyhow::Result<()> {
    let base = small_clip()?;
    let device = Device::flex();
    let clip = || Clip::from_state(&base.config, &base.state, &device);
    let data = Captions::new(&base.config);

    // What a user says, over what the task would have; defaults follow the run's length.
    let said = TrainConfig { epochs: Some(3), batch_size: Some(16), lr: Some(3e-3), ..TrainConfig::default() };
    let task = TaskDefaults {
        alpha: 0.8,
        adapters_loss: LossKind::MpmNce,
        all_loss: LossKind::InfoNce,
        margin: 0.05,
        smoothing: 0.0,
        best: "recall".to_owned(),
    };
    let situation = Situation { samples: data.len(), checkpoint_temperature: 0.07, task: &task };
    let config = said.resolve(&situation)?.config;

    let folder = tempfile::tempdir()?;
    let run_dir = folder.path().join("run");
    let outcome = train(Setup {
        base: clip()?,
        base_hash: base.state.hash(),
        data: Arc::new(data),
        objective: config.loss.objective(),
        head: None,
        validator: None,
        config,
        task: Default::default(),
        files: Vec::new(),
        devices: Vec::new(),
        memory: None,
        run_dir: run_dir.clone(),
        progress: Box::new(|event: &ProgressEvent| {
            if let ProgressEvent::Step(step) = event {
                eprintln!("step {} of {}: loss {:.4}", step.step, step.steps, step.loss);
            }
        }),
        interrupt: Arc::default(),
    })?;
    if let Outcome::Finished(report) = outcome {
        eprintln!("{} parameters tuned in {:.1} s", report.tuned_parameters, report.seconds);
    }

    let adapters = AdapterFile::read(RunDir::open(&run_dir)?.evaluated()?)?;
    let merged = merge_checked(&attach_trained(clip()?, &adapters.adapters)?, Alpha::new(task.alpha)?)?;
    eprintln!("merged: a plain CLIP of {} parameters", merged.clip.config.parameters());
    Ok(())
}
