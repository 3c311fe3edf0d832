use std::sync::Arc;

use radapter_datasets::{CaptionedImage, OnError, Templates};
use radapter_embedding::{EmbedOptions, embed_images, embed_texts};
use radapter_images::ImageSource;
use radapter_retrieval::gallery::{Gallery, measure};

use crate::support::{model, square, squares};

fn bare() -> Templates {
    Templates::from_list(vec!["{}".to_owned()]).unwrap()
}

#[test]
fn a_gallery_scores_as_its_embeddings_do() {
    let (model, set) = (model(1), squares(12, 2));
    let options = EmbedOptions { batch: 5, ..EmbedOptions::default() };
    let found = Gallery::new(&set, &bare()).evaluate(&model, &options, &mut |_| {}).unwrap();
    let images: Vec<_> = set
        .images
        .iter()
        .map(|image| radapter_embedding::Image { name: image.name.clone(), source: image.source.clone() })
        .collect();
    let texts: Vec<&String> = set.images.iter().flat_map(|image| &image.captions).collect();
    let text_image: Vec<usize> = (0..12).flat_map(|index| [index, index]).collect();
    let images = embed_images(&model, &images, &EmbedOptions::default(), &mut |_| {}).unwrap().embeddings;
    let texts = embed_texts(&model, &texts, 7).unwrap();
    assert_eq!(found.evaluation, measure(&images, &texts, &text_image).unwrap());
    assert_eq!((found.evaluation.n_images, found.evaluation.n_texts), (12, 24));
}

#[test]
fn a_skipped_image_takes_its_captions_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.png");
    std::fs::write(&broken, "no image").unwrap();
    let mut set = squares(4, 2);
    let captions = vec!["one that is lost".to_owned()];
    set.images.insert(1, CaptionedImage { name: "broken.png".into(), source: ImageSource::File(broken), captions });
    let gallery = Gallery::new(&set, &bare());
    let strict = gallery.evaluate(&model(1), &EmbedOptions::default(), &mut |_| {}).unwrap_err();
    assert!(strict.to_string().contains("broken.png"), "{strict}");
    let lenient = EmbedOptions { on_error: OnError::Skip, ..EmbedOptions::default() };
    let found = gallery.evaluate(&model(1), &lenient, &mut |_| {}).unwrap();
    assert_eq!((found.evaluation.n_images, found.evaluation.n_texts), (4, 8));
    assert_eq!(found.skipped[0].name, "broken.png");
    let whole = Gallery::new(&squares(4, 2), &bare());
    let whole = whole.evaluate(&model(1), &EmbedOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(found.evaluation, whole.evaluation);
}

#[test]
fn long_captions_are_truncated() {
    let mut set = squares(2, 1);
    set.images[0].captions = vec!["word ".repeat(40)];
    set.images[1].source = ImageSource::Pixels(Arc::new(square(1)));
    let gallery = Gallery::new(&set, &bare());
    assert!(gallery.evaluate(&model(1), &EmbedOptions::default(), &mut |_| {}).is_ok());
}
