//! Devices of other processes: `radapter serve-device` offers them, `--device remote:URL` uses them.
//!
//! On one machine the connection is a WebSocket on the loopback interface, between machines it is Iroh, which encrypts. Either way
//! the server requires a token.

mod address;
#[cfg(feature = "remote")]
mod connect;
#[cfg(feature = "remote")]
mod token;

pub(crate) use address::RemoteAddress;
#[cfg(feature = "remote")]
pub(crate) use connect::connect;
#[cfg(feature = "remote")]
pub(crate) use token::token;
