//! Bootstrap intervals over images, of accuracies and of paired differences.

use radapter_datasets::seed::{self, Draw};

use super::AccuracyError;

/// Number of resamples.
pub const RESAMPLES: usize = 10_000;

/// A statistic on [`RESAMPLES`] bootstrap resamples of its images, seeded: equal arguments give equal values.
///
/// Drawing `n` images with replacement from those of which a share p is right gives Binomial(n, p) right ones, so that no image
/// is touched.
///
/// ```
/// use radapter_classification::accuracy::Resamples;
///
/// let sets = [Resamples::accuracy(80, 100, 0), Resamples::accuracy(450, 1000, 1)];
/// let [low, high] = Resamples::mean(&sets).interval();
/// assert!(low < 0.625 && 0.625 < high && high - low < 0.1);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Resamples(Vec<f64>);

impl Resamples {
    /// Resamples the accuracy on a set of `n` images. Sets with different `stream`s are drawn independently. Without images, the
    /// values are NaN.
    pub fn accuracy(right: u64, n: u64, stream: u64) -> Self {
        let mut rng = seed::rng("bootstrap-accuracy", &[stream]);
        let drawn = Binomial::new(n, right as f64 / n as f64);
        Self((0..RESAMPLES).map(|_| drawn.draw(&mut rng) as f64 / n as f64).collect())
    }

    /// Resamples the difference in accuracy of `second` to `first`: whether each classifies the same images correctly.
    ///
    /// Images on which both agree cancel out, so that the interval is narrower than that of two independent accuracies.
    ///
    /// # Errors
    /// [`AccuracyError::Paired`] for different numbers of images, [`AccuracyError::Empty`] for none.
    pub fn difference(first: &[bool], second: &[bool], stream: u64) -> Result<Self, AccuracyError> {
        if first.len() != second.len() {
            return Err(AccuracyError::Paired { first: first.len(), second: second.len() });
        }
        if first.is_empty() {
            return Err(AccuracyError::Empty);
        }
        let count = |of: (bool, bool)| first.iter().zip(second).filter(|&(a, b)| (*a, *b) == of).count();
        let (n, gained, lost) = (first.len() as u64, count((false, true)), count((true, false)));
        let mut rng = seed::rng("bootstrap-difference", &[stream]);
        let differing = Binomial::new(n, (gained + lost) as f64 / n as f64);
        let values = (0..RESAMPLES).map(|_| {
            let drawn = differing.draw(&mut rng);
            let gained = Binomial::new(drawn, gained as f64 / (gained + lost) as f64).draw(&mut rng);
            (2.0 * gained as f64 - drawn as f64) / n as f64
        });
        Ok(Self(values.collect()))
    }

    /// The mean over sets, each resampled independently.
    pub fn mean(parts: &[Self]) -> Self {
        let count = parts.len() as f64;
        Self((0..RESAMPLES).map(|at| parts.iter().map(|part| part.0[at]).sum::<f64>() / count).collect())
    }

    /// Returns the 95 % percentile interval, low and high.
    pub fn interval(&self) -> [f64; 2] {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        [0.025, 0.975].map(|share| {
            let at = share * (RESAMPLES - 1) as f64;
            let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
            below + (above - below) * at.fract()
        })
    }
}

/// Binomial distribution, drawn by inversion.
struct Binomial {
    /// The value of the first entry.
    first: u64,
    /// Cumulative weights of the values whose probability is not negligible, not normalised.
    cumulative: Vec<f64>,
}

impl Binomial {
    fn new(n: u64, p: f64) -> Self {
        if n == 0 || p <= 0.0 {
            return Self { first: 0, cumulative: vec![1.0] };
        }
        if p >= 1.0 {
            return Self { first: n, cumulative: vec![1.0] };
        }
        const NEGLIGIBLE: f64 = 1e-18;
        let odds = p / (1.0 - p);
        let mode = (((n + 1) as f64 * p) as u64).min(n);
        // From the mode outwards, by the ratio of neighbours.
        let step = |weight: f64, to: u64| (weight >= NEGLIGIBLE).then_some((weight, to));
        let below = std::iter::successors(Some((1.0, mode)), |&(weight, k)| {
            step(weight * k as f64 / (n - k + 1) as f64 / odds, k.checked_sub(1)?)
        });
        let above = std::iter::successors(Some((1.0, mode)), |&(weight, k)| {
            step(weight * n.checked_sub(k)? as f64 / (k + 1) as f64 * odds, k + 1)
        });
        let mut weights: Vec<f64> = below.skip(1).map(|(weight, _)| weight).collect();
        let first = mode - weights.len() as u64;
        weights.reverse();
        weights.extend(above.map(|(weight, _)| weight));
        let mut sum = 0.0;
        for weight in &mut weights {
            sum += *weight;
            *weight = sum;
        }
        Self { first, cumulative: weights }
    }

    fn draw(&self, rng: &mut impl Draw) -> u64 {
        let total = self.cumulative[self.cumulative.len() - 1];
        let at = rng.unit_f64() * total;
        let index = self.cumulative.partition_point(|&sum| sum <= at);
        self.first + index.min(self.cumulative.len() - 1) as u64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn weights_are_binomial() {
        // n = 4, p = 1/4: 81, 108, 54, 12, 1 of 256.
        let found = Binomial::new(4, 0.25);
        let total = found.cumulative[4];
        let shares: Vec<f64> = found.cumulative.iter().map(|sum| sum / total * 256.0).collect();
        for (found, expected) in shares.iter().zip([81.0, 189.0, 243.0, 255.0, 256.0]) {
            assert!((found - expected).abs() < 1e-9, "{shares:?}");
        }
        let large = Binomial::new(50_000, 0.7);
        assert!(large.first > 33_000 && large.cumulative.len() < 3000);
    }

    #[test]
    fn intervals_are_seeded_and_sets_are_drawn_independently() {
        let set = |stream| Resamples::accuracy(70, 100, stream);
        assert_eq!(set(0), set(0));
        assert_ne!(set(0), set(1));
        let width = |of: &Resamples| of.interval()[1] - of.interval()[0];
        let mean = Resamples::mean(&[set(0), set(1), set(2), set(3)]);
        assert!((width(&mean) / width(&set(0)) - 0.5).abs() < 0.05);
        assert_eq!(Resamples::accuracy(5, 5, 0).interval(), [1.0, 1.0]);
        assert_eq!(Resamples::accuracy(0, 5, 0).interval(), [0.0, 0.0]);
    }

    #[test]
    fn models_that_agree_differ_by_nothing() {
        let answers: Vec<bool> = (0..60).map(|image| image % 3 == 0).collect();
        assert_eq!(Resamples::difference(&answers, &answers, 0).unwrap().interval(), [0.0, 0.0]);
        let uneven = Resamples::difference(&answers, &answers[1..], 0);
        assert_eq!(uneven, Err(AccuracyError::Paired { first: 60, second: 59 }));
        assert_eq!(Resamples::difference(&[], &[], 0), Err(AccuracyError::Empty));
    }
}
