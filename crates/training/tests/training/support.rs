//! A tiny CLIP, drawn samples, and runs on them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use burn::tensor::{Device, Tensor, TensorData};
use radapter_clip::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use radapter_clip::model::{Clip, Context};
use radapter_clip::state_dict::StateDict;
use radapter_training::config::{LossKind, Resolved, Settings, Situation, TaskDefaults};
use radapter_training::{
    DataError, IgnoreProgress, Outcome, ProgressListener, Report, Sample, SampleKey, Setup, TrainData, TrainError,
    Validator,
};

pub(crate) const CLASSES: usize = 4;
const SIZE: usize = 8;

pub(crate) fn architecture() -> ClipConfig {
    ClipConfig {
        embed_dim: 16,
        activation: Activation::QuickGelu,
        vision: VisionConfig {
            image_size: SIZE,
            patch_size: 4,
            width: 16,
            layers: 2,
            heads: 2,
            mlp_width: 32,
            layer_norm_eps: 1e-5,
        },
        text: TextConfig {
            context_length: 6,
            // The least that the tokenizer's ids need.
            vocab_size: 49_408,
            width: 8,
            heads: 2,
            layers: 1,
            mlp_width: 32,
            layer_norm_eps: 1e-5,
        },
        preprocess: Default::default(),
    }
}

pub(crate) fn base() -> (Clip, String) {
    static BASE: LazyLock<(StateDict, String)> = LazyLock::new(|| {
        let state = architecture().random_state(5);
        let hash = state.hash();
        (state, hash)
    });
    let (state, hash) = &*BASE;
    let clip = Clip::from_state(&architecture(), state, &Device::flex()).unwrap();
    (clip, hash.clone())
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
    // SplitMix64 is enough for pictures.
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
            Some((index, false)) if index == key.index => return Err("the picture is broken".into()),
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
        model: &Clip,
        head: Option<&Tensor<2>>,
    ) -> Result<Vec<(String, f64)>, Box<dyn std::error::Error + Send + Sync>> {
        let context = Context::inference();
        let texts: Vec<_> = (0..CLASSES).map(tokens_of).collect();
        let head = head.cloned().unwrap_or_else(|| model.encode_text(&texts, &context));
        assert!(!head.is_autodiff(), "validation is outside autodiff");
        let count = 32;
        let pixels: Vec<f32> =
            (0..count).flat_map(|index| sample(SampleKey { seed: 999, epoch: 0, index }).pixels).collect();
        let pixels = Tensor::from_data(TensorData::new(pixels, [count, 3, SIZE, SIZE]), &head.device());
        let logits = model.encode_image(pixels, &context).matmul(head.transpose());
        let values = logits.into_data().try_to_vec::<f32>().unwrap();
        let right = (0..count)
            .filter(|index| {
                let row = &values[index * CLASSES..][..CLASSES];
                (0..CLASSES).all(|class| row[class] <= row[index % CLASSES])
            })
            .count();
        // The mean cosine of the right class moves with every step, which accuracy does not.
        let cosine: f64 = (0..count).map(|i| f64::from(values[i * CLASSES + i % CLASSES])).sum();
        Ok(vec![("top1".to_owned(), right as f64 / count as f64), ("cosine".to_owned(), cosine / count as f64)])
    }
}

pub(crate) fn defaults() -> TaskDefaults {
    TaskDefaults {
        alpha: 0.5,
        adapters_loss: LossKind::MpmNce,
        all_loss: LossKind::CrossEntropy,
        margin: 0.05,
        smoothing: 0.02,
        best: "cosine".to_owned(),
    }
}

#[derive(serde::Serialize, serde::Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NoTask {}

pub(crate) fn resolve(settings: &[&str], samples: usize) -> Resolved {
    let mut given = Settings::default();
    for setting in settings {
        given.set(setting).unwrap();
    }
    let (config, NoTask {}) = given.parse().unwrap();
    let task = defaults();
    let situation = Situation { samples, checkpoint_temperature: 0.07, task: &task };
    config.resolve(&situation).unwrap()
}

/// A run to be.
pub(crate) struct Plan {
    pub(crate) settings: Vec<String>,
    pub(crate) data: Drawn,
    pub(crate) validate: bool,
    /// How many devices share each batch: replicas on the CPU.
    pub(crate) devices: usize,
    /// Bytes that the device is said to have.
    pub(crate) memory: Option<radapter_training::FreeMemory>,
    pub(crate) progress: Box<dyn ProgressListener>,
    pub(crate) interrupt: Arc<AtomicBool>,
}

impl Plan {
    pub(crate) fn new(settings: &[&str]) -> Self {
        let common = ["batch_size=8", "lr=0.01", "workers=2", "loss.temperature=0.1"];
        Self {
            settings: common.iter().chain(settings).map(|s| (*s).to_owned()).collect(),
            data: Drawn::new(26),
            validate: true,
            devices: 1,
            memory: None,
            progress: Box::new(IgnoreProgress),
            interrupt: Arc::default(),
        }
    }

    pub(crate) fn setup(self, dir: &Path) -> Setup {
        let (base, base_hash) = base();
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        let config = resolve(&settings, self.data.count).config;
        let texts: Vec<_> = (0..CLASSES).map(tokens_of).collect();
        let head = base.encode_text(&texts, &Context::inference());
        let objective = config.loss.objective();
        Setup {
            base,
            base_hash,
            data: Arc::new(self.data),
            head: (!objective.needs_text()).then_some(head),
            objective,
            validator: self.validate.then(|| Box::new(Accuracy) as Box<dyn Validator>),
            config,
            task: toml::Table::new(),
            files: Vec::new(),
            devices: vec![Device::flex(); self.devices],
            memory: self.memory,
            run_dir: dir.to_owned(),
            progress: self.progress,
            interrupt: self.interrupt,
        }
    }

    pub(crate) fn train(self, dir: &Path) -> Result<Outcome, TrainError> {
        radapter_training::train(self.setup(dir))
    }

    pub(crate) fn resume(self, dir: &Path) -> Result<Outcome, TrainError> {
        radapter_training::resume(self.setup(dir), None)
    }

    /// Asks for the end of the run after this step.
    pub(crate) fn interrupted_at(mut self, step: u64) -> Self {
        self.data.count = self.data.count.max(1);
        let interrupt = self.interrupt.clone();
        self.progress = Box::new(move |event: &radapter_training::ProgressEvent| {
            if let radapter_training::ProgressEvent::Step(progress) = event
                && progress.step >= step
            {
                interrupt.store(true, Ordering::Relaxed);
            }
        });
        self
    }
}

pub(crate) fn finished(outcome: Outcome) -> Report {
    match outcome {
        Outcome::Finished(report) => report,
        Outcome::Interrupted { step } => panic!("interrupted at step {step}"),
    }
}

/// The bytes of every file below a folder that a run's result consists of.
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
