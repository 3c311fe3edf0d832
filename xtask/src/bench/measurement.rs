use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use serde::{Deserialize, Serialize};

/// What one process found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measurement {
    /// Median over the timed steps.
    pub(crate) seconds: f64,
    pub(crate) samples_per_second: f64,
    /// While the steps ran; nothing where the system does not tell, or where the process did other things.
    #[serde(default)]
    pub(crate) peak_memory_mib: Option<f64>,
    #[serde(default)]
    pub(crate) minor_faults_per_step: Option<f64>,
    /// A large matrix product on the same device in the same process.
    pub(crate) gemm_gflops: f64,
    /// Multiplications and additions of the step's matrix products, counted from its shapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gflop: Option<f64>,
    /// Seconds of the parts of a step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) parts: BTreeMap<String, f64>,
}

impl Measurement {
    /// The share of the measured peak of matrix products that the step as a whole reaches.
    pub(crate) fn peak_share(&self) -> Option<f64> {
        Some(self.gflop? / self.seconds / self.gemm_gflops)
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => 0.5 * (values[count / 2 - 1] + values[count / 2]),
    }
}

/// Minor page faults of this process so far; nothing where the system does not tell.
pub(crate) fn minor_faults() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the command's name, may contain spaces; what follows its bracket does not.
    stat.rsplit_once(')')?.1.split_whitespace().nth(7)?.parse().ok()
}

/// Forgets what was held so far, so that what loading took is not counted; does nothing where the system cannot.
pub(crate) fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory this process has held since then.
pub(crate) fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// GFLOP/s of a square matrix product: the best of six.
pub(crate) fn gemm_gflops(device: &Device) -> f64 {
    const SIZE: usize = 1024;
    let random = || Tensor::<2>::random([SIZE, SIZE], Distribution::Default, device);
    let (a, b) = (random(), random());
    let best = (0..6)
        .map(|_| {
            let start = Instant::now();
            let _ = a.clone().matmul(b.clone()).into_data();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    2.0 * (SIZE as f64).powi(3) / best / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }
}
