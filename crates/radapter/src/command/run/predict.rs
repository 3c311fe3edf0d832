//! `predict`: the classes of unlabelled images.

use std::path::Path;

use anyhow::{Context, bail};
use radapter_classification::predict::{Ranking, predict};
use serde_json::json;

use crate::command::args::PredictArgs;
use crate::command::failure::Usage;
use crate::command::prediction_file::Form;
use crate::command::skipped::report_skipped;
use crate::command::{Session, classes, images, model, output};

pub(super) fn run(args: &PredictArgs, session: &Session) -> anyhow::Result<()> {
    let form = Form::of(&args.out)?;
    output::check_writable(&args.out)?;
    if args.images.images.is_empty() {
        return Err(Usage("give --images: a directory or files".into()).into());
    }
    let images = images::list(&args.images.images)?;
    let names = classes::names(&args.class_names)?;
    let templates = classes::templates(&args.templates)?;
    let model = model::open(&args.model, args.alpha.get()?, session)?;
    let listed = || match (&names, &args.class_names.class_names) {
        (Some(names), Some(file)) => classes::of_names(names, Path::new(file)),
        _ => bail!(
            "`{}` is a plain model without classes; give them with --class-names (a TOML file of folder = \"text\"), \
             or use a run or its export",
            args.model.model
        ),
    };
    let batch = args.batch.batch_size;
    let head = classes::head(&model, listed, names.as_ref(), templates.as_ref(), batch)?;

    let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;
    let progress = session.progress.start("predicting", "images", images.len() as u64);
    let top = args.top.get();
    let predictions = predict(&*model.encoder, &head, &images, model.temperature, top, &options, &mut |done| {
        progress.set(done as u64, "");
    })?;
    progress.finish();
    report_skipped(&predictions.skipped, images.len());
    let content = match form {
        Form::Csv => csv(&predictions.rankings, top.min(head.classes().len())).context("cannot make the CSV")?,
        Form::JsonLines => json_lines(&predictions.rankings),
    };
    output::write_file(&args.out, &content)?;
    tracing::info!("{} images → {}", predictions.rankings.len(), args.out.display());
    Ok(())
}

/// `image, class_1, probability_1, …`, one row per image.
fn csv(rankings: &[Ranking], top: usize) -> anyhow::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let columns = (1..=top).flat_map(|place| [format!("class_{place}"), format!("probability_{place}")]);
    table.write_record(std::iter::once("image".to_owned()).chain(columns))?;
    for ranking in rankings {
        let best = ranking.best.iter().flat_map(|one| [one.class.clone(), format!("{:.6}", one.probability)]);
        table.write_record(std::iter::once(ranking.name.clone()).chain(best))?;
    }
    Ok(table.into_inner().map_err(|error| error.into_error())?)
}

fn json_lines(rankings: &[Ranking]) -> Vec<u8> {
    let mut lines = String::new();
    for ranking in rankings {
        let best: Vec<_> = ranking
            .best
            .iter()
            .map(|one| json!({ "class": one.class, "text": one.text, "probability": one.probability, "score": one.score }))
            .collect();
        lines.push_str(&json!({ "image": ranking.name, "predictions": best }).to_string());
        lines.push('\n');
    }
    lines.into_bytes()
}
