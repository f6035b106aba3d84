//! A projection's tables in a schema that is not live.

use feedmill_service::sql::named;
use sqlx::{Connection as _, PgConnection, query, query_scalar};

use super::{
    books::{self, Phase},
    replay::{self, Target, distance},
    session::{self, Session, plan_for_much, run, turn_to},
    show::Show,
};
use crate::{
    error::ApplyError,
    log::Places,
    projection::{Apply, Definition},
    schema,
};

/// Events of a batch while the tables are filled; less if they are long, see `log::read`.
const BULK_EVENTS: i64 = 32_000;
/// And when the rest is applied, as the live model does.
const FOLLOW_EVENTS: i64 = 4_000;

pub struct Aside {
    pub schema: String,
    /// None if it is dropped at the end, and not worth resuming.
    pub generation: Option<i32>,
    pub done: Places,
    phase: Phase,
    /// Definitions of the indexes that are made after the bulk.
    indexes: Vec<String>,
}

impl Aside {
    /// The next generation: where the last run left it, if this program began it, or else from the start.
    pub async fn next(session: &mut Session, show: &mut Show) -> anyhow::Result<Self> {
        let (projection, schema) = (session.projection, session::next(session.projection));
        let made_by = this_program(projection);
        let (live, _) = books::live(projection, &mut session.db).await?;
        if let Some(begun) = books::find(projection, &mut session.db).await? {
            if begun.made_by == made_by
                && begun.generation == live + 1
                && let Some(phase) = begun.phase
            {
                let done = books::places(projection, begun.generation, &mut session.db).await?;
                turn_to(&schema, &mut session.db).await?;
                show.say(projection, "goes on where the last run was ended");
                return Ok(Self {
                    schema,
                    generation: Some(begun.generation),
                    done,
                    phase,
                    indexes: begun.indexes,
                });
            }
            show.say(
                projection,
                "starts over, since another version of the program began",
            );
        }
        let mut tx = session.db.begin().await?;
        session::drop_schema(&schema, &mut tx).await?;
        let known = books::generations(projection, &mut tx).await?;
        let unfinished: Vec<i32> = known.into_iter().filter(|g| *g > live).collect();
        books::forget(projection, &unfinished, &mut tx).await?;
        books::end(projection, &mut tx).await?;
        let indexes = lay(projection, &schema, &mut tx).await?;
        books::begin(projection, live + 1, &made_by, &indexes, &mut tx).await?;
        tx.commit().await?;
        turn_to(&schema, &mut session.db).await?;
        Ok(Self {
            schema,
            generation: Some(live + 1),
            done: Places::default(),
            phase: Phase::Bulk,
            indexes,
        })
    }

    /// One to compare with and throw away.
    pub async fn scratch(session: &mut Session) -> anyhow::Result<Self> {
        let schema = format!("{}_verify", session.projection.name());
        let mut tx = session.db.begin().await?;
        session::drop_schema(&schema, &mut tx).await?;
        let indexes = lay(session.projection, &schema, &mut tx).await?;
        tx.commit().await?;
        turn_to(&schema, &mut session.db).await?;
        Ok(Self {
            schema,
            generation: None,
            done: Places::default(),
            phase: Phase::Bulk,
            indexes,
        })
    }

    /// The generation before the live one.
    pub async fn previous(session: &mut Session) -> anyhow::Result<Self> {
        let (projection, schema) = (session.projection, session::previous(session.projection));
        let (live, _) = books::live(projection, &mut session.db).await?;
        let known = books::generations(projection, &mut session.db).await?;
        let generation = known.into_iter().rev().find(|g| *g < live);
        let (true, Some(generation)) = (exists(&schema, &mut session.db).await?, generation) else {
            anyhow::bail!("there is no schema {schema} to roll back to");
        };
        turn_to(&schema, &mut session.db).await?;
        Ok(Self {
            done: books::places(projection, generation, &mut session.db).await?,
            schema,
            generation: Some(generation),
            phase: Phase::Follow,
            indexes: vec![],
        })
    }

    /// Replays the log up to about where the live model is, and makes all that follows from it.
    pub async fn fill(&mut self, session: &mut Session, show: &mut Show) -> anyhow::Result<()> {
        let projection = session.projection;
        let derived = projection.rebuild.derived.as_ref();
        if self.phase == Phase::Bulk {
            let apply = derived.map_or(projection.apply, |derived| derived.apply);
            loop {
                let (_, live) = session.source.live().await?;
                show.phase(projection, "replaying the log", &self.done, &live);
                self.replay(session, apply, BULK_EVENTS, &live, show)
                    .await?;
                // So that where the bulk ends depends on the log alone, if that stands still.
                if distance(&self.done, &session.source.live().await?.1) < FOLLOW_EVENTS {
                    break;
                }
            }
            self.enter(Phase::Index, session).await?;
        }
        if self.phase == Phase::Index {
            show.step(projection, "making indexes");
            let mut tx = session.db.begin().await?;
            for definition in &self.indexes {
                run(definition.clone(), &mut tx).await?;
            }
            enter(self.generation, projection, Phase::Derive, &mut tx).await?;
            tx.commit().await?;
            self.phase = Phase::Derive;
            let tables = tables(&self.schema, &mut session.db).await?;
            self.vacuum(tables.iter().map(|table| table.name.as_str()), session)
                .await?;
        }
        if self.phase == Phase::Derive {
            if let Some(derived) = derived {
                show.step(projection, "deriving tables");
                let gently = session.source.is_busy().await?;
                let mut tx = session.db.begin().await?;
                plan_for_much(&mut tx).await?;
                (derived.derive)(&session.context, gently, &mut tx).await?;
                enter(self.generation, projection, Phase::Follow, &mut tx).await?;
                tx.commit().await?;
                self.phase = Phase::Follow;
                self.vacuum(derived.tables.iter().copied(), session).await?;
            } else {
                self.enter(Phase::Follow, session).await?;
            }
        }
        self.follow(session, show).await
    }

    /// Applies what the live model has more, until there is nearly nothing.
    pub async fn follow(&mut self, session: &mut Session, show: &mut Show) -> anyhow::Result<()> {
        loop {
            let (_, live) = session.source.live().await?;
            let behind = distance(&self.done, &live);
            if behind > FOLLOW_EVENTS {
                show.phase(session.projection, "catching up", &self.done, &live);
            }
            self.follow_to(&live, session, show).await?;
            if behind <= FOLLOW_EVENTS {
                return Ok(());
            }
        }
    }

    pub async fn follow_to(
        &mut self,
        upto: &Places,
        session: &mut Session,
        show: &mut Show,
    ) -> Result<(), ApplyError> {
        let apply = session.projection.apply;
        self.replay(session, apply, FOLLOW_EVENTS, upto, show).await
    }

    async fn replay(
        &mut self,
        session: &mut Session,
        apply: Apply,
        size: i64,
        upto: &Places,
        show: &mut Show,
    ) -> Result<(), ApplyError> {
        let mut target = Target {
            projection: session.projection,
            context: &session.context,
            db: &mut session.db,
            generation: self.generation,
            done: &mut self.done,
        };
        replay::replay(&session.source, &mut target, apply, size, upto, show).await
    }

    pub async fn discard(self, session: &mut Session) -> sqlx::Result<()> {
        let mut tx = session.db.begin().await?;
        session::drop_schema(&self.schema, &mut tx).await?;
        tx.commit().await
    }

    async fn enter(&mut self, phase: Phase, session: &mut Session) -> sqlx::Result<()> {
        enter(self.generation, session.projection, phase, &mut session.db).await?;
        self.phase = phase;
        Ok(())
    }

    /// So that the first reads find statistics and need not look which rows are visible.
    async fn vacuum(
        &self,
        tables: impl Iterator<Item = &str>,
        session: &mut Session,
    ) -> sqlx::Result<()> {
        for table in tables {
            let sql = format!("VACUUM (ANALYZE) {}.{table}", self.schema);
            run(sql, &mut session.db).await?;
        }
        Ok(())
    }
}

async fn enter(
    generation: Option<i32>,
    projection: &Definition,
    phase: Phase,
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    match generation {
        Some(_) => books::enter(projection, phase, db).await,
        None => Ok(()),
    }
}

/// Which program a rebuild is made by: another may apply events otherwise, and must not go on with it.
fn this_program(projection: &Definition) -> String {
    let sql = projection
        .migrations
        .iter()
        .flat_map(|migration| migration.name.bytes().chain(migration.sql.bytes()));
    let tables = feedmill_events::id::fnv1a(sql);
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let program = file.map_or_else(
        |_| String::new(),
        |file| {
            let modified = file.modified().ok();
            let since = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            format!("{} {}", file.len(), since.unwrap_or_default().as_millis())
        },
    );
    format!("{} {program} {tables:x}", env!("CARGO_PKG_VERSION"))
}

/// Makes the schema and its tables, without the indexes that the bulk does not need; gives their definitions.
async fn lay(
    projection: &Definition,
    schema: &str,
    db: &mut PgConnection,
) -> sqlx::Result<Vec<String>> {
    schema::lay(schema, projection.migrations, db).await?;
    let statement = query!(
        r#"/* rebuild.indexes */
        SELECT c.relname AS "name!", pg_get_indexdef(c.oid) AS "definition!"
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = $1::text::regnamespace AND NOT i.indisunique
        ORDER BY 1"#,
        schema,
    );
    let found = named("rebuild.indexes", statement.fetch_all(&mut *db)).await?;
    let mut definitions = vec![];
    for index in found {
        if !projection.rebuild.indexes.contains(&index.name.as_str()) {
            run(format!("DROP INDEX {schema}.{}", index.name), db).await?;
            definitions.push(index.definition);
        }
    }
    Ok(definitions)
}

pub async fn exists(schema: &str, db: &mut PgConnection) -> sqlx::Result<bool> {
    let statement = query_scalar!(
        r#"/* rebuild.exists */ SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS "found!""#,
        schema,
    );
    named("rebuild.exists", statement.fetch_one(db)).await
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Quoted, as is all of it.
    pub name: String,
    /// Names and types of all columns.
    pub columns: String,
    pub names: Vec<String>,
    /// The columns of the primary key, separated by commas.
    pub key: String,
    /// An expression that gives a row's partition, as a smallint.
    pub partition: String,
}

/// The tables of a schema, in order.
pub async fn tables(schema: &str, db: &mut PgConnection) -> sqlx::Result<Vec<Table>> {
    let statement = query!(
        r#"/* rebuild.tables */
        SELECT quote_ident(c.relname) AS "name!", columns.list AS "columns!", columns.names AS "names!",
            key.list AS "key!",
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
                min(a.atttypid) FILTER (WHERE k.place = 1) AS type
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
            names: row.names,
            key: row.key,
            partition: row.partition,
        })
        .collect())
}
