//! What PostgreSQL knows of the indexes and tables.

use chrono::{DateTime, Utc};
use feedmill_service::sql::named;
use serde::Serialize;
use sqlx::{PgConnection, query};

use crate::{projection, schema::CONTROL_SCHEMA};

/// The schema of the log and of write-api's state.
const WRITE_SCHEMA: &str = "write";

/// Everything is counted since `counted_since`, or since the table was made: a rebuild makes new ones.
#[derive(Debug, Serialize)]
pub struct Inspection {
    pub counted_since: Option<DateTime<Utc>>,
    pub indexes: Vec<Index>,
    pub tables: Vec<Table>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Index {
    pub schema: String,
    pub table: String,
    pub name: String,
    pub definition: String,
    pub bytes: i64,
    /// How many scans used it.
    pub scans: i64,
    /// How many entries they returned.
    pub entries_read: i64,
    pub is_unique: bool,
    /// Otherwise a concurrent creation has failed or is in progress.
    pub is_valid: bool,
    /// The share of its bytes, from 0 to 1, that a new index of the same entries would not have. An estimate from the statistics of the
    /// columns; None if they are missing or may not be read. Up to 0.35 is usual for keys in random order.
    pub bloat: Option<f64>,
    /// The keys with their order, operator class and collation.
    #[serde(skip)]
    pub keys: Vec<String>,
    /// The columns that are stored with the keys.
    #[serde(skip)]
    pub included: Vec<String>,
    /// The condition of a partial index.
    #[serde(skip)]
    pub predicate: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Table {
    pub schema: String,
    pub name: String,
    pub bytes: i64,
    /// Estimated.
    pub rows: i64,
    pub sequential_scans: i64,
    /// How many rows they read.
    pub rows_scanned: i64,
    pub index_scans: i64,
    pub analyzed_at: Option<DateTime<Utc>>,
}

/// The schemas that are inspected.
fn schemas() -> Vec<String> {
    let projections = projection::ALL.iter().map(|it| it.name());
    let all = [WRITE_SCHEMA, CONTROL_SCHEMA]
        .into_iter()
        .chain(projections);
    all.map(str::to_owned).collect()
}

pub async fn inspect(db: &mut PgConnection) -> sqlx::Result<Inspection> {
    let statement = query!(
        "/* indexes.counted_since */ SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()"
    );
    let since = named("indexes.counted_since", statement.fetch_one(&mut *db)).await?;
    Ok(Inspection {
        counted_since: since.stats_reset,
        indexes: indexes(db).await?,
        tables: tables(db).await?,
    })
}

/// An index entry has a header of 8 bytes, its columns, padding to 8 bytes, and 4 bytes for its place; a page of 8 KB has room for 7,337
/// bytes of them, since it is filled to nine tenths.
async fn indexes(db: &mut PgConnection) -> sqlx::Result<Vec<Index>> {
    let statement = query!(
        r#"/* indexes.list */
        SELECT n.nspname AS "schema!", t.relname AS "table!", i.relname AS "name!",
            pg_get_indexdef(i.oid) AS "definition!", pg_relation_size(i.oid) AS "bytes!",
            coalesce(s.idx_scan, 0) AS "scans!", coalesce(s.idx_tup_read, 0) AS "entries_read!",
            x.indisunique AS "is_unique!", x.indisvalid AS "is_valid!",
            pg_get_expr(x.indpred, x.indrelid) AS predicate,
            array(
                SELECT concat_ws(' ', pg_get_indexdef(i.oid, k, true), x.indoption[k - 1], x.indclass[k - 1], x.indcollation[k - 1])
                FROM generate_series(1, x.indnkeyatts) AS k ORDER BY k
            ) AS "keys!",
            array(
                SELECT pg_get_indexdef(i.oid, k, true) FROM generate_series(x.indnkeyatts + 1, x.indnatts) AS k ORDER BY k
            ) AS "included!",
            CASE WHEN i.reltuples >= 0 AND columns.are_known THEN greatest(
                0,
                1 - (1 + ceil(i.reltuples * (12 + 8 * ceil(columns.bytes / 8)) / 7337))
                    * 8192 / greatest(pg_relation_size(i.oid), 8192)
            ) END AS bloat
        FROM pg_index x
        JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_am m ON m.oid = i.relam AND m.amname = 'btree'
        JOIN pg_class t ON t.oid = x.indrelid
        JOIN pg_namespace n ON n.oid = t.relnamespace
        LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.oid
        CROSS JOIN LATERAL (
            SELECT bool_and(p.avg_width IS NOT NULL) AS are_known, sum(p.avg_width * (1 - p.null_frac)) AS bytes
            FROM unnest(x.indkey::smallint[]) AS k(attnum)
            LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum AND k.attnum > 0
            LEFT JOIN pg_stats p ON p.schemaname = n.nspname AND p.tablename = t.relname AND p.attname = a.attname
        ) columns
        WHERE n.nspname = ANY($1)
        ORDER BY n.nspname, t.relname, i.relname"#,
        &schemas(),
    );
    let rows = named("indexes.list", statement.fetch_all(db)).await?;
    let index = rows.into_iter().map(|row| Index {
        schema: row.schema,
        table: row.table,
        name: row.name,
        definition: row.definition,
        bytes: row.bytes,
        scans: row.scans,
        entries_read: row.entries_read,
        is_unique: row.is_unique,
        is_valid: row.is_valid,
        bloat: row.bloat.map(|share| (share * 100.0).round() / 100.0),
        keys: row.keys,
        included: row.included,
        predicate: row.predicate,
    });
    Ok(index.collect())
}

async fn tables(db: &mut PgConnection) -> sqlx::Result<Vec<Table>> {
    let statement = query!(
        r#"/* indexes.tables */
        SELECT schemaname AS "schema!", relname AS "name!", pg_relation_size(relid) AS "bytes!",
            n_live_tup AS "rows!", seq_scan AS "sequential_scans!", seq_tup_read AS "rows_scanned!",
            coalesce(idx_scan, 0) AS "index_scans!",
            greatest(last_analyze, last_autoanalyze) AS analyzed_at
        FROM pg_stat_all_tables
        WHERE schemaname = ANY($1)
        ORDER BY 1, 2"#,
        &schemas(),
    );
    let rows = named("indexes.tables", statement.fetch_all(db)).await?;
    let table = rows.into_iter().map(|row| Table {
        schema: row.schema,
        name: row.name,
        bytes: row.bytes,
        rows: row.rows,
        sequential_scans: row.sequential_scans,
        rows_scanned: row.rows_scanned,
        index_scans: row.index_scans,
        analyzed_at: row.analyzed_at,
    });
    Ok(table.collect())
}
