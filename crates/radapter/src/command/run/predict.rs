//! `predict`: the classes of unlabelled images.

use std::path::Path;

use anyhow::{Context, bail};
use radapter_classification::predict::{Ranked, Ranking, predict};
use radapter_report::{Table, percent};
use serde_json::{Value, json};

use crate::command::args::PredictArgs;
use crate::command::failure::Usage;
use crate::command::prediction_file::Form;
use crate::command::skipped::report_skipped;
use crate::command::{Session, choice, classes, images, model, output};

pub(super) fn run(args: &PredictArgs, session: &Session) -> anyhow::Result<()> {
    let file = match args.out.as_deref().filter(|out| *out != Path::new("-")) {
        Some(out) => Some((out, Form::of(out)?)),
        None => None,
    };
    if let Some((out, _)) = file {
        output::check_writable(out)?;
    }
    if args.images.images.is_empty() {
        return Err(Usage("give --images: a directory or files".into()).into());
    }
    let images = images::list(&args.images.images)?;
    let names = classes::names(&args.class_names)?;
    let templates = classes::templates(&args.templates)?;
    let precision = args.precision.resolve(session)?;
    let alphas = choice::alphas(&args.alpha, &args.model.model, session)?;
    let model = model::open(&args.model, alphas, precision, session)?;
    let listed = || match (&names, &args.class_names.class_names) {
        (Some(names), Some(file)) => classes::of_names(names, Path::new(file)),
        _ => bail!(
            "`{}` is a plain model without classes; give them with --class-names (a list, or a TOML file of folder = \"text\"), \
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
    let rankings = &predictions.rankings;
    let csv = || csv(rankings, top.min(head.classes().len()), names.is_some()).context("cannot make the CSV");
    let Some((file, form)) = file else {
        return match (args.json.json, &args.out) {
            (true, _) => output::print_json(&rankings.iter().map(json).collect::<Vec<_>>()),
            (false, Some(_)) => output::print(String::from_utf8_lossy(&csv()?).trim_end()),
            (false, None) => output::print(&table(rankings).to_string()),
        };
    };
    let content = match form {
        Form::JsonLines => rankings.iter().map(|ranking| format!("{}\n", json(ranking))).collect::<String>().into(),
        Form::Csv => csv()?,
    };
    output::write_file(file, &content)?;
    tracing::info!("{} images → {}", rankings.len(), file.display());
    Ok(())
}

/// The likeliest classes of each image in words.
fn table(rankings: &[Ranking]) -> Table {
    let mut table = Table::new(&["image", "class", "probability>", "others"]);
    for Ranking { name, best } in rankings {
        let shown = |one: &Ranked| format!("{} {}", one.text, percent(one.probability));
        let (first, others) = match &best[..] {
            [first, others @ ..] => ((first.text.clone(), percent(first.probability)), others),
            [] => ((String::new(), String::new()), &[][..]),
        };
        let others: Vec<String> = others.iter().map(shown).collect();
        table.row([name.clone(), first.0, first.1, others.join(", ")]);
    }
    table
}

/// `image, class_1, probability_1, …`, one row per image; with texts `text_1` after `class_1`.
fn csv(rankings: &[Ranking], top: usize, texts: bool) -> anyhow::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let cells = |class: String, text: String, probability: String| {
        [Some(class), texts.then_some(text), Some(probability)].into_iter().flatten()
    };
    let columns = (1..=top)
        .flat_map(|place| cells(format!("class_{place}"), format!("text_{place}"), format!("probability_{place}")));
    table.write_record(std::iter::once("image".to_owned()).chain(columns))?;
    for ranking in rankings {
        let best = ranking
            .best
            .iter()
            .flat_map(|one| cells(one.class.clone(), one.text.clone(), format!("{:.6}", one.probability)));
        table.write_record(std::iter::once(ranking.name.clone()).chain(best))?;
    }
    Ok(table.into_inner().map_err(|error| error.into_error())?)
}

fn json(ranking: &Ranking) -> Value {
    let best: Vec<_> = ranking
        .best
        .iter()
        .map(|one| json!({ "class": one.class, "text": one.text, "probability": one.probability, "score": one.score }))
        .collect();
    json!({ "image": ranking.name, "predictions": best })
}
