//! A training step with random weights, through the trainer.

use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::clip::checkpoint::{Checkpoint, Format};
use radapter::clip::config::ClipConfig;
use radapter::clip::tokenizer::Tokenizer;
use radapter::datasets::seed;
use radapter::methods::METHODS;
use radapter::settings::Settings;
use radapter::training::plan::Inputs;
use radapter::training::{
    DataError, Line, Outcome, Plan, ProgressEvent, RunOptions, Sample, SampleKey, TrainData, TrainLine, read_metrics,
};
use rand::Rng;

use super::Args;
use super::measurement::{median, minor_faults, reset_peak};
use super::towers::{Timed, WARM_UP, image_tower, text_tower};
use crate::in_memory::InMemory;

/// Classes of the captions.
const CLASSES: [&str; 10] =
    ["tench", "goldfish", "great white shark", "hen", "ostrich", "brambling", "junco", "magpie", "kite", "bald eagle"];

/// Random pixels with captions.
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
    let tokenizer = Tokenizer::clip();
    let captions = CLASSES
        .iter()
        .map(|class| tokenizer.encode_unpadded(&format!("a photo of a {class}."), config.text.context_length))
        .collect::<Vec<_>>();
    let tokens = captions.iter().map(Vec::len).max().unwrap_or(1);
    let steps = args.steps + WARM_UP;
    let length = args.batch_size * steps as usize;
    let data = Noise { values: 3 * config.vision.image_size.pow(2), length, captions };
    let settings = settings(args, steps)?;
    let faults = Arc::new(Mutex::new(Vec::new()));
    let sink = faults.clone();
    let dir = tempfile::tempdir().context("cannot create a temporary folder for the run")?;
    let run_dir = dir.path().join("run");
    let mut options = RunOptions::new(&run_dir, device.clone());
    options.progress = Box::new(move |event: &ProgressEvent| {
        if let (ProgressEvent::Step(_), Ok(mut faults)) = (event, sink.lock()) {
            if faults.is_empty() {
                reset_peak();
            }
            faults.extend(minor_faults());
        }
    });
    let mut ignore = |_, _| {};
    let inputs = Inputs {
        methods: METHODS,
        base: Checkpoint::new(config.clone(), config.random_state(0), Format::OpenClip, "random")?,
        reference: None,
        from: None,
        data: Some(InMemory::new(data, None)),
        device: device.clone(),
        progress: &mut ignore,
    };
    let done = Plan::<InMemory>::new(inputs, &settings)?.train(options)?;
    let Outcome::Finished(_) = done.outcome else { bail!("the run was interrupted") };
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
        // Other kinds of steps are not counted.
        gflop: args.plain().then_some((images + texts * text_tower(config, tokens).training()) / 1e9),
    })
}

/// R-Adapter as on classification, or all weights of both towers.
fn settings(args: &Args, steps: u64) -> anyhow::Result<Settings> {
    let mut settings = Settings::default();
    settings.set("method", if args.all { "flyp" } else { "r-adapter" })?;
    settings.set("steps", steps as i64)?;
    settings.set("batch_size", args.batch_size as i64)?;
    settings.set("loss.margin", 0.05)?;
    settings.set("loss.smoothing", 0.02)?;
    settings.set("save_every", "none")?;
    settings.set("checkpointing", args.checkpointing)?;
    settings.set("precision", args.precision[0].to_string())?;
    if let Some(size) = args.micro_batch {
        settings.set("micro_batch", size as i64)?;
    }
    args.set.iter().try_for_each(|assignment| settings.assign(assignment))?;
    Ok(settings)
}

fn captions_in_use(batch: usize) -> usize {
    batch.min(CLASSES.len())
}
