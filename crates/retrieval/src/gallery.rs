//! Galleries of images with their captions, and their recall.

use radapter_clip::model::Encoder;
use radapter_datasets::CaptionedImages;
use radapter_datasets::Templates;
use radapter_datasets::on_error::Skipped;
use radapter_embedding::{EmbedError, EmbedOptions, EmbeddedImages, Embeddings, Image, embed_images, embed_texts};
use radapter_training::choice::{Judged, Row};

use crate::recall::{Evaluation, Ranks, RecallError, Rows, ranks};

/// Images and texts to retrieve from each other.
#[derive(Clone, Debug)]
pub struct Gallery {
    images: Vec<Image>,
    texts: Vec<String>,
    /// Index of the image of each text.
    text_image: Vec<usize>,
}

/// Why a gallery could not be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum GalleryError {
    /// An image or text could not be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The embeddings could not be ranked.
    #[error(transparent)]
    Recall(#[from] RecallError),
    /// Every image was skipped.
    #[error("none of the {images} images could be read")]
    NoImages { images: usize },
}

/// Results of an evaluation.
#[derive(Clone, Debug)]
pub struct GalleryOutcome {
    /// Recall in both directions.
    pub evaluation: Evaluation,
    /// What the recalls are computed from.
    pub ranks: Vec<ImageRanks>,
    /// Unreadable images that were skipped together with their texts.
    pub skipped: Vec<Skipped>,
}

/// The ranks of an image and of its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRanks {
    /// The name of the image.
    pub image: String,
    /// The rank of the image's best text among all texts, counted from 1.
    pub image_to_text: u32,
    /// For each of its texts, the rank of the image among all images.
    pub text_to_image: Vec<u32>,
}

impl Gallery {
    /// Creates a gallery of all images and captions, each caption in the template.
    pub fn new(set: &CaptionedImages, template: &Templates) -> Self {
        let mut gallery = Self { images: Vec::with_capacity(set.len()), texts: Vec::new(), text_image: Vec::new() };
        for (index, image) in set.images.iter().enumerate() {
            gallery.images.push(Image { name: image.name.clone(), source: image.source.clone() });
            for caption in &image.captions {
                let texts = template.prompts(caption);
                gallery.text_image.extend(texts.iter().map(|_| index));
                gallery.texts.extend(texts);
            }
        }
        gallery
    }

    /// Returns the number of images.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// Returns the number of texts.
    pub fn texts(&self) -> usize {
        self.texts.len()
    }

    /// Evaluates a model over the whole gallery. `progress` is called with the number of images done.
    ///
    /// # Errors
    /// [`GalleryError`] for an unreadable image, under `on_error = fail`, and embeddings that are not finite.
    pub fn evaluate(
        &self,
        model: &dyn Encoder,
        options: &EmbedOptions,
        progress: &mut dyn FnMut(usize),
    ) -> Result<GalleryOutcome, GalleryError> {
        let embedded = embed_images(model, &self.images, options, progress)?;
        if embedded.kept.is_empty() {
            return Err(GalleryError::NoImages { images: self.images.len() });
        }
        // The texts of a skipped image are skipped too.
        let mut place = vec![None; self.images.len()];
        for (row, &image) in embedded.kept.iter().enumerate() {
            place[image] = Some(row);
        }
        let pairs = || self.texts.iter().zip(&self.text_image).filter_map(|(text, &image)| Some((text, place[image]?)));
        let texts: Vec<&String> = pairs().map(|(text, _)| text).collect();
        let text_image: Vec<usize> = pairs().map(|(_, row)| row).collect();
        let texts = embed_texts(model, &texts, options.batch)?;
        let found = rank(&embedded.embeddings, &texts, &text_image)?;
        let of_image = |(&image, &image_to_text): (&usize, &u32)| ImageRanks {
            image: self.images[image].name.clone(),
            image_to_text,
            text_to_image: Vec::new(),
        };
        let mut ranks: Vec<ImageRanks> = embedded.kept.iter().zip(&found.image_to_text).map(of_image).collect();
        text_image.iter().zip(&found.text_to_image).for_each(|(&row, &rank)| ranks[row].text_to_image.push(rank));
        Ok(GalleryOutcome { evaluation: Evaluation::of(&found), ranks, skipped: embedded.skipped })
    }
}

impl Gallery {
    /// Judges each image and each caption by itself, see [`Validator::judge`](radapter_training::Validator::judge). Images without
    /// labels are asked for the nearest of the gallery's texts.
    ///
    /// # Errors
    /// Those of [`evaluate`](Self::evaluate).
    pub fn judge(
        &self,
        model: &dyn Encoder,
        options: &EmbedOptions,
        sets: &[Judged<'_>],
        take: &mut dyn FnMut(usize, Row<'_>),
    ) -> Result<(), GalleryError> {
        let texts: Vec<&String> = self.texts.iter().collect();
        let (texts, device) = (embed_texts(model, &texts, options.batch)?, model.device());
        let mut captions = vec![Vec::new(); self.images.len()];
        for (text, image) in self.text_image.iter().enumerate() {
            captions[*image].push(text);
        }
        for (number, set) in sets.iter().enumerate() {
            let (images, labelled, shift) = match *set {
                Judged::HeldOut => (&self.images[..], true, None),
                Judged::Shifted(round) => (&self.images[..], true, Some(round)),
                Judged::Unlabelled(images) => (images, false, None),
            };
            let options = EmbedOptions { shift, ..options.clone() };
            let EmbeddedImages { embeddings, kept, .. } = embed_images(model, images, &options, &mut |_| {})?;
            embeddings.for_each_product(&texts, &device, |row, scores| {
                let sample = kept[row];
                let right = captions.get(sample).filter(|_| labelled).map_or(&[][..], Vec::as_slice);
                take(number, Row { sample, scores, right });
                Ok::<(), GalleryError>(())
            })?;
            if labelled {
                texts.for_each_product(&embeddings, &device, |text, scores| {
                    let sample = self.text_image[text];
                    if let Ok(row) = kept.binary_search(&sample) {
                        take(number, Row { sample, scores, right: &[row] });
                    }
                    Ok::<(), GalleryError>(())
                })?;
            }
        }
        Ok(())
    }
}

/// Computes recall from embeddings.
///
/// # Errors
/// Those of [`ranks`].
pub fn measure(images: &Embeddings, texts: &Embeddings, text_image: &[usize]) -> Result<Evaluation, RecallError> {
    Ok(Evaluation::of(&rank(images, texts, text_image)?))
}

fn rank(images: &Embeddings, texts: &Embeddings, text_image: &[usize]) -> Result<Ranks, RecallError> {
    let images = Rows::new(images.dim(), images.values())?;
    let texts = Rows::new(texts.dim(), texts.values())?;
    ranks(images, texts, text_image, &mut |_| {})
}
