//! Decoding and preprocessing of photos.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use radapter::clip::config::ClipConfig;
use radapter::images::{DecodeMode, DecodeOptions, ImageSource, PixelCache, decode_bytes};
use serde::{Deserialize, Serialize};

/// Maximum number of timed photos.
const COUNT: usize = 100;

/// Times of turning a file into a model's input on one core, in ms per photo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Photos {
    count: usize,
    megapixels: f64,
    decode_ms: f64,
    preprocess_ms: f64,
    /// With `decode = fast`.
    #[serde(default)]
    fast: [f64; 2],
    /// Reading from the cache of preprocessed pixels.
    #[serde(default)]
    cached_ms: f64,
}

impl fmt::Display for Photos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, megapixels, decode_ms, preprocess_ms, fast: [fast_decode, fast_preprocess], cached_ms } =
            self;
        write!(
            f,
            "{count} photos of {megapixels:.2} megapixels on average, ms per photo on one core: decoding {decode_ms:.1}, \
             preprocessing {preprocess_ms:.1}; with decode = fast {fast_decode:.1} and {fast_preprocess:.1}; from the pixel cache \
             {cached_ms:.2}."
        )
    }
}

pub(crate) fn measure(folder: &Path, arch: &str) -> anyhow::Result<Photos> {
    let preprocess = ClipConfig::preset(arch)?.preprocessor();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| p.is_file()).collect();
    files.sort();
    files.truncate(COUNT);
    if files.is_empty() {
        bail!("{} has no files", folder.display());
    }
    let cache_folder = tempfile::tempdir().context("cannot create a temporary folder for the pixel cache")?;
    let cache = PixelCache::open(&cache_folder.path().join("pixels"))?;
    let (mut pixels, mut times, mut cached) = (0.0, [[0.0; 2]; 2], 0.0);
    for path in &files {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        for (decoding, [decode, transform]) in [DecodeMode::Exact, DecodeMode::Fast].into_iter().zip(&mut times) {
            let start = Instant::now();
            let shorter_side = decoding.shorter_side(preprocess.image_size(), 1.0);
            let options = DecodeOptions { shorter_side, ..DecodeOptions::default() };
            let image = decode_bytes(&bytes, &path.display().to_string(), &options)?;
            *decode += start.elapsed().as_secs_f64();
            let start = Instant::now();
            std::hint::black_box(preprocess.apply(&image));
            *transform += start.elapsed().as_secs_f64();
            if decoding == DecodeMode::Exact {
                pixels += f64::from(image.width()) * f64::from(image.height());
                let make = || anyhow::Ok(Arc::new(preprocess.resize_and_crop(&image)));
                cache.get_or(&ImageSource::File(path.clone()), "bench", make)?;
            }
        }
    }
    for path in &files {
        let start = Instant::now();
        let missing = || Err(anyhow::anyhow!("{} is not in the cache", path.display()));
        let image = cache.get_or(&ImageSource::File(path.clone()), "bench", missing)?;
        std::hint::black_box(preprocess.normalize(&image));
        cached += start.elapsed().as_secs_f64();
    }
    let mean = |sum: f64| sum / files.len() as f64;
    let [[decode, transform], fast] = times;
    Ok(Photos {
        count: files.len(),
        megapixels: mean(pixels) / 1e6,
        decode_ms: 1e3 * mean(decode),
        preprocess_ms: 1e3 * mean(transform),
        fast: fast.map(|sum| 1e3 * mean(sum)),
        cached_ms: 1e3 * mean(cached),
    })
}
