//! Pillow's `Image.resize` for 8-bit RGB, byte for byte: two fixed-point passes, each rounded to 8 bits.
//!
//! The rounding between the passes, and the clipping of the bicubic filter's overshoot, make the result depend on the
//! order of the passes. It is that of Pillow 13 (see [`vertical_first`]); earlier versions always started with the
//! horizontal pass.

use std::ops::Range;

use image::RgbImage;

use crate::coefficients::{Axis, Coefficients, Interpolation, PRECISION_BITS};
use crate::error::BoxError;

/// One half in the weights' fixed point: added to a sum, it turns truncation into rounding.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

const CHANNELS: usize = 3;

/// Resizes an image with antialiasing, as Pillow's `image.resize((width, height), filter)`.
///
/// A size of zero gives an empty image.
pub fn resize(image: &RgbImage, width: u32, height: u32, filter: Interpolation) -> RgbImage {
    let (columns, rows) = (width as usize, height as usize);
    let across = Axis::whole(image.width() as usize, columns);
    let down = Axis::whole(image.height() as usize, rows);
    resize_part(image, across, down, 0..columns, 0..rows, filter)
}

/// Resizes a part of an image, as Pillow's `image.resize((width, height), filter, box=corners)`.
///
/// `corners` are the left, top, right and bottom edges, which may lie between pixels. Pixels outside the box contribute
/// where the filter reaches them; torchvision's random resized crop [crops](crate::crop) first instead.
///
/// # Errors
/// [`BoxError`] if the box is empty, not finite, or reaches outside the image.
pub fn resize_box(
    image: &RgbImage,
    corners: [f32; 4],
    width: u32,
    height: u32,
    filter: Interpolation,
) -> Result<RgbImage, BoxError> {
    let [left, top, right, bottom] = corners;
    let inside = left >= 0.0 && top >= 0.0 && right <= image.width() as f32 && bottom <= image.height() as f32;
    // A NaN fails every comparison.
    if !(inside && right > left && bottom > top) {
        return Err(BoxError { corners, width: image.width(), height: image.height() });
    }
    let (columns, rows) = (width as usize, height as usize);
    let across = Axis { in_size: image.width() as usize, from: left, to: right, out_size: columns };
    let down = Axis { in_size: image.height() as usize, from: top, to: bottom, out_size: rows };
    Ok(resize_part(image, across, down, 0..columns, 0..rows, filter))
}

/// Computes only the pixels in `columns` and `rows` of the resized image. A long thin image would be huge before its
/// crop.
pub(super) fn resize_part(
    image: &RgbImage,
    across: Axis,
    down: Axis,
    columns: Range<usize>,
    rows: Range<usize>,
    filter: Interpolation,
) -> RgbImage {
    let size = |range: &Range<usize>| u32::try_from(range.len()).unwrap_or(u32::MAX);
    let (width, height) = (size(&columns), size(&rows));
    if columns.is_empty() || rows.is_empty() || image.is_empty() {
        return RgbImage::new(width, height);
    }
    let stride = image.width() as usize * CHANNELS;
    let pixels = if vertical_first(across, down) {
        let shortened = resize_columns(image.as_raw(), stride, &Coefficients::new(filter, down, rows));
        resize_rows(&shortened, stride, &Coefficients::new(filter, across, columns))
    } else {
        let vertical = Coefficients::new(filter, down, rows);
        // The horizontal pass computes only the rows that the vertical pass reads.
        let needed = vertical.needed();
        let source = &image.as_raw()[needed.start * stride..needed.end * stride];
        let narrowed = resize_rows(source, stride, &Coefficients::new(filter, across, columns));
        resize_columns(&narrowed, width as usize * CHANNELS, &vertical.without_first(needed.start))
    };
    RgbImage::from_raw(width, height, pixels).expect("the passes fill width × height pixels")
}

/// Pillow 13's rule: the vertical pass comes first if it removes more than twice as many rows as the horizontal pass
/// removes columns. Sizes of the whole image count, not of the box.
fn vertical_first(across: Axis, down: Axis) -> bool {
    let removed = |axis: Axis| axis.in_size as i128 - axis.out_size as i128;
    removed(down) > 0 && removed(down) > 2 * removed(across)
}

/// The horizontal pass over rows of `stride` bytes.
fn resize_rows(source: &[u8], stride: usize, columns: &Coefficients) -> Vec<u8> {
    let out_stride = columns.len() * CHANNELS;
    let mut out = vec![0; source.len() / stride * out_stride];
    for (row, out) in source.chunks_exact(stride).zip(out.chunks_exact_mut(out_stride)) {
        for ((first, weights), out) in columns.iter().zip(out.chunks_exact_mut(CHANNELS)) {
            let mut sums = [HALF; CHANNELS];
            for (pixel, weight) in row[first * CHANNELS..].chunks_exact(CHANNELS).zip(weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*value) * weight;
                }
            }
            for (value, sum) in out.iter_mut().zip(sums) {
                *value = to_byte(sum);
            }
        }
    }
    out
}

/// The vertical pass over rows of `stride` bytes.
fn resize_columns(source: &[u8], stride: usize, rows: &Coefficients) -> Vec<u8> {
    let mut out = vec![0; rows.len() * stride];
    let mut sums = vec![HALF; stride];
    for ((first, weights), out) in rows.iter().zip(out.chunks_exact_mut(stride)) {
        sums.fill(HALF);
        for (row, weight) in source[first * stride..].chunks_exact(stride).zip(weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i32::from(*value) * weight;
            }
        }
        for (value, sum) in out.iter_mut().zip(&sums) {
            *value = to_byte(*sum);
        }
    }
    out
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}
