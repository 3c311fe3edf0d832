//! The cost of a training step with random weights: steps a second and peak memory.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::clip::config::ClipConfig;
use radapter::clip::model::Clip;
use radapter::clip::tokenizer::Tokenizer;
use radapter::datasets::seed;
use radapter::training::config::{LossKind, OrNone, Situation, TaskDefaults, TrainConfig, Tune};
use radapter::training::{DataError, Outcome, ProgressEvent, Sample, SampleKey, Setup, TrainData, train};
use rand::Rng;
use serde_json::json;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Architecture, a preset's name
    #[arg(long, default_value = "ViT-B-32-quickgelu")]
    arch: String,
    /// Samples of a step
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Steps that are timed, behind two that are not
    #[arg(long, default_value_t = 8)]
    steps: u64,
    /// Train all weights instead of adapters
    #[arg(long)]
    all: bool,
}

/// Captions of ten classes, as fine-tuning has them.
const CLASSES: [&str; 10] =
    ["tench", "goldfish", "great white shark", "hen", "ostrich", "brambling", "junco", "magpie", "kite", "bald eagle"];
const WARM_UP: u64 = 2;

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

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let config = ClipConfig::preset(&args.arch)?;
    let state = config.random_state(0);
    let device = Device::flex();
    let tokenizer = Tokenizer::clip();
    let captions = CLASSES
        .iter()
        .map(|class| tokenizer.encode_unpadded(&format!("a photo of a {class}."), config.text.context_length))
        .collect();
    let steps = args.steps + WARM_UP;
    let length = args.batch_size * steps as usize;
    let data = Noise { values: 3 * config.vision.image_size.pow(2), length, captions };
    let settings = TrainConfig {
        steps: Some(steps),
        batch_size: Some(args.batch_size),
        tune: Some(if args.all { Tune::All } else { Tune::Adapters }),
        save_every: Some(OrNone::None),
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
    let times = Arc::new(Mutex::new(Vec::new()));
    let heard = times.clone();
    let dir = tempfile::tempdir().context("no room for a run")?;
    let setup = Setup {
        base_hash: state.hash(),
        base: Clip::from_state(&config, &state, &device)?,
        data: Arc::new(data),
        objective: resolved.loss.objective(),
        head: None,
        validator: None,
        config: resolved,
        task: toml::Table::new(),
        files: Vec::new(),
        run_dir: dir.path().join("run"),
        progress: Box::new(move |event: &ProgressEvent| {
            if let (ProgressEvent::Step(_), Ok(mut times)) = (event, heard.lock()) {
                times.push(std::time::Instant::now());
            }
        }),
        interrupt: Arc::new(AtomicBool::new(false)),
    };
    let Outcome::Finished(report) = train(setup)? else { bail!("the run was interrupted") };
    let times = times.lock().map_err(|_| anyhow::anyhow!("the progress thread failed"))?;
    let (first, last) = match times[..] {
        [.., _] if times.len() as u64 > WARM_UP => (times[WARM_UP as usize - 1], times[times.len() - 1]),
        _ => bail!("too few steps to time"),
    };
    let seconds = (last - first).as_secs_f64() / (times.len() as u64 - WARM_UP) as f64;
    let result = json!({
        "arch": args.arch,
        "batch_size": args.batch_size,
        "tune": if args.all { "all" } else { "adapters" },
        "tuned_parameters": report.tuned_parameters,
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "steps_timed": times.len() as u64 - WARM_UP,
        "seconds_per_step": seconds,
        "steps_per_second": 1.0 / seconds,
        "samples_per_second": args.batch_size as f64 / seconds,
        "peak_memory_mib": report.peak_memory_bytes.map(|bytes| bytes / (1 << 20)),
    });
    serde_json::to_writer_pretty(std::io::stdout().lock(), &result)?;
    Ok(())
}
