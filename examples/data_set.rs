//! Images to batches, in an order and with crops that a seed decides.

use std::path::Path;
use std::sync::Arc;

use radapter::datasets::augment::Augment;
use radapter::datasets::order::epoch_order;
use radapter::datasets::prefetch::{Ahead, Prefetch};
use radapter::datasets::shapes::{Domain, Split, World};
use radapter::datasets::{LabelledImages, Templates, folder, subset};
use radapter::images::DecodeOptions;
use radapter_examples::small_clip;

const SEED: u64 = 0;
const BATCH: usize = 16;

fn main() -> anyhow::Result<()> {
    // A folder with a sub-folder for each class. Here the drawn world is written into one first.
    let root = tempfile::tempdir()?;
    draw(root.path())?;
    let images: LabelledImages = folder::read(root.path(), None)?;
    eprintln!("{} images of {} classes", images.samples.len(), images.classes.len());

    // A few images of each class, the same ones in every run with this seed.
    let chosen = subset::few_shot(&images.labels(), 2, SEED);
    let images = Arc::new(images.subset(&chosen.indices));
    let captions = Templates::default();

    let config = small_clip()?.config;
    let preprocess = config.preprocessor();
    let augment = Augment { scale: [0.7, 1.0], flip: 0.5 }.validate()?;
    for epoch in 0..2 {
        // Decoded and cropped by threads ahead of who takes them, in order, in bounded memory.
        let order = epoch_order(images.samples.len(), SEED, epoch);
        let (source, preprocess) = (Arc::clone(&images), preprocess.clone());
        let size = config.vision.image_size as u32;
        let loaded = Prefetch::new(order, Ahead { threads: 2, jobs: 2 * BATCH }, move |index: usize| {
            let sample = &source.samples[index];
            let picture = sample.source.load(&DecodeOptions::default())?;
            let crop = augment.apply(&picture, size, SEED, epoch, index as u64);
            Ok::<_, radapter::images::ImageError>((preprocess.normalize(&crop), sample.label))
        });
        let loaded: Vec<(Vec<f32>, usize)> = loaded.collect::<Result<_, _>>()?;
        for batch in loaded.chunks(BATCH) {
            let names = batch.iter().map(|(_, label)| images.classes[*label].text.as_str());
            let first = names.clone().next().map(|name| captions.prompts(name));
            let bright = batch.iter().flat_map(|(pixels, _)| pixels).sum::<f32>();
            eprintln!("epoch {epoch}: {} images, {first:?}, sum of pixels {bright:.1}", batch.len());
        }
    }
    Ok(())
}

/// Writes a small image folder.
fn draw(root: &Path) -> anyhow::Result<()> {
    let names = radapter::datasets::shapes::class_names();
    for index in 0..72 {
        let scene = World::new(SEED).scene(Split::Train, Domain::Photo, index);
        let class = root.join(names[scene.class].replace(' ', "_"));
        std::fs::create_dir_all(&class)?;
        scene.image.save(class.join(format!("{index:03}.png")))?;
    }
    Ok(())
}
