//! A task of one's own through the training loop: it has settings and samples, and becomes a model.
//!
//! Here the task is to match drawn scenes with their captions, as retrieval would.

use std::sync::Arc;

use burn::tensor::Device;
use radapter::clip::config::ClipConfig;
use radapter::clip::model::Encoder;
use radapter::clip::tokenizer::Tokenizer;
use radapter::datasets::SkipReport;
use radapter::datasets::shapes::{Domain, Split, World};
use radapter::images::Preprocess;
use radapter::methods::METHODS;
use radapter::settings::{Settings, Spec, settings};
use radapter::training::config::{Recipe, TrainSettings};
use radapter::training::finetuned::FineTunedRun;
use radapter::training::plan::Inputs;
use radapter::training::{
    DataError, Outcome, Parts, Plan, ProgressEvent, RunOptions, Sample, SampleKey, Sources, Task, TrainData, TrainError,
};
use radapter_examples::small_clip;

settings! {
    /// The task's own settings, in one list of keys with the trainer's.
    pub struct SceneSettings {
        /// Scenes that are drawn.
        pub scenes: usize = Spec::toml("64").at_least(2.0),
    }
}

/// Matching scenes with their captions.
struct Matching {
    settings: SceneSettings,
}

impl Task for Matching {
    const NAME: &'static str = "matching";
    const ABOUT: &'static str = "Fine-tune on drawn scenes with captions";
    const EXAMPLES: &'static str = "";
    // What the task changes of the trainer's settings.
    const DEFAULTS: &'static str = "alpha = 0.8\nbest = \"recall\"";
    const RECIPES: &'static [Recipe] = &[];

    type Settings = SceneSettings;
    type Data = ();
    type Error = TrainError;

    fn prepare(settings: SceneSettings, _sources: Sources<'_, Self>) -> Result<Self, TrainError> {
        Ok(Self { settings })
    }

    fn settings(&self) -> &SceneSettings {
        &self.settings
    }

    fn samples(&self) -> usize {
        self.settings.scenes
    }

    fn summary(&self) -> String {
        format!("{} scenes", self.settings.scenes)
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn parts(self, model: &dyn Encoder, _train: &TrainSettings, _options: &RunOptions) -> Result<Parts, TrainError> {
        let data = Arc::new(Captions::new(self.settings.scenes, model.config()));
        Ok(Parts {
            data,
            head: None,
            validator: None,
            held_out: None,
            files: Vec::new(),
            skipped: SkipReport::default(),
        })
    }
}

/// Scenes and captions of the drawn world.
struct Captions {
    scenes: usize,
    world: World,
    preprocess: Preprocess,
    context_length: usize,
}

impl Captions {
    fn new(scenes: usize, config: &ClipConfig) -> Self {
        let context_length = config.text.context_length;
        Self { scenes, world: World::new(0), preprocess: config.preprocessor(), context_length }
    }
}

impl TrainData for Captions {
    fn len(&self) -> usize {
        self.scenes
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

    // What a user gives, over what task and method have; the other defaults follow the run's length.
    let mut settings = Settings::default();
    settings.set("epochs", 3)?;
    settings.set("batch_size", 16)?;
    settings.set("lr", 3e-3)?;
    // The embedding is untrained: at a low temperature its random differences would decide.
    settings.set("loss.temperature", 0.07)?;
    let mut ignore = |_, _| {};
    let inputs = Inputs {
        methods: METHODS,
        base: base.clone(),
        reference: None,
        from: None,
        data: None,
        device: device.clone(),
        progress: &mut ignore,
    };
    let plan = Plan::<Matching>::new(inputs, &settings)?;
    eprintln!("{}", plan.summary());

    let folder = tempfile::tempdir()?;
    let mut options = RunOptions::new(folder.path().join("run"), device.clone());
    options.progress = Box::new(|event: &ProgressEvent| {
        if let ProgressEvent::Step(step) = event {
            eprintln!("step {} of {}: loss {:.4}", step.step, step.steps, step.loss);
        }
    });
    if let Outcome::Finished(report) = plan.train(options)?.outcome {
        eprintln!("{} parameters tuned in {:.1} s", report.tuned_parameters, report.seconds);
    }

    // The run's folder has all that makes a model of it, at the task's α.
    let run = FineTunedRun::open(METHODS, folder.path().join("run"))?;
    let merged = run.model(&base, None, &device)?.model.checkpoint()?;
    eprintln!("merged: a plain CLIP of {} parameters", merged.config.parameters());
    Ok(())
}
