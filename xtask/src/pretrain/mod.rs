//! Pretraining of the embedded model: a small CLIP on scenes of the shapes world, drawn while it trains.

mod data;
mod zero_shot;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::clip::checkpoint::{Checkpoint, Format, SaveOptions};
use radapter::clip::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use radapter::clip::model::Clip;
use radapter::clip::state_dict::{RawTensor, StoredDtype};
use radapter::training::config::{LossKind, Situation, TaskDefaults, TrainConfig};
use radapter::training::{Outcome, ProgressEvent, Setup, resume, train};

use data::Scenes;
use zero_shot::ZeroShot;

/// Where CLIP's own temperature starts; the pretraining keeps it, and the checkpoint's logit scale says so.
const TEMPERATURE: f64 = 0.07;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the run; an unfinished one is resumed
    #[arg(long, default_value = "target/pretrain-embedded")]
    run: PathBuf,
    /// Where the checkpoint goes
    #[arg(long, default_value = "crates/radapter/assets")]
    out: PathBuf,
    /// Optimizer steps
    #[arg(long, default_value_t = 8000)]
    steps: u64,
    /// Scenes of a step
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// Peak learning rate
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Seed of weights, scenes and captions
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// The embedded architecture: as little as tells two dozen shapes apart. The text tower is narrow because the vocabulary's
/// 49,408 embeddings would otherwise be most of the file.
fn architecture() -> ClipConfig {
    ClipConfig {
        embed_dim: 64,
        activation: Activation::QuickGelu,
        vision: VisionConfig {
            image_size: 48,
            patch_size: 8,
            width: 96,
            layers: 4,
            heads: 3,
            mlp_width: 384,
            layer_norm_eps: 1e-5,
        },
        text: TextConfig {
            context_length: 77,
            vocab_size: 49408,
            width: 48,
            heads: 3,
            layers: 3,
            mlp_width: 192,
            layer_norm_eps: 1e-5,
        },
        preprocess: Default::default(),
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let config = architecture();
    let mut state = config.random_state(args.seed);
    let logit_scale = (1.0 / TEMPERATURE).ln() as f32;
    state.insert("logit_scale", RawTensor::from_f32(vec![], vec![logit_scale]));
    let device = Device::flex();
    let base = Clip::from_state(&config, &state, &device)?;

    let data = Scenes::new(&config, args.seed, args.steps, args.batch_size);
    let settings = TrainConfig {
        steps: Some(args.steps),
        batch_size: Some(args.batch_size),
        lr: Some(args.lr),
        seed: Some(args.seed),
        tune: Some(radapter::training::config::Tune::All),
        save_every: Some(radapter::training::config::OrNone::Some(200)),
        validate_every: Some(radapter::training::config::Every::Steps(400)),
        ..TrainConfig::default()
    };
    let task = TaskDefaults {
        alpha: 1.0,
        adapters_loss: LossKind::MpmNce,
        all_loss: LossKind::MpmNce,
        margin: 0.0,
        smoothing: 0.0,
        best: "zero_shot".to_owned(),
    };
    let samples = data.epoch_length();
    let situation = Situation { samples, checkpoint_temperature: TEMPERATURE, task: &task };
    let mut settings = settings;
    settings.loss.temperature = Some(radapter::training::config::Temperature::Checkpoint);
    let resolved = settings.resolve(&situation)?.config;

    let started = Instant::now();
    let setup = Setup {
        base_hash: state.hash(),
        base,
        data: Arc::new(data),
        objective: resolved.loss.objective(),
        head: None,
        validator: Some(Box::new(ZeroShot::new(&config, args.seed, 20))),
        config: resolved,
        task: toml::Table::new(),
        files: Vec::new(),
        devices: Vec::new(),
        memory: None,
        run_dir: args.run.clone(),
        progress: Box::new(move |event: &ProgressEvent| report(event, started)),
        interrupt: Arc::new(AtomicBool::new(false)),
    };
    let outcome = if args.run.exists() { resume(setup, None)? } else { train(setup)? };
    match outcome {
        Outcome::Finished(report) => eprintln!("{} steps in {:.0} s", report.steps, report.seconds),
        Outcome::Interrupted { step } => bail!("interrupted behind step {step}; run the same command again to go on"),
    }
    export(args, &config)
}

fn report(event: &ProgressEvent, started: Instant) {
    match event {
        ProgressEvent::Step(step) if step.step % 50 == 0 => eprintln!(
            "{:6.0} s  step {}/{}  loss {:.4}  lr {:.2e}  {:.0} scenes/s",
            started.elapsed().as_secs_f64(),
            step.step,
            step.steps,
            step.loss,
            step.lr,
            step.samples_per_second
        ),
        ProgressEvent::Validated { step, values, .. } => {
            let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
            eprintln!("step {step}: {}", values.join("  "));
        }
        _ => {}
    }
}

/// Writes the trained weights as f16 in OpenCLIP's form.
fn export(args: &Args, config: &ClipConfig) -> anyhow::Result<()> {
    let weights = args.run.join("weights.safetensors");
    let trained = Checkpoint::open(&weights, Some(config)).with_context(|| format!("reading {}", weights.display()))?;
    let checkpoint = Checkpoint { dtype: StoredDtype::F16, ..trained };
    let aside = args.run.join("open-clip");
    if aside.exists() {
        std::fs::remove_dir_all(&aside)?;
    }
    let options = SaveOptions::new(Format::OpenClip).with_dtype(StoredDtype::F16);
    checkpoint.save(&aside, &options)?;
    std::fs::create_dir_all(&args.out)?;
    for file in ["open_clip_config.json", "open_clip_model.safetensors"] {
        copy(&aside.join(file), &args.out.join(file))?;
    }
    eprintln!("wrote {}", args.out.display());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    Ok(())
}
