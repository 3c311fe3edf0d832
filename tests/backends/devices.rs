use burn::tensor::Device;

/// A device, its name in `--device`, and how far its embeddings may be from the CPU's.
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) device: Device,
    pub(crate) tolerance: f32,
}

/// All of this build. One that is compiled in and not there is an error: a test that skipped it would say nothing.
pub(crate) fn backends() -> Vec<Backend> {
    vec![
        Backend { name: "cpu", device: Device::flex(), tolerance: 5e-6 },
        #[cfg(feature = "vulkan")]
        Backend { name: "vulkan", device: Device::vulkan(burn::tensor::DeviceKind::DefaultDevice), tolerance: 2e-5 },
        #[cfg(feature = "wgpu")]
        Backend { name: "wgpu", device: Device::wgpu(burn::tensor::DeviceKind::DefaultDevice), tolerance: 2e-5 },
        // Matrix products of f32 are done in TF32, whose fraction has ten bits.
        #[cfg(feature = "cuda")]
        Backend { name: "cuda", device: Device::cuda(0), tolerance: 5e-3 },
    ]
}
