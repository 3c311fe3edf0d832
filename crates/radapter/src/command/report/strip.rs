//! Label maps as pictures, and pictures side by side.

use image::{Rgb, RgbImage, imageops};
use radapter_datasets::label_map::{IGNORED, LabelMap, colour};

/// A label map in its labels' colours; black where a pixel has none.
pub fn painted(map: &LabelMap) -> RgbImage {
    let pixel = |x: u32, y: u32| {
        let label = map.labels()[y as usize * map.width() + x as usize];
        Rgb(if label == IGNORED { [0; 3] } else { colour(label) })
    };
    RgbImage::from_fn(map.width() as u32, map.height() as u32, pixel)
}

/// Pictures from left to right on white, `gap` pixels apart.
pub fn beside(pictures: &[RgbImage], gap: u32) -> RgbImage {
    let width = pictures.iter().map(|picture| picture.width() + gap).sum::<u32>().saturating_sub(gap);
    let height = pictures.iter().map(RgbImage::height).max().unwrap_or(0);
    let mut strip = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut left = 0;
    for picture in pictures {
        imageops::replace(&mut strip, picture, i64::from(left), 0);
        left += picture.width() + gap;
    }
    strip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_places() {
        let map = LabelMap::new(2, 1, vec![3, IGNORED]).expect("a label for each pixel");
        let painted = painted(&map);
        assert_eq!([painted.get_pixel(0, 0).0, painted.get_pixel(1, 0).0], [colour(3), [0; 3]]);
        let strip = beside(&[painted.clone(), painted], 1);
        assert_eq!(strip.dimensions(), (5, 1));
        assert_eq!([strip.get_pixel(2, 0).0, strip.get_pixel(3, 0).0], [[255; 3], colour(3)]);
        assert_eq!(beside(&[], 4).dimensions(), (0, 0));
    }
}
