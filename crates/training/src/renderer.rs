use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn_train::LearnerSummary;
use burn_train::logger::{EvaluationProgressLogger, MetricLogger, TrainingProgressLogger};
use burn_train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn_train::metric::{MetricDefinition, MetricId, NumericEntry};
use burn_train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining,
};

use crate::progress::{Progress, ProgressEvent, StepProgress};
use crate::scalar::{GRAD_NORM, LOSS, LR, SECONDS_LEFT, THROUGHPUT};

/// The listener, shared by the training thread and burn-train's event thread.
#[derive(Clone)]
pub(crate) struct Listener(Arc<Mutex<Box<dyn Progress>>>);

impl Listener {
    pub(crate) fn new(progress: Box<dyn Progress>) -> Self {
        Self(Arc::new(Mutex::new(progress)))
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Progress>> {
        // A listener that panicked once has said so; it is not worth the run.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, event: &ProgressEvent) {
        self.lock().event(event);
    }
}

/// Hands burn-train's events to the listener. burn-train's own renderers print to stdout, which belongs to results, or wait
/// for keys at the end.
pub(crate) struct Renderer {
    listener: Listener,
    names: HashMap<MetricId, String>,
    latest: HashMap<String, f64>,
    steps: u64,
    steps_per_epoch: u64,
    /// A validation's progress comes by the same call as that of steps.
    validating: bool,
}

impl Renderer {
    pub(crate) fn new(listener: Listener, steps: u64, steps_per_epoch: u64) -> Self {
        let (names, latest) = (HashMap::new(), HashMap::new());
        Self { listener, names, latest, steps, steps_per_epoch, validating: false }
    }
}

impl MetricsRendererTraining for Renderer {
    fn update_train(&mut self, state: MetricState) {
        // The epoch's mean comes as `Final`, when no step has been made.
        if let MetricState::Numeric(entry, Some(value)) = state
            && !matches!(value, NumericEntry::Final(_))
            && let Some(name) = self.names.get(&entry.metric_id)
        {
            self.latest.insert(name.clone(), value.current());
        }
    }

    fn update_valid(&mut self, _state: MetricState) {
        // The strategy tells of validations itself, with all their measures.
    }

    fn on_train_end(&mut self, _summary: Option<LearnerSummary>) -> Result<(), Box<dyn std::error::Error>> {
        Ok(())
    }
}

impl MetricsRendererEvaluation for Renderer {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}

    fn on_test_end(&mut self, _summary: Option<LearnerSummary>) -> Result<(), Box<dyn std::error::Error>> {
        Ok(())
    }
}

impl MetricsRenderer for Renderer {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name.to_string());
    }
}

impl TrainingProgressLogger for Renderer {
    fn start(&mut self, _epochs: usize, _starting: usize, _items: Option<usize>, _label: Option<&str>) {}

    fn update_epoch(&mut self, _epoch: usize) {}

    fn start_split(&mut self, split: &str, _total_items: usize) {
        self.validating = split != <&str>::from(Split::Train);
    }

    fn update_split(&mut self, step: usize) {
        if self.validating {
            return;
        }
        let number = |name: &str| self.latest.get(name).copied().unwrap_or(f64::NAN);
        let step = step as u64;
        self.listener.tell(&ProgressEvent::Step(StepProgress {
            step,
            steps: self.steps,
            epoch: step.saturating_sub(1) / self.steps_per_epoch + 1,
            loss: number(LOSS),
            lr: number(LR),
            grad_norm: number(GRAD_NORM),
            samples_per_second: number(THROUGHPUT),
            seconds_left: number(SECONDS_LEFT),
        }));
    }

    fn end_split(&mut self) {
        self.validating = false;
    }

    fn end(&mut self) {}

    fn log_event_training(&mut self, _event: String) {}
}

impl EvaluationProgressLogger for Renderer {
    fn start_global_progress(&mut self, _total_tests: usize) {}

    fn start_test(&mut self, _name: &str, _total_items: usize) {}

    fn update_test_progress(&mut self, _items_processed: usize) {}

    fn end_test(&mut self) {}

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _event: String) {}
}

/// Keeps burn-train's event store from writing its own files: the run's `metrics.jsonl` is written in step with the saved
/// states, which the event thread could not promise.
pub(crate) struct NoFiles;

impl MetricLogger for NoFiles {
    fn log(&mut self, _update: MetricsUpdate, _epoch: usize, _split: &Split) {}

    fn read_numeric(&mut self, name: &str, _epoch: usize, _split: &Split) -> Result<Vec<NumericEntry>, String> {
        Err(format!("`{name}` is in the run's metrics.jsonl"))
    }

    fn log_metric_definition(&mut self, _definition: MetricDefinition) {}

    fn log_epoch_summary(&mut self, _summary: EpochSummary) {}
}
