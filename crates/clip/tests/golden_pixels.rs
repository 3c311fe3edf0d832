//! Pixels that a checkpoint's config asks for, against OpenCLIP's.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and say what it skips")]

use std::path::{Path, PathBuf};

use radapter_clip::config::ClipConfig;
use radapter_images::{DecodeOptions, decode_file};

/// The images of the golden folder, from their files to the pixels that the image tower gets.
#[test]
fn golden_images_get_the_golden_pixels() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/clip-small");
    let folder = std::env::var_os("RADAPTER_GOLDEN").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: no golden folder; set RADAPTER_GOLDEN");
        return;
    }
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&read("manifest.json")).unwrap();
    let config = String::from_utf8(read("open_clip/open_clip_config.json")).unwrap();
    let preprocess = ClipConfig::from_open_clip_json(&config).unwrap().preprocessor();
    let expected = read("expected.safetensors");
    let tensors = safetensors::SafeTensors::deserialize(&expected).unwrap();
    let pixels = tensors.tensor("pixels").unwrap();
    let pixels: Vec<f32> = pixels.data().as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect();

    let side = preprocess.image_size();
    let names = manifest["images"].as_array().unwrap();
    assert_eq!(pixels.len(), names.len() * 3 * side * side);
    for (name, expected) in names.iter().zip(pixels.chunks_exact(3 * side * side)) {
        let path = folder.join("images").join(name.as_str().unwrap());
        let found = preprocess.apply(&decode_file(&path, &DecodeOptions::default()).unwrap());
        let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name}: largest difference {difference:e}");
        assert!(difference <= 1e-6, "{name}: {difference:e}");
    }
}
