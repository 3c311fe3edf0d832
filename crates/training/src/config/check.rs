//! Checks of settings that exclude each other, and warnings about valid but unusual ones.

use radapter_settings::{OrNone, SettingsError};

use super::{Decay, LossKind, RegularizerKind, TrainSettings};

impl TrainSettings {
    /// Checks the constraints between settings.
    ///
    /// # Errors
    /// [`SettingsError::Conflict`] with the first that is violated.
    pub fn check(&self) -> Result<(), SettingsError> {
        let conflict = |wrong: bool, key, found: String, expected| match wrong {
            true => Err(SettingsError::Conflict { key, found, expected }),
            false => Ok(()),
        };
        conflict(
            self.epochs.is_some() && self.steps.is_some(),
            "epochs",
            self.epochs.unwrap_or(0).to_string(),
            "epochs and steps both set the run's length; leave one out",
        )?;
        if let Some((key, found)) = self.masks_of_samples().filter(|_| self.micro_batch.value().is_some()) {
            let expected = "with micro_batch each part would draw the same masks; drop nothing by sample, or leave micro_batch out";
            return Err(SettingsError::Conflict { key, found, expected });
        }
        conflict(
            self.regularizer.kind == RegularizerKind::SelfDistill
                && matches!(self.loss.kind, LossKind::CrossEntropy | LossKind::ClassTexts),
            "regularizer.kind",
            "\"self-distill\"".to_owned(),
            "it compares images with their texts, which cross-entropy does not use; choose mpm-nce or info-nce as loss.kind, or lipsum",
        )
    }

    /// Returns warnings for a run over `samples`.
    pub fn warnings(&self, samples: usize) -> Vec<String> {
        let total = self.total_steps(samples);
        let mut warnings = Vec::new();
        if self.batch_size > samples {
            warnings.push(format!(
                "batch_size = {} is more than the {samples} training samples; a step has all {samples} of them, once each, and is an epoch",
                self.batch_size
            ));
        }
        if self.schedule == Decay::Cosine && self.final_lr > self.lr {
            let (lr, floor, peak) = (self.lr, self.final_lr, self.lr + self.final_lr);
            warnings.push(format!(
                "final_lr = {floor:e} is above lr = {lr:e}; the cosine is added to it, so that the learning rate is {peak:e} after the \
                 warm-up and ends at {floor:e}"
            ));
        }
        if let OrNone::Some(m) = self.ema {
            let left = m.powf(total as f64);
            if left > 0.1 {
                warnings.push(format!(
                    "ema = {m} over {total} steps leaves {:.0} % of the start in the average that is evaluated; \
                     leave ema at \"auto\", or train longer",
                    100.0 * left
                ));
            }
        }
        if self.warmup >= total {
            let Self { warmup, lr, .. } = self;
            warnings.push(format!(
                "warmup = {warmup} covers all {total} steps, so the learning rate never reaches lr = {lr}"
            ));
        }
        if self.alpha.extrapolates() {
            warnings.push(format!("alpha = {} extrapolates beyond the adapted model", self.alpha));
        }
        warnings
    }
}
