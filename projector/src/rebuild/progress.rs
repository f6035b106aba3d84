//! What a rebuild, a verification or a rollback reports.

use serde::Serialize;
use serde_json::{Value, json};

use crate::projection::Definition;

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Progress {
    /// A phase of unknown length begins.
    Step {
        phase: &'static str,
    },
    /// How far a phase is that applies events.
    Phase {
        phase: &'static str,
        events: i64,
        total: i64,
        events_per_second: f64,
        /// None while the rate is unknown.
        seconds_left: Option<f64>,
    },
    Difference {
        difference: Difference,
    },
    /// A generation has become live.
    Live {
        live: i32,
        how: &'static str,
        events: i64,
        seconds: f64,
    },
    Says {
        says: String,
    },
}

impl Progress {
    /// One JSON object, with the projection.
    pub fn to_json(&self, projection: &Definition) -> String {
        let mut line = json!(self);
        if let Value::Object(fields) = &mut line {
            fields.insert("projection".to_owned(), projection.name().into());
        }
        line.to_string()
    }
}

/// A difference between the live model and a shadow, in a table or one of its partitions.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    pub table: String,
    /// None if it is about the whole table.
    pub partition: Option<i16>,
    pub text: String,
    /// The first differing rows.
    pub rows: Vec<DifferingRow>,
}

/// A row that exists on one side only, or differs.
#[derive(Debug, Clone, Serialize)]
pub struct DifferingRow {
    pub live: Option<Value>,
    /// The row that follows from the log.
    pub log: Option<Value>,
}

impl Difference {
    pub fn place(&self) -> String {
        match self.partition {
            Some(partition) => format!("{}, partition {partition}", self.table),
            None => self.table.clone(),
        }
    }
}
