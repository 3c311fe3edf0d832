//! Curves of many steps: thinned, and smoothed.

/// Points per curve. A screen shows no more, and they would only enlarge the file.
const POINTS: usize = 600;

/// Decay of the moving average of the loss in a long run.
const SMOOTHING: f64 = 0.95;

/// At most [`POINTS`] points, each the mean of consecutive points.
pub(super) fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let stretch = points.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let count = part.len() as f64;
        let sum = part.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / count, sum.1 / count)
    };
    points.chunks(stretch).map(mean).collect()
}

/// Exponential moving average with a smaller decay in a short run.
pub(super) fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let keep = SMOOTHING.min(1.0 - 8.0 / (points.len() as f64 + 8.0));
    let mut average = None;
    let step = |&(x, y): &(f64, f64)| {
        let next = average.map_or(y, |past: f64| keep * past + (1.0 - keep) * y);
        average = Some(next);
        (x, next)
    };
    points.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_is_thinned_to_means() {
        let points: Vec<_> = (0..1200).map(|x| (f64::from(x), f64::from(x % 2))).collect();
        let thin = thinned(&points);
        assert_eq!(thin.len(), POINTS);
        assert_eq!(thin[0], (0.5, 0.5));
        assert_eq!(thinned(&points[..3]), points[..3]);
        assert!(thinned(&[]).is_empty());
    }

    #[test]
    fn smoothing_keeps_a_constant_and_follows_a_step() {
        let constant: Vec<_> = (0..50).map(|x| (f64::from(x), 2.0)).collect();
        assert_eq!(smoothed(&constant), constant);
        let mut step = constant.clone();
        step.extend((50..400).map(|x| (f64::from(x), 1.0)));
        let last = smoothed(&step).last().map_or(0.0, |point| point.1);
        assert!((last - 1.0).abs() < 1e-6, "{last}");
    }
}
