//! The state of a projection or of one of its partitions, as a word with a mark and a colour.

use crate::command::status::report::{PartitionReport, ProjectionReport, Standing};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Badge {
    /// Of the style sheet.
    pub class: &'static str,
    /// Tells what the colour tells.
    pub mark: &'static str,
    pub word: &'static str,
}

const fn badge(class: &'static str, mark: &'static str, word: &'static str) -> Badge {
    Badge { class, mark, word }
}

pub const UP_TO_DATE: Badge = badge("good", "✓", "up to date");
pub const BEHIND: Badge = badge("busy", "→", "catching up");

impl Badge {
    fn of_standing(name: &str) -> Self {
        match name {
            "paused" => badge("idle", "‖", "paused"),
            "blocked" => badge("bad", "✕", "blocked"),
            "unowned" => badge("bad", "∅", "unowned"),
            _ => badge("bad", "…", "stalled"),
        }
    }

    /// The worst of its partitions.
    pub fn of_projection(report: &ProjectionReport) -> Self {
        let mut by_severity = ["blocked", "unowned", "stalled", "paused"].into_iter();
        match by_severity.find(|name| report.standing.contains_key(name)) {
            Some(name) => Self::of_standing(name),
            None if report.lag_events > 0 => BEHIND,
            None => UP_TO_DATE,
        }
    }

    pub fn of_partition(report: &PartitionReport) -> Self {
        match &report.standing {
            Some(standing) => Self::of_standing(Standing::name(standing)),
            None if report.lag_events > 0 => BEHIND,
            None => UP_TO_DATE,
        }
    }
}
