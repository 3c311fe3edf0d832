//! Prints the differences of this crate's JPEG decoder, and of `zune-jpeg` for comparison, to Pillow.
//!
//! `xtask/fixtures/jpeg_differences.py` makes the files and describes the procedure, `xtask/fixtures/damaged.py` makes damaged
//! ones; the results are in `docs/image-decoding.md`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and this one prints a table")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use radapter_images::{DecodeOptions, ImageError, decode_file};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Differences over several files.
#[derive(Default)]
struct Differences {
    files: usize,
    largest: u8,
    sum: u64,
    different: u64,
    values: u64,
}

impl Differences {
    fn add(&mut self, found: &[u8], expected: &[u8]) {
        assert_eq!(found.len(), expected.len());
        self.files += 1;
        self.values += expected.len() as u64;
        for difference in found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)) {
            self.largest = self.largest.max(difference);
            self.sum += u64::from(difference);
            self.different += u64::from(difference > 0);
        }
    }
}

fn zune(path: &Path) -> Vec<u8> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
    let bytes = std::fs::read(path).unwrap();
    JpegDecoder::new_with_options(ZCursor::new(bytes), options).decode().unwrap()
}

#[test]
fn differences_to_pillow() {
    let Some(folder) = std::env::var_os("RADAPTER_JPEG_DIR").map(PathBuf::from) else {
        println!("skipped: RADAPTER_JPEG_DIR names no folder");
        return;
    };
    let mut table: BTreeMap<(String, &str), Differences> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jpg") {
            continue;
        }
        let subsampling = path.file_stem().unwrap().to_str().unwrap()[..3].to_owned();
        let expected = std::fs::read(path.with_extension("rgb")).unwrap();
        let ours = decode_file(&path, &DecodeOptions::default()).unwrap().into_raw();
        let other = zune(&path);
        std::fs::write(path.with_extension("ours"), &ours).unwrap();
        std::fs::write(path.with_extension("other"), &other).unwrap();
        table.entry((subsampling.clone(), "ours")).or_default().add(&ours, &expected);
        table.entry((subsampling, "zune-jpeg")).or_default().add(&other, &expected);
    }
    println!("| subsampling | decoder | files | max | mean | different values |");
    println!("|---|---|---|---|---|---|");
    for ((subsampling, decoder), d) in &table {
        let share = |part: u64| part as f64 / d.values as f64;
        let (mean, different) = (share(d.sum), share(d.different) * 100.0);
        println!("| {subsampling} | {decoder} | {} | {} | {mean:.4} | {different:.1} % |", d.files, d.largest);
    }
    for ((subsampling, decoder), d) in &table {
        assert!(*decoder != "ours" || d.largest == 0, "{subsampling}: {}", d.largest);
    }
}

#[test]
fn damaged_files_have_pillow_s_pixels() {
    let Some(folder) = std::env::var_os("RADAPTER_DAMAGED_DIR").map(PathBuf::from) else {
        println!("skipped: RADAPTER_DAMAGED_DIR names no folder");
        return;
    };
    // By outcome here and in Pillow, files.
    let mut table: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jpg") {
            continue;
        }
        let (ours, image) = match decode_file(&path, &DecodeOptions::default()) {
            Ok(image) => ("accepted", Some(image.into_raw())),
            Err(ImageError::Damaged { image, .. }) => ("recovered", Some(image.into_image().as_raw().clone())),
            Err(_) => ("refused", None),
        };
        let theirs = match (image, std::fs::read(path.with_extension("rgb"))) {
            (_, Err(_)) => "refused",
            (None, Ok(_)) => "accepted",
            (Some(ours), Ok(theirs)) if ours == theirs => "the same pixels",
            _ => "other pixels",
        };
        table.entry((ours, theirs)).or_default().push(path.file_stem().unwrap().to_string_lossy().into_owned());
    }
    for ((ours, theirs), files) in &table {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        // `NUMBER-KIND`
        files.iter().for_each(|file| *kinds.entry(file.split_once('-').map_or("", |(_, kind)| kind)).or_default() += 1);
        println!("{ours}, by Pillow {theirs}: {}, such as {}: {kinds:?}", files.len(), files[0]);
    }
    assert!(!table.is_empty(), "the folder has no JPEG");
    // Files accepted here that differ are progressive, and end properly before their last scans: they are not smoothed.
    assert!(!table.contains_key(&("recovered", "other pixels")));
}
