//! `proposals`: class-agnostic masks.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use radapter_datasets::label_map::{self, Labelling};
use radapter_datasets::prefetch::{Ahead, Prefetch, PrefetchError};
use radapter_datasets::{SkipReport, pairs};
use radapter_embedding::{EmbedOptions, Image};
use radapter_report::percent;
use radapter_segmentation::data::annotated::segments;
use radapter_segmentation::mask::Mask;
use radapter_segmentation::proposals::builtin::Options;
use radapter_segmentation::proposals::recall::{Fit, Recall, best_ious};
use radapter_segmentation::proposals::{Proposals, ResultsWriter, Source};
use serde::Serialize;

use crate::command::args::{DamageArg, DecodeArgs, ProposalsArgs};
use crate::command::failure::Usage;
use crate::command::skipped::report_skipped;
use crate::command::{Session, images, output};

/// Minimum area of a segment that counts, in pixels.
const MIN_AREA: usize = 64;

/// The result with annotations.
#[derive(Serialize)]
struct Measured {
    #[serde(flatten)]
    recall: Recall,
    seconds_per_image: f64,
}

/// The result without annotations.
#[derive(Serialize)]
struct Counted {
    masks_per_image: f64,
    seconds_per_image: f64,
}

/// An image's masks, the seconds they took, and the best IoU of each of its segments.
struct Made {
    name: String,
    proposals: Proposals,
    seconds: f64,
    best: Option<Vec<f64>>,
}

pub(super) fn run(args: &ProposalsArgs, session: &Session) -> anyhow::Result<()> {
    output::check_writable(&args.out)?;
    let images = images::list(std::slice::from_ref(&args.images))?;
    let annotations = args.annotations.as_deref().map(|folder| annotations(args, folder)).transpose()?;
    let options = Options { max_masks: args.max_masks.get(), ..Options::default() };
    let progress = session.progress.start("making masks", "images", images.len() as u64);
    let report = SkipReport::default();
    let made = made(&images, options, annotations.clone(), args, &report)?;
    let (mut fit, mut seconds, mut count) = (Fit::default(), 0.0, 0);
    let mut failed = None;
    output::write_with(&args.out, |out| {
        let mut writer = ResultsWriter::new(out)?;
        for (done, made) in made.enumerate() {
            let made = match made {
                Ok(made) => made,
                Err(error) => {
                    failed = Some(match error {
                        PrefetchError::Work(error) => error,
                        PrefetchError::Panicked { message } => {
                            anyhow::anyhow!("making masks stopped unexpectedly: {message}")
                        }
                    });
                    return Err(std::io::Error::other("stopped"));
                }
            };
            if let Some(Made { name, proposals, seconds: took, best }) = made {
                writer.push(&name, &proposals)?;
                fit.add(proposals.masks.len(), &best.unwrap_or_default());
                (seconds, count) = (seconds + took, count + 1);
            }
            progress.set(done as u64 + 1, "");
        }
        writer.finish()
    })
    .map_err(|error| failed.unwrap_or(error))?;
    progress.finish();
    report_skipped(&report.entries(), images.len());
    anyhow::ensure!(count > 0, "none of the {} images could be read", images.len());
    let seconds_per_image = seconds / f64::from(count);
    let recall = fit.recall();
    tracing::info!("masks of {count} images → {}", args.out.display());
    if annotations.is_some() && fit.segments() == 0 {
        tracing::warn!("no annotation of these images has a segment of at least {MIN_AREA} pixels");
    }
    match (args.json.json, annotations.is_some()) {
        (true, true) => output::print_json(&Measured { recall, seconds_per_image }),
        (true, false) => output::print_json(&Counted { masks_per_image: recall.masks_per_image, seconds_per_image }),
        (false, measured) => {
            let mut lines = vec![("masks per image", format!("{:.1}", recall.masks_per_image))];
            if measured {
                lines.extend([
                    ("segments", fit.segments().to_string()),
                    ("best IoU, mean", format!("{:.3}", recall.best_iou)),
                    ("recall at IoU 0.5", percent(recall.recall_50)),
                    ("recall at IoU 0.75", percent(recall.recall_75)),
                ]);
            }
            lines.push(("seconds per image", format!("{seconds_per_image:.3} (on one core)")));
            output::print(&output::aligned(&lines))
        }
    }
}

/// The annotations of images, keyed by the images' names without extension.
fn annotations(args: &ProposalsArgs, folder: &std::path::Path) -> anyhow::Result<HashMap<String, PathBuf>> {
    if args.images.is_file() {
        return Err(Usage("--annotations needs a folder of images; give the folder as --images".into()).into());
    }
    let pairs = pairs::pairs(&args.images, folder, args.decode.on_error)?;
    if pairs.without_annotation > 0 {
        tracing::info!("{} images have no annotation and are not compared", pairs.without_annotation);
    }
    Ok(pairs.images.into_iter().map(|pair| (pair.name, pair.annotation)).collect())
}

/// Makes the masks of all images ahead on several threads, each image on one.
fn made(
    images: &[Image],
    options: Options,
    annotations: Option<HashMap<String, PathBuf>>,
    args: &ProposalsArgs,
    report: &SkipReport,
) -> anyhow::Result<Prefetch<Option<Made>, anyhow::Error>> {
    let EmbedOptions { threads, limits, .. } = EmbedOptions::default();
    let DecodeArgs { on_error, damage: DamageArg { on_damage } } = args.decode;
    let report = report.clone();
    let source = Source::Builtin(options);
    let ignore = args.ignore;
    Ok(Prefetch::new(images.to_vec(), Ahead { threads, jobs: 4 * threads.max(1) }, move |image: Image| {
        let picture = image.source.load(&limits.into());
        let picture = on_error.settle_image(on_damage, &image.name, picture, &report)?;
        let Some(picture) = picture else { return Ok(None) };
        let start = Instant::now();
        let proposals = source.of(&image, &picture, None)?;
        let seconds = start.elapsed().as_secs_f64();
        let stem = image.name.rsplit_once('.').map_or(image.name.as_str(), |(stem, _)| stem);
        let annotation = annotations.as_ref().and_then(|annotations| annotations.get(stem));
        let best = annotation.map(|path| {
            let stored = label_map::read_stored(path)?;
            let ignore = ignore.unwrap_or(if stored.values.contains(&u16::MAX) { u16::MAX } else { 255 });
            // Segment borders do not depend on the number of classes, so the largest will do.
            let map = Labelling::new(label_map::MAX_CLASSES, Some(ignore), 0)?.apply(path, stored)?;
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            anyhow::ensure!(
                (map.width(), map.height()) == (width, height),
                "{}: {} × {} pixels, but the image {} has {width} × {height}; expected an annotation of the image's size",
                path.display(),
                map.width(),
                map.height(),
                image.name
            );
            let masks: Vec<Mask> = proposals.binary(0.5).into_iter().flatten().collect();
            let segments: Vec<Mask> = segments(&map, MIN_AREA).into_iter().map(|(_, rle)| rle.decode()).collect();
            Ok(best_ious(&masks, &segments))
        });
        Ok(Some(Made {
            name: image.name.clone(),
            best: best.transpose().context("--annotations")?,
            proposals,
            seconds,
        }))
    }))
}
