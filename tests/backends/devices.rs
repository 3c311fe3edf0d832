//! The backends of this build, with their tolerances.

use burn::tensor::Device;

/// A device, its name in `--device`, the tolerance of its embeddings against the CPU's, and the relative tolerance of a run's losses.
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) device: Device,
    pub(crate) tolerance: f32,
    pub(crate) losses: f64,
}

/// All backends of this build. One that is compiled in but missing is an error, because skipping it would hide the gap.
pub(crate) fn backends() -> Vec<Backend> {
    vec![
        Backend { name: "cpu", device: Device::flex(), tolerance: 5e-6, losses: 0.0 },
        #[cfg(feature = "vulkan")]
        Backend {
            name: "vulkan",
            device: Device::vulkan(burn::tensor::DeviceKind::DefaultDevice),
            tolerance: 2e-5,
            losses: 2e-2,
        },
        #[cfg(feature = "wgpu")]
        Backend {
            name: "wgpu",
            device: Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
            tolerance: 2e-5,
            losses: 2e-2,
        },
        // f32 matrix products run in TF32, whose fraction has ten bits.
        #[cfg(feature = "cuda")]
        Backend { name: "cuda", device: Device::cuda(0), tolerance: 5e-3, losses: 5e-2 },
    ]
}
