//! Links: sets of pairs that come, go, and go with what they point at (likes, follows, bookmarks).
//!
//! A fold collects them in a [`Net`] by target and source; [`links!`] generates the statements of their table.

use uuid::Uuid;

use crate::projection::net::Net;

/// The net changes to a table of links. The key is the link's two columns in the order of the primary key, the target
/// first; the value is its timestamp, or `()` for a table without one.
pub type Links<V = ()> = Net<(Uuid, Uuid), V>;

/// Generates a module with the set-based statements of a table of links. Each does nothing, at no cost, when it has
/// nothing to do. `insert` and `delete` fail unless they change exactly the rows that the log implies.
///
/// ```ignore
/// links! {
///     pub mod bookmarks: "bookmarks" ("post_id", "user_id", "bookmarked_at") {
///         insert: "feed.insert_bookmarks",
///         delete: "feed.delete_bookmarks",
///         delete_of: "feed.delete_bookmarks_of_posts",
///     }
/// }
/// ```
///
/// The columns are the target, the source and, if the table has one, the timestamp. The strings after the colons are
/// the statements' names. All three are optional:
/// - `insert(&Links<_>, db)` inserts the links that the batch adds,
/// - `delete(&Links<_>, db)` deletes those that it removes; with a timestamp, also those that it adds anew with
///   another timestamp, so `delete` goes before `insert`,
/// - `delete_of(&[Uuid], db)` deletes all links to these targets.
macro_rules! links {
    (
        $(#[$doc:meta])*
        $visibility:vis mod $module:ident: $table:tt $columns:tt { $($statement:ident: $name:tt),+ $(,)? }
    ) => {
        $(#[$doc])*
        $visibility mod $module {
            $($crate::projection::links::links!(@$statement $name $table $columns);)+
        }
    };
    (@insert $name:tt $table:tt ($target:tt, $source:tt)) => {
        pub async fn insert(
            links: &$crate::projection::links::Links,
            db: &mut sqlx::PgConnection,
        ) -> Result<(), $crate::error::ApplyError> {
            let (targets, sources): (Vec<uuid::Uuid>, Vec<uuid::Uuid>) = links.started().unzip();
            if targets.is_empty() {
                return Ok(());
            }
            let statement = sqlx::query!(
                "/* " + $name + " */ INSERT INTO " + $table + " (" + $target + ", " + $source + ")
                SELECT * FROM unnest($1::uuid[], $2::uuid[])",
                &targets,
                &sources,
            );
            let done = feedmill_service::sql::named($name, statement.execute(db)).await?;
            $crate::error::expect_rows($name, targets.len(), done.rows_affected())
        }
    };
    (@insert $name:tt $table:tt ($target:tt, $source:tt, $at:tt)) => {
        pub async fn insert(
            links: &$crate::projection::links::Links<chrono::DateTime<chrono::Utc>>,
            db: &mut sqlx::PgConnection,
        ) -> Result<(), $crate::error::ApplyError> {
            let (mut targets, mut sources, mut times) = (vec![], vec![], vec![]);
            for ((target, source), at) in links.current() {
                targets.push(target);
                sources.push(source);
                times.push(*at);
            }
            if targets.is_empty() {
                return Ok(());
            }
            let statement = sqlx::query!(
                "/* " + $name + " */ INSERT INTO " + $table + " (" + $target + ", " + $source + ", " + $at + ")
                SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])",
                &targets,
                &sources,
                &times,
            );
            let done = feedmill_service::sql::named($name, statement.execute(db)).await?;
            $crate::error::expect_rows($name, targets.len(), done.rows_affected())
        }
    };
    (@delete $name:tt $table:tt ($target:tt, $source:tt)) => {
        $crate::projection::links::links!(@delete $name $table $target $source, (), stopped);
    };
    (@delete $name:tt $table:tt ($target:tt, $source:tt, $at:tt)) => {
        $crate::projection::links::links!(
            @delete $name $table $target $source, chrono::DateTime<chrono::Utc>, ended
        );
    };
    (@delete $name:tt $table:tt $target:tt $source:tt, $value:ty, $removed:ident) => {
        pub async fn delete(
            links: &$crate::projection::links::Links<$value>,
            db: &mut sqlx::PgConnection,
        ) -> Result<(), $crate::error::ApplyError> {
            let (targets, sources): (Vec<uuid::Uuid>, Vec<uuid::Uuid>) = links.$removed().unzip();
            if targets.is_empty() {
                return Ok(());
            }
            let statement = sqlx::query!(
                "/* " + $name + " */ DELETE FROM " + $table + " l
                USING unnest($1::uuid[], $2::uuid[]) AS o(target, source)
                WHERE l." + $target + " = o.target AND l." + $source + " = o.source",
                &targets,
                &sources,
            );
            let done = feedmill_service::sql::named($name, statement.execute(db)).await?;
            $crate::error::expect_rows($name, targets.len(), done.rows_affected())
        }
    };
    (@delete_of $name:tt $table:tt ($target:tt, $($rest:tt),+)) => {
        pub async fn delete_of(
            targets: &[uuid::Uuid],
            db: &mut sqlx::PgConnection,
        ) -> Result<(), $crate::error::ApplyError> {
            if targets.is_empty() {
                return Ok(());
            }
            let statement = sqlx::query!(
                "/* " + $name + " */ DELETE FROM " + $table + " WHERE " + $target + " = ANY($1)",
                targets,
            );
            feedmill_service::sql::named($name, statement.execute(db)).await?;
            Ok(())
        }
    };
}

pub(crate) use links;
