use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn_train::metric::state::{FormatOptions, NumericMetricState};
use burn_train::metric::{
    Adaptor, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};

use crate::model::{StepOutput, ValidationOutput};

/// A number of a step or a validation, as a burn-train metric. burn's own metrics take tensors; these numbers are on the
/// host already.
#[derive(Clone)]
pub(crate) struct Scalar<T> {
    name: MetricName,
    higher_is_better: bool,
    pick: fn(&T) -> f64,
    state: NumericMetricState,
}

/// Names that the renderer knows.
pub(crate) const LOSS: &str = "Loss";
pub(crate) const GRAD_NORM: &str = "Gradient norm";
pub(crate) const LR: &str = "Learning rate";
pub(crate) const THROUGHPUT: &str = "Samples per second";
pub(crate) const SECONDS_LEFT: &str = "Seconds left";

impl Scalar<StepOutput> {
    /// The metrics of a step.
    pub(crate) fn of_steps() -> [Self; 5] {
        let metric = |name: &str, pick| Self::new(name, false, pick);
        [
            metric(LOSS, |step: &StepOutput| step.loss),
            metric(GRAD_NORM, |step: &StepOutput| step.grad_norm),
            metric(LR, |step: &StepOutput| step.lr),
            metric(THROUGHPUT, |step: &StepOutput| step.samples_per_second),
            metric(SECONDS_LEFT, |step: &StepOutput| step.seconds_left),
        ]
    }
}

impl Scalar<ValidationOutput> {
    /// The metric that chooses the best.
    pub(crate) fn of_validation(name: &str) -> Self {
        Self::new(name, true, |output: &ValidationOutput| output.0)
    }
}

impl<T> Scalar<T> {
    fn new(name: &str, higher_is_better: bool, pick: fn(&T) -> f64) -> Self {
        Self { name: Arc::new(name.to_owned()), higher_is_better, pick, state: NumericMetricState::default() }
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name.clone()).precision(4)
    }
}

impl Adaptor<StepOutput> for StepOutput {
    fn adapt(&self) -> StepOutput {
        *self
    }
}

impl Adaptor<ValidationOutput> for ValidationOutput {
    fn adapt(&self) -> ValidationOutput {
        *self
    }
}

impl<T: Clone + Send + Sync> Metric for Scalar<T> {
    type Input = T;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: self.higher_is_better }.into()
    }

    fn update(&mut self, item: &T, _metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        self.state.update((self.pick)(item), 1);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
    }
}

impl<T> Numeric for Scalar<T> {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}
