//! A pseudo-terminal, so that the command runs as for an interactive user.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, SpecialCodeIndex, Winsize, tcgetattr, tcsetwinsize};
use vt100::Parser;

const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

/// The terminal of a running command.
pub(crate) struct Terminal {
    pub(crate) child: Child,
    /// Receives keys and emits the screen's output.
    controller: File,
    /// The command's side, kept open so that its modes can be read after the command ends.
    user: File,
    drawn: Arc<Mutex<Parser>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// Starts a command with a terminal of its own as stdin, stdout, stderr and controlling terminal.
    pub(super) fn start(command: &mut Command) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        tcsetwinsize(&controller, Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let path = OsStr::from_bytes(name.to_bytes());
        let no_ctty = OFlags::NOCTTY.bits().try_into().unwrap();
        let user = File::options().read(true).write(true).custom_flags(no_ctty).open(path).unwrap();
        command.stdin(user.try_clone().unwrap()).stdout(user.try_clone().unwrap()).stderr(user.try_clone().unwrap());
        // SAFETY: between fork and exec the closure only makes two system calls and allocates nothing.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let child = command.env("TERM", "xterm-256color").spawn().unwrap();
        let controller = File::from(controller);
        let drawn = Arc::new(Mutex::new(Parser::new(ROWS, COLUMNS, 0)));
        let reader = std::thread::spawn({
            let (mut controller, drawn) = (controller.try_clone().unwrap(), drawn.clone());
            move || {
                let mut part = [0; 4096];
                while let Ok(length @ 1..) = controller.read(&mut part) {
                    drawn.lock().unwrap().process(&part[..length]);
                }
            }
        });
        Self { child, controller, user, drawn, reader }
    }

    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.controller.write_all(keys).unwrap();
    }

    /// The text on the screen.
    pub(crate) fn screen(&self) -> String {
        self.drawn.lock().unwrap().screen().contents()
    }

    /// Waits until the screen shows this text.
    pub(crate) fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        while !self.screen().contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(60), "no `{text}` in\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether a program has taken the whole screen.
    pub(crate) fn is_taken(&self) -> bool {
        self.drawn.lock().unwrap().screen().alternate_screen()
    }

    /// Waits for the command to end and returns its exit status and the screen's text. The terminal must be restored.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap().code();
        let modes = tcgetattr(&self.user).unwrap();
        // The last handle to the command's side: dropping it ends the reader.
        drop(self.user);
        self.reader.join().unwrap();
        let drawn = self.drawn.lock().unwrap();
        let screen = drawn.screen();
        assert!(modes.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        assert!(modes.special_codes[SpecialCodeIndex::VSUSP] != 0, "Ctrl-Z");
        assert!(!screen.alternate_screen() && !screen.hide_cursor());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        (status, screen.contents())
    }
}
