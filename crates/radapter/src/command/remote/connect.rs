//! Connections to remote devices.

use std::net::ToSocketAddrs;

use anyhow::{Context, anyhow, bail};
use burn::remote::{ConnectError, EndpointId, IrohHost, IrohRelays, RemoteHost};
use burn::tensor::Device;

use super::address::{RemoteAddress, Via};
use super::token;

/// Whether this build fuses operations, as the GPU backends do. burn 0.22.1 then fuses for remote devices too, and the server reads
/// integers as floats.
const FUSES: bool = cfg!(any(feature = "cuda", feature = "wgpu", feature = "vulkan", feature = "metal"));

/// Opens a session with a server's device.
pub(crate) fn connect(address: &RemoteAddress) -> anyhow::Result<Device> {
    if FUSES {
        bail!(
            "a build with GPU backends cannot use remote devices, only serve them (a bug in burn 0.22.1); build the client with \
             `cargo build --release --features remote` alone"
        );
    }
    let host = host(&address.via)?.with_credential(token(None)?);
    let device = Device::remote_options(&host).device_index(address.index).init();
    device.map_err(|error| refused(&error, address))
}

fn host(via: &Via) -> anyhow::Result<RemoteHost> {
    let (id, address, relays) = match via {
        Via::WebSocket(url) => return Ok(RemoteHost::websocket(url)),
        Via::Iroh { id, address, relays } => (id, address, relays),
    };
    let server: EndpointId = id.parse().map_err(|error| anyhow!("`{id}` is not a server's id: {error}"))?;
    let relays: IrohRelays = relays.as_deref().unwrap_or("disabled").parse()?;
    let mut host = IrohHost::new(server).with_relays(relays);
    for address in address.iter() {
        let found = address.to_socket_addrs().with_context(|| format!("cannot resolve `{address}`"))?;
        // A name may resolve to IPv4 and IPv6 addresses, and the server may listen on only one.
        for address in found {
            host = host.with_address(address);
        }
    }
    Ok(RemoteHost::iroh(host))
}

fn refused(error: &ConnectError, address: &RemoteAddress) -> anyhow::Error {
    let what_to_do = match error {
        ConnectError::Unauthorized => "the token is not the one that the server was started with",
        ConnectError::Unreachable { .. } => {
            "is `radapter serve-device` running there, and is the port the one it printed?"
        }
        ConnectError::NoSuchDevice { .. } => "the devices of a server count from 0: remote:URL/INDEX",
        ConnectError::IncompatibleProtocol { .. } => "use the same version of radapter on both sides",
        _ => "the server's log may say more",
    };
    anyhow!("cannot use the device `{address}`: {error}; {what_to_do}")
}
