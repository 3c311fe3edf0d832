//! Samples of one step, on the host.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use radapter_clip::model::{Adapter, Clip, Context, DistinctTexts};

/// Samples of one step, on the host.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// Counted from 0.
    pub(crate) step: u64,
    /// `[batch + views, 3, size, size]`: the samples' images, then the method's views.
    pub(crate) pixels: Vec<f32>,
    /// Number of views.
    pub(crate) views: usize,
    pub(crate) tokens: Vec<Vec<u32>>,
    pub(crate) labels: Vec<i64>,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns the number of images to embed, views included.
    pub(crate) fn image_count(&self) -> usize {
        self.len() + self.views
    }

    pub(crate) fn add_views(&mut self, views: &[f32], size: usize) {
        self.views += views.len() / (3 * size * size);
        self.pixels.extend_from_slice(views);
    }

    /// Returns some of the images to embed: `[part, 3, size, size]`.
    pub(crate) fn images(&self, part: Range<usize>, size: usize, device: &Device) -> Tensor<4> {
        let stride = 3 * size * size;
        let values = self.pixels[part.start * stride..part.end * stride].to_vec();
        Tensor::from_data(TensorData::new(values, [part.len(), 3, size, size]), device)
    }
}

/// Distinct texts of a batch, shorter ones first, so that a part is padded to little more than
/// its own texts need.
#[derive(Default)]
pub(crate) struct Texts {
    pub(crate) distinct: Vec<Vec<u32>>,
    /// For each sample, the index of its text.
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

    /// Returns a row per sample, given one per distinct text.
    pub(crate) fn per_sample(&self, distinct: Tensor<2>, device: &Device) -> Tensor<2> {
        let which = TensorData::new(self.which.clone(), [self.which.len()]);
        distinct.select(0, Tensor::from_data(which, device))
    }
}
