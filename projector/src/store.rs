//! Connections for projections.

use std::{str::FromStr as _, time::Duration};

use feedmill_service::sql;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{projection::Projection, schema::BOOKS};

/// For the books alone: heartbeats, and what operators do. Errors: a URL that is none.
pub fn books(url: &str) -> sqlx::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name("projector")
        .options([
            ("search_path", BOOKS),
            ("statement_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("timezone", "UTC"),
        ]))
}

/// A pool for one projection: one connection that applies, one that reads the log. Needs no server to be
/// made. Errors: a URL that is none.
///
/// Not `service::sql::pool`, since applying wants other settings:
/// - Every statement finds few rows by their keys. A plan that was made while a table was empty would scan
///   it, and be kept for hours while the table grows; so scans and the joins that live on them are out, and
///   with their made-up costs, compilation of plans. And as there is only one way left, it is planned once:
///   planning `projector.advance` anew took twice the time of carrying it out.
/// - Commits wait for the disk, which is PostgreSQL's default, although the log could bring back what a crash
///   of the server undoes: what had been visible for a moment would be gone for another, and read-api, which
///   remembers how far a projection was, would answer from the older state as if it were the newer one.
/// - A transaction never waits for anything but the server. If it does, its process was stopped, and the
///   locks on its partitions keep those who took them over from going on, so the server ends it.
/// - A post of somebody whom very many follow takes a while.
pub fn pool(url: &str, projection: &Projection) -> sqlx::Result<PgPool> {
    let options = PgConnectOptions::from_str(url)?
        .application_name(&format!("projector {}", projection.name))
        .options([
            (
                "search_path",
                format!("{},{BOOKS}", projection.name).as_str(),
            ),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("plan_cache_mode", "force_generic_plan"),
            ("jit", "off"),
            ("statement_timeout", "60s"),
            ("idle_in_transaction_session_timeout", "2s"),
            ("timezone", "UTC"),
        ]);
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(3))
        .idle_timeout(None)
        .max_lifetime(Duration::from_mins(30));
    Ok(sql::outliving_silence(pool).connect_lazy_with(options))
}
