//! An event as people see it.

use chrono::{DateTime, SecondsFormat, Utc};
use feedmill_events::{Envelope, Event, Partition};
use serde::Serialize;
use serde_json::Value;

use super::{record::Record, texts::hide_texts};

/// A decoded event, or why it cannot be decoded.
#[derive(Debug, Clone, Serialize)]
pub struct ShownEvent {
    pub partition: Partition,
    pub seq: i64,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "millis")]
    pub at: Option<DateTime<Utc>>,
    /// The name of its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of `data`. Older versions are upcast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip)]
    pub event: Option<Event>,
}

impl ShownEvent {
    /// Texts are hidden unless `with_texts`.
    pub fn new(record: &Record, with_texts: bool) -> Self {
        let mut shown = Self {
            partition: record.partition,
            seq: record.seq,
            at: None,
            kind: record.kind.clone(),
            version: None,
            trace: None,
            data: None,
            error: None,
            event: None,
        };
        match decode(record, with_texts) {
            Ok((at, event, data)) => {
                shown.at = Some(at);
                shown.version = Some(event.event_type().version());
                shown.trace.clone_from(&record.trace);
                shown.data = Some(data);
                shown.event = Some(event);
            }
            Err(error) => shown.error = Some(error),
        }
        shown
    }

    /// `12:345`
    pub fn id(&self) -> String {
        format!("{}:{}", self.partition, self.seq)
    }
}

fn decode(record: &Record, with_texts: bool) -> Result<(DateTime<Utc>, Event, Value), String> {
    let envelope = Envelope::decode(&record.body).map_err(|error| error.to_string())?;
    let at = DateTime::from_timestamp_millis(envelope.at)
        .ok_or_else(|| format!("{} ms is not a valid time", envelope.at))?;
    let data = serde_json::to_value(&envelope.event).map_err(|error| error.to_string())?;
    let data = if with_texts { data } else { hide_texts(data) };
    Ok((at, envelope.event, data))
}

#[expect(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
fn millis<S: serde::Serializer>(
    at: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    text.serialize(serializer)
}
