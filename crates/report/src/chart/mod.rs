//! SVG charts of lines and points.
//!
//! They are drawn here and not by a plotting library, because text is measured so that legends wrap and are never cut, and because
//! a chart is laid out for two widths, with text of at least 12 px in both, and has error bars.

mod axis;
mod draw;
mod text;

pub use axis::Scale;

/// Colours distinct to colour-blind readers (Okabe and Ito), darkened for a white background.
const COLOURS: [&str; 10] =
    ["#0072b2", "#d55e00", "#008a64", "#be5a96", "#464646", "#b37d00", "#3b8fc4", "#785a28", "#6a3d9a", "#5f7f00"];

/// Width in pixels of a chart that fills the page, of one of two side by side, and of either on a small screen. A chart is laid out
/// for each, because text of a chart that is scaled down becomes too small to read.
pub(crate) const WIDE: f64 = 720.0;
pub(crate) const HALF: f64 = 480.0;
pub(crate) const NARROW: f64 = 320.0;

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "`Line` needs no text")]
pub enum Mark {
    Line,
    /// A thin, pale line for noisy values behind their average.
    Faint,
    /// A dashed line, such as the base model's result.
    Dashed,
    /// A line with a dot at each point.
    Dots,
    /// Large dots without a line.
    Points,
}

/// One series of a chart.
#[derive(Clone, Debug)]
pub struct Series {
    /// Name in the legend; an empty name is not listed.
    pub name: String,
    /// `(x, y)` in the order of the line; points with a NaN or infinity are skipped.
    pub points: Vec<(f64, f64)>,
    /// How the series is drawn.
    pub mark: Mark,
    /// Index into the palette; related series share a colour.
    pub colour: usize,
    /// Texts beside points: the point's index and the text.
    pub labels: Vec<(usize, String)>,
    /// Error bars from low to high in the order of the points; empty for none.
    pub bars: Vec<(f64, f64)>,
}

impl Series {
    /// A series without labels and error bars.
    pub fn new(name: impl Into<String>, colour: usize, mark: Mark, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, mark, colour, labels: Vec::new(), bars: Vec::new() }
    }

    /// Adds error bars, from low to high in the order of the points.
    #[must_use]
    pub fn with_bars(mut self, bars: Vec<(f64, f64)>) -> Self {
        self.bars = bars;
        self
    }

    fn colour(&self) -> &'static str {
        COLOURS[self.colour % COLOURS.len()]
    }
}

/// A chart of lines and points.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Text above the plot.
    pub title: String,
    /// Horizontal axis: label with its unit, and number format.
    pub x: (String, Scale),
    /// Vertical axis: label with its unit, and number format.
    pub y: (String, Scale),
    /// The data; later series are drawn over earlier ones.
    pub series: Vec<Series>,
}

impl Chart {
    /// Renders the chart as an SVG document for a file of its own. [`Page::charts`](crate::Page::charts) lays charts out for pages.
    pub fn svg(&self) -> String {
        self.drawn(WIDE, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            title: "a <title> & more".into(),
            x: ("step".into(), Scale::Whole),
            y: ("loss".into(), Scale::Plain),
            series: vec![Series::new("train", 0, Mark::Line, points)],
        }
    }

    #[test]
    fn texts_are_escaped() {
        let mut chart = chart(vec![(0.0, 1.0), (1.0, 0.5)]);
        let evil = "<image onerror=\"x\">";
        chart.series[0].name = evil.into();
        chart.series[0].labels.push((0, evil.into()));
        (chart.x.0, chart.y.0) = (evil.into(), evil.into());
        let svg = chart.svg();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"), "{svg}");
        assert!(svg.contains("a &lt;title&gt; &amp; more"), "{svg}");
        assert!(svg.contains("<polyline") && !svg.contains("<image"), "{svg}");
    }

    #[test]
    fn every_number_of_points_can_be_drawn() {
        for points in [
            vec![],
            vec![(0.0, 1.0)],
            vec![(0.0, 0.0), (1.0, 0.0)],
            vec![(0.0, f64::NAN), (1.0, 2.0)],
            vec![(f64::INFINITY, 1.0)],
            vec![(1e300, -1e300), (-1e300, 1e300)],
        ] {
            let svg = chart(points.clone()).svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{points:?}: {svg}");
        }
    }
}
