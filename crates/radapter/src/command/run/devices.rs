//! `devices`: what `--device` can name.

use radapter_report::Table;
use serde::Serialize;

use crate::command::args::DevicesArgs;
use crate::command::device::{Chosen, Kind, hardware};
use crate::command::output;

/// A kind of device, with its devices on this machine.
#[derive(Serialize)]
struct Listed {
    kind: &'static str,
    /// The cargo feature that compiles it in.
    feature: &'static str,
    compiled_in: bool,
    devices: Vec<Named>,
}

#[derive(Serialize)]
struct Named {
    /// The value for `--device`.
    name: String,
    hardware: Option<String>,
}

pub(super) fn run(args: &DevicesArgs) -> anyhow::Result<()> {
    let kinds: Vec<Listed> = Kind::ALL.into_iter().map(list).collect();
    if args.json.json {
        return output::print_json(&kinds);
    }
    let mut table = Table::new(&["device", "hardware"]);
    for kind in &kinds {
        for device in &kind.devices {
            table.row([device.name.as_str(), device.hardware.as_deref().unwrap_or("")]);
        }
    }
    output::print(&table.to_string())?;
    for kind in &kinds {
        if !kind.compiled_in {
            let Listed { kind, feature, .. } = kind;
            tracing::info!("{kind}: not in this build; `cargo build --release --features {feature}`");
        } else if kind.devices.is_empty() {
            tracing::info!("{}: compiled in, none found on this machine", kind.kind);
        }
    }
    Ok(())
}

fn list(kind: Kind) -> Listed {
    let name = |(index, device)| {
        let name = kind.device_name(index);
        let chosen = Chosen { device, name, kind };
        Named { hardware: hardware(&chosen), name: chosen.name }
    };
    Listed {
        kind: kind.name(),
        feature: kind.feature(),
        compiled_in: kind.compiled(),
        devices: kind.present().into_iter().enumerate().map(name).collect(),
    }
}
