//! Label maps as images and overlays, images side by side.

use image::{Rgb, RgbImage, imageops};
use radapter_datasets::label_map::{IGNORED, LabelMap, colour};

/// Opacity of the labels' colours in an overlay, from 0 to 1.
const INK: f32 = 0.6;

/// A label map in its labels' colours; ignored pixels are black.
pub fn paint_labels(map: &LabelMap) -> RgbImage {
    let pixel = |x: u32, y: u32| {
        let label = map.labels()[y as usize * map.width() + x as usize];
        Rgb(if label == IGNORED { [0; 3] } else { colour(label) })
    };
    RgbImage::from_fn(map.width() as u32, map.height() as u32, pixel)
}

/// An image of a map's size under its labels' colours, with an outline around each region.
///
/// The image is grey and its shadows are lifted, because the colours of the image would mix with those of the labels, and a dark
/// image would hide them. Ignored pixels keep the image.
pub fn overlaid(image: &RgbImage, map: &LabelMap) -> RgbImage {
    let (width, labels) = (map.width(), map.labels());
    let mut overlaid = image.clone();
    for (at, (pixel, &label)) in overlaid.pixels_mut().zip(labels).enumerate() {
        let last_column = at % width + 1 == width;
        let right = if last_column { label } else { labels[at + 1] };
        let below = labels.get(at + width).copied().unwrap_or(label);
        if right != label || below != label {
            pixel.0 = [255; 3];
        } else if label != IGNORED {
            let [red, green, blue] = pixel.0.map(f32::from);
            let grey = 64.0 + 0.75 * (0.299 * red + 0.587 * green + 0.114 * blue);
            pixel.0 = colour(label).map(|ink| (grey * (1.0 - INK) + f32::from(ink) * INK).round() as u8);
        }
    }
    overlaid
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

    #[test]
    fn an_overlay_outlines_regions_and_shows_colours_on_black() {
        let labels = vec![0, 0, 1, 1, IGNORED, IGNORED];
        let map = LabelMap::new(6, 1, labels).expect("a label for each pixel");
        let overlay = overlaid(&RgbImage::new(6, 1), &map);
        let pixels: Vec<[u8; 3]> = overlay.pixels().map(|pixel| pixel.0).collect();
        assert_eq!((pixels[1], pixels[3]), ([255; 3], [255; 3]), "the borders");
        assert_eq!((pixels[4], pixels[5]), ([0; 3], [0; 3]), "the image itself");
        let lightened = colour(0).map(|ink| (25.6 + 0.6 * f32::from(ink)).round() as u8);
        assert_eq!(pixels[0], lightened);
    }
}
