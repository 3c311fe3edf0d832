//! Training progress on stderr.

use std::sync::{Mutex, PoisonError};

use radapter_report::percent;
use radapter_training::{ProgressEvent, StepProgress};

use crate::command::progress::{Progress, Style};

/// Shows training progress on stderr.
pub(super) struct Shown {
    style: Style,
    /// The task's samples in the plural.
    unit: &'static str,
    bar: Mutex<Option<Progress>>,
}

impl Shown {
    pub(super) fn new(style: Style, unit: &'static str) -> Self {
        Self { style, unit, bar: Mutex::new(None) }
    }

    pub(super) fn event(&self, event: &ProgressEvent) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            ProgressEvent::Started { done, steps, steps_per_epoch } => {
                tracing::trace!("training from step {} to {steps}, {steps_per_epoch} per epoch", done + 1);
                if *done > 0 {
                    tracing::info!("resuming after step {done}");
                }
                *bar = Some(self.style.start("training", "steps", *steps));
            }
            ProgressEvent::Step(step) => {
                let &StepProgress { step: done, steps, epoch, loss, lr, grad_norm, samples_per_second, .. } = step;
                tracing::trace!(
                    "step {done} of {steps}, epoch {epoch}: loss {loss:.4}, learning rate {lr:.3e}, gradient norm {grad_norm:.3}, \
                     {samples_per_second:.1} {}/s",
                    self.unit
                );
                if let Some(bar) = &*bar {
                    bar.set(done, &format!("loss {loss:.4}, {samples_per_second:.1} {}/s", self.unit));
                }
            }
            ProgressEvent::Validated { step, values, best, base, metric } => {
                let beside = |name: &str| base.iter().find(|(known, _)| known == name);
                let value = |(name, value): &(String, f64)| match beside(name) {
                    Some((_, base)) => format!("{name} {} (base {})", percent(*value), percent(*base)),
                    None => format!("{name} {}", percent(*value)),
                };
                let own = values.iter().find(|(known, _)| known == metric).map(|(_, value)| value);
                let values: Vec<String> = values.iter().map(value).collect();
                let what = match (step, base.is_empty()) {
                    (0, true) => "the base model".to_owned(),
                    (0, false) => "the weights to start from".to_owned(),
                    _ => format!("step {step}"),
                };
                let best = match (best, own.zip(beside(metric))) {
                    (false, _) => "",
                    (true, Some((own, (_, base)))) if own < base => "; the best so far, worse than the base",
                    (true, Some((own, (_, base)))) if own == base => "; the best so far, equal to the base",
                    (true, _) => "; the best so far",
                };
                tracing::info!("{what}: {}{best}", values.join(", "));
            }
            ProgressEvent::Ended { step } => {
                tracing::trace!("training ended after step {step}");
                if let Some(bar) = bar.take() {
                    bar.finish();
                }
            }
            _ => {}
        }
    }
}
