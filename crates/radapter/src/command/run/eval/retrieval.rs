//! `eval retrieval`: recall at K.

use std::path::Path;

use radapter_clip::model::Encoder;
use radapter_datasets::captions::{self, CaptionsOptions};
use radapter_datasets::on_error::Skipped;
use radapter_datasets::{OnError, SkipReport, Templates};
use radapter_embedding::EmbedOptions;
use radapter_report::{Table, percent};
use radapter_retrieval::embedded::Embedded;
use radapter_retrieval::gallery::Gallery;
use radapter_retrieval::recall::{Evaluation, Recalls};
use radapter_retrieval::task::Retrieval;
use radapter_training::RunDir;
use radapter_training::plan::recorded_if;

use crate::command::args::{CaptionsArgs, EvalRetrieval, ModelArgs, ModelRef};
use crate::command::failure::Usage;
use crate::command::skipped::{report_left_out, report_skipped};
use crate::command::{Session, model, output};

/// Images and captions to be measured on.
pub(in crate::command::run) struct Source {
    gallery: Gallery,
    skipped: Vec<Skipped>,
}

impl Source {
    /// What `--captions` and its relatives name; what these leave open is as a run was trained.
    pub(in crate::command::run) fn open(
        args: &CaptionsArgs,
        on_error: OnError,
        trained: &Trained,
    ) -> anyhow::Result<Self> {
        let Some(path) = &args.captions else {
            return Err(Usage("give --captions: images with their captions".into()).into());
        };
        let options = CaptionsOptions {
            format: args.captions_format,
            images: args.images.clone(),
            splits: args.split.iter().flat_map(|list| list.split(',')).map(|name| name.trim().to_owned()).collect(),
            image_ids: args.image_ids.clone(),
            csv_img_key: args.csv_img_key.clone(),
            csv_caption_key: args.csv_caption_key.clone(),
            csv_separator: args.csv_separator,
            max_captions: args.max_captions.map(std::num::NonZeroUsize::get).or(trained.max_captions),
        };
        let report = SkipReport::default();
        let images = captions::read(path, &options, on_error, &report)?;
        Ok(Self { gallery: Gallery::new(&images, &trained.template), skipped: report.entries() })
    }

    /// Recalls of a model, with progress; `what` says which.
    pub(in crate::command::run) fn measure(
        &self,
        what: &str,
        clip: &dyn Encoder,
        options: &EmbedOptions,
        session: &Session,
    ) -> anyhow::Result<Evaluation> {
        let progress = session.progress.start(what, "images", self.gallery.images() as u64);
        let outcome = self.gallery.evaluate(clip, options, &mut |done| progress.set(done as u64, ""))?;
        progress.finish();
        report_skipped(&outcome.skipped, self.gallery.images());
        Ok(outcome.evaluation)
    }

    /// Tells what was left out when the captions were read, and what a model of this length cuts off.
    pub(in crate::command::run) fn warn(&self, context_length: usize) {
        report_left_out(&self.skipped);
        let long = self.gallery.truncated(context_length);
        if long > 0 {
            let all = self.gallery.texts();
            tracing::warn!("{long} of {all} captions have more than {context_length} tokens and are cut off");
        }
    }
}

pub(super) fn run(args: &EvalRetrieval, session: &Session) -> anyhow::Result<()> {
    let evaluation = match (&args.embeddings, &args.model) {
        (Some(file), _) => {
            let embedded = Embedded::read(file)?;
            let progress = session.progress.start("ranking", "texts", embedded.texts() as u64);
            let evaluation = embedded.evaluate(&mut |done| progress.set(done as u64, ""))?;
            progress.finish();
            evaluation
        }
        (None, Some(reference)) => {
            let source = Source::open(&args.captions, args.decode.on_error, &trained(reference)?)?;
            let model = ModelArgs { model: reference.clone(), arch: args.arch.clone() };
            let model = model::open(&model, args.alpha.get()?, session)?;
            source.warn(model.encoder.config().text.context_length);
            let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;
            source.measure("evaluating", &*model.encoder, &options, session)?
        }
        // clap asks for one of them.
        (None, None) => return Err(Usage("give --model or --embeddings".into()).into()),
    };
    if args.json.json { output::print_json(&evaluation) } else { output::print(&table(&evaluation)) }
}

/// How a model saw captions in training.
pub(in crate::command::run) struct Trained {
    template: Templates,
    /// The first captions of each image alone; all where none is said.
    max_captions: Option<usize>,
}

/// That of a run of retrieval; the bare captions, and all of them, for all other models.
fn trained(model: &ModelRef) -> anyhow::Result<Trained> {
    match model {
        ModelRef::Path(path) if model::is_run(path) => trained_run(path),
        _ => Ok(Trained { template: bare()?, max_captions: None }),
    }
}

/// As [`trained`], of a run.
pub(in crate::command::run) fn trained_run(run: &Path) -> anyhow::Result<Trained> {
    let run = RunDir::open(run)?;
    let Some(task) = recorded_if::<Retrieval>(&run, &run.record()?)? else {
        return Ok(Trained { template: bare()?, max_captions: None });
    };
    let max_captions = task.max_captions.value();
    if let Some(count) = max_captions {
        tracing::info!("of each image the first {count} captions count, as in the run's training (see --max-captions)");
    }
    Ok(Trained { template: task.templates, max_captions })
}

fn bare() -> anyhow::Result<Templates> {
    Ok(Templates::from_list(vec!["{}".to_owned()])?)
}

/// The recalls for people.
pub(in crate::command::run) fn table(evaluation: &Evaluation) -> String {
    let Evaluation { n_images, n_texts, image_to_text, text_to_image, mean_recall } = *evaluation;
    let mut table = Table::new(&["direction", "queries>", "R@1>", "R@5>", "R@10>", "median rank>"]);
    for (name, queries, recalls) in
        [("image → text", n_images, image_to_text), ("text → image", n_texts, text_to_image)]
    {
        let Recalls { r1, r5, r10, median_rank } = recalls;
        let recalls = [r1, r5, r10].map(percent);
        table.row([name.to_owned(), queries.to_string()].into_iter().chain(recalls).chain([median_rank.to_string()]));
    }
    format!("{table}\n\nmean recall  {}", percent(mean_recall))
}
