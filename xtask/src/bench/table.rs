//! The figures as a table, ours next to each peer's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::Part;
use super::measurement::{Measurement, median};

/// How the peer ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    Eager,
    Compile,
    EagerBf16,
    CompileBf16,
    /// Eager, with f32 products on a GPU in TF32
    EagerTf32,
    /// Eager, with the C library's allocations on huge pages
    EagerHugepages,
    /// ONNX Runtime, only for inference
    Onnx,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Eager => "PyTorch eager",
            Mode::Compile => "PyTorch compiled",
            Mode::EagerBf16 => "PyTorch eager bf16",
            Mode::CompileBf16 => "PyTorch compiled bf16",
            Mode::EagerTf32 => "PyTorch eager TF32",
            Mode::EagerHugepages => "PyTorch eager, huge pages",
            Mode::Onnx => "ONNX Runtime",
        }
    }
}

/// The rounds of one architecture and part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) arch: String,
    /// How the step differs from the published one.
    #[serde(default)]
    pub(crate) variant: String,
    pub(crate) part: Part,
    pub(crate) batch_size: usize,
    pub(crate) ours: Vec<Measurement>,
    /// One per round; `None` for a round that failed.
    pub(crate) peers: BTreeMap<Mode, Vec<Option<Measurement>>>,
}

/// All results of a benchmark.
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

/// The median of the rounds' ratios, so that the machine's drift is the same for both; `None` without a round that has both values.
fn ratio(
    ours: &[Measurement],
    peer: &[Option<Measurement>],
    value: impl Fn(&Measurement) -> Option<f64>,
) -> Option<f64> {
    let pairs = ours.iter().zip(peer);
    let ratios: Vec<f64> = pairs.filter_map(|(ours, peer)| Some(value(ours)? / value(peer.as_ref()?)?)).collect();
    (!ratios.is_empty()).then(|| median(ratios))
}

fn shown(value: Option<f64>, digits: usize, unit: &str) -> String {
    value.map_or(String::new(), |value| format!("{value:.digits$}{unit}"))
}

/// The median over the rounds that have the value.
fn median_of(rounds: &[Measurement], value: impl Fn(&Measurement) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = rounds.iter().filter_map(value).collect();
    (!values.is_empty()).then(|| median(values))
}

impl Figures {
    pub(crate) fn table(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        writeln!(text, "{}\n", self.machine)?;
        writeln!(
            text,
            "| architecture | work | by | samples/s | ms per step | share of GEMM peak | peak memory MiB | minor faults per step | \
             our samples/s against it | our memory against it |"
        )?;
        writeln!(text, "|---|---|---|---:|---:|---:|---:|---:|---:|---:|")?;
        for case in &self.cases {
            let work = match case.variant.as_str() {
                "" => case.part.name().to_owned(),
                variant => format!("{} ({variant})", case.part.name()),
            };
            let mut row = |by: &str, rounds: &[Measurement], against: [Option<f64>; 2]| -> std::fmt::Result {
                let [speed, memory] = against.map(|ratio| shown(ratio, 2, "×"));
                writeln!(
                    text,
                    "| {} | {work}, {} samples | {by} | {:.2} | {:.0} | {} | {} | {} | {speed} | {memory} |",
                    case.arch,
                    case.batch_size,
                    over(rounds, |found| found.samples_per_second),
                    1e3 * over(rounds, |found| found.seconds),
                    shown(median_of(rounds, |found| found.peak_share().map(|share| 100.0 * share)), 0, " %"),
                    shown(median_of(rounds, |found| found.peak_memory_mib), 0, ""),
                    shown(median_of(rounds, |found| found.minor_faults_per_step), 0, ""),
                )
            };
            row("R-Adapter", &case.ours, [None, None])?;
            for (mode, rounds) in &case.peers {
                let speed = ratio(&case.ours, rounds, |found| Some(found.samples_per_second));
                let memory = ratio(&case.ours, rounds, |found| found.peak_memory_mib);
                let rounds: Vec<Measurement> = rounds.iter().flatten().cloned().collect();
                row(mode.name(), &rounds, [speed, memory])?;
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
