//! Mask-Fill: images whose parts are from others keep the embeddings that the base model gives them.

use burn::tensor::Tensor;
use radapter_datasets::seed::{self, Draw as _};

use super::Regularizer;
use crate::tuning::{Images, Teacher, TeacherEmbeddings};

/// `weight · ‖z̃ − z̃₀‖²`, the mean over the batch, where `z̃` and `z̃₀` are the embeddings of a masked image by the model and by the base
/// (Xiao, Tang, Wei, Liu and Lin, CVPR 2023, arXiv 2303.03052, equation 3, by a feature distillation).
///
/// Patches are masked at random with probability `mask`, and filled with those of one other image of the batch: random-mask and
/// single-fill of the publication, which has masks by attribution to the class as well. It compares embeddings before their
/// normalisation with weight 30; here they are unit vectors, whose weight is larger by the square of their norm over their length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskFill {
    /// Coefficient of the term.
    pub weight: f64,
    /// Probability with which a patch is from another image.
    pub mask: f64,
}

impl Regularizer for MaskFill {
    fn teacher(&self) -> Teacher {
        Teacher::Base
    }

    /// A masked image for each image, as a function of seed and step.
    fn views(&self, images: &Images<'_>) -> Vec<f32> {
        let &Images { pixels, size, patch, seed, step } = images;
        let stride = 3 * size * size;
        let count = pixels.len() / stride.max(1);
        let mut random = seed::rng("mask-fill", &[seed, step]);
        let mut others: Vec<usize> = (0..count).collect();
        for index in (1..count).rev() {
            others.swap(index, random.below(index + 1));
        }
        let mut views = pixels.to_vec();
        let patches = size / patch.max(1);
        for (index, &other) in others.iter().enumerate() {
            for place in 0..patches * patches {
                if f64::from(random.unit()) >= self.mask {
                    continue;
                }
                let (top, left) = (place / patches * patch, place % patches * patch);
                for line in 0..3 * patch {
                    let (channel, row) = (line / patch, top + line % patch);
                    let start = channel * size * size + row * size + left;
                    let from = &pixels[other * stride + start..][..patch];
                    views[index * stride + start..][..patch].copy_from_slice(from);
                }
            }
        }
        views
    }

    fn penalty(
        &self,
        _image: &Tensor<2>,
        _text: Option<&Tensor<2>>,
        views: Option<&Tensor<2>>,
        teacher: &TeacherEmbeddings,
    ) -> Option<Tensor<1>> {
        let (own, theirs) = (views?.clone(), teacher.views.clone()?);
        let [batch, _] = own.dims();
        Some((own - theirs).powi_scalar(2).sum().mul_scalar(self.weight / batch as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_from_the_image_or_from_one_other() {
        let (size, patch, count) = (6, 2, 4);
        let stride = 3 * size * size;
        let pixels: Vec<f32> = (0..count * stride).map(|at| at as f32).collect();
        let images = Images { pixels: &pixels, size, patch, seed: 3, step: 5 };
        let views = |mask| MaskFill { weight: 1.0, mask }.views(&images);
        assert_eq!(views(0.0), pixels);
        let half = views(0.5);
        assert_eq!(half, views(0.5), "a function of seed and step");
        assert_ne!(half, MaskFill { weight: 1.0, mask: 0.5 }.views(&Images { step: 6, ..images }));
        let mut filled = 0;
        for (index, view) in half.chunks(stride).enumerate() {
            let mut others = Vec::new();
            for (at, &value) in view.iter().enumerate() {
                // Each pixel keeps its place, and is of one of the images.
                assert_eq!(value as usize % stride, at);
                let of = value as usize / stride;
                if of != index && !others.contains(&of) {
                    others.push(of);
                }
                let (row, column) = (at / size % size, at % size);
                let corner = at - (row % patch) * size - column % patch;
                assert_eq!(view[corner] as usize / stride, of, "patches are whole");
                filled += usize::from(of != index);
            }
            assert!(others.len() <= 1, "{others:?}");
        }
        assert!(filled > 0);
    }
}
