//! Drawn images, image folders and suites.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};

/// Side of the drawn images, in pixels.
const SIDE: u32 = 24;

/// An image whose class a tiny model can learn: a grating whose direction and colour depend on `class`, shifted and darkened by
/// `index`. `shifted` changes the colours, as another domain would.
pub(crate) fn drawn(class: u32, index: u32, shifted: bool) -> RgbImage {
    let dark = 1.0 - 0.06 * (index % 5) as f32;
    RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let along = match class % 3 {
            0 => x,
            1 => y,
            _ => x + y,
        };
        let light = if ((along + index) / 4).is_multiple_of(2) { 220.0 } else { 40.0 };
        let mut pixel = [60.0, 60.0, 60.0];
        pixel[(class as usize + usize::from(shifted)) % 3] = light;
        Rgb(pixel.map(|value| (value * dark) as u8))
    })
}

/// Writes an image folder with `each` drawn images per class.
pub(crate) fn classes_folder(root: &Path, classes: &[&str], each: u32, shifted: bool) -> PathBuf {
    for (number, class) in classes.iter().enumerate() {
        let folder = root.join(class);
        std::fs::create_dir_all(&folder).unwrap();
        for index in 0..each {
            drawn(number as u32, index, shifted).save(folder.join(format!("{index:02}.png"))).unwrap();
        }
    }
    root.to_owned()
}

/// Writes a small PNG of one colour.
pub(crate) fn solid_png(path: &Path, colour: [u8; 3]) {
    RgbImage::from_pixel(SIDE, SIDE, Rgb(colour)).save(path).unwrap();
}

/// Writes a suite of `near` (in distribution) and two shifted sets below `root`.
pub(crate) fn write_suite(root: &Path, classes: &[&str], each: u32) -> PathBuf {
    classes_folder(&root.join("near"), classes, each, false);
    classes_folder(&root.join("far"), classes, each, true);
    classes_folder(&root.join("part"), &classes[..2], each, true);
    let subset = serde_json::to_string(&classes[..2]).unwrap();
    std::fs::write(root.join("subset.json"), subset).unwrap();
    let suite = "[id]\nname = \"near\"\ndata = \"near\"\n\n[[ood]]\nname = \"far\"\ndata = \"far\"\n\n[[ood]]\nname = \
                 \"part\"\ndata = \"part\"\nclasses = \"subset.json\"\n";
    let path = root.join("suite.toml");
    std::fs::write(&path, suite).unwrap();
    path
}
