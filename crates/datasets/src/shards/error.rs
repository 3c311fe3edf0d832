//! What can be wrong with shards.

use std::path::PathBuf;

use radapter_files::IoError;

/// Why shards could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardsError {
    /// A file or folder could not be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A path or pattern does not stand for shards that can be read.
    #[error("{path} {problem}", path = path.display())]
    Find {
        /// The path, the pattern, or one of the files that it stands for.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// No caption is to be kept.
    #[error("max_captions is 0, which leaves no caption; expected at least 1, or leave it out to keep all")]
    NoneWanted,
    /// A shard breaks off or is no tar file.
    #[error(
        "{} is broken at byte {offset}, {}: {problem}; copy or create it again, or skip damaged samples to use those before it",
        shard.display(),
        last.as_ref().map_or_else(|| "before the first sample".to_owned(), |key| format!("after the sample `{key}`"))
    )]
    Broken {
        /// The shard.
        shard: PathBuf,
        /// The byte up to which it is good.
        offset: u64,
        /// The key of the last good sample.
        last: Option<String>,
        /// What is wrong.
        problem: String,
    },
    /// A sample is damaged.
    #[error("{}, sample `{key}` at byte {offset}: {problem}", shard.display())]
    Sample {
        /// The shard.
        shard: PathBuf,
        /// The sample's key.
        key: String,
        /// Where its first member's content begins.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// Samples of one key have different images.
    #[error(
        "{}, sample `{key}`: an earlier sample of this key has another image ({} and {} bytes); a key must name one image", shard.display(),
        lengths[0], lengths[1]
    )]
    TwoImages {
        /// The shard of the later one.
        shard: PathBuf,
        /// The key.
        key: String,
        /// The lengths of the two images.
        lengths: [u64; 2],
    },
    /// There is no sample.
    #[error("no sample is in {files}, or none is left; expected members `key.jpg` with `key.txt` or `key.json`")]
    Nothing {
        /// Some of the files.
        files: String,
    },
}
