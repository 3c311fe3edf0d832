//! The command line: what every subcommand does and writes, and what it says when something is wrong.

mod bad_data;
mod bad_models;
mod bad_runs;
mod bad_settings;
mod completions;
mod dashboard;
mod embed;
mod eval;
mod inspect;
mod merge;
mod output;
mod predict;
mod resume;
mod retrieval;
mod search;
mod segmentation;
mod settings;
mod sweep;
mod tokenize;
mod train;
mod zero_shot;
