//! `serve-device`: serves this process's devices to others.

use crate::command::Session;
use crate::command::args::ServeDeviceArgs;

#[cfg(not(feature = "remote"))]
pub(super) fn run(_: &ServeDeviceArgs, _: &Session) -> anyhow::Result<()> {
    Err(crate::command::device::not_compiled(crate::command::device::Kind::Remote))
}

#[cfg(feature = "remote")]
pub(super) fn run(args: &ServeDeviceArgs, session: &Session) -> anyhow::Result<()> {
    use burn::server::{RemoteServer, TokenAuthorizer};

    use crate::command::device::describe;
    use crate::command::remote::token;

    let authorizer = TokenAuthorizer::new(token(args.token_file.as_deref())?)?;
    let devices = session.devices()?;
    let (transport, address) = transport(args)?;
    announce(args, &address, devices.iter().map(describe).collect())?;
    let server = RemoteServer::new(devices.into_iter().map(|chosen| chosen.device)).with_authorizer(authorizer);
    server.serve(transport)?;
    Ok(())
}

/// The transport and its `--device` value, with `HOST` as a placeholder for the machine.
#[cfg(feature = "remote")]
fn transport(args: &ServeDeviceArgs) -> anyhow::Result<(burn::server::Transport, String)> {
    use anyhow::{Context, bail};
    use burn::server::{IrohIdentity, IrohRelays, IrohTransport, WebSocketTransport};

    if !args.iroh {
        let listener = std::net::TcpListener::bind(("127.0.0.1", args.port))
            .with_context(|| format!("cannot listen on 127.0.0.1:{}; --port names another port", args.port))?;
        let address = format!("remote:ws://{}", listener.local_addr()?);
        return Ok((WebSocketTransport::from_listener(listener).into(), address));
    }
    if args.port == 0 {
        bail!("--port 0 cannot be used with --iroh, whose clients need a known port; name a port");
    }
    let identity = IrohIdentity::load_or_create(&args.identity)
        .with_context(|| format!("cannot use the key in `{}`", args.identity.display()))?;
    let relays: IrohRelays = args.relays.parse()?;
    let query = if relays == IrohRelays::Disabled { String::new() } else { format!("?relays={}", args.relays) };
    let transport = IrohTransport::new(identity).with_relays(relays).with_port(args.port);
    let address = format!("remote:iroh://{}@HOST:{}{query}", transport.id(), args.port);
    Ok((transport.into(), address))
}

/// Prints the clients' `--device` value of each device, one per line.
#[cfg(feature = "remote")]
fn announce(args: &ServeDeviceArgs, address: &str, devices: Vec<String>) -> anyhow::Result<()> {
    use crate::command::output;

    let (before, query) = address.split_once('?').map_or((address, String::new()), |(a, q)| (a, format!("?{q}")));
    let names = (0..devices.len()).map(|index| match index {
        0 => address.to_owned(),
        index => format!("{before}/{index}{query}"),
    });
    if args.json.json {
        let served = names.zip(devices).map(|(name, device)| serde_json::json!({ "name": name, "device": device }));
        return output::print_json(&served.collect::<Vec<_>>());
    }
    for (name, device) in names.zip(devices) {
        output::print(&format!("{name}  {device}"))?;
    }
    if args.iroh {
        tracing::info!("replace HOST by the name or address by which clients reach this machine");
    }
    tracing::info!("serving until Ctrl-C");
    Ok(())
}
