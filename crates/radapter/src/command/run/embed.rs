//! `embed`: images and texts into one file of embeddings.

use std::collections::BTreeMap;

use radapter_clip::checkpoint::write_safetensors;
use radapter_clip::config::ClipConfig;
use radapter_clip::state_dict::{RawTensor, StateDict};
use radapter_datasets::prefetch::{Ahead, Prefetch};
use radapter_embedding::{EmbedOptions, Embeddings, Image, embed_images, embed_texts};
use radapter_images::{DecodeOptions, ImageError, ImageSource};

use crate::command::args::EmbedArgs;
use crate::command::failure::Usage;
use crate::command::skipped::report_skipped;
use crate::command::{Session, choice, images, model, output, texts};

pub(super) fn run(args: &EmbedArgs, session: &Session) -> anyhow::Result<()> {
    if args.images.images.is_empty() && args.texts.is_none() {
        return Err(Usage("nothing to embed; give --images, --texts or both".into()).into());
    }
    output::check_writable(&args.out)?;
    // Read before the model, because errors here are cheap to find.
    let texts = args.texts.as_deref().map(texts::read).transpose()?;
    let images = images::list(&args.images.images)?;
    let precision = args.precision.resolve(session)?;
    let alphas = choice::alphas(&args.alpha, &args.model.model, session)?;
    let model = model::open(&args.model, alphas, precision, session)?;
    let clip = &*model.encoder;

    let mut tensors = StateDict::new();
    let mut metadata = BTreeMap::from([("precision".to_owned(), precision.to_string())]);
    if !images.is_empty() {
        let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;
        let progress = session.progress.start("embedding", "images", images.len() as u64);
        let embedded = embed_images(clip, &images, &options, &mut |done| progress.set(done as u64, ""))?;
        progress.finish();
        report_skipped(&embedded.skipped, images.len());
        let kept: Vec<&Image> = embedded.kept.iter().map(|&position| &images[position]).collect();
        tensors.insert("image_embeddings", tensor(&embedded.embeddings));
        metadata.insert("image_names".to_owned(), json_list(kept.iter().map(|image| &image.name)));
        if args.pixels {
            tensors.insert("pixels", pixels(&kept, clip.config(), &options)?);
        }
    }
    if let Some(texts) = &texts {
        let embeddings = embed_texts(clip, texts, args.batch.batch_size)?;
        tensors.insert("text_embeddings", tensor(&embeddings));
        metadata.insert("text_names".to_owned(), json_list(texts));
    }
    output::write_with(&args.out, |mut file| write_safetensors(&mut file, &tensors, &metadata))?;
    for (name, tensor) in tensors.iter() {
        tracing::info!("{name} {:?} → {}", tensor.shape(), args.out.display());
    }
    Ok(())
}

/// # Shapes
/// rows → `[rows, embed_dim]`
fn tensor(embeddings: &Embeddings) -> RawTensor {
    let shape = [embeddings.len(), embeddings.dim()];
    RawTensor::from_f32(shape, embeddings.values().to_vec())
}

fn json_list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    serde_json::Value::from_iter(names.into_iter().cloned()).to_string()
}

/// The images as the image tower takes them. All were read before, with this treatment of damaged ones.
///
/// # Shapes
/// `n` images → `[n, 3, size, size]`
fn pixels(images: &[&Image], config: &ClipConfig, options: &EmbedOptions) -> anyhow::Result<RawTensor> {
    let preprocess = config.preprocessor();
    let shorter_side = options.decoding.shorter_side(preprocess.image_size(), 1.0);
    let decode = DecodeOptions { limits: options.limits, shorter_side };
    let ahead = Ahead { threads: options.threads, jobs: 2 * options.threads };
    let sources: Vec<ImageSource> = images.iter().map(|image| image.source.clone()).collect();
    let prepared = Prefetch::new(sources, ahead, move |source: ImageSource| match source.load(&decode) {
        Err(ImageError::Damaged { image, .. }) => Ok(preprocess.apply(&image.into_image())),
        image => image.map(|image| preprocess.apply(&image)),
    });
    let size = config.vision.image_size;
    let shape = [images.len(), 3, size, size];
    let mut values = Vec::with_capacity(shape.iter().product());
    for pixels in prepared {
        values.extend(pixels?);
    }
    Ok(RawTensor::from_f32(shape, values))
}
