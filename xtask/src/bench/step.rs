//! A training step with random weights, through the trainer.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::clip::config::ClipConfig;
use radapter::clip::model::Clip;
use radapter::clip::tokenizer::Tokenizer;
use radapter::datasets::seed;
use radapter::training::config::{LossKind, OrNone, Situation, TaskDefaults, TrainConfig, Tune};
use radapter::training::{
    DataError, Line, Outcome, ProgressEvent, Sample, SampleKey, Setup, TrainData, TrainLine, read_metrics, train,
};
use rand::Rng;

use super::Args;
use super::measurement::{median, minor_faults, reset_peak};
use super::towers::{Timed, WARM_UP, image_tower, text_tower};

/// Captions of ten classes, as fine-tuning has them.
const CLASSES: [&str; 10] =
    ["tench", "goldfish", "great white shark", "hen", "ostrich", "brambling", "junco", "magpie", "kite", "bald eagle"];

/// Noise with captions.
struct Noise {
    values: usize,
    length: usize,
    captions: Vec<Vec<u32>>,
}

impl TrainData for Noise {
    fn len(&self) -> usize {
        self.length
    }

    fn load(&self, key: SampleKey) -> Result<Option<Sample>, DataError> {
        let class = key.index % self.captions.len();
        let mut rng = seed::rng("bench", &[key.seed, key.index as u64]);
        let pixels = (0..self.values).map(|_| (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect();
        Ok(Some(Sample { pixels, tokens: self.captions[class].clone(), label: class as i64 }))
    }
}

pub(crate) fn run(config: &ClipConfig, args: &Args, device: &Device) -> anyhow::Result<Timed> {
    let state = config.random_state(0);
    let tokenizer = Tokenizer::clip();
    let captions = CLASSES
        .iter()
        .map(|class| tokenizer.encode_unpadded(&format!("a photo of a {class}."), config.text.context_length))
        .collect::<Vec<_>>();
    let tokens = captions.iter().map(Vec::len).max().unwrap_or(1);
    let steps = args.steps + WARM_UP;
    let length = args.batch_size * steps as usize;
    let data = Noise { values: 3 * config.vision.image_size.pow(2), length, captions };
    let settings = TrainConfig {
        steps: Some(steps),
        batch_size: Some(args.batch_size),
        tune: Some(if args.all { Tune::All } else { Tune::Adapters }),
        save_every: Some(OrNone::None),
        micro_batch: args.micro_batch.map(OrNone::Some),
        checkpointing: Some(args.checkpointing),
        precision: Some(args.precision),
        ..TrainConfig::default()
    };
    let task = TaskDefaults {
        alpha: 0.5,
        adapters_loss: LossKind::MpmNce,
        all_loss: LossKind::InfoNce,
        margin: 0.05,
        smoothing: 0.02,
        best: "none".to_owned(),
    };
    let resolved = settings.resolve(&Situation { samples: length, checkpoint_temperature: 0.01, task: &task })?.config;
    let faults = Arc::new(Mutex::new(Vec::new()));
    let heard = faults.clone();
    let dir = tempfile::tempdir().context("no room for a run")?;
    let setup = Setup {
        base_hash: state.hash(),
        base: Clip::from_state(config, &state, device)?,
        data: Arc::new(data),
        objective: resolved.loss.objective(),
        head: None,
        validator: None,
        config: resolved,
        task: toml::Table::new(),
        files: Vec::new(),
        devices: Vec::new(),
        memory: None,
        run_dir: dir.path().join("run"),
        progress: Box::new(move |event: &ProgressEvent| {
            if let (ProgressEvent::Step(_), Ok(mut faults)) = (event, heard.lock()) {
                if faults.is_empty() {
                    reset_peak();
                }
                faults.extend(minor_faults());
            }
        }),
        interrupt: Arc::new(AtomicBool::new(false)),
    };
    drop(state);
    let run_dir = setup.run_dir.clone();
    let Outcome::Finished(_) = train(setup)? else { bail!("the run was interrupted") };
    let lines = read_metrics(&run_dir.join("metrics.jsonl"))?;
    let timed: Vec<TrainLine> = lines
        .into_iter()
        .filter_map(|line| match line {
            Line::Train(line) if line.step > WARM_UP => Some(line),
            _ => None,
        })
        .collect();
    let of = |part: fn(&TrainLine) -> f64| median(timed.iter().map(part).collect());
    let parts = [
        ("wait", of(|line| line.times.wait)),
        ("image tower", of(|line| line.times.images)),
        ("text tower", of(|line| line.times.texts)),
        ("loss", of(|line| line.times.loss)),
        ("backward", of(|line| line.times.backward)),
        ("optimizer and EMA", of(|line| line.times.optimizer)),
    ];
    let faults = faults.lock().map_err(|_| anyhow::anyhow!("the progress thread failed"))?;
    let faults = match faults[..] {
        [first, .., last] => Some((last - first) as f64 / (faults.len() - 1) as f64),
        _ => None,
    };
    // Equal captions are encoded once.
    let texts = captions_in_use(args.batch_size) as f64;
    let images = args.batch_size as f64 * image_tower(config).training();
    Ok(Timed {
        seconds: of(|line| line.samples as f64 / line.samples_per_second),
        faults,
        parts: parts.map(|(name, seconds)| (name.to_owned(), seconds)).into(),
        // The other kinds of steps are not counted.
        gflop: args.plain().then_some((images + texts * text_tower(config, tokens).training()) / 1e9),
    })
}

fn captions_in_use(batch: usize) -> usize {
    batch.min(CLASSES.len())
}
