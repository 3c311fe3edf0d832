//! Invocations of the command, and their outcomes.

use std::ffi::{OsStr, OsString};
use std::process::{Child, Command, Output, Stdio};

/// A call of the command.
pub(crate) struct Invocation {
    command: Command,
    shown: String,
}

/// The outcome of an invocation.
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    shown: String,
}

/// The command with arguments, given as one text that is split at spaces.
pub(crate) fn radapter(words: &str) -> Invocation {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radapter-under-test"));
    command.args(words.split_whitespace());
    // Independent of the environment; two threads, so that sums have the same order on every machine.
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
    /// Adds a flag and its value.
    pub(crate) fn with(mut self, flag: &str, value: impl AsRef<OsStr>) -> Self {
        self.shown.push_str(&format!(" {flag} {}", value.as_ref().display()));
        self.command.args([OsStr::new(flag), value.as_ref()]);
        self
    }

    /// Adds arguments.
    pub(crate) fn args<T: Into<OsString>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        for value in values {
            let value = value.into();
            self.shown.push_str(&format!(" {}", value.display()));
            self.command.arg(value);
        }
        self
    }

    /// Redirects stdout, which the outcome then lacks.
    pub(crate) fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts the command without waiting, with stderr in a file.
    #[cfg(any(unix, feature = "remote"))]
    pub(crate) fn spawn_with_stderr(mut self, path: &std::path::Path) -> Child {
        let file = std::fs::File::create(path).unwrap();
        self.command.stdout(Stdio::null()).stderr(file).spawn().unwrap()
    }

    /// Sets the working directory.
    pub(crate) fn in_dir(mut self, dir: &std::path::Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Starts the command without waiting, and discards its output.
    pub(crate) fn spawn(mut self) -> Child {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts the command in a terminal of its own.
    #[cfg(unix)]
    pub(crate) fn in_terminal(mut self) -> super::Terminal {
        super::Terminal::start(&mut self.command)
    }

    /// Runs the command to its end.
    pub(crate) fn run(mut self) -> Done {
        let Output { status, stdout, stderr } = self.command.stderr(Stdio::piped()).output().unwrap();
        Done {
            status: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
            shown: self.shown,
        }
    }

    /// Runs the command, which must succeed.
    pub(crate) fn succeed(self) -> Done {
        let done = self.run();
        assert_eq!(done.status, Some(0), "{}\n{}", done.shown, done.stderr);
        done
    }

    /// Runs the command, which must fail with this status and print each of these words on stderr. No failure may be a panic.
    pub(crate) fn fail(self, status: i32, words: &[&str]) -> Done {
        let done = self.run();
        let Done { shown, stderr, .. } = &done;
        assert_eq!(done.status, Some(status), "{shown}\n{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{shown}\ndoes not say `{word}`:\n{stderr}");
        }
        for word in ["panicked", "RUST_BACKTRACE", "unwrap", "the device or a library failed"] {
            assert!(!stderr.contains(word), "{shown}\nsays `{word}`:\n{stderr}");
        }
        done
    }
}

impl Done {
    /// Parses stdout as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{}\n{error}:\n{}", self.shown, self.stdout))
    }
}
