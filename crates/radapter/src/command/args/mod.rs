//! The command line: every flag is defined once, in a group that the subcommands share.

mod alpha;
mod captions;
mod compare;
mod data;
mod ensemble;
mod eval;
mod export;
mod global;
mod index;
mod label_maps;
mod merge;
mod model;
mod precision;
mod predict;
mod proposals;
mod search;
mod segment;
mod serve_device;
mod settings;
mod tip;
mod train;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use radapter_experiments::{QUICKSTARTS, Quickstart, quickstart};

pub(crate) use alpha::{AlphaArg, AlphaGrid, Share};
pub(crate) use captions::CaptionsArgs;
pub(crate) use compare::{Axis, CompareArgs};
pub(crate) use data::{
    ClassNamesArg, DamageArg, DecodeArgs, DecodingArg, DeviceBatchArg, ImagesArg, JsonFlag, PixelCacheArg, TemplatesArg,
};
pub(crate) use ensemble::{EnsembleArgs, InterpolateArgs, SoupArgs, StockArgs};
pub(crate) use eval::{EvalArgs, SelectArgs, SweepArgs};
pub(crate) use export::{ExportArgs, ExportFormat, StoredArgs};
pub(crate) use global::{DeviceChoice, Devices, GlobalArgs};
pub(crate) use index::IndexArgs;
pub(crate) use label_maps::{AnnotatedArgs, ClassesArgs, DatasetArgs, LabelMapArgs};
pub(crate) use merge::MergeArgs;
pub(crate) use model::{ArchArg, ModelArgs, ModelRef};
pub(crate) use precision::{PrecisionArg, warn_of_drawback};
pub(crate) use predict::{EmbedArgs, PredictArgs, ZeroShotArgs};
pub(crate) use proposals::ProposalsArgs;
pub(crate) use search::SearchArgs;
pub(crate) use segment::{FusionArgs, SegmentArgs};
pub(crate) use serve_device::ServeDeviceArgs;
pub(crate) use settings::{CompletionsArgs, MethodsArgs, SettingsArgs};
pub(crate) use tip::tip;
pub(crate) use train::{CommonArgs, FileAndSet, RunArgs, SuiteArgs, TaskArgs, TrainArgs};

/// Exit statuses and the forms of MODEL, shown after the help.
const EXIT_STATUS: &str = "\
Exit status:
  0    done
  1    the work failed (bad input, full disk, diverged training); the reason is on stderr
  2    the command line is wrong
  130  interrupted, and what was done is saved: continue with `radapter train --resume --out RUN`, or index again; the
       results of a sweep have the values measured so far

MODEL is one of
  embedded               the small CLIP built into this command
  DIR                    an OpenCLIP or a Hugging Face directory
  FILE                   a state dict (.safetensors, .bin, .pt); needs --arch
  hf://OWNER/NAME[@REV]  a repository on the Hugging Face Hub
  RUN                    a run directory of `radapter train`, merged at its alpha";

/// Robust fine-tuning of CLIP: raises accuracy on your data and keeps more accuracy elsewhere than full fine-tuning
#[derive(Debug, Parser)]
#[command(name = "radapter", version, propagate_version = true, after_help = EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compare R-Adapter with full fine-tuning on the embedded model in a few minutes
    Quickstart(QuickstartArgs),
    /// List the devices that --device accepts
    Devices(DevicesArgs),
    /// Serve this machine's devices to other processes (feature remote)
    ServeDevice(ServeDeviceArgs),
    /// Describe a model, an adapter file or a run
    Inspect(InspectArgs),
    /// Convert texts to token ids
    Tokenize(TokenizeArgs),
    /// Embed images and texts
    Embed(EmbedArgs),
    /// Measure zero-shot accuracy on labelled images
    ZeroShot(ZeroShotArgs),
    /// Classify unlabelled images
    Predict(PredictArgs),
    /// Fine-tune a model, or resume a run
    Train(TrainArgs),
    /// List the training settings with their types, defaults, ranges and meanings
    Settings(SettingsArgs),
    /// List the fine-tuning methods
    Methods(MethodsArgs),
    /// Evaluate a model or a run
    Eval(EvalArgs),
    /// Merge adapters into the weights, giving a plain CLIP of unchanged cost
    Merge(MergeArgs),
    /// Write a model or a run for other programs: OpenCLIP, Hugging Face, ONNX
    Export(ExportArgs),
    /// Mix a model with one that was tuned from it (WiSE-FT, LiNeS)
    Interpolate(InterpolateArgs),
    /// Average models (model soups)
    Soup(SoupArgs),
    /// Move a model towards the mean of models tuned from it (Model Stock)
    Stock(StockArgs),
    /// Evaluate a run over a range of alpha
    Sweep(SweepArgs),
    /// Train and measure several methods on the same data, beside zero-shot
    Compare(CompareArgs),
    /// Embed a folder of images into an index, or update one
    Index(IndexArgs),
    /// Search an index of images, by text or by image
    Search(SearchArgs),
    /// Label each pixel of images with a class of an open vocabulary
    Segment(SegmentArgs),
    /// Generate class-agnostic mask proposals, without weights
    Proposals(ProposalsArgs),
    /// Print the shell completion script
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  radapter quickstart
  radapter quickstart --out demo  # then look at demo/report.html
  radapter quickstart --task retrieval
  radapter quickstart --task segmentation")]
pub(crate) struct QuickstartArgs {
    /// The task to learn
    #[arg(long, value_name = "TASK", default_value = QUICKSTARTS[0].name, value_parser = quickstart_names())]
    pub(crate) task: &'static Quickstart,
    /// Directory for the table, report and merged checkpoint; new or empty
    #[arg(long, value_name = "DIR", default_value = "radapter-quickstart")]
    pub(crate) out: PathBuf,
    /// Only check that everything runs: few images and steps, one seed; the figures mean nothing
    #[arg(long)]
    pub(crate) reduced: bool,
}

/// Parses the name of a quickstart.
fn quickstart_names() -> impl TypedValueParser<Value = &'static Quickstart> {
    PossibleValuesParser::new(QUICKSTARTS.iter().map(|one| one.name)).try_map(|name| quickstart(&name))
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  radapter devices
  radapter devices --json")]
pub(crate) struct DevicesArgs {
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  radapter inspect embedded
  radapter inspect ViT-B-32.bin --arch ViT-B-32-quickgelu
  radapter inspect runs/pets --json
  radapter inspect runs/pets/adapters-ema.safetensors")]
pub(crate) struct InspectArgs {
    /// A MODEL, an adapter file or a run directory
    #[arg(value_name = "MODEL|ADAPTERS|RUN")]
    pub(crate) what: ModelRef,
    #[command(flatten)]
    pub(crate) arch: ArchArg,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The result is a JSON list with one list of 77 ids for each text: start of text, the tokens, end of text, zero padding.

Examples:
  radapter tokenize --texts captions.txt --out tokens.json")]
pub(crate) struct TokenizeArgs {
    #[command(flatten)]
    pub(crate) texts: TextsArg,
    /// Output file
    #[arg(long, value_name = "FILE.json")]
    pub(crate) out: PathBuf,
}

/// A file of texts.
#[derive(Debug, Args)]
pub(crate) struct TextsArg {
    /// Texts: a file with one per line (split at \n only; a blank line is the empty text) or a JSON list of strings, or such a list
    /// itself, or texts with commas between
    #[arg(long, value_name = "FILE|LIST")]
    pub(crate) texts: PathBuf,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_has_examples() {
        fn visit(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            if command.get_subcommands().next().is_none() {
                let help = command.get_after_help().map(ToString::to_string);
                let help = help.unwrap_or_default();
                let examples = help.split_once("Examples:\n").map_or("", |(_, examples)| examples);
                let any = examples.lines().any(|line| line.starts_with("  radapter "));
                assert!(any, "`{path}` has no examples: {help}");
                // A narrow terminal would break a longer line, and a shell would not join it again.
                for line in examples.lines() {
                    assert!(line.chars().count() <= 78, "`{path}`: {line}");
                }
            }
            command.get_subcommands().for_each(|sub| visit(sub, &path));
        }
        visit(&Cli::command(), "");
    }
}
