//! Every statement of `apply` finds its rows by an index, also while a rebuild has only few of them.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::Partition;
use projector::{
    batch::Batch,
    checkpoint, connection, log,
    projection::{self, Apply, Context, Definition},
    schema,
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};

use crate::support::{database::Database, world::World};

#[tokio::test]
async fn a_rebuild_keeps_the_indexes_that_apply_needs() {
    for projection in projection::ALL {
        let all = Plans::of(projection, projection.bulk_apply(), Rows::Many, |_| true).await;
        let kept = projection.rebuild.indexes;
        let is_kept = |index: &str| kept.contains(&index);
        let bulk = Plans::of(projection, projection.bulk_apply(), Rows::Many, is_kept).await;
        if let Some((statement, table)) = bulk.full_scans.first() {
            let missing: Vec<_> = all.used_indexes(statement, table).collect();
            panic!(
                "{statement} needs {missing:?} to find rows of {table}, which a rebuild would create only after the bulk \
                 load: add it to the `Rebuild::indexes` of {}",
                projection.name()
            );
        }
        for index in kept {
            let is_used = bulk.index_scans.iter().any(|scan| scan.index == *index);
            assert!(
                is_used,
                "no statement of `apply` uses {index}: remove it from the `Rebuild::indexes` of {}",
                projection.name()
            );
        }
    }
}

#[tokio::test]
async fn no_statement_of_apply_reads_a_whole_table() {
    for projection in projection::ALL {
        let plans = Plans::of(projection, projection.apply, Rows::Many, |_| true).await;
        assert!(!plans.index_scans.is_empty());
        if let Some((statement, table)) = plans.full_scans.first() {
            panic!("{statement} reads all of {table}: add an index");
        }
    }
}

/// A plan that is made while the tables are empty is kept for hours while they grow.
#[tokio::test]
async fn no_statement_of_apply_reads_a_whole_table_with_a_plan_for_empty_tables() {
    for projection in projection::ALL {
        let plans = Plans::of(projection, projection.apply, Rows::None, |_| true).await;
        if let Some((statement, table)) = plans.full_scans.first() {
            panic!(
                "{statement} reads all of {table} if it is planned while that is empty: use LATERAL (… LIMIT 1)"
            );
        }
    }
}

/// What the planner believes of the tables.
enum Rows {
    Many,
    None,
}

/// What the plans of the statements of `apply` read.
#[derive(Default)]
struct Plans {
    index_scans: Vec<IndexScan>,
    /// Statement and table.
    full_scans: BTreeSet<(String, String)>,
}

struct IndexScan {
    statement: String,
    table: String,
    index: String,
}

struct Index {
    table: String,
    first_column: String,
}

impl Plans {
    /// Applies a log, so that the connection prepares all statements, and asks for their generic plans. Of the secondary
    /// indexes, only those exist for which `is_kept` is true.
    async fn of(
        projection: &'static Definition,
        apply: Apply,
        rows: Rows,
        is_kept: impl Fn(&str) -> bool,
    ) -> Self {
        let database = Database::with_log().await;
        database.append(&World::new(71).happen(600)).await;
        let options = connection::projection_options(&database.url, projection).unwrap();
        let mut db = options.connect().await.unwrap();
        schema::prepare(&mut db, &[projection]).await.unwrap();
        for index in secondary_indexes(projection, &mut db).await {
            if !is_kept(&index) {
                let sql = format!("DROP INDEX {}.{index}", projection.name());
                let drop = sqlx::raw_sql(AssertSqlSafe(sql));
                drop.execute(&mut db).await.unwrap();
            }
        }
        apply_all(projection, apply, &mut db).await;
        match rows {
            Rows::Many => enlarge_tables(&database, projection).await,
            Rows::None => truncate_tables(projection, &mut db).await,
        }
        let indexes = indexes(projection, &mut db).await;
        let mut plans = Self::default();
        for (statement, plan) in generic_plans(projection, &mut db).await {
            plans.add(&statement, &plan, &indexes);
        }
        plans
    }

    fn add(&mut self, statement: &str, node: &Value, indexes: &BTreeMap<String, Index>) {
        let text = |key: &str| node[key].as_str().unwrap_or_default().to_owned();
        if node["Node Type"] == "Seq Scan" {
            let scan = (statement.to_owned(), text("Relation Name"));
            self.full_scans.insert(scan);
        }
        if let Some(index) = indexes.get(&text("Index Name")) {
            // A condition on other columns only reads the whole index.
            let condition = text("Index Cond");
            let mut columns = condition.split(|c: char| !c.is_alphanumeric() && c != '_');
            if columns.any(|column| column == index.first_column) {
                self.index_scans.push(IndexScan {
                    statement: statement.to_owned(),
                    table: index.table.clone(),
                    index: text("Index Name"),
                });
            } else {
                let scan = (statement.to_owned(), index.table.clone());
                self.full_scans.insert(scan);
            }
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.add(statement, child, indexes);
        }
    }

    fn used_indexes(&self, statement: &str, table: &str) -> impl Iterator<Item = &str> {
        self.index_scans
            .iter()
            .filter(move |scan| scan.statement == statement && scan.table == table)
            .filter(|scan| !scan.index.ends_with("_pkey"))
            .map(|scan| scan.index.as_str())
    }
}

async fn apply_all(projection: &Definition, apply: Apply, db: &mut PgConnection) {
    let context = Context {
        feed_depth: 3,
        fanout_max_followers: 3,
    };
    loop {
        let heads = log::heads(&mut *db).await.unwrap();
        let (generation, checkpoints) = checkpoint::load(db, projection).await.unwrap();
        let ranges = log::plan(Partition::all(), &checkpoints, &heads, 100);
        if ranges.is_empty() {
            return;
        }
        let entries = log::read(&mut *db, projection.event_types, &ranges).await;
        let batch = Batch::decode(projection.event_types, entries.unwrap()).unwrap();
        let mut tx = db.begin().await.unwrap();
        checkpoint::advance(projection, generation, &batch.ranges, &mut tx)
            .await
            .unwrap();
        apply(&batch, &context, &mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Makes the planner believe that the tables are large. It may read a small one as a whole although there is an index.
async fn enlarge_tables(database: &Database, projection: &Definition) {
    let sql = "UPDATE pg_class SET relpages = 1, reltuples = 1000000
        WHERE relnamespace = $1::regnamespace AND pg_relation_size(oid) > 0";
    let update = sqlx::query(sql).bind(projection.name());
    update.execute(&database.pool).await.unwrap();
}

async fn truncate_tables(projection: &Definition, db: &mut PgConnection) {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = $1",
    )
    .bind(projection.name())
    .fetch_all(&mut *db)
    .await
    .unwrap();
    let truncate = sqlx::raw_sql(AssertSqlSafe(format!("TRUNCATE {}", tables.join(", "))));
    truncate.execute(db).await.unwrap();
}

async fn secondary_indexes(projection: &Definition, db: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT relname::text FROM pg_index JOIN pg_class ON oid = indexrelid
        WHERE relnamespace = $1::regnamespace AND NOT indisunique",
    )
    .bind(projection.name())
    .fetch_all(db)
    .await
    .unwrap()
}

/// All indexes of a schema, by name.
async fn indexes(projection: &Definition, db: &mut PgConnection) -> BTreeMap<String, Index> {
    let rows = sqlx::query(
        "SELECT i.relname::text, t.relname::text, a.attname::text FROM pg_index
        JOIN pg_class i ON i.oid = indexrelid
        JOIN pg_class t ON t.oid = indrelid
        JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = indkey[0]
        WHERE i.relnamespace = $1::regnamespace",
    )
    .bind(projection.name())
    .fetch_all(db)
    .await
    .unwrap();
    let index = |row: &sqlx::postgres::PgRow| Index {
        table: row.get(1),
        first_column: row.get(2),
    };
    rows.iter().map(|row| (row.get(0), index(row))).collect()
}

/// The names and generic plans of the statements that the connection has prepared for the projection.
async fn generic_plans(projection: &Definition, db: &mut PgConnection) -> Vec<(String, Value)> {
    let statements: Vec<(String, String, i32)> = sqlx::query_as(
        "SELECT name, substring(statement FROM '^/\\* ([a-z_.]+) \\*/'), cardinality(parameter_types)
        FROM pg_prepared_statements WHERE statement LIKE '/* ' || $1 || '.%'",
    )
    .bind(projection.name())
    .fetch_all(&mut *db)
    .await
    .unwrap();
    assert!(!statements.is_empty());
    let mut plans = vec![];
    for (prepared, name, parameters) in statements {
        let arguments = match parameters {
            0 => String::new(),
            count => format!(
                "({})",
                vec!["NULL"; usize::try_from(count).unwrap()].join(", ")
            ),
        };
        let sql = format!("EXPLAIN (FORMAT JSON) EXECUTE {prepared}{arguments}");
        let row = sqlx::raw_sql(AssertSqlSafe(sql));
        let row = row.fetch_one(&mut *db).await.unwrap();
        let text: String = row.try_get_unchecked(0).unwrap();
        let mut plan: Value = serde_json::from_str(&text).unwrap();
        plans.push((name, plan[0]["Plan"].take()));
    }
    plans
}
