//! Regressions against the figures of an earlier run on the same machine.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::measurement::Measurement;
use super::rows::{Case, Figures};

/// Relative change that may be noise.
const TOLERANCE: f64 = 0.1;

pub(crate) fn read(path: &Path) -> anyhow::Result<Figures> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not a file of `cargo xtask bench --json`", path.display()))
}

/// Fails if a step takes longer or needs more memory than before, by more than a tenth.
pub(crate) fn check(earlier: &Figures, found: &Figures) -> anyhow::Result<()> {
    let worse = regressions(earlier, found);
    if worse.is_empty() {
        return Ok(());
    }
    bail!("worse than before by more than {:.0} %:\n{}", 100.0 * TOLERANCE, worse.join("\n"))
}

fn regressions(earlier: &Figures, found: &Figures) -> Vec<String> {
    let mut worse = Vec::new();
    for case in &found.cases {
        let same = |other: &&Case| {
            (&other.arch, &other.variant, other.part, other.batch_size)
                == (&case.arch, &case.variant, case.part, case.batch_size)
        };
        let Some(before) = earlier.cases.iter().find(same) else { continue };
        for row in &case.ours {
            let Some(before) = before.ours.iter().find(|other| other.name == row.name) else { continue };
            let mut compare = |what: &str, value: fn(&Measurement) -> Option<f64>| {
                let (Some(before), Some(now)) = (before.median(value), row.median(value)) else { return };
                let (of, ratio) = (format!("{} {}, {}", case.arch, case.part.name(), row.name), now / before);
                eprintln!("{of}, {what}: {now:.3} against {before:.3} ({ratio:.2}×)");
                if ratio > 1.0 + TOLERANCE {
                    worse.push(format!("{of}: {what} {ratio:.2}×"));
                }
            };
            compare("seconds per step", |found| Some(found.seconds));
            compare("peak memory", |found| found.peak_memory_mib);
        }
    }
    worse
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::{case, row};
    use super::*;

    fn figures(seconds: f64, memory: f64) -> Figures {
        let cases = vec![case(vec![row("R-Adapter f32", &[Some(seconds)], memory)], Vec::new())];
        Figures { machine: String::new(), cases, products: Vec::new(), photos: None }
    }

    #[test]
    fn slower_and_larger_are_reported_and_noise_is_not() {
        assert!(regressions(&figures(1.0, 100.0), &figures(1.05, 95.0)).is_empty());
        assert_eq!(regressions(&figures(1.0, 100.0), &figures(1.2, 120.0)).len(), 2);
        assert!(check(&figures(1.0, 100.0), &figures(1.2, 100.0)).is_err());
    }
}
