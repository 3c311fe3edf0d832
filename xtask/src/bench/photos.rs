use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use radapter::clip::config::ClipConfig;
use radapter::clip::preprocess::{DecodeLimits, Preprocess, decode_bytes};
use serde::{Deserialize, Serialize};

/// Photos that are timed.
const COUNT: usize = 100;

/// What it takes to turn a file into a model's input, on one core.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Photos {
    count: usize,
    megapixels: f64,
    decode_ms: f64,
    preprocess_ms: f64,
}

impl fmt::Display for Photos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, megapixels, decode_ms, preprocess_ms } = self;
        write!(
            f,
            "{count} photos of {megapixels:.2} megapixels in the mean, ms a photo on one core: decoding {decode_ms:.1}, \
             preprocessing {preprocess_ms:.1}."
        )
    }
}

pub(crate) fn measure(folder: &Path, arch: &str) -> anyhow::Result<Photos> {
    let preprocess = Preprocess::new(&ClipConfig::preset(arch)?);
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| p.is_file()).collect();
    files.sort();
    files.truncate(COUNT);
    if files.is_empty() {
        bail!("{} holds no files", folder.display());
    }
    let (mut pixels, mut decode, mut transform) = (0.0, 0.0, 0.0);
    for path in &files {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let start = Instant::now();
        let image = decode_bytes(&bytes, &path.display().to_string(), &DecodeLimits::default())?;
        decode += start.elapsed().as_secs_f64();
        pixels += f64::from(image.width()) * f64::from(image.height());
        let start = Instant::now();
        std::hint::black_box(preprocess.apply(&image));
        transform += start.elapsed().as_secs_f64();
    }
    let mean = |sum: f64| sum / files.len() as f64;
    Ok(Photos {
        count: files.len(),
        megapixels: mean(pixels) / 1e6,
        decode_ms: 1e3 * mean(decode),
        preprocess_ms: 1e3 * mean(transform),
    })
}
