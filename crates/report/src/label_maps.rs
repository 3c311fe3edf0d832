//! Label maps as images, and images side by side.

use image::{Rgb, RgbImage, imageops};
use radapter_datasets::label_map::{IGNORED, LabelMap, colour};

/// A label map in its labels' colours; ignored pixels are black.
pub fn paint_labels(map: &LabelMap) -> RgbImage {
    let pixel = |x: u32, y: u32| {
        let label = map.labels()[y as usize * map.width() + x as usize];
        Rgb(if label == IGNORED { [0; 3] } else { colour(label) })
    };
    RgbImage::from_fn(map.width() as u32, map.height() as u32, pixel)
}

/// Images in a row on white, `gap` pixels apart.
pub fn side_by_side(images: &[RgbImage], gap: u32) -> RgbImage {
    let width = images.iter().map(|image| image.width() + gap).sum::<u32>().saturating_sub(gap);
    let height = images.iter().map(RgbImage::height).max().unwrap_or(0);
    let mut row = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut left = 0;
    for image in images {
        imageops::replace(&mut row, image, i64::from(left), 0);
        left += image.width() + gap;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_keep_their_places() {
        let map = LabelMap::new(2, 1, vec![3, IGNORED]).expect("a label for each pixel");
        let painted = paint_labels(&map);
        assert_eq!([painted.get_pixel(0, 0).0, painted.get_pixel(1, 0).0], [colour(3), [0; 3]]);
        let row = side_by_side(&[painted.clone(), painted], 1);
        assert_eq!(row.dimensions(), (5, 1));
        assert_eq!([row.get_pixel(2, 0).0, row.get_pixel(3, 0).0], [[255; 3], colour(3)]);
        assert_eq!(side_by_side(&[], 4).dimensions(), (0, 0));
    }
}
