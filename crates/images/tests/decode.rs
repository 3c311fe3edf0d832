//! Decoding compared with Pillow's, for every kind of file, and the errors of bad files.
//!
//! `xtask/fixtures/images.py` writes the files and the hashes of the pixels.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;
use radapter_images::{DecodeLimits, DecodeOptions, ImageError, decode_bytes, decode_file};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Manifest {
    files: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    width: u32,
    height: u32,
    sha256: String,
    /// At a fraction of the size, by its denominator.
    #[serde(default)]
    scaled: BTreeMap<u32, Expected>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn manifest() -> Manifest {
    serde_json::from_slice(&fixture("expected.json")).unwrap()
}

/// The least reduction of JPEGs that keeps `side` pixels.
fn reduced(side: u32) -> DecodeOptions {
    DecodeOptions { shorter_side: Some(side), ..DecodeOptions::default() }
}

fn decode(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    decode_bytes(bytes, "some.file", &DecodeOptions::default())
}

#[test]
fn every_kind_of_file_decodes_to_pillow_s_pixels() {
    let files = manifest().files;
    assert!(files.len() > 50);
    let mut different = Vec::new();
    for (name, expected) in files {
        let image = decode_file(&folder().join(&name), &DecodeOptions::default()).unwrap();
        assert_eq!(image.dimensions(), (expected.width, expected.height), "{name}");
        let hash: String = Sha256::digest(image.as_raw()).iter().map(|byte| format!("{byte:02x}")).collect();
        if hash != expected.sha256 {
            different.push(name);
        }
    }
    assert!(different.is_empty(), "{different:?}");
}

#[test]
fn jpegs_decode_to_the_fractions_that_pillow_drafts() {
    let (mut count, mut different) = (0, Vec::new());
    for (name, Expected { width, height, scaled, .. }) in manifest().files {
        for (parts, expected) in scaled {
            // The longest shorter side that this fraction still has.
            let side = width.min(height) / parts;
            let image = decode_file(&folder().join(&name), &reduced(side)).unwrap();
            let hash: String = Sha256::digest(image.as_raw()).iter().map(|byte| format!("{byte:02x}")).collect();
            if (image.dimensions(), &hash) != ((expected.width, expected.height), &expected.sha256) {
                different.push(format!("{name} by {parts}: {:?}", image.dimensions()));
            }
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
    assert!(different.is_empty(), "{} of {count}: {different:?}", different.len());
}

#[test]
fn what_is_small_or_no_jpeg_is_decoded_whole() {
    for name in ["ycc-420.jpg", "rgb.png", "lossless.webp"] {
        let path = folder().join(name);
        let whole = decode_file(&path, &DecodeOptions::default()).unwrap();
        assert_eq!(decode_file(&path, &reduced(16)).unwrap(), whole, "{name}");
    }
}

#[test]
fn a_tiff_whose_pixels_would_not_be_pillow_s_is_refused() {
    let bytes = fixture("grey.tiff");
    // The little-endian entries of compression and of the number of samples.
    let at = |tag: u16| {
        let entry = [tag.to_le_bytes(), [3, 0]].concat();
        bytes.windows(4).position(|window| window == entry).unwrap()
    };
    let mut jpeg = bytes.clone();
    jpeg[at(259) + 8] = 7;
    let error = decode(&jpeg).unwrap_err();
    assert!(matches!(error, ImageError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("compressed as JPEG"), "{error}");
    let mut twice = bytes.clone();
    twice[at(262)..][..2].copy_from_slice(&257_u16.to_le_bytes());
    let error = decode(&twice).unwrap_err();
    assert!(error.to_string().contains("two values of tag 257"), "{error}");
}

/// Every proper prefix of the file.
fn prefixes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len()).map(|length| &bytes[..length])
}

#[test]
fn a_cut_jpeg_is_an_error_wherever_it_is_cut() {
    for name in ["ycc-420.jpg", "ycc-444-progressive.jpg", "restarts.jpg", "restarts-progressive.jpg", "grey.jpg"] {
        let bytes = fixture(name);
        let data = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 20;
        for cut in prefixes(&bytes) {
            let error = decode(cut).unwrap_err();
            if cut.len() > data {
                assert!(matches!(error, ImageError::Truncated { .. }), "{name} {}: {error}", cut.len());
            }
        }
    }
}

/// Files with damaged data: `xtask/fixtures/damaged.py` writes them and the hashes of the pixels that Pillow decodes. Some
/// damage looks like other valid data.
#[test]
fn damaged_jpegs_are_errors_with_pillow_s_pixels() {
    let manifest: Manifest = serde_json::from_slice(&fixture("../damaged/expected.json")).unwrap();
    let mut refused = 0;
    for (name, expected) in manifest.files {
        let image = match decode(&fixture(&format!("../damaged/{name}"))) {
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("`--on-damage decode`"), "{name}: {error}");
                let ImageError::Damaged { image, .. } = error else { panic!("{name}: {error}") };
                image.into_image().as_ref().clone()
            }
            Ok(image) => image,
        };
        assert_eq!(image.dimensions(), (expected.width, expected.height), "{name}");
        let hash: String = Sha256::digest(image.as_raw()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, expected.sha256, "{name}");
    }
    assert!(refused >= 15, "{refused}");
}

#[test]
fn a_jpeg_whose_data_end_before_its_end_marker_is_an_error() {
    for name in ["ycc-420.jpg", "ycc-444-progressive.jpg", "restarts.jpg", "grey.jpg", "cmyk.jpg"] {
        let bytes = fixture(name);
        let cut = [&bytes[..bytes.len() - 60], &[0xff, 0xd9]].concat();
        let error = decode(&cut).unwrap_err();
        let message = error.to_string();
        let cause = match error {
            ImageError::Damaged { error, .. } => *error,
            error => error,
        };
        assert!(matches!(cause, ImageError::Truncated { .. }), "{name}: {message}");
        assert!(message.contains("some.file"), "{message}");
    }
}

#[test]
fn a_cut_png_or_webp_is_an_error_wherever_it_is_cut() {
    let is_cut_here = |name: &str| name.ends_with(".png") || name.ends_with(".webp");
    for (name, _) in manifest().files.iter().filter(|(name, _)| is_cut_here(name)) {
        let bytes = fixture(name);
        for cut in prefixes(&bytes) {
            let error = decode(cut).unwrap_err();
            if cut.len() > 30 {
                assert!(matches!(error, ImageError::Truncated { .. }), "{name} {}: {error}", cut.len());
            }
        }
    }
}

/// Their decoders may not miss a trailer, but they never fill in pixels.
#[test]
fn a_cut_bmp_gif_tiff_or_pnm_is_an_error_or_whole() {
    let kinds = ["bmp", "gif", "tiff", "ppm", "pgm", "pbm"];
    // Numbers as text may be cut within the last one: 2 may be the start of 235.
    let is_cut_here = |name: &str| name != "text.ppm" && kinds.iter().any(|kind| name.ends_with(kind));
    let mut cut_short = 0;
    for (name, _) in manifest().files.iter().filter(|(name, _)| is_cut_here(name)) {
        let bytes = fixture(name);
        let whole = decode(&bytes).unwrap();
        for cut in prefixes(&bytes) {
            match decode(cut) {
                Ok(image) => assert!(image == whole, "{name} {}", cut.len()),
                Err(_) => cut_short += 1,
            }
        }
    }
    assert!(cut_short > 40_000, "{cut_short}");
}

/// The container is all there, but the compressed data in it are not.
#[test]
fn a_png_with_too_little_data_is_an_error() {
    let bytes = fixture("rgb.png");
    let data = bytes.windows(4).position(|name| name == b"IDAT").unwrap();
    for kept in [0u32, 1, 100, 1000] {
        let mut cut = bytes[..data - 4].to_vec();
        cut.extend(kept.to_be_bytes());
        let chunk = &bytes[data..][..4 + kept as usize];
        cut.extend(chunk);
        cut.extend(crc32(chunk).to_be_bytes());
        cut.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
        assert!(decode(&cut).is_err(), "{kept}");
    }
}

#[test]
fn a_text_file_named_jpg_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cat.jpg");
    std::fs::write(&path, "<Error>access denied</Error>").unwrap();
    let error = decode_file(&path, &DecodeOptions::default()).unwrap_err().to_string();
    assert!(error.contains("cat.jpg") && error.contains("text that starts with \"<Error>"), "{error}");
    std::fs::write(&path, "").unwrap();
    let error = decode_file(&path, &DecodeOptions::default()).unwrap_err().to_string();
    assert!(error.contains("an empty file"), "{error}");
}

#[test]
fn the_content_tells_the_format_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("really-a-jpeg.png");
    std::fs::write(&path, fixture("ycc-444.jpg")).unwrap();
    let image = decode_file(&path, &DecodeOptions::default()).unwrap();
    assert_eq!(image, decode(&fixture("ycc-444.jpg")).unwrap());
}

#[test]
fn what_cannot_be_opened_names_its_path() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("no such image.png"), folder.path().to_owned()] {
        let error = decode_file(&path, &DecodeOptions::default()).unwrap_err();
        assert!(matches!(error, ImageError::Read { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn other_image_formats_are_named() {
    let error = decode(b"8BPS\0\x01").unwrap_err();
    assert!(matches!(&error, ImageError::Unsupported { found, .. } if found == "Photoshop"), "{error}");
}

/// A header of 30000×30000 pixels, in each format, without data. Nothing may be allocated for it.
#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let patched = |name: &str, old: &[u8], new: &[u8]| {
        let mut bytes = fixture(name);
        let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
        bytes[at..at + old.len()].copy_from_slice(new);
        bytes
    };
    let side = 30_000u32;
    let png = {
        let mut header = b"IHDR".to_vec();
        header.extend(side.to_be_bytes());
        header.extend(side.to_be_bytes());
        header.extend([8, 2, 0, 0, 0]);
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
        bytes.extend(&header);
        bytes.extend(crc32(&header).to_be_bytes());
        bytes
    };
    let jpeg = patched("ycc-444.jpg", &[0, 29, 0, 37], &[0x75, 0x30, 0x75, 0x30]);
    for (bytes, format) in [(png, "PNG"), (jpeg, "JPEG")] {
        match decode(&bytes).unwrap_err() {
            ImageError::TooManyPixels { name, width, height, max_pixels } => {
                assert_eq!(
                    (name.as_str(), width, height, max_pixels),
                    ("some.file", side, side, 89_478_485),
                    "{format}"
                );
            }
            error => panic!("{format}: {error}"),
        }
    }
}

#[test]
fn an_image_without_pixels_is_an_error_at_once() {
    // Three billion rows of no width kept the decoder busy for more than ten seconds.
    for bytes in [&b"P4 0 2999999999\n"[..], b"P6 0 5 255\n", b"P5 5 0 255\n"] {
        let started = std::time::Instant::now();
        assert!(decode(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        assert!(started.elapsed().as_secs() < 5, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn the_limits_can_be_set() {
    for name in ["rgb.png", "ycc-420.jpg", "ycc-420-progressive.jpg", "lossless.webp"] {
        let bytes = fixture(name);
        let limits = |max_pixels, max_bytes| DecodeOptions::from(DecodeLimits { max_pixels, max_bytes });
        let size = bytes.len() as u64;
        assert!(decode_bytes(&bytes, name, &limits(37 * 29, size)).is_ok());
        let error = decode_bytes(&bytes, name, &limits(37 * 29 - 1, size)).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("37×29") && error.contains("1072"), "{error}");
        let error = decode_bytes(&bytes, name, &limits(u64::MAX, size - 1)).unwrap_err();
        assert!(matches!(error, ImageError::FileTooLarge { .. }), "{error}");
        let error = decode_file(&folder().join(name), &limits(u64::MAX, size - 1)).unwrap_err();
        assert!(matches!(error, ImageError::FileTooLarge { .. }), "{error}");
    }
}

/// CRC-32 as PNG has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

mod mutations {
    use proptest::prelude::*;

    use super::*;

    fn names() -> Vec<String> {
        manifest().files.into_keys().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

        /// Any file gives an image or an error, never a panic.
        #[test]
        fn no_change_of_a_file_makes_it_panic(
            name in proptest::sample::select(names()),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = fixture(&name);
            for (index, value) in changes {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            // A small limit, so that a changed header does not make this slow.
            let limits = DecodeLimits { max_pixels: 1 << 20, ..DecodeLimits::default() };
            if let Ok(image) = decode_bytes(&bytes, &name, &limits.into()) {
                prop_assert!(u64::from(image.width()) * u64::from(image.height()) <= limits.max_pixels);
            }
        }
    }
}
