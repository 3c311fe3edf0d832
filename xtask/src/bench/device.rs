//! The device of the benchmark.

use anyhow::bail;
use burn::tensor::Device;

/// Opens the device of `--device`, if this build has it.
pub(crate) fn device(name: &str) -> anyhow::Result<Device> {
    Ok(match name {
        "cpu" => Device::flex(),
        #[cfg(feature = "cuda")]
        "cuda" => Device::cuda(0),
        #[cfg(feature = "vulkan")]
        "vulkan" => Device::vulkan(burn::tensor::DeviceKind::DefaultDevice),
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        other => bail!(
            "this build has no device `{other}`; expected cpu, or a feature of cuda, vulkan and wgpu: `cargo run --release -p xtask \
             --features cuda -- bench --device cuda`"
        ),
    })
}
