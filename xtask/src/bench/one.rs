//! A single measurement in this process.

use radapter::clip::config::ClipConfig;

use super::device::device;
use super::measurement::{Measurement, gemm_gflops, peak_memory_mib};
use super::towers::{self, Timed};
use super::{Args, Part, products, step};

/// Measures once in this process and prints JSON.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.products {
        return products::one(args);
    }
    let (arch, part) = (&args.arch[0], args.part[0]);
    let config = ClipConfig::preset(arch)?;
    let device = device(&args.device)?;
    let Timed { seconds, faults, parts, gflop } = match part {
        Part::Step => step::run(&config, args, &device)?,
        Part::Image | Part::Inference => towers::run(&config, args, &device, part == Part::Image)?,
    };
    let measurement = Measurement {
        seconds,
        samples_per_second: args.batch_size as f64 / seconds,
        peak_memory_mib: peak_memory_mib(&device),
        minor_faults_per_step: faults,
        gemm_gflops: gemm_gflops(&device, args.precision[0].dtype()),
        gflop,
        parts,
    };
    serde_json::to_writer(std::io::stdout().lock(), &measurement)?;
    Ok(())
}
