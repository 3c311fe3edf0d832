//! Regressions against the figures of an earlier run on the same machine.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::table::{Figures, over};

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
        let same = |other: &&super::table::Case| {
            (&other.arch, &other.variant, other.part, other.batch_size)
                == (&case.arch, &case.variant, case.part, case.batch_size)
        };
        let Some(before) = earlier.cases.iter().find(same) else { continue };
        let mut compare = |what: &str, before: f64, now: f64| {
            let ratio = now / before;
            eprintln!("{} {}, {what}: {now:.3} against {before:.3} ({ratio:.2}×)", case.arch, case.part.name());
            if ratio > 1.0 + TOLERANCE {
                worse.push(format!("{} {}: {what} {ratio:.2}×", case.arch, case.part.name()));
            }
        };
        let median = |rounds: &[_], value: fn(&super::measurement::Measurement) -> f64| over(rounds, value);
        compare("seconds per step", median(&before.ours, |m| m.seconds), median(&case.ours, |m| m.seconds));
        let memory = |m: &super::measurement::Measurement| m.peak_memory_mib.unwrap_or(f64::NAN);
        compare("peak memory", median(&before.ours, memory), median(&case.ours, memory));
    }
    worse
}

#[cfg(test)]
mod tests {
    use super::super::Part;
    use super::super::measurement::Measurement;
    use super::super::table::Case;
    use super::*;

    fn figures(seconds: f64, memory: f64) -> Figures {
        let ours = vec![Measurement {
            seconds,
            samples_per_second: 32.0 / seconds,
            peak_memory_mib: Some(memory),
            minor_faults_per_step: None,
            gemm_gflops: 100.0,
            gflop: None,
            parts: Default::default(),
        }];
        let case = Case {
            arch: "a".to_owned(),
            variant: String::new(),
            part: Part::Step,
            batch_size: 32,
            ours,
            peers: Default::default(),
        };
        Figures { machine: String::new(), cases: vec![case], photos: None }
    }

    #[test]
    fn slower_and_larger_are_reported_and_noise_is_not() {
        assert!(regressions(&figures(1.0, 100.0), &figures(1.05, 95.0)).is_empty());
        assert_eq!(regressions(&figures(1.0, 100.0), &figures(1.2, 120.0)).len(), 2);
        assert!(check(&figures(1.0, 100.0), &figures(1.2, 100.0)).is_err());
    }
}
