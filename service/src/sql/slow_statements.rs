//! The log lines of slow statements, and their generic plans.
//!
//! sqlx measures every statement, from its start to its last row, and emits an event with the text of one that takes longer
//! than a threshold. [`SlowStatements`] takes these events out of the log. [`report`] writes a line for each, with the
//! statement's name, and once a minute for each statement its generic plan: that of any parameters, which are not known here
//! and never logged.

use std::{
    collections::HashMap,
    fmt,
    sync::OnceLock,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
    postgres::PgConnectOptions,
};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::timeout,
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::{
    slow::{self, log_slow},
    telemetry,
};

/// What sqlx emits its events about statements as.
const TARGET: &str = "sqlx::query";

/// Slow statements that wait for their log line. Beyond it, they are not logged.
const CAPACITY: usize = 256;

/// A statement is explained at most once within this time.
const PLAN_INTERVAL: Duration = Duration::from_mins(1);

/// How long connecting and explaining may take.
const PLAN_TIMEOUT: Duration = Duration::from_secs(10);

/// What connects to the database, for a statement with this name.
type Connect = Box<dyn Fn(&str) -> Option<PgConnectOptions> + Send + Sync>;

static CONNECT: OnceLock<Connect> = OnceLock::new();

/// Has the slow statements of this process explained, on connections of their own. `connect` returns the options of the
/// connections that run the statement with this name. Only the first call counts.
pub fn explain_with(connect: impl Fn(&str) -> Option<PgConnectOptions> + Send + Sync + 'static) {
    let _ = CONNECT.set(Box::new(connect));
}

struct SlowStatement {
    text: String,
    took: Duration,
    trace_id: Option<String>,
}

/// The layer, and what [`report`] takes its events from.
pub(crate) fn layer() -> (SlowStatements, SlowStatementReceiver) {
    let (sender, receiver) = channel(CAPACITY);
    (SlowStatements(sender), SlowStatementReceiver(receiver))
}

pub(crate) struct SlowStatements(Sender<SlowStatement>);

pub(crate) struct SlowStatementReceiver(Receiver<SlowStatement>);

/// Whether it describes sqlx's events about slow statements.
pub(crate) fn is_slow_statement(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET && *metadata.level() <= Level::WARN
}

impl<S: Subscriber> Layer<S> for SlowStatements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !is_slow_statement(event.metadata()) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        // A text of up to four words is only in the summary.
        let text = if fields.statement.is_empty() {
            fields.summary
        } else {
            fields.statement
        };
        let _ = self.0.try_send(SlowStatement {
            text,
            took: Duration::try_from_secs_f64(fields.seconds).unwrap_or_default(),
            trace_id: telemetry::current_trace_id(),
        });
    }
}

#[derive(Default)]
struct Fields {
    summary: String,
    statement: String,
    seconds: f64,
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.trim().clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// The name that a statement's text begins with, as a comment. None for `COMMIT`, which sqlx measures too, and for statements that are
/// not the program's usual work, such as migrations.
fn name(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix("/* ")?.split_once(" */")?;
    Some(name)
}

/// Logs slow statements and their plans, until the end of the process.
pub(crate) async fn report(SlowStatementReceiver(mut slow): SlowStatementReceiver) {
    let mut explained: HashMap<String, Instant> = HashMap::new();
    while let Some(SlowStatement {
        text,
        took,
        trace_id,
    }) = slow.recv().await
    {
        let (name, seconds) = (name(&text), took.as_secs_f64());
        let keyword = || text.split_whitespace().next().unwrap_or_default();
        let statement = name.unwrap_or_else(keyword);
        let level = slow::statements().level(took).unwrap_or(Level::WARN);
        log_slow!(
            level,
            statement,
            seconds,
            trace_id,
            "sql: a statement was slow"
        );
        // Only what has a name is known to be a single statement.
        if name.is_none() {
            continue;
        }
        let now = Instant::now();
        if explained
            .get(statement)
            .is_some_and(|at| now.duration_since(*at) < PLAN_INTERVAL)
        {
            continue;
        }
        let Some(options) = CONNECT.get().and_then(|connect| connect(statement)) else {
            continue;
        };
        explained.insert(statement.to_owned(), now);
        match timeout(PLAN_TIMEOUT, generic_plan(options, &text)).await {
            Ok(Ok(plan)) => {
                tracing::warn!(statement, plan, "sql: the generic plan of a slow statement");
            }
            Ok(Err(error)) => {
                tracing::warn!(statement, %error, "sql: cannot explain a slow statement");
            }
            Err(_) => tracing::warn!(
                statement,
                "sql: cannot explain a slow statement, PostgreSQL does not answer"
            ),
        }
    }
}

/// The plan that fits all parameters. `PREPARE` lets PostgreSQL infer their types, as sqlx did when it checked the statement.
/// (`EXPLAIN (GENERIC_PLAN)` would need PostgreSQL 16.)
async fn generic_plan(options: PgConnectOptions, text: &str) -> sqlx::Result<String> {
    let options = options
        .options([("plan_cache_mode", "force_generic_plan")])
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    let plan = explain(&mut connection, text).await;
    connection.close().await.ok();
    plan
}

async fn explain(connection: &mut PgConnection, text: &str) -> sqlx::Result<String> {
    // The text is one of this program's own.
    let prepare = format!("PREPARE slow AS {text}");
    connection.execute(AssertSqlSafe(prepare)).await?;
    let parameters =
        "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'slow'";
    let parameters: i32 = sqlx::query_scalar(parameters)
        .fetch_one(&mut *connection)
        .await?;
    let nulls = vec!["NULL"; parameters as usize].join(", ");
    let execute = if nulls.is_empty() {
        "EXPLAIN EXECUTE slow".to_owned()
    } else {
        format!("EXPLAIN EXECUTE slow({nulls})")
    };
    let lines = connection.fetch_all(AssertSqlSafe(execute)).await?;
    let lines: Result<Vec<String>, _> = lines.iter().map(|line| line.try_get(0)).collect();
    Ok(lines?.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_named_by_its_first_comment() {
        assert_eq!(name("/* feed.page */ SELECT 1"), Some("feed.page"));
        assert_eq!(name("SELECT /* feed.page */ 1"), None);
        assert_eq!(name("COMMIT"), None);
    }
}
