//! Crops and the horizontal flip, as torchvision applies them to Pillow images.

use image::{Rgb, RgbImage};

/// Crops `width` × `height` pixels from the corner `(left, top)`. Pixels outside the image are black, as in Pillow's
/// `crop`.
pub fn crop(image: &RgbImage, left: i64, top: i64, width: u32, height: u32) -> RgbImage {
    crop_filled(image, left, top, width, height, 0)
}

/// Crops the central square of side `size`, as torchvision's `CenterCrop`. A shorter side is padded with black.
pub fn center_crop(image: &RgbImage, size: u32) -> RgbImage {
    crop(image, center_offset(image.width().into(), size), center_offset(image.height().into(), size), size, size)
}

/// Mirrors the image left to right.
pub fn flip_horizontal(image: &RgbImage) -> RgbImage {
    image::imageops::flip_horizontal(image)
}

/// Where the middle `size` of `length` begins; where `size` is longer, minus the padding before it.
///
/// torchvision rounds the offset of a crop half to even, and that of a padding down.
pub(super) fn center_offset(length: u64, size: u32) -> i64 {
    let size = u64::from(size);
    let offset =
        if length < size { -(((size - length) / 2) as f64) } else { ((length - size) as f64 / 2.0).round_ties_even() };
    offset as i64
}

/// [`crop`] with the grey value `fill` outside the image.
pub(super) fn crop_filled(image: &RgbImage, left: i64, top: i64, width: u32, height: u32, fill: u8) -> RgbImage {
    let mut out = RgbImage::from_pixel(width, height, Rgb([fill; 3]));
    // The columns and rows inside both image and crop, in the image's coordinates.
    let (right, bottom) = (left.saturating_add(i64::from(width)), top.saturating_add(i64::from(height)));
    let columns = left.max(0)..right.min(i64::from(image.width()));
    let rows = top.max(0)..bottom.min(i64::from(image.height()));
    if columns.is_empty() || rows.is_empty() {
        return out;
    }
    let bytes = (columns.end - columns.start) as usize * 3;
    let at = |x: i64, y: i64, width: u32| (y as usize * width as usize + x as usize) * 3;
    for y in rows {
        let from = at(columns.start, y, image.width());
        let to = at(columns.start - left, y - top, width);
        out.as_mut()[to..to + bytes].copy_from_slice(&image.as_raw()[from..from + bytes]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_the_middle_as_torchvision() {
        // (length, size) → offset; halves go to the even neighbour.
        for (length, size, offset) in
            [(10, 10, 0), (11, 10, 0), (13, 10, 2), (15, 10, 2), (17, 10, 4), (9, 10, 0), (7, 10, -1), (6, 10, -2)]
        {
            assert_eq!(center_offset(length, size), offset, "{length} {size}");
        }
    }

    #[test]
    fn outside_is_filled() {
        let image = RgbImage::from_fn(2, 2, |x, y| Rgb([1 + x as u8 + 2 * y as u8; 3]));
        let reds = |image: RgbImage| image.pixels().map(|p| p[0]).collect::<Vec<_>>();
        assert_eq!(reds(crop(&image, -1, -1, 3, 2)), [0, 0, 0, 0, 1, 2]);
        assert_eq!(reds(crop(&image, 1, 0, 2, 2)), [2, 0, 4, 0]);
        assert_eq!(reds(crop(&image, 5, 5, 1, 1)), [0]);
        assert_eq!(reds(crop(&image, i64::MIN, i64::MAX, 1, 1)), [0]);
        assert_eq!(reds(crop_filled(&image, 0, 0, 3, 3, 9)), [1, 2, 9, 3, 4, 9, 9, 9, 9]);
        assert_eq!(reds(flip_horizontal(&image)), [2, 1, 4, 3]);
    }
}
