//! The command line: the results, files and error messages of every subcommand.

mod bad_data;
mod bad_models;
mod bad_runs;
mod bad_settings;
mod compare;
mod completions;
mod dashboard;
mod embed;
mod ensemble;
mod eval;
mod export;
mod inspect;
mod merge;
mod output;
#[cfg(unix)]
mod pages;
mod precision;
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
