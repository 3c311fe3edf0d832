//! Ten images with each model's label maps.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use burn::tensor::Device;
use image::{Rgb, RgbImage, imageops};
use radapter::clip::checkpoint::Checkpoint;
use radapter::embedding::Image;
use radapter::images::DecodeOptions;
use radapter_report::{paint_labels, side_by_side};

use super::measure::{Masks, Val};

/// Pixels between images.
const GAP: u32 = 4;

/// Writes a strip for each image into `folder`: the image, the annotation, and each model's map on built-in masks. The docs get only
/// the maps, half as large, because images and annotations are not ours to publish.
pub(super) fn write(val: &Val, models: &BTreeMap<&str, Checkpoint>, folder: &Path, docs: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let some = val.some();
    let images: Vec<Image> = some.iter().map(|(_, image)| image.clone()).collect();
    let mut strips: Vec<Vec<RgbImage>> = vec![Vec::new(); some.len()];
    for name in ["zero-shot", "full fine-tuning", "R-Adapter"] {
        let Some(model) = models.get(name) else { continue };
        val.segment(model, Masks::Builtin, &Device::flex(), &images, &mut |segmented| {
            strips[segmented.index].push(paint_labels(&segmented.map));
            Ok(())
        })?;
    }
    let save = |picture: &RgbImage, path: &Path| {
        picture.save(path).with_context(|| format!("cannot write {}", path.display()))
    };
    let mut rows = Vec::new();
    for ((index, image), maps) in some.iter().zip(&strips) {
        let picture = image.source.load(&DecodeOptions::default())?;
        let mut whole = vec![(*picture).clone(), paint_labels(&val.truth(*index)?)];
        whole.extend(maps.iter().cloned());
        save(&side_by_side(&whole, GAP), &folder.join(format!("{}.png", image.name)))?;
        let half =
            |map: &RgbImage| imageops::resize(map, map.width() / 2, map.height() / 2, imageops::FilterType::Nearest);
        rows.push(side_by_side(&maps.iter().map(half).collect::<Vec<_>>(), GAP));
    }
    let width = rows.iter().map(RgbImage::width).max().unwrap_or(0);
    let height = rows.iter().map(|row| row.height() + GAP).sum::<u32>().saturating_sub(GAP);
    let mut sheet = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut top = 0;
    for row in &rows {
        imageops::replace(&mut sheet, row, 0, i64::from(top));
        top += row.height() + GAP;
    }
    save(&sheet, &docs.join("results/camvid-maps.png"))
}
