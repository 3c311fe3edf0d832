//! Addresses of remote devices.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The part after `remote:` in `--device`: `ws://HOST:PORT[/INDEX]` on this machine, or
/// `iroh://ID[@HOST:PORT][/INDEX][?relays=RELAYS]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteAddress {
    pub(crate) via: Via,
    /// Index among the server's devices, from 0.
    pub(crate) index: usize,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// The URL without the device.
    WebSocket(String),
    Iroh {
        id: String,
        /// `HOST:PORT`.
        address: Option<String>,
        /// `public`, or a relay's URL.
        relays: Option<String>,
    },
}

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = if self.index == 0 { String::new() } else { format!("/{}", self.index) };
        match &self.via {
            Via::WebSocket(url) => write!(f, "remote:{url}{index}"),
            Via::Iroh { id, address, relays } => {
                let address = address.as_ref().map(|address| format!("@{address}")).unwrap_or_default();
                let relays = relays.as_ref().map(|relays| format!("?relays={relays}")).unwrap_or_default();
                write!(f, "remote:iroh://{id}{address}{index}{relays}")
            }
        }
    }
}

impl FromStr for RemoteAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            format!(
                "`{text}` is not a server's address; expected remote:ws://127.0.0.1:PORT or remote:iroh://ID@HOST:PORT"
            )
        })?;
        match scheme {
            "ws" => web_socket(rest),
            "iroh" => iroh(rest),
            _ => Err(format!("`{scheme}://` is not supported; expected ws:// (on this machine) or iroh://")),
        }
    }
}

/// Splits `rest/INDEX`; the index is 0 if absent.
fn indexed(rest: &str) -> Result<(&str, usize), String> {
    match rest.split_once('/') {
        None | Some((_, "")) => Ok((rest.trim_end_matches('/'), 0)),
        Some((before, index)) => {
            let index = index.parse().map_err(|_| format!("`{index}` is not a device number"))?;
            Ok((before, index))
        }
    }
}

fn web_socket(rest: &str) -> Result<RemoteAddress, String> {
    let (authority, index) = indexed(rest)?;
    let (host, port) = host_and_port(authority)?;
    let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if in_brackets.is_none() && host.contains(['[', ']', ':']) {
        return Err(format!(
            "`{authority}` is not of the form HOST:PORT; an IPv6 address is in brackets, as in [::1]:4344"
        ));
    }
    let local = match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
    };
    if !local {
        return Err(format!(
            "`{host}` is another machine, and a WebSocket is not encrypted; serve the device with --iroh, or reach its port \
             through an SSH tunnel"
        ));
    }
    Ok(RemoteAddress { via: Via::WebSocket(format!("ws://{host}:{port}")), index })
}

fn iroh(rest: &str) -> Result<RemoteAddress, String> {
    let (rest, relays) = match rest.split_once('?') {
        None => (rest, None),
        Some((rest, query)) => {
            let relays = query.strip_prefix("relays=").filter(|relays| !relays.is_empty());
            (
                rest,
                Some(relays.ok_or_else(|| format!("`?{query}` is unknown; expected ?relays=public or ?relays=URL"))?),
            )
        }
    };
    let (authority, index) = indexed(rest)?;
    let (id, address) = match authority.split_once('@') {
        None => (authority, None),
        Some((id, address)) => {
            host_and_port(address)?;
            (id, Some(address.to_owned()))
        }
    };
    if id.is_empty() {
        return Err("iroh:// needs the server's id, which `radapter serve-device --iroh` prints".to_owned());
    }
    if address.is_none() && relays.is_none() {
        return Err(format!(
            "the server's address is missing; give iroh://{id}@HOST:PORT, or use relays with ?relays=public"
        ));
    }
    Ok(RemoteAddress { via: Via::Iroh { id: id.to_owned(), address, relays: relays.map(str::to_owned) }, index })
}

fn host_and_port(authority: &str) -> Result<(&str, u16), String> {
    let wrong = || format!("`{authority}` is not of the form HOST:PORT");
    let (host, port) = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty()).ok_or_else(wrong)?;
    Ok((host, port.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, index) in [
            ("ws://127.0.0.1:4344", 0),
            ("ws://localhost:1/3", 3),
            ("ws://[::1]:4344", 0),
            ("iroh://abc@10.0.0.7:4344", 0),
            ("iroh://abc@gpu.lan:4344/1", 1),
            ("iroh://abc?relays=public", 0),
            ("iroh://abc@10.0.0.7:4344/2?relays=https://relay.lan", 2),
        ] {
            let address: RemoteAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), format!("remote:{text}"));
            assert_eq!(address.index, index);
        }
    }

    #[test]
    fn what_would_not_be_private_is_refused() {
        for (text, reason) in [
            ("ws://10.0.0.7:4344", "not encrypted"),
            ("ws://gpu:4344", "not encrypted"),
            ("wss://gpu:4344", "iroh://"),
            ("iroh://abc", "relays=public"),
            ("iroh://@10.0.0.7:1", "id"),
            ("iroh://abc@10.0.0.7", "HOST:PORT"),
            ("iroh://abc?token=x", "?token=x"),
            ("ws://127.0.0.1", "HOST:PORT"),
            ("ws://127.0.0.1:99999", "HOST:PORT"),
            ("ws://127.0.0.1:1/x", "number"),
            ("ws://[localhost:1/3", "brackets"),
            ("ws://::1:4344", "brackets"),
            ("ws://[localhost]:1", "another machine"),
            ("127.0.0.1:4344", "expected"),
        ] {
            let error = text.parse::<RemoteAddress>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
