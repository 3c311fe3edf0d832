//! Images cut into patches, and joined again for the gradient.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Shape, bf16};

use super::buffer::{contiguous, fill, tensor, values};
use super::element::Value;
use crate::patches::Patches;

/// The sizes of images and their patches.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    channels: usize,
    height: usize,
    width: usize,
    patches: Patches,
}

impl Sizes {
    fn of(shape: &Shape, patches: Patches) -> Self {
        let [batch, channels, height, width] = [0, 1, 2, 3].map(|axis| shape[axis]);
        Self { batch, channels, height, width, patches }
    }

    fn grid(self) -> [usize; 2] {
        [self.height / self.patches.size, self.width / self.patches.size]
    }

    /// Values of a patch.
    fn row(self) -> usize {
        self.channels * self.patches.size * self.patches.size
    }

    /// Rows of an image.
    fn rows(self) -> usize {
        let [down, across] = self.grid();
        self.patches.lead + down * across
    }

    /// Values of an image.
    fn image(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Passes each line of each patch of an image: its start in the rows, and in the image.
    fn lines(self, mut take: impl FnMut(usize, usize)) {
        let (Patches { size, lead, .. }, [down, across]) = (self.patches, self.grid());
        for patch in 0..down * across {
            let (top, left) = (patch / across * size, patch % across * size);
            for channel in 0..self.channels {
                for line in 0..size {
                    let row = (lead + patch) * self.row() + (channel * size + line) * size;
                    take(row, (channel * self.height + top + line) * self.width + left);
                }
            }
        }
    }
}

pub(super) fn cut(pixels: FlexTensor, patches: Patches) -> FlexTensor {
    match patches.dtype {
        DType::BF16 => cut_to::<bf16>(pixels, patches),
        _ => cut_to::<f32>(pixels, patches),
    }
}

fn cut_to<V: Value>(pixels: FlexTensor, patches: Patches) -> FlexTensor {
    let pixels = contiguous::<f32>(pixels);
    let sizes = Sizes::of(&pixels.shape(), patches);
    let (from, size) = (values::<f32>(&pixels), patches.size);
    let piece = sizes.rows() * sizes.row();
    let out: Vec<V> = fill(sizes.batch * piece, piece.max(1), |start, out| {
        let image = &from[start / piece * sizes.image()..][..sizes.image()];
        out[..patches.lead * sizes.row()].iter_mut().for_each(|value| _ = value.write(V::default()));
        sizes.lines(|row, at| {
            let pixels = &image[at..at + size];
            out[row..row + size].iter_mut().zip(pixels).for_each(|(out, pixel)| _ = out.write(V::of(*pixel)));
        });
    });
    tensor(out, [sizes.batch * sizes.rows(), sizes.row()])
}

/// The gradient of the pixels.
pub(super) fn join(gradient: FlexTensor, shape: &Shape, patches: Patches) -> FlexTensor {
    match gradient.dtype() {
        DType::BF16 => join_from::<bf16>(gradient, shape, patches),
        _ => join_from::<f32>(gradient, shape, patches),
    }
}

fn join_from<V: Value>(gradient: FlexTensor, shape: &Shape, patches: Patches) -> FlexTensor {
    let gradient = contiguous::<V>(gradient);
    let sizes = Sizes::of(shape, patches);
    let (from, size, piece) = (values::<V>(&gradient), patches.size, sizes.rows() * sizes.row());
    let out: Vec<f32> = fill(sizes.batch * sizes.image(), sizes.image().max(1), |start, out| {
        out.iter_mut().for_each(|value| _ = value.write(0.0));
        let rows = &from[start / sizes.image().max(1) * piece..][..piece];
        sizes.lines(|row, at| {
            let slopes = &rows[row..row + size];
            out[at..at + size].iter_mut().zip(slopes).for_each(|(out, slope)| _ = out.write(slope.get()));
        });
    });
    tensor(out, shape.clone())
}
