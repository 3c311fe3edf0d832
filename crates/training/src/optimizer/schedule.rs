//! Learning-rate schedule.

use serde::{Deserialize, Serialize};

/// Learning rate after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Half a cosine, falling to the floor.
    Cosine,
    /// Constant at the base rate.
    Constant,
}

/// Learning rate of each step: a function of the step's number alone, so there is no state to save.
///
/// With steps `t` of `T` counted from 0, warm-up steps `w`, base rate `lr` and floor `f` (R-Adapter's published code):
///
/// ```text
/// t < w:   lr · (t + 1) / w
/// t ≥ w:   ½ (1 + cos(π (t − w) / (T − w))) · lr + f       cosine
///          lr                                              constant
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Schedule {
    /// Base rate of the schedule.
    pub lr: f64,
    /// Floor of the cosine.
    pub final_lr: f64,
    pub warmup: u64,
    /// Total steps of the run.
    pub steps: u64,
    /// Decay after the warm-up.
    pub decay: Decay,
}

impl Schedule {
    /// Returns the learning rate of a step, counted from 0.
    pub fn lr_at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.lr * (step + 1) as f64 / self.warmup as f64;
        }
        match self.decay {
            Decay::Constant => self.lr,
            Decay::Cosine => {
                let span = self.steps.saturating_sub(self.warmup).max(1) as f64;
                let done = (step - self.warmup) as f64 / span;
                0.5 * (1.0 + (std::f64::consts::PI * done).cos()) * self.lr + self.final_lr
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn schedule() -> Schedule {
        Schedule { lr: 5e-4, final_lr: 1e-6, warmup: 500, steps: 25_020, decay: Decay::Cosine }
    }

    #[test]
    fn the_published_schedule_at_its_corners() {
        let schedule = schedule();
        let near = |step, expected: f64| {
            let found = schedule.lr_at(step);
            assert!((found - expected).abs() < 1e-12, "step {step}: {found} and {expected}");
        };
        near(0, 1e-6);
        near(249, 2.5e-4);
        near(499, 5e-4);
        near(500, 5e-4 + 1e-6);
        near(500 + 24_520 / 2, 2.5e-4 + 1e-6);
        near(500 + 24_520 / 4, 5e-4 * (0.5 + 0.125_f64.sqrt()) + 1e-6);
        assert!(schedule.lr_at(25_019) < 1e-6 + 1e-10);
    }

    #[test]
    fn the_rate_rises_then_falls() {
        let schedule = schedule();
        assert!((1..500).all(|t| schedule.lr_at(t) > schedule.lr_at(t - 1)));
        assert!((501..25_020).all(|t| schedule.lr_at(t) < schedule.lr_at(t - 1)));
    }

    #[test]
    fn a_run_that_is_all_warm_up_or_has_none_is_defined() {
        let all = Schedule { warmup: 4, steps: 4, ..schedule() };
        assert_eq!(all.lr_at(3), 5e-4);
        assert!(all.lr_at(4).is_finite());
        let none = Schedule { warmup: 0, steps: 1, decay: Decay::Constant, ..schedule() };
        assert_eq!(none.lr_at(0), 5e-4);
    }
}
