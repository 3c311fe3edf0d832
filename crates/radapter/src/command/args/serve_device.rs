//! Arguments of `serve-device`.

use std::path::PathBuf;

use clap::Args;

use super::JsonFlag;

#[derive(Debug, Args)]
#[command(after_help = "\
Serves the devices of --device (several of one backend, such as cuda:0,cuda:1) until Ctrl-C, and prints the clients' \
--device. The client's build needs --features remote and no GPU backend; the server's needs --features remote and the \
backend it serves. Both sides need the same token: a long random text in RADAPTER_REMOTE_TOKEN, or in a file that \
RADAPTER_REMOTE_TOKEN_FILE names. Without --iroh the server is a WebSocket that only this machine can reach. With \
--iroh other machines reach it, encrypted, at HOST:PORT (UDP), and through relays only with --relays.

Examples:
  # (umask 077; openssl rand -hex 32 > ~/.radapter-token)
  export RADAPTER_REMOTE_TOKEN_FILE=~/.radapter-token
  radapter --device cuda serve-device
  radapter --device cuda:0,cuda:1 serve-device --iroh --identity server.key
  radapter --device remote:ws://127.0.0.1:4344 train classification \\
      --model clip-b32 --train pets/train --out runs/pets")]
pub(crate) struct ServeDeviceArgs {
    /// TCP port on 127.0.0.1, or UDP port with --iroh; 0 picks a free one (not with --iroh)
    #[arg(long, value_name = "PORT", default_value_t = 4344)]
    pub(crate) port: u16,
    /// A file with the token, instead of an environment variable
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Serve other machines, encrypted, over Iroh
    #[arg(long)]
    pub(crate) iroh: bool,
    /// The server's private key, created if missing; it identifies the server, so keep it secret
    #[arg(long, value_name = "FILE", requires = "iroh", default_value = "radapter-device.key")]
    pub(crate) identity: PathBuf,
    /// Relays for machines that cannot reach this one directly: disabled, public (n0's), or a relay's URL
    #[arg(long, value_name = "RELAYS", requires = "iroh", default_value = "disabled")]
    pub(crate) relays: String,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}
