//! `sweep --select`: α by rules, from the run's own held-out samples and what else is given.

use std::sync::atomic::AtomicBool;

use radapter_adapter::Alphas;
use radapter_files::Disk;
use radapter_report::{Page, Table, show_choice};
use radapter_training::choice::{Choice, ChoiceError, RULES, Rule, Scene, choose, named};
use serde_json::{Value, json};

use crate::command::args::{SelectArgs, SweepArgs};
use crate::command::failure::{Interrupted, Usage};
use crate::command::{Session, choice, images, interrupt, model, output};

/// The word for all rules.
const ALL: &str = "all";

/// What a rule chose, or why it could not.
pub(super) struct Selected {
    rule: &'static dyn Rule,
    choice: Result<Choice, String>,
}

/// The rules of `--select`, before anything is measured.
///
/// # Errors
/// An unknown rule, and `--save` with several.
pub(super) fn rules(args: &SelectArgs) -> anyhow::Result<Vec<&'static dyn Rule>> {
    let SelectArgs { select, save, .. } = args;
    if select.iter().any(|name| name == ALL) {
        return if *save { Err(many_to_save()) } else { Ok(RULES.to_vec()) };
    }
    let rules = select.iter().map(|name| named(name).map_err(|error| Usage(format!("--select: {error}"))));
    let rules: Vec<_> = rules.collect::<Result<_, _>>()?;
    if *save && rules.len() != 1 { Err(many_to_save()) } else { Ok(rules) }
}

fn many_to_save() -> anyhow::Error {
    Usage("--save needs one rule, as in `--select one-se --save`".into()).into()
}

/// Applies rules; without any, nothing is opened.
pub(super) fn select(
    rules: &[&'static dyn Rule],
    args: &SweepArgs,
    session: &Session,
) -> anyhow::Result<Vec<Selected>> {
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let SelectArgs { unlabelled, other, save, .. } = &args.select;
    super::sweep::check_out(args)?;
    let run = model::open_run(&args.run)?;
    choice::check_soup(&run)?;
    let others = other.iter().map(|path| model::open_run(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let unlabelled = images::list(unlabelled)?;
    let base = model::base_of(&run)?;
    let device = session.first_device()?.device.clone();
    let mut held_out = choice::held_out(&run, &base, session)?;
    let interrupt: &AtomicBool = &*interrupt::watch()?;
    let grid = args.alpha.get()?;
    let mut scene = Scene::new(&run, &base, &device, grid)
        .with_precision(args.precision.resolve(session)?)
        .with_held_out(&mut held_out)
        .with_unlabelled(unlabelled)
        .with_others(others)
        .with_interrupt(interrupt);
    let mut selected = Vec::with_capacity(rules.len());
    for rule in rules {
        let choice = match choose(*rule, &mut scene) {
            Ok(choice) => Ok(choice),
            Err(ChoiceError::Interrupted) => {
                return Err(Interrupted::measurement(selected.len(), rules.len()).into());
            }
            // One of several does not keep the others from choosing.
            Err(error) if rules.len() > 1 => Err(error.to_string()),
            Err(error) => return Err(error.into()),
        };
        if let Ok(Choice { notes, .. }) = &choice {
            notes.iter().for_each(|note| tracing::warn!("the rule {}: {note}", rule.name()));
        }
        selected.push(Selected { rule: *rule, choice });
    }
    if *save && let [Selected { choice: Ok(choice), .. }] = &selected[..] {
        run.files().dir().write_choice(&Disk, choice)?;
        tracing::info!("alpha = {} → {}", choice.alphas, run.files().dir().path().display());
    }
    match &selected.iter().find_map(|selected| selected.choice.as_ref().err()) {
        Some(reason) if selected.iter().all(|selected| selected.choice.is_err()) => {
            anyhow::bail!("none of the {} rules could choose; the first: {reason}", selected.len())
        }
        _ => Ok(selected),
    }
}

/// The rules as a table.
pub(super) fn table(selected: &[Selected]) -> Table {
    let mut table = Table::new(&["rule", "alpha>", ""]);
    for Selected { rule, choice } in selected {
        let (alpha, why) = match choice {
            Ok(choice) => (short(&choice.alphas), choice.measure.clone()),
            Err(reason) => ("-".to_owned(), reason.clone()),
        };
        table.row([rule.name().to_owned(), alpha, why]);
    }
    table
}

/// An α as people read it.
fn short(alphas: &Alphas) -> String {
    match alphas.single() {
        Some(alpha) => format!("{:.3}", alpha.get()).trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => alphas.to_string(),
    }
}

/// The rules for `--json`.
pub(super) fn objects(selected: &[Selected]) -> anyhow::Result<Vec<Value>> {
    let object = |Selected { rule, choice }: &Selected| match choice {
        Ok(choice) => serde_json::to_value(choice),
        Err(reason) => Ok(json!({ "rule": rule.name(), "alpha": null, "reason": reason })),
    };
    Ok(selected.iter().map(object).collect::<Result<_, _>>()?)
}

/// Adds the rules to a page.
pub(super) fn show(selected: &[Selected], page: &mut Page) {
    if selected.is_empty() {
        return;
    }
    page.section("Alpha by rule");
    let row = |Selected { rule, choice }: &Selected| match choice {
        Ok(choice) => vec![rule.name().to_owned(), short(&choice.alphas), rule.about().to_owned()],
        Err(reason) => vec![rule.name().to_owned(), "-".to_owned(), reason.clone()],
    };
    page.table(&["rule", "alpha>", "chooses"], &selected.iter().map(row).collect::<Vec<_>>(), &[]);
    page.caption("No rule looks at labels of other distributions.");
    selected.iter().filter_map(|selected| selected.choice.as_ref().ok()).for_each(|choice| show_choice(page, choice));
}

/// Writes the rules' choices without a sweep.
pub(super) fn write(args: &SweepArgs, selected: &[Selected]) -> anyhow::Result<()> {
    let mut page = Page::new("Choice of alpha", &format!("The run {}.", args.run.display()));
    show(selected, &mut page);
    let (choices, page) = (serde_json::to_vec_pretty(&objects(selected)?)?, page.finish());
    output::write_dir(&args.out, |dir| {
        output::write_file(&dir.join("choices.json"), &choices)?;
        output::write_file(&dir.join("report.html"), page.as_bytes())
    })?;
    tracing::info!("choices.json, report.html → {}", args.out.display());
    Ok(())
}
