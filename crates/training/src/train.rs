//! Starts and resumes runs: from a [`Setup`] to the loop, and from the loop to an outcome.

use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use radapter_adapter::attach;
use radapter_clip::model::{Clip, NoAdapter, Precision};

use crate::config::{ResolvedConfig, Tune};
use crate::error::TrainError;
use crate::gradients::GradientSettings;
use crate::gradients::autodiff::to_training;
use crate::gradients::devices::Replicas;
use crate::model::{Origin, TrainModel, Tuned};
use crate::objective::Objective;
use crate::optimizer::averaging::Averaging;
use crate::optimizer::schedule::Schedule;
use crate::optimizer::{Optimizer, OptimizerSettings};
use crate::progress::ProgressEvent;
use crate::run::metrics::Metrics;
use crate::run::options::FreeMemory;
use crate::run::report::Outcome;
use crate::run::run_dir::{RunDir, RunRecord};
use crate::run_loop;
use crate::run_loop::loader::{Batching, Form, Loader, Source};
use crate::run_loop::memory::Needs;
use crate::run_loop::session::Session;
use crate::setup::Setup;
use crate::state::parameters;
use crate::state::saved::{self, Counters};
use crate::state::tensor_file::Named;

/// Starts a run in a folder that holds none, and trains until it is complete or interrupted.
///
/// # Errors
/// [`TrainError`]; whatever was saved before can be [resumed](resume).
pub fn train(setup: Setup) -> Result<Outcome, TrainError> {
    setup.check()?;
    start(setup, Begin::New)
}

/// Continues the run in a folder, from its newest state or that of step `from_step`. The setup is made of the run's own
/// [record](RunDir::record).
///
/// # Errors
/// [`TrainError::NoRun`], [`TrainError::Contradiction`] if the setup is another run's, [`TrainError::State`] if the state is
/// missing or damaged, and those of [`train`].
pub fn resume(setup: Setup, from_step: Option<u64>) -> Result<Outcome, TrainError> {
    let run = RunDir::open(&setup.run_dir)?;
    run.record()?.check_same(&setup.record())?;
    setup.check()?;
    start(setup, Begin::Resume { run, from_step })
}

/// How a run gets its folder.
enum Begin {
    New,
    Resume { run: RunDir, from_step: Option<u64> },
}

/// Makes the kind of model that the settings ask for.
fn start(setup: Setup, begin: Begin) -> Result<Outcome, TrainError> {
    let config = &setup.config;
    let base = setup.base.clone().valid();
    match config.tune {
        // The weights are trained or, where they are not, written as they are.
        Tune::All | Tune::Image => start_with::<NoAdapter>(base.computing_in(config.precision), setup, begin),
        Tune::Adapters => {
            let base = base.in_precision(config.precision);
            let clip =
                attach(base, &config.adapter, config.seed).map_err(|error| TrainError::Adapter(Box::new(error)))?;
            start_with(clip, setup, begin)
        }
    }
}

fn start_with<A: Tuned>(clip: Clip<A>, setup: Setup, begin: Begin) -> Result<Outcome, TrainError> {
    let record = setup.record();
    let Setup { base, data, objective, config, files, devices, mut progress, .. } = setup;
    // In another precision its memory is not the model's.
    drop(base);
    let model = under_training(clip, setup.head, &*objective, &config);
    let initial = parameters::trained(&model);
    if initial.is_empty() {
        let reason = "the settings leave nothing to train: no adapter stands where the loss looks".to_owned();
        return Err(TrainError::NothingToTrain { reason });
    }
    let tuned_parameters = initial.values().map(|flat| flat.shape.iter().product::<usize>()).sum();
    let is_new = matches!(begin, Begin::New);
    // Each of several devices has a part of the batch, and their memories are not one.
    let memory = setup.memory.filter(|_| devices.len() < 2);
    check_memory(memory, &model, &initial, &config, data.len(), is_new)?;

    // Only now is everything refused that can be, and a folder worth making.
    let (run, _lock, from_step) = open(begin, &setup.run_dir, &record, &files)?;
    let (model, mut optimizer, counters) = restore(model, initial, &run, from_step, &config)?;
    let mut gradients = gradient_settings(&config);
    gradients.replicas = (devices.len() > 1).then(|| Replicas::new(&model, &devices));
    let total = config.total_steps(data.len());
    let batching = Batching { samples: data.len(), batch_size: config.batch_size };
    let steps = counters.step..total;
    let mut session = Session {
        schedule: schedule(&config, total),
        batching,
        total,
        metrics: Metrics::open(&run.metrics(), counters.step)?,
        counters,
        run: run.clone(),
        origin: Origin { base_hash: setup.base_hash, adapter: config.adapter.clone() },
        validator: setup.validator,
        interrupt: setup.interrupt,
        window: VecDeque::new(),
        config: config.clone(),
    };
    // A kill between the state and its best leaves the best unwritten.
    if session.counters.stopping.best.is_some_and(|best| best.step == session.counters.step) {
        session.publish_best(&model, optimizer.averages())?;
    }
    let form = form(&model, &*objective);
    let loader = Loader::start(Source { data, batching, form, seed: config.seed }, config.workers, steps);

    // A panic is the only way in which a device's library can say that it failed: in a step, or where a state is read for the
    // disk.
    let trained = catch_unwind(AssertUnwindSafe(|| {
        run_loop::run(model, &*objective, &mut gradients, &mut optimizer, loader, &mut session, &mut *progress)
    }));
    let trained = trained.unwrap_or_else(|panic| Err(session.device_failed(&*panic)));
    progress.event(&ProgressEvent::Ended { step: session.counters.step });
    if is_new
        && matches!(trained, Err(TrainError::Data { .. } | TrainError::Order { .. }))
        && saved::saved_steps(&run.states())? == [0]
    {
        run.discard(&files);
    }
    trained?;
    if !session.is_complete() {
        return Ok(Outcome::Interrupted { step: session.counters.step });
    }
    let report = session.report(tuned_parameters);
    run.write_report(&report)?;
    Ok(Outcome::Finished(report))
}

/// The model on the training device before the first step. Here it is decided which parameters are trained.
fn under_training<A: Tuned>(
    clip: Clip<A>,
    head: Option<Tensor<2>>,
    objective: &dyn Objective,
    config: &ResolvedConfig,
) -> TrainModel<A> {
    let device = clip.logit_scale.device().autodiff();
    let trains_text = objective.needs_text() && config.tune != Tune::Image;
    // A classifier that no loss compares with would have no gradient.
    let head = head.filter(|_| !objective.needs_text()).map(Param::from_tensor);
    to_training(TrainModel { clip, head }, &device, |key| A::trains(key, trains_text))
}

/// Refuses a new run whose steps cannot fit into the device's free memory.
fn check_memory<A: Tuned>(
    free: Option<FreeMemory>,
    model: &TrainModel<A>,
    trained: &Named,
    config: &ResolvedConfig,
    samples: usize,
    is_new: bool,
) -> Result<(), TrainError> {
    let Some(free) = free.and_then(|free| free()) else {
        return Ok(());
    };
    let model = &model.clip.config;
    // The weights are there already.
    match Needs::of(model, config, trained).check(config, samples, free + Needs::weights(model)) {
        // The settings of a resumed run cannot be changed any more, and the estimate may be wrong.
        Err(error) if !is_new => {
            tracing::warn!("{error}");
            Ok(())
        }
        checked => checked,
    }
}

/// Makes or opens the run's folder, and locks it.
fn open(
    begin: Begin,
    path: &Path,
    record: &RunRecord,
    files: &[(String, Vec<u8>)],
) -> Result<(RunDir, File, Option<u64>), TrainError> {
    match begin {
        Begin::New => {
            let (run, lock) = RunDir::create(path, record, files)?;
            Ok((run, lock, None))
        }
        Begin::Resume { run, from_step } => {
            let lock = run.lock()?;
            Ok((run, lock, from_step))
        }
    }
}

/// Model, optimizer and counters as the run's state has them; `initial` are the trained parameters before the first step.
fn restore<A: Tuned>(
    model: TrainModel<A>,
    initial: Named,
    run: &RunDir,
    from_step: Option<u64>,
    config: &ResolvedConfig,
) -> Result<(TrainModel<A>, Optimizer, Counters), TrainError> {
    let states = run.states();
    let state = saved::load(&states, from_step, &initial, &model.device().without_autodiff())?;
    let counters = state.counters;
    saved::clean(&states, counters.step)?;
    let threads = saved::threads();
    if counters.threads != threads && counters.step > 0 {
        let then = counters.threads;
        tracing::warn!(
            "the run was saved by a session with {then} threads, this one has {threads}: last bits may differ"
        );
    }
    let model = match counters.step {
        0 => model,
        _ => parameters::load(model, &state.parameters),
    };
    Ok((model, Optimizer::new(optimizer_settings(config), state.memory), counters))
}

fn form<A: Tuned>(model: &TrainModel<A>, objective: &dyn Objective) -> Form {
    let (vision, text) = (&model.clip.config.vision, &model.clip.config.text);
    Form {
        pixels: 3 * vision.image_size * vision.image_size,
        needs_text: objective.needs_text(),
        context_length: text.context_length,
        vocab_size: text.vocab_size,
        min_batch: objective.min_batch(),
    }
}

fn schedule(config: &ResolvedConfig, steps: u64) -> Schedule {
    let &ResolvedConfig { lr, final_lr, warmup, schedule: decay, .. } = config;
    Schedule { lr, final_lr, warmup, steps, decay }
}

fn optimizer_settings(config: &ResolvedConfig) -> OptimizerSettings {
    OptimizerSettings {
        betas: config.betas,
        eps: config.eps,
        weight_decay: config.weight_decay,
        clip_norm: config.clip_norm.value(),
        averaging: config.ema.value().map(|decay| Averaging { decay }),
    }
}

fn gradient_settings<A: Tuned>(config: &ResolvedConfig) -> GradientSettings<A> {
    GradientSettings {
        seed: config.seed,
        micro_batch: config.micro_batch.value(),
        checkpointing: config.checkpointing,
        scale: gradient_scale(config),
        replicas: None,
    }
}

/// What gradients are multiplied by on their way through the towers.
///
/// f16 has nothing below 6e-8, where many derivatives of activations are, and nothing above 65504. The gradient of an embedding is
/// at most about 2/(batch · temperature) long, and this makes it 1024. The factor depends on the settings alone; that of
/// automatic mixed precision would have to be saved with the run. Powers of two change no digits.
fn gradient_scale(config: &ResolvedConfig) -> f64 {
    match config.precision {
        Precision::F32 | Precision::Bf16 => 1.0,
        Precision::F16 => (512.0 * config.batch_size as f64 * config.loss.temperature).log2().floor().max(0.0).exp2(),
    }
}
