//! The samples of one step, on the host.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use radapter_clip::model::{Adapter, Clip, Context, DistinctTexts};

/// The samples of one step, on the host.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// Counted from 0.
    pub(crate) step: u64,
    /// `[batch, 3, size, size]`, followed by the method's views of the same size.
    pub(crate) pixels: Vec<f32>,
    /// How many views there are.
    pub(crate) views: usize,
    pub(crate) tokens: Vec<Vec<u32>>,
    pub(crate) labels: Vec<i64>,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Images to embed: those of the samples, and the views.
    pub(crate) fn image_count(&self) -> usize {
        self.len() + self.views
    }

    /// Appends views.
    pub(crate) fn add_views(&mut self, views: &[f32], size: usize) {
        self.views += views.len() / (3 * size * size);
        self.pixels.extend_from_slice(views);
    }

    /// Some of the images to embed: `[part, 3, size, size]`.
    pub(crate) fn images(&self, part: Range<usize>, size: usize, device: &Device) -> Tensor<4> {
        let stride = 3 * size * size;
        let values = self.pixels[part.start * stride..part.end * stride].to_vec();
        Tensor::from_data(TensorData::new(values, [part.len(), 3, size, size]), device)
    }
}

/// The texts of a batch as they are encoded in parts: each once, shorter ones first, so that a part is padded to little more
/// than what it holds.
#[derive(Default)]
pub(crate) struct Texts {
    pub(crate) distinct: Vec<Vec<u32>>,
    /// For each sample, its text's place.
    which: Vec<i64>,
}

impl Texts {
    pub(crate) fn of<A: Adapter>(clip: &Clip<A>, batch: &Batch, context: &Context) -> Self {
        let DistinctTexts { texts, which, alike } = clip.distinct_texts(&batch.tokens, context);
        let mut order: Vec<usize> = (0..texts.len()).collect();
        if alike {
            order.sort_by_key(|&index| texts[index].len());
        }
        let mut place = vec![0; texts.len()];
        for (new, &old) in order.iter().enumerate() {
            place[old] = new as i64;
        }
        Self {
            distinct: order.iter().map(|&index| texts[index].to_vec()).collect(),
            which: which.iter().map(|&index| place[index]).collect(),
        }
    }

    /// The rows of all samples, given those of the distinct texts.
    pub(crate) fn per_sample(&self, distinct: Tensor<2>, device: &Device) -> Tensor<2> {
        let which = TensorData::new(self.which.clone(), [self.which.len()]);
        distinct.select(0, Tensor::from_data(which, device))
    }
}
