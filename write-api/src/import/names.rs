//! The table of imported records, with the ids of the resources that they created.

use std::collections::HashMap;

use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::record_type::{Name, Names};

/// Records that were imported, with the id of the resource that each created, if any.
#[derive(Debug, Default)]
pub struct ImportedNames(HashMap<Name, Option<Uuid>>);

impl ImportedNames {
    pub fn contains(&self, name: &Name) -> bool {
        self.0.contains_key(name)
    }

    pub fn insert(&mut self, name: Name, id: Option<Uuid>) {
        self.0.insert(name, id);
    }

    pub fn get(&self, name: &Name) -> Option<Uuid> {
        self.0.get(name).copied().flatten()
    }
}

impl Names for ImportedNames {
    fn find(&mut self, resource: &'static str, name: &str) -> Result<Uuid, String> {
        let name = (resource, name.to_owned());
        self.get(&name).ok_or_else(|| not_found(&name))
    }
}

/// The error of a name that no earlier record created.
pub fn not_found((resource, name): &Name) -> String {
    format!("refers to the {resource} {name:?}, which no earlier record creates")
}

/// Loads the names that an earlier run imported.
pub async fn load(
    connection: &mut PgConnection,
    names: impl IntoIterator<Item = &Name>,
) -> sqlx::Result<ImportedNames> {
    let names: HashMap<(String, String), &Name> = names
        .into_iter()
        .map(|name| ((name.0.to_owned(), name.1.clone()), name))
        .collect();
    if names.is_empty() {
        return Ok(ImportedNames::default());
    }
    let (kinds, records): (Vec<String>, Vec<String>) = names.keys().cloned().unzip();
    let query = sqlx::query!(
        "/* import.names.load */ SELECT i.kind, i.record, i.id
         FROM unnest($1::text[], $2::text[]) AS n(kind, record)
         JOIN write.imported i ON i.kind = n.kind AND i.record = n.record",
        &kinds,
        &records
    );
    let rows = named("import.names.load", query.fetch_all(connection)).await?;
    let found = rows
        .into_iter()
        .filter_map(|row| Some(((*names.get(&(row.kind, row.record))?).clone(), row.id)));
    Ok(ImportedNames(found.collect()))
}

/// Stores what a batch has imported.
pub async fn save<'r>(
    connection: &mut PgConnection,
    imported: impl Iterator<Item = (&'r Name, Option<Uuid>)>,
) -> sqlx::Result<()> {
    let (mut kinds, mut records, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for ((kind, record), id) in imported {
        kinds.push((*kind).to_owned());
        records.push(record.clone());
        ids.push(id);
    }
    if kinds.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* import.names.save */ INSERT INTO write.imported (kind, record, id)
         SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[])",
        &kinds,
        &records,
        &ids as &[Option<Uuid>]
    );
    named("import.names.save", query.execute(connection)).await?;
    Ok(())
}
