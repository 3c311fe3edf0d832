//! Arguments that name images with captions.

use std::path::PathBuf;

use clap::Args;
use radapter_datasets::captions::CaptionsFormat;

/// Images with captions.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CaptionsArgs {
    /// Captions: Karpathy or COCO JSON, CSV or TSV, or tar shards such as `shards/{000..010}.tar`
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: Option<PathBuf>,
    /// The folder of the images; tar shards need none
    #[arg(long, value_name = "DIR")]
    pub(crate) images: Option<PathBuf>,
    /// The format of --captions: karpathy, coco, csv or shards [default: detected]
    #[arg(long, value_name = "FORM")]
    pub(crate) captions_format: Option<CaptionsFormat>,
    /// Splits of Karpathy's JSON, such as train,restval [default: all]
    #[arg(long, value_name = "LIST")]
    pub(crate) split: Option<String>,
    /// COCO's JSON: only the images with these ids: a file with one per line or a JSON list, or ids with commas between
    #[arg(long, value_name = "FILE|LIST")]
    pub(crate) image_ids: Option<PathBuf>,
    /// CSV: the column of paths [default: filepath, else detected]
    #[arg(long, value_name = "NAME")]
    pub(crate) csv_img_key: Option<String>,
    /// CSV: the column of captions [default: title, else detected]
    #[arg(long, value_name = "NAME")]
    pub(crate) csv_caption_key: Option<String>,
    /// CSV: the separator, a character or TAB [default: TAB, else detected]
    #[arg(long, value_name = "CHAR|TAB", value_parser = separator, allow_hyphen_values = true)]
    pub(crate) csv_separator: Option<char>,
    /// Use the first N captions of each image [default: as the run was trained, else all]
    #[arg(long, value_name = "N")]
    pub(crate) max_captions: Option<std::num::NonZeroUsize>,
}

fn separator(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) => Ok(one),
        _ if text.eq_ignore_ascii_case("tab") || text == "\\t" => Ok('\t'),
        _ => Err(format!("expected one character or TAB, found `{text}`")),
    }
}
