//! A tiny CLIP, synthetic samples, and runs on them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use burn::tensor::{Device, Tensor, TensorData};
use radapter_clip::checkpoint::{Checkpoint, Format};
use radapter_clip::config::{ClipConfig, TextConfig, VisionConfig};
use radapter_clip::model::{Clip, Encoder, ModelError};
use radapter_datasets::SkipReport;
use radapter_files::{Disk, Storage};
use radapter_methods::METHODS;
use radapter_settings::{Settings, SettingsError, Spec, settings};
use radapter_test_support::small_config;
use radapter_training::config::{Recipe, TrainSettings};
use radapter_training::finetuned::RunFiles;
use radapter_training::plan::Inputs;
use radapter_training::{
    DataError, IgnoreProgress, Method, Outcome, Parts, Plan as TaskPlan, ProgressEvent, ProgressListener, Report,
    RunDir, RunOptions, Sample, SampleKey, Setup, Sources, Task, TrainData, TrainError, Validator,
};

pub(crate) const CLASSES: usize = 4;
const SIZE: usize = 8;

pub(crate) fn architecture() -> ClipConfig {
    let small = small_config(SIZE, 6);
    ClipConfig {
        embed_dim: 16,
        vision: VisionConfig { patch_size: 4, ..small.vision },
        text: TextConfig { width: 8, layers: 1, ..small.text },
        ..small
    }
}

pub(crate) fn base() -> Checkpoint {
    static BASE: LazyLock<Checkpoint> = LazyLock::new(|| {
        Checkpoint::new(architecture(), architecture().random_state(5), Format::OpenClip, "random").unwrap()
    });
    BASE.clone()
}

pub(crate) fn base_clip() -> Clip {
    Clip::from_state(&base().config, &base().state, &Device::flex()).unwrap()
}

/// Images of a class share a pattern; noise is drawn from the key.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) count: usize,
    /// Loading fails, or skips, at this index.
    pub(crate) broken: Option<(usize, bool)>,
    /// A pixel of this sample is NaN.
    pub(crate) nan: Option<usize>,
}

impl Drawn {
    pub(crate) fn new(count: usize) -> Self {
        Self { count, broken: None, nan: None }
    }
}

fn noise(state: &mut u64) -> f32 {
    // SplitMix64 is random enough for images.
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32 - 0.5
}

pub(crate) fn tokens_of(class: usize) -> Vec<u32> {
    vec![49_406, 1 + class as u32, 49_407]
}

pub(crate) fn sample(key: SampleKey) -> Sample {
    let label = key.index % CLASSES;
    let mut pattern = 1000 + label as u64;
    let mut random = key.seed ^ (key.epoch << 20) ^ ((key.index as u64) << 40);
    let pixels = (0..3 * SIZE * SIZE).map(|_| 2.0 * noise(&mut pattern) + noise(&mut random)).collect();
    Sample { pixels, tokens: tokens_of(label), label: label as i64 }
}

impl TrainData for Drawn {
    fn len(&self) -> usize {
        self.count
    }

    fn load(&self, key: SampleKey) -> Result<Option<Sample>, DataError> {
        match self.broken {
            Some((index, true)) if index == key.index => return Ok(None),
            Some((index, false)) if index == key.index => return Err("the image is broken".into()),
            _ => {}
        }
        let mut sample = sample(key);
        if self.nan == Some(key.index) {
            sample.pixels[7] = f32::NAN;
        }
        Ok(Some(sample))
    }
}

/// Accuracy on images drawn from another seed.
pub(crate) struct Accuracy;

impl Validator for Accuracy {
    fn validate(
        &mut self,
        model: &dyn Encoder,
        head: Option<&Tensor<2>>,
    ) -> Result<Vec<(String, f64)>, Box<dyn std::error::Error + Send + Sync>> {
        let texts: Vec<_> = (0..CLASSES).map(tokens_of).collect();
        let head = head.cloned().unwrap_or_else(|| model.embed_texts(&texts));
        assert!(!head.is_autodiff(), "validation is outside autodiff");
        let count = 32;
        let pixels: Vec<f32> =
            (0..count).flat_map(|index| sample(SampleKey { seed: 999, epoch: 0, index }).pixels).collect();
        let pixels = Tensor::from_data(TensorData::new(pixels, [count, 3, SIZE, SIZE]), &head.device());
        let logits = model.embed_images(pixels).matmul(head.transpose());
        let values = logits.into_data().try_to_vec::<f32>().unwrap();
        let right = (0..count)
            .filter(|index| {
                let row = &values[index * CLASSES..][..CLASSES];
                (0..CLASSES).all(|class| row[class] <= row[index % CLASSES])
            })
            .count();
        // Unlike accuracy, the mean cosine of the right class changes with every step.
        let cosine: f64 = (0..count).map(|i| f64::from(values[i * CLASSES + i % CLASSES])).sum();
        Ok(vec![("top1".to_owned(), right as f64 / count as f64), ("cosine".to_owned(), cosine / count as f64)])
    }
}

settings! {
    /// A task's settings beside the trainer's.
    pub struct ToySettings {
        /// Templates of captions.
        pub templates: Option<String> = Spec::unset(),
        /// Share of the images for validation.
        pub val_fraction: f64 = Spec::toml("0.1").from_to(0.0, 1.0),
    }
}

/// Task on synthetic images.
#[derive(Debug)]
pub(crate) struct Toy {
    settings: ToySettings,
    data: ToyData,
}

#[derive(Clone, Debug)]
pub(crate) struct ToyData {
    drawn: Drawn,
    validate: bool,
    files: Vec<(String, Vec<u8>)>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ToyError {
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl ToyError {
    /// Returns the trainer's error, the only kind that a toy has.
    pub(crate) fn of_training(self) -> TrainError {
        match self {
            Self::Train(error) => error,
            Self::Settings(error) => error.into(),
            Self::Model(error) => panic!("{error}"),
        }
    }
}

impl Task for Toy {
    const NAME: &'static str = "toy";
    const ABOUT: &'static str = "classifies synthetic patterns";
    const EXAMPLES: &'static str = "";
    const DEFAULTS: &'static str = "alpha = 0.5\nbest = \"cosine\"";
    const SMOOTHING: f64 = 0.02;
    const RECIPES: &'static [Recipe] = &[Recipe {
        name: "paper-toy",
        about: "a table's column",
        settings: "epochs = 50\nbatch_size = 256\nema = 0.999\nalpha = 0.8\nloss.margin = 0.1\nadapter.rank = 4",
    }];
    const HAS_CLASSIFIER: bool = true;
    const CLASSIFIER_ROWS: Option<&'static str> = Some("rows.json");

    type Settings = ToySettings;
    type Data = ToyData;
    type Error = ToyError;

    fn prepare(settings: ToySettings, sources: Sources<'_, Self>) -> Result<Self, ToyError> {
        Ok(Self { settings, data: sources.data.expect("a toy has its data in memory") })
    }

    fn settings(&self) -> &ToySettings {
        &self.settings
    }

    fn samples(&self) -> usize {
        self.data.drawn.count
    }

    fn summary(&self) -> String {
        format!("{} synthetic images", self.samples())
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn parts(self, model: &dyn Encoder, train: &TrainSettings, _options: &RunOptions) -> Result<Parts, ToyError> {
        let texts: Vec<_> = (0..CLASSES).map(tokens_of).collect();
        let head = (!train.loss.objective().needs_text()).then(|| model.embed_texts(&texts));
        let ToyData { drawn, validate, files } = self.data;
        let validator = validate.then(|| Box::new(Accuracy) as Box<dyn Validator>);
        Ok(Parts { data: Arc::new(drawn), head, validator, held_out: None, files, skipped: SkipReport::default() })
    }
}

/// Plans a run over so many samples.
pub(crate) fn plan_of(given: &Settings, samples: usize) -> Result<TaskPlan<Toy>, TrainError> {
    let data = ToyData { drawn: Drawn::new(samples), validate: true, files: Vec::new() };
    TaskPlan::new(inputs(METHODS, data, &mut |_, _| {}), given).map_err(ToyError::of_training)
}

fn inputs<'a>(
    methods: &'a [&'static dyn Method],
    data: ToyData,
    progress: &'a mut dyn FnMut(usize, usize),
) -> Inputs<'a, Toy> {
    Inputs { methods, base: base(), reference: None, from: None, data: Some(data), device: Device::flex(), progress }
}

/// Parses settings as `--set` does.
pub(crate) fn given(settings: &[&str]) -> Settings {
    let mut given = Settings::default();
    settings.iter().for_each(|setting| given.assign(setting).unwrap());
    given
}

pub(crate) fn resolve(settings: &[&str], samples: usize) -> TaskPlan<Toy> {
    plan_of(&given(settings), samples).unwrap()
}

/// Configuration of a run.
pub(crate) struct Plan {
    pub(crate) settings: Vec<String>,
    pub(crate) data: Drawn,
    pub(crate) validate: bool,
    /// The task's files in the run's folder.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) methods: &'static [&'static dyn Method],
    /// Run to start from.
    pub(crate) from: Option<PathBuf>,
    /// Number of devices that share each batch: replicas on the CPU.
    pub(crate) devices: usize,
    /// Free bytes that the device reports.
    pub(crate) memory: Option<radapter_training::FreeMemory>,
    pub(crate) progress: Box<dyn ProgressListener>,
    pub(crate) interrupt: Arc<AtomicBool>,
    pub(crate) storage: Arc<dyn Storage>,
}

impl Plan {
    pub(crate) fn new(settings: &[&str]) -> Self {
        let common = ["batch_size=8", "lr=0.01", "workers=2", "loss.temperature=0.1", "precision=f32"];
        Self {
            settings: common.iter().chain(settings).map(|s| (*s).to_owned()).collect(),
            data: Drawn::new(26),
            validate: true,
            files: Vec::new(),
            methods: METHODS,
            from: None,
            devices: 1,
            memory: None,
            progress: Box::new(IgnoreProgress),
            interrupt: Arc::default(),
            storage: Arc::new(Disk),
        }
    }

    pub(crate) fn setup(self, dir: &Path) -> Result<Setup, TrainError> {
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        let data = ToyData { drawn: self.data, validate: self.validate, files: self.files };
        let from = self.from.map(RunFiles::open).transpose()?;
        let mut ignore = |_, _| {};
        let inputs = Inputs { from, ..inputs(self.methods, data, &mut ignore) };
        let plan = TaskPlan::new(inputs, &given(&settings)).map_err(ToyError::of_training)?;
        let options = RunOptions {
            devices: vec![Device::flex(); self.devices],
            memory: self.memory,
            progress: self.progress,
            interrupt: self.interrupt,
            storage: self.storage,
            ..RunOptions::new(dir, Device::flex())
        };
        plan.setup(options).map_err(ToyError::of_training)
    }

    pub(crate) fn train(self, dir: &Path) -> Result<Outcome, TrainError> {
        let methods = self.methods;
        let setup = self.setup(dir)?;
        radapter_training::train(method_of(methods, &setup), setup)
    }

    pub(crate) fn resume(self, dir: &Path) -> Result<Outcome, TrainError> {
        let methods = self.methods;
        let setup = self.setup(dir)?;
        radapter_training::resume(method_of(methods, &setup), setup, None)
    }

    /// Interrupts the run after this step.
    pub(crate) fn interrupted_at(mut self, step: u64) -> Self {
        let interrupt = self.interrupt.clone();
        self.progress = Box::new(move |event: &ProgressEvent| {
            if let ProgressEvent::Step(progress) = event
                && progress.step >= step
            {
                interrupt.store(true, Ordering::Relaxed);
            }
        });
        self
    }
}

/// Plans a resume of the run in a folder.
pub(crate) fn plan_of_run(dir: &Path, samples: usize) -> TaskPlan<Toy> {
    let data = ToyData { drawn: Drawn::new(samples), validate: true, files: Vec::new() };
    TaskPlan::of_run(inputs(METHODS, data, &mut |_, _| {}), &RunDir::open(dir).unwrap()).unwrap()
}

pub(crate) fn finished(outcome: Outcome) -> Report {
    match outcome {
        Outcome::Finished(report) => report,
        Outcome::Interrupted { step } => panic!("interrupted at step {step}"),
    }
}

/// Returns the bytes of every file below a folder that belongs to a run's result.
pub(crate) fn result_files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in [dir.to_owned(), dir.join("best")] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "safetensors") {
                let bytes = std::fs::read(&path).unwrap();
                files.insert(path.strip_prefix(dir).unwrap().to_owned(), bytes);
            }
        }
    }
    files
}

fn method_of(methods: &[&'static dyn Method], setup: &Setup) -> &'static dyn Method {
    methods.iter().copied().find(|method| method.name() == setup.train.method).unwrap()
}

/// Starts the run of a setup that a test has changed.
pub(crate) fn train(setup: Setup) -> Result<Outcome, TrainError> {
    radapter_training::train(method_of(METHODS, &setup), setup)
}

/// Resumes the run of a setup that a test has changed.
pub(crate) fn resume(setup: Setup, from_step: Option<u64>) -> Result<Outcome, TrainError> {
    radapter_training::resume(method_of(METHODS, &setup), setup, from_step)
}
