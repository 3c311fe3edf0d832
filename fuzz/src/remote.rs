//! Addresses and tokens of remote devices. The parsers are private to the command, so their files are compiled here.

#[path = "../../crates/radapter/src/command/remote/address.rs"]
#[allow(dead_code, unreachable_pub, reason = "part of another crate")]
mod address;
#[path = "../../crates/radapter/src/command/remote/token.rs"]
#[allow(dead_code, unreachable_pub, reason = "part of another crate")]
mod token;

use std::net::IpAddr;

use address::{RemoteAddress, Via};

use crate::scratch;

/// `ws://HOST:PORT/INDEX` and `iroh://ID@HOST:PORT/INDEX?relays=RELAYS`: it is written as it is read, and a connection that
/// is not encrypted stays on this machine.
pub fn remote_address(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(address) = text.parse::<RemoteAddress>() else { return };
    let written = address.to_string();
    let again = written.strip_prefix("remote:").unwrap().parse::<RemoteAddress>();
    assert_eq!(again.as_ref(), Ok(&address), "{text:?} was written as {written:?}");
    if let Via::WebSocket(url) = &address.via {
        let host = url.strip_prefix("ws://").and_then(|authority| Some(authority.rsplit_once(':')?.0)).unwrap();
        let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
        assert!(host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback()), "{url}");
    }
}

/// The file of a token: what is read has no space around it.
pub fn remote_token(data: &[u8]) {
    let Ok(token) = token::token(Some(&scratch::file("token", data))) else { return };
    assert!(!token.is_empty() && token.trim() == token);
}
