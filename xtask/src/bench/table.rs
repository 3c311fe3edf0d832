//! The figures as a table, ours beside each peer's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::Part;
use super::measurement::{Measurement, median};

/// Who did the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    Eager,
    Compile,
    EagerBf16,
    CompileBf16,
    /// Eager, with the C library's allocations on huge pages
    EagerHugepages,
    /// ONNX Runtime; inference alone
    Onnx,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Eager => "PyTorch eager",
            Mode::Compile => "PyTorch compiled",
            Mode::EagerBf16 => "PyTorch eager bf16",
            Mode::CompileBf16 => "PyTorch compiled bf16",
            Mode::EagerHugepages => "PyTorch eager, huge pages",
            Mode::Onnx => "ONNX Runtime",
        }
    }
}

/// The rounds of one architecture and part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) arch: String,
    pub(crate) part: Part,
    pub(crate) batch_size: usize,
    pub(crate) ours: Vec<Measurement>,
    pub(crate) peers: BTreeMap<Mode, Vec<Measurement>>,
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) machine: String,
    pub(crate) cases: Vec<Case>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) photos: Option<super::photos::Photos>,
}

pub(crate) fn over(rounds: &[Measurement], value: impl Fn(&Measurement) -> f64) -> f64 {
    median(rounds.iter().map(value).collect())
}

/// Round by round, so that the machine's drift is the same for both.
fn ratio(ours: &[Measurement], peer: &[Measurement], value: impl Fn(&Measurement) -> f64) -> f64 {
    median(ours.iter().zip(peer).map(|(ours, peer)| value(ours) / value(peer)).collect())
}

impl Figures {
    pub(crate) fn table(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        writeln!(text, "{}\n", self.machine)?;
        writeln!(
            text,
            "| architecture | work | by | samples/s | ms a step | share of GEMM peak | peak memory MiB | minor faults a step | \
             our samples/s against it | our memory against it |"
        )?;
        writeln!(text, "|---|---|---|---:|---:|---:|---:|---:|---:|---:|")?;
        for case in &self.cases {
            let mut row = |by: &str, rounds: &[Measurement], against: Option<[f64; 2]>| -> std::fmt::Result {
                let share = rounds.iter().filter_map(Measurement::peak_share).collect::<Vec<_>>();
                let share = if share.is_empty() { String::new() } else { format!("{:.0} %", 100.0 * median(share)) };
                let [speed, memory] =
                    against.map_or([String::new(), String::new()], |ratios| ratios.map(|ratio| format!("{ratio:.2}×")));
                writeln!(
                    text,
                    "| {} | {}, {} samples | {by} | {:.2} | {:.0} | {share} | {:.0} | {:.0} | {speed} | {memory} |",
                    case.arch,
                    case.part.name(),
                    case.batch_size,
                    over(rounds, |found| found.samples_per_second),
                    1e3 * over(rounds, |found| found.seconds),
                    over(rounds, |found| found.peak_memory_mib),
                    over(rounds, |found| found.minor_faults_per_step),
                )
            };
            row("R-Adapter", &case.ours, None)?;
            for (mode, rounds) in &case.peers {
                let speed = ratio(&case.ours, rounds, |found| found.samples_per_second);
                let memory = ratio(&case.ours, rounds, |found| found.peak_memory_mib);
                row(mode.name(), rounds, Some([speed, memory]))?;
            }
        }
        for case in &self.cases {
            let names = case.ours.first().into_iter().flat_map(|first| first.parts.keys());
            let parts: Vec<String> = names
                .map(|name| {
                    let seconds = over(&case.ours, |found| found.parts.get(name).copied().unwrap_or(f64::NAN));
                    format!("{name} {:.0}", 1e3 * seconds)
                })
                .collect();
            if !parts.is_empty() {
                writeln!(text, "\n{}, ms of a step: {}.", case.arch, parts.join(", "))?;
            }
        }
        if let Some(photos) = &self.photos {
            writeln!(text, "\n{photos}")?;
        }
        Ok(text)
    }
}
