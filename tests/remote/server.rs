//! A `serve-device` process for the tests.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The token of the test servers.
pub(crate) const TOKEN: &str = "a long random text";

/// A server of the CPU, killed on drop.
pub(crate) struct Server {
    child: Child,
    /// The value for `--device`.
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn web_socket() -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_radapter-under-test")).args(["serve-device", "--port", "0"]))
    }

    /// Starts a server over Iroh on a port that was just free.
    pub(crate) fn iroh(identity: &Path) -> Self {
        let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_radapter-under-test"));
        command.args(["serve-device", "--iroh", "--port", &port.to_string()]).arg("--identity").arg(identity);
        let mut server = Self::start(&mut command);
        server.address = server.address.replace("HOST", "127.0.0.1");
        server
    }

    fn start(command: &mut Command) -> Self {
        command.args(["--device", "cpu", "--quiet"]).env("RADAPTER_REMOTE_TOKEN", TOKEN).env("RAYON_NUM_THREADS", "2");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().next().expect("the server prints its address").to_owned();
        assert!(address.starts_with("remote:"), "{line}");
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
