//! What can be wrong with shards.

use std::path::PathBuf;

/// Why shards could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardsError {
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The braces of a pattern stand for nothing.
    #[error("the pattern `{pattern}` cannot be used: {problem}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Shards are not there.
    #[error("{} stands for {all} shards, of which {count} are not there: {files}", pattern.display())]
    Missing {
        /// The path or pattern.
        pattern: PathBuf,
        /// How many files it stands for.
        all: usize,
        /// How many are not there.
        count: usize,
        /// Some of these.
        files: String,
    },
    /// A shard is named twice.
    #[error("the shard {} is named twice; each sample would be seen twice", file.display())]
    Twice {
        /// The shard.
        file: PathBuf,
    },
    /// A folder has no shards.
    #[error("the folder {} has no shards; expected files ending in .tar, found {found}", folder.display())]
    NoShards {
        /// The folder.
        folder: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// A shard is compressed, so that nothing in it can be read alone.
    #[error(
        "{} is compressed with {compressor}; images are read from their places in a shard, which needs a plain .tar: decompress it first",
        path.display()
    )]
    Compressed {
        /// The file.
        path: PathBuf,
        /// What it was compressed with.
        compressor: &'static str,
    },
    /// No caption is to be kept.
    #[error("max_captions is 0, which leaves no caption; expected at least 1, or leave it out to keep all")]
    NoneWanted,
    /// A shard breaks off or is no tar file.
    #[error(
        "{} is broken at byte {offset}, {}: {problem}; copy or make it again, or skip what is damaged to go on with the samples before it",
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
