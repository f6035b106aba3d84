//! What an event did to the read models.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use feedmill_events::{EventType, Partition};
use feedmill_service::sql::named;
use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, query};
use uuid::Uuid;

use crate::{
    audit,
    history::{ShownEvent, hide_texts},
    projection::{self, Definition},
    rebuild::tables,
};

/// The number of rows that are shown per table.
const MAX_ROWS: i64 = 5;

/// What an event did to one read model.
#[derive(Debug, Serialize)]
pub struct Effect {
    pub projection: &'static str,
    #[serde(flatten)]
    pub state: State,
    /// The rows whose keys consist of ids in the event, as they are now.
    pub rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
pub struct Row {
    pub table: String,
    pub row: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// The projection ignores events of this type, or this one changes nothing in it.
    Irrelevant,
    Applied,
    /// The checkpoint has not reached it.
    Waiting {
        checkpoint: i64,
    },
    Blocked {
        attempts: i32,
        since: DateTime<Utc>,
        error: String,
    },
    Skipped {
        by: String,
        at: DateTime<Utc>,
        reason: String,
    },
}

impl State {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Irrelevant => "irrelevant",
            Self::Applied => "applied",
            Self::Waiting { .. } => "waiting",
            Self::Blocked { .. } => "blocked",
            Self::Skipped { .. } => "skipped",
        }
    }

    pub fn sentence(&self) -> String {
        match self {
            Self::Irrelevant => "irrelevant: it changes nothing in this read model".to_owned(),
            Self::Applied => "applied".to_owned(),
            Self::Waiting { checkpoint } => {
                format!("not applied yet: the checkpoint is {checkpoint}")
            }
            Self::Blocked {
                attempts, error, ..
            } => format!("blocked after {attempts} attempts: {error}"),
            Self::Skipped { by, reason, .. } => format!("skipped by {by}: {reason}"),
        }
    }
}

/// How far a projection is in the partition of an event.
struct Progress {
    name: String,
    checkpoint: i64,
    blocked: Option<State>,
}

/// The effect on each projection. Rows are without texts unless `with_texts`.
pub async fn effects(
    event: &ShownEvent,
    with_texts: bool,
    db: &mut PgConnection,
) -> sqlx::Result<Vec<Effect>> {
    let progress = progress(event.partition, event.seq, db).await?;
    let filter = audit::Filter {
        action: Some("skip".to_owned()),
        event: Some((event.partition, event.seq)),
        ..audit::Filter::default()
    };
    let skips = audit::list(&filter, None, projection::ALL.len() as i64, db).await?;
    let mut ids = BTreeSet::new();
    event
        .data
        .iter()
        .for_each(|data| collect_ids(data, &mut ids));
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let mut effects = vec![];
    for projection in projection::ALL {
        let name = projection.name();
        let skip = skips.iter().find(|skip| skip.projection == name);
        let state = match (progress.iter().find(|it| it.name == name), skip) {
            (_, Some(skip)) => State::Skipped {
                by: skip.by.clone(),
                at: skip.at,
                reason: skip.reason.clone(),
            },
            (
                Some(Progress {
                    blocked: Some(blocked),
                    ..
                }),
                None,
            ) => blocked.clone(),
            _ if !is_relevant(projection, event) => State::Irrelevant,
            (Some(it), None) if it.checkpoint >= event.seq => State::Applied,
            (it, None) => State::Waiting {
                checkpoint: it.map_or(0, |it| it.checkpoint),
            },
        };
        let rows = if state == State::Irrelevant {
            vec![]
        } else {
            rows(projection, &ids, with_texts, db).await?
        };
        effects.push(Effect {
            projection: name,
            state,
            rows,
        });
    }
    Ok(effects)
}

/// An event that cannot be decoded blocks each projection that takes its type.
fn is_relevant(projection: &Definition, event: &ShownEvent) -> bool {
    let takes = |kind: &EventType| kind.name() == event.kind;
    let is_taken = projection.event_types.iter().any(takes);
    is_taken
        && event
            .event
            .as_ref()
            .is_none_or(|event| (projection.is_relevant)(event))
}

async fn progress(
    partition: Partition,
    seq: i64,
    db: &mut PgConnection,
) -> sqlx::Result<Vec<Progress>> {
    let statement = query!(
        r#"/* effects.progress */
        SELECT p.name, c.seq AS checkpoint, b.attempts AS "attempts?", b.since AS "since?", b.error AS "error?"
        FROM projections p
        JOIN checkpoints c ON c.projection = p.name AND c.generation = p.generation AND c.partition = $1
        LEFT JOIN blocked b ON b.projection = p.name AND b.generation = p.generation AND b.partition = $1
            AND b.seq = $2 AND c.seq = $2 - 1"#,
        i16::from(partition),
        seq,
    );
    let rows = named("effects.progress", statement.fetch_all(db)).await?;
    let progress = rows.into_iter().map(|row| {
        let blocked = row.attempts.zip(row.since).zip(row.error);
        Progress {
            name: row.name,
            checkpoint: row.checkpoint,
            blocked: blocked.map(|((attempts, since), error)| State::Blocked {
                attempts,
                since,
                error,
            }),
        }
    });
    Ok(progress.collect())
}

fn collect_ids(value: &Value, ids: &mut BTreeSet<Uuid>) {
    match value {
        Value::String(text) => ids.extend(Uuid::try_parse(text)),
        Value::Array(items) => items.iter().for_each(|item| collect_ids(item, ids)),
        Value::Object(fields) => fields.values().for_each(|field| collect_ids(field, ids)),
        _ => {}
    }
}

/// The rows in which every id of the key is one of these.
async fn rows(
    projection: &Definition,
    ids: &[Uuid],
    with_texts: bool,
    db: &mut PgConnection,
) -> sqlx::Result<Vec<Row>> {
    let mut rows = vec![];
    for table in tables::tables(projection.name(), db).await? {
        if table.key_ids.is_empty() || ids.is_empty() {
            continue;
        }
        let condition: Vec<String> = table
            .key_ids
            .iter()
            .map(|column| format!("{column} = ANY($1)"))
            .collect();
        // Names from the catalog, which PostgreSQL has quoted.
        let sql = format!(
            "/* effects.rows */ SELECT to_jsonb(t) FROM {}.{} t WHERE {} LIMIT {MAX_ROWS}",
            projection.name(),
            table.name,
            condition.join(" AND "),
        );
        let statement = sqlx::query_scalar::<_, Value>(AssertSqlSafe(sql)).bind(ids);
        for row in named("effects.rows", statement.fetch_all(&mut *db)).await? {
            let row = if with_texts { row } else { hide_texts(row) };
            let table = table.name.clone();
            rows.push(Row { table, row });
        }
    }
    Ok(rows)
}
