//! Captions in each format, tar shards.

use std::fs;

use radapter_datasets::captions::{self, CaptionsFormat, CaptionsOptions};
use radapter_datasets::{OnError, Shards, SkipReport};
use radapter_images::{DecodeLimits, DecodeOptions, ImageSource};

use crate::scratch;

/// Reads a file of captions in a format or the detected one, by what its length chooses, and with each way to treat errors.
fn read(name: &str, data: &[u8], format: CaptionsFormat) {
    let path = scratch::file(name, data);
    let images = scratch::path("images");
    if !images.exists() {
        fs::create_dir_all(&images).unwrap();
        fs::write(images.join("a.jpg"), b"").unwrap();
    }
    let detected = data.len().is_multiple_of(8);
    let options = CaptionsOptions {
        format: (!detected).then_some(format),
        images: Some(images),
        max_captions: data.len().is_multiple_of(3).then_some(1),
        ..CaptionsOptions::default()
    };
    let on_error = if data.len().is_multiple_of(2) { OnError::Skip } else { OnError::Fail };
    let Ok(set) = captions::read(&path, &options, on_error, &SkipReport::default()) else { return };
    assert!(!set.images.is_empty());
    for image in &set.images {
        assert!(!image.captions.is_empty() && options.max_captions.is_none_or(|most| image.captions.len() <= most));
    }
}

/// Karpathy's JSON.
pub fn karpathy(data: &[u8]) {
    read("karpathy.json", data, CaptionsFormat::Karpathy);
}

/// COCO's JSON of captions.
pub fn coco_captions(data: &[u8]) {
    read("coco.json", data, CaptionsFormat::Coco);
}

/// A table of captions.
pub fn caption_table(data: &[u8]) {
    read("captions.csv", data, CaptionsFormat::Csv);
}

/// A tar shard: its samples lie in the file, and their keys stay keys, whatever paths they look like.
pub fn tar_shard(data: &[u8]) {
    let path = scratch::file("shard.tar", data);
    for on_error in [OnError::Fail, OnError::Skip] {
        let Ok(shards) = Shards::open(&path, on_error, &SkipReport::default(), None) else { return };
        let Ok(samples) = shards.shard(0) else { continue };
        let limits = DecodeLimits { max_pixels: 1 << 12, max_bytes: 1 << 16 };
        for sample in samples.iter() {
            assert!(sample.image_bytes() <= data.len() as u64);
            if let ImageSource::Member(member) = &sample.image {
                assert!(member.offset + member.length <= data.len() as u64 && member.file == path);
            }
            // Decoding has targets of its own; here it shows that the place is right.
            let _ = sample.image.load(&DecodeOptions::from(limits));
        }
        assert!(shards.count().is_ok() || samples.is_empty());
        let _ = shards.grouped();
    }
}
