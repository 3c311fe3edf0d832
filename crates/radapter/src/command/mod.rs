//! The `radapter` command: what a person types, sees and gets back.
//!
//! Results go to stdout or into files that are whole or not there; everything else (notes, warnings, progress, errors) goes
//! to stderr. Exit status: 0 done, 1 the work failed, 2 wrong command line, 130 a training was interrupted and saved.

mod args;
mod classes;
mod completion;
mod device;
mod failure;
mod images;
mod interrupt;
mod log;
mod measure;
mod model;
mod output;
mod panics;
mod progress;
mod remote;
mod run;
mod skipped;
mod suite;
mod terminal;
mod text_cache;
mod texts;

use std::process::ExitCode;

use clap::Parser;
use radapter_embedding::EmbedOptions;

/// What all subcommands share.
struct Session {
    /// `--device`, not opened before it is needed.
    devices: args::Devices,
    /// How progress is shown.
    progress: progress::Style,
}

impl Session {
    /// The device of `--device`; tells the choice on stderr.
    fn device(&self) -> anyhow::Result<burn::tensor::Device> {
        match &self.devices.0[..] {
            [device] => Ok(device::choose(device)?.device),
            _ => anyhow::bail!("--device names several devices, which `train` alone can use; give one"),
        }
    }

    /// All devices of `--device`.
    fn devices(&self) -> anyhow::Result<Vec<device::Chosen>> {
        self.devices.0.iter().map(device::choose).collect()
    }

    /// How images are read and embedded.
    fn embed_options(&self, decode: &args::DecodeArgs, batch: args::DeviceBatchArg) -> EmbedOptions {
        EmbedOptions { batch: batch.batch_size, on_error: decode.on_error, ..EmbedOptions::default() }
    }
}

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    completion::answer();
    // clap exits by itself: 0 after --help and --version, 2 for a wrong command line.
    let cli = args::Cli::parse();
    log::init(&cli.global);
    let session = Session { devices: cli.global.device, progress: progress::Style::choose(cli.global.quiet) };
    panics::keep_quiet(cli.global.verbose);
    match panics::caught(|| run::run(cli.command, &session)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
