//! `segment`: images to label maps, and the code that all segmentation commands share.

mod classes;
mod page;
mod parts;

use std::path::Path;

use anyhow::Context;
use radapter_datasets::label_map::{self, IGNORED};
use radapter_images::{ImageSource, Interpolation, RgbImage, resize};
use radapter_report::{Link, overlaid, region_labels};
use radapter_segmentation::segmenter::Segmented;

use crate::command::args::{ModelRef, SegmentArgs};
use crate::command::skipped::report_skipped;
use crate::command::{Session, choice, images, model, output};
use page::{Entry, Legend};

pub(in crate::command) use classes::{annotated, class_list, unseen};
pub(in crate::command) use parts::{Parts, Shown};

/// Width in pixels of the smallest picture on the page.
const SHOWN: f64 = 225.0;

pub(super) fn run(args: &SegmentArgs, session: &Session) -> anyhow::Result<()> {
    output::check_empty_dir(&args.out)?;
    let classes = class_list(&args.classes)?;
    let found = images::list(std::slice::from_ref(&args.images))?;
    let precision = args.precision.resolve(session)?;
    let parts = Parts::open(&args.fusion, &args.proposals, run_of(&args.model.model), None)?.with_precision(precision);
    let synonyms = args.classes.synonyms.or(parts.synonyms).unwrap_or_default();
    let alphas = choice::alphas(&args.alpha, &args.model.model, session)?;
    let model = model::load(&args.model, alphas, precision, session)?.model;
    let shown = Shown { model: &model, classes: &classes, synonyms, session };
    let mut entries = Vec::new();
    output::write_dir(&args.out, |dir| {
        for folder in ["labels", "overlays"] {
            output::make_dir(&dir.join(folder))?;
        }
        let legend = Legend::new(&classes);
        output::write_file(&dir.join("legend.json"), &serde_json::to_vec_pretty(&legend)?)?;
        let names = page::stems(&found);
        let options = session.embed_options(&args.decode, args.batch);
        let skipped = parts.segment(&shown, &found, &options, "segmenting", &mut |segmented| {
            let stem = &names[segmented.index];
            let labels = dir.join("labels").join(format!("{stem}.png"));
            output::make_dir(radapter_files::folder_of(&labels))?;
            label_map::write_palette(&labels, &segmented.map, classes.len())?;
            let overlay = dir.join("overlays").join(format!("{stem}.png"));
            output::make_dir(radapter_files::folder_of(&overlay))?;
            let overlay_image = overlaid(&segmented.image, &segmented.map);
            write_png(&overlay, &overlay_image)?;
            let original = match &found[segmented.index].source {
                ImageSource::File(path) => Link::between(&args.out.join("index.html"), path),
                // A browser cannot open a member of a tar shard.
                _ => None,
            };
            entries.push(entry(stem, &segmented, &classes.names(), &overlay_image, original));
            Ok(())
        })?;
        report_skipped(&skipped, found.len());
        output::write_file(&dir.join("index.html"), page::page(args, &legend, &entries, skipped.len()).as_bytes())
    })?;
    parts.warn_of_notes();
    tracing::info!("labels, overlays, legend.json, index.html → {}", args.out.display());
    if args.json.json { output::print_json(&entries) } else { output::print(&page::table(&entries)) }
}

/// The path of a model that is a run; `None` for any other model.
pub(in crate::command) fn run_of(model: &ModelRef) -> Option<&Path> {
    match model {
        ModelRef::Path(path) if model::is_run(path) => Some(path),
        _ => None,
    }
}

/// The page's entry for an image.
fn entry(stem: &str, segmented: &Segmented, names: &[String], overlay: &RgbImage, original: Option<Link>) -> Entry {
    let labels = segmented.map.labels();
    let mut pixels = vec![0_usize; names.len()];
    labels.iter().filter(|label| **label != IGNORED).for_each(|label| pixels[usize::from(*label)] += 1);
    let share = |pixels: usize| pixels as f64 / labels.len() as f64;
    let mut classes: Vec<(u16, String, f64)> = pixels
        .iter()
        .enumerate()
        .filter(|(_, pixels)| **pixels > 0)
        .map(|(label, &pixels)| (label as u16, names[label].clone(), share(pixels)))
        .collect();
    classes.sort_by(|a, b| b.2.total_cmp(&a.2));
    Entry {
        name: segmented.name.clone(),
        stem: stem.to_owned(),
        masks: segmented.masks,
        uncovered: share(segmented.uncovered),
        classes: classes.into_iter().map(page::Share::from).collect(),
        image: thumbnail(&segmented.image),
        overlay: thumbnail(overlay),
        regions: region_labels(&segmented.map, names, SHOWN),
        original,
    }
}

fn write_png(path: &Path, image: &RgbImage) -> anyhow::Result<()> {
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).with_context(|| format!("cannot write `{}`", path.display()))?;
    output::write_file(path, &png.into_inner())
}

/// A small PNG for the page.
fn thumbnail(image: &RgbImage) -> Vec<u8> {
    const LONGER: u32 = 384;
    let (width, height) = image.dimensions();
    let longer = width.max(height).max(1);
    let small = |side: u32| (u64::from(side) * u64::from(LONGER) / u64::from(longer)).max(1) as u32;
    let image = if longer > LONGER {
        resize(image, small(width), small(height), Interpolation::Bicubic)
    } else {
        image.clone()
    };
    let mut png = std::io::Cursor::new(Vec::new());
    // Writing into memory fails only for an image without pixels, which no decoder returns.
    image.write_to(&mut png, image::ImageFormat::Png).map(|()| png.into_inner()).unwrap_or_default()
}
