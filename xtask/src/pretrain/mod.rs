//! Pretraining of the embedded model: a small CLIP on scenes of the shapes world, drawn during training.

mod data;
mod zero_shot;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::clip::checkpoint::{Checkpoint, Format, SaveOptions};
use radapter::clip::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use radapter::clip::state_dict::{RawTensor, StoredDtype};
use radapter::methods::METHODS;
use radapter::settings::Settings;
use radapter::training::plan::{Inputs, check_resume};
use radapter::training::{Outcome, Plan, ProgressEvent, RunDir, RunOptions};

use crate::in_memory::InMemory;
use data::Scenes;
use zero_shot::ZeroShot;

/// CLIP's initial temperature, which pretraining keeps and the checkpoint's logit scale records.
const TEMPERATURE: f64 = 0.07;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the run; an unfinished one is resumed
    #[arg(long, default_value = "target/pretrain-embedded")]
    run: PathBuf,
    /// Folder for the checkpoint
    #[arg(long, default_value = "crates/radapter/assets")]
    out: PathBuf,
    /// Optimizer steps
    #[arg(long, default_value_t = 8000)]
    steps: u64,
    /// Scenes per step
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// Peak learning rate
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Seed of weights, scenes and captions
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// The embedded architecture, the smallest that distinguishes two dozen shapes. The text tower is narrow because the vocabulary's
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
    let base = Checkpoint::new(config.clone(), state, Format::OpenClip, "random")?;
    let device = Device::flex();

    let scenes = Scenes::new(&config, args.seed, args.steps, args.batch_size);
    let validator = ZeroShot::new(&config, args.seed, 20);
    let mut ignore = |_, _| {};
    let inputs = Inputs {
        methods: METHODS,
        base,
        reference: None,
        from: None,
        data: Some(InMemory::new(scenes, Some(Box::new(validator)))),
        device: device.clone(),
        progress: &mut ignore,
    };
    let settings = settings(args)?;
    let started = Instant::now();
    let mut options = RunOptions::new(&args.run, device);
    options.progress = Box::new(move |event: &ProgressEvent| report(event, started));
    let done = match RunDir::open(&args.run) {
        Ok(run) => {
            check_resume::<InMemory>(&run, &settings)?;
            Plan::<InMemory>::of_run(inputs, &run)?.resume(options, None)?
        }
        Err(_) => Plan::<InMemory>::new(inputs, &settings)?.train(options)?,
    };
    match done.outcome {
        Outcome::Finished(report) => eprintln!("{} steps in {:.0} s", report.steps, report.seconds),
        Outcome::Interrupted { step } => bail!("interrupted after step {step}; run the same command again to continue"),
    }
    export(args, &config)
}

/// Trains both towers from random weights with a loss that accounts for scenes with equal captions.
fn settings(args: &Args) -> anyhow::Result<Settings> {
    let mut settings = Settings::default();
    settings.set("method", "flyp")?;
    settings.set("loss.kind", "mpm-nce")?;
    settings.set("loss.margin", 0.0)?;
    settings.set("loss.temperature", TEMPERATURE)?;
    settings.set("steps", args.steps as i64)?;
    settings.set("batch_size", args.batch_size as i64)?;
    settings.set("lr", args.lr)?;
    settings.set("seed", args.seed as i64)?;
    settings.set("precision", "f32")?;
    settings.set("save_every", 200)?;
    settings.set("validate_every", 400)?;
    settings.set("best", "zero_shot")?;
    Ok(settings)
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

/// Writes the trained weights as f16 in OpenCLIP's format.
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
