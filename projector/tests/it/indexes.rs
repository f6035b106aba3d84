//! The indexes that `apply` needs.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::Partition;
use projector::{
    batch::Batch,
    checkpoint, connection, log,
    projection::{self, Apply, Context, Definition},
    schema,
};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::support::{database::Database, world::World};

const BATCH_EVENTS: i64 = 200;

#[tokio::test]
async fn a_rebuild_keeps_exactly_the_secondary_indexes_that_apply_uses() {
    for projection in projection::ALL {
        let usage = Usage::of(projection, projection.bulk_apply()).await;
        let name = projection.name();
        let kept: BTreeSet<&str> = projection.rebuild.indexes.iter().copied().collect();
        let used: BTreeSet<&str> = usage.secondary_indexes.iter().map(String::as_str).collect();
        let missing: Vec<_> = used.difference(&kept).collect();
        assert!(
            missing.is_empty(),
            "{name}: `apply` uses {missing:?}, which a rebuild would create only after the bulk load: add them to \
             `Rebuild::indexes`"
        );
        let unused: Vec<_> = kept.difference(&used).collect();
        assert!(
            unused.is_empty(),
            "{name}: `apply` does not use {unused:?}: remove them from `Rebuild::indexes`"
        );
    }
}

#[tokio::test]
async fn apply_scans_no_table() {
    for projection in projection::ALL {
        for apply in [projection.apply, projection.bulk_apply()] {
            let scanned = Usage::of(projection, apply).await.scanned_tables;
            assert!(
                scanned.is_empty(),
                "{}: a statement of `apply` reads all of {scanned:?}, because no index fits it",
                projection.name()
            );
        }
    }
}

/// What the statements of `apply` use, by the server's statistics.
struct Usage {
    secondary_indexes: BTreeSet<String>,
    scanned_tables: BTreeSet<String>,
}

impl Usage {
    /// Applies a log to tables with all indexes, planned as in a rebuild.
    async fn of(projection: &'static Definition, apply: Apply) -> Self {
        let database = Database::bare().await;
        database.append(&World::new(71).happen(800)).await;
        let options = connection::projection_options(&database.url, projection).unwrap();
        let options = options.options([("plan_cache_mode", "auto")]);
        let mut db = options.connect().await.unwrap();
        schema::prepare(&mut db, &[projection]).await.unwrap();
        flush_statistics(&mut db).await;
        // Creating indexes scans tables.
        let scans_before = scans(&database, projection).await;
        apply_all(projection, apply, &mut db).await;
        flush_statistics(&mut db).await;
        let scans_after = scans(&database, projection).await;
        let secondary_indexes = sqlx::query_scalar(
            "SELECT indexrelname::text FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid)
            WHERE schemaname = $1 AND idx_scan > 0 AND NOT indisunique",
        )
        .bind(projection.name())
        .fetch_all(&database.admin)
        .await
        .unwrap();
        Self {
            secondary_indexes: secondary_indexes.into_iter().collect(),
            scanned_tables: scans_after
                .into_iter()
                .filter(|(table, scans)| scans_before.get(table) != Some(scans))
                .map(|(table, _)| table)
                .collect(),
        }
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
        let ranges = log::plan(Partition::all(), &checkpoints, &heads, BATCH_EVENTS);
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

/// The number of sequential scans by table.
async fn scans(database: &Database, projection: &Definition) -> BTreeMap<String, i64> {
    sqlx::query_as("SELECT relname::text, seq_scan FROM pg_stat_user_tables WHERE schemaname = $1")
        .bind(projection.name())
        .fetch_all(&database.admin)
        .await
        .unwrap()
        .into_iter()
        .collect()
}

/// Makes the statistics of this connection visible to others.
async fn flush_statistics(db: &mut PgConnection) {
    sqlx::query("SELECT pg_stat_force_next_flush()")
        .execute(db)
        .await
        .unwrap();
}
