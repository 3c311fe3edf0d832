//! Where the bench computes.

use anyhow::bail;
use burn::tensor::Device;

/// The device of `--device`, of those that this build has.
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
            "this build has no device `{other}`; there are cpu, and cuda, vulkan and wgpu as features: `cargo run --release -p xtask \
             --features cuda -- bench --device cuda`"
        ),
    })
}
