//! Images and captions found by each other: embeddings of both, and recall at K over them.

use burn::tensor::Device;
use radapter::clip::model::Clip;
use radapter::datasets::shapes::{Domain, Split, World};
use radapter::embedding::{EmbedOptions, Image, embed_images, embed_texts};
use radapter::images::ImageSource;
use radapter::retrieval::gallery::measure;
use radapter_examples::small_clip;

fn main() -> anyhow::Result<()> {
    // Random weights find by chance; `Checkpoint::open` reads real ones.
    let checkpoint = small_clip()?;
    let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, &Device::flex())?;

    let world = World::new(0);
    let scenes: Vec<_> = (0..12).map(|index| world.composition(Split::Test, Domain::Photo, index)).collect();
    let captions: Vec<String> = scenes.iter().map(|scene| scene.captions[0].clone()).collect();
    let images: Vec<Image> = scenes
        .into_iter()
        .enumerate()
        .map(|(index, scene)| Image { name: index.to_string(), source: ImageSource::Pixels(scene.image.into()) })
        .collect();

    let images = embed_images(&clip, &images, &EmbedOptions::default(), &mut |_| {})?.embeddings;
    let texts = embed_texts(&clip, &captions, 32)?;
    let text_image: Vec<usize> = (0..captions.len()).collect();
    let evaluation = measure(&images, &texts, &text_image)?;
    eprintln!(
        "text to image: R@1 {:.2}, median rank {}",
        evaluation.text_to_image.r1, evaluation.text_to_image.median_rank
    );
    assert_eq!(evaluation.n_images, 12);
    Ok(())
}
