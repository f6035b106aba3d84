//! The output of rebuilds: a progress bar on a terminal, lines elsewhere, JSON for programs, and what the console shows.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use serde_json::Value;

use super::progress::{Difference, Progress};
use crate::{
    log::{Offsets, distance},
    projection::Definition,
};

/// The minimum time between two lines about one phase.
const LINE_INTERVAL: Duration = Duration::from_secs(3);
/// The same for a page, which is refreshed this often.
const SINK_INTERVAL: Duration = Duration::from_millis(500);
const BAR: &str = "{prefix:13} {msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";

/// Takes the progress of a projection.
pub type Sink = Box<dyn Fn(&Definition, Progress) + Send + Sync>;

enum Format {
    Bar(ProgressBar),
    Lines,
    Progress(Sink),
}

pub struct Output {
    format: Format,
    phase: &'static str,
    phase_start: Instant,
    line_interval: Duration,
    last_line: Instant,
    /// Events applied in the phase, and its total.
    applied: i64,
    total: i64,
    /// Events applied in all phases of the projection, and when these began.
    events: i64,
    start: Instant,
}

impl Output {
    /// Writes to standard output, except progress bars, which go to standard error.
    pub fn new(json: bool) -> Self {
        let format = if json {
            Format::Progress(Box::new(|projection, progress| {
                line(&progress.to_json(projection));
            }))
        } else if std::io::stderr().is_terminal() && std::io::stdout().is_terminal() {
            let bar = ProgressBar::no_length();
            if let Ok(style) = ProgressStyle::with_template(BAR) {
                bar.set_style(style);
            }
            Format::Bar(bar)
        } else {
            Format::Lines
        };
        Self::with(format, LINE_INTERVAL)
    }

    /// Passes on the progress.
    pub fn to(sink: Sink) -> Self {
        Self::with(Format::Progress(sink), SINK_INTERVAL)
    }

    fn with(format: Format, line_interval: Duration) -> Self {
        let now = Instant::now();
        Self {
            format,
            line_interval,
            phase: "",
            phase_start: now,
            last_line: now,
            applied: 0,
            total: 0,
            events: 0,
            start: now,
        }
    }

    /// Begins with another projection.
    pub fn start(&mut self) {
        (self.events, self.start) = (0, Instant::now());
    }

    /// Begins a phase that applies the events after `from` and up to `to`.
    pub(super) fn phase(
        &mut self,
        projection: &Definition,
        phase: &'static str,
        from: &Offsets,
        to: &Offsets,
    ) {
        self.begin(phase, distance(from, to));
        if let Format::Bar(bar) = &self.format {
            bar.reset();
            bar.set_length(self.total.unsigned_abs());
            bar.set_prefix(projection.name());
            bar.set_message(phase);
        } else {
            self.progress(projection);
        }
    }

    /// Begins a phase of unknown length.
    pub(super) fn step(&mut self, projection: &Definition, step: &'static str) {
        self.begin(step, 0);
        match &self.format {
            Format::Bar(bar) => {
                bar.set_prefix(projection.name());
                bar.set_message(step);
            }
            Format::Lines => line(&format!("{}: {step}", projection.name())),
            Format::Progress(sink) => sink(projection, Progress::Step { phase: step }),
        }
    }

    fn begin(&mut self, phase: &'static str, total: i64) {
        self.phase = phase;
        (self.phase_start, self.last_line) = (Instant::now(), Instant::now());
        (self.applied, self.total) = (0, total);
    }

    /// Reports that `events` more events are applied.
    pub(super) fn advance(&mut self, projection: &Definition, events: i64) {
        self.applied += events;
        self.events += events;
        if let Format::Bar(bar) = &self.format {
            bar.inc(events.unsigned_abs());
        } else if self.total > 0
            && (self.applied == self.total || self.last_line.elapsed() > self.line_interval)
        {
            self.progress(projection);
        }
    }

    fn progress(&mut self, projection: &Definition) {
        self.last_line = Instant::now();
        let rate = self.applied as f64 / self.phase_start.elapsed().as_secs_f64().max(0.001);
        let left = (rate > 0.0).then(|| (self.total - self.applied) as f64 / rate);
        if let Format::Progress(sink) = &self.format {
            let progress = Progress::Phase {
                phase: self.phase,
                events: self.applied,
                total: self.total,
                events_per_second: rate.round(),
                seconds_left: left.map(f64::round),
            };
            sink(projection, progress);
        } else {
            let left = left
                .filter(|_| self.applied > 0)
                .map_or_else(String::new, |left| {
                    format!(", {rate:.0}/s, {left:.0} s left")
                });
            line(&format!(
                "{}: {}, {} of {} events{left}",
                projection.name(),
                self.phase,
                self.applied,
                self.total
            ));
        }
    }

    /// Reports that the replay waits because the live model is `lag` events behind the log.
    pub(super) fn throttled(&mut self, projection: &Definition, lag: i64) {
        if let Format::Bar(bar) = &self.format {
            bar.set_message(format!(
                "{} (waiting: the live model is {lag} events behind)",
                self.phase
            ));
        } else if self.last_line.elapsed() > self.line_interval {
            self.last_line = Instant::now();
            self.message(
                projection,
                &format!("waiting: the live model is {lag} events behind the log"),
            );
        }
    }

    /// Reports a difference between the live model and the shadow.
    pub(super) fn difference(&self, projection: &Definition, difference: Difference) {
        if let Format::Progress(sink) = &self.format {
            return sink(projection, Progress::Difference { difference });
        }
        let place = difference.place();
        self.print(&format!(
            "{}: {place}: {}",
            projection.name(),
            difference.text
        ));
        let side = |row: &Option<Value>| row.as_ref().map_or("no row".to_owned(), Value::to_string);
        for row in &difference.rows {
            self.print(&format!(
                "    live {}\n     log {}",
                side(&row.live),
                side(&row.log)
            ));
        }
    }

    /// Reports a completed cutover.
    pub(super) fn live(&self, projection: &Definition, generation: i32, how: &'static str) {
        let (events, seconds) = (self.events, self.start.elapsed().as_secs_f64());
        if let Format::Progress(sink) = &self.format {
            let progress = Progress::Live {
                live: generation,
                how,
                events,
                seconds: (seconds * 1_000.0).round() / 1_000.0,
            };
            return sink(projection, progress);
        }
        self.print(&format!(
            "{}: generation {generation} is live, {how}; {} events in {} ({:.0}/s)",
            projection.name(),
            HumanCount(events.unsigned_abs()),
            HumanDuration(self.start.elapsed()),
            events as f64 / seconds.max(0.001),
        ));
    }

    pub(super) fn message(&self, projection: &Definition, text: &str) {
        match &self.format {
            Format::Progress(sink) => sink(
                projection,
                Progress::Says {
                    says: text.to_owned(),
                },
            ),
            _ => self.print(&format!("{}: {text}", projection.name())),
        }
    }

    fn print(&self, text: &str) {
        match &self.format {
            Format::Bar(bar) => bar.suspend(|| line(text)),
            _ => line(text),
        }
    }
}

/// Ignores errors: a closed output is no reason to stop.
fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
