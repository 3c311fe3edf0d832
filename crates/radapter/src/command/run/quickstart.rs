//! `quickstart`: a comparison of methods on the embedded model and the drawn shapes world.

use radapter_datasets::shapes::World;
use radapter_experiments::{Comparison, table};

use crate::command::args::QuickstartArgs;
use crate::command::{Session, interrupt, output};
use crate::embedded::embedded;

/// The seed of the world. Learning rates were chosen in worlds of other seeds.
const WORLD: u64 = 0;

pub(super) fn run(args: &QuickstartArgs, session: &Session) -> anyhow::Result<()> {
    let out = &args.out;
    output::check_empty_dir(out)?;
    let budget = if args.reduced { args.task.reduced } else { args.task.full };
    let (base, device) = (embedded(), session.device()?);
    let comparison = Comparison::draw(args.task, &World::new(WORLD), budget(), &base, &device)?;
    output::make_dir(out)?;
    let bar = session.progress.start("quickstart", "pieces", comparison.pieces());
    let compared =
        comparison.run(&out.join("runs"), interrupt::watch()?, &mut |piece| bar.set(piece.done, piece.what))?;
    bar.finish();

    output::write_file(&out.join("results.json"), &serde_json::to_vec_pretty(&compared.rows)?)?;
    output::write_dir(&out.join("merged"), |dir| compared.merged.save(dir))?;
    output::write_file(&out.join("report.html"), comparison.page(&compared)?.as_bytes())?;

    output::print(&table(&compared.rows).to_string())?;
    let caveat = comparison.caveat().map(str::to_owned);
    let claim = comparison.claim(&compared.rows).map(|claim| claim.to_string());
    for text in [caveat, comparison.note(), claim].iter().flatten() {
        output::print(&format!("\n{text}"))?;
    }
    output::print(&format!(
        "\ntable, curves and pictures  {}\nthe rows as JSON            {}\nthe merged checkpoint       {}",
        out.join("report.html").display(),
        out.join("results.json").display(),
        out.join("merged").display()
    ))
}
