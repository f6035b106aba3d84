//! Times: RFC 3339 in UTC with milliseconds, `2004-01-16T14:56:01.001Z`. For `#[serde(with = …)]`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serializer;

pub fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}
