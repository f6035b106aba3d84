//! profile(user), followers and following.

mod fold;
mod sql;
mod tags;

use std::time::Duration;

use feedmill_events::Tag;
use futures::FutureExt as _;
use sqlx::PgConnection;

use self::fold::Changes;
use super::{Context, Migration, Projection, Rebuild};
use crate::{batch::Batch, error::ApplyError};

pub static PROJECTION: Projection = Projection {
    name: "profiles",
    migrations: &[Migration {
        name: "0001_profiles",
        sql: include_str!("../../../../migrations/read/profiles/0001_profiles.sql"),
    }],
    wants: &[
        "account.created",
        "account.profile_changed",
        "account.followed",
        "account.unfollowed",
        "post.created",
        "post.deleted",
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
