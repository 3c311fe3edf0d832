//! State of the loop besides model and optimizer: progress, validation and saving intervals, and log files.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::tensor::Tensor;
use radapter_adapter::Alpha;
use radapter_clip::model::{Adapter, Clip, Encoder};
use radapter_files::Storage;

use super::loader::Batching;
use super::teacher::TeacherModel;
use super::validation::{Validator, evaluated};
use crate::config::{Every, TrainSettings};
use crate::error::TrainError;
use crate::gradients::loss::Fault;
use crate::gradients::times::StepTimes;
use crate::model::TrainModel;
use crate::optimizer::Optimizer;
use crate::progress::{ProgressEvent, ProgressListener, StepProgress};
use crate::run::metrics::{Line, Metrics, TrainLine, ValidationLine};
use crate::run::report::{Best, Report, peak_memory_bytes};
use crate::run::results::{self, Origin};
use crate::run::run_dir::RunDir;
use crate::run::tensorboard::EventFile;
use crate::state::parameters;
use crate::state::saved::{self, Counters, State};
use crate::state::tensor_file::Named;
use crate::tuning::{Phase, Tuning};

/// Number of steps over which throughput is averaged.
const WINDOW: usize = 20;

/// State of the loop besides model and optimizer.
pub(crate) struct Session<A: Adapter> {
    pub(crate) settings: TrainSettings,
    pub(crate) tuning: Box<dyn Tuning<A>>,
    pub(crate) teacher: Option<TeacherModel>,
    /// Phases of the run, in order.
    pub(crate) phases: Vec<Phase>,
    pub(crate) batching: Batching,
    /// Steps of the whole run.
    pub(crate) total: u64,
    pub(crate) counters: Counters,
    pub(crate) run: RunDir,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) metrics: Metrics,
    /// Event file of TensorBoard, if enabled.
    pub(crate) events: Option<EventFile>,
    pub(crate) base_hash: String,
    pub(crate) alpha: Alpha,
    pub(crate) validator: Option<Box<dyn Validator>>,
    /// The base model and its classifier until they are measured; `None` for a run that continues after its first step.
    pub(crate) base: Option<(Clip, Option<Tensor<2>>)>,
    /// Whether the run starts from the weights of another.
    pub(crate) has_start: bool,
    pub(crate) interrupt: Arc<AtomicBool>,
    /// Samples and seconds of the last steps.
    pub(crate) window: VecDeque<(usize, f64)>,
}

/// Returns the phase of a step, counted from 0, and the steps before it in that phase. After the last step it is the last phase.
pub(crate) fn phase_of(phases: &[Phase], step: u64) -> (usize, u64) {
    let mut start = 0;
    for (index, phase) in phases.iter().enumerate() {
        if step < start + phase.steps || index + 1 == phases.len() {
            return (index, step - start);
        }
        start += phase.steps;
    }
    (0, step)
}

fn value_of(values: &[(String, f64)], metric: &str) -> Option<f64> {
    values.iter().find(|(name, _)| name == metric).map(|(_, value)| *value)
}

/// Result of a step, to be recorded.
pub(crate) struct StepResult {
    pub(crate) samples: usize,
    pub(crate) loss: f64,
    pub(crate) lr: f64,
    pub(crate) grad_norm: f64,
    pub(crate) times: StepTimes,
}

impl<A: Adapter> Session<A> {
    pub(crate) fn is_complete(&self) -> bool {
        self.counters.step >= self.total || self.counters.stopping.stopped
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    /// Whether the last step was the last of its epoch.
    fn epoch_ended(&self) -> bool {
        self.counters.step.is_multiple_of(self.batching.steps_per_epoch())
    }

    /// Returns the epoch of the last step, counted from 1.
    fn epoch(&self) -> u64 {
        self.batching.epoch(self.counters.step.saturating_sub(1)) + 1
    }

    pub(crate) fn validation_is_due(&self) -> bool {
        let done = self.counters.step;
        let due = match self.settings.validate_every {
            Every::Epoch => self.epoch_ended(),
            Every::Steps(every) => done.is_multiple_of(every),
            Every::End => false,
        };
        self.validator.is_some() && (due || done == self.total)
    }

    pub(crate) fn save_is_due(&self) -> bool {
        let due = self.settings.save_every.value().is_some_and(|every| self.counters.step.is_multiple_of(every));
        due || self.epoch_ended() || self.is_complete()
    }

    /// Counts a step that began at `started`, writes its line and notifies the listener.
    pub(crate) fn record(
        &mut self,
        result: StepResult,
        started: Instant,
        listener: &mut dyn ProgressListener,
    ) -> Result<(), TrainError> {
        let StepResult { samples, loss, lr, grad_norm, times } = result;
        self.counters.step += 1;
        self.counters.samples += samples as u64;
        let (step, epoch) = (self.counters.step, self.epoch());
        let seconds = started.elapsed().as_secs_f64();
        self.counters.step_seconds += seconds;
        self.write(&Line::Train(TrainLine {
            step,
            epoch,
            loss,
            lr,
            grad_norm,
            samples,
            samples_per_second: samples as f64 / seconds,
            times,
        }))?;
        let (samples_per_second, seconds_left) = self.throughput(samples, seconds);
        listener.event(&ProgressEvent::Step(StepProgress {
            step,
            steps: self.total,
            epoch,
            loss,
            lr,
            grad_norm,
            samples_per_second,
            seconds_left,
        }));
        Ok(())
    }

    /// Returns the samples per second over the last steps, and the seconds that the remaining ones take at this rate.
    fn throughput(&mut self, samples: usize, seconds: f64) -> (f64, f64) {
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back((samples, seconds));
        let (samples, seconds) =
            self.window.iter().fold((0, 0.0), |(n, s), (samples, seconds)| (n + samples, s + seconds));
        let left = (self.total - self.counters.step) as f64;
        (samples as f64 / seconds, left * seconds / self.window.len() as f64)
    }

    /// Measures the base model once, before the first step of the run, and `model` if it starts from another run. No average or
    /// counter is involved, so that training is the same without it.
    pub(crate) fn measure_first(
        &mut self,
        model: &TrainModel<A>,
        listener: &mut dyn ProgressListener,
    ) -> Result<(), TrainError> {
        let Some((base, head)) = self.base.take() else { return Ok(()) };
        let started = Instant::now();
        if self.metrics.first().base.is_empty() {
            let values = self.measure(&base, head.as_ref(), listener)?;
            self.record_validation(values, false, started, listener)?;
        }
        drop((base, head));
        if self.has_start && self.metrics.first().start.is_empty() {
            let started = Instant::now();
            let values = self.measure_model(model, None, listener)?;
            self.record_validation(values, false, started, listener)?;
        }
        self.counters.seconds += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// Returns the metrics of a model; the run must have a validator.
    fn measure(
        &mut self,
        encoder: &dyn Encoder,
        head: Option<&Tensor<2>>,
        listener: &mut dyn ProgressListener,
    ) -> Result<Vec<(String, f64)>, TrainError> {
        let Some(validator) = self.validator.as_deref_mut() else { return Ok(Vec::new()) };
        let step = self.counters.step;
        listener.event(&ProgressEvent::Validating { step });
        tracing::debug!("validating step {step}");
        let values = validator.validate(encoder, head).map_err(|error| TrainError::Validation { step, error })?;
        match value_of(&values, &self.settings.best) {
            Some(_) => Ok(values),
            None => Err(TrainError::NoSuchMetric {
                metric: self.settings.best.clone(),
                found: values.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Returns the metrics of the model as evaluation uses it.
    fn measure_model(
        &mut self,
        model: &TrainModel<A>,
        averages: Option<&Named>,
        listener: &mut dyn ProgressListener,
    ) -> Result<Vec<(String, f64)>, TrainError> {
        let step = self.counters.step;
        let (encoder, head) = evaluated(model, averages, &*self.tuning, self.alpha)
            .map_err(|error| TrainError::Validation { step, error: error.into() })?;
        self.measure(&*encoder, head.as_ref(), listener)
    }

    /// Returns the number of samples that the metric which selects the best is a mean over, if known.
    fn samples(&self) -> Option<u64> {
        self.validator.as_ref().and_then(|validator| validator.samples(&self.settings.best))
    }

    /// Writes the line of a validation that began at `started`, and notifies the listener.
    fn record_validation(
        &mut self,
        values: Vec<(String, f64)>,
        best: bool,
        started: Instant,
        listener: &mut dyn ProgressListener,
    ) -> Result<(), TrainError> {
        let step = self.counters.step;
        let base = self.metrics.first().base.clone();
        self.write(&Line::Validation(ValidationLine {
            step,
            epoch: if step == 0 { 0 } else { self.epoch() },
            values: values.iter().map(|(name, value)| (name.clone(), (*value).into())).collect(),
            best,
            start: step == 0 && !base.is_empty(),
            samples: self.samples(),
            seconds: started.elapsed().as_secs_f64(),
        }))?;
        let metric = self.settings.best.clone();
        listener.event(&ProgressEvent::Validated { step, values, best, base, metric });
        Ok(())
    }

    /// Validates the model; returns whether it is the best so far.
    pub(crate) fn validate(
        &mut self,
        model: &TrainModel<A>,
        averages: Option<&Named>,
        listener: &mut dyn ProgressListener,
    ) -> Result<bool, TrainError> {
        if self.validator.is_none() {
            return Ok(false);
        }
        let started = Instant::now();
        let values = self.measure_model(model, averages, listener)?;
        let value = value_of(&values, &self.settings.best).unwrap_or(f64::NAN);
        let best = self.counters.stopping.validated(self.counters.step, value, self.settings.patience.value());
        self.record_validation(values, best, started, listener)?;
        Ok(best)
    }

    /// Saves a state from which the run can be resumed.
    pub(crate) fn save(
        &mut self,
        model: &TrainModel<A>,
        optimizer: &Optimizer,
        listener: &mut dyn ProgressListener,
    ) -> Result<(), TrainError> {
        let started = Instant::now();
        self.metrics.sync()?;
        self.events.as_mut().map_or(Ok(()), EventFile::sync)?;
        self.counters.threads = saved::threads();
        let state = State {
            parameters: parameters::trained(model),
            memory: optimizer.memory().clone(),
            counters: self.counters.clone(),
        };
        saved::save(&*self.storage, &self.run.states(), &state)?;
        tracing::debug!("saved the state of step {} in {}", self.counters.step, self.run.states().display());
        self.counters.seconds += started.elapsed().as_secs_f64();
        listener.event(&ProgressEvent::Saved { step: self.counters.step });
        Ok(())
    }

    /// Saves the state unless that of this step is saved already.
    pub(crate) fn save_once(
        &mut self,
        model: &TrainModel<A>,
        optimizer: &Optimizer,
        listener: &mut dyn ProgressListener,
    ) -> Result<(), TrainError> {
        match saved::saved_steps(&self.run.states())?.contains(&self.counters.step) {
            true => Ok(()),
            false => self.save(model, optimizer, listener),
        }
    }

    /// Appends a line to the run's logs.
    fn write(&mut self, line: &Line) -> Result<(), TrainError> {
        self.metrics.append(line)?;
        self.events.as_mut().map_or(Ok(()), |events| events.append(line))
    }

    fn origin(&self) -> Origin<'_, A> {
        Origin { storage: &*self.storage, tuning: &*self.tuning, base_hash: &self.base_hash }
    }

    /// Returns the phase of the next step, and the steps done in it.
    pub(crate) fn phase(&self) -> (usize, u64) {
        phase_of(&self.phases, self.counters.step)
    }

    /// Returns the learning rate of the next step.
    pub(crate) fn lr(&self) -> f64 {
        let (phase, done) = self.phase();
        self.phases.get(phase).map_or(0.0, |phase| phase.schedule.lr_at(done))
    }

    /// Writes the trained parameters.
    pub(crate) fn publish(&self, model: &TrainModel<A>, averages: Option<&Named>) -> Result<(), TrainError> {
        results::publish(self.run.path(), model, averages, &self.origin())
    }

    /// Writes `best/` for the current step.
    pub(crate) fn publish_best(&self, model: &TrainModel<A>, averages: Option<&Named>) -> Result<(), TrainError> {
        results::publish_best(&self.run.best(), model, averages, &self.origin())
    }

    /// Creates the error of a step that did not change the parameters.
    pub(crate) fn failed(&self, fault: Fault, lr: f64) -> TrainError {
        let last_good = self.counters.step;
        let step = last_good + 1;
        match fault {
            Fault::Loss(error) => TrainError::Loss { step, error },
            Fault::NotFinite { what, value } => {
                TrainError::NotFinite { step, what, value, last_good, lr, precision: self.settings.precision }
            }
        }
    }

    /// Creates the error of a step in which the device's library panicked.
    pub(crate) fn device_failed(&self, panic: &(dyn std::any::Any + Send)) -> TrainError {
        let step = self.counters.step + 1;
        let saved = saved::saved_steps(&self.run.states()).ok().and_then(|steps| steps.into_iter().max());
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let reason = text.or_else(|| panic.downcast_ref::<String>().cloned());
        TrainError::Device { step, reason: reason.unwrap_or_else(|| "no reason given".to_owned()), saved }
    }

    /// Creates the report of a complete run.
    pub(crate) fn report(&self, tuned_parameters: usize) -> Report {
        let counters = &self.counters;
        Report {
            steps: counters.step,
            steps_per_epoch: self.batching.steps_per_epoch(),
            stopped_early: counters.stopping.stopped && counters.step < self.total,
            seconds: counters.seconds,
            step_seconds: counters.step_seconds,
            samples_per_second: counters.samples as f64 / counters.step_seconds.max(f64::MIN_POSITIVE),
            tuned_parameters,
            best: counters.stopping.best.map(|best| Best {
                metric: self.settings.best.clone(),
                value: best.value,
                step: best.step,
                base: value_of(&self.metrics.first().base, &self.settings.best),
                start: value_of(&self.metrics.first().start, &self.settings.best),
                samples: self.samples(),
            }),
            final_loss: self.metrics.last_loss(),
            peak_memory_bytes: peak_memory_bytes(),
        }
    }
}
