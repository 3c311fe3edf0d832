//! The `radapter` command: arguments, output and exit status.
//!
//! Results go to stdout or into files that appear whole or not at all; everything else (notes, warnings, progress, errors) goes
//! to stderr. Exit status: 0 done, 1 the work failed, 2 wrong command line, 130 interrupted and saved.

mod args;
mod choice;
mod classes;
mod compare;
mod completion;
mod device;
mod export;
mod failure;
mod images;
mod interrupt;
mod log;
mod measure;
mod model;
mod output;
mod panics;
mod prediction_file;
mod progress;
mod remote;
mod run;
mod segment;
mod skipped;
mod suite;
mod terminal;
mod text_cache;
mod texts;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use radapter_embedding::EmbedOptions;

/// The global options, which all subcommands share.
struct Session {
    /// `--device`, opened only when needed.
    devices: args::Devices,
    opened: std::cell::OnceCell<Vec<device::Chosen>>,
    progress: progress::Style,
}

impl Session {
    /// Opens the device of `--device` and logs the choice.
    fn device(&self) -> anyhow::Result<burn::tensor::Device> {
        match self.devices.0.len() {
            1 => Ok(self.first_device()?.device.clone()),
            _ => {
                let message = "--device names several devices, and only `train` uses more than one; give one";
                Err(failure::Usage(message.to_owned()).into())
            }
        }
    }

    /// The first device of `--device`.
    fn first_device(&self) -> anyhow::Result<&device::Chosen> {
        self.devices()?.first().context("--device names none")
    }

    /// Opens all devices of `--device`, once, and logs the choice.
    fn devices(&self) -> anyhow::Result<&[device::Chosen]> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let opened = self.devices.0.iter().map(device::choose).collect::<anyhow::Result<_>>()?;
        Ok(self.opened.get_or_init(|| opened))
    }

    /// How images are read and embedded.
    fn embed_options(&self, decode: &args::DecodeArgs, batch: args::DeviceBatchArg) -> EmbedOptions {
        EmbedOptions {
            batch: batch.batch_size,
            on_error: decode.on_error,
            on_damage: decode.damage.on_damage,
            ..EmbedOptions::default()
        }
    }
}

/// Ends the process as clap does: 0 after --help and --version, 2 for a wrong command line.
fn refuse(error: &clap::Error) -> ! {
    let words: Vec<String> = std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
    let tip = args::tip(error, &words);
    // A closed stderr leaves the exit status.
    drop(error.print());
    if let Some(tip) = tip {
        log::line(&format!("tip: {tip}"));
    }
    std::process::exit(error.exit_code())
}

/// Parses this process's arguments and runs the command.
pub fn main() -> ExitCode {
    completion::answer();
    let cli = args::Cli::try_parse().unwrap_or_else(|error| refuse(&error));
    log::init(&cli.global);
    let session = Session {
        devices: cli.global.device,
        opened: std::cell::OnceCell::new(),
        progress: progress::Style::choose(cli.global.quiet),
    };
    panics::keep_quiet(cli.global.verbose > 0);
    let started = std::time::Instant::now();
    tracing::debug!("radapter {} in {}", env!("CARGO_PKG_VERSION"), current_folder());
    match panics::caught(|| run::run(cli.command, &session)) {
        Ok(()) => {
            tracing::debug!("done in {:.2} s", started.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => failure::report(&error),
    }
}

fn current_folder() -> String {
    std::env::current_dir().map_or_else(|_| "an unknown folder".to_owned(), |folder| folder.display().to_string())
}
