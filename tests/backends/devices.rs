use burn::tensor::Device;

/// A device, its name in `--device`, how far its embeddings may be from the CPU's, and by what share the losses of a run.
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) device: Device,
    pub(crate) tolerance: f32,
    pub(crate) losses: f64,
}

/// All of this build. One that is compiled in and not there is an error: a test that skipped it would say nothing.
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
        // Matrix products of f32 are done in TF32, whose fraction has ten bits.
        #[cfg(feature = "cuda")]
        Backend { name: "cuda", device: Device::cuda(0), tolerance: 5e-3, losses: 5e-2 },
    ]
}
