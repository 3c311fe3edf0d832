//! One measurement of a benchmark, and the memory of this process.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{DType, Device, Distribution, Tensor};
use serde::{Deserialize, Serialize};

/// The figures of one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measurement {
    /// Seconds per step, the median over the timed steps.
    pub(crate) seconds: f64,
    pub(crate) samples_per_second: f64,
    /// Peak while the steps ran; `None` if unknown.
    #[serde(default)]
    pub(crate) peak_memory_mib: Option<f64>,
    #[serde(default)]
    pub(crate) minor_faults_per_step: Option<f64>,
    /// GFLOP/s of a large matrix product on the same device in the same process.
    pub(crate) gemm_gflops: f64,
    /// Multiplications and additions of the step's matrix products in 10⁹, counted from its shapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gflop: Option<f64>,
    /// Seconds of each part of a step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) parts: BTreeMap<String, f64>,
}

impl Measurement {
    /// The step's GFLOP/s as a share of the measured peak of matrix products.
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

/// Minor page faults of this process so far; `None` if the system does not report them.
pub(crate) fn minor_faults() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the command's name, may contain spaces; the fields after its bracket do not.
    stat.rsplit_once(')')?.1.split_whitespace().nth(7)?.parse().ok()
}

/// Resets the peak memory, so that loading is not counted. Does nothing if the system cannot.
pub(crate) fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Peak memory of this process since [`reset_peak`]; for a GPU, the memory reserved on it.
pub(crate) fn peak_memory_mib(device: &Device) -> Option<f64> {
    if let Some(usage) = device.clone().without_autodiff().memory_pool_usage() {
        return Some(usage.bytes_reserved as f64 / 1024.0 / 1024.0);
    }
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// GFLOP/s of a square matrix product.
pub(crate) fn gemm_gflops(device: &Device, dtype: DType) -> f64 {
    let size = if device.memory_pool_usage().is_some() { 8192 } else { 1024 };
    let random = || Tensor::<2>::random([size, size], Distribution::Default, device).cast(dtype);
    let (a, b) = (random(), random());
    best_gflops(2.0 * (size as f64).powi(3), || a.clone().matmul(b.clone()))
}

/// GFLOP/s of the fastest of six runs of a product that takes this many operations.
pub(crate) fn best_gflops(flop: f64, product: impl Fn() -> Tensor<2>) -> f64 {
    let times = (0..6).map(|_| {
        let start = Instant::now();
        // Only one number is read: reading all would take longer than a GPU's product.
        let _ = product().slice([0..1, 0..1]).into_data();
        start.elapsed().as_secs_f64()
    });
    flop / times.fold(f64::INFINITY, f64::min) / 1e9
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
