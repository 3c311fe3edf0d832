//! Sampling errors of measured shares.

/// 97.5 % quantile of the normal distribution: intervals are of 95 %.
const Z: f64 = 1.959_964;

/// A measured value with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Interval {
    /// Wilson's score interval of a share of `count` independent trials ("Probable Inference", JASA 1927).
    pub fn wilson(share: f64, count: u64) -> Self {
        if count == 0 {
            return Self { value: share, low: 0.0, high: 1.0 };
        }
        let n = count as f64;
        let scale = 1.0 + Z * Z / n;
        let middle = (share + Z * Z / (2.0 * n)) / scale;
        let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        Self { value: share, low: (middle - half).max(0.0).min(share), high: (middle + half).min(1.0).max(share) }
    }

    /// The mean of values from independent samples, such as different test sets.
    pub fn mean_of_independent(parts: &[Self]) -> Self {
        let root = |side: &dyn Fn(&Self) -> f64| parts.iter().map(|part| side(part).powi(2)).sum::<f64>().sqrt();
        Self::mean(parts, root(&|part| part.value - part.low), root(&|part| part.high - part.value))
    }

    /// The mean of values from the same sample, such as recalls at several K: their errors add up in the worst case.
    pub fn mean_of_dependent(parts: &[Self]) -> Self {
        let sum = |side: &dyn Fn(&Self) -> f64| parts.iter().map(side).sum::<f64>();
        Self::mean(parts, sum(&|part| part.value - part.low), sum(&|part| part.high - part.value))
    }

    fn mean(parts: &[Self], below: f64, above: f64) -> Self {
        let count = parts.len().max(1) as f64;
        let value = parts.iter().map(|part| part.value).sum::<f64>() / count;
        Self { value, low: value - below / count, high: value + above / count }
    }

    /// Half of the interval's width.
    pub fn margin(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(interval: Interval, low: f64, high: f64) {
        assert!((interval.low - low).abs() < 1e-4 && (interval.high - high).abs() < 1e-4, "{interval:?}");
    }

    #[test]
    fn intervals_are_wilsons() {
        // From the formula in exact arithmetic; the first is also in Newcombe, Statistics in Medicine 1998, table I.
        near(Interval::wilson(81.0 / 263.0, 263), 0.2553, 0.3662);
        near(Interval::wilson(0.0, 20), 0.0, 0.1611);
        near(Interval::wilson(1.0, 10), 0.7225, 1.0);
        near(Interval::wilson(0.5, 0), 0.0, 1.0);
    }

    #[test]
    fn a_mean_is_surer_than_its_parts_only_if_they_are_independent() {
        let parts = [Interval { value: 0.4, low: 0.3, high: 0.5 }; 4];
        near(Interval::mean_of_independent(&parts), 0.35, 0.45);
        near(Interval::mean_of_dependent(&parts), 0.3, 0.5);
    }
}
