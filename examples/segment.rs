//! An image to a label map of any words: masks without weights, a class for each of them, and their sum.

use std::sync::Arc;

use burn::tensor::Device;
use radapter::clip::model::Clip;
use radapter::datasets::Templates;
use radapter::datasets::shapes::{Domain, Split, World};
use radapter::embedding::{EmbedOptions, Image};
use radapter::images::ImageSource;
use radapter::segmentation::crop::{CropSettings, Cropper};
use radapter::segmentation::proposals::Source;
use radapter::segmentation::segmenter::{SegmentSettings, Segmenter};
use radapter::segmentation::vocabulary::Vocabulary;
use radapter_examples::small_clip;

fn main() -> anyhow::Result<()> {
    // Random weights name by chance; `Checkpoint::open` reads real ones.
    let checkpoint = small_clip()?;
    let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, &Device::flex())?;
    let words = ["star", "ring", "grass", "sky"];

    let scene = World::new(0).composition(Split::Test, Domain::Photo, 0);
    let picture = Image { name: "scene".to_owned(), source: ImageSource::Pixels(scene.image.into()) };
    // Synonyms of a class would stand beside each other.
    let classes: Vec<Vec<String>> = words.iter().map(|word| vec![(*word).to_owned()]).collect();
    let vocabulary = Vocabulary::new(&clip, &classes, &Templates::resolve("vild-14")?, 32)?;
    let cropper = Cropper::new(&checkpoint.config, CropSettings::default())?;
    let segmenter = Segmenter {
        model: &clip,
        vocabulary: &vocabulary,
        cropper: &cropper,
        source: Arc::new(Source::open("builtin")?),
        settings: SegmentSettings::default(),
        options: EmbedOptions::default(),
        cache: None,
    };
    segmenter.run(&[picture], &mut |segmented| {
        let labels = segmented.map.labels();
        for (label, word) in words.iter().enumerate() {
            let pixels = labels.iter().filter(|found| usize::from(**found) == label).count();
            eprintln!(
                "{word}: {:.0} % of the picture, by {} masks",
                100.0 * pixels as f64 / labels.len() as f64,
                segmented.masks
            );
        }
        assert!(labels.iter().all(|label| usize::from(*label) < words.len()), "every pixel has a class");
        Ok(())
    })?;
    Ok(())
}
