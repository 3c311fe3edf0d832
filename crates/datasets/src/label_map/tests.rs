//! Label maps: reading and writing in each format, and errors.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use std::io::Cursor;
use std::path::PathBuf;

use png::{BitDepth, ColorType, Encoder};
use proptest::prelude::*;
use tiff::encoder::{TiffEncoder, colortype};

use super::*;
use crate::DatasetError;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Encodes a PNG of raw rows.
fn png(width: u32, height: u32, colour: ColorType, depth: BitDepth, rows: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == ColorType::Indexed {
        // Colours that are far from their indices.
        encoder
            .set_palette((0..1 << depth as u8).flat_map(|index: u16| [255 - index as u8, 7, 9]).collect::<Vec<u8>>());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(rows).unwrap();
    writer.finish().unwrap();
    bytes
}

fn tiff<C: colortype::ColorType>(width: u32, height: u32, values: &[C::Inner]) -> Vec<u8>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut bytes = Cursor::new(Vec::new());
    TiffEncoder::new(&mut bytes).unwrap().write_image::<C>(width, height, values).unwrap();
    bytes.into_inner()
}

fn stored(bytes: &[u8]) -> Result<Stored, DatasetError> {
    read_stored(&Folder::new().file("map", bytes))
}

fn message(bytes: &[u8], labelling: &Labelling) -> String {
    read(&Folder::new().file("map.png", bytes), labelling).unwrap_err().to_string()
}

#[track_caller]
fn contains(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn greys_and_palettes_are_read_as_indices() {
    use BitDepth::*;
    use ColorType::{Grayscale, Indexed};
    for colour in [Grayscale, Indexed] {
        // The rows' last bytes are padded with ones, which are not pixels.
        for (depth, width, rows, expected) in [
            (One, 3, vec![0b1011_1111, 0b0101_1111], vec![1, 0, 1, 0, 1, 0]),
            (Two, 5, vec![0b00_01_10_11, 0b10_111111], vec![0, 1, 2, 3, 2]),
            (Four, 3, vec![0x1f, 0x3f, 0x0a, 0x9f], vec![1, 15, 3, 0, 10, 9]),
            (Eight, 2, vec![0, 255, 7, 1], vec![0, 255, 7, 1]),
        ] {
            let height = (expected.len() / width) as u32;
            let found = stored(&png(width as u32, height, colour, depth, &rows)).unwrap();
            assert_eq!((found.width, found.height as u32), (width, height));
            assert_eq!(found.values, expected, "{colour:?} {depth:?}");
        }
    }
    let wide = png(2, 1, Grayscale, Sixteen, &[0x01, 0x02, 0xff, 0xff]);
    assert_eq!(stored(&wide).unwrap().values, [0x0102, 0xffff]);
}

#[test]
fn tiffs_of_8_and_16_bits_are_read() {
    let wide = stored(&tiff::<colortype::Gray16>(2, 3, &[0, 1, 846, 65_534, 65_535, 9])).unwrap();
    assert_eq!(wide, Stored { width: 2, height: 3, values: vec![0, 1, 846, 65_534, 65_535, 9] });
    let narrow = stored(&tiff::<colortype::Gray8>(3, 1, &[0, 149, 255])).unwrap();
    assert_eq!(narrow, Stored { width: 3, height: 1, values: vec![0, 149, 255] });
}

#[test]
fn one_pixel_is_a_map() {
    let folder = Folder::new();
    for classes in [1, 254, 255, 300] {
        let map = LabelMap::new(1, 1, vec![0]).unwrap();
        for write in [write_grey, write_palette] {
            let path = folder.0.path().join("one.png");
            write(&path, &map, classes).unwrap();
            assert_eq!(read(&path, &Labelling::new(classes, None, 0).unwrap()).unwrap(), map);
        }
    }
    assert_eq!(stored(&tiff::<colortype::Gray16>(1, 1, &[5])).unwrap().values, [5]);
}

#[test]
fn exactly_one_value_is_ignored() {
    for (classes, ignore, offset, expected) in [
        // (stored value, label), `u16::MAX` for ignored.
        (254, None, 0, vec![(0, Some(0)), (253, Some(253)), (254, None), (255, Some(IGNORED)), (65_535, None)]),
        (255, None, 0, vec![(254, Some(254)), (255, None), (65_535, Some(IGNORED))]),
        (300, None, 0, vec![(255, Some(255)), (300, None), (65_535, Some(IGNORED))]),
        (20, Some(0), 0, vec![(0, Some(IGNORED)), (1, Some(1)), (20, None), (255, None)]),
        (20, Some(99), 0, vec![(99, Some(IGNORED)), (255, None), (65_535, None)]),
        (150, None, 1, vec![(0, Some(IGNORED)), (1, Some(0)), (150, Some(149)), (151, None), (255, Some(IGNORED))]),
        (MAX_CLASSES, None, 1, vec![(65_534, Some(65_533)), (65_535, Some(IGNORED)), (0, Some(IGNORED))]),
    ] {
        let labelling = Labelling::new(classes, ignore, offset).unwrap();
        for (stored, label) in expected {
            assert_eq!(labelling.label(stored), label, "{labelling:?} {stored}");
        }
    }
}

#[test]
fn invalid_labellings_are_refused() {
    for (classes, offset, parts) in [
        (0, 0, ["0 classes", "1 to 65534"]),
        (65_535, 0, ["65535 classes", "1 to 65534"]),
        (3, 2, ["`--label-offset 2`", "expected 0"]),
    ] {
        contains(&Labelling::new(classes, None, offset).unwrap_err().to_string(), &parts);
    }
}

#[test]
fn a_label_out_of_range_is_named_with_its_pixel() {
    let image = png(2, 2, ColorType::Grayscale, BitDepth::Eight, &[0, 255, 1, 150]);
    let from_zero = message(&image, &Labelling::new(150, None, 0).unwrap());
    contains(
        &from_zero,
        &[
            "map.png",
            "label 150",
            "(1, 1)",
            "150 classes",
            "0 to 149",
            "255 is ignored",
            "`--label-offset 1`",
            "`--ignore 150`",
        ],
    );
    let from_one = message(&image, &Labelling::new(149, None, 1).unwrap());
    contains(&from_one, &["label 149", "stored as 150", "1 to 149", "omit `--label-offset 1`", "`--ignore 150`"]);
    assert_eq!(
        read(&Folder::new().file("map.png", &image), &Labelling::new(150, None, 1).unwrap()).unwrap().labels(),
        [IGNORED, IGNORED, 0, 149]
    );
    let wide = tiff::<colortype::Gray16>(1, 2, &[3, 65_535]);
    contains(&message(&wide, &Labelling::new(5, None, 0).unwrap()), &["label 65535", "(0, 1)", "`--ignore 65535`"]);
    assert!(read(&Folder::new().file("map.tif", &wide), &Labelling::new(5, Some(65_535), 0).unwrap()).is_ok());
}

#[test]
fn colours_are_not_labels() {
    for (colour, bytes, found) in [
        (ColorType::Rgb, 3, "an RGB PNG"),
        (ColorType::Rgba, 4, "an RGBA PNG"),
        (ColorType::GrayscaleAlpha, 2, "transparency"),
    ] {
        let image = png(1, 1, colour, BitDepth::Eight, &vec![1; bytes]);
        contains(&stored(&image).unwrap_err().to_string(), &[found, "must be class indices", "palette", "grey TIFF"]);
    }
    let image = tiff::<colortype::RGB8>(1, 1, &[1, 2, 3]);
    contains(&stored(&image).unwrap_err().to_string(), &["a TIFF in RGB", "must be class indices"]);
    let image = tiff::<colortype::Gray32>(1, 1, &[1]);
    contains(&stored(&image).unwrap_err().to_string(), &["a grey TIFF of 32 bits", "convert"]);
    let image = tiff::<colortype::GrayI16>(1, 1, &[1]);
    contains(&stored(&image).unwrap_err().to_string(), &["signed", "convert"]);
}

#[test]
fn files_of_other_formats_are_described() {
    for (bytes, found) in [
        (&b"\xff\xd8\xff\xe0"[..], "a JPEG"),
        (b"", "an empty file"),
        (b"BM123", "a BMP"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"something", "unknown data"),
    ] {
        contains(&stored(bytes).unwrap_err().to_string(), &[found, "expected a PNG"]);
    }
    let missing = read_stored(std::path::Path::new("nowhere/map.png")).unwrap_err().to_string();
    contains(&missing, &["nowhere/map.png", "cannot read"]);
}

#[test]
fn a_file_truncated_anywhere_is_an_error() {
    let image = png(9, 5, ColorType::Grayscale, BitDepth::Eight, &(0..45).collect::<Vec<u8>>());
    for length in 8..image.len() {
        let error = stored(&image[..length]).unwrap_err().to_string();
        assert!(error.contains("is truncated or damaged"), "{length} of {}: {error}", image.len());
    }
    let image = tiff::<colortype::Gray16>(4, 4, &(0..16).collect::<Vec<u16>>());
    for length in 4..image.len() {
        // The end may be padding only.
        if let Ok(found) = stored(&image[..length]) {
            assert_eq!(found.values, (0..16).collect::<Vec<u16>>(), "{length} of {}", image.len());
        }
    }
    contains(&stored(&image[..8]).unwrap_err().to_string(), &["TIFF", "truncated or damaged"]);
}

#[test]
fn a_header_cannot_allocate_gigabytes() {
    // A PNG's size is at the bytes 16 to 24, followed by five more and the checksum.
    let mut image = png(1, 1, ColorType::Grayscale, BitDepth::Eight, &[0]);
    image[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let checksum = crc(&image[12..29]);
    image[29..33].copy_from_slice(&checksum.to_be_bytes());
    contains(&stored(&image).unwrap_err().to_string(), &["16384×16384", "limit of 100000000"]);

    let mut image = tiff::<colortype::Gray16>(1, 1, &[0]);
    // Entries are tag, type, count, value; 256 and 257 are width and height, and types 3 and 4 are 16 and 32 bits.
    for tag in [256u16, 257] {
        let at = (0..image.len() - 12).find(|&at| {
            image[at..at + 2] == tag.to_ne_bytes()
                && [3u16, 4].iter().any(|kind| image[at + 2..at + 4] == kind.to_ne_bytes())
        });
        let at = at.unwrap();
        image[at + 2..at + 4].copy_from_slice(&4u16.to_ne_bytes());
        image[at + 8..at + 12].copy_from_slice(&60_000u32.to_ne_bytes());
    }
    contains(&stored(&image).unwrap_err().to_string(), &["60000×60000", "limit of 100000000"]);
}

/// PNG's checksum, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[test]
fn depth_and_palette_depend_on_the_number_of_classes() {
    let folder = Folder::new();
    let path = folder.0.path().join("map.png");
    let kind = || {
        let reader = png::Decoder::new(Cursor::new(std::fs::read(&path).unwrap())).read_info().unwrap();
        let info = reader.info();
        (info.color_type, info.bit_depth, info.palette.as_ref().map_or(0, |palette| palette.len() / 3))
    };
    let whole = LabelMap::new(1, 2, vec![0, 1]).unwrap();
    let ignored = LabelMap::new(1, 2, vec![0, IGNORED]).unwrap();
    let grey = |depth| (ColorType::Grayscale, depth, 0);
    let palette = |colours| (ColorType::Indexed, BitDepth::Eight, colours);
    for (classes, map, as_grey, as_palette) in [
        (3, &whole, grey(BitDepth::Eight), palette(3)),
        (3, &ignored, grey(BitDepth::Eight), palette(256)),
        (254, &ignored, grey(BitDepth::Eight), palette(256)),
        (255, &whole, grey(BitDepth::Sixteen), palette(255)),
        (255, &ignored, grey(BitDepth::Sixteen), grey(BitDepth::Sixteen)),
        (256, &whole, grey(BitDepth::Sixteen), palette(256)),
        (257, &whole, grey(BitDepth::Sixteen), grey(BitDepth::Sixteen)),
    ] {
        write_grey(&path, map, classes).unwrap();
        assert_eq!(kind(), as_grey, "{classes}");
        write_palette(&path, map, classes).unwrap();
        assert_eq!(kind(), as_palette, "{classes}");
    }
}

#[test]
fn labels_out_of_range_are_not_written() {
    let folder = Folder::new();
    let map = LabelMap::new(2, 1, vec![0, 7]).unwrap();
    let path = folder.file("old.png", b"old");
    for write in [write_grey, write_palette] {
        contains(
            &write(&path, &map, 7).unwrap_err().to_string(),
            &["old.png", "label 7", "(1, 0)", "7 classes", "0 to 6"],
        );
        let none = write(&folder.0.path().join("no/map.png"), &map, 8).unwrap_err().to_string();
        contains(&none, &["no", "map.png", "cannot write"]);
    }
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

#[test]
fn maps_have_a_label_per_pixel() {
    assert!(LabelMap::new(2, 2, vec![0; 3]).is_none());
    assert!(LabelMap::new(0, 3, vec![]).is_none());
    assert!(LabelMap::new(usize::MAX, 2, vec![0; 2]).is_none());
    let map = LabelMap::new(2, 2, vec![0, IGNORED, 5, 4]).unwrap();
    assert_eq!(map.first_out_of_range(5), Some((5, 0, 1)));
    assert_eq!(map.first_out_of_range(6), None);
}

#[test]
fn colours_differ_for_the_red_green_colour_blind() {
    let all: std::collections::BTreeSet<[u8; 3]> = (0..256).map(colour).collect();
    assert_eq!(all.len(), 256);
    assert!(!all.contains(&[0; 3]), "black is for ignored pixels");
    assert_eq!(colour(0), [230, 159, 0]);
    assert_eq!(colour(256), colour(0));
    for (a, b) in (0..16).flat_map(|a| (0..a).map(move |b| (a, b))) {
        for simulation in [PROTANOPIA, DEUTERANOPIA] {
            let [a_seen, b_seen] = [a, b].map(|label| seen(colour(label), simulation));
            let distance = a_seen.iter().zip(b_seen).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            assert!(distance > 0.1, "{a} and {b}: {distance}");
        }
    }
    // The bound distinguishes red and green of equal brightness for a deuteranope.
    let [red, green] = [[200, 90, 60], [140, 130, 40]].map(|colour| seen(colour, DEUTERANOPIA));
    assert!(red.iter().zip(green).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() < 0.1);
}

/// An sRGB colour in CIELAB, D65.
fn lab(colour: [f64; 3]) -> [f64; 3] {
    let linear = colour.map(|value| {
        let value = value / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    let row = |weights: [f64; 3]| {
        let value: f64 = weights.iter().zip(linear).map(|(weight, value)| weight * value).sum();
        if value > 216.0 / 24_389.0 { value.cbrt() } else { (24_389.0 / 27.0 * value + 16.0) / 116.0 }
    };
    let x = row([0.433_95, 0.376_22, 0.189_83]);
    let y = row([0.212_67, 0.715_15, 0.072_18]);
    let z = row([0.017_76, 0.109_47, 0.872_77]);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// CIE76 difference of two sRGB colours.
fn difference(a: [f64; 3], b: [f64; 3]) -> f64 {
    lab(a).iter().zip(lab(b)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn colours_near_in_the_list_are_apart_and_none_is_dark() {
    let shown = |label: u16| colour(label).map(f64::from);
    for label in 0..256 {
        for (after, bound) in [(1, 59.0), (2, 26.0), (3, 26.0)] {
            let found = difference(shown(label), shown(label + after));
            assert!(found >= bound, "{label} and {}: {found}", label + after);
        }
        let [lightness, ..] = lab(shown(label));
        assert!((45.0..=92.0).contains(&lightness), "{label}: {lightness}");
    }
}

#[test]
fn consecutive_colours_differ_on_dark_and_bright_photos() {
    // Colours as an overlay of 60 % shows them on a black, a grey and a white photo.
    for photo in [0.0, 64.0, 128.0, 255.0] {
        let over = |label: u16| colour(label).map(|value| 0.6 * f64::from(value) + 0.4 * photo);
        for label in 0..256 {
            let next = difference(over(label), over(label + 1));
            assert!(next > 30.0, "{label} and {} differ by {next} on {photo}", label + 1);
            let ground = difference(over(label), [photo; 3]);
            assert!(photo > 64.0 || ground > 12.0, "{label} and the photo differ by {ground} on {photo}");
        }
    }
    assert!((difference([255.0, 0.0, 0.0], [0.0, 255.0, 0.0]) - 170.6).abs() < 1.0, "red and green, by the definition");
}

// Machado, Oliveira, Fernandes 2009, severity 1, for linear RGB.
const PROTANOPIA: [[f64; 3]; 3] =
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]];
const DEUTERANOPIA: [[f64; 3]; 3] =
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]];

/// Simulates a colour as seen; from 0 to 1, with a gamma of 2.2 so that distances are roughly uniform.
fn seen(colour: [u8; 3], simulation: [[f64; 3]; 3]) -> [f64; 3] {
    let linear = colour.map(|value| (f64::from(value) / 255.0).powf(2.2));
    simulation.map(|row| row.iter().zip(linear).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0).powf(1.0 / 2.2))
}

proptest! {
    #[test]
    fn written_maps_are_read_back(
        (width, classes, seeds) in (1usize..8, prop_oneof![1usize..400, Just(MAX_CLASSES)], prop::collection::vec(any::<u16>(), 1..9)),
        ignored in any::<u16>(),
    ) {
        let rows = seeds.len();
        let labels: Vec<u16> = (0..width * rows).map(|at| {
            let seed = seeds[at % rows].wrapping_mul(at as u16 | 1);
            if seed % 7 == ignored % 9 { IGNORED } else { (usize::from(seed) % classes) as u16 }
        }).collect();
        let map = LabelMap::new(width, rows, labels).unwrap();
        let folder = Folder::new();
        let path = folder.0.path().join("map.png");
        let labelling = Labelling::new(classes, None, 0).unwrap();
        for write in [write_grey, write_palette] {
            write(&path, &map, classes).unwrap();
            prop_assert_eq!(&read(&path, &labelling).unwrap(), &map);
        }
    }

    #[test]
    fn damaged_bytes_are_errors_and_not_panics(at in 0usize..200, to in any::<u8>(), tif in any::<bool>()) {
        let mut bytes = match tif {
            true => tiff::<colortype::Gray16>(4, 4, &(0..16).collect::<Vec<u16>>()),
            false => png(9, 5, ColorType::Indexed, BitDepth::Two, &[0x1b; 15]),
        };
        let at = at % bytes.len();
        bytes[at] = to;
        let _ = stored(&bytes);
    }
}
