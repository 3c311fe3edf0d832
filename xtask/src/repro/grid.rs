//! How two methods are chosen fairly: each by as many values on data held out from training.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// τ of the loss: the method's own, and the checkpoint's.
const TEMPERATURES: [&str; 2] = ["0.01", "\"checkpoint\""];

/// A method and the learning rates it may have.
pub(crate) struct Arm {
    pub(crate) name: &'static str,
    pub(crate) settings: &'static [&'static str],
    pub(crate) grid: [f64; 3],
    /// Whether it has an α.
    pub(crate) scaled: bool,
}

/// What is chosen of a run, and its seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) lr: f64,
    /// τ as the setting says it.
    pub(crate) temperature: &'static str,
    pub(crate) seed: u64,
}

impl Arm {
    /// The α that are measured: without adapters there is but the model as it is.
    pub(crate) fn alphas(&self) -> Vec<f64> {
        if self.scaled { (0..=10).map(|tenth| f64::from(tenth) / 10.0).collect() } else { vec![1.0] }
    }

    /// Where the run of a choice lies.
    pub(crate) fn folder(&self, out: &Path, Choice { lr, temperature, seed }: Choice) -> PathBuf {
        let (name, temperature) = (self.name.replace(' ', "-"), temperature.trim_matches('"'));
        out.join(format!("runs/{name}-lr{lr:e}-tau-{temperature}-seed{seed}"))
    }

    /// The settings of a choice.
    pub(crate) fn settings(&self, choice: Choice) -> Vec<String> {
        let mut settings: Vec<String> = self.settings.iter().map(|&setting| setting.to_owned()).collect();
        settings.extend([
            format!("lr = {:e}", choice.lr),
            format!("loss.temperature = {}", choice.temperature),
            format!("seed = {}", choice.seed),
        ]);
        settings
    }

    /// What a run is called while it goes on.
    pub(crate) fn title(&self, Choice { lr, temperature, seed }: Choice) -> String {
        format!("{}, lr {lr:.1e}, τ {}, seed {seed}", self.name, temperature.trim_matches('"'))
    }

    /// The learning rate and τ of the best value on held-out data, which `held_out` trains and measures; the first of those
    /// that are equal. τ is chosen at the middle learning rate, then the learning rate at that τ: four runs instead of six.
    pub(crate) fn choose(
        &self,
        seed: u64,
        held_out: impl Fn(Choice) -> anyhow::Result<Option<f64>>,
    ) -> anyhow::Result<Choice> {
        let [low, middle, high] = self.grid;
        let value = |lr: f64, temperature: &'static str| -> anyhow::Result<(f64, Choice)> {
            let choice = Choice { lr, temperature, seed };
            let value = held_out(choice)?.context("the run did not validate")?;
            eprintln!("{}: held out {:.1} %", self.title(choice), 100.0 * value);
            Ok((value, choice))
        };
        let [own, checkpoints] = TEMPERATURES;
        let (first, second) = (value(middle, own)?, value(middle, checkpoints)?);
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

/// The methods of these names; all of them where none is named.
pub(crate) fn named<'a>(arms: &'a [Arm], only: Option<&str>) -> anyhow::Result<Vec<&'a Arm>> {
    let Some(only) = only else { return Ok(arms.iter().collect()) };
    let known = || arms.iter().map(|arm| arm.name).collect::<Vec<_>>().join("; ");
    let arm = arms.iter().find(|arm| arm.name == only);
    Ok(vec![arm.with_context(|| format!("`{only}` is none of {}", known()))?])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const ARM: Arm = Arm { name: "some", settings: &["tune = \"all\""], grid: [1.0, 2.0, 3.0], scaled: true };

    #[test]
    fn the_best_temperature_is_kept_for_the_learning_rates() {
        let tried = std::cell::RefCell::new(Vec::new());
        let chosen = ARM.choose(7, |choice| {
            tried.borrow_mut().push((choice.lr, choice.temperature));
            Ok(Some(choice.lr + f64::from(u8::from(choice.temperature != "0.01"))))
        });
        let chosen = chosen.unwrap();
        assert_eq!((chosen.lr, chosen.temperature, chosen.seed), (3.0, "\"checkpoint\"", 7));
        let own = "\"checkpoint\"";
        assert_eq!(tried.into_inner(), [(2.0, "0.01"), (2.0, own), (1.0, own), (3.0, own)]);
    }

    #[test]
    fn of_equals_the_first_is_chosen() {
        let chosen = ARM.choose(0, |_| Ok(Some(0.5))).unwrap();
        assert_eq!((chosen.lr, chosen.temperature), (2.0, "0.01"));
        assert!(ARM.choose(0, |_| Ok(None)).is_err());
    }

    #[test]
    fn a_method_is_found_by_its_name() {
        assert_eq!(named(&[ARM], Some("some")).unwrap().len(), 1);
        assert!(named(&[ARM], Some("other")).err().unwrap().to_string().contains("none of some"));
    }
}
