//! Fuzz targets: one function per parser of something that comes from outside, and a [table](TARGETS) of them.
//!
//! Each takes bytes and must return, whatever they are: it panics where a parser does, and where a result contradicts
//! what the parser promises. `tests/corpus.rs` runs all of them over `corpus/`; with the feature `fuzzing`, each is a
//! binary of cargo-fuzz. `docs/reliability.md` has the commands and the figures.
//!
//! | module | parses |
//! |---|---|
//! | [`images`] | image files, the cache of decoded pixels |
//! | [`checkpoints`] | weights, configs and tokenizers of models, adapter files, hub references |
//! | [`captions`] | captions in each format, tar shards |
//! | [`lists`] | tables, class names, lists |
//! | [`masks`] | run lengths, mask proposals, label maps, class lists |
//! | [`index`] | indexes, embeddings |
//! | [`runs`] | settings, run directories, saved states, suites |
//! | [`text`] | texts on their way to tokens |
//! | [`remote`] | addresses and tokens of remote devices |

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

pub mod captions;
pub mod checkpoints;
pub mod images;
pub mod index;
pub mod lists;
pub mod masks;
pub mod remote;
pub mod runs;
mod scratch;
pub mod text;

/// Who wrote a parser, which decides how long it is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parser {
    /// This project.
    Ours,
    /// A library, whose results this project checks.
    Library,
}

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of the binary and of the corpus's folder.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
    /// Who wrote the parser.
    pub parser: Parser,
    /// Length of an input in bytes that leaves room for every branch.
    pub max_len: usize,
}

macro_rules! targets {
    ($($module:ident::$name:ident, $parser:ident, $max_len:expr;)*) => {
        /// All targets.
        pub const TARGETS: &[Target] = &[$(
            Target { name: stringify!($name), run: $module::$name, parser: Parser::$parser, max_len: $max_len },
        )*];
    };
}

targets! {
    images::jpeg, Ours, 4096;
    images::png, Library, 4096;
    images::webp, Library, 4096;
    images::bmp, Library, 4096;
    images::gif, Library, 4096;
    images::tiff, Library, 4096;
    images::pnm, Library, 4096;
    images::pixel_cache, Ours, 1024;
    checkpoints::open_clip_config, Ours, 4096;
    checkpoints::hugging_face_config, Ours, 8192;
    checkpoints::tokenizer_json, Ours, 8192;
    checkpoints::safetensors, Library, 4096;
    checkpoints::weight_index, Ours, 4096;
    checkpoints::torch_archive, Library, 16384;
    checkpoints::adapter_file, Ours, 4096;
    checkpoints::hub_reference, Ours, 256;
    captions::karpathy, Ours, 4096;
    captions::coco_captions, Ours, 4096;
    captions::caption_table, Ours, 2048;
    captions::tar_shard, Ours, 8192;
    lists::table, Ours, 2048;
    lists::class_names, Ours, 1024;
    lists::list, Ours, 1024;
    masks::rle, Ours, 256;
    masks::coco_results, Ours, 2048;
    masks::npz, Library, 4096;
    masks::logits, Ours, 2048;
    masks::label_map, Library, 4096;
    masks::class_list, Ours, 1024;
    index::index_manifest, Ours, 2048;
    index::index_segment, Ours, 2048;
    index::embedded, Ours, 2048;
    runs::settings, Ours, 2048;
    runs::assignment, Ours, 256;
    runs::run_record, Ours, 4096;
    runs::run_state, Ours, 4096;
    runs::metrics, Ours, 2048;
    runs::suite, Ours, 1024;
    text::tokenizer, Ours, 512;
    remote::remote_address, Ours, 256;
    remote::remote_token, Ours, 256;
}
