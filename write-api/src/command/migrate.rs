use std::str::FromStr;

use anyhow::Context;
use sqlx::{
    ConnectOptions,
    migrate::{Migrate, Migrator},
    postgres::PgConnectOptions,
};

use crate::config::Config;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/write");

/// `write-api migrate`: brings the write side's schema up to date, and says what it did. Several at once wait
/// for each other.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    let url = config
        .database_url
        .as_deref()
        .context("DATABASE_URL is not set: where is PostgreSQL?")?;
    // The server would otherwise tell, as a notice, of all that is there already.
    let options = PgConnectOptions::from_str(url)?.options([("client_min_messages", "warning")]);
    let mut connection = options
        .connect()
        .await
        .context("cannot connect to PostgreSQL")?;
    let table = &*MIGRATIONS.table_name;
    connection.ensure_migrations_table(table).await?;
    let before = connection.list_applied_migrations(table).await?;
    MIGRATIONS
        .run(&mut connection)
        .await
        .context("a migration failed; what it began was undone")?;
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
