//! Axes: ranges, grid lines and their numbers.

/// How an axis writes its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Unchanged.
    Plain,
    /// Fractions as percentages.
    Percent,
    /// Whole numbers only, such as steps.
    Whole,
}

/// A range of at least five points of a percentage: a smaller one makes noise look like a trend.
const PERCENT: f64 = 0.05;
/// A range of at least so many times the longest error bar, for the same reason.
const BARS: f64 = 3.0;

/// An axis's range and the distance of its grid lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    step: f64,
    scale: Scale,
}

impl Axis {
    /// An axis for these values, with about `ticks` grid lines; `bar` is the length of the longest error bar.
    pub(super) fn new(values: impl Iterator<Item = f64>, bar: f64, scale: Scale, ticks: f64) -> Self {
        // Half of the largest number, so that differences stay finite.
        let values = values.filter(|value| value.abs() < f64::MAX / 4.0);
        let (mut low, mut high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let least = match scale {
            Scale::Percent => PERCENT.max(BARS * bar),
            Scale::Whole => 1.0,
            Scale::Plain if high == low => 0.2 * high.abs().max(1e-6),
            Scale::Plain => BARS * bar,
        };
        // Fractions end at 0 and 1, so the range grows to the other side.
        let bounds = match scale {
            Scale::Percent if low >= 0.0 && high <= 1.0 => (0.0, 1.0),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        };
        let air = if scale == Scale::Whole { 0.01 } else { 0.06 } * (high - low);
        let widen = ((least - (high - low)) / 2.0).max(air);
        (low, high) = (low - widen, high + widen);
        (low, high) =
            ((low - (high - bounds.1).max(0.0)).max(bounds.0), (high + (bounds.0 - low).max(0.0)).min(bounds.1));
        let rough = (high - low) / ticks.max(1.0);
        let unit = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|digit| digit * unit).into_iter();
        // Half steps do not exist.
        let step = step.filter(|step| scale != Scale::Whole || step.fract() == 0.0).find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * unit);
        Self { low, high, step: if scale == Scale::Whole { step.ceil() } else { step }, scale }
    }

    /// The grid lines and their numbers.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let first = (self.low / self.step).ceil();
        // Range and step bound the count; the limit guards against rounding of huge values.
        let places =
            (0..64).map(|index| (first + f64::from(index)) * self.step).take_while(|place| *place <= self.high);
        places.map(|place| (place, number(place, self.scale, self.step))).collect()
    }

    /// The place of a value from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// Formats a number of an axis whose grid lines are `step` apart.
fn number(value: f64, scale: Scale, step: f64) -> String {
    // Enough decimals for the step, which has one or two digits.
    let decimals = |step: f64| {
        (0..12).find(|&decimals| {
            let scaled = step * 10_f64.powi(decimals);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
    };
    let decimals = |step: f64| decimals(step).unwrap_or(12) as usize;
    match scale {
        Scale::Percent => format!("{:.*} %", decimals(100.0 * step), 100.0 * value + 0.0),
        Scale::Whole => format!("{value:.0}"),
        Scale::Plain if value.abs() < step * 1e-6 => "0".to_owned(),
        Scale::Plain if step < 1e-4 || value.abs() >= 1e6 => format!("{value:.1e}"),
        Scale::Plain => format!("{value:.*}", decimals(step)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(values: &[f64], bar: f64, scale: Scale) -> Axis {
        Axis::new(values.iter().copied(), bar, scale, 6.0)
    }

    #[test]
    fn numbers_have_the_digits_of_their_step() {
        assert_eq!(number(0.5, Scale::Percent, 0.1), "50 %");
        assert_eq!(number(0.5125, Scale::Percent, 0.0025), "51.25 %");
        assert_eq!(number(0.3, Scale::Plain, 0.1), "0.3");
        assert_eq!(number(2.5, Scale::Plain, 2.5), "2.5");
        assert_eq!(number(5e-4, Scale::Plain, 1e-5), "5.0e-4");
        assert_eq!(number(-1e-17, Scale::Plain, 0.1), "0");
        assert_eq!(number(200.0, Scale::Whole, 25.0), "200");
    }

    #[test]
    fn grid_lines_lie_within_the_range() {
        let ticks = axis(&[0.0, 1.0], 0.0, Scale::Plain).ticks();
        assert_eq!(
            ticks.iter().map(|tick| tick.1.as_str()).collect::<Vec<_>>(),
            ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        let ticks = axis(&[1.0, 3.0], 0.0, Scale::Whole).ticks();
        assert_eq!(
            ticks.iter().map(|tick| tick.1.as_str()).collect::<Vec<_>>(),
            ["1", "2", "3"],
            "there is no half step"
        );
    }

    #[test]
    fn noise_does_not_fill_the_chart() {
        let range = |axis: Axis| axis.high - axis.low;
        assert!(range(axis(&[0.701, 0.703], 0.0, Scale::Percent)) >= PERCENT);
        assert!(range(axis(&[0.60, 0.68], 0.08, Scale::Percent)) >= 0.24, "three times the error bar");
        let all = axis(&[0.97, 1.0], 0.1, Scale::Percent);
        assert!(all.high <= 1.0 && range(all) > 0.29, "{all:?}");
    }
}
