//! Arguments that every command takes: `--device`, `--quiet`, `--verbose`.

use std::fmt;
use std::str::FromStr;

use clap::Args;

use crate::command::remote::RemoteAddress;

/// Separates these flags from a subcommand's own in the help.
const HEADING: &str = "Global options";

/// Flags that every subcommand takes, before or after its name.
#[derive(Clone, Debug, Args)]
pub(crate) struct GlobalArgs {
    /// Where to compute: auto, cpu, cuda[:i], wgpu[:i], vulkan[:i] or metal[:i] (`radapter devices` lists them), or remote:URL as
    /// `radapter serve-device` prints it. `train` takes several, such as `cuda:0,cuda:1`, and splits each batch among them
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto", help_heading = HEADING)]
    pub(crate) device: Devices,
    /// Print only warnings and errors on stderr
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = HEADING)]
    pub(crate) quiet: bool,
    /// Print what is done on stderr: files, models, caches, devices, phases of the work; -vv adds each training step. The variable
    /// RADAPTER_LOG overrides it and -q, with a level (`debug`) or levels by crate (`warn,radapter_training=trace`)
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = HEADING)]
    pub(crate) verbose: u8,
}

/// The value of `--device`: one device, or several separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Devices(pub(crate) Vec<DeviceChoice>);

impl FromStr for Devices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(|device| device.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

/// One device of `--device`. Without an index, the backend's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    Auto,
    Cpu,
    Cuda(Option<usize>),
    Wgpu(Option<usize>),
    Vulkan(Option<usize>),
    Metal(Option<usize>),
    Remote(RemoteAddress),
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, index) = match self {
            Self::Auto => ("auto", &None),
            Self::Cpu => ("cpu", &None),
            Self::Cuda(index) => ("cuda", index),
            Self::Wgpu(index) => ("wgpu", index),
            Self::Vulkan(index) => ("vulkan", index),
            Self::Metal(index) => ("metal", index),
            Self::Remote(address) => return write!(f, "{address}"),
        };
        match index {
            Some(index) => write!(f, "{name}:{index}"),
            None => f.write_str(name),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(address) = text.strip_prefix("remote:") {
            return address.parse().map(Self::Remote);
        }
        let unknown = || {
            format!(
                "`{text}` is not a device; expected auto, cpu, cuda[:i], wgpu[:i], vulkan[:i], metal[:i] or remote:URL"
            )
        };
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (name, Some(index.parse().map_err(|_| unknown())?)),
            None => (text, None),
        };
        match name {
            "auto" if index.is_none() => Ok(Self::Auto),
            "cpu" if index.is_none() => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(index)),
            "wgpu" => Ok(Self::Wgpu(index)),
            "vulkan" => Ok(Self::Vulkan(index)),
            "metal" => Ok(Self::Metal(index)),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_devices_are_separated_by_commas() {
        assert_eq!("cpu".parse(), Ok(Devices(vec![DeviceChoice::Cpu])));
        let two = vec![DeviceChoice::Cuda(Some(0)), DeviceChoice::Cuda(Some(1))];
        assert_eq!("cuda:0, cuda:1".parse(), Ok(Devices(two)));
        for bad in ["cuda:0,", ",", "cpu,gpu"] {
            assert!(bad.parse::<Devices>().is_err(), "{bad}");
        }
    }

    #[test]
    fn devices_are_parsed() {
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(None)));
        assert_eq!("wgpu:1".parse(), Ok(DeviceChoice::Wgpu(Some(1))));
        for text in ["auto", "cpu", "cuda", "wgpu:1", "vulkan:0", "metal"] {
            assert_eq!(text.parse::<DeviceChoice>().map(|device| device.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "gpu", "cpu:0", "auto:1", "cuda:", "cuda:-1", "cuda:x", "CUDA"] {
            assert!(bad.parse::<DeviceChoice>().is_err(), "{bad}");
        }
    }
}
