//! The tables of a schema, and the creation of those that a rebuild fills.

use feedmill_service::sql::named;
use sqlx::{PgConnection, query};

use super::schemas::run;
use crate::{projection::Definition, schema};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Quoted, like all names and lists here.
    pub name: String,
    /// The names and types of all columns.
    pub columns: String,
    pub column_names: Vec<String>,
    /// The columns of the primary key, separated by commas.
    pub key: String,
    /// Those of them that are ids.
    pub key_ids: Vec<String>,
    /// An expression for the partition of a row, as a smallint.
    pub partition: String,
}

/// The tables of a schema, ordered by name.
pub async fn tables(schema: &str, db: &mut PgConnection) -> sqlx::Result<Vec<Table>> {
    let statement = query!(
        r#"/* rebuild.tables */
        SELECT quote_ident(c.relname) AS "name!", columns.list AS "columns!", columns.names AS "names!",
            key.list AS "key!", coalesce(key.ids, '{}') AS "key_ids!",
            CASE WHEN key.type = 'uuid'::regtype
                THEN format('(get_byte(uuid_send(%s), 15) & 63)::smallint', key.first) ELSE '0::smallint'
            END AS "partition!"
        FROM pg_class c
        JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
        CROSS JOIN LATERAL (
            SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
                AS list, array_agg(quote_ident(attname) ORDER BY attnum) AS names
            FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
        ) columns
        CROSS JOIN LATERAL (
            SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) AS list,
                min(quote_ident(a.attname)) FILTER (WHERE k.place = 1) AS first,
                min(a.atttypid) FILTER (WHERE k.place = 1) AS type,
                array_agg(quote_ident(a.attname) ORDER BY k.place) FILTER (WHERE a.atttypid = 'uuid'::regtype) AS ids
            FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, place)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
        ) key
        WHERE c.relnamespace = $1::text::regnamespace AND c.relkind = 'r'
        ORDER BY 1"#,
        schema,
    );
    let rows = named("rebuild.tables", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .map(|row| Table {
            name: row.name,
            columns: row.columns,
            column_names: row.names,
            key: row.key,
            key_ids: row.key_ids,
            partition: row.partition,
        })
        .collect())
}

/// Creates a schema and its tables without the indexes that the bulk load does not need, and returns their definitions.
pub async fn create(
    projection: &Definition,
    schema: &str,
    db: &mut PgConnection,
) -> sqlx::Result<Vec<String>> {
    schema::apply_migrations(schema, projection.migrations, db).await?;
    let statement = query!(
        r#"/* rebuild.indexes */
        SELECT c.relname AS "name!", pg_get_indexdef(c.oid) AS "definition!"
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = $1::text::regnamespace AND NOT i.indisunique
        ORDER BY 1"#,
        schema,
    );
    let indexes = named("rebuild.indexes", statement.fetch_all(&mut *db)).await?;
    let mut deferred = vec![];
    for index in indexes {
        if !projection.rebuild.indexes.contains(&index.name.as_str()) {
            run(format!("DROP INDEX {schema}.{}", index.name), db).await?;
            deferred.push(index.definition);
        }
    }
    Ok(deferred)
}
