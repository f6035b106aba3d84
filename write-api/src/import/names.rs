//! The table of imported records, with the ids of the resources that they created.

use std::collections::HashMap;

use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::record_type::{Name, Names};

/// Records that were imported, with the id of the resource that each created, if any.
#[derive(Debug, Default)]
pub struct ImportedNames {
    ids: HashMap<Name, Option<Uuid>>,
    /// The owner of each tag, by the tag's id. A deleted tag has none.
    tag_owners: HashMap<Uuid, Uuid>,
    /// The author of each post, by the post's id. A deleted post has none.
    post_authors: HashMap<Uuid, Uuid>,
}

impl ImportedNames {
    pub fn contains(&self, name: &Name) -> bool {
        self.ids.contains_key(name)
    }

    pub fn insert(&mut self, name: Name, id: Option<Uuid>) {
        self.ids.insert(name, id);
    }

    pub fn get(&self, name: &Name) -> Option<Uuid> {
        self.ids.get(name).copied().flatten()
    }

    pub fn insert_tag_owner(&mut self, tag: Uuid, owner: Uuid) {
        self.tag_owners.insert(tag, owner);
    }

    pub fn insert_post_author(&mut self, post: Uuid, author: Uuid) {
        self.post_authors.insert(post, author);
    }
}

impl Names for ImportedNames {
    fn find(&mut self, resource: &'static str, name: &str) -> Result<Uuid, String> {
        let name = (resource, name.to_owned());
        self.get(&name).ok_or_else(|| not_found(&name))
    }

    fn find_tag(&mut self, name: &str) -> Result<(Uuid, Uuid), String> {
        let tag = self.find("tag", name)?;
        let owner = self.tag_owners.get(&tag).copied();
        let owner =
            owner.ok_or_else(|| format!("refers to the tag {name:?}, which was deleted"))?;
        Ok((tag, owner))
    }

    fn find_post(&mut self, name: &str) -> Result<(Uuid, Uuid), String> {
        let post = self.find("post", name)?;
        let author = self.post_authors.get(&post).copied();
        let author =
            author.ok_or_else(|| format!("refers to the post {name:?}, which was deleted"))?;
        Ok((post, author))
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
    let rows = named("import.names.load", query.fetch_all(&mut *connection)).await?;
    let found = rows
        .into_iter()
        .filter_map(|row| Some(((*names.get(&(row.kind, row.record))?).clone(), row.id)));
    let ids: HashMap<Name, Option<Uuid>> = found.collect();
    let tags = ids.iter().filter(|(name, _)| name.0 == "tag");
    let tags: Vec<Uuid> = tags.filter_map(|(_, id)| *id).collect();
    let tag_owners = tag_owners(connection, tags).await?;
    Ok(ImportedNames {
        ids,
        tag_owners,
        post_authors: HashMap::new(),
    })
}

async fn tag_owners(
    connection: &mut PgConnection,
    tags: Vec<Uuid>,
) -> sqlx::Result<HashMap<Uuid, Uuid>> {
    if tags.is_empty() {
        return Ok(HashMap::new());
    }
    let query = sqlx::query!(
        "/* import.tag_owners.load */ SELECT id, owner_id FROM write.tags WHERE id = ANY($1)",
        &tags
    );
    let rows = named("import.tag_owners.load", query.fetch_all(connection)).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.owner_id)).collect())
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
