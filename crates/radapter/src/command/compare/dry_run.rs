//! `compare --dry-run`: what there is to do, and how long it takes as far as that is known.

use radapter_report::{Table, counted, duration};

use super::contender::Contender;
use super::measure::measured_seconds;
use super::train::{Trained, Training};
use super::{Work, parents};
use crate::command::output;

/// A run with what is known of it.
struct Planned {
    training: Training,
    /// The seconds that it took; `None` if it is not finished.
    took: Option<f64>,
    state: &'static str,
}

fn planned(work: &Work<'_>, contenders: &[&'static Contender]) -> anyhow::Result<Vec<Planned>> {
    let mut all = Vec::new();
    for parent in parents(work.args, contenders)? {
        for training in work.trainings(parent) {
            let dir = work.run_dir(&training);
            let (state, took) = match Trained::open(&training, &dir) {
                Ok(Some(run)) => ("finished", Some(run.report.seconds)),
                Ok(None) if dir.exists() => ("to resume", None),
                Ok(None) => ("to train", None),
                Err(_) => ("damaged", None),
            };
            all.push(Planned { training, took, state });
        }
    }
    Ok(all)
}

/// Whether all runs are finished.
pub(super) fn is_trained(work: &Work<'_>, contenders: &[&'static Contender]) -> anyhow::Result<bool> {
    Ok(planned(work, contenders)?.iter().all(|planned| planned.took.is_some()))
}

/// Prints the runs and the estimate.
pub(super) fn print(work: &Work<'_>, contenders: &[&'static Contender]) -> anyhow::Result<()> {
    let planned = planned(work, contenders)?;
    let mut table = Table::new(&["run", "state", "seconds>"]);
    let (mut known, mut unknown) = (0.0, 0_usize);
    for one in &planned {
        let seconds = match (one.took, mean(&planned, one.training.contender)) {
            (Some(took), _) => format!("{took:.1}"),
            (None, mean) => {
                match mean {
                    Some(mean) => known += mean,
                    None => unknown += 1,
                }
                mean.map_or_else(|| "not known".to_owned(), |mean| format!("about {mean:.1}"))
            }
        };
        table.row([one.training.title(), one.state.to_owned(), seconds]);
    }
    let left = planned.iter().filter(|one| one.took.is_none()).count();
    let measurements = work.measurements(contenders)?;
    let mut lines = vec![table.to_string(), String::new()];
    lines.push(format!("{} to train or resume, {} in all", counted(left, "run", "runs"), planned.len()));
    let times = measured_seconds(work.out());
    let done = times.len();
    lines.push(format!("up to {measurements} measurements by `radapter eval`, {done} made"));
    if left > unknown {
        lines.push(format!(
            "training: about {} for the runs of methods that have a finished one (its mean)",
            duration(known)
        ));
    }
    if unknown > 0 {
        let runs = counted(unknown, "run", "runs");
        lines.push(format!(
            "training: the time of {runs} is not known; it will be after the first finished run of each method"
        ));
    }
    lines.push(match done {
        0 => "measuring: the time is not known; it will be after the first measurement".to_owned(),
        _ => {
            let mean = times.iter().sum::<f64>() / done as f64;
            format!("measuring: about {}", duration(mean * measurements.saturating_sub(done) as f64))
        }
    });
    output::print(&lines.join("\n"))
}

/// The mean seconds of a method's finished runs.
fn mean(planned: &[Planned], contender: &Contender) -> Option<f64> {
    let of = planned.iter().filter(|one| one.training.contender.name == contender.name);
    let times: Vec<f64> = of.filter_map(|one| one.took).collect();
    (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64)
}
