//! A tiny model, and coloured squares with captions.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use radapter_clip::checkpoint::{Checkpoint, Format};
use radapter_clip::config::ClipConfig;
use radapter_clip::model::Clip;
use radapter_datasets::{CaptionedImage, CaptionedImages};
use radapter_images::ImageSource;
use radapter_methods::METHODS;
use radapter_retrieval::task::{Retrieval, RetrievalError, TrainingCaptions};
use radapter_settings::Settings;
use radapter_test_support::small_config;
use radapter_training::RunDir;
use radapter_training::plan::Inputs;

pub(crate) const SIDE: u32 = 16;

pub(crate) const COLOURS: [(&str, [u8; 3]); 4] =
    [("blue", [30, 60, 220]), ("green", [40, 180, 50]), ("red", [220, 40, 60]), ("yellow", [220, 200, 20])];

fn config() -> ClipConfig {
    small_config(SIDE as usize, 12)
}

pub(crate) fn checkpoint(seed: u64) -> Checkpoint {
    let config = config();
    let state = config.random_state(seed);
    Checkpoint::new(config, state, Format::OpenClip, "a random model").unwrap()
}

pub(crate) fn device() -> Device {
    Device::flex()
}

pub(crate) fn model(seed: u64) -> Clip {
    let checkpoint = checkpoint(seed);
    Clip::from_state(&checkpoint.config, &checkpoint.state, &device()).unwrap()
}

/// Draws a square with its own colour and size.
pub(crate) fn square(index: usize) -> RgbImage {
    let (_, colour) = COLOURS[index % COLOURS.len()];
    let side = 4 + (index / COLOURS.len()) as u32 % 12;
    RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb(if x < side && y < side { colour } else { [128, 128, 128] }))
}

pub(crate) fn captions(index: usize, count: usize) -> Vec<String> {
    let (name, _) = COLOURS[index % COLOURS.len()];
    let size = 4 + index / COLOURS.len();
    let all = [
        format!("a {name} square of {size}"),
        format!("{size} wide and {name}"),
        format!("something {name}, {size} high"),
    ];
    all[..count].to_vec()
}

/// Draws squares in memory, with so many captions each.
pub(crate) fn squares(count: usize, captions_each: usize) -> CaptionedImages {
    let image = |index| CaptionedImage {
        name: format!("{index:03}.png"),
        source: ImageSource::Pixels(Arc::new(square(index))),
        captions: captions(index, captions_each),
    };
    CaptionedImages { images: (0..count).map(image).collect() }
}

pub(crate) fn png(index: usize) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    square(index).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Writes tar shards of squares as webdataset does, with two captions each.
pub(crate) fn write_shards(folder: &Path, shards: usize, each: usize) {
    for shard in 0..shards {
        let samples =
            (shard * each..(shard + 1) * each).map(|index| (format!("{index:06}"), index, captions(index, 2)));
        write_shard(&folder.join(format!("{shard:03}.tar")), samples);
    }
}

/// Writes a tar shard of samples: key, square, captions.
pub(crate) fn write_shard(path: &Path, samples: impl Iterator<Item = (String, usize, Vec<String>)>) {
    let mut tar = tar::Builder::new(std::fs::File::create(path).unwrap());
    for (key, index, captions) in samples {
        let mut add = |name: String, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, bytes).unwrap();
        };
        add(format!("{key}.png"), &png(index));
        add(format!("{key}.json"), serde_json::json!({ "captions": captions }).to_string().as_bytes());
    }
    tar.finish().unwrap();
}

pub(crate) fn settings(toml: &str) -> Settings {
    Settings::from_toml(toml, "test").unwrap()
}

pub(crate) type Plan = radapter_training::Plan<Retrieval>;

fn inputs(data: Option<TrainingCaptions>, progress: &mut dyn FnMut(usize, usize)) -> Inputs<'_, Retrieval> {
    let (base, reference) = (checkpoint(1), Some("tiny".to_owned()));
    Inputs { methods: METHODS, base, reference, from: None, data, device: device(), progress }
}

/// Plans a new run of the tiny model, in f32 unless another precision is given.
pub(crate) fn plan(given: &Settings, data: Option<TrainingCaptions>) -> Result<Plan, RetrievalError> {
    // On every machine.
    let mut all = Settings::default();
    all.set("precision", "f32").unwrap();
    all.extend(given.clone()).unwrap();
    Plan::new(inputs(data, &mut |_, _| {}), &all)
}

/// Plans a resume of the run in a folder.
pub(crate) fn plan_of_run(run: &RunDir, data: Option<TrainingCaptions>) -> Result<Plan, RetrievalError> {
    Plan::of_run(inputs(data, &mut |_, _| {}), run)
}
