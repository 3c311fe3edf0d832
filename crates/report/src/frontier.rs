//! The plot of in-distribution against out-of-distribution results over α.

use crate::{Chart, Mark, Scale, Series};

/// One measured model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrontierPoint {
    /// α, if the method has one.
    pub alpha: Option<f64>,
    /// In-distribution result as a fraction.
    pub id: f64,
    /// Average out-of-distribution result as a fraction.
    pub ood: f64,
}

/// The ID/OOD plane with one curve per method: up and to the right is better.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    series: Vec<Series>,
    measure: Option<&'static str>,
}

impl Frontier {
    /// An empty plot of top-1 accuracy.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a method: a curve of several points in the order of α, or a single point.
    ///
    /// α is written beside the ends of the curve and beside the point at `marked`.
    pub fn method(mut self, name: &str, points: &[FrontierPoint], marked: Option<f64>) -> Self {
        let mark = if points.len() > 1 { Mark::Dots } else { Mark::Points };
        let colour = self.series.len();
        let places = points.iter().map(|point| (point.id, point.ood)).collect();
        let mut series = Series::new(name, colour, mark, places);
        let last = points.len().saturating_sub(1);
        for (index, point) in points.iter().enumerate() {
            let Some(alpha) = point.alpha else { continue };
            let is_marked = marked.is_some_and(|marked| (marked - alpha).abs() < 1e-9);
            if index == 0 || index == last || is_marked {
                series.labels.push((index, format!("\u{3b1} = {alpha}")));
            }
        }
        self.series.push(series);
        self
    }

    /// Adds error bars of the out-of-distribution results to the method added last, from low to high in the order of its points.
    #[must_use]
    pub fn with_bars(mut self, bars: Vec<(f64, f64)>) -> Self {
        if let Some(series) = self.series.last_mut() {
            series.bars = bars;
        }
        self
    }

    /// Names the measure, if it is not top-1 accuracy.
    pub fn of(mut self, measure: &'static str) -> Self {
        self.measure = Some(measure);
        self
    }

    /// The chart; `id` names the in-distribution data.
    pub fn chart(self, title: &str, id: &str) -> Chart {
        let measure = self.measure.unwrap_or("top-1 accuracy");
        Chart {
            title: title.to_owned(),
            x: (format!("{measure} in distribution ({id})"), Scale::Percent),
            y: (format!("average {measure} out of distribution"), Scale::Percent),
            series: self.series,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn ends_and_the_chosen_alpha_are_labelled() {
        let points: Vec<_> = [0.0, 0.25, 0.5, 0.75, 1.0]
            .map(|alpha| FrontierPoint { alpha: Some(alpha), id: 0.5 + alpha / 4.0, ood: 0.4 })
            .to_vec();
        let chart = Frontier::new()
            .method("R-Adapter", &points, Some(0.5))
            .method("full fine-tuning", &[FrontierPoint { alpha: None, id: 0.8, ood: 0.3 }], None)
            .chart("frontier", "photo");
        let labels: Vec<_> = chart.series[0].labels.iter().map(|(index, _)| *index).collect();
        assert_eq!(labels, [0, 2, 4]);
        assert!(chart.series[1].labels.is_empty());
        let svg = chart.svg();
        assert!(svg.contains("R-Adapter") && svg.contains("full fine-tuning"), "{svg}");
    }
}
