//! Numbers and times for people.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::command::indexes::advice;

/// A value behind any number of references, as templates have it.
pub trait Plain<T> {
    fn plain(&self) -> T;
}

impl<T, P: Plain<T>> Plain<T> for &P {
    fn plain(&self) -> T {
        (**self).plain()
    }
}

macro_rules! plain {
    ($($type:ty),+) => {
        $(impl Plain<Self> for $type {
            fn plain(&self) -> Self {
                *self
            }
        })+
    };
}

plain!(i64, f64, DateTime<Utc>);

/// `12,345`
pub fn count(number: impl Plain<i64>) -> String {
    let number = number.plain();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// `1 event` or `12,345 events`
pub fn events(number: impl Plain<i64>) -> String {
    let number = number.plain();
    format!(
        "{} event{}",
        count(number),
        if number == 1 { "" } else { "s" }
    )
}

/// `2026-01-31 12:00:00`, in UTC.
pub fn time(at: impl Plain<DateTime<Utc>>) -> String {
    at.plain().format("%Y-%m-%d %H:%M:%S").to_string()
}

/// For `datetime` of `<time>`.
pub fn machine_time(at: impl Plain<DateTime<Utc>>) -> String {
    at.plain().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `0.3 s`, `12 s`, `5 min` or `3.1 h`.
pub fn seconds(seconds: impl Plain<f64>) -> String {
    let seconds = seconds.plain();
    match seconds {
        ..10.0 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        ..7_200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}

/// Of something that happens again and again.
pub fn rate(per_second: impl Plain<f64>) -> String {
    let per_second = per_second.plain();
    if per_second < 10.0 {
        format!("{per_second:.1}")
    } else {
        count(per_second.round() as i64)
    }
}

/// `0.35 ms`, `12 ms` or `1.2 s`.
pub fn millis(millis: impl Plain<f64>) -> String {
    let millis = millis.plain();
    match millis {
        ..10.0 => format!("{millis:.2} ms"),
        ..1_000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1_000.0),
    }
}

/// `12 MiB`
pub fn bytes(bytes: impl Plain<i64>) -> String {
    advice::bytes(bytes.plain())
}

/// Of a share from 0 to 1.
pub fn percent(share: impl Plain<f64>) -> String {
    format!("{:.0} %", share.plain() * 100.0)
}

/// JSON on several lines.
pub fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let counts = [0, 999, 1_000, 1_234_567, -12_345].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567", "-12,345"]);
        assert_eq!([1, 2_000].map(events), ["1 event", "2,000 events"]);
        let spans = [0.04, 9.96, 119.0, 120.0, 7_300.0].map(seconds);
        assert_eq!(spans, ["0.0 s", "10.0 s", "119 s", "2 min", "2.0 h"]);
        assert_eq!([0.5, 12.4, 4_321.0].map(rate), ["0.5", "12", "4,321"]);
        assert_eq!(
            [0.25, 45.0, 1_250.0].map(millis),
            ["0.25 ms", "45 ms", "1.2 s"]
        );
        let at = DateTime::from_timestamp(1_769_860_800, 0).unwrap();
        assert_eq!(
            (time(at).as_str(), machine_time(at).as_str()),
            ("2026-01-31 12:00:00", "2026-01-31T12:00:00.000Z")
        );
    }
}
