use std::ffi::{OsStr, OsString};
use std::process::{Child, Command, Output, Stdio};

/// A call of the command.
pub(crate) struct Invocation {
    command: Command,
    shown: String,
}

/// What came of it.
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    shown: String,
}

/// The command with arguments, given as one text that is split at spaces, then others as they are.
pub(crate) fn radapter(words: &str) -> Invocation {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radapter-under-test"));
    command.args(words.split_whitespace());
    // Nothing of the surroundings; two threads, so that sums have the same order on every machine.
    command.env_remove("RADAPTER_LOG").env("RAYON_NUM_THREADS", "2");
    command
        .env("RADAPTER_CACHE", "none")
        .env_remove("RUST_BACKTRACE")
        .env_remove("RADAPTER_REMOTE_TOKEN")
        .env_remove("RADAPTER_REMOTE_TOKEN_FILE");
    command.stdin(Stdio::null());
    Invocation { command, shown: format!("radapter {words}") }
}

impl Invocation {
    /// A flag and its value.
    pub(crate) fn with(mut self, flag: &str, value: impl AsRef<OsStr>) -> Self {
        self.shown.push_str(&format!(" {flag} {}", value.as_ref().display()));
        self.command.args([OsStr::new(flag), value.as_ref()]);
        self
    }

    /// More arguments.
    pub(crate) fn args<T: Into<OsString>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        for value in values {
            let value = value.into();
            self.shown.push_str(&format!(" {}", value.display()));
            self.command.arg(value);
        }
        self
    }

    /// Where stdout goes instead of into the result.
    pub(crate) fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// With this in the environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it and comes back at once; what it says goes into a file.
    #[cfg(feature = "remote")]
    pub(crate) fn spawn_with_stderr(mut self, path: &std::path::Path) -> Child {
        let file = std::fs::File::create(path).unwrap();
        self.command.stdout(Stdio::null()).stderr(file).spawn().unwrap()
    }

    /// In this directory.
    pub(crate) fn in_dir(mut self, dir: &std::path::Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Starts it and comes back at once; what it prints is thrown away.
    pub(crate) fn spawn(mut self) -> Child {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts it in a terminal of its own.
    #[cfg(unix)]
    pub(crate) fn in_terminal(mut self) -> super::Terminal {
        super::Terminal::start(&mut self.command)
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Done {
        let Output { status, stdout, stderr } = self.command.stderr(Stdio::piped()).output().unwrap();
        Done {
            status: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
            shown: self.shown,
        }
    }

    /// Runs it; it has to succeed.
    pub(crate) fn succeed(self) -> Done {
        let done = self.run();
        assert_eq!(done.status, Some(0), "{}\n{}", done.shown, done.stderr);
        done
    }

    /// Runs it; it has to fail with this status, and to say each of these words. No failure is a panic.
    pub(crate) fn fail(self, status: i32, words: &[&str]) -> Done {
        let done = self.run();
        let Done { shown, stderr, .. } = &done;
        assert_eq!(done.status, Some(status), "{shown}\n{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{shown}\ndoes not say `{word}`:\n{stderr}");
        }
        for word in ["panicked", "RUST_BACKTRACE", "unwrap", "the device, or a library, failed"] {
            assert!(!stderr.contains(word), "{shown}\nsays `{word}`:\n{stderr}");
        }
        done
    }
}

impl Done {
    /// Its stdout as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{}\n{error}:\n{}", self.shown, self.stdout))
    }
}
