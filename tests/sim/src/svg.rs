//! Charts as SVG text.

mod axis;
mod plots;

use std::fmt::Write as _;

pub use axis::{Axis, Scale};
pub use plots::charts;

/// A chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// File name, without its end.
    pub name: String,
    /// What stands above it.
    pub title: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
}

/// Points that belong together.
#[derive(Debug, Clone)]
pub struct Series {
    /// What stands in the legend, or at the point.
    pub name: String,
    /// The points; a line goes through them unless there is only one.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;
/// Colours that most people can tell apart (Okabe and Ito).
const COLOURS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999933",
];
/// Room that a label of 12 pixels takes, about.
const LETTER_WIDTH: f64 = 7.0;
const LINE_HEIGHT: f64 = 13.0;
/// Points of a curve that are drawn: more than there are pixels would only make the file long.
const MAX_POINTS: usize = 400;

impl Chart {
    /// The chart as an SVG document.
    pub fn svg(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        svg.push_str(&text(LEFT, 28.0, "start", 16, &self.title));
        self.draw_grid(&mut svg);
        let mut labels = Vec::new();
        for (number, series) in self.series.iter().enumerate() {
            match series.points[..] {
                [point] => self.draw_point(&mut svg, number, point, &series.name, &mut labels),
                _ => self.draw_curve(&mut svg, number, series),
            }
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = WIDTH - LEFT - RIGHT;
        let down = HEIGHT - TOP - BOTTOM;
        (
            LEFT + self.x.share(x) * across,
            TOP + (1.0 - self.y.share(y)) * down,
        )
    }

    fn draw_grid(&self, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, label) in self.x.ticks() {
            let (x, _) = self.place((value, self.y.from));
            svg.push_str(&line((x, TOP), (x, bottom), "#dddddd"));
            svg.push_str(&text(x, bottom + 18.0, "middle", 12, &label));
        }
        for (value, label) in self.y.ticks() {
            let (_, y) = self.place((self.x.from, value));
            svg.push_str(&line((LEFT, y), (right, y), "#dddddd"));
            svg.push_str(&text(LEFT - 8.0, y + 4.0, "end", 12, &label));
        }
        svg.push_str(&line((LEFT, TOP), (LEFT, bottom), "#333333"));
        svg.push_str(&line((LEFT, bottom), (right, bottom), "#333333"));
        let middle = (LEFT + right) / 2.0;
        svg.push_str(&text(middle, HEIGHT - 16.0, "middle", 13, &self.x.label));
        let middle = (TOP + bottom) / 2.0;
        let label = text(0.0, 0.0, "middle", 13, &self.y.label);
        let turned = label.replacen(
            "x=\"0.0\" y=\"0.0\"",
            &format!("transform=\"translate(22 {middle:.1}) rotate(-90)\""),
            1,
        );
        svg.push_str(&turned);
    }

    /// Draws a point with its name beside it, below the `labels` that are in its way.
    fn draw_point(
        &self,
        svg: &mut String,
        number: usize,
        point: (f64, f64),
        name: &str,
        labels: &mut Vec<(f64, f64, f64)>,
    ) {
        let colour = COLOURS[number % COLOURS.len()];
        let (x, y) = self.place(point);
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>"
        );
        let (begin, width) = (x + 9.0, name.len() as f64 * LETTER_WIDTH);
        let mut baseline = y + 4.0;
        let collides = |baseline: f64| {
            labels.iter().any(|(other, other_width, at)| {
                begin < other + other_width
                    && *other < begin + width
                    && (baseline - at).abs() < LINE_HEIGHT
            })
        };
        while collides(baseline) {
            baseline += 1.0;
        }
        labels.push((begin, width, baseline));
        svg.push_str(&text(begin, baseline, "start", 12, name));
    }

    fn draw_curve(&self, svg: &mut String, number: usize, series: &Series) {
        let colour = COLOURS[number % COLOURS.len()];
        // Curves that lie upon each other show through.
        let dashes = if number % 2 == 1 { "7 5" } else { "none" };
        let step = series.points.len().div_ceil(MAX_POINTS).max(1);
        let last = series.points.last().copied();
        let points = series.points.iter().copied().step_by(step).chain(last);
        let path = points.map(|point| {
            let (x, y) = self.place(point);
            format!("{x:.1},{y:.1}")
        });
        let path = Vec::from_iter(path).join(" ");
        let _ = writeln!(
            svg,
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/>"
        );
        let y = TOP + 12.0 + 20.0 * number as f64;
        let x = WIDTH - RIGHT + 14.0;
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/>",
            x + 20.0
        );
        svg.push_str(&text(x + 26.0, y + 4.0, "start", 12, &series.name));
    }
}

fn line((x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) -> String {
    format!(
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>\n"
    )
}

fn text(x: f64, y: f64, anchor: &str, size: u32, words: &str) -> String {
    let words = words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{words}</text>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_names_its_axes_and_series_and_stays_in_its_frame() {
        let axis = |label: &str| Axis {
            label: label.to_owned(),
            scale: Scale::Linear,
            from: 0.0,
            to: 10.0,
        };
        let chart = Chart {
            name: "test".to_owned(),
            title: "a < b".to_owned(),
            x: axis("time [s]"),
            y: axis("share"),
            series: vec![Series {
                name: "ours".to_owned(),
                points: vec![(0.0, 0.0), (20.0, 10.0)],
            }],
        };
        let svg = chart.svg();
        for part in ["time [s]", "share", "ours", "a &lt; b", "80.0,460.0"] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        // What is outside is drawn at the edge.
        assert!(svg.contains("670.0,50.0"), "{svg}");
    }
}
