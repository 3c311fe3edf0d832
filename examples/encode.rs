//! Images and texts into one space: the encoder alone.

use burn::tensor::{Device, Tensor, TensorData};
use radapter::clip::model::{Clip, Context};
use radapter::clip::tokenizer::Tokenizer;
use radapter::datasets::shapes::{Domain, Split, World};
use radapter_examples::small_clip;

fn main() -> anyhow::Result<()> {
    let device = Device::flex();
    let checkpoint = small_clip()?;
    let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, &device)?;
    // Nothing in a forward pass is random or hidden in the module: what it is for is an argument.
    let context = Context::inference();

    // Images from a file come from `radapter::images::decode_file`.
    let scenes = [Domain::Photo, Domain::Sketch].map(|domain| World::new(0).scene(Split::Test, domain, 3));
    let preprocess = checkpoint.config.preprocessor();
    let size = checkpoint.config.vision.image_size;
    let pixels: Vec<f32> = scenes.iter().flat_map(|scene| preprocess.apply(&scene.image)).collect();
    let pixels = Tensor::from_data(TensorData::new(pixels, [scenes.len(), 3, size, size]), &device);
    let images = clip.encode_image(pixels, &context);

    let captions: Vec<&str> = scenes.iter().map(|scene| scene.captions[0].as_str()).collect();
    let tokens = Tokenizer::clip().encode_batch(&captions, checkpoint.config.text.context_length);
    let texts = clip.encode_text(&tokens, &context);

    // Both are L2-normalised, so that their products are cosines.
    let cosines = images.matmul(texts.transpose());
    eprintln!("captions: {captions:#?}");
    eprintln!("cosines of images (rows) and captions (columns):{cosines}");
    Ok(())
}
