//! Accounts, their counts and settings, followers, followees and connections.

mod fold;
mod sql;
mod tags;
mod totals;

use std::time::Duration;

use feedmill_events::{EventType, Projection, Tag};
use futures::FutureExt as _;
use sqlx::PgConnection;

use self::fold::Changes;
use crate::{
    batch::Batch,
    error::ApplyError,
    migrations,
    projection::definition::{Context, Definition, Rebuild},
};

pub static DEFINITION: Definition = Definition {
    projection: Projection::Profiles,
    migrations: migrations::PROFILES,
    event_types: &[
        EventType::AccountCreated,
        EventType::ProfileChanged,
        EventType::AccountFollowed,
        EventType::AccountUnfollowed,
        EventType::ConnectionRequested,
        EventType::ConnectionRequestEnded,
        EventType::ConnectionMade,
        EventType::ConnectionEnded,
        EventType::SettingsChanged,
    ],
    is_relevant: |_| true,
    min_interval: Duration::from_millis(10),
    apply: |batch, context, db| apply(batch, context, db).boxed(),
    rebuild: Rebuild::PLAIN,
};

async fn apply(batch: &Batch, _: &Context, db: &mut PgConnection) -> Result<Vec<Tag>, ApplyError> {
    let changes = Changes::of(batch);
    sql::insert_accounts(&changes, db).await?;
    sql::update_accounts(&changes, db).await?;
    sql::follows::delete(&changes.follows, db).await?;
    sql::follows::insert(&changes.follows, db).await?;
    sql::connections::delete(&changes.connections, db).await?;
    sql::connections::insert(&changes.connections, db).await?;
    sql::requests::delete(&changes.requests, db).await?;
    sql::requests::insert(&changes.requests, db).await?;
    sql::save_settings(&changes, db).await?;
    sql::add_counts(&changes, db).await?;
    sql::delete_empty_counts(&changes, db).await?;
    totals::add(&changes, db).await?;
    Ok(tags::of(&changes))
}
