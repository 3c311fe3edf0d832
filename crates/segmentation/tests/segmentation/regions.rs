use std::sync::Arc;

use radapter_images::{ImageSource, RgbImage};
use radapter_segmentation::crop::{CropSettings, Cropper};
use radapter_segmentation::mask::{Mask, Rle};
use radapter_segmentation::regions::{Cache, ImageKey, ImageRegions, RegionEmbedder, Rows};

use crate::support::{SIZE, checkpoint, model, picture, write};

fn mask(from: usize, to: usize) -> Rle {
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    Rle::of(
        &Mask::new(width, height, (0..width * height).map(|at| (from..to).contains(&(at % width))).collect()).unwrap(),
    )
}

fn regions(index: usize, masks: Vec<Rle>, key: Option<ImageKey>) -> ImageRegions<usize> {
    let image: Arc<RgbImage> = Arc::new(picture(index));
    ImageRegions { name: format!("{index:03}"), image, masks, key, payload: index }
}

fn embedded(batch: usize, cache: Option<&Cache>, key: Option<ImageKey>) -> Vec<(usize, Rows)> {
    let (clip, cropper) = (model(3), Cropper::new(&checkpoint(3).config, CropSettings::default()).unwrap());
    let mut embedder = RegionEmbedder::new(&clip, &cropper, cache, batch);
    let mut done = Vec::new();
    let all = [
        vec![mask(0, 5), mask(4, 24)],
        vec![],
        vec![mask(7, 7)],
        (0..9).map(|at| mask(at, at + 6)).collect(),
        vec![mask(0, 24)],
    ];
    for (index, masks) in all.into_iter().enumerate() {
        let key = if index == 3 { key.clone() } else { None };
        done.extend(embedder.push(regions(index, masks, key)).unwrap());
    }
    done.extend(embedder.finish().unwrap());
    done.into_iter().map(|(regions, rows)| (regions.payload, rows)).collect()
}

#[test]
fn batches_across_images_match_single_regions() {
    let single = embedded(1, None, None);
    assert_eq!(single.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    // An empty mask has no row.
    assert_eq!(single[2].1, [None]);
    for batch in [2, 4, 64] {
        for ((a, rows), (b, others)) in embedded(batch, None, None).iter().zip(&single) {
            assert_eq!((a, rows.len()), (b, others.len()));
            for (row, other) in rows.iter().zip(others) {
                let (row, other) = (row.iter().flatten(), other.iter().flatten());
                row.zip(other).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "batch {batch}: {a} {b}"));
            }
        }
    }
}

#[test]
fn the_cache_is_keyed_by_model_image_and_mask() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 5);
    let source = ImageSource::File(folder.path().join("images/003.png"));
    let key = ImageKey::of(&source).unwrap();
    let open = |model: &str| Cache::open(&folder.path().join("cache"), model, 12, CropSettings::default()).unwrap();
    let first = embedded(4, Some(&open("a model")), key.clone());
    // Cached regions are in no batch, so that the others are in different batches.
    let again = embedded(4, Some(&open("a model")), key.clone());
    assert_eq!(again[3], first[3]);
    for ((_, rows), (_, others)) in again.iter().zip(&first) {
        let pairs = rows.iter().flatten().flatten().zip(others.iter().flatten().flatten());
        pairs.for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} {b}"));
    }
    // A value that is changed in the file is returned: rows come from the file.
    let file = |name: &std::path::Path| std::fs::read_dir(name).unwrap().next().unwrap().unwrap().path();
    let path = file(&file(&folder.path().join("cache")));
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&7.5_f32.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let changed = embedded(4, Some(&open("a model")), key.clone());
    assert!(changed[3].1.iter().flatten().flatten().any(|value| *value == 7.5));
    // Another model has no cached rows.
    assert_eq!(embedded(4, Some(&open("another model")), key.clone()), first);
    std::fs::write(&path, &bytes[..end - 1]).unwrap();
    let (clip, cropper) = (model(3), Cropper::new(&checkpoint(3).config, CropSettings::default()).unwrap());
    let cache = open("a model");
    let mut embedder = RegionEmbedder::new(&clip, &cropper, Some(&cache), 4);
    let error = embedder.push(regions(3, vec![mask(0, 3)], key)).unwrap_err().to_string();
    assert!(error.contains("delete it"), "{error}");
}
