//! Tar shards in webdataset's format: images with captions in a few large files instead of many small ones.
//!
//! **Samples.** A member's key is its path up to the first dot of the base name; the rest is its extension. Consecutive members with one
//! key are a sample: an image (`.jpg`, `.jpeg`, `.png` or `.webp` in any case; the first, if there are several) and captions. A `.txt`
//! has one caption, without its final line break; a `.json` has an object with `caption` (a string) or `captions` (a list of
//! strings), or just a list of strings. With both, the caption of the `.txt` comes first, followed by those of the `.json` that
//! differ. Other members, members without a key (`.hidden`) and webdataset's own (`__index__`) are ignored.
//!
//! **Reading.** A shard is scanned once, on first use: headers and texts are read, images are skipped. Each image is read from its
//! position when it is loaded, so that samples are available in any order and a run resumes where it stopped. [`Shards::order`]
//! iterates over all samples from shard to shard, for sets that take long to scan.
//!
//! **Identity.** Keys often restart in each shard, so shard and key together name an image. Samples with one key whose images are equal
//! byte for byte are one image with all their captions, in whichever shards they are; only images with the same key and length are
//! compared. A key that several images have is preceded by its shard in their names. A shard that has different images under one key
//! contradicts itself, which [`OnError`] decides about.
//!
//! **Damage.** [`OnError`] decides about samples without image or caption, with an empty or invalid caption or a duplicate member, and
//! about truncated shards. The samples before the break of a truncated shard are used; the rest is one entry of the report.

mod captions;
mod files;
mod index;
mod order;
mod pattern;
mod sample;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::DatasetError;

pub use order::ShardOrder;
pub use sample::ShardSample;

pub(crate) use files::{is_pattern, is_shard};

use crate::captioned::{CaptionedImage, CaptionedImages};
use crate::on_error::{OnError, SkipReport};
use radapter_images::ImageSource;
use sample::Rules;

/// Set of shards. Clones share the results of scans.
#[derive(Clone, Debug)]
pub struct Shards {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: Vec<PathBuf>,
    /// For each file its name, or its path where several have that name.
    names: Vec<String>,
    scanned: Vec<Mutex<Option<Arc<Vec<ShardSample>>>>>,
    rules: Rules,
}

impl Shards {
    /// Finds the shards without reading them: one `.tar` file, a folder of them (in the order of their names' bytes), or a pattern with
    /// braces, `shards/{000..010}.tar` or `{train,more}/{0..9}.tar`. A path with braces that exists is a file.
    ///
    /// With `max_captions` only the first ones of each sample are kept.
    ///
    /// # Errors
    /// [`DatasetError`] if the pattern is invalid, a file is missing, listed twice or compressed, a folder has no `.tar`, or
    /// `max_captions` is 0.
    pub fn open(
        pattern: &Path,
        on_error: OnError,
        report: &SkipReport,
        max_captions: Option<usize>,
    ) -> Result<Self, DatasetError> {
        if max_captions == Some(0) {
            return Err(no_captions());
        }
        let files = files::find(pattern)?;
        tracing::debug!("{}: {} tar shards", pattern.display(), files.len());
        let scanned = files.iter().map(|_| Mutex::default()).collect();
        let rules = Rules { on_error, report: report.clone(), max_captions: max_captions.unwrap_or(usize::MAX) };
        let names = files::names(&files);
        Ok(Self { inner: Arc::new(Inner { files, names, scanned, rules }) })
    }

    /// Returns the shards' files.
    pub fn files(&self) -> &[PathBuf] {
        &self.inner.files
    }

    /// Returns the samples of a shard, in its order. The first call scans the shard.
    ///
    /// # Errors
    /// [`DatasetError`] if the file cannot be read; under [`OnError::Fail`] also if it is broken or a sample is damaged.
    ///
    /// # Panics
    /// If `index` is not below the number of files.
    pub fn shard(&self, index: usize) -> Result<Arc<Vec<ShardSample>>, DatasetError> {
        let mut scanned = self.inner.scanned[index].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(samples) = &*scanned {
            return Ok(Arc::clone(samples));
        }
        let samples = Arc::new(index::read(&self.inner.files[index], &self.inner.rules)?);
        *scanned = Some(Arc::clone(&samples));
        Ok(samples)
    }

    /// Returns the number of samples of all shards. Scans those that were not scanned yet.
    ///
    /// # Errors
    /// Those of [`Shards::shard`], and if there is no sample.
    pub fn count(&self) -> Result<usize, DatasetError> {
        let mut count = 0;
        for index in 0..self.files().len() {
            count += self.shard(index)?.len();
        }
        if count == 0 { Err(self.nothing()) } else { Ok(count) }
    }

    /// Returns the order of an epoch: pairs of a shard and a position in it, each sample once.
    ///
    /// The shards are permuted, and their samples, shard after shard, pass through a buffer of `buffer` samples from which the
    /// next one is drawn. The order is a function of the arguments and the shards. A shard is scanned when the buffer has taken
    /// all before it.
    pub fn order(&self, seed: u64, epoch: u64, buffer: usize) -> ShardOrder {
        ShardOrder::new(self.clone(), seed, epoch, buffer)
    }

    /// Returns the images of all samples, each with the captions of all its samples. Scans all shards.
    ///
    /// # Errors
    /// Those of [`Shards::grouped`].
    pub fn images(&self) -> Result<CaptionedImages, DatasetError> {
        Ok(self.grouped()?.images)
    }

    /// Returns the images of all samples, and the part of its image that each sample has. Scans all shards.
    ///
    /// # Errors
    /// Those of [`Shards::shard`], and if there is no sample. Under [`OnError::Fail`] also if a shard has different images under one key,
    /// or if images cannot be compared.
    pub fn grouped(&self) -> Result<Grouped, DatasetError> {
        let most = self.inner.rules.max_captions;
        let mut images: Vec<CaptionedImage> = Vec::new();
        // The images of each key and length.
        let mut known: HashMap<(String, u64), Vec<usize>> = HashMap::new();
        let mut images_of_key: HashMap<String, usize> = HashMap::new();
        let mut shard_of_image = Vec::new();
        let mut samples = Vec::with_capacity(self.files().len());
        for index in 0..self.files().len() {
            let shard = self.shard(index)?;
            let mut parts = Vec::with_capacity(shard.len());
            let mut first_of_key: HashMap<&str, usize> = HashMap::new();
            for sample in shard.iter() {
                let ShardSample { key, image, captions } = sample;
                let known = known.entry((key.clone(), sample.image_bytes())).or_default();
                let first = first_of_key.get(key.as_str()).copied();
                let candidates = first.map_or_else(|| known.clone(), |first| vec![first]);
                let Some(same) = self.first_equal(index, sample, candidates.iter().map(|&at| &images[at].source))?
                else {
                    parts.push(None);
                    continue;
                };
                let at = match (same, first) {
                    (Some(place), _) => candidates[place],
                    (None, Some(_)) => {
                        self.contradiction(index, sample)?;
                        parts.push(None);
                        continue;
                    }
                    (None, None) => {
                        known.push(images.len());
                        *images_of_key.entry(key.clone()).or_default() += 1;
                        shard_of_image.push(index);
                        images.push(CaptionedImage { name: key.clone(), source: image.clone(), captions: Vec::new() });
                        images.len() - 1
                    }
                };
                first_of_key.insert(key, at);
                let of = &mut images[at].captions;
                let (first, kept) = (of.len(), captions.len().min(most.saturating_sub(of.len())));
                of.extend(captions[..kept].iter().cloned());
                parts.push(Some(Part { image: at, first, captions: kept }));
            }
            samples.push(parts);
        }
        if images.is_empty() {
            return Err(self.nothing());
        }
        for (image, shard) in images.iter_mut().zip(shard_of_image) {
            if images_of_key[&image.name] > 1 {
                image.name = self.full_name(shard, &image.name);
            }
        }
        Ok(Grouped { images: CaptionedImages { images }, samples })
    }

    /// Whether a sample has the image of an earlier sample of its shard with the same key.
    ///
    /// # Errors
    /// [`DatasetError`] under [`OnError::Fail`], if the images differ or cannot be compared.
    pub fn is_image_of(&self, shard: usize, sample: &ShardSample, earlier: &ShardSample) -> Result<bool, DatasetError> {
        match self.first_equal(shard, sample, std::iter::once(&earlier.image))? {
            Some(Some(_)) => Ok(true),
            Some(None) => self.contradiction(shard, sample).map(|()| false),
            None => Ok(false),
        }
    }

    /// Returns a name of a key that no other shard has: `SHARD.tar: KEY`.
    pub fn full_name(&self, shard: usize, key: &str) -> String {
        format!("{}: {key}", self.inner.names[shard])
    }

    /// Returns the place of the first of `images` that equals the sample's, if one does; the outer `None` if the sample is skipped
    /// because they cannot be compared.
    fn first_equal<'a>(
        &self,
        shard: usize,
        sample: &ShardSample,
        mut images: impl Iterator<Item = &'a ImageSource>,
    ) -> Result<Option<Option<usize>>, DatasetError> {
        let found = images.try_fold((0, None), |(place, found), image| match found {
            None => Ok((place + 1, same_image(&sample.image, image)?.then_some(place))),
            some => Ok((place, some)),
        });
        self.inner.rules.settle(&self.files()[shard], &sample.key, found.map(|(_, found)| found))
    }

    /// Settles a sample whose key has another image in the same shard.
    fn contradiction(&self, shard: usize, sample: &ShardSample) -> Result<(), DatasetError> {
        let (file, key) = (&self.files()[shard], &sample.key);
        let problem = "an earlier sample of this key in the same shard has another image; a key must name one image";
        let error = DatasetError::at(file, format!("sample `{key}`"), problem.to_owned());
        self.inner.rules.settle::<()>(file, key, Err(error)).map(|_| ())
    }

    fn nothing(&self) -> DatasetError {
        DatasetError::Option(format!(
            "no sample is usable in {}; expected members `key.jpg` with `key.txt` or `key.json`",
            files::named(self.files())
        ))
    }
}

/// Images of all shards.
#[derive(Clone, Debug)]
pub struct Grouped {
    /// Each with the captions of all its samples.
    pub images: CaptionedImages,
    /// For each sample of each shard its part of an image; `None` for a skipped one.
    pub samples: Vec<Vec<Option<Part>>>,
}

/// Part of an image that a sample has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Part {
    pub image: usize,
    /// Index of its first caption among the image's.
    pub first: usize,
    /// Number of its captions that are kept, from the first.
    pub captions: usize,
}

impl ShardSample {
    /// Returns the length of its encoded image in bytes.
    pub fn image_bytes(&self) -> u64 {
        length(&self.image)
    }
}

/// Returns the bytes of a sample's image.
fn length(source: &ImageSource) -> u64 {
    match source {
        ImageSource::Member(member) => member.length,
        ImageSource::File(_) | ImageSource::Pixels(_) => 0,
    }
}

/// Whether the encoded images of two samples are equal.
fn same_image(one: &ImageSource, other: &ImageSource) -> Result<bool, DatasetError> {
    match (one, other) {
        (ImageSource::Member(one), ImageSource::Member(other)) => Ok(one.has_content_of(other)?),
        _ => Ok(false),
    }
}

pub(crate) fn no_captions() -> DatasetError {
    let problem = "max_captions is 0, expected at least 1; omit it to keep all captions";
    DatasetError::Option(problem.to_owned())
}

#[cfg(test)]
mod tests;
