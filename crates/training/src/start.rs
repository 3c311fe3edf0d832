//! Runs a [`Setup`] through the loop.

use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::module::{Module, Param};
use radapter_clip::model::{Adapter, Clip, Precision};
use radapter_files::Storage;

use crate::config::TrainSettings;
use crate::error::TrainError;
use crate::gradients::GradientSettings;
use crate::gradients::autodiff::to_training;
use crate::gradients::devices::Replicas;
use crate::model::TrainModel;
use crate::optimizer::averaging::Averaging;
use crate::optimizer::{Optimizer, OptimizerSettings};
use crate::progress::ProgressEvent;
use crate::regularizer::{self, Regularizer};
use crate::run::metrics::Metrics;
use crate::run::options::{FreeMemory, RunOptions};
use crate::run::report::Outcome;
use crate::run::run_dir::{OtherArithmetic, RunDir, RunRecord};
use crate::run::tensorboard::EventFile;
use crate::run::tuned::RunFiles;
use crate::run_loop;
use crate::run_loop::loader::{Batching, Form, Loader, Source};
use crate::run_loop::memory::Needs;
use crate::run_loop::session::{Session, phase_of};
use crate::run_loop::teacher::TeacherModel;
use crate::setup::Setup;
use crate::start_from::StartFiles;
use crate::state::parameters;
use crate::state::saved::{self, Counters};
use crate::state::tensor_file::Named;
use crate::task::Parts;
use crate::tuning::{Phase, Teacher, Tuning};

/// Whether a run is new or resumed.
pub(crate) enum Begin {
    New,
    /// `has_start`: the folder has the weights that the run started from.
    Resume {
        run: RunDir,
        lock: File,
        from_step: Option<u64>,
        has_start: bool,
        /// Whether another unit computes from now on.
        differs: bool,
    },
}

/// Run whose method is about to attach its modules.
pub struct Start {
    pub(crate) setup: Setup,
    pub(crate) begin: Begin,
}

impl Start {
    /// Returns the base model, without autodiff, in f32.
    pub fn base(&self) -> Clip {
        self.setup.base.clone().valid()
    }

    /// Returns the trainer's settings.
    pub fn settings(&self) -> &TrainSettings {
        &self.setup.train
    }

    /// Whether the loss compares images with texts, so that both towers run.
    pub fn needs_text(&self) -> bool {
        self.setup.objective.needs_text()
    }

    /// Trains `clip`, the base with the method's modules, as `tuning` specifies.
    ///
    /// # Errors
    /// [`TrainError`] of the checks before the run, or of the step that failed.
    pub fn run<A: Adapter + Sync>(self, clip: Clip<A>, tuning: Box<dyn Tuning<A>>) -> Result<Outcome, TrainError> {
        let Self { setup, begin } = self;
        let record = setup.record();
        let Setup { base, base_hash, from, parts, objective, train: settings, options, .. } = setup;
        let Parts { data, head, validator, mut files, .. } = parts;
        let RunOptions { run_dir, devices, memory, mut progress, interrupt, storage, .. } = options;
        let step = begin.step()?;
        // Beyond step 0, and without a teacher, the base is dropped: in another precision its memory is not shared with the model.
        let is_measured = step == 0 && validator.is_some();
        let rounded = || base.clone().valid().in_precision(settings.precision);
        let measured = is_measured.then(|| (rounded(), head.clone().filter(|_| !objective.needs_text())));
        let teacher = teacher(&*tuning, regularizer::of(&settings).as_deref())?;
        let teacher = teacher.map(|teacher| TeacherModel::new(teacher, base, settings.precision));
        let total = settings.total_steps(data.len());
        let phases = tuning.phases(&settings, total);
        // A classifier that the loss does not use would have no gradient.
        let head = head.filter(|_| !objective.needs_text()).map(Param::from_tensor);
        let mut plain = TrainModel { clip, head };
        let start = begin.start_files(from.as_ref());
        let has_start = start.is_some();
        if let Some(start) = start {
            let last = phases.len().saturating_sub(1);
            plain = start.load(plain, &settings, &*tuning, |key| tuning.trains(key, last))?;
            if matches!(begin, Begin::New) {
                files.extend(start.copies(tuning.stem(), plain.head.is_some())?);
            }
        }
        let (phase, done) = phase_of(&phases, step);
        let model = under_training(plain.clone(), &*tuning, phase);
        let initial = parameters::trained(&model);
        if initial.is_empty() {
            let reason = "the settings leave nothing to train: no adapter is in a tower that the loss uses".to_owned();
            return Err(TrainError::NothingToTrain { reason });
        }
        check_phases(&phases, total, |phase| parameters::trained(&under_training(plain.clone(), &*tuning, phase)))?;
        // The last phase trains everything that any phase does.
        let all = parameters::trained(&under_training(plain, &*tuning, phases.len().saturating_sub(1)));
        let tuned_parameters = all.values().map(|flat| flat.shape.iter().product::<usize>()).sum();
        let is_new = matches!(begin, Begin::New);
        // Several devices split the batch, and their memories are separate.
        let memory = memory.filter(|_| devices.len() < 2);
        check_memory(memory, &model, &all, &settings, data.len(), is_new)?;
        // Keeping it holds the values of the first step in memory.
        let anchors = if settings.spd > 0.0 { all } else { Named::new() };

        // The folder is created only after all checks have passed.
        tracing::debug!("{tuned_parameters} trained parameters, {total} steps in {} phase(s)", phases.len());
        let averaging = tuning.averaging(&settings, total);
        let (run, _lock) = open(begin, &*storage, &run_dir, &record, &files, averaging.is_some(), step)?;
        // Their contents, of which weights are large, are on the disk now.
        let files: Vec<String> = files.into_iter().map(|(name, _)| name).collect();
        let optimizer_settings = optimizer_settings(&settings, averaging);
        let (model, optimizer, counters) = restore(model, initial, &run, (step, done), optimizer_settings)?;
        let mut optimizer = optimizer.started_from(anchors);
        let mut gradients = gradient_settings(&settings);
        gradients.replicas = (devices.len() > 1).then(|| Replicas::new(&model, &devices));
        let batching = Batching { samples: data.len(), batch_size: settings.batch_size };
        let source = Source { data, batching, form: Form::of(&model, &*objective), seed: settings.seed };
        let loader = Loader::start(source, settings.workers, counters.step..total);
        let mut session = Session {
            batching,
            total,
            metrics: Metrics::open(&*storage, &run.metrics(), counters.step)?,
            events: match settings.log.tensorboard {
                true => Some(EventFile::create(&*storage, run.path(), counters.step)?),
                false => None,
            },
            counters,
            run: run.clone(),
            storage,
            base_hash,
            alpha: settings.alpha,
            validator,
            base: measured,
            has_start,
            interrupt,
            window: VecDeque::new(),
            settings,
            tuning,
            teacher,
            phases,
        };
        // A kill between saving the state and its best leaves the best unwritten.
        if session.counters.stopping.best.is_some_and(|best| best.step == session.counters.step) {
            session.publish_best(&model, optimizer.evaluated())?;
        }

        // A device's library reports failure only by a panic: in a step, or when a state is read from the device to be
        // saved.
        let trained = catch_unwind(AssertUnwindSafe(|| {
            run_loop::run(model, &*objective, &mut gradients, &mut optimizer, loader, &mut session, &mut *progress)
        }));
        let trained = trained.unwrap_or_else(|panic| Err(session.device_failed(&*panic)));
        progress.event(&ProgressEvent::Ended { step: session.counters.step });
        let is_of_the_data = matches!(
            trained,
            Err(TrainError::Data { .. }
                | TrainError::Order { .. }
                | TrainError::Validation { step: 0, .. }
                | TrainError::NoSuchMetric { .. })
        );
        if is_new && is_of_the_data && saved::saved_steps(&run.states())? == [0] {
            run.discard(&files);
        }
        trained?;
        if !session.is_complete() {
            return Ok(Outcome::Interrupted { step: session.counters.step });
        }
        let report = session.report(tuned_parameters);
        run.write_report(&*session.storage, &report)?;
        Ok(Outcome::Finished(report))
    }
}

impl Begin {
    /// Returns the step that the run resumes from.
    fn step(&self) -> Result<u64, TrainError> {
        match self {
            Self::New => Ok(0),
            Self::Resume { run, from_step, .. } => saved::chosen(&run.states(), *from_step),
        }
    }

    /// Returns the source of the initial weights, if they are those of another run.
    fn start_files<'a>(&'a self, from: Option<&'a RunFiles>) -> Option<StartFiles<'a>> {
        match self {
            Self::New => from.map(StartFiles::Other),
            Self::Resume { run, has_start, .. } => has_start.then_some(StartFiles::Own(run)),
        }
    }
}

/// Returns the teacher of a method and of a regularizer.
fn teacher<A: Adapter>(
    tuning: &dyn Tuning<A>,
    regularizer: Option<&dyn Regularizer>,
) -> Result<Option<Teacher>, TrainError> {
    let (own, term) = (tuning.teacher(), regularizer.map(Regularizer::teacher));
    match (own, term) {
        (Some(own), Some(term)) if own != term => Err(TrainError::Method {
            reason: "it has another teacher than the regularizer; omit regularizer.kind".to_owned(),
        }),
        _ => Ok(own.or(term)),
    }
}

/// Moves the model to the training device, and marks the trained parameters.
fn under_training<A: Adapter>(model: TrainModel<A>, tuning: &dyn Tuning<A>, phase: usize) -> TrainModel<A> {
    let device = model.device().autodiff();
    to_training(model, &device, |key| tuning.trains(key, phase))
}

/// Checks that phases fill the run and that each trains what the one before trained: the loop saves the parameters of the
/// current phase alone.
fn check_phases(phases: &[Phase], total: u64, trained: impl Fn(usize) -> Named) -> Result<(), TrainError> {
    let steps: u64 = phases.iter().map(|phase| phase.steps).sum();
    if steps != total {
        let reason = format!("its phases have {steps} steps, and the run has {total}");
        return Err(TrainError::Method { reason });
    }
    for phase in 1..phases.len() {
        let (before, now) = (trained(phase - 1), trained(phase));
        if let Some(lost) = before.keys().find(|key| !now.contains_key(*key)) {
            let reason = format!("phase {} trains `{lost}`, and phase {} does not", phase, phase + 1);
            return Err(TrainError::Method { reason });
        }
    }
    Ok(())
}

/// Refuses a new run whose steps cannot fit into the device's free memory.
fn check_memory<A: Adapter>(
    free: Option<FreeMemory>,
    model: &TrainModel<A>,
    trained: &Named,
    settings: &TrainSettings,
    samples: usize,
    is_new: bool,
) -> Result<(), TrainError> {
    let Some(free) = free.and_then(|free| free()) else {
        return Ok(());
    };
    let model = &model.clip.config;
    // The weights are already on the device.
    match Needs::of(model, settings, trained).check(settings, samples, free + Needs::weights(model)) {
        // A resumed run cannot change its settings, and the estimate may be wrong.
        Err(error) if !is_new => {
            tracing::warn!("{error}");
            Ok(())
        }
        checked => checked,
    }
}

/// Opens and locks the run's folder; creates it for a new run, and records that a resumed one is computed by another unit from `step` on.
fn open(
    begin: Begin,
    storage: &dyn Storage,
    path: &Path,
    record: &RunRecord,
    files: &[(String, Vec<u8>)],
    averages: bool,
    step: u64,
) -> Result<(RunDir, File), TrainError> {
    match begin {
        Begin::New => RunDir::create(storage, path, record, files, averages),
        Begin::Resume { run, lock, differs, .. } => {
            run.record_units(storage, step, differs.then_some(OtherArithmetic { step, unit: record.unit }))?;
            Ok((run, lock))
        }
    }
}

/// Restores model, optimizer and counters from the run's state of step `step`, `done` steps into its phase; `initial` are the
/// parameters that the phase trains, before the first step.
fn restore<A: Adapter>(
    model: TrainModel<A>,
    initial: Named,
    run: &RunDir,
    (step, done): (u64, u64),
    settings: OptimizerSettings,
) -> Result<(TrainModel<A>, Optimizer, Counters), TrainError> {
    let states = run.states();
    let mut state = saved::load(&states, step, &initial, &model.device().without_autodiff())?;
    state.memory.time = done;
    let counters = state.counters;
    saved::clean(&states, counters.step)?;
    let threads = saved::threads();
    if counters.threads != threads && counters.step > 0 {
        let then = counters.threads;
        tracing::warn!(
            "the state was saved with {then} threads, and this session has {threads}; results may differ in the last bits"
        );
    }
    let model = match counters.step {
        0 => model,
        _ => parameters::load(model, &state.parameters),
    };
    Ok((model, Optimizer::new(settings, state.memory), counters))
}

fn optimizer_settings(settings: &TrainSettings, averaging: Option<Averaging>) -> OptimizerSettings {
    OptimizerSettings {
        betas: settings.betas,
        eps: settings.eps,
        weight_decay: settings.weight_decay,
        spd: settings.spd,
        clip_norm: settings.clip_norm.value(),
        averaging,
    }
}

fn gradient_settings<A: Adapter>(settings: &TrainSettings) -> GradientSettings<A> {
    GradientSettings {
        seed: settings.seed,
        micro_batch: settings.micro_batch.value(),
        checkpointing: settings.checkpointing,
        scale: gradient_scale(settings),
        orthogonality: settings.regularizer.orthogonality,
        regularizer: regularizer::of(settings),
        replicas: None,
    }
}

/// Returns the loss scale: 1, or for f16 a power of two, which changes no digits.
///
/// f16 underflows below 6e-8, where many derivatives of activations are, and overflows above 65504. The gradient of an embedding is
/// at most about 2/(batch · temperature) long, and the scale makes that 1024. It depends on the settings alone; the dynamic scale
/// of automatic mixed precision would have to be saved with the run.
fn gradient_scale(settings: &TrainSettings) -> f64 {
    match settings.precision {
        Precision::F32 | Precision::Bf16 => 1.0,
        Precision::F16 => {
            (512.0 * settings.batch_size as f64 * settings.loss.temperature).log2().floor().max(0.0).exp2()
        }
    }
}
