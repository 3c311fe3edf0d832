//! `search`: images of an index, found by text or by image.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use radapter_clip::model::{Clip, Encoder};
use radapter_embedding::{EmbedOptions, Embeddings, Image, embed_images, embed_texts};
use radapter_images::{DecodeMode, DecodeOptions, ImageError, ImageSource, Interpolation, decode_file, resize};
use radapter_report::{FoundImage, Link, Page, Table, counted};
use radapter_retrieval::index::{Hit, Index, ModelId};

use crate::command::args::{ModelArgs, ModelRef, SearchArgs};
use crate::command::failure::Usage;
use crate::command::{Session, choice, model, output};

/// The longer side of a thumbnail on the page, in pixels.
const THUMBNAIL: u32 = 256;

pub(super) fn run(args: &SearchArgs, session: &Session) -> anyhow::Result<()> {
    if args.query.text.as_deref().is_some_and(|text| text.trim().is_empty()) {
        return Err(Usage("--text is empty; describe the images to find".into()).into());
    }
    if let Some(html) = &args.html {
        output::check_writable(html)?;
    }
    let index = Index::open(&args.index)?;
    let precision = args.precision.of_index(Some(index.manifest().precision), session)?;
    index.check_precision(precision)?;
    let recorded = &index.manifest().model;
    let reference = match &args.model {
        Some(model) => model.clone(),
        None => {
            let Ok(reference) = recorded.reference.parse::<ModelRef>();
            reference
        }
    };
    // A run is merged at the index's alpha, even if it has moved.
    let is_run = matches!(&reference, ModelRef::Path(path) if model::is_run(path));
    let merged = recorded.alpha.clone().filter(|_| is_run || args.model.is_none());
    let alpha = choice::alphas(&args.alpha, &reference, session)?.or(merged);
    let model = ModelArgs { model: reference.clone(), arch: args.arch.clone() };
    let loaded = model::load(&model, alpha.clone(), precision, session).with_context(|| {
        let (index, model) = (args.index.display(), &recorded.reference);
        format!("cannot load the model `{model}` of the index `{index}`; if it has moved, give --model")
    })?;
    let checkpoint = loaded.checkpoint()?;
    let id = ModelId { reference: reference.to_string(), alpha, hash: checkpoint.state.hash() };
    index.check_model(&id)?;
    let clip =
        Clip::from_owned_state(&checkpoint.config, checkpoint.state, &session.device()?)?.in_precision(precision);
    let query = embed(&clip, args, index.manifest().decoding)?;
    let hits = index.search(query.row(0).unwrap_or_default(), args.k.get())?;
    if let Some(html) = &args.html {
        output::write_file(html, page(html, args, &index, &hits).as_bytes())?;
        tracing::info!("{} → {}", counted(hits.len(), "image", "images"), html.display());
    }
    if args.json.json {
        return output::print_json(&hits);
    }
    let mut table = Table::new(&["rank>", "score>", "image"]);
    for Hit { rank, path, score } in &hits {
        table.row([rank.to_string(), format!("{score:.4}"), path.clone()]);
    }
    output::print(&table.to_string())
}

/// The query's embedding; an image is decoded as those of the index were.
fn embed(clip: &dyn Encoder, args: &SearchArgs, decoding: DecodeMode) -> anyhow::Result<Embeddings> {
    match (&args.query.text, &args.query.image) {
        (Some(text), _) => Ok(embed_texts(clip, &[text], 1)?),
        (None, Some(path)) => {
            let image = Image { name: path.display().to_string(), source: ImageSource::File(path.clone()) };
            let options = EmbedOptions { on_damage: args.damage.on_damage, decoding, ..EmbedOptions::default() };
            Ok(embed_images(clip, &[image], &options, &mut |_| {})?.embeddings)
        }
        // clap requires one of them.
        (None, None) => anyhow::bail!("give --text or --image"),
    }
}

/// The hits as the HTML page of thumbnails `html`.
fn page(html: &Path, args: &SearchArgs, index: &Index, hits: &[Hit]) -> String {
    let query = match (&args.query.text, &args.query.image) {
        (Some(text), _) => format!("\u{201c}{text}\u{201d}"),
        (None, image) => format!("Images like {}", image.as_deref().unwrap_or(Path::new("")).display()),
    };
    let folder = &index.manifest().images;
    let images = counted(index.len(), "image", "images");
    let lead = format!("The best {} of {images} in {}.", hits.len(), folder.display());
    let mut page = Page::new(&query, &lead);
    page.verdict(&verdict(hits));
    page.caption(
        "Score: cosine similarity of the embeddings of the query and the image, from \u{2212}1 to 1. Scores of other queries or \
         models cannot be compared with these. An image links to its file.",
    );
    if let Some(image) = &args.query.image {
        page.found(&[FoundImage {
            png: thumbnail(image),
            link: Link::between(html, image),
            title: image.display().to_string(),
            note: "the query".to_owned(),
        }]);
    }
    let found: Vec<FoundImage> = hits
        .iter()
        .map(|Hit { rank, path, score }| {
            let file = folder.join(path);
            let note = format!("{rank} · score {score:.3}");
            FoundImage { png: thumbnail(&file), link: Link::between(html, &file), title: path.clone(), note }
        })
        .collect();
    page.found(&found);
    page.finish()
}

/// What the scores say, and what they do not.
fn verdict(hits: &[Hit]) -> String {
    let [best, .., last] = hits else {
        return hits.first().map_or("The index has no images.".to_owned(), |hit| {
            format!("The nearest image scores {:.3}, whether or not it fits the query.", hit.score)
        });
    };
    format!(
        "The nearest image scores {:.3} and the last shown {:.3}. A search always returns the nearest images, whether or not any \
         of them fits the query.",
        best.score, last.score
    )
}

/// A small PNG of an image; `None` if the image can no longer be read.
fn thumbnail(path: &Path) -> Option<Vec<u8>> {
    let image = match decode_file(path, &DecodeOptions::default()) {
        // Whether to use damaged images was decided when the index was made.
        Err(ImageError::Damaged { image, .. }) => Ok(image.into_image()),
        image => image.map(Arc::new),
    };
    let image = image.map_err(|error| tracing::warn!("the page lacks a thumbnail: {error}")).ok()?;
    let (width, height) = image.dimensions();
    let longer = width.max(height).max(1);
    let small = |side: u32| (u64::from(side) * u64::from(THUMBNAIL) / u64::from(longer)).max(1) as u32;
    let small = match longer > THUMBNAIL {
        true => &resize(&image, small(width), small(height), Interpolation::Bicubic),
        false => &*image,
    };
    let mut png = Cursor::new(Vec::new());
    small.write_to(&mut png, image::ImageFormat::Png).ok()?;
    Some(png.into_inner())
}
