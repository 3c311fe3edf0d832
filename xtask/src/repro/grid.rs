//! The fair choice of hyperparameters: every method tries as many values on data held out from training.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use radapter::settings::{Settings, SettingsError};

use super::arm;

/// A method with three learning rates.
pub(crate) type Arm = arm::Arm<3>;

/// τ of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temperature {
    /// R-Adapter's published value.
    Published,
    /// The checkpoint's own.
    Checkpoint,
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Published => "0.01",
            Self::Checkpoint => "checkpoint",
        })
    }
}

/// The chosen hyperparameters of a run, and its seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) lr: f64,
    pub(crate) temperature: Temperature,
    pub(crate) seed: u64,
}

impl Arm {
    /// The evaluated values of α; only 1 for a method that α does not scale.
    pub(crate) fn alphas(&self) -> anyhow::Result<Vec<f64>> {
        let tenths = (0..=10).map(|tenth| f64::from(tenth) / 10.0).collect();
        Ok(if self.registered()?.is_scaled() { tenths } else { vec![1.0] })
    }

    /// The folder of a choice's run.
    pub(crate) fn folder(&self, out: &Path, Choice { lr, temperature, seed }: Choice) -> PathBuf {
        let name = self.name.replace(' ', "-");
        out.join(format!("runs/{name}-lr{lr:e}-tau-{temperature}-seed{seed}"))
    }

    /// Sets the method and the choice.
    pub(crate) fn set(&self, settings: &mut Settings, choice: Choice) -> Result<(), SettingsError> {
        settings.set("method", self.method)?;
        settings.set("lr", choice.lr)?;
        settings.set("seed", choice.seed as i64)?;
        match choice.temperature {
            Temperature::Published => settings.set("loss.temperature", 0.01),
            Temperature::Checkpoint => settings.set("loss.temperature", "checkpoint"),
        }
    }

    /// The name of a run in messages.
    pub(crate) fn title(&self, Choice { lr, temperature, seed }: Choice) -> String {
        format!("{}, lr {lr:.1e}, τ {temperature}, seed {seed}", self.name)
    }

    /// Chooses the learning rate and τ with the best value on held-out data, which `held_out` trains and evaluates; ties go to the
    /// first. τ is chosen at the middle learning rate, then the learning rate at that τ: four runs instead of six.
    pub(crate) fn choose(
        &self,
        seed: u64,
        held_out: impl Fn(Choice) -> anyhow::Result<Option<f64>>,
    ) -> anyhow::Result<Choice> {
        let [low, middle, high] = self.grid;
        let value = |lr: f64, temperature: Temperature| -> anyhow::Result<(f64, Choice)> {
            let choice = Choice { lr, temperature, seed };
            let value = held_out(choice)?.context("the run has no validation")?;
            eprintln!("{}: held out {:.1} %", self.title(choice), 100.0 * value);
            Ok((value, choice))
        };
        let (first, second) = (value(middle, Temperature::Published)?, value(middle, Temperature::Checkpoint)?);
        let mut best = if second.0 > first.0 { second } else { first };
        for lr in [low, high] {
            let found = value(lr, best.1.temperature)?;
            if found.0 > best.0 {
                best = found;
            }
        }
        Ok(best.1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const ARM: Arm = Arm::new("some", "full", [1.0, 2.0, 3.0]);

    #[test]
    fn the_best_temperature_is_kept_for_the_learning_rates() {
        let tried = std::cell::RefCell::new(Vec::new());
        let chosen = ARM.choose(7, |choice| {
            tried.borrow_mut().push((choice.lr, choice.temperature));
            Ok(Some(choice.lr + f64::from(u8::from(choice.temperature == Temperature::Checkpoint))))
        });
        let chosen = chosen.unwrap();
        assert_eq!((chosen.lr, chosen.temperature, chosen.seed), (3.0, Temperature::Checkpoint, 7));
        let own = Temperature::Checkpoint;
        assert_eq!(tried.into_inner(), [(2.0, Temperature::Published), (2.0, own), (1.0, own), (3.0, own)]);
    }

    #[test]
    fn ties_go_to_the_first() {
        let chosen = ARM.choose(0, |_| Ok(Some(0.5))).unwrap();
        assert_eq!((chosen.lr, chosen.temperature), (2.0, Temperature::Published));
        assert!(ARM.choose(0, |_| Ok(None)).is_err());
    }
}
