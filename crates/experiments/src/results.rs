//! Rows of results, their means over the seeds, and the claim.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Contender, Figures};

/// The results of one model as fractions: top-1 accuracy in classification, mean recall in retrieval, mIoU in segmentation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "`method` and `seed` need no text")]
pub struct Row {
    pub method: Contender,
    /// Scale of the adapters; `None` for methods without adapters.
    pub alpha: Option<f64>,
    pub seed: u64,
    /// In distribution.
    pub id: f64,
    /// On each shifted set.
    pub ood: BTreeMap<String, f64>,
    /// The unweighted mean of the shifted sets.
    pub ood_average: f64,
    /// In distribution, on the classes held out of training only; `None` if no class was held out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unseen_id: Option<f64>,
    /// The mean of the shifted sets on those classes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unseen_ood_average: Option<f64>,
    /// Number of trained parameters.
    pub tuned_parameters: usize,
    /// Training time, in seconds; 0 without training.
    pub seconds: f64,
    /// Size of the trained tensors on disk; 0 without training.
    pub bytes: u64,
}

impl Row {
    /// A row of a model without training.
    pub(crate) fn new(method: Contender, seed: u64, figures: &Figures) -> Self {
        let (unseen_id, unseen_ood_average) = figures.unseen.unzip();
        Self {
            method,
            alpha: None,
            seed,
            id: figures.id,
            ood: figures.ood.clone(),
            ood_average: figures.ood_average,
            unseen_id,
            unseen_ood_average,
            tuned_parameters: 0,
            seconds: 0.0,
            bytes: 0,
        }
    }
}

/// One row for each method and α: the mean over the seeds.
pub fn mean_rows(rows: &[Row]) -> Vec<Row> {
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        let same = |group: &&mut Vec<&Row>| group[0].method == row.method && group[0].alpha == row.alpha;
        match groups.iter_mut().find(same) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups.into_iter().map(|group| mean(&group)).collect()
}

fn mean(rows: &[&Row]) -> Row {
    let count = rows.len() as f64;
    let over = |value: &dyn Fn(&Row) -> f64| rows.iter().map(|row| value(row)).sum::<f64>() / count;
    let mut ood = BTreeMap::new();
    for name in rows[0].ood.keys() {
        ood.insert(name.clone(), over(&|row| row.ood.get(name).copied().unwrap_or(f64::NAN)));
    }
    let optional = |value: &dyn Fn(&Row) -> Option<f64>| {
        value(rows[0])?;
        Some(over(&|row| value(row).unwrap_or(f64::NAN)))
    };
    Row {
        id: over(&|row| row.id),
        ood,
        ood_average: over(&|row| row.ood_average),
        unseen_id: optional(&|row| row.unseen_id),
        unseen_ood_average: optional(&|row| row.unseen_ood_average),
        seconds: over(&|row| row.seconds),
        ..rows[0].clone()
    }
}

/// The claim of a comparison: R-Adapter at an α fixed beforehand against the other two methods, as means over the seeds.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields are the methods' rows")]
pub struct Claim {
    pub zero_shot: Row,
    pub full_fine_tuning: Row,
    /// R-Adapter at the α of the claim.
    pub r_adapter: Row,
}

/// The claim at this α, if the rows contain all methods.
pub(crate) fn claim(rows: &[Row], alpha: f64) -> Option<Claim> {
    let means = mean_rows(rows);
    let find =
        |method, alpha: Option<f64>| means.iter().find(|row| row.method == method && row.alpha == alpha).cloned();
    Some(Claim {
        zero_shot: find(Contender::ZeroShot, None)?,
        full_fine_tuning: find(Contender::FullFineTuning, None)?,
        r_adapter: find(Contender::RAdapter, Some(alpha))?,
    })
}

impl Claim {
    /// Whether R-Adapter is better out of distribution than full fine-tuning.
    pub fn keeps(&self) -> bool {
        self.r_adapter.ood_average > self.full_fine_tuning.ood_average
    }

    /// Whether R-Adapter is better in distribution than zero-shot.
    pub fn learns(&self) -> bool {
        self.r_adapter.id > self.zero_shot.id
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = |value: f64| format!("{:+.1} points", 100.0 * value);
        let verdict = |holds| if holds { "holds" } else { "does not hold" };
        let learned = self.r_adapter.id - self.zero_shot.id;
        let kept = self.r_adapter.ood_average - self.full_fine_tuning.ood_average;
        write!(
            f,
            "R-Adapter at alpha {}, mean of the seeds:\n  in distribution, against zero-shot: {} ({})\n  out of \
             distribution, against full fine-tuning: {} ({})",
            self.r_adapter.alpha.unwrap_or_default(),
            points(learned),
            verdict(self.learns()),
            points(kept),
            verdict(self.keeps())
        )?;
        // Not part of the claim: results on class names that were never trained on.
        let unseen = |row: &Row| Some((row.unseen_id?, row.unseen_ood_average?));
        match (unseen(&self.zero_shot), unseen(&self.full_fine_tuning), unseen(&self.r_adapter)) {
            (Some(base), Some(full), Some(own)) => write!(
                f,
                "\n  classes unseen in training, in and out of distribution, against zero-shot: {} and {}, \
                 against full fine-tuning: {} and {}",
                points(own.0 - base.0),
                points(own.1 - base.1),
                points(own.0 - full.0),
                points(own.1 - full.1)
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn row(method: Contender, alpha: Option<f64>, seed: u64, id: f64, ood: f64) -> Row {
        let figures = Figures::by_domain(vec![("photo".to_owned(), id), ("sketch".to_owned(), ood)]);
        Row { alpha, ..Row::new(method, seed, &figures) }
    }

    #[test]
    fn the_claim_is_made_on_means_at_one_half() {
        let rows = [
            row(Contender::ZeroShot, None, 0, 0.5, 0.4),
            row(Contender::FullFineTuning, None, 0, 0.9, 0.3),
            row(Contender::FullFineTuning, None, 1, 0.7, 0.5),
            row(Contender::RAdapter, Some(0.5), 0, 0.6, 0.5),
            row(Contender::RAdapter, Some(0.5), 1, 0.8, 0.3),
            row(Contender::RAdapter, Some(1.0), 0, 1.0, 1.0),
        ];
        let claim = claim(&rows, 0.5).unwrap();
        assert!((claim.r_adapter.id - 0.7).abs() < 1e-12);
        assert!((claim.full_fine_tuning.ood_average - 0.4).abs() < 1e-12);
        assert!(claim.learns());
        assert!(!claim.keeps());
        assert!(claim.to_string().contains("does not hold") && !claim.to_string().contains("unseen"));
    }

    #[test]
    fn results_on_held_out_classes_are_shown_if_there_are_any() {
        let held_out = |method, alpha, seed, unseen: f64| Row {
            unseen_id: Some(unseen),
            unseen_ood_average: Some(unseen - 0.1),
            ..row(method, alpha, seed, 0.5, 0.4)
        };
        let rows = [
            held_out(Contender::ZeroShot, None, 0, 0.3),
            held_out(Contender::FullFineTuning, None, 0, 0.1),
            held_out(Contender::RAdapter, Some(0.4), 0, 0.3),
            held_out(Contender::RAdapter, Some(0.4), 1, 0.5),
        ];
        let claim = claim(&rows, 0.4).unwrap();
        assert!((claim.r_adapter.unseen_id.unwrap() - 0.4).abs() < 1e-12);
        assert!(claim.to_string().contains("against zero-shot: +10.0 points and +10.0 points"), "{claim}");
        assert!(!serde_json::to_string(&row(Contender::ZeroShot, None, 0, 0.5, 0.4)).unwrap().contains("unseen"));
    }
}
