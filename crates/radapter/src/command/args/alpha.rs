//! `--alpha`, the share of the adapters in the merged model. `radapter_adapter` defines the valid range.

use std::path::Path;
use std::str::FromStr;

use clap::Args;
use radapter_adapter::{Alpha, Alphas};
use radapter_training::choice::{self, Rule};

use crate::command::failure::Usage;

/// The forms of `--alpha`.
const EXPECTED: &str = "expected FIRST:LAST:STEP with a step above 0, as in 0:1:0.1, or a list, as in 0,0.5,1";

/// Maximum number of values in a range; more are probably a typo.
const MOST: f64 = 1000.0;

/// `--alpha` of a single model.
#[derive(Clone, Debug, Args)]
pub(crate) struct AlphaArg {
    /// Share of the adapters, from 0 (the base model) to 1; A..B over the depth of each tower, a TOML file with one for each
    /// block, or a rule that chooses it for a run, as with `sweep --select` [default: the run's own]
    #[arg(long, value_name = "A|A..B|FILE.toml|RULE", allow_hyphen_values = true)]
    alpha: Option<String>,
}

impl AlphaArg {
    /// Whether α is to be an input of an exported model.
    pub(crate) fn is_input(&self) -> bool {
        self.alpha.as_deref() == Some("input")
    }

    /// Whether a value was given.
    pub(crate) fn is_given(&self) -> bool {
        self.alpha.is_some()
    }

    /// The checked value, if one was given; warns of one beyond 1.
    pub(crate) fn get(&self) -> Result<Option<Share>, Usage> {
        let Some(text) = &self.alpha else { return Ok(None) };
        let is_file = Path::new(text).extension().is_some_and(|extension| extension == "toml");
        let is_word = text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.parse::<f64>().is_err();
        let alphas = match text {
            text if is_file => of_file(Path::new(text))?,
            text if is_word => {
                return choice::named(text).map(|rule| Some(Share::Rule(rule))).map_err(|error| {
                    Usage(format!("--alpha: {error}; a number, A..B, or the path of a TOML file are values as well"))
                });
            }
            text => text.parse().map_err(|error| Usage(format!("--alpha: {error}")))?,
        };
        if alphas.extrapolates() {
            tracing::warn!("alpha = {alphas} is outside [0, 1]: it extrapolates beyond the adapted model");
        }
        Ok(Some(Share::Given(alphas)))
    }
}

/// A value of `--alpha`.
#[derive(Debug)]
pub(crate) enum Share {
    Given(Alphas),
    /// What this rule chooses for a run.
    Rule(&'static dyn Rule),
}

/// The values of `sweep --alpha`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlphaGrid(Vec<f64>);

impl AlphaGrid {
    /// The checked values; warns of those beyond 1.
    pub(crate) fn get(&self) -> Result<Vec<Alpha>, Usage> {
        self.0.iter().copied().map(checked).collect()
    }
}

fn of_file(path: &Path) -> Result<Alphas, Usage> {
    let text = std::fs::read_to_string(path).map_err(|error| Usage(format!("--alpha {}: {error}", path.display())))?;
    Alphas::from_toml(&text).map_err(|error| {
        Usage(format!(
            "--alpha {}: {error}\nexpected `outside = A` and, in the tables [visual] and [text], the lists attn and mlp with a number \
             for each block",
            path.display()
        ))
    })
}

fn checked(alpha: f64) -> Result<Alpha, Usage> {
    let alpha = Alpha::new(alpha).map_err(|error| Usage(format!("--alpha: {error}")))?;
    if alpha.extrapolates() {
        tracing::warn!("alpha = {alpha} is outside [0, 1]: it extrapolates beyond the adapted model");
    }
    Ok(alpha)
}

impl FromStr for AlphaGrid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = |separator| -> Result<Vec<f64>, String> {
            let number = |part: &str| {
                let parsed = part.trim().parse();
                parsed.map_err(|_| format!("{EXPECTED}; `{part}` is not a number"))
            };
            text.split(separator).map(number).collect()
        };
        if !text.contains(':') {
            return numbers(',').map(Self);
        }
        match numbers(':')?.as_slice() {
            &[first, last, step] if step > 0.0 && first <= last => {
                let steps = ((last - first) / step + 1e-9).floor();
                if steps > MOST {
                    return Err(format!(
                        "`{text}` has {steps} values, and at most {MOST} are allowed; use a larger step"
                    ));
                }
                // Rounded, so that three steps of 0.1 are 0.3.
                let value = |i| ((first + f64::from(i) * step) * 1e9).round() / 1e9;
                Ok(Self((0..=steps as u32).map(value).collect()))
            }
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn grid(text: &str) -> Result<Vec<f64>, String> {
        let grid: AlphaGrid = text.parse()?;
        let values = grid.get().map_err(|error| error.to_string())?;
        Ok(values.into_iter().map(Alpha::get).collect())
    }

    #[test]
    fn ranges_and_lists_of_alpha() {
        assert_eq!(grid("0:1:0.25").unwrap(), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(grid("0:1:0.1").unwrap()[3], 0.3);
        assert_eq!(grid("0:1:0.1").unwrap().len(), 11);
        assert_eq!(grid("0:1:0.3").unwrap(), [0.0, 0.3, 0.6, 0.9]);
        assert_eq!(grid("0.5").unwrap(), [0.5]);
        assert_eq!(grid("0, 0.5,1").unwrap(), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn senseless_ranges_are_refused() {
        assert_eq!(grid("0..1").unwrap_err(), format!("{EXPECTED}; `0..1` is not a number"));
        let ranges = ["", "0:1", "1:0:0.1", "0:1:0", "0:1:-0.1", "a", "0:1:nan", "0:1:1e-9"];
        let values = ["0:2:0.5", "-1:0:0.5", "NaN", "0,1.6"];
        for bad in ranges.into_iter().chain(values) {
            assert!(grid(bad).is_err(), "{bad}");
        }
    }
}
