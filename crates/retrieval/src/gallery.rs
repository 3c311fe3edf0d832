//! Galleries of images with their captions, and their recall.

use radapter_clip::model::Encoder;
use radapter_datasets::CaptionedImages;
use radapter_datasets::Templates;
use radapter_datasets::on_error::Skipped;
use radapter_embedding::{EmbedError, EmbedOptions, Embeddings, Image, embed_images, embed_texts};

use crate::recall::{Evaluation, RecallError, Rows, ranks};

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
    /// Unreadable images that were skipped together with their texts.
    pub skipped: Vec<Skipped>,
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
        let evaluation = measure(&embedded.embeddings, &texts, &text_image)?;
        Ok(GalleryOutcome { evaluation, skipped: embedded.skipped })
    }
}

/// Computes recall from embeddings.
///
/// # Errors
/// Those of [`ranks`].
pub fn measure(images: &Embeddings, texts: &Embeddings, text_image: &[usize]) -> Result<Evaluation, RecallError> {
    let images = Rows::new(images.dim(), images.values())?;
    let texts = Rows::new(texts.dim(), texts.values())?;
    Ok(Evaluation::of(&ranks(images, texts, text_image, &mut |_| {})?))
}
