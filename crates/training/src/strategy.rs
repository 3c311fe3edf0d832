//! The loop, as burn-train's learning strategy.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use burn::data::dataloader::Progress as Position;
use burn_train::{
    EventProcessorTraining, Interrupter, Learner, LearnerEvent, SupervisedLearningStrategy,
    SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents, TrainingItem, ValidLoader,
};
use radapter_files::Storage;

use radapter_adapter::Alpha;

use crate::config::Every;
use crate::error::TrainError;
use crate::loader::Cut;
use crate::metrics::{Line, Metrics, TrainLine, ValidationLine};
use crate::model::{Clock, Fault, StepOutput, TrainModel, ValidationOutput};
use crate::parameters;
use crate::progress::ProgressEvent;
use crate::renderer::Listener;
use crate::results::Results;
use crate::run_dir::RunDir;
use crate::state::{self, Counters, State};
use crate::tuning::Tuned;
use crate::validation::{Validator, evaluated};

/// Steps over which throughput is averaged.
const WINDOW: usize = 20;

/// Everything of a run that is neither model nor optimizer.
pub(crate) struct Session {
    pub(crate) run: RunDir,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) metrics: Metrics,
    pub(crate) validator: Option<Box<dyn Validator>>,
    pub(crate) listener: Listener,
    pub(crate) interrupt: Arc<AtomicBool>,
    /// The loader's first error.
    pub(crate) load_error: Arc<Mutex<Option<TrainError>>>,
    pub(crate) results: Results,
    pub(crate) cut: Cut,
    pub(crate) total: u64,
    pub(crate) alpha: Alpha,
    pub(crate) best: String,
    pub(crate) patience: Option<u64>,
    pub(crate) save_every: Option<u64>,
    pub(crate) validate_every: Every,
    pub(crate) counters: Counters,
    /// Samples and seconds of the last steps.
    pub(crate) window: VecDeque<(usize, f64)>,
}

/// Whether the run is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    Interrupted,
}

/// The strategy; it takes its session when burn-train calls it, and leaves it with the result.
pub(crate) struct Strategy {
    pub(crate) session: Mutex<Option<Session>>,
    pub(crate) result: Mutex<Option<(Session, Result<End, TrainError>)>>,
}

impl<A: Tuned> SupervisedLearningStrategy<TrainModel<A>> for Strategy {
    fn fit(
        &self,
        components: TrainingComponents<TrainModel<A>>,
        mut learner: Learner<TrainModel<A>>,
        train: TrainLoader<TrainModel<A>>,
        _valid: ValidLoader<TrainModel<A>>,
        _starting_epoch: usize,
    ) -> (TrainModel<A>, SupervisedTrainingEventProcessor<TrainModel<A>>) {
        let mut processor = components.event_processor;
        let taken = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut session) = taken {
            // A device's library has no other way to say that it failed than a panic: in a step, or where a state is read for the disk.
            let driven = std::panic::catch_unwind(AssertUnwindSafe(|| {
                session.drive(&mut learner, &train, &mut processor, &components.interrupter)
            }));
            let result = driven.unwrap_or_else(|panic| Err(session.device_failed(&*panic)));
            // The listener hears of all steps before it hears of the end.
            let flushed = processor.flush();
            session.listener.tell(&ProgressEvent::Ended { step: session.counters.step });
            let result = result.and_then(|end| flushed.map(|()| end).map_err(burn));
            *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some((session, result));
        }
        (learner.model(), processor)
    }
}

fn burn(error: impl std::fmt::Display) -> TrainError {
    TrainError::Burn(error.to_string())
}

impl Session {
    fn complete(&self) -> bool {
        self.counters.step >= self.total || self.counters.stopping.stopped
    }

    fn drive<A: Tuned>(
        &mut self,
        learner: &mut Learner<TrainModel<A>>,
        train: &TrainLoader<TrainModel<A>>,
        processor: &mut SupervisedTrainingEventProcessor<TrainModel<A>>,
        interrupter: &Interrupter,
    ) -> Result<End, TrainError> {
        let steps_per_epoch = self.cut.steps_per_epoch();
        self.listener.tell(&ProgressEvent::Started { done: self.counters.step, steps: self.total, steps_per_epoch });
        let mut batches = train.iter();
        let mut epoch_open = false;
        while !self.complete() {
            let clock = Instant::now();
            let epoch = (self.cut.epoch(self.counters.step) + 1) as usize;
            if !epoch_open {
                let total_items = steps_per_epoch as usize;
                processor.process_train(LearnerEvent::StartSplit { epoch_number: epoch, total_items }).map_err(burn)?;
                epoch_open = true;
            }
            let mut lap = Clock::start();
            let Some(Ok(batch)) = batches.next() else {
                let mut error = self.load_error.lock().unwrap_or_else(PoisonError::into_inner);
                return Err(error.take().unwrap_or_else(|| burn("the samples ended before the run")));
            };

            let wait = lap.lap();
            learner.lr_step();
            let lr = learner.lr_current();
            let output = learner.train_step(batch);
            lap.lap();
            learner.optimizer_step(output.grads);
            let mut item = output.item;
            item.times.wait = wait;
            item.times.optimizer = lap.lap();
            item.lr = lr.base();
            self.check(learner, &mut item)?;

            self.counters.step += 1;
            self.counters.samples += item.samples as u64;
            self.measure(&mut item, clock.elapsed().as_secs_f64());
            let done = self.counters.step;
            self.metrics.append(&Line::Train(TrainLine {
                step: done,
                epoch: epoch as u64,
                loss: item.loss,
                lr: item.lr,
                grad_norm: item.grad_norm,
                samples: item.samples,
                samples_per_second: item.samples as f64 / clock.elapsed().as_secs_f64(),
                times: item.times,
            }))?;
            let position = Position::new(done as usize, self.total as usize, Some("steps".to_owned()));
            let item = TrainingItem::new(item, position, Some(done as usize), Some(lr));
            processor.process_train(LearnerEvent::ProcessedItem(item)).map_err(burn)?;

            let epoch_ends = done.is_multiple_of(steps_per_epoch);
            if epoch_ends || done == self.total {
                processor.process_train(LearnerEvent::EndSplit(epoch)).map_err(burn)?;
                epoch_open = false;
            }
            let best = match self.validation_due(epoch_ends) {
                true => self.validate(learner, processor, epoch)?,
                false => false,
            };
            if epoch_ends {
                processor.process_train(LearnerEvent::EndEpoch(epoch)).map_err(burn)?;
            }

            self.counters.seconds += clock.elapsed().as_secs_f64();
            let interrupted = self.interrupt.load(Ordering::Relaxed);
            let due = self.save_every.is_some_and(|every| done.is_multiple_of(every));
            if due || epoch_ends || best || interrupted || self.complete() {
                self.save(&learner.model())?;
            }
            // Behind the state that knows of it: a run resumed from before would find a best that it has not seen yet.
            if best {
                self.publish_best(&learner.model())?;
            }
            if interrupter.should_stop() {
                let reason = interrupter.error().map_or_else(|| "stopped".to_owned(), |e| e.to_string());
                return Err(TrainError::Burn(reason));
            }
            if interrupted && !self.complete() {
                self.results.publish(&*self.storage, self.run.path(), &learner.model())?;
                return Ok(End::Interrupted);
            }
        }
        self.results.publish(&*self.storage, self.run.path(), &learner.model())?;
        Ok(End::Complete)
    }

    fn device_failed(&self, panic: &(dyn std::any::Any + Send)) -> TrainError {
        let step = self.counters.step + 1;
        let saved = state::saved_steps(&self.run.states()).ok().and_then(|steps| steps.into_iter().max());
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let reason = text.or_else(|| panic.downcast_ref::<String>().cloned());
        TrainError::Device { step, reason: reason.unwrap_or_else(|| "it did not say why".to_owned()), saved }
    }

    /// Ends the run if the step had a fault; the parameters are then those before the step, and are saved.
    fn check<A: Tuned>(&mut self, learner: &Learner<TrainModel<A>>, item: &mut StepOutput) -> Result<(), TrainError> {
        let model = learner.model();
        let fault = {
            let mut inside = model.shared.lock();
            item.grad_norm = inside.grad_norm;
            inside.fault.take()
        };
        let Some(fault) = fault else {
            return Ok(());
        };
        let last_good = self.counters.step;
        let step = last_good + 1;
        if !state::saved_steps(&self.run.states())?.contains(&last_good) {
            self.save(&model)?;
        }
        Err(match fault {
            Fault::Loss(source) => TrainError::Loss { step, source },
            Fault::NotFinite { what, value } => {
                TrainError::NotFinite { step, what, value, last_good, lr: item.lr, precision: model.clip.precision }
            }
        })
    }

    fn measure(&mut self, item: &mut StepOutput, seconds: f64) {
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back((item.samples, seconds));
        let (samples, seconds) =
            self.window.iter().fold((0, 0.0), |(n, s), (samples, seconds)| (n + samples, s + seconds));
        item.samples_per_second = samples as f64 / seconds;
        item.seconds_left = (self.total - self.counters.step) as f64 * seconds / self.window.len() as f64;
    }

    fn validation_due(&self, epoch_ends: bool) -> bool {
        let done = self.counters.step;
        let due = match self.validate_every {
            Every::Epoch => epoch_ends,
            Every::Steps(every) => done.is_multiple_of(every),
            Every::End => false,
        };
        self.validator.is_some() && (due || done == self.total)
    }

    /// Whether this is the best so far.
    fn validate<A: Tuned>(
        &mut self,
        learner: &Learner<TrainModel<A>>,
        processor: &mut SupervisedTrainingEventProcessor<TrainModel<A>>,
        epoch: usize,
    ) -> Result<bool, TrainError> {
        let Some(validator) = &mut self.validator else {
            return Ok(false);
        };
        let step = self.counters.step;
        // The listener hears of the step first.
        processor.flush().map_err(burn)?;
        self.listener.tell(&ProgressEvent::Validating { step });
        let clock = Instant::now();
        let model = learner.model();
        let failed = |source| TrainError::Validation { step, source };
        let (clip, head) = {
            let inside = model.shared.lock();
            evaluated(&model, inside.optimizer.averages(), self.alpha).map_err(|e| failed(e.into()))?
        };
        let values = validator.validate(&clip, head.as_ref()).map_err(failed)?;
        let value = values.iter().find(|(name, _)| *name == self.best).map(|(_, value)| *value);
        let value = value.ok_or_else(|| TrainError::NoSuchMetric {
            metric: self.best.clone(),
            found: values.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
        })?;
        let best = self.counters.stopping.validated(step, value, self.patience);

        let seconds = clock.elapsed().as_secs_f64();
        let map = values.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
        self.metrics.append(&Line::Validation(ValidationLine {
            step,
            epoch: epoch as u64,
            values: map,
            best,
            seconds,
        }))?;
        processor.process_valid(LearnerEvent::StartSplit { epoch_number: epoch, total_items: 1 }).map_err(burn)?;
        let position = Position::new(1, 1, Some("validations".to_owned()));
        let item = TrainingItem::new(ValidationOutput(value), position, Some(step as usize), None);
        processor.process_valid(LearnerEvent::ProcessedItem(item)).map_err(burn)?;
        processor.process_valid(LearnerEvent::EndSplit(epoch)).map_err(burn)?;
        self.listener.tell(&ProgressEvent::Validated { step, values, best });
        Ok(best)
    }

    fn save<A: Tuned>(&mut self, model: &TrainModel<A>) -> Result<(), TrainError> {
        let clock = Instant::now();
        self.metrics.sync()?;
        let parameters = parameters::trained(model);
        let memory = model.shared.lock().optimizer.memory();
        self.counters.threads = state::threads();
        let state = State { parameters, memory, counters: self.counters.clone() };
        state::save(&*self.storage, &self.run.states(), &state)?;
        self.counters.seconds += clock.elapsed().as_secs_f64();
        self.listener.tell(&ProgressEvent::Saved { step: self.counters.step });
        Ok(())
    }

    /// Writes `best/` if it should be of the current step.
    pub(crate) fn publish_best<A: Tuned>(&self, model: &TrainModel<A>) -> Result<(), TrainError> {
        self.results.publish_best(&*self.storage, &self.run.best(), model)
    }
}
