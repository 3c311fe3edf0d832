//! A tiny model, and images of coloured halves with their label maps.

use std::path::Path;

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use radapter_clip::checkpoint::{Checkpoint, Format};
use radapter_clip::config::ClipConfig;
use radapter_clip::model::Clip;
use radapter_datasets::label_map::{LabelMap, write_grey};
use radapter_embedding::Image;
use radapter_images::ImageSource;
use radapter_methods::METHODS;
use radapter_segmentation::task::{Segmentation, SegmentationError};
use radapter_settings::Settings;
use radapter_test_support::small_config;
use radapter_training::RunDir;
use radapter_training::plan::Inputs;

/// Size of the images.
pub(crate) const SIZE: (u32, u32) = (24, 16);

pub(crate) const COLOURS: [(&str, [u8; 3]); 4] =
    [("blue", [30, 60, 220]), ("green", [40, 180, 50]), ("red", [220, 40, 60]), ("yellow", [220, 200, 20])];

fn config() -> ClipConfig {
    small_config(16, 12)
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

/// Returns the label of a pixel: two colours, divided by a line that depends on the index.
pub(crate) fn label(index: usize, x: u32) -> usize {
    let first = index % COLOURS.len();
    if x < 8 + index as u32 % 8 { first } else { (first + 1 + index / 4 % 3) % COLOURS.len() }
}

pub(crate) fn picture(index: usize) -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let noise = ((x * 7 + y * 3 + index as u32) % 9) as u8;
        Rgb(COLOURS[label(index, x)].1.map(|value| value + noise))
    })
}

pub(crate) fn map(index: usize) -> LabelMap {
    let (width, height) = SIZE;
    let labels = (0..width * height).map(|at| label(index, at % width) as u16).collect();
    LabelMap::new(width as usize, height as usize, labels).unwrap()
}

/// Writes `images/NNN.png` and `annotations/NNN.png` below a folder.
pub(crate) fn write(folder: &Path, count: usize) {
    for part in ["images", "annotations"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    for index in 0..count {
        picture(index).save(folder.join(format!("images/{index:03}.png"))).unwrap();
        write_grey(&folder.join(format!("annotations/{index:03}.png")), &map(index), COLOURS.len()).unwrap();
    }
}

pub(crate) fn images(folder: &Path, count: usize) -> Vec<Image> {
    let image = |index| Image {
        name: format!("{index:03}"),
        source: ImageSource::File(folder.join(format!("images/{index:03}.png"))),
    };
    (0..count).map(image).collect()
}

pub(crate) fn settings(toml: &str) -> Settings {
    Settings::from_toml(toml, "test").unwrap()
}

pub(crate) type Plan = radapter_training::Plan<Segmentation>;

fn inputs(progress: &mut dyn FnMut(usize, usize)) -> Inputs<'_, Segmentation> {
    let (base, reference) = (checkpoint(1), Some("tiny".to_owned()));
    Inputs { methods: METHODS, base, reference, from: None, data: None, device: device(), progress }
}

/// Plans a new run of the tiny model, in f32 unless another precision is given.
pub(crate) fn plan(given: &Settings) -> Result<Plan, SegmentationError> {
    // On every machine.
    let mut all = Settings::default();
    all.set("precision", "f32").unwrap();
    all.extend(given.clone()).unwrap();
    Plan::new(inputs(&mut |_, _| {}), &all)
}

/// Plans a resume of the run in a folder.
pub(crate) fn plan_of_run(run: &RunDir) -> Result<Plan, SegmentationError> {
    Plan::of_run(inputs(&mut |_, _| {}), run)
}
