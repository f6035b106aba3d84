//! A projection whose logic changes.

use feedmill_events::Tag;
use futures::FutureExt as _;
use projector::{
    batch::Batch,
    error::ApplyError,
    projection::{Context, Definition, Rebuild, profiles},
    rebuild::{self, Outcome, output::Output},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{TIMEOUT, lively, stop};
use crate::support::{
    database::Database,
    rebuilding::{generation, rebuild, settings, verify},
    running::Running,
    world::World,
};

/// `profiles` of the program's next version: names are in capitals.
static CHANGED: Definition = Definition {
    projection: feedmill_events::Projection::Profiles,
    migrations: profiles::DEFINITION.migrations,
    event_types: profiles::DEFINITION.event_types,
    is_relevant: profiles::DEFINITION.is_relevant,
    min_interval: profiles::DEFINITION.min_interval,
    apply: |batch, context, connection| in_capitals(batch, context, connection).boxed(),
    rebuild: Rebuild::PLAIN,
};

async fn in_capitals(
    batch: &Batch,
    context: &Context,
    connection: &mut PgConnection,
) -> Result<Vec<Tag>, ApplyError> {
    let tags = (profiles::DEFINITION.apply)(batch, context, connection).await?;
    let sql = "UPDATE accounts SET display_name = upper(display_name) WHERE display_name <> upper(display_name)";
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(tags)
}

/// Panics unless the accounts are the world's, with names in capitals.
async fn assert_in_capitals(world: &World, database: &Database) {
    let rows: Vec<(Uuid, String, String)> =
        sqlx::query_as("SELECT id, handle, display_name FROM profiles.accounts ORDER BY 1")
            .fetch_all(&database.pool)
            .await
            .unwrap();
    let expected: Vec<_> = world
        .oracle
        .accounts
        .iter()
        .map(|(id, account)| {
            let name = account.display_name.to_uppercase();
            (*id, account.handle.clone(), name)
        })
        .collect();
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn changed_logic_goes_live_with_accepted_differences_and_can_be_rolled_back() {
    let (database, nats, mut world, workers) = lively(38, 500).await;
    let (before, context) = (&profiles::DEFINITION, Context::default());
    // While the old version is running.
    let ended = rebuild(&database, &CHANGED, &context, false).await.unwrap();
    assert_eq!(ended, Outcome::Differs);
    assert_eq!(generation(&database, before).await, 1);
    database.assert_equal(&world, before).await;
    stop(workers).await;
    let ended = rebuild(&database, &CHANGED, &context, true).await.unwrap();
    assert_eq!(ended, Outcome::Done);
    assert_eq!(generation(&database, before).await, 2);
    assert_in_capitals(&world, &database).await;

    // The new version continues with the rebuilt tables.
    let worker = Running::start(&CHANGED, context.clone(), &database, &nats.url()).await;
    database.append(&world.happen(300)).await;
    database.caught_up(&CHANGED, TIMEOUT).await;
    assert_in_capitals(&world, &database).await;
    let verified = verify(&database, &CHANGED, &context).await.unwrap();
    assert_eq!(verified, Outcome::Done);
    let verified = verify(&database, before, &context).await.unwrap();
    assert_eq!(verified, Outcome::Differs);
    worker.stop().await;

    // The rollback applies what the new version applied meanwhile to the old tables, with the old logic.
    let settings = settings(&database, &context);
    let ended = rebuild::rollback(before, &settings, &mut Output::new(true)).await;
    assert_eq!(ended.unwrap(), Outcome::Done);
    assert_eq!(generation(&database, before).await, 3);
    database.assert_equal(&world, before).await;
    let worker = Running::start(before, context.clone(), &database, &nats.url()).await;
    database.append(&world.happen(100)).await;
    database.caught_up(before, TIMEOUT).await;
    database.assert_equal(&world, before).await;
    let verified = verify(&database, before, &context).await.unwrap();
    assert_eq!(verified, Outcome::Done);
    worker.stop().await;
}
