//! What an operator sees of it: a bar on a terminal, lines elsewhere, JSON for programs.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{compare::Difference, replay::distance};
use crate::{log::Places, projection::Definition};

/// Between two lines about the same thing.
const INTERVAL: Duration = Duration::from_secs(3);
const BAR: &str = "{prefix:13} {msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";

enum Form {
    Bar(ProgressBar),
    Lines,
    Json,
}

pub struct Show {
    form: Form,
    phase: &'static str,
    begun: Instant,
    said: Instant,
    /// Events of the phase, and before it.
    passed: i64,
    total: i64,
    /// Events of all phases, and since when.
    events: i64,
    since: Instant,
}

impl Show {
    /// As fits where it goes: to standard output, bars to standard error.
    pub fn new(json: bool) -> Self {
        let form = if json {
            Form::Json
        } else if std::io::stderr().is_terminal() && std::io::stdout().is_terminal() {
            let bar = ProgressBar::no_length();
            if let Ok(style) = ProgressStyle::with_template(BAR) {
                bar.set_style(style);
            }
            Form::Bar(bar)
        } else {
            Form::Lines
        };
        let now = Instant::now();
        Self {
            form,
            phase: "",
            begun: now,
            said: now,
            passed: 0,
            total: 0,
            events: 0,
            since: now,
        }
    }

    /// Another projection's turn.
    pub fn start(&mut self) {
        (self.events, self.since) = (0, Instant::now());
    }

    /// A part that passes the events between two places.
    pub(super) fn phase(
        &mut self,
        projection: &Definition,
        phase: &'static str,
        from: &Places,
        to: &Places,
    ) {
        self.begin(phase, distance(from, to));
        if let Form::Bar(bar) = &self.form {
            bar.reset();
            bar.set_length(self.total.unsigned_abs());
            bar.set_prefix(projection.name());
            bar.set_message(phase);
        } else {
            self.progress(projection);
        }
    }

    /// A part whose length nobody knows.
    pub(super) fn step(&mut self, projection: &Definition, step: &'static str) {
        self.begin(step, 0);
        match &self.form {
            Form::Bar(bar) => {
                bar.set_prefix(projection.name());
                bar.set_message(step);
            }
            Form::Lines => line(&format!("{}: {step}", projection.name())),
            Form::Json => line_of(&json!({"projection": projection.name(), "phase": step})),
        }
    }

    fn begin(&mut self, phase: &'static str, total: i64) {
        self.phase = phase;
        (self.begun, self.said) = (Instant::now(), Instant::now());
        (self.passed, self.total) = (0, total);
    }

    /// So many events more.
    pub(super) fn passed(&mut self, projection: &Definition, events: i64) {
        self.passed += events;
        self.events += events;
        if let Form::Bar(bar) = &self.form {
            bar.inc(events.unsigned_abs());
        } else if self.total > 0 && (self.passed == self.total || self.said.elapsed() > INTERVAL) {
            self.progress(projection);
        }
    }

    fn progress(&mut self, projection: &Definition) {
        self.said = Instant::now();
        let rate = self.passed as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        let left = (rate > 0.0).then(|| (self.total - self.passed) as f64 / rate);
        if let Form::Json = self.form {
            line_of(&json!({
                "projection": projection.name(), "phase": self.phase, "events": self.passed,
                "total": self.total, "events_per_second": rate.round(), "seconds_left": left.map(f64::round),
            }));
        } else {
            let left = left
                .filter(|_| self.passed > 0)
                .map_or_else(String::new, |left| {
                    format!(", {rate:.0}/s, {left:.0} s left")
                });
            line(&format!(
                "{}: {}, {} of {} events{left}",
                projection.name(),
                self.phase,
                self.passed,
                self.total
            ));
        }
    }

    /// The live model is behind, so this waits.
    pub(super) fn waits(&mut self, projection: &Definition, lag: i64) {
        if let Form::Bar(bar) = &self.form {
            bar.set_message(format!(
                "{} (waits: the live model is {lag} behind)",
                self.phase
            ));
        } else if self.said.elapsed() > INTERVAL {
            self.said = Instant::now();
            self.say(
                projection,
                &format!("waits, since the live model is {lag} events behind"),
            );
        }
    }

    pub(super) fn difference(&self, projection: &Definition, difference: &Difference) {
        let Difference {
            table,
            partition,
            text,
            rows,
        } = difference;
        if let Form::Json = self.form {
            let rows: Vec<Value> = rows
                .iter()
                .map(|(live, log)| json!({"live": live, "log": log}))
                .collect();
            return line_of(&json!({"projection": projection.name(), "difference": {
                "table": table, "partition": partition, "text": text, "rows": rows,
            }}));
        }
        let place = partition.map_or_else(String::new, |n| format!(", partition {n}"));
        self.print(&format!("{}: {table}{place}: {text}", projection.name()));
        let side =
            |row: &Option<Value>| row.as_ref().map_or("nothing".to_owned(), Value::to_string);
        for (live, log) in rows {
            self.print(&format!("    live {}\n     log {}", side(live), side(log)));
        }
    }

    pub(super) fn live(&self, projection: &Definition, generation: i32, how: &str) {
        let (events, seconds) = (self.events, self.since.elapsed().as_secs_f64());
        if let Form::Json = self.form {
            return line_of(&json!({
                "projection": projection.name(), "live": generation, "how": how, "events": events,
                "seconds": (seconds * 1_000.0).round() / 1_000.0,
            }));
        }
        self.print(&format!(
            "{}: generation {generation} is live, {how}; {} events in {} ({:.0}/s)",
            projection.name(),
            HumanCount(events.unsigned_abs()),
            HumanDuration(self.since.elapsed()),
            events as f64 / seconds.max(0.001),
        ));
    }

    pub(super) fn say(&self, projection: &Definition, text: &str) {
        match &self.form {
            Form::Json => line_of(&json!({"projection": projection.name(), "says": text})),
            _ => self.print(&format!("{}: {text}", projection.name())),
        }
    }

    fn print(&self, text: &str) {
        match &self.form {
            Form::Bar(bar) => bar.suspend(|| line(text)),
            _ => line(text),
        }
    }
}

fn line_of(value: &Value) {
    line(&value.to_string());
}

/// A reader that has gone away is no reason to stop.
fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
