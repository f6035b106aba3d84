//! profile(user), followers and following.

mod fold;
mod sql;
mod tags;

use std::time::Duration;

use feedmill_events::{EventType, Projection, Tag};
use futures::FutureExt as _;
use sqlx::PgConnection;

use self::fold::Changes;
use super::{Context, Definition, Migration, Rebuild};
use crate::{batch::Batch, error::ApplyError};

pub static DEFINITION: Definition = Definition {
    projection: Projection::Profiles,
    migrations: &[Migration {
        name: "0001_profiles",
        sql: include_str!("../../../../migrations/read/profiles/0001_profiles.sql"),
    }],
    event_types: &[
        EventType::AccountCreated,
        EventType::ProfileChanged,
        EventType::AccountFollowed,
        EventType::AccountUnfollowed,
        EventType::PostCreated,
        EventType::PostDeleted,
    ],
    concerns: |_| true,
    pace: Duration::from_millis(10),
    apply: |batch, context, connection| apply(batch, context, connection).boxed(),
    rebuild: Rebuild::PLAIN,
};

async fn apply(
    batch: &Batch,
    _: &Context,
    connection: &mut PgConnection,
) -> Result<Vec<Tag>, ApplyError> {
    let changes = Changes::of(batch);
    sql::insert_accounts(&changes, connection).await?;
    sql::update_accounts(&changes, connection).await?;
    sql::delete_follows(&changes, connection).await?;
    sql::insert_follows(&changes, connection).await?;
    sql::add_counts(&changes, connection).await?;
    sql::delete_empty_counts(&changes, connection).await?;
    Ok(tags::of(&changes))
}
