//! `--device`: from a name to one of burn's devices.

use anyhow::{Context, bail};
use burn::tensor::Device;

use super::args::DeviceChoice;
use super::remote::RemoteAddress;

/// A kind of device that this build may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Cpu,
    Cuda,
    Wgpu,
    Vulkan,
    Metal,
    /// Served by another process, on any backend.
    Remote,
}

impl Kind {
    /// The kinds of local devices, in listing order.
    pub(crate) const ALL: [Self; 5] = [Self::Cpu, Self::Cuda, Self::Metal, Self::Vulkan, Self::Wgpu];

    /// The name in `--device`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Remote => "remote",
        }
    }

    /// The name in `--device` of its device number `index`.
    pub(crate) fn device_name(self, index: usize) -> String {
        match self {
            Self::Cpu => self.name().to_owned(),
            other => format!("{}:{index}", other.name()),
        }
    }

    /// The cargo feature that compiles it in.
    pub(crate) const fn feature(self) -> &'static str {
        match self {
            Self::Cpu => "flex",
            other => other.name(),
        }
    }

    /// Whether this build has it.
    pub(crate) const fn compiled(self) -> bool {
        match self {
            Self::Cpu => cfg!(feature = "flex"),
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Remote => cfg!(feature = "remote"),
        }
    }

    /// The devices of this kind on this machine; empty where the build or the machine has none.
    pub(crate) fn present(self) -> Vec<Device> {
        // The GPU libraries panic where a driver is missing or broken: for a listing, that is "none".
        silently(move || self.enumerate()).unwrap_or_default()
    }

    /// The default device of this kind's library, which users can set (for example by `CUBECL_WGPU_DEFAULT_DEVICE`).
    fn usual(self, present: &[Device]) -> Option<Device> {
        let first = present.first()?;
        #[allow(unused_imports, reason = "no GPU feature, no kinds of GPU")]
        use burn::tensor::DeviceKind;
        match self {
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Some(Device::wgpu(DeviceKind::DefaultDevice)),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Some(Device::vulkan(DeviceKind::DefaultDevice)),
            #[cfg(feature = "metal")]
            Self::Metal => Some(Device::metal(DeviceKind::DefaultDevice)),
            _ => Some(first.clone()),
        }
    }

    #[allow(unreachable_patterns, reason = "which kinds remain depends on the features")]
    fn enumerate(self) -> Vec<Device> {
        #[allow(unused_imports, reason = "no GPU feature, no enumeration")]
        use burn::tensor::DeviceType;
        match self {
            #[cfg(feature = "flex")]
            Self::Cpu => vec![Device::flex()],
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::enumerate(DeviceType::Cuda).into_iter().collect(),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::enumerate(DeviceType::Wgpu).into_iter().collect(),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Device::enumerate(DeviceType::Vulkan).into_iter().collect(),
            #[cfg(feature = "metal")]
            Self::Metal => Device::enumerate(DeviceType::Metal).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// A device and how `--device` names it.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// The plain device, without autodiff.
    pub(crate) device: Device,
    /// As in `--device`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Opens a device of `--device` and logs the choice.
pub(crate) fn choose(choice: &DeviceChoice) -> anyhow::Result<Chosen> {
    let chosen = match *choice {
        DeviceChoice::Auto => automatic()?,
        DeviceChoice::Cpu => pick(Kind::Cpu, None)?,
        DeviceChoice::Cuda(index) => pick(Kind::Cuda, index)?,
        DeviceChoice::Wgpu(index) => pick(Kind::Wgpu, index)?,
        DeviceChoice::Vulkan(index) => pick(Kind::Vulkan, index)?,
        DeviceChoice::Metal(index) => pick(Kind::Metal, index)?,
        DeviceChoice::Remote(ref address) => remote(address)?,
    };
    let how = if *choice == DeviceChoice::Auto { " (auto)" } else { "" };
    tracing::info!("device: {}{how}", describe(&chosen));
    Ok(chosen)
}

fn automatic() -> anyhow::Result<Chosen> {
    for kind in [Kind::Cuda, Kind::Metal] {
        if kind.compiled() && !kind.present().is_empty() {
            return pick(kind, None);
        }
    }
    pick(Kind::Cpu, None).context("no CUDA or Metal device was found, and --device auto falls back to the CPU")
}

#[cfg(feature = "remote")]
fn remote(address: &RemoteAddress) -> anyhow::Result<Chosen> {
    let device = super::remote::connect(address)?;
    Ok(Chosen { device, name: address.to_string(), kind: Kind::Remote })
}

#[cfg(not(feature = "remote"))]
fn remote(_: &RemoteAddress) -> anyhow::Result<Chosen> {
    Err(not_compiled(Kind::Remote))
}

/// The error for a kind of device that this build lacks.
pub(crate) fn not_compiled(kind: Kind) -> anyhow::Error {
    let here: Vec<_> = Kind::ALL.into_iter().filter(|kind| kind.compiled()).map(Kind::name).collect();
    anyhow::anyhow!(
        "this build has no `{}` devices (it has: {}); build it with `cargo build --release --features {}`",
        kind.name(),
        here.join(", "),
        kind.feature()
    )
}

/// The devices of this machine by name.
fn here() -> String {
    let names = |kind: Kind| (0..kind.present().len()).map(move |index| kind.device_name(index));
    Kind::ALL.into_iter().flat_map(names).collect::<Vec<_>>().join(", ")
}

fn pick(kind: Kind, index: Option<usize>) -> anyhow::Result<Chosen> {
    let name = kind.name();
    if !kind.compiled() {
        return Err(not_compiled(kind));
    }
    let devices = kind.present();
    let count = devices.len();
    let chosen = match index {
        Some(index) => devices.get(index).cloned().map(|device| (device, kind.device_name(index))),
        None => kind.usual(&devices).map(|device| (device, name.to_owned())),
    };
    match chosen {
        Some((device, name)) => Ok(Chosen { device, name, kind }),
        None if count == 0 => bail!("no `{name}` device was found on this machine; available: {}", here()),
        None => bail!("there is no device `{name}:{}` on this machine; available: {}", index.unwrap_or(0), here()),
    }
}

/// A device's name and its hardware, if known.
pub(crate) fn describe(chosen: &Chosen) -> String {
    match hardware(chosen) {
        Some(hardware) => format!("{}, {hardware}", chosen.name),
        None => chosen.name.clone(),
    }
}

/// The hardware's own name; for the CPU the thread count, because bit-equal runs need the same one.
pub(crate) fn hardware(chosen: &Chosen) -> Option<String> {
    if chosen.kind != Kind::Cpu {
        return identity(&chosen.device);
    }
    Some(match rayon::current_num_threads() {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    })
}

/// Reads the free memory of a device in bytes. `None` except for the CPU under Linux.
pub(crate) fn free_memory(chosen: &Chosen) -> Option<radapter_training::FreeMemory> {
    (chosen.kind == Kind::Cpu).then_some(available as radapter_training::FreeMemory)
}

fn available() -> Option<u64> {
    let free = proc_bytes("/proc/meminfo", "MemAvailable:")?;
    Some(free.min(address_space().unwrap_or(u64::MAX)))
}

/// What a limit of the address space (`ulimit -v`) leaves; `None` without one. Address space that is reserved and not used counts as
/// left, because the allocator may still use it.
fn address_space() -> Option<u64> {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    #[cfg(not(unix))]
    let limit: Option<u64> = None;
    Some(limit?.saturating_sub(proc_bytes("/proc/self/status", "VmRSS:")?))
}

/// Reads a figure in KiB from a file of Linux, in bytes.
fn proc_bytes(file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(1024 * line.split_whitespace().next()?.parse::<u64>().ok()?)
}

#[cfg(any(feature = "cuda", feature = "wgpu", feature = "vulkan", feature = "metal"))]
fn identity(device: &Device) -> Option<String> {
    let device = device.clone();
    silently(move || device.identity().map(|identity| identity.name)).flatten()
}

#[cfg(not(any(feature = "cuda", feature = "wgpu", feature = "vulkan", feature = "metal")))]
fn identity(_device: &Device) -> Option<String> {
    None
}

/// Runs `work`, which may panic in a foreign library, without printing the panic; `None` if it panicked.
fn silently<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::thread::spawn(work).join().ok();
    std::panic::set_hook(hook);
    result
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_device_that_is_not_compiled_in_names_its_feature() {
        for kind in Kind::ALL.into_iter().filter(|kind| !kind.compiled()) {
            let error = pick(kind, None).unwrap_err().to_string();
            assert!(error.contains(&format!("--features {}", kind.feature())), "{error}");
        }
    }

    #[cfg(feature = "flex")]
    #[test]
    fn a_missing_device_lists_the_available_ones() {
        let error = pick(Kind::Cpu, Some(3)).unwrap_err().to_string();
        assert!(error.contains("`cpu:3`") && error.contains("available: cpu"), "{error}");
    }

    #[cfg(not(feature = "remote"))]
    #[test]
    fn a_remote_device_names_the_feature_too() {
        let error = choose(&"remote:ws://127.0.0.1:1".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("--features remote"), "{error}");
    }

    #[cfg(feature = "flex")]
    #[test]
    fn the_cpu_is_there() {
        assert_eq!(choose(&DeviceChoice::Cpu).unwrap().name, "cpu");
    }
}
