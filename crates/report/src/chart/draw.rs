//! Layout of a chart and its SVG.

use std::fmt::Write as _;

use super::axis::Axis;
use super::text::{SIZE, width, wrapped};
use super::{Chart, Mark, Series};
use crate::page::escape;

const INK: &str = "#333c4a";
const GRID: &str = "#e4e7ec";
const FRAME: &str = "#969eaa";
const FONT: &str = "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif";
/// Distance of lines of text.
const LINE: f64 = 18.0;
const MARGIN: f64 = 8.0;
/// Width of a legend's mark with the gap after it, and the gap between entries.
const KEY: f64 = 28.0;
const GAP: f64 = 16.0;

/// A rectangle that text covers: left, top, right, bottom.
type Covered = (f64, f64, f64, f64);

/// A straight line from one place to another.
type Line = ((f64, f64), (f64, f64));

/// The SVG and the place of the plot in it.
struct Drawing {
    svg: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
    /// The lines of all series and their error bars, which labels avoid.
    lines: Vec<Line>,
}

impl Chart {
    /// The SVG of this width in pixels, at which its text has its natural size.
    pub(crate) fn drawn(&self, wide: f64, class: &str) -> String {
        let small = wide < 400.0;
        let title = wrapped(&self.title, 0.9 * (wide - 2.0 * MARGIN));
        let legend = self.legend(wide - 2.0 * MARGIN);
        let top = MARGIN + LINE * (title.len() + legend.len()) as f64 + 12.0;
        let plot = (wide * 0.5).clamp(200.0, 340.0);
        let points = || self.series.iter().flat_map(|series| &series.points).filter(|point| finite(point));
        let bars = || self.series.iter().flat_map(|series| &series.bars).filter(|bar| finite(bar));
        let longest = bars().map(|(low, high)| high - low).fold(0.0, f64::max);
        let heights = points().map(|point| point.1).chain(bars().flat_map(|&(low, high)| [low, high]));
        let x = Axis::new(points().map(|point| point.0), 0.0, self.x.1, if small { 4.0 } else { 7.0 });
        let y = Axis::new(heights, longest, self.y.1, if small { 5.0 } else { 6.0 });
        let numbers = y.ticks().iter().map(|tick| width(&tick.1)).fold(0.0, f64::max);
        let y_title = wrapped(&self.y.0, plot);
        let y_lines = if self.y.0.is_empty() { 0 } else { y_title.len() };
        let left = tenth(MARGIN + LINE * y_lines as f64 + numbers + 8.0);
        let right = wide - MARGIN - 16.0;
        let x_title = wrapped(&self.x.0, right - left);
        let bottom = top + plot;
        let height = bottom + 24.0 + LINE * x_title.len() as f64 + MARGIN;

        let mut drawing = Drawing { svg: String::new(), left, right, top, bottom, x, y, lines: Vec::new() };
        drawing.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\" class=\"{class}\" \
             width=\"{wide}\" height=\"{height}\" viewBox=\"0 0 {wide} {height}\" font-family=\"{FONT}\" \
             font-size=\"{SIZE}\" fill=\"{INK}\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
            escape(&self.title)
        ));
        for (index, line) in title.iter().enumerate() {
            let y = MARGIN + LINE * index as f64 + SIZE;
            drawing.put(format_args!("<text x=\"{MARGIN}\" y=\"{y}\" font-weight=\"600\">{}</text>", escape(line)));
        }
        for (index, row) in legend.iter().enumerate() {
            let y = MARGIN + LINE * (title.len() + index) as f64 + SIZE + 4.0;
            row.iter().for_each(|(x, series, text)| drawing.key(*x, y, *series, text));
        }
        drawing.axes(&x_title, if self.y.0.is_empty() { &[] } else { &y_title });
        let mut labels = Vec::new();
        for series in &self.series {
            drawing.series(series);
            let wanted = series.labels.iter().filter_map(|(index, text)| Some((series.points.get(*index)?, text)));
            labels
                .extend(wanted.filter(|(point, _)| finite(point)).map(|(point, text)| (*point, text, series.colour())));
        }
        // Over all lines, and none over another.
        let mut covered = Vec::new();
        labels.iter().for_each(|(point, text, colour)| drawing.label(*point, text, colour, &mut covered));
        drawing.put(format_args!("</svg>"));
        drawing.svg
    }

    /// Rows of the legend: each entry's left edge, its series where the entry begins, and its text.
    fn legend(&self, room: f64) -> Vec<Vec<(f64, Option<&Series>, String)>> {
        let mut rows: Vec<Vec<_>> = Vec::new();
        let mut x = MARGIN;
        for series in self.series.iter().filter(|series| !series.name.is_empty()) {
            for (index, line) in wrapped(&series.name, room - KEY).into_iter().enumerate() {
                let needed = KEY + width(&line);
                let entry = |x| (x, (index == 0).then_some(series), line);
                match rows.last_mut() {
                    Some(row) if index == 0 && x + needed <= MARGIN + room => row.push(entry(x)),
                    _ => {
                        x = MARGIN;
                        rows.push(vec![entry(x)]);
                    }
                }
                x += needed + GAP;
            }
        }
        rows
    }
}

impl Drawing {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.svg.write_fmt(text).expect("writing to a string does not fail");
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (x, y) = (self.x.place(x), self.y.place(y));
        let places = (self.left + x * (self.right - self.left), self.bottom - y * (self.bottom - self.top));
        // A tenth of a pixel is enough and keeps files small.
        (tenth(places.0), tenth(places.1))
    }

    /// An entry of the legend, with the mark of its series on the first line.
    fn key(&mut self, x: f64, y: f64, series: Option<&Series>, text: &str) {
        let middle = y - 0.35 * SIZE;
        if let Some(series) = series {
            let colour = series.colour();
            match series.mark {
                Mark::Points => {
                    self.put(format_args!("<circle cx=\"{}\" cy=\"{middle}\" r=\"5\" fill=\"{colour}\"/>", x + 10.0));
                }
                mark => self.put(format_args!(
                    "<line x1=\"{x}\" y1=\"{middle}\" x2=\"{}\" y2=\"{middle}\" stroke=\"{colour}\"{}/>",
                    x + 20.0,
                    stroke(mark)
                )),
            }
        }
        self.put(format_args!("<text x=\"{}\" y=\"{y}\">{}</text>", x + KEY, escape(text)));
    }

    /// Grid, numbers and titles of both axes.
    fn axes(&mut self, x_title: &[String], y_title: &[String]) {
        let Self { left, right, top, bottom, x, y, .. } = *self;
        for (value, number) in y.ticks() {
            let at = self.at((x.low, value)).1;
            self.put(format_args!("<line x1=\"{left}\" y1=\"{at}\" x2=\"{right}\" y2=\"{at}\" stroke=\"{GRID}\"/>"));
            let (x, y) = (left - 6.0, at + 4.5);
            self.put(format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{number}</text>"));
        }
        let mut free = f64::NEG_INFINITY;
        for (value, number) in x.ticks() {
            let at = self.at((value, y.low)).0;
            self.put(format_args!("<line x1=\"{at}\" y1=\"{top}\" x2=\"{at}\" y2=\"{bottom}\" stroke=\"{GRID}\"/>"));
            let half = width(&number) / 2.0;
            if at - half >= free {
                let y = bottom + 18.0;
                self.put(format_args!("<text x=\"{at}\" y=\"{y}\" text-anchor=\"middle\">{number}</text>"));
                free = at + half + 4.0;
            }
        }
        self.put(format_args!("<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"{FRAME}\"/>"));
        for (index, line) in x_title.iter().enumerate() {
            let (x, y) = ((left + right) / 2.0, bottom + 24.0 + LINE * index as f64 + SIZE);
            self.put(format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>", escape(line)));
        }
        for (index, line) in y_title.iter().enumerate() {
            let (x, y) = (MARGIN + LINE * index as f64 + SIZE, (top + bottom) / 2.0);
            self.put(format_args!(
                "<text transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
                escape(line)
            ));
        }
    }

    fn series(&mut self, series: &Series) {
        let colour = series.colour();
        let points: Vec<(f64, f64)> = series.points.iter().filter(|point| finite(point)).map(|p| self.at(*p)).collect();
        for (point, bar) in series.points.iter().zip(&series.bars).filter(|(point, bar)| finite(point) && finite(bar)) {
            let (x, low) = self.at((point.0, bar.0));
            let high = self.at((point.0, bar.1)).1;
            let (from, to) = (x - 4.0, x + 4.0);
            self.lines.push(((x, low), (x, high)));
            self.put(format_args!(
                "<path class=\"bar\" d=\"M{from} {low}H{to}M{x} {low}V{high}M{from} {high}H{to}\" fill=\"none\" \
                 stroke=\"{colour}\" stroke-opacity=\"0.55\" stroke-width=\"1.5\"/>"
            ));
        }
        if series.mark != Mark::Points && points.len() > 1 {
            self.put(format_args!("<polyline fill=\"none\" stroke=\"{colour}\"{} points=\"", stroke(series.mark)));
            points.iter().for_each(|(x, y)| self.put(format_args!("{x},{y} ")));
            self.put(format_args!("\"/>"));
            self.lines.extend(points.windows(2).map(|ends| (ends[0], ends[1])));
        }
        let radius = match series.mark {
            Mark::Points => 5.5,
            Mark::Dots => 3.5,
            // A line of a single point would be invisible.
            _ if points.len() == 1 => 3.5,
            _ => return,
        };
        for (x, y) in points {
            self.lines.push(((x - radius, y), (x + radius, y)));
            self.put(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{colour}\"/>"));
        }
    }

    /// A text beside a point, within the plot's width and not over another one, and on as few lines as possible.
    fn label(&mut self, point: (f64, f64), text: &str, colour: &str, covered: &mut Vec<Covered>) {
        let (x, y) = self.at(point);
        let wide = width(text);
        let place = |dx: f64, dy: f64| (x + dx, y + dy - SIZE, x + dx + wide, y + dy + 3.0);
        let places = [-7.0, 17.0, -25.0, 35.0, -43.0, 53.0];
        let places = places.map(|dy| [place(8.0, dy), place(-8.0 - wide, dy), place(-wide / 2.0, dy)]);
        let places = places.as_flattened();
        let inside = |one: &&Covered| {
            one.0 >= self.left && one.1 >= self.top - 4.0 && one.2 <= self.right + MARGIN + 8.0 && one.3 < self.bottom
        };
        let over = |one: &Covered, other: &Covered| {
            !(one.2 < other.0 || one.0 > other.2 || one.3 < other.1 || one.1 > other.3)
        };
        let cost = |one: &&Covered| {
            let texts = covered.iter().filter(|other| over(one, other)).count();
            (texts, self.lines.iter().filter(|line| crosses(one, line)).count())
        };
        let chosen = *places.iter().filter(inside).min_by_key(cost).unwrap_or(&places[0]);
        covered.push(chosen);
        let (x, y) = (chosen.0, chosen.3 - 3.0);
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\" stroke=\"#fff\" stroke-width=\"3\" \
             paint-order=\"stroke\">{}</text>",
            escape(text)
        ));
    }
}

/// Whether a line runs through a rectangle.
fn crosses(&(left, top, right, bottom): &Covered, &(a, b): &Line) -> bool {
    // The part of the line, from 0 to 1, that is between both pairs of edges.
    let (mut from, mut to) = (0.0_f64, 1.0_f64);
    for (start, end, low, high) in [(a.0, b.0, left, right), (a.1, b.1, top, bottom)] {
        if start == end {
            if start < low || start > high {
                return false;
            }
            continue;
        }
        let (one, other) = ((low - start) / (end - start), (high - start) / (end - start));
        (from, to) = (from.max(one.min(other)), to.min(one.max(other)));
    }
    from <= to
}

fn finite((a, b): &(f64, f64)) -> bool {
    a.is_finite() && b.is_finite()
}

fn tenth(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}

fn stroke(mark: Mark) -> &'static str {
    match mark {
        Mark::Faint => " stroke-width=\"1\" stroke-opacity=\"0.4\"",
        Mark::Dashed => " stroke-width=\"2\" stroke-dasharray=\"6 4\"",
        _ => " stroke-width=\"2\"",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HALF, NARROW, Scale, WIDE};
    use super::*;

    fn chart(names: &[&str]) -> Chart {
        let points = vec![(0.0, 0.5), (0.5, 0.6), (1.0, 0.55)];
        Chart {
            title: "A title long enough for several lines on a small screen".into(),
            x: ("alpha (0: the base model, 1: the adapters in full)".into(), Scale::Plain),
            y: ("average top-1 accuracy out of distribution".into(), Scale::Percent),
            series: names.iter().map(|name| Series::new(*name, 0, Mark::Dots, points.clone())).collect(),
        }
    }

    /// The value of an attribute in a tag.
    fn attribute(tag: &str, name: &str) -> f64 {
        let value = tag.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{tag} has no number `{name}`"))
    }

    #[test]
    fn no_text_is_cut_or_over_another_at_any_width() {
        let long = "a class name that is longer than any narrow chart is wide, without an end";
        let mut chart = chart(&["photo (ID)", "art painting", long, "quickdraw", "OOD average"]);
        chart.series[0].labels = (0..3).map(|index| (index, "α = 0.5".to_owned())).collect();
        for wide in [NARROW, HALF, WIDE] {
            let svg = chart.drawn(wide, "");
            let mut boxes: Vec<(Covered, &str)> = Vec::new();
            for part in svg.split("<text ").skip(1).filter(|part| !part.starts_with("transform")) {
                let (tag, rest) = part.split_once('>').unwrap_or_default();
                let tag = format!(" {tag}");
                let text = rest.split('<').next().unwrap_or_default();
                let (x, y) = (attribute(&tag, "x"), attribute(&tag, "y"));
                let left = match tag {
                    _ if tag.contains("middle") => x - width(text) / 2.0,
                    _ if tag.contains("\"end\"") => x - width(text),
                    _ => x,
                };
                boxes.push(((left, y - SIZE + 2.0, left + width(text), y + 2.0), text));
            }
            assert!(boxes.len() > 15, "{svg}");
            for (index, (a, text)) in boxes.iter().enumerate() {
                assert!(a.0 >= 0.0 && a.2 <= wide, "`{text}` is cut at {wide}");
                for (b, other) in &boxes[..index] {
                    let apart = a.2 <= b.0 || b.2 <= a.0 || a.3 <= b.1 || b.3 <= a.1;
                    assert!(apart, "`{text}` is over `{other}` at {wide}: {a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn labels_of_near_points_in_a_corner_do_not_collide() {
        let mut chart = chart(&["R-Adapter"]);
        chart.series[0].points = vec![(0.0, 0.2), (0.98, 0.58), (1.0, 0.6)];
        chart.series[0].labels = vec![(1, "α = 0".into()), (2, "α = 0.8".into())];
        let svg = chart.drawn(NARROW, "");
        let place = |text: &str| {
            let tag = svg.split(text).next().and_then(|before| before.rsplit("<text").next()).unwrap_or_default();
            (attribute(tag, "x"), attribute(tag, "y"))
        };
        let (a, b) = (place("α = 0<"), place("α = 0.8<"));
        assert!((a.1 - b.1).abs() >= SIZE || (a.0 - b.0).abs() >= width("α = 0.8"), "{a:?} {b:?}");
    }

    #[test]
    fn labels_avoid_lines_and_error_bars() {
        let mut chart = chart(&["this run"]);
        chart.series[0].points = vec![(0.0, 0.5), (0.4, 0.6), (0.5, 0.6), (0.6, 0.5), (0.65, 0.4)];
        chart.series[0].bars = chart.series[0].points.iter().map(|(_, y)| (y - 0.1, y + 0.1)).collect();
        chart.series[0].labels = vec![(0, "α = 0".into()), (2, "α = 0.5".into()), (4, "α = 1".into())];
        let svg = chart.drawn(WIDE, "");
        let texts = svg.split("<text ").filter(|part| part.contains(">α = "));
        let boxes: Vec<Covered> = texts
            .map(|part| {
                let (x, y) = (attribute(&format!(" {part}"), "x"), attribute(part, "y"));
                (x, y - SIZE, x + width("α = 0"), y + 3.0)
            })
            .collect();
        let line = svg.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let number = |text: &str| text.parse::<f64>().unwrap_or_else(|_| panic!("{text}"));
        let points: Vec<(f64, f64)> = line
            .split_whitespace()
            .filter_map(|pair| pair.split_once(','))
            .map(|(x, y)| (number(x), number(y)))
            .collect();
        assert_eq!((boxes.len(), points.len()), (3, 5), "{svg}");
        for one in &boxes {
            assert!(points.windows(2).all(|ends| !crosses(one, &(ends[0], ends[1]))), "{one:?} {points:?}");
        }
        assert!(crosses(&(0.0, 0.0, 2.0, 2.0), &((-1.0, -1.0), (3.0, 3.0))));
        assert!(!crosses(&(0.0, 0.0, 2.0, 2.0), &((3.0, -1.0), (3.0, 3.0))));
    }

    #[test]
    fn text_has_at_least_twelve_pixels() {
        const { assert!(SIZE >= 12.0) };
        let svg = chart(&["a"]).drawn(NARROW, "narrow");
        assert_eq!(svg.matches("font-size").count(), 1, "one size for all text");
        assert!(svg.contains("width=\"320\"") && svg.contains("viewBox=\"0 0 320 "), "units are pixels");
    }

    #[test]
    fn error_bars_are_drawn_within_the_plot() {
        let mut chart = chart(&["a"]);
        chart.series[0].bars = vec![(0.3, 0.7), (0.4, 0.8), (f64::NAN, 1.0)];
        let svg = chart.svg();
        assert_eq!(svg.matches("class=\"bar\"").count(), 2, "{svg}");
        assert!(svg.contains(">80 %<") && svg.contains(">20 %<"), "{svg}");
    }
}
