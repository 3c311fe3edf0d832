//! Pairs from a complete list of images and captions.

use radapter_datasets::CaptionedImages;
use radapter_datasets::fingerprint::Fingerprint;
use radapter_datasets::order::epoch_order;
use radapter_datasets::seed::{self, Draw};
use radapter_training::{DataError, SampleKey, SampleOrder};

use super::{Pair, Pairs};
use crate::config;

/// Pairs from a complete list of images.
#[derive(Debug)]
pub(crate) struct PairSet {
    images: CaptionedImages,
    /// Image and caption of each pair; empty under `pairs = one`, where each image is one sample.
    pairs: Vec<(u32, u32)>,
    which: config::Pairs,
}

impl PairSet {
    pub(crate) fn new(images: CaptionedImages, which: config::Pairs) -> Self {
        let all = |(image, of): (usize, usize)| (0..of as u32).map(move |caption| (image as u32, caption));
        let pairs = match which {
            config::Pairs::All => {
                images.images.iter().map(|image| image.captions.len()).enumerate().flat_map(all).collect()
            }
            config::Pairs::One => Vec::new(),
        };
        Self { images, pairs, which }
    }
}

/// Returns the caption drawn for an image in an epoch.
pub(super) fn drawn(key: SampleKey, captions: usize) -> usize {
    seed::rng("caption", &[key.seed, key.epoch, key.index as u64]).below(captions)
}

impl Pairs for PairSet {
    fn len(&self) -> usize {
        match self.which {
            config::Pairs::All => self.pairs.len(),
            config::Pairs::One => self.images.len(),
        }
    }

    fn order(&self, seed: u64, epoch: u64) -> SampleOrder {
        Box::new(epoch_order(self.len(), seed, epoch).into_iter().map(Ok))
    }

    fn pair(&self, key: SampleKey) -> Result<Pair, DataError> {
        let (image, caption) = match self.which {
            config::Pairs::All => {
                let (image, caption) = self.pairs[key.index];
                (image as usize, caption as usize)
            }
            config::Pairs::One => (key.index, drawn(key, self.images.images[key.index].captions.len())),
        };
        let found = &self.images.images[image];
        Ok(Pair {
            name: found.name.clone(),
            image: found.source.clone(),
            caption: found.captions[caption].clone(),
            label: image as i64,
        })
    }

    fn fingerprint(&self) -> String {
        let mut fingerprint = Fingerprint::default();
        for image in &self.images.images {
            fingerprint.text(&image.name);
            fingerprint.source(&image.source);
            fingerprint.number(image.captions.len() as u64);
            image.captions.iter().for_each(|caption| fingerprint.text(caption));
        }
        format!("{} images, {} captions, {}", self.images.len(), self.images.captions(), fingerprint.finish())
    }
}
