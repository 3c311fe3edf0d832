//! The comparison behind `radapter quickstart`: zero-shot, full fine-tuning and R-Adapter on the photos of the shapes world,
//! measured on photos and on the domains that were never trained on.
//!
//! It is fair, or it would be worth nothing: both methods see the same images in the same order for as many steps, with
//! the same batch and augmentation; both learning rates come from grids of one size and were chosen by accuracy on
//! in-distribution validation images, in a world of another seed (`cargo xtask tune-quickstart`). α is 0.5 beforehand. No
//! choice looks at a label outside the training domain.

mod budget;
mod compare;
mod comparison;
mod data;
mod method;
mod report;
mod results;
pub mod retrieval;
pub mod segmentation;

pub use budget::Budget;
pub use compare::{Answers, Compared, Ears, compare};
pub use comparison::{Compared as ComparedCheckpoints, SceneBudget};
pub use data::Data;
pub use method::{LearningRates, Method, train};
pub use results::{Claim, Row, claim, claim_at, mean_rows};

use std::path::Path;

use radapter_clip::checkpoint::SaveOptions;
use radapter_datasets::shapes::World;

use super::args::{QuickstartArgs, QuickstartTask};
use super::table::{Table, grouped, percent};
use super::{Session, output};
use crate::embedded::embedded;

/// The seed of the world that is shown. Recipes were chosen in others.
const WORLD: u64 = 0;

pub(super) fn run(args: &QuickstartArgs, session: &Session) -> anyhow::Result<()> {
    match args.task {
        QuickstartTask::Classification => classification(args, session),
        QuickstartTask::Retrieval => retrieval::run(&args.out, args.reduced, session),
        QuickstartTask::Segmentation => segmentation::run(&args.out, args.reduced, session),
    }
}

fn classification(args: &QuickstartArgs, session: &Session) -> anyhow::Result<()> {
    output::check_empty_dir(&args.out)?;
    let budget = if args.reduced { Budget::reduced() } else { Budget::full() };
    let device = session.device()?;
    let base = embedded();
    let data = Data::draw(&World::new(WORLD), &budget)?;
    output::make_dir(&args.out)?;
    let interrupt = super::interrupt::watch()?;
    let ears = Ears { session_progress: session.progress, interrupt };
    let compared = compare(&base, &data, &budget, &LearningRates::CHOSEN, &args.out.join("runs"), &device, &ears)?;

    output::write_file(&args.out.join("results.json"), &serde_json::to_vec_pretty(&compared.rows)?)?;
    let merged = args.out.join("merged");
    output::write_dir(&merged, |dir| {
        compared.merged.checkpoint.save(dir, &SaveOptions::new(base.format).with_dtype(base.dtype))?;
        Ok(compared.merged.head.save(dir)?)
    })?;
    let page = report::page(&compared, &data, &budget)?;
    output::write_file(&args.out.join("report.html"), page.as_bytes())?;

    output::print(&table(&compared.rows).to_string())?;
    if let Some(claim) = claim(&compared.rows) {
        output::print(&format!("\n{claim}"))?;
    }
    print_places(&args.out)
}

/// Where everything is.
fn print_places(out: &Path) -> anyhow::Result<()> {
    output::print(&format!(
        "\ntable, curves and pictures  {}\nthe rows as JSON            {}\nthe merged checkpoint       {}",
        out.join("report.html").display(),
        out.join("results.json").display(),
        out.join("merged").display()
    ))
}

/// Columns of the classes that were kept apart in training.
const UNSEEN: [&str; 2] = ["unseen (ID)>", "unseen (OOD)>"];

/// What stands in those columns, where there are such classes.
fn unseen(row: &Row) -> Vec<String> {
    [row.unseen_id, row.unseen_ood_average].into_iter().flatten().map(percent).collect()
}

/// Means over the seeds, for people.
fn table(rows: &[Row]) -> Table {
    let sets: Vec<&String> = rows.first().map(|row| row.ood.keys().collect()).unwrap_or_default();
    let mut columns = vec!["method".to_owned(), "alpha>".to_owned(), "photo (ID)>".to_owned()];
    columns.extend(sets.iter().map(|set| format!("{set}>")));
    let has_unseen = rows.iter().any(|row| row.unseen_id.is_some());
    columns.push("OOD average>".to_owned());
    if has_unseen {
        columns.extend(UNSEEN.map(str::to_owned));
    }
    columns.extend(["tuned parameters>", "seconds>", "bytes to store>"].map(str::to_owned));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = Table::new(&columns);
    for row in mean_rows(rows) {
        let mut cells = vec![row.method.to_string(), row.alpha.map_or(String::new(), |alpha| format!("{alpha:.1}"))];
        cells.push(percent(row.id));
        cells.extend(row.ood.values().map(|value| percent(*value)));
        cells.push(percent(row.ood_average));
        cells.extend(unseen(&row));
        cells.push(grouped(row.tuned_parameters as u64));
        cells.push(format!("{:.1}", row.seconds));
        cells.push(grouped(row.bytes));
        table.row(cells);
    }
    table
}
