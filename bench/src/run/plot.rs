//! Plots, as SVG by hand: two kinds of bars need no library.

use std::fmt::Write;

use super::row::{Outcome, Row};

const LEFT: f64 = 90.0;
const WIDTH: f64 = 640.0;
const RIGHT: f64 = 190.0;
const LINE: f64 = 26.0;
const TOP: f64 = 56.0;

const GOOD: &str = "#2a7f62";
const BAD: &str = "#b8433a";
const OURS: &str = "#2a6f9e";
const OTHER: &str = "#b9b4a7";

/// How far each row's target is met, on a logarithmic scale: the line in the middle is the target.
pub fn ratios(rows: &[(&Row, &Outcome)]) -> String {
    let mut picture = Picture::new(
        "Each row's ratio against its target (the line; right of it is better)",
        rows.len(),
    );
    // From a tenth to ten times the target.
    let place = |share: f64| LEFT + WIDTH * (share.clamp(0.1, 10.0).log10() + 1.0) / 2.0;
    for (index, (row, outcome)) in rows.iter().enumerate() {
        let y = TOP + index as f64 * LINE;
        picture.text(LEFT - 8.0, y + 15.0, "end", row.key);
        let shown = outcome
            .shown
            .clone()
            .unwrap_or_else(|| format!("{:.2}", outcome.value));
        let label = format!("{shown}  ({})", row.target.shown());
        if outcome.failed.is_some() || outcome.value.is_nan() {
            picture.text(LEFT + WIDTH + 8.0, y + 15.0, "start", "failed");
            continue;
        }
        let share = row.target.share(outcome.value);
        let (a, b) = (place(1.0).min(place(share)), place(1.0).max(place(share)));
        picture.bar(a, y + 3.0, b - a, if share >= 1.0 { GOOD } else { BAD });
        picture.text(LEFT + WIDTH + 8.0, y + 15.0, "start", &label);
    }
    picture.line(place(1.0), rows.len());
    picture.end()
}

/// p50 and p99 of the rows that are about them, ours above the other side's, on a logarithmic scale.
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
    let title = "Latencies in ms, logarithmic: ours (blue), the other side (grey)";
    let mut picture = Picture::new(title, bars.len());
    // From 0.1 ms to 10 s.
    let place = |ms: f64| WIDTH * (ms.clamp(0.1, 10_000.0).log10() + 1.0) / 5.0;
    for (index, (name, ms, colour)) in bars.iter().enumerate() {
        let y = TOP + index as f64 * LINE;
        picture.text(LEFT - 8.0, y + 15.0, "end", name);
        picture.bar(LEFT, y + 3.0, place(*ms), colour);
        picture.text(
            LEFT + place(*ms) + 6.0,
            y + 15.0,
            "start",
            &format!("{ms:.2}"),
        );
    }
    picture.end()
}

struct Picture(String);

impl Picture {
    fn new(title: &str, lines: usize) -> Self {
        let (width, height) = (LEFT + WIDTH + RIGHT, TOP + lines as f64 * LINE + 16.0);
        let mut picture = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        ));
        picture.text(16.0, 28.0, "start", title);
        picture
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    fn bar(&mut self, x: f64, y: f64, width: f64, colour: &str) {
        let height = LINE - 8.0;
        self.put(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>"
        ));
    }

    fn line(&mut self, x: f64, lines: usize) {
        let end = TOP + lines as f64 * LINE;
        self.put(format_args!(
            "<line x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{end}\" stroke=\"black\"/>",
            TOP - 6.0
        ));
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.0, "{element}");
    }

    fn end(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}
