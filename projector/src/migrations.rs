//! The files of `migrations/read/`, embedded by `build.rs`: a constant per schema, named after its folder, with the
//! files in the order of their names.

#[derive(Debug)]
pub struct Migration {
    /// The file's name without its extension: what the control schema records as applied.
    pub name: &'static str,
    pub sql: &'static str,
}

impl Migration {
    /// Whether it creates indexes of tables that are in use: a live schema gets it outside of a transaction, one statement after the
    /// other. sqlx has the same mark, which write-api's migrations use.
    pub fn is_concurrent(&self) -> bool {
        self.sql.starts_with("-- no-transaction")
    }

    /// The statements of a concurrent migration, which contain no other semicolons.
    pub fn statements(&self) -> impl Iterator<Item = &'static str> {
        let sql: &'static str = self.sql;
        sql.split_inclusive(';')
            .filter(|statement| statement.ends_with(';'))
    }
}

include!(concat!(env!("OUT_DIR"), "/migrations.rs"));
