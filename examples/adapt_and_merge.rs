//! Adapters into a frozen CLIP, a file of them, and a plain CLIP out of both.

use anyhow::ensure;
use burn::tensor::{Device, Distribution, Tensor};
use radapter::adapter::{
    AdapterConfig, AdapterFile, AdapterSet, Alpha, Rank, attach, attach_trained, merge_checked, with_alpha,
};
use radapter::clip::model::{Clip, Context};
use radapter_examples::small_clip;

fn main() -> anyhow::Result<()> {
    let device = Device::flex();
    let base = small_clip()?;
    let clip = || Clip::from_state(&base.config, &base.state, &device);

    // Full rank is the default; a low one is for few images.
    let config = AdapterConfig { rank: Rank::Low(4), ..AdapterConfig::default() };
    let adapted = attach(clip()?, &config, 0)?;

    // After training (see `train`), the adapters are a few kilobytes that know which model they belong to.
    let file =
        AdapterFile { adapters: AdapterSet::from_model(&adapted), base: Some(base.state.hash()), config: Some(config) };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("adapters.safetensors");
    file.write(&path)?;
    let read = AdapterFile::read(&path)?;
    read.check_base(&base.state.hash(), &base.config)?;
    eprintln!("{} adapters, {} parameters", read.adapters.len(), read.adapters.parameters());

    // α says how much of them the merged model has; merging is checked on a probe batch.
    let alpha = Alpha::new(0.5)?;
    let adapted = attach_trained(clip()?, &read.adapters)?;
    let merged = merge_checked(&adapted, alpha)?;
    eprintln!("merged and unmerged differ by {:.1e}", merged.difference);

    let size = base.config.vision.image_size;
    let pixels = Tensor::random([2, 3, size, size], Distribution::Normal(0.0, 1.0), &device);
    let context = Context::inference();
    let before = with_alpha(adapted, alpha).encode_image(pixels.clone(), &context);
    let after = merged.clip.encode_image(pixels, &context);
    let apart = (before - after).abs().max().into_scalar::<f32>();
    ensure!(apart < 1e-5, "the merged model embeds an image {apart} away");
    Ok(())
}
