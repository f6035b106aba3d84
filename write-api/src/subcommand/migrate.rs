use std::str::FromStr;

use anyhow::Context;
use sqlx::{
    ConnectOptions, PgConnection,
    migrate::{Migrate, Migrator},
    postgres::PgConnectOptions,
};

use crate::config::Config;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/write");

/// `write-api migrate`: applies the pending migrations of the write side, and prints them. Concurrent runs wait for each
/// other.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    let mut connection = connect_as_owner(config).await?;
    let table = &*MIGRATIONS.table_name;
    connection.ensure_migrations_table(table).await?;
    let before = connection.list_applied_migrations(table).await?;
    MIGRATIONS
        .run(&mut connection)
        .await
        .context("a migration failed and was rolled back")?;
    let mut any = false;
    for migration in MIGRATIONS.iter() {
        if !before
            .iter()
            .any(|applied| applied.version == migration.version)
        {
            println!("applied {:04} {}", migration.version, migration.description);
            any = true;
        }
    }
    if !any {
        println!("the schema is up to date");
    }
    Ok(())
}

/// A connection as the owner of the database.
pub async fn connect_as_owner(config: &Config) -> anyhow::Result<PgConnection> {
    let url = config.database_url.as_deref().context(
        "DATABASE_URL is not set; it is the URL of PostgreSQL as the owner of the database",
    )?;
    // Otherwise the server sends a notice for each object that exists already.
    let options = PgConnectOptions::from_str(url)?.options([("client_min_messages", "warning")]);
    let connection = options.connect().await;
    connection.context("cannot connect to PostgreSQL")
}
