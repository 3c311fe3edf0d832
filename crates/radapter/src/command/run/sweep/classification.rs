//! A run of classification over α, on a suite.

use radapter_classification::finetuned::ClassificationRun;
use radapter_classification::suite::{NamedEvaluation, SuiteResult};
use radapter_clip::model::Encoder;
use radapter_methods::METHODS;

use super::result::{Point, Sweep};
use crate::command::args::SweepArgs;
use crate::command::suite::{Source, measure_suite};
use crate::command::text_cache::text_cache;
use crate::command::{Session, model};
use radapter_report::{Frontier, FrontierPoint, percent};

pub(super) fn run(args: &SweepArgs, suite: &str, session: &Session) -> anyhow::Result<Sweep> {
    let grid = args.alpha.get()?;
    let source = Source::new(suite, args.dataset.root.as_deref())?;
    let run = ClassificationRun::open(METHODS, &args.run)?.with_text_cache(text_cache());
    let sets = source.open(run.classes())?;
    super::check_out(args)?;
    let base = model::base_of(run.run())?;
    let device = session.device()?;
    let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;

    let mut points = Vec::with_capacity(grid.len());
    let mut places = Vec::with_capacity(grid.len());
    let mut columns = Vec::new();
    for (index, alpha) in grid.iter().copied().enumerate() {
        let model = run.model(&base, Some(alpha), &device)?;
        let what = format!("alpha {alpha} ({} of {})", index + 1, grid.len());
        let measure = |encoder: &dyn Encoder| measure_suite(&what, encoder, &model.head, &sets, &options, session);
        let outcome = model.model.with_encoder(&device, measure)??;
        let result = outcome.result.without_confusion();
        tracing::info!("alpha {alpha}: {} ID, {} OOD", percent(result.id.evaluation.top1), percent(result.ood_average));
        columns = each(&result).map(|set| set.name.clone()).chain(["OOD average".to_owned()]).collect();
        let (id, ood) = (result.id.evaluation.top1, result.ood_average);
        places.push(FrontierPoint { alpha: Some(alpha.get()), id, ood });
        let values = each(&result).map(|set| set.evaluation.top1).chain([ood]).collect();
        points.push(Point::new(alpha, values, &result)?);
    }
    let default = run.run().default_alpha()?;
    let id = columns.first().cloned().unwrap_or_default();
    let frontier =
        Frontier::new().method("this run", &places, Some(default.get())).chart("Up and to the right is better", &id);
    let last = columns.len().saturating_sub(1);
    let shown = columns.iter().enumerate().map(|(index, name)| match index {
        0 => (format!("{name} (ID)"), true),
        _ => (name.clone(), index == last),
    });
    Ok(Sweep {
        what: "Top-1 accuracy over alpha",
        on: suite.to_owned(),
        facts: vec![("in distribution", 0), ("out of distribution", last)],
        series: shown.collect(),
        columns,
        points,
        default,
        more: Some(("In distribution against out of distribution", frontier.svg()?)),
    })
}

fn each(result: &SuiteResult) -> impl Iterator<Item = &NamedEvaluation> {
    std::iter::once(&result.id).chain(&result.ood)
}
