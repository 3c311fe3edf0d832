use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use burn_optim::AdamWConfig;
use burn_optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn_train::{Learner, SupervisedTraining, TrainingStrategy};
use radapter_adapter::{Alpha, attach};
use radapter_clip::model::{Clip, NoAdapter, Precision};
use radapter_files::Disk;

use crate::config::{ConfigError, Keep, ResolvedConfig, Tune};
use crate::data::TrainData;
use crate::error::TrainError;
use crate::loader::{Cut, Form, Loader};
use crate::memory::Needs;
use crate::metrics::Metrics;
use crate::model::{Shared, TrainModel};
use crate::objective::Objective;
use crate::optimizer::{Optimizer, Settings};
use crate::parameters::{self, HEAD};
use crate::progress::Progress;
use crate::renderer::{Listener, NoFiles, Renderer};
use crate::report::{Best, Outcome, Report, peak_memory_bytes};
use crate::results::Results;
use crate::run_dir::{FORMAT, RunDir, RunRecord};
use crate::run_options::FreeMemory;
use crate::scalar::Scalar;
use crate::schedule::{Cursor, Schedule};
use crate::state;
use crate::strategy::{End, Session, Strategy};
use crate::tensor_file::Named;
use crate::tuning::{Tuned, to_training};
use crate::validation::Validator;
use crate::workers::Workers;

/// What a run is made of.
pub struct Setup {
    /// The model that is tuned, without autodiff; the run computes on its device.
    pub base: Clip,
    /// The hash of its tensors ([`StateDict::hash`](radapter_clip::state_dict::StateDict::hash)).
    pub base_hash: String,
    /// The training set.
    pub data: Arc<dyn TrainData>,
    /// The loss; [`LossConfig::objective`](crate::config::LossConfig::objective) makes the one the settings ask for.
    pub objective: Arc<dyn Objective>,
    /// The classifier `[classes, embed_dim]` that training starts from, on the model's device: for an objective without
    /// texts.
    pub head: Option<Tensor<2>>,
    /// The task's measure. Without one there is no validation, no best and no early stopping.
    pub validator: Option<Box<dyn Validator>>,
    /// The trainer's settings.
    pub config: ResolvedConfig,
    /// The task's settings, for the run's `config.toml`.
    pub task: toml::Table,
    /// Files of the task, names and contents, which a new run's folder gets before it is a run; a resume leaves them alone.
    pub files: Vec<(String, Vec<u8>)>,
    /// The devices that share each batch; of fewer than two, the model's own has all of it.
    pub devices: Vec<Device>,
    /// Tells how many bytes are free on the device, where that is known: asked when the weights are there.
    pub memory: Option<FreeMemory>,
    /// The run's folder.
    pub run_dir: PathBuf,
    /// Who hears of progress.
    pub progress: Box<dyn Progress>,
    /// Set to true from anywhere, it ends the run behind the current step, with its state saved.
    pub interrupt: Arc<AtomicBool>,
}

/// Begins a run in a folder that holds none, and goes on until it is complete or interrupted.
///
/// # Errors
/// [`TrainError`]; whatever was saved before can be [resumed](resume).
pub fn train(setup: Setup) -> Result<Outcome, TrainError> {
    check(&setup)?;
    start(setup, Begin::New)
}

/// Continues the run in a folder, from its newest state or that of step `from_step`. The setup is made of the run's own
/// [record](RunDir::record).
///
/// # Errors
/// [`TrainError::NoRun`], [`TrainError::Contradiction`] if the setup is another run's, [`TrainError::State`] if the state is
/// missing or damaged, and what [`train`] gives.
pub fn resume(setup: Setup, from_step: Option<u64>) -> Result<Outcome, TrainError> {
    let run = RunDir::open(&setup.run_dir)?;
    run.record()?.check_same(&record(&setup))?;
    check(&setup)?;
    start(setup, Begin::Resume { run, from_step })
}

/// How a run gets its folder.
enum Begin {
    New,
    Resume { run: RunDir, from_step: Option<u64> },
}

fn record(setup: &Setup) -> RunRecord {
    RunRecord {
        format: FORMAT.to_owned(),
        base_hash: setup.base_hash.clone(),
        samples: setup.data.len(),
        data: setup.data.fingerprint(),
        train: setup.config.clone(),
        task: setup.task.clone(),
        model: setup.base.config.clone(),
    }
}

/// What can be refused before anything is written.
fn check(setup: &Setup) -> Result<(), TrainError> {
    let (config, samples) = (&setup.config, setup.data.len());
    if samples == 0 {
        return Err(TrainError::NoSamples);
    }
    let needed = setup.objective.min_batch();
    let found = config.batch_size.min(samples);
    if found < needed {
        return Err(TrainError::BatchTooSmall { step: 1, found, needed });
    }
    if !setup.objective.needs_text() && setup.head.is_none() {
        let reason = "this loss compares images with a classifier, and none was given".to_owned();
        return Err(TrainError::NothingToTrain { reason });
    }
    if let (Some(patience), None) = (config.patience.value(), &setup.validator) {
        let expected = "early stopping needs validation data";
        let found = patience.to_string();
        return Err(ConfigError::Range { key: "patience", found, expected }.into());
    }
    if setup.devices.len() > 1 && !config.adapter_draws_fit_parts() {
        let expected =
            "on several devices it must be \"adapter\" or \"token\", as each of them would draw the same masks";
        let found = "\"sample\"".to_owned();
        return Err(ConfigError::Range { key: "adapter.drop_mode", found, expected }.into());
    }
    let own = [setup.base.logit_scale.device()];
    if own.iter().chain(&setup.devices).any(|device| !config.precision.is_supported(device)) {
        let expected = "the device does not compute in it; f32 is there on every one";
        let found = format!("\"{}\"", config.precision);
        return Err(ConfigError::Range { key: "precision", found, expected }.into());
    }
    match (config.keep, &setup.validator) {
        (Keep::Best, None) => {
            let expected = "the best model is chosen on validation data, and there are none";
            return Err(ConfigError::Range { key: "keep", found: "\"best\"".to_owned(), expected }.into());
        }
        (_, Some(validator)) if !validator.metrics().is_empty() => {
            let known = validator.metrics();
            if !known.contains(&config.best.as_str()) {
                return Err(TrainError::NoSuchMetric { metric: config.best.clone(), found: known.join(", ") });
            }
        }
        _ => {}
    }
    Ok(())
}

fn start(setup: Setup, begin: Begin) -> Result<Outcome, TrainError> {
    // A classifier that no loss compares with would have no gradient.
    let head = setup.head.clone().filter(|_| !setup.objective.needs_text());
    let base = setup.base.clone().valid();
    match setup.config.tune {
        // The weights are trained or, where they are not, written as they are.
        Tune::All | Tune::Image => go::<NoAdapter>(base.computing_in(setup.config.precision), head, setup, begin),
        Tune::Adapters => {
            let config = &setup.config;
            let base = base.in_precision(config.precision);
            let clip =
                attach(base, &config.adapter, config.seed).map_err(|error| TrainError::Adapter(Box::new(error)))?;
            go(clip, head, setup, begin)
        }
    }
}

fn go<A: Tuned>(clip: Clip<A>, head: Option<Tensor<2>>, setup: Setup, begin: Begin) -> Result<Outcome, TrainError> {
    let record = record(&setup);
    let Setup { data, objective, config, base, .. } = setup;
    // In another precision it is not the model's memory.
    drop(base);
    let plain = clip.logit_scale.device();
    let model = assemble(clip, head, &objective, &config, &plain);
    let initial = parameters::trained(&model);
    if initial.is_empty() {
        let reason = "the settings leave nothing to train: no adapter stands where the loss looks".to_owned();
        return Err(TrainError::NothingToTrain { reason });
    }
    // Of several devices each has a part of the batch, and their memories are not one.
    let free = setup.memory.filter(|_| setup.devices.len() < 2).and_then(|free| free());
    if let Some(free) = free {
        let model = &model.clip.config;
        // The weights are there already.
        let fits = Needs::of(model, &config, &initial).check(&config, data.len(), free + Needs::weights(model));
        match (fits, &begin) {
            (Err(error), Begin::New) => return Err(error),
            // Its settings cannot be changed any more, and the estimate may be wrong.
            (Err(error), Begin::Resume { .. }) => tracing::warn!("{error}"),
            (Ok(()), _) => {}
        }
    }
    // Only now is everything refused that can be, and a folder worth making.
    let is_new = matches!(begin, Begin::New);
    let ((run, _lock), from_step) = match begin {
        Begin::New => (RunDir::create(&setup.run_dir, &record, &setup.files)?, None),
        Begin::Resume { run, from_step } => {
            let lock = run.lock()?;
            ((run, lock), from_step)
        }
    };
    let tuned_parameters = initial.values().map(|flat| flat.shape.iter().product::<usize>()).sum();

    let settings = optimizer_settings(&config);
    let states = run.states();
    let state = state::load(&states, from_step, &initial, &plain)?;
    state::clean(&states, state.counters.step)?;
    let counters = state.counters;
    if counters.threads != state::threads() && counters.step > 0 {
        tracing::warn!(
            "the run was saved by a session with {} threads, this one has {}: last bits may differ",
            counters.threads,
            state::threads()
        );
    }
    let model = match counters.step {
        0 => model,
        _ => parameters::load(model, &state.parameters),
    };
    model.shared.lock().optimizer = Optimizer::restore(settings, state.memory);
    let mut model = model;
    if setup.devices.len() > 1 {
        model.shared.workers = Some(Arc::new(Workers::new(&model, &setup.devices)));
    }

    let vision = &model.clip.config.vision;
    let text = &model.clip.config.text;
    let cut = Cut { samples: data.len(), batch_size: config.batch_size };
    let total = config.total_steps(data.len());
    let load_error = Arc::new(Mutex::new(None));
    let loader = Loader {
        data,
        cut,
        form: Form {
            pixels: 3 * vision.image_size * vision.image_size,
            needs_text: objective.needs_text(),
            context_length: text.context_length,
            vocab_size: text.vocab_size,
            min_batch: objective.min_batch(),
        },
        seed: config.seed,
        workers: config.workers,
        steps: counters.step..total,
        error: load_error.clone(),
    };
    let listener = Listener::new(setup.progress);
    let session = Session {
        metrics: Metrics::open(&run.metrics(), counters.step)?,
        run: run.clone(),
        storage: Arc::new(Disk),
        validator: setup.validator,
        listener: listener.clone(),
        interrupt: setup.interrupt,
        load_error,
        results: Results { base_hash: setup.base_hash, adapter: config.adapter.clone() },
        cut,
        total,
        alpha: Alpha::new(config.alpha).map_err(|error| TrainError::Adapter(Box::new(error.into())))?,
        best: config.best.clone(),
        patience: config.patience.value(),
        save_every: config.save_every.value(),
        validate_every: config.validate_every,
        window: VecDeque::new(),
        counters,
    };
    // A kill between the state and its best leaves the best unwritten.
    if session.counters.stopping.best.is_some_and(|best| best.step == session.counters.step) {
        session.publish_best(&model)?;
    }
    let launched = launch(model, session, loader, &config, listener);
    if is_new
        && matches!(launched, Err(TrainError::Data { .. } | TrainError::Order { .. }))
        && state::saved_steps(&run.states())? == [0]
    {
        run.discard(&setup.files);
    }
    let (session, end) = launched?;
    match end {
        End::Interrupted => Ok(Outcome::Interrupted { step: session.counters.step }),
        End::Complete => {
            let report = report(&session, tuned_parameters);
            run.write_report(&report)?;
            Ok(Outcome::Finished(report))
        }
    }
}

/// Runs the session under burn-train.
fn launch<A: Tuned>(
    model: TrainModel<A>,
    session: Session,
    loader: Loader,
    config: &ResolvedConfig,
    listener: Listener,
) -> Result<(Session, End), TrainError> {
    let schedule = Schedule {
        lr: config.lr,
        final_lr: config.final_lr,
        warmup: config.warmup,
        steps: session.total,
        decay: config.schedule,
    };
    let cursor = Cursor { schedule, next: session.counters.step };
    let renderer = Renderer::new(listener, session.total, session.cut.steps_per_epoch());
    // The model has its own optimizer (see `optimizer`); the learner wants one all the same.
    let learner = Learner::new(model, AdamWConfig::new().init(), ModuleLrScheduler::new(cursor));
    let loader = Arc::new(loader);
    let best = Scalar::of_validation(&session.best);
    let directory = session.run.path().to_owned();
    let strategy = Arc::new(Strategy { session: Mutex::new(Some(session)), result: Mutex::new(None) });
    let mut training = SupervisedTraining::new(directory, loader.clone(), loader)
        .with_application_logger(None)
        .with_metric_logger(NoFiles)
        .renderer(Box::new(renderer))
        .metric_valid_numeric(best);
    for metric in Scalar::of_steps() {
        training = training.metric_train_numeric(metric);
    }
    let _ = training.with_training_strategy(TrainingStrategy::Custom(strategy.clone())).launch(learner);
    let result = strategy.result.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (session, end) = result.ok_or_else(|| TrainError::Burn("the strategy was not called".to_owned()))?;
    Ok((session, end?))
}

/// The model on the training device, before the first step.
fn assemble<A: Tuned>(
    clip: Clip<A>,
    head: Option<Tensor<2>>,
    objective: &Arc<dyn Objective>,
    config: &ResolvedConfig,
    plain: &Device,
) -> TrainModel<A> {
    let device = plain.clone().autodiff();
    let trains_text = objective.needs_text() && config.tune != Tune::Image;
    let settings = optimizer_settings(config);
    let shared = Shared::new(
        objective.clone(),
        config.seed,
        config.micro_batch.value(),
        config.checkpointing,
        gradient_scale(config),
        device.clone(),
        Optimizer::new(settings, &Named::new()),
    );
    let model = TrainModel { clip, head: head.map(Param::from_tensor), shared };
    let mut model = to_training(model, &device, |key| A::trains(key, trains_text));
    let trained = parameters::trained(&model);
    let of_visual = |key: &&String| key.starts_with("visual.");
    model.shared.trains_visual = trained.keys().any(|key| of_visual(&key));
    model.shared.trains_text = trained.keys().any(|key| !of_visual(&key) && key != HEAD);
    model
}

/// What gradients are multiplied by on their way through the towers.
///
/// f16 has nothing below 6e-8, where many derivatives of activations are, and nothing above 65504. The gradient of an embedding is
/// at most about 2/(batch · temperature) long, and this makes it 1024: a number that hangs on the settings alone, unlike the scale
/// of automatic mixed precision, which would have to be saved with the run. Powers of two change no digits.
fn gradient_scale(config: &ResolvedConfig) -> f64 {
    match config.precision {
        Precision::F32 | Precision::Bf16 => 1.0,
        Precision::F16 => (512.0 * config.batch_size as f64 * config.loss.temperature).log2().floor().max(0.0).exp2(),
    }
}

fn optimizer_settings(config: &ResolvedConfig) -> Settings {
    Settings {
        betas: config.betas,
        eps: config.eps,
        weight_decay: config.weight_decay,
        clip_norm: config.clip_norm.value(),
        ema: config.ema.value(),
    }
}

fn report(session: &Session, tuned_parameters: usize) -> Report {
    let counters = &session.counters;
    Report {
        steps: counters.step,
        steps_per_epoch: session.cut.steps_per_epoch(),
        stopped_early: counters.stopping.stopped && counters.step < session.total,
        seconds: counters.seconds,
        samples_per_second: counters.samples as f64 / counters.seconds.max(f64::MIN_POSITIVE),
        tuned_parameters,
        best: counters.stopping.best.map(|best| Best {
            metric: session.best.clone(),
            value: best.value,
            step: best.step,
        }),
        final_loss: session.metrics.last_loss(),
        peak_memory_bytes: peak_memory_bytes(),
    }
}
