//! The descriptions of what Feedmill's interfaces look like, made from the code: `docs/openapi.json` of both HTTP APIs, from
//! their routers; `docs/asyncapi.json` of what is sent without a request; `docs/events.schema.json` of the events in the log; and
//! `docs/metrics.md` of the metrics.
//! The services embed the first, and a test fails when a file is not up to date.

mod asyncapi;
mod document;
mod events;
mod metrics;
mod variants;

use std::path::PathBuf;

/// A file in `docs/`, and what makes its text.
pub struct Description {
    pub name: &'static str,
    pub text: fn() -> anyhow::Result<String>,
}

pub const OPENAPI: Description = Description {
    name: "openapi.json",
    text: document::text,
};

pub const ASYNCAPI: Description = Description {
    name: "asyncapi.json",
    text: asyncapi::text,
};

pub const EVENTS: Description = Description {
    name: "events.schema.json",
    text: events::text,
};

pub const METRICS: Description = Description {
    name: "metrics.md",
    text: metrics::text,
};

pub const ALL: [Description; 4] = [OPENAPI, ASYNCAPI, EVENTS, METRICS];

impl Description {
    /// The file in the source tree that this was built from.
    pub fn file(&self) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "..", "docs", self.name]
            .iter()
            .collect()
    }
}
