//! A tiny model and image folders of coloured squares.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use radapter_classification::classes::Classes;
use radapter_classification::task::{Classification, ClassificationError, TrainingImages};
use radapter_clip::checkpoint::{Checkpoint, Format};
use radapter_clip::config::ClipConfig;
use radapter_clip::model::Clip;
use radapter_datasets::{Class, LabelledImages, Sample};
use radapter_images::ImageSource;
use radapter_methods::METHODS;
use radapter_settings::Settings;
use radapter_test_support::small_config;
use radapter_training::RunDir;
use radapter_training::plan::Inputs;

/// Side of the model's input.
pub(crate) const SIDE: u32 = 16;

/// Classes with the colours of their images.
pub(crate) const COLOURS: [(&str, [u8; 3]); 4] =
    [("blue_sky", [30, 60, 220]), ("grass", [40, 180, 50]), ("rose", [220, 40, 60]), ("sand", [220, 200, 120])];

pub(crate) fn config() -> ClipConfig {
    small_config(SIDE as usize, 24)
}

pub(crate) fn checkpoint(seed: u64) -> Checkpoint {
    let config = config();
    let state = config.random_state(seed);
    Checkpoint::new(config, state, Format::OpenClip, "a random model").unwrap()
}

pub(crate) type Plan = radapter_training::Plan<Classification>;

/// Parses settings as a TOML file has them.
pub(crate) fn settings(toml: &str) -> Settings {
    Settings::from_toml(toml, "test").unwrap()
}

fn inputs(data: Option<TrainingImages>, progress: &mut dyn FnMut(usize, usize)) -> Inputs<'_, Classification> {
    let (base, reference) = (checkpoint(1), Some("tiny".to_owned()));
    Inputs { methods: METHODS, base, reference, from: None, data, device: device(), progress }
}

/// Plans a new run of the tiny model, in f32 unless another precision is given.
pub(crate) fn plan(given: &Settings, data: Option<TrainingImages>) -> Result<Plan, ClassificationError> {
    // On every machine.
    let mut all = given.clone();
    if !given.keys().iter().any(|key| key == "precision") {
        all.set("precision", "f32").unwrap();
    }
    Plan::new(inputs(data, &mut |_, _| {}), &all)
}

/// Plans a resume of the run in a folder.
pub(crate) fn plan_of_run(run: &RunDir, data: Option<TrainingImages>) -> Result<Plan, ClassificationError> {
    Plan::of_run(inputs(data, &mut |_, _| {}), run)
}

pub(crate) fn device() -> Device {
    Device::flex()
}

pub(crate) fn model(seed: u64) -> Clip {
    let checkpoint = checkpoint(seed);
    Clip::from_state(&checkpoint.config, &checkpoint.state, &device()).unwrap()
}

pub(crate) fn classes() -> Classes {
    Classes::from_names(COLOURS.map(|(name, _)| name)).unwrap()
}

/// Draws a square of a colour, with a brightness pattern that depends on `index`.
pub(crate) fn square(colour: [u8; 3], index: usize) -> RgbImage {
    RgbImage::from_fn(SIDE + 4, SIDE, |x, y| {
        let shade = ((x as usize * (3 + index) + y as usize * (1 + 2 * index)) % 40) as i16 - 20;
        Rgb(colour.map(|value| (i16::from(value) + shade).clamp(0, 255) as u8))
    })
}

/// Draws `count` squares of each class, in memory.
pub(crate) fn squares(count: usize) -> LabelledImages {
    let class = |(folder, _): (&str, _)| Class { folder: folder.to_owned(), text: folder.replace('_', " ") };
    let samples = COLOURS.iter().enumerate().flat_map(|(label, &(name, colour))| {
        (0..count).map(move |index| Sample {
            source: ImageSource::Pixels(Arc::new(square(colour, index))),
            label,
            name: format!("{name}/{index}.png"),
        })
    });
    LabelledImages { classes: COLOURS.map(class).to_vec(), samples: samples.collect(), warnings: Vec::new() }
}

/// Writes squares of the classes `which` as an image folder, `count` of each, numbered from `first`.
pub(crate) fn write_squares(root: &Path, which: &[usize], first: usize, count: usize) {
    for &class in which {
        let (name, colour) = COLOURS[class];
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for index in first..first + count {
            let path = folder.join(format!("{index}.png"));
            square(colour, index).save(path).unwrap();
        }
    }
}

/// Asserts that two lists are equal except for rounding.
pub(crate) fn assert_near(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "at {at}: {found} instead of {expected}");
    }
}
