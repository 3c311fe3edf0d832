//! Paired differences between methods, with intervals by the bootstrap over images.

use std::collections::BTreeMap;

use anyhow::Context;
use radapter_datasets::seed::{self, Draw as _};
use rayon::prelude::*;

use super::contender::ZERO_SHOT;
use super::per_image::{Figure, Images, PerImage};
use super::results::{Difference, Estimate, Results, Row};

/// Resamples of each interval.
const RESAMPLES: usize = 2000;

/// Share of the resamples below and above a 95 % interval.
const TAIL: f64 = 0.025;

/// The differences of all methods to zero-shot and to full fine-tuning; none where what each image adds is not known.
pub(super) fn differences(results: &Results) -> anyhow::Result<Vec<Difference>> {
    let mut all = Vec::new();
    let methods: Vec<(&'static str, Option<Method>)> = results
        .methods()
        .into_iter()
        .map(|method| {
            let rows: Vec<&Row> = results.of(method).collect();
            Ok((method, measured(&rows)?))
        })
        .collect::<anyhow::Result<Vec<_>>>()?
        .into_par_iter()
        .map(|(method, rows)| (method, rows.and_then(|rows| Method::new(&rows, &results.id))))
        .collect();
    for against in [ZERO_SHOT, results.full_fine_tuning] {
        let Some((against, Some(base))) = methods.iter().find(|(method, _)| *method == against) else { continue };
        let others = methods.iter().filter(|(method, _)| method != against && *method != ZERO_SHOT);
        for (method, of) in others {
            // Those that were measured on other images cannot be paired.
            let Some(of) = of.as_ref().filter(|of| of.images == base.images) else { continue };
            let id = of.id.minus(&base.id);
            let ood_average = of.ood.as_ref().zip(base.ood.as_ref()).map(|(of, base)| of.minus(base));
            all.push(Difference { method, against, id, ood_average });
        }
    }
    Ok(all)
}

/// What the images of each row add; `None` if a row lacks them, or its images are not the first one's.
fn measured(rows: &[&Row]) -> anyhow::Result<Option<Vec<PerImage>>> {
    let mut all: Vec<PerImage> = Vec::new();
    for row in rows {
        let Some(path) = row.predictions.as_deref().filter(|_| row.error.is_none()) else { return Ok(None) };
        let read = PerImage::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        if all.first().is_some_and(|first| names(first) != names(&read)) {
            return Ok(None);
        }
        all.push(read);
    }
    Ok((!all.is_empty()).then_some(all))
}

/// The images of each set.
type Names = BTreeMap<String, Vec<String>>;

fn names(of: &PerImage) -> Names {
    of.sets.iter().map(|(set, images)| (set.clone(), images.names.clone())).collect()
}

/// The figures of a method as means over its seeds.
struct Method {
    images: Names,
    id: Resampled,
    /// The mean over the shifted sets.
    ood: Option<Resampled>,
}

impl Method {
    /// `None` without images in distribution.
    fn new(rows: &[PerImage], id: &str) -> Option<Self> {
        let images = rows.first().map(names).unwrap_or_default();
        let of = |set: &str| {
            let parts: Vec<Resampled> =
                rows.par_iter().filter_map(|row| Some(Resampled::new(row.figure, set, row.sets.get(set)?))).collect();
            Resampled::mean(&parts)
        };
        // A single set has another name than a suite's.
        let is_id = |set: &&String| images.len() == 1 || **set == id;
        let mean = |wanted: bool| {
            let parts: Vec<Resampled> =
                images.keys().filter(|set| is_id(set) == wanted).filter_map(|set| of(set)).collect();
            Resampled::mean(&parts)
        };
        let (id, ood) = (mean(true)?, mean(false));
        Some(Self { images, id, ood })
    }
}

/// A figure on the images, and on each of their resamples.
#[derive(Clone, Debug)]
struct Resampled {
    value: f64,
    samples: Vec<f64>,
}

impl Resampled {
    /// Draws images of a set with replacement. Sets of the same name and size draw the same ones, so that models are compared on
    /// the same images.
    fn new(figure: Figure, set: &str, images: &Images) -> Self {
        let width = images.terms.iter().map(Vec::len).max().unwrap_or(0);
        let mut sums = vec![0.0; width];
        let mut over = |drawn: &mut dyn Iterator<Item = usize>| {
            sums.fill(0.0);
            for index in drawn {
                sums.iter_mut().zip(&images.terms[index]).for_each(|(sum, term)| *sum += term);
            }
            figure.of(&sums)
        };
        let count = images.terms.len();
        let value = over(&mut (0..count));
        // Fixed, so that the interval is the same each time.
        let mut random = seed::rng(&format!("paired-differences {set}"), &[]);
        let samples = (0..RESAMPLES).map(|_| over(&mut (0..count).map(|_| random.below(count)))).collect();
        Self { value, samples }
    }

    /// The mean of several; `None` of none.
    fn mean(all: &[Self]) -> Option<Self> {
        let count = all.len() as f64;
        let at = |index: usize| all.iter().map(|one| one.samples[index]).sum::<f64>() / count;
        let value = all.iter().map(|one| one.value).sum::<f64>() / count;
        (!all.is_empty()).then(|| Self { value, samples: (0..RESAMPLES).map(at).collect() })
    }

    /// The difference, with its 95 % percentile interval.
    fn minus(&self, other: &Self) -> Estimate {
        let mut samples: Vec<f64> = self.samples.iter().zip(&other.samples).map(|(a, b)| a - b).collect();
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| samples[((RESAMPLES - 1) as f64 * share).round() as usize];
        Estimate { value: self.value - other.value, low: at(TAIL), high: at(1.0 - TAIL) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn row(sets: &[(&str, &[f64])]) -> PerImage {
        let images = |right: &[f64]| Images {
            names: (0..right.len()).map(|index| index.to_string()).collect(),
            terms: right.iter().map(|&right| vec![right, 1.0]).collect(),
        };
        let sets = sets.iter().map(|&(set, right)| (set.to_owned(), images(right))).collect();
        PerImage { figure: Figure::Accuracy, sets }
    }

    #[test]
    fn an_interval_is_about_two_standard_errors_wide() {
        // Half of 400 answers are right: mean 0.5, standard error 0.025; of the others none is.
        let half: Vec<f64> = (0..400).map(|index| f64::from(index % 2)).collect();
        let none = vec![0.0; 400];
        let method = |values: &[f64]| Method::new(&[row(&[("near", values)])], "near").unwrap();
        let Estimate { value, low, high } = method(&half).id.minus(&method(&none).id);
        assert_eq!(value, 0.5);
        assert!((low - 0.451).abs() < 0.006 && (high - 0.549).abs() < 0.006, "{low} {high}");
        // Over four independent sets the error halves.
        let four = |values: &[f64]| {
            Method::new(&[row(&[("near", values), ("a", values), ("b", values), ("c", values), ("d", values)])], "near")
                .unwrap()
        };
        let four = four(&half).ood.unwrap().minus(&four(&none).ood.unwrap());
        assert!((four.high - four.low - 0.049).abs() < 0.006, "{four:?}");
    }

    #[test]
    fn models_are_compared_on_the_same_images() {
        let (one, other) = ([1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]);
        let method = |far: &[f64]| Method::new(&[row(&[("near", &one), ("far", far)])], "near").unwrap();
        let (a, b) = (method(&one), method(&other));
        let id = a.id.minus(&b.id);
        assert_eq!((id.value, id.low, id.high), (0.0, 0.0, 0.0), "the answers are the same");
        let ood = a.ood.unwrap().minus(&b.ood.unwrap());
        assert_eq!(ood.value, 0.25);
        assert!(ood.low >= 0.0, "no image is worse: {ood:?}");
        assert_ne!(a.images, method(&other[..3]).images);
        // Two seeds count as their mean.
        let two = Method::new(&[row(&[("near", &one)]), row(&[("near", &other)])], "near").unwrap();
        assert_eq!(two.id.value, 0.375);
    }
}
