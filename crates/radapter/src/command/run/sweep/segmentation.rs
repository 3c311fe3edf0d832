//! A run of segmentation over α, on annotated images.

use std::collections::HashMap;
use std::sync::Arc;

use radapter_datasets::SkipReport;
use radapter_images::DecodeOptions;
use radapter_report::percent;
use radapter_segmentation::proposals::Source;

use super::result::{Point, Sweep};
use crate::command::args::SweepArgs;
use crate::command::failure::Usage;
use crate::command::run::eval::{Measured, Scene};
use crate::command::run::segment::Parts;
use crate::command::{Session, model};

pub(super) fn run(args: &SweepArgs, session: &Session) -> anyhow::Result<Sweep> {
    if args.decoding.is_given() {
        return Err(Usage(
            "--decode and --pixel-cache are not for segmentation, whose masks are of whole images".into(),
        )
        .into());
    }
    let grid = args.alpha.get()?;
    let run = model::open_run(&args.run)?;
    let images = args.captions.images.as_deref();
    let scene = Scene::open(images, &args.label_maps, &args.dataset, None, args.unseen.as_deref())?;
    let parts = scene.parts(&args.fusion, &args.proposals, Some(&args.run))?;
    super::check_out(args)?;
    let base = model::base_of(&run)?;
    let device = session.device()?;
    let options = session.embed_options(&args.decode, args.batch);
    // Masks do not hang on α: those that take time are made once.
    let parts = match &*parts.source {
        Source::Builtin(_) => Parts::with(
            &args.fusion,
            Arc::new(made_once(&scene, &parts, args, session)?),
            Some(&args.run),
            scene.lambda,
        )?,
        _ => parts,
    };

    let has_unseen = args.unseen.is_some();
    let mut points = Vec::with_capacity(grid.len());
    for (index, alpha) in grid.iter().copied().enumerate() {
        let checkpoint = run.model(&base, Some(alpha), &device)?.model.checkpoint()?;
        let what = format!("alpha {alpha} ({} of {})", index + 1, grid.len());
        let measured = scene.measure(&what, &checkpoint, &parts, &options, None, session)?;
        tracing::info!("alpha {alpha}: mIoU {}", percent(measured.scores.miou));
        points.push(Point::new(alpha, values(&measured, has_unseen), &measured)?);
    }
    parts.tell_notes();
    let columns: Vec<String> = COLUMNS[..if has_unseen { 5 } else { 2 }].iter().map(|&name| name.to_owned()).collect();
    Ok(Sweep {
        what: "Segmentation over alpha",
        on: on(args),
        facts: vec![("mIoU", 0), ("pixel accuracy", 1)],
        series: columns.iter().enumerate().map(|(index, name)| (name.clone(), index == 0)).collect(),
        columns,
        points,
        default: run.default_alpha()?,
        more: None,
    })
}

const COLUMNS: [&str; 5] = ["mIoU", "pixel accuracy", "mIoU seen", "mIoU unseen", "harmonic mean"];

fn values(measured: &Measured, has_unseen: bool) -> Vec<f64> {
    let scores = &measured.scores;
    let mut values = vec![scores.miou, scores.pixel_accuracy];
    if has_unseen {
        let parts = [scores.seen_miou, scores.unseen_miou, scores.harmonic_miou];
        values.extend(parts.map(|value| value.unwrap_or(0.0)));
    }
    values
}

/// What is measured on, by name.
fn on(args: &SweepArgs) -> String {
    let folder = args.label_maps.annotations.as_deref().map(|path| path.display().to_string());
    folder.or(args.dataset.dataset.clone()).unwrap_or_default()
}

/// The masks of all images.
fn made_once(scene: &Scene, parts: &Parts, args: &SweepArgs, session: &Session) -> anyhow::Result<Source> {
    use rayon::prelude::*;

    let images = scene.images();
    let progress = session.progress.start("making masks", "images", images.len() as u64);
    let report = SkipReport::default();
    let mut known = HashMap::with_capacity(images.len());
    for some in images.chunks(64) {
        let of = |image: &radapter_embedding::Image| {
            let picture =
                args.decode.on_error.settle(&image.name, image.source.load(&DecodeOptions::default()), &report)?;
            let Some(picture) = picture else { return Ok(None) };
            Ok::<_, anyhow::Error>(Some((image.name.clone(), parts.source.of(image, &picture, None)?)))
        };
        let made = some.par_iter().map(of).collect::<Result<Vec<_>, _>>()?;
        known.extend(made.into_iter().flatten());
        progress.set(known.len() as u64, "");
    }
    progress.finish();
    Ok(Source::Known(known))
}
