//! Plots as hand-written SVG: two bar charts need no library.

use std::fmt::Write;

use super::row::{Outcome, Row};

const LEFT: f64 = 90.0;
const WIDTH: f64 = 640.0;
const RIGHT: f64 = 190.0;
const ROW_HEIGHT: f64 = 26.0;
const TOP: f64 = 56.0;

const GOOD: &str = "#2a7f62";
const BAD: &str = "#b8433a";
const OURS: &str = "#2a6f9e";
const OTHER: &str = "#b9b4a7";

/// The ratio of each row relative to its target, on a logarithmic scale with the target in the middle.
pub fn ratios(rows: &[(&Row, &Outcome)]) -> String {
    let mut svg = Svg::new(
        "Each row's ratio relative to its target (the line; to the right is better)",
        rows.len(),
    );
    // From a tenth to ten times the target.
    let x_of = |share: f64| LEFT + WIDTH * (share.clamp(0.1, 10.0).log10() + 1.0) / 2.0;
    for (index, (row, outcome)) in rows.iter().enumerate() {
        let y = TOP + index as f64 * ROW_HEIGHT;
        svg.text(LEFT - 8.0, y + 15.0, "end", row.key);
        let text = outcome
            .shown
            .clone()
            .unwrap_or_else(|| format!("{:.2}", outcome.value));
        let label = format!("{text}  ({})", row.target.text());
        if outcome.failed.is_some() || outcome.value.is_nan() {
            svg.text(LEFT + WIDTH + 8.0, y + 15.0, "start", "failed");
            continue;
        }
        let share = row.target.share(outcome.value);
        let (a, b) = (x_of(1.0).min(x_of(share)), x_of(1.0).max(x_of(share)));
        svg.bar(a, y + 3.0, b - a, if share >= 1.0 { GOOD } else { BAD });
        svg.text(LEFT + WIDTH + 8.0, y + 15.0, "start", &label);
    }
    svg.line(x_of(1.0), rows.len());
    svg.end()
}

/// p50 and p99 of the latency rows on a logarithmic scale, Feedmill's above the other side's.
pub fn latencies(rows: &[(&Row, &Outcome)]) -> String {
    let bars: Vec<(String, f64, &str)> = rows
        .iter()
        .filter_map(|(row, outcome)| Some((row.key, outcome.latencies?)))
        .flat_map(|(key, [ours, other])| {
            [("p50", 0), ("p99", 1)]
                .into_iter()
                .flat_map(move |(name, index)| {
                    [
                        (format!("{key} {name}"), ours[index], OURS),
                        (String::new(), other[index], OTHER),
                    ]
                })
        })
        .collect();
    let title = "Latencies in ms, logarithmic: Feedmill (blue), the other side (grey)";
    let mut svg = Svg::new(title, bars.len());
    // From 0.1 ms to 10 s.
    let x_of = |ms: f64| WIDTH * (ms.clamp(0.1, 10_000.0).log10() + 1.0) / 5.0;
    for (index, (name, ms, colour)) in bars.iter().enumerate() {
        let y = TOP + index as f64 * ROW_HEIGHT;
        svg.text(LEFT - 8.0, y + 15.0, "end", name);
        svg.bar(LEFT, y + 3.0, x_of(*ms), colour);
        svg.text(
            LEFT + x_of(*ms) + 6.0,
            y + 15.0,
            "start",
            &format!("{ms:.2}"),
        );
    }
    svg.end()
}

struct Svg(String);

impl Svg {
    fn new(title: &str, lines: usize) -> Self {
        let (width, height) = (LEFT + WIDTH + RIGHT, TOP + lines as f64 * ROW_HEIGHT + 16.0);
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        ));
        svg.text(16.0, 28.0, "start", title);
        svg
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    fn bar(&mut self, x: f64, y: f64, width: f64, colour: &str) {
        let height = ROW_HEIGHT - 8.0;
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>"
        ));
    }

    fn line(&mut self, x: f64, lines: usize) {
        let end = TOP + lines as f64 * ROW_HEIGHT;
        self.push(format_args!(
            "<line x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{end}\" stroke=\"black\"/>",
            TOP - 6.0
        ));
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.0, "{element}");
    }

    fn end(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}
