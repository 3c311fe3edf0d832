//! Greedy selection of a soup's models.

use radapter_classification::classes::Classes;
use radapter_classification::head::Head;
use radapter_classification::read::read_labelled;
use radapter_classification::suite::TestSet;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_datasets::OnError;
use radapter_embedding::EmbedOptions;
use radapter_report::percent;

use crate::command::args::SoupArgs;
use crate::command::model::Opened;
use crate::command::{Session, classes, suite};

/// Which models are in the soup: all, or those that greedy selection keeps.
pub(super) fn chosen(
    args: &SoupArgs,
    session: &Session,
    mean: impl Fn(&[usize]) -> anyhow::Result<(Checkpoint, Option<Head>)>,
) -> anyhow::Result<Vec<usize>> {
    let all: Vec<usize> = (0..args.models.len()).collect();
    let Some(val) = args.val.as_ref().filter(|_| args.greedy) else { return Ok(all) };
    let names = classes::names(&args.class_names)?;
    let images = read_labelled(val, names.as_ref(), OnError::Fail)?;
    let found = Classes::new(images.classes.clone())?;
    let options = EmbedOptions::default();
    let device = session.device()?;
    let mut set: Option<TestSet> = None;
    let mut accuracy = |chosen: &[usize]| -> anyhow::Result<f64> {
        let (checkpoint, head) = mean(chosen)?;
        let encoder = Box::new(Clip::from_state(&checkpoint.config, &checkpoint.state, &device)?);
        let opened = Opened { encoder, head, temperature: checkpoint.temperature() };
        let head = classes::head(&opened, || Ok(found.clone()), names.as_ref(), None, options.batch)?;
        // All models have the same classes, and the set warns of those without images.
        let set = match &set {
            Some(set) => set,
            None => set.insert(TestSet::new(val.display().to_string(), images.clone(), head.classes())?),
        };
        Ok(suite::measure(&*opened.encoder, &head, set, &options, session)?.evaluation.top1)
    };
    let mut ranked = Vec::with_capacity(all.len());
    for index in all {
        let alone = accuracy(&[index])?;
        tracing::info!("{}: {} on {}", args.models[index], percent(alone), val.display());
        ranked.push((index, alone));
    }
    // Stable: of equal ones the first that was named comes first.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (first, mut best) = ranked[0];
    let mut kept = vec![first];
    for (index, _) in ranked.into_iter().skip(1) {
        let with: Vec<usize> = kept.iter().copied().chain([index]).collect();
        let mixed = accuracy(&with)?;
        let keeps = mixed >= best;
        let word = if keeps { "kept" } else { "left out" };
        tracing::info!("with {}: {}, {word}", args.models[index], percent(mixed));
        if keeps {
            (kept, best) = (with, mixed);
        }
    }
    Ok(kept)
}
