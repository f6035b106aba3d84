//! Communities besides that of most rows, each in a database of its own.

use std::{
    fs::File,
    io::{self, BufWriter},
    time::Instant,
};

use anyhow::Result;

use super::{
    context::{Bench, generate, progress},
    database::Database,
    dataset::Dataset,
    process::Process,
};

pub struct Community {
    pub database: Database,
    pub dataset: Dataset,
    _nats: Process,
}

impl Community {
    /// Imports and projects a workload. The events are not relayed to NATS: the projector reads them from the log, and stops
    /// when all are projected.
    pub async fn import(
        bench: &Bench,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<Self> {
        let stack = &bench.stack;
        let nats = stack.nats(name).await?;
        let database = stack.database(name, None, &nats).await?;
        let file = generate(stack, write)?;
        progress(&stack.import(&database, &file).await?);
        let started = Instant::now();
        let projector = stack.projector(&database).await?;
        database.projected().await?;
        progress(&format!(
            "projected all events in {:.1} s",
            started.elapsed().as_secs_f64()
        ));
        projector.stop().await?;
        database.settle().await?;
        let dataset = Dataset::load(&database.pool, &stack.signer()?).await?;
        Ok(Self {
            database,
            dataset,
            _nats: nats,
        })
    }
}
