//! Best validation and early stopping.

use serde::{Deserialize, Serialize};

/// Best validation so far, and the number since. Part of the saved state, so that a resumed run selects and stops as
/// the uninterrupted one does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stopping {
    pub(crate) best: Option<BestSoFar>,
    /// Validations since the best one.
    pub(crate) since_best: u64,
    /// Whether the run has stopped early.
    pub(crate) stopped: bool,
}

/// Result of a validation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BestSoFar {
    /// Steps done at the validation.
    pub(crate) step: u64,
    pub(crate) value: f64,
}

impl Stopping {
    /// Records a validation; returns whether it is the best so far. Higher is better, and of equals the first one is kept.
    /// NaN is never the best.
    pub(crate) fn validated(&mut self, step: u64, value: f64, patience: Option<u64>) -> bool {
        let better = match self.best {
            Some(best) => value > best.value,
            None => !value.is_nan(),
        };
        if better {
            self.best = Some(BestSoFar { step, value });
            self.since_best = 0;
        } else {
            self.since_best += 1;
        }
        self.stopped = patience.is_some_and(|patience| self.since_best >= patience.max(1));
        better
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_validations_without_a_new_best() {
        let mut stopping = Stopping::default();
        let mut validate = |step, value| (stopping.validated(step, value, Some(2)), stopping.stopped);
        assert_eq!(validate(1, 0.5), (true, false));
        assert_eq!(validate(2, 0.5), (false, false), "an equal value is not an improvement");
        assert_eq!(validate(3, 0.6), (true, false));
        assert_eq!(validate(4, f64::NAN), (false, false));
        assert_eq!(validate(5, 0.1), (false, true));
        assert_eq!(stopping.best, Some(BestSoFar { step: 3, value: 0.6 }));
    }

    #[test]
    fn without_patience_a_run_continues() {
        let mut stopping = Stopping::default();
        assert!(!stopping.validated(1, f64::NAN, None));
        assert!((2..100).all(|step| stopping.validated(step, 0.0, None) == (step == 2)));
        assert!(!stopping.stopped);
    }
}
