//! A run of retrieval over α, on images with captions.

use radapter_clip::model::Clip;
use radapter_report::percent;
use radapter_retrieval::recall::{Evaluation, Recalls};

use super::result::{Point, Sweep};
use crate::command::args::SweepArgs;
use crate::command::run::eval::{Source, trained_run};
use crate::command::{Session, model};

pub(super) fn run(args: &SweepArgs, session: &Session) -> anyhow::Result<Sweep> {
    let grid = args.alpha.get()?;
    let run = model::open_run(&args.run)?;
    let source = Source::open(&args.captions, args.decode.on_error, &trained_run(&args.run)?)?;
    super::check_out(args)?;
    let base = model::base_of(&run)?;
    source.warn(base.config.text.context_length);
    let device = session.device()?;
    let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;

    let mut points = Vec::with_capacity(grid.len());
    for (index, alpha) in grid.iter().copied().enumerate() {
        let checkpoint = run.model(&base, Some(alpha), &device)?.model.checkpoint()?;
        let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, &device)?;
        let what = format!("alpha {alpha} ({} of {})", index + 1, grid.len());
        let evaluation = source.measure(&what, &clip, &options, session)?;
        tracing::info!("alpha {alpha}: mean recall {}", percent(evaluation.mean_recall));
        points.push(Point::new(alpha, values(&evaluation), &evaluation)?);
    }
    let columns = COLUMNS.map(str::to_owned).to_vec();
    let last = columns.len() - 1;
    let captions = args.captions.captions.as_deref().map(|path| path.display().to_string());
    Ok(Sweep {
        what: "Recall over alpha",
        on: captions.unwrap_or_default(),
        facts: vec![("mean recall", last), (COLUMNS[0], 0), (COLUMNS[3], 3)],
        series: columns.iter().enumerate().map(|(index, name)| (name.clone(), index == last)).collect(),
        columns,
        points,
        default: run.default_alpha()?,
        more: None,
    })
}

const COLUMNS: [&str; 7] = [
    "image to text R@1",
    "image to text R@5",
    "image to text R@10",
    "text to image R@1",
    "text to image R@5",
    "text to image R@10",
    "mean recall",
];

fn values(evaluation: &Evaluation) -> Vec<f64> {
    let three = |recalls: Recalls| [recalls.r1, recalls.r5, recalls.r10];
    let both = [three(evaluation.image_to_text), three(evaluation.text_to_image)].concat();
    both.into_iter().chain([evaluation.mean_recall]).collect()
}
