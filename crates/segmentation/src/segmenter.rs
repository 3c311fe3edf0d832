//! Segmentation of images: proposals, classification, fusion.

use std::sync::Arc;

use radapter_clip::model::Encoder;
use radapter_datasets::SkipReport;
use radapter_datasets::label_map::{IGNORED, LabelMap};
use radapter_datasets::on_error::Skipped;
use radapter_datasets::prefetch::{Ahead, Prefetch};
use radapter_embedding::{EmbedOptions, Image};
use radapter_images::RgbImage;
use radapter_settings::SettingsError;

use crate::crop::Cropper;
pub use crate::error::SegmentError;
use crate::fusion::{Cover, Vote, fuse, generator_probabilities, label_pixels, probabilities};
use crate::mask::Rle;
use crate::proposals::{Proposals, Region, Source};
use crate::regions::{Cache, ImageKey, ImageRegions, RegionEmbedder, Rows, embed_all};
use crate::vocabulary::Vocabulary;

/// Settings of a segmenter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentSettings {
    /// Probability above which a pixel belongs to a region; OVSeg's 0.4.
    pub threshold: f32,
    /// Softmax temperature τ of CLIP's probabilities; 0.01, regardless of the checkpoint's logit scale.
    pub temperature: f32,
    /// Weight λ of CLIP if the masks have class scores; OVSeg's 0.7 (ADE20K). Without class scores it is 1.
    pub lambda: f32,
}

impl Default for SegmentSettings {
    fn default() -> Self {
        Self { threshold: 0.4, temperature: 0.01, lambda: 0.7 }
    }
}

impl SegmentSettings {
    /// Returns the settings if they are in range.
    ///
    /// # Errors
    /// [`SettingsError`] for the first that is out of range.
    pub fn validate(self) -> Result<Self, SettingsError> {
        let Self { threshold, temperature, lambda } = self;
        let check = |key, found: f32, fits: bool, expected| {
            if fits { Ok(()) } else { Err(SettingsError::Conflict { key, found: found.to_string(), expected }) }
        };
        check("threshold", threshold, threshold > 0.0 && threshold < 1.0, "expected a number between 0 and 1")?;
        check("temperature", temperature, (1e-6..=1e6).contains(&temperature), "expected a number from 1e-6 to 1e6")?;
        check("lambda", lambda, (0.0..=1.0).contains(&lambda), "expected a number from 0 to 1")?;
        Ok(self)
    }
}

/// Converts images to label maps.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Segmenter<'a> {
    pub model: &'a dyn Encoder,
    pub vocabulary: &'a Vocabulary,
    /// Crops regions to the model's input.
    pub cropper: &'a Cropper,
    pub source: Arc<Source>,
    pub settings: SegmentSettings,
    /// Batch size, threads, and the treatment of unreadable images.
    pub options: EmbedOptions,
    /// Cache of region embeddings.
    pub cache: Option<&'a Cache>,
}

/// Segmented image.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Segmented {
    /// Index among the given images.
    pub index: usize,
    pub name: String,
    pub image: Arc<RgbImage>,
    pub map: LabelMap,
    /// Pixels outside all masks, which get the class of the whole image.
    pub uncovered: usize,
    /// Number of masks used.
    pub masks: usize,
}

/// Image that waits for its embeddings.
struct Waiting {
    index: usize,
    proposals: Proposals,
    /// Index of each proposal among the regions; `None` for an empty one.
    places: Vec<Option<usize>>,
    /// Whether the last region is the whole image.
    has_whole: bool,
}

impl Segmenter<'_> {
    /// Segments images in order and passes each on as soon as it is done, so that maps need not be kept.
    ///
    /// # Errors
    /// [`SegmentError`] for an unreadable image, under `on_error = fail`, masks that do not fit, and errors of `take`.
    pub fn run(
        &self,
        images: &[Image],
        take: &mut dyn FnMut(Segmented) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<Vec<Skipped>, SegmentError> {
        self.source.check_names(images.iter().map(|image| image.name.as_str()))?;
        let report = SkipReport::default();
        let regions = self.prepared(images, &report);
        let embedder = RegionEmbedder::new(self.model, self.cropper, self.cache, self.options.batch);
        embed_all(embedder, regions, &mut |regions, rows| {
            take(self.fused(regions, &rows)).map_err(SegmentError::Take)
        })?;
        Ok(report.entries())
    }

    /// Decodes images and generates their masks ahead of the model.
    fn prepared(&self, images: &[Image], report: &SkipReport) -> Prefetch<Option<ImageRegions<Waiting>>, SegmentError> {
        let EmbedOptions { limits, on_error, on_damage, threads, .. } = self.options;
        let (source, report, threshold) = (self.source.clone(), report.clone(), self.settings.threshold);
        let (classes, has_cache) = (self.vocabulary.len(), self.cache.is_some());
        let ahead = Ahead { threads, jobs: 2 * threads.max(1) };
        let jobs: Vec<_> = images.iter().cloned().enumerate().collect();
        Prefetch::new(jobs, ahead, move |(index, image): (usize, Image)| {
            let picture = image.source.load(&limits.into());
            let picture = on_error.settle_image(on_damage, &image.name, picture, &report)?;
            let Some(picture) = picture else { return Ok(None) };
            let key = if has_cache { ImageKey::of(&image.source)? } else { None };
            let proposals = source.of(&image, &picture, Some(classes));
            let Some(proposals) = on_error.settle(&image.name, proposals, &report)? else { return Ok(None) };
            let mut masks = Vec::new();
            let mut place = |mask: Option<Rle>| {
                masks.push(mask?);
                Some(masks.len() - 1)
            };
            let places = proposals.regions(threshold).into_iter().map(&mut place).collect();
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            let has_whole = !proposals.cover_all();
            if has_whole {
                masks.push(Rle::whole(width, height));
            }
            let payload = Waiting { index, proposals, places, has_whole };
            Ok(Some(ImageRegions { name: image.name, image: picture, masks, key, payload }))
        })
    }

    /// Fuses the regions of an image into its map.
    fn fused(&self, regions: ImageRegions<Waiting>, rows: &Rows) -> Segmented {
        let ImageRegions { name, image, payload, masks, .. } = regions;
        let Waiting { index, proposals, places, has_whole } = payload;
        let (width, height) = (image.width() as usize, image.height() as usize);
        let clip = |place: usize| {
            rows[place].as_deref().map(|row| probabilities(&self.vocabulary.cosines(row), self.settings.temperature))
        };
        let mut votes = Vec::with_capacity(places.len());
        for (number, (proposal, place)) in proposals.masks.iter().zip(&places).enumerate() {
            let clip = place.and_then(clip);
            let generator = proposals.class_scores.as_ref().and_then(|scores| scores.row(number));
            let mut classes = match (generator, clip) {
                // The probability c of an empty region is 1.
                (Some(scores), clip) => {
                    let clip = clip.unwrap_or_else(|| vec![1.0; self.vocabulary.len()]);
                    fuse(&generator_probabilities(scores), &clip, self.settings.lambda)
                }
                (None, Some(clip)) => clip,
                (None, None) => continue,
            };
            classes.iter_mut().for_each(|class| *class *= proposal.score);
            let cover = match (&proposal.region, place) {
                (Region::Binary(_), Some(place)) => Cover::Binary(masks[*place].clone()),
                // An empty mask adds nothing.
                (Region::Binary(_), None) => continue,
                (Region::Logits(grid), _) => Cover::Soft(grid.probabilities(width, height)),
            };
            votes.push(Vote { cover, classes });
        }
        let labels = label_pixels(width, height, &votes);
        let uncovered = labels.iter().filter(|label| label.is_none()).count();
        let whole = match has_whole {
            true => rows.last().and_then(Option::as_deref).map(|row| self.vocabulary.nearest(row) as u16),
            false => None,
        };
        let labels = labels.into_iter().map(|label| label.or(whole).unwrap_or(IGNORED)).collect();
        let map = LabelMap::new(width, height, labels).expect("a label for each pixel of the image");
        Segmented { index, name, image, map, uncovered, masks: votes.len() }
    }
}
