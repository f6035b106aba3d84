//! What counts as slow.

use std::{sync::OnceLock, time::Duration};

use clap::Args;
use tracing::Level;

use crate::config::duration;

/// From when on a request or a statement is logged as slow.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Slow work")]
pub struct SlowArgs {
    /// A request that takes longer is logged at level WARN. Waiting for Feedmill-Min-Position and an open stream do not count
    #[arg(long, env = "SLOW_REQUEST_WARN", default_value = "1s", value_parser = duration)]
    pub slow_request_warn: Duration,
    /// A request that takes longer is logged at level ERROR
    #[arg(long, env = "SLOW_REQUEST_ERROR", default_value = "3s", value_parser = duration)]
    pub slow_request_error: Duration,
    /// An SQL statement that takes longer is logged at level WARN and, once a minute for each statement, its generic plan.
    /// Waiting for a connection does not count
    #[arg(long, env = "SLOW_STATEMENT_WARN", default_value = "500ms", value_parser = duration)]
    pub slow_statement_warn: Duration,
    /// An SQL statement that takes longer is logged at level ERROR
    #[arg(long, env = "SLOW_STATEMENT_ERROR", default_value = "1s", value_parser = duration)]
    pub slow_statement_error: Duration,
}

/// The defaults of the flags.
impl Default for SlowArgs {
    fn default() -> Self {
        Self {
            slow_request_warn: DEFAULT_REQUESTS.warn,
            slow_request_error: DEFAULT_REQUESTS.error,
            slow_statement_warn: DEFAULT_STATEMENTS.warn,
            slow_statement_error: DEFAULT_STATEMENTS.error,
        }
    }
}

/// Two durations, of which the second is the longer one.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds {
    pub warn: Duration,
    pub error: Duration,
}

static REQUESTS: OnceLock<Thresholds> = OnceLock::new();
static STATEMENTS: OnceLock<Thresholds> = OnceLock::new();

const DEFAULT_REQUESTS: Thresholds = Thresholds {
    warn: Duration::from_secs(1),
    error: Duration::from_secs(3),
};
const DEFAULT_STATEMENTS: Thresholds = Thresholds {
    warn: Duration::from_millis(500),
    error: Duration::from_secs(1),
};

impl SlowArgs {
    /// Sets the thresholds of this process. Only the first call counts.
    pub(crate) fn apply(&self) {
        let _ = REQUESTS.set(Thresholds {
            warn: self.slow_request_warn,
            error: self.slow_request_error,
        });
        let _ = STATEMENTS.set(Thresholds {
            warn: self.slow_statement_warn,
            error: self.slow_statement_error,
        });
    }
}

/// Those of requests.
pub fn requests() -> Thresholds {
    *REQUESTS.get_or_init(|| DEFAULT_REQUESTS)
}

/// Those of statements.
pub fn statements() -> Thresholds {
    *STATEMENTS.get_or_init(|| DEFAULT_STATEMENTS)
}

impl Thresholds {
    /// The level of the log line about something that took so long. None: no line.
    pub fn level(self, took: Duration) -> Option<Level> {
        if took > self.error {
            Some(Level::ERROR)
        } else if took > self.warn {
            Some(Level::WARN)
        } else {
            None
        }
    }

    /// The shortest time that is logged.
    pub fn first(self) -> Duration {
        self.warn.min(self.error)
    }
}

/// Writes a line about something slow, at the level that [`Thresholds::level`] gave. A level must be known at compile time.
macro_rules! log_slow {
    ($level:expr, $($line:tt)+) => {
        if $level == tracing::Level::ERROR {
            tracing::error!($($line)+);
        } else {
            tracing::warn!($($line)+);
        }
    };
}
pub(crate) use log_slow;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longer_than_a_threshold_has_its_level() {
        let level = |millis| DEFAULT_STATEMENTS.level(Duration::from_millis(millis));
        assert_eq!(level(500), None);
        assert_eq!(level(501), Some(Level::WARN));
        assert_eq!(level(1_000), Some(Level::WARN));
        assert_eq!(level(1_001), Some(Level::ERROR));
    }
}
