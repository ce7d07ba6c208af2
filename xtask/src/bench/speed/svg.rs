//! Bars as SVG text.

use std::fmt::Write as _;

use crate::peers::figures::told;

/// Figures that are compared with each other.
pub(super) struct Panel {
    pub(super) title: String,
    /// Name and length of each bar.
    pub(super) bars: Vec<(String, f64)>,
}

const WIDTH: f64 = 760.0;
const MARGIN: f64 = 20.0;
/// Where bars begin.
const LEFT: f64 = 190.0;
/// Where the longest ends, with room for its figure.
const RIGHT: f64 = WIDTH - 100.0;
const HEAD_HEIGHT: f64 = 44.0;
const TITLE_HEIGHT: f64 = 34.0;
const BAR_HEIGHT: f64 = 20.0;
const OURS: &str = "#0072b2";
const OTHERS: &str = "#999999";

/// Panels below each other, each with a scale of its own. Bars whose name `is_ours` stand out.
pub(super) fn chart(title: &str, panels: &[Panel], is_ours: impl Fn(&str) -> bool) -> String {
    let height = panels.iter().fold(HEAD_HEIGHT + MARGIN, |height, panel| {
        height + TITLE_HEIGHT + BAR_HEIGHT * panel.bars.len() as f64
    });
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    text(&mut svg, (MARGIN, 28.0), "start", 16, title);
    let mut y = HEAD_HEIGHT;
    for panel in panels {
        text(&mut svg, (MARGIN, y + 22.0), "start", 13, &panel.title);
        y += TITLE_HEIGHT;
        let longest = panel.bars.iter().map(|(_, value)| *value);
        let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
        for (name, value) in &panel.bars {
            let width = (value / longest).clamp(0.0, 1.0) * (RIGHT - LEFT);
            let colour = if is_ours(name) { OURS } else { OTHERS };
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
                y + 2.0,
                BAR_HEIGHT - 4.0
            );
            text(&mut svg, (LEFT - 8.0, y + 14.0), "end", 12, name);
            let end = LEFT + width + 6.0;
            text(&mut svg, (end, y + 14.0), "start", 12, &told(*value));
            y += BAR_HEIGHT;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, size: u32, words: &str) {
    let words = words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{words}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values() {
        let panel = Panel {
            title: "a < b".to_owned(),
            bars: vec![("ours".to_owned(), 5.0), ("other".to_owned(), 10.0)],
        };
        let svg = chart("title", &[panel], |name| name == "ours");
        for part in [
            "a &lt; b",
            "width=\"235.0\"",
            "width=\"470.0\"",
            OURS,
            OTHERS,
            ">10<",
        ] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
    }
}
