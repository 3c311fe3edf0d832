//! Paired differences between methods, with intervals by the bootstrap over images.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use radapter_datasets::seed::{self, Draw as _};

use super::contender::ZERO_SHOT;
use super::results::{Difference, Estimate, Results, Row};

/// Resamples of each interval.
const RESAMPLES: usize = 2000;

/// Share of the resamples below and above a 95 % interval.
const TAIL: f64 = 0.025;

/// For each set whether each image was answered rightly, as a mean over seeds.
type Answers = BTreeMap<String, Vec<f64>>;

/// The differences of all methods to zero-shot and to full fine-tuning; none where predictions are missing.
pub(super) fn differences(results: &Results) -> anyhow::Result<Vec<Difference>> {
    let mut all = Vec::new();
    let methods: Vec<(&'static str, Option<Answers>)> = results
        .methods()
        .into_iter()
        .map(|method| Ok((method, answers(results.of(method))?)))
        .collect::<anyhow::Result<_>>()?;
    for against in [ZERO_SHOT, results.full_fine_tuning] {
        let Some((against, Some(base))) = methods.iter().find(|(method, _)| *method == against) else { continue };
        let others = methods.iter().filter(|(method, _)| method != against && *method != ZERO_SHOT);
        for (method, answers) in others {
            if let Some((id, ood_average)) = answers.as_ref().and_then(|answers| paired(answers, base, &results.id)) {
                all.push(Difference { method, against, id, ood_average });
            }
        }
    }
    Ok(all)
}

/// The answers of a method's rows; `None` if a row has none.
fn answers<'a>(rows: impl Iterator<Item = &'a Row>) -> anyhow::Result<Option<Answers>> {
    let mut sum = Answers::new();
    let mut count = 0.0;
    for row in rows {
        let Some(path) = row.predictions.as_deref().filter(|_| row.error.is_none()) else { return Ok(None) };
        let read = read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        if count > 0.0 && sum.iter().any(|(set, values)| read.get(set).map(Vec::len) != Some(values.len())) {
            return Ok(None);
        }
        for (set, values) in read {
            let all = sum.entry(set).or_insert_with(|| vec![0.0; values.len()]);
            all.iter_mut().zip(values).for_each(|(all, value)| *all += value);
        }
        count += 1.0;
    }
    sum.values_mut().flatten().for_each(|value| *value /= count);
    Ok((count > 0.0).then_some(sum))
}

/// Reads the file of `eval --predictions`.
fn read(path: &Path) -> anyhow::Result<Answers> {
    let mut answers = Answers::new();
    let mut table = csv::Reader::from_path(path)?;
    let headers = table.headers()?.clone();
    let column =
        |name: &str| headers.iter().position(|header| header == name).with_context(|| format!("no column `{name}`"));
    let (set, correct) = (column("set")?, column("correct")?);
    for record in table.records() {
        let record = record?;
        let right = if record.get(correct) == Some("1") { 1.0 } else { 0.0 };
        answers.entry(record.get(set).unwrap_or_default().to_owned()).or_default().push(right);
    }
    Ok(answers)
}

/// The mean differences in and out of distribution; `None` if the two were measured on other images.
fn paired(method: &Answers, base: &Answers, id: &str) -> Option<(Estimate, Option<Estimate>)> {
    let mut sets: Vec<(bool, Vec<f64>)> = Vec::new();
    for (set, values) in method {
        let base = base.get(set).filter(|base| base.len() == values.len())?;
        sets.push((set == id, values.iter().zip(base).map(|(a, b)| a - b).collect()));
    }
    let of = |wanted: bool| {
        sets.iter().filter(move |(is_id, _)| *is_id == wanted).map(|(_, values)| values.as_slice()).collect::<Vec<_>>()
    };
    // A single set has another name than a suite's.
    let (id, ood) = if sets.len() == 1 { (vec![sets[0].1.as_slice()], Vec::new()) } else { (of(true), of(false)) };
    Some((bootstrap(&id)?, bootstrap(&ood)))
}

/// The mean over sets of their means, with a 95 % percentile interval from resampled images of each set.
fn bootstrap(sets: &[&[f64]]) -> Option<Estimate> {
    if sets.is_empty() || sets.iter().any(|set| set.is_empty()) {
        return None;
    }
    let over_sets =
        |mean: &mut dyn FnMut(&[f64]) -> f64| sets.iter().map(|set| mean(set)).sum::<f64>() / sets.len() as f64;
    let value = over_sets(&mut |set| set.iter().sum::<f64>() / set.len() as f64);
    // Fixed, so that the interval is the same each time.
    let mut random = seed::rng("paired-differences", &[]);
    let mut resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            over_sets(&mut |set| {
                let drawn = (0..set.len()).map(|_| set[random.below(set.len())]);
                drawn.sum::<f64>() / set.len() as f64
            })
        })
        .collect();
    resampled.sort_by(f64::total_cmp);
    let at = |share: f64| resampled[((RESAMPLES - 1) as f64 * share).round() as usize];
    Some(Estimate { value, low: at(TAIL), high: at(1.0 - TAIL) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_interval_is_about_two_standard_errors_wide() {
        // Half of 400 differences are 1: mean 0.5, standard error 0.025.
        let values: Vec<f64> = (0..400).map(|index| f64::from(index % 2)).collect();
        let Estimate { value, low, high } = bootstrap(&[&values]).unwrap();
        assert_eq!(value, 0.5);
        assert!((low - 0.451).abs() < 0.006 && (high - 0.549).abs() < 0.006, "{low} {high}");
        // Over four independent sets the error halves.
        let four = bootstrap(&[&values, &values, &values, &values]).unwrap();
        assert!((four.high - four.low - 0.049).abs() < 0.006, "{four:?}");
        assert_eq!(bootstrap(&[]), None);
    }

    #[test]
    fn pairs_need_the_same_images() {
        let one = Answers::from([("near".to_owned(), vec![1.0, 0.0]), ("far".to_owned(), vec![1.0, 1.0])]);
        let zero = Answers::from([("near".to_owned(), vec![1.0, 0.0]), ("far".to_owned(), vec![0.0, 0.0])]);
        let (id, ood) = paired(&one, &zero, "near").unwrap();
        assert_eq!((id.value, id.low, id.high), (0.0, 0.0, 0.0));
        assert_eq!(ood.unwrap().value, 1.0);
        assert_eq!(paired(&one, &Answers::from([("near".to_owned(), vec![1.0, 0.0])]), "near"), None);
    }
}
