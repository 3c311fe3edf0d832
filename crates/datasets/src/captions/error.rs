//! What can be wrong with a set of captions.

use std::path::PathBuf;

use super::format::CaptionsFormat;
use crate::shards::ShardsError;
use crate::table::TableError;

/// Why captions could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptionsError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not JSON, or not an object with lists.
    #[error("{} cannot be read as JSON: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: serde_json::Error,
    },
    /// A place in a JSON file holds something else than it should.
    #[error("{}, {place}: expected {expected}, found {found}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The place: `images[17].sentences[2].raw`.
        place: String,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// JSON of another form than was asked for.
    #[error("{} has the form `{found}`, not `{asked}`; leave the format out or set it to `{found}`", path.display())]
    OtherForm {
        /// The file.
        path: PathBuf,
        /// The form it has.
        found: CaptionsFormat,
        /// The form that was asked for.
        asked: CaptionsFormat,
    },
    /// JSON of neither form.
    #[error(
        "{} is JSON, but holds no captions that are known here: expected `images` with `filename` and `sentences` (Karpathy) or `images` \
         with `file_name` beside `annotations` (COCO), found {found}", path.display()
    )]
    UnknownForm {
        /// The file.
        path: PathBuf,
        /// The keys it has.
        found: String,
    },
    /// A setting is for another form.
    #[error(
        "the setting `{setting}` is for the form `{only}`, but these captions have the form `{format}`; leave it out"
    )]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The only form that it is for.
        only: CaptionsFormat,
        /// The form of the captions.
        format: CaptionsFormat,
    },
    /// No caption is to be kept.
    #[error("max_captions is 0, which leaves no caption; expected at least 1, or leave it out to keep all")]
    NoneWanted,
    /// The folder of images is not given.
    #[error("captions of the form `{format}` need the folder that their images lie in; set it with `images`")]
    NoFolder {
        /// The form.
        format: CaptionsFormat,
    },
    /// The folder of images is not there.
    #[error("{} is not a folder; expected the one that the images lie in", path.display())]
    NotAFolder {
        /// What was given.
        path: PathBuf,
    },
    /// A split is not in the file.
    #[error("{} has no split {unknown}; it has {found}", path.display())]
    Split {
        /// The file.
        path: PathBuf,
        /// The splits that are not there.
        unknown: String,
        /// Those that are, with their numbers of images.
        found: String,
    },
    /// An annotation is of an image that the file does not have.
    #[error("{}, {place}: the captions have no image of the id {id}", path.display())]
    UnknownImage {
        /// The file.
        path: PathBuf,
        /// The place of the id.
        place: String,
        /// The id.
        id: String,
    },
    /// Two images have one id.
    #[error("{}, {place}: the id {id} is an earlier image's too; each image needs its own", path.display())]
    IdTwice {
        /// The file.
        path: PathBuf,
        /// The place of the second.
        place: String,
        /// The id.
        id: String,
    },
    /// Ids that were asked for are not in the captions.
    #[error("{} lists {count} image ids that {} does not have: {ids}", path.display(), captions.display())]
    UnknownIds {
        /// The file of ids.
        path: PathBuf,
        /// The file of captions.
        captions: PathBuf,
        /// How many.
        count: usize,
        /// Some of them.
        ids: String,
    },
    /// A file of ids has none.
    #[error("{} has no image ids; expected a JSON list or one on each line", path.display())]
    NoIds {
        /// The file.
        path: PathBuf,
    },
    /// A table could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The first line of a table is none of data, and none with known names either.
    #[error(
        "{}, line 1: found {found}, of which none is an image file nor a name that such columns have; if it is a header, name the \
         columns (or give their numbers) with `csv_img_key` and `csv_caption_key`", path.display()
    )]
    Header {
        /// The file.
        path: PathBuf,
        /// The fields.
        found: String,
    },
    /// A caption has no path of an image.
    #[error("{}, {place}: the path of the image is empty", path.display())]
    NoPath {
        /// The file.
        path: PathBuf,
        /// The place.
        place: String,
    },
    /// An image file is not there.
    #[error("{}, {place}: there is no image file for `{name}`; looked for {tried}; check the folder of images", path.display())]
    MissingImage {
        /// The file.
        path: PathBuf,
        /// The place.
        place: String,
        /// The image's name.
        name: String,
        /// The paths that were tried.
        tried: String,
    },
    /// A caption is empty.
    #[error("{}, {place}: caption {number} of `{name}` is empty; give it a text or take it out", path.display())]
    EmptyCaption {
        /// The file.
        path: PathBuf,
        /// The place.
        place: String,
        /// The image's name.
        name: String,
        /// Which of the image's captions, from 1.
        number: usize,
    },
    /// An image has no captions.
    #[error("{}, {place}: `{name}` has no caption; expected at least one", path.display())]
    NoCaptions {
        /// The file.
        path: PathBuf,
        /// The place.
        place: String,
        /// The image's name.
        name: String,
    },
    /// No image is left.
    #[error("{} gives no image with a caption: {why}", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
        /// What became of them.
        why: String,
    },
    /// Shards could not be read.
    #[error(transparent)]
    Shards(#[from] ShardsError),
}
