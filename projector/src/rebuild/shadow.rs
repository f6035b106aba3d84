//! A shadow: a projection's tables in a schema that is not live.

use sqlx::{Connection as _, PgConnection};

use super::{
    control::{self, Phase},
    output::Output,
    replay::{self, Target},
    schemas::{self, allow_table_scans, run, set_search_path},
    session::Session,
    tables,
};
use crate::{
    checkpoint,
    error::ApplyError,
    log::{Offsets, distance},
    projection::{Apply, Definition},
};

/// The maximum number of events in a batch of the bulk load. Batches of long texts are smaller, see `Source::read`.
const BULK_EVENTS: i64 = 32_000;
/// The same after the bulk load, as in the live model.
const FOLLOW_EVENTS: i64 = 4_000;

pub struct Shadow {
    pub schema: String,
    /// None if the shadow is temporary, and not resumed after an interruption.
    pub generation: Option<i32>,
    /// What has been applied.
    pub applied: Offsets,
    phase: Phase,
    /// The definitions of the indexes to create after the bulk load.
    deferred_indexes: Vec<String>,
}

impl Shadow {
    /// The next generation. Resumes an unfinished rebuild that this version of the program began, or starts from the
    /// beginning of the log.
    pub async fn next(session: &mut Session, output: &mut Output) -> anyhow::Result<Self> {
        let (projection, schema) = (session.projection, schemas::next(session.projection));
        let program = program_version(projection);
        let (live, _) = control::live(projection, &mut session.db).await?;
        if let Some(unfinished) = control::find(projection, &mut session.db).await? {
            if unfinished.program == program
                && unfinished.generation == live + 1
                && let Some(phase) = unfinished.phase
            {
                let generation = unfinished.generation;
                let applied =
                    checkpoint::of_generation(projection, generation, &mut session.db).await?;
                set_search_path(&schema, &mut session.db).await?;
                output.message(projection, "resuming the unfinished rebuild");
                return Ok(Self {
                    schema,
                    generation: Some(generation),
                    applied,
                    phase,
                    deferred_indexes: unfinished.indexes,
                });
            }
            output.message(
                projection,
                "starting over: another version of the program began the unfinished rebuild",
            );
        }
        let mut tx = session.db.begin().await?;
        schemas::drop_schema(&schema, &mut tx).await?;
        let known = control::generations(projection, &mut tx).await?;
        let unfinished: Vec<i32> = known.into_iter().filter(|g| *g > live).collect();
        control::delete_generations(projection, &unfinished, &mut tx).await?;
        control::end(projection, &mut tx).await?;
        let deferred_indexes = tables::create(projection, &schema, &mut tx).await?;
        control::begin(projection, live + 1, &program, &deferred_indexes, &mut tx).await?;
        tx.commit().await?;
        set_search_path(&schema, &mut session.db).await?;
        Ok(Self {
            schema,
            generation: Some(live + 1),
            applied: Offsets::default(),
            phase: Phase::Bulk,
            deferred_indexes,
        })
    }

    /// A shadow that is compared with the live model and then discarded.
    pub async fn temporary(session: &mut Session) -> anyhow::Result<Self> {
        let schema = schemas::verify(session.projection);
        let mut tx = session.db.begin().await?;
        schemas::drop_schema(&schema, &mut tx).await?;
        let deferred_indexes = tables::create(session.projection, &schema, &mut tx).await?;
        tx.commit().await?;
        set_search_path(&schema, &mut session.db).await?;
        Ok(Self {
            schema,
            generation: None,
            applied: Offsets::default(),
            phase: Phase::Bulk,
            deferred_indexes,
        })
    }

    /// The generation before the live one. Errors: there is none.
    pub async fn previous(session: &mut Session) -> anyhow::Result<Self> {
        let (projection, schema) = (session.projection, schemas::previous(session.projection));
        let (live, _) = control::live(projection, &mut session.db).await?;
        let known = control::generations(projection, &mut session.db).await?;
        let generation = known.into_iter().rev().find(|g| *g < live);
        let exists = schemas::exists(&schema, &mut session.db).await?;
        let (true, Some(generation)) = (exists, generation) else {
            anyhow::bail!(
                "the schema {schema} does not exist, so there is nothing to roll back to"
            );
        };
        set_search_path(&schema, &mut session.db).await?;
        Ok(Self {
            applied: checkpoint::of_generation(projection, generation, &mut session.db).await?,
            schema,
            generation: Some(generation),
            phase: Phase::Follow,
            deferred_indexes: vec![],
        })
    }

    /// Replays the log to about the position of the live model, and creates indexes and derived tables.
    pub async fn fill(&mut self, session: &mut Session, output: &mut Output) -> anyhow::Result<()> {
        if self.phase == Phase::Bulk {
            self.load(session, output).await?;
            self.enter(Phase::Index, session).await?;
        }
        if self.phase == Phase::Index {
            self.create_indexes(session, output).await?;
        }
        if self.phase == Phase::Derive {
            self.derive(session, output).await?;
        }
        self.follow(session, output).await
    }

    /// The bulk load.
    async fn load(&mut self, session: &mut Session, output: &mut Output) -> anyhow::Result<()> {
        let projection = session.projection;
        loop {
            let (_, live) = session.source.live().await?;
            output.phase(projection, "replaying the log", &self.applied, &live);
            self.replay(session, projection.bulk_apply(), BULK_EVENTS, &live, output)
                .await?;
            // Where the bulk load ends depends only on the log, as long as the log stands still.
            if distance(&self.applied, &session.source.live().await?.1) < FOLLOW_EVENTS {
                return Ok(());
            }
        }
    }

    async fn create_indexes(
        &mut self,
        session: &mut Session,
        output: &mut Output,
    ) -> anyhow::Result<()> {
        let projection = session.projection;
        output.step(projection, "creating indexes");
        let mut tx = session.db.begin().await?;
        for definition in &self.deferred_indexes {
            run(definition.clone(), &mut tx).await?;
        }
        enter(self.generation, projection, Phase::Derive, &mut tx).await?;
        tx.commit().await?;
        self.phase = Phase::Derive;
        let tables = tables::tables(&self.schema, &mut session.db).await?;
        let names = tables.iter().map(|table| table.name.as_str());
        Ok(self.vacuum(names, session).await?)
    }

    async fn derive(&mut self, session: &mut Session, output: &mut Output) -> anyhow::Result<()> {
        let projection = session.projection;
        let Some(derived) = &projection.rebuild.derived else {
            return Ok(self.enter(Phase::Follow, session).await?);
        };
        output.step(projection, "filling derived tables");
        let gently = session.source.is_busy().await?;
        let mut tx = session.db.begin().await?;
        allow_table_scans(&mut tx).await?;
        (derived.derive)(&session.context, gently, &mut tx).await?;
        enter(self.generation, projection, Phase::Follow, &mut tx).await?;
        tx.commit().await?;
        self.phase = Phase::Follow;
        Ok(self.vacuum(derived.tables.iter().copied(), session).await?)
    }

    /// Applies what the live model has more, until nearly nothing is left.
    pub async fn follow(
        &mut self,
        session: &mut Session,
        output: &mut Output,
    ) -> anyhow::Result<()> {
        loop {
            let (_, live) = session.source.live().await?;
            let behind = distance(&self.applied, &live);
            if behind > FOLLOW_EVENTS {
                output.phase(session.projection, "catching up", &self.applied, &live);
            }
            self.follow_to(&live, session, output).await?;
            if behind <= FOLLOW_EVENTS {
                return Ok(());
            }
        }
    }

    /// Applies events up to `upto`, as the live model does.
    pub async fn follow_to(
        &mut self,
        upto: &Offsets,
        session: &mut Session,
        output: &mut Output,
    ) -> Result<(), ApplyError> {
        let apply = session.projection.apply;
        self.replay(session, apply, FOLLOW_EVENTS, upto, output)
            .await
    }

    async fn replay(
        &mut self,
        session: &mut Session,
        apply: Apply,
        size: i64,
        upto: &Offsets,
        output: &mut Output,
    ) -> Result<(), ApplyError> {
        let mut target = Target {
            projection: session.projection,
            context: &session.context,
            db: &mut session.db,
            generation: self.generation,
            applied: &mut self.applied,
        };
        replay::replay(&session.source, &mut target, apply, size, upto, output).await
    }

    /// Drops the schema.
    pub async fn discard(self, session: &mut Session) -> sqlx::Result<()> {
        let mut tx = session.db.begin().await?;
        schemas::drop_schema(&self.schema, &mut tx).await?;
        tx.commit().await
    }

    async fn enter(&mut self, phase: Phase, session: &mut Session) -> sqlx::Result<()> {
        enter(self.generation, session.projection, phase, &mut session.db).await?;
        self.phase = phase;
        Ok(())
    }

    /// Gives the first reads statistics and a visibility map.
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

/// Records the phase of a shadow that can be resumed.
async fn enter(
    generation: Option<i32>,
    projection: &Definition,
    phase: Phase,
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    match generation {
        Some(_) => control::enter(projection, phase, db).await,
        None => Ok(()),
    }
}

/// Identifies this build of the program and the projection's tables. Another build may apply events differently, so it
/// must not resume the rebuild.
fn program_version(projection: &Definition) -> String {
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
