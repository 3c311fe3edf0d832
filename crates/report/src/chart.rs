//! SVG charts of lines and points.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::ReportError;

/// Colours distinct to colour-blind readers (Okabe and Ito), darkened for a white background.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 138, 100),
    RGBColor(190, 90, 150),
    RGBColor(70, 70, 70),
    RGBColor(200, 140, 0),
    RGBColor(80, 170, 225),
    RGBColor(120, 90, 40),
];
const TEXT: RGBColor = RGBColor(51, 60, 74);
const GRID: RGBColor = RGBColor(228, 231, 236);
const FRAME: RGBColor = RGBColor(150, 158, 170);

/// Sizes in SVG units of a chart that fills the page's width and of one of two side by side. plotters rounds to whole units,
/// so the drawing is twice as large as it is shown.
const WIDE: (u32, u32) = (1360, 800);
const SMALL: (u32, u32) = (960, 600);
const FONT: &str = "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif";
const FONT_SIZE: f64 = 30.0;
const MARGIN: i32 = 24;
const TITLE: i32 = 72;
const LEGEND: i32 = 44;

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

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "`Line` needs no text")]
pub enum Mark {
    Line,
    /// A thin, pale line for noisy values behind their average.
    Faint,
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
}

impl Series {
    /// A series without labels.
    pub fn new(name: impl Into<String>, colour: usize, mark: Mark, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, mark, colour, labels: Vec::new() }
    }
}

/// A chart of lines and points.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Text above the plot.
    pub title: String,
    /// Horizontal axis: label and number format.
    pub x: (String, Scale),
    /// Vertical axis: label and number format.
    pub y: (String, Scale),
    /// The data; later series are drawn over earlier ones.
    pub series: Vec<Series>,
}

impl Chart {
    /// Renders the chart as an SVG document, which can be embedded in HTML.
    ///
    /// # Errors
    /// [`ReportError::Chart`] if plotters cannot draw it.
    pub fn svg(&self) -> Result<String, ReportError> {
        self.sized(WIDE)
    }

    /// Renders the chart at half the page's width, with relatively larger text.
    ///
    /// # Errors
    /// As [`svg`](Self::svg).
    pub fn small_svg(&self) -> Result<String, ReportError> {
        self.sized(SMALL)
    }

    fn sized(&self, size: (u32, u32)) -> Result<String, ReportError> {
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            self.draw(&root)
                .and_then(|()| root.present())
                .map_err(|error| ReportError::Chart { title: self.title.clone(), reason: error.to_string() })?;
        }
        Ok(svg)
    }

    fn draw(&self, root: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        root.fill(&WHITE)?;
        let title = text(FONT_SIZE * 1.15, TEXT, FontStyle::Bold);
        root.draw_text(&self.title, &title, (MARGIN, MARGIN + 16))?;
        self.legend(root)?;

        let finite = || {
            let points = self.series.iter().flat_map(|series| &series.points);
            points.filter(|(x, y)| x.is_finite() && y.is_finite())
        };
        let (x_range, x_step) = axis(finite().map(|point| point.0), self.x.1);
        let (y_range, y_step) = axis(finite().map(|point| point.1), self.y.1);
        let has_legend = self.series.iter().any(|series| !series.name.is_empty());
        let header = if has_legend { TITLE + LEGEND } else { TITLE };
        let y_label_area = if self.y.0.is_empty() { 100 } else { 140 };
        let mut chart = ChartBuilder::on(root)
            .margin(MARGIN)
            .margin_top(header)
            .margin_right(MARGIN + 24)
            .x_label_area_size(86)
            .y_label_area_size(y_label_area)
            .build_cartesian_2d(x_range, y_range)?;
        let (x_scale, y_scale) = (self.x.1, self.y.1);
        let small = text(FONT_SIZE * 0.9, TEXT, FontStyle::Normal);
        chart
            .configure_mesh()
            .x_desc(self.x.0.as_str())
            .y_desc(self.y.0.as_str())
            .x_labels(9)
            .y_labels(7)
            .x_label_formatter(&|value| number(*value, x_scale, x_step))
            .y_label_formatter(&|value| number(*value, y_scale, y_step))
            .label_style(small.clone())
            .axis_desc_style(small)
            .bold_line_style(GRID.stroke_width(2))
            .light_line_style(TRANSPARENT)
            .axis_style(FRAME.stroke_width(2))
            .draw()?;
        for series in &self.series {
            let colour = COLOURS[series.colour % COLOURS.len()];
            let points = || {
                let points = series.points.iter().copied();
                points.filter(|(x, y)| x.is_finite() && y.is_finite())
            };
            let width = match series.mark {
                Mark::Faint => 2,
                Mark::Line | Mark::Dots => 4,
                Mark::Points => 0,
            };
            let opacity = if series.mark == Mark::Faint { 0.35 } else { 1.0 };
            if width > 0 {
                let style = colour.mix(opacity).stroke_width(width);
                chart.draw_series(LineSeries::new(points(), style))?;
            }
            let radius = match series.mark {
                Mark::Points => 11,
                Mark::Dots => 7,
                // A line of a single point would be invisible.
                Mark::Line | Mark::Faint if points().count() == 1 => 7,
                Mark::Line | Mark::Faint => 0,
            };
            if radius > 0 {
                let dots = points().map(|point| Circle::new(point, radius, colour.filled()));
                chart.draw_series(dots)?;
            }
            let style = text(FONT_SIZE * 0.85, colour, FontStyle::Normal);
            let labels = series.labels.iter().filter_map(|(index, text)| {
                let point = *series.points.get(*index)?;
                let place = EmptyElement::at(point) + Text::new(text.clone(), (16, -22), style.clone());
                (point.0.is_finite() && point.1.is_finite()).then_some(place)
            });
            chart.draw_series(labels)?;
        }
        Ok(())
    }

    /// Draws the series' names in one row under the title.
    fn legend(&self, root: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let y = MARGIN + 66;
        let mut x = MARGIN;
        for series in self.series.iter().filter(|series| !series.name.is_empty()) {
            let colour = COLOURS[series.colour % COLOURS.len()];
            if series.mark == Mark::Points {
                root.draw(&Circle::new((x + 20, y), 11, colour.filled()))?;
            } else {
                let opacity = if series.mark == Mark::Faint { 0.35 } else { 1.0 };
                let style = colour.mix(opacity).stroke_width(5);
                root.draw(&PathElement::new([(x, y), (x + 40, y)], style))?;
            }
            let style = text(FONT_SIZE * 0.9, TEXT, FontStyle::Normal);
            root.draw_text(&series.name, &style, (x + 52, y))?;
            // SVG text is laid out by the viewer; this is a generous estimate for a sans-serif face.
            x += 52 + (series.name.chars().count() as f64 * FONT_SIZE * 0.46) as i32 + 40;
        }
        Ok(())
    }
}

fn text(size: f64, colour: RGBColor, weight: FontStyle) -> TextStyle<'static> {
    TextStyle {
        font: (FONT, size).into_font().style(weight),
        color: colour.to_backend_color(),
        pos: Pos::new(HPos::Left, VPos::Center),
    }
}

/// A range that contains all values with some margin, and the approximate distance of its grid lines.
fn axis(values: impl Iterator<Item = f64>, scale: Scale) -> (std::ops::Range<f64>, f64) {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = match scale {
        _ if low > high => (0.0, 1.0),
        // A range below one percent or one step would make noise look like a trend.
        Scale::Percent if high - low < 0.01 => (low - 0.005, high + 0.005),
        Scale::Whole if high - low < 1.0 => (low - 0.5, high + 0.5),
        _ if high == low => (low - 0.1 * low.abs().max(1e-6), high + 0.1 * high.abs().max(1e-6)),
        _ => (low, high),
    };
    let air = if scale == Scale::Whole { 0.01 } else { 0.06 } * (high - low);
    (low - air..high + air, (high - low) / 8.0)
}

/// Formats a number of an axis whose grid lines are about `step` apart.
fn number(value: f64, scale: Scale, step: f64) -> String {
    let decimals = |step: f64| (-step.log10()).ceil().clamp(0.0, 12.0) as usize;
    match scale {
        Scale::Percent => {
            let decimals = decimals(100.0 * step);
            format!("{:.decimals$} %", 100.0 * value)
        }
        Scale::Whole if (value - value.round()).abs() > 1e-6 => String::new(),
        Scale::Whole => format!("{value:.0}"),
        Scale::Plain if value.abs() < step * 1e-6 => "0".to_owned(),
        Scale::Plain if step < 1e-4 => format!("{value:.1e}"),
        Scale::Plain => {
            let decimals = decimals(step);
            format!("{value:.decimals$}")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            title: "a <title> & more".into(),
            x: ("step".into(), Scale::Whole),
            y: ("loss".into(), Scale::Plain),
            series: vec![Series::new("train", 0, Mark::Line, points)],
        }
    }

    #[test]
    fn texts_are_escaped() {
        let svg = chart(vec![(0.0, 1.0), (1.0, 0.5)]).svg().unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        assert!(svg.contains("a &lt;title&gt; &amp; more"), "{svg}");
        assert!(svg.contains("<polyline"), "{svg}");
    }

    #[test]
    fn every_number_of_points_can_be_drawn() {
        for points in [
            vec![],
            vec![(0.0, 1.0)],
            vec![(0.0, 0.0), (1.0, 0.0)],
            vec![(0.0, f64::NAN), (1.0, 2.0)],
            vec![(f64::INFINITY, 1.0)],
        ] {
            chart(points.clone()).svg().unwrap_or_else(|error| panic!("{points:?}: {error}"));
        }
    }

    #[test]
    fn numbers_have_the_digits_of_their_step() {
        assert_eq!(number(0.5, Scale::Percent, 0.1), "50 %");
        assert_eq!(number(0.5125, Scale::Percent, 0.003), "51.2 %");
        assert_eq!(number(0.3, Scale::Plain, 0.1), "0.3");
        assert_eq!(number(5e-4, Scale::Plain, 1e-5), "5.0e-4");
        assert_eq!(number(-1e-17, Scale::Plain, 0.1), "0");
        assert_eq!(number(200.0, Scale::Whole, 25.0), "200");
        assert_eq!(number(0.5, Scale::Whole, 0.1), "", "there is no half step");
    }
}
