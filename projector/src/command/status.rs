//! `projector status`

mod age;
pub mod relay;
pub mod report;
pub mod snapshot;
pub mod table;

use std::time::Duration;

use feedmill_service::nats;

use self::{relay::Relay, report::Report, snapshot::Snapshot};
use super::common::{connect, print};
use crate::{
    config::Config,
    log::Offsets,
    secrets::ProjectorSecrets,
    stream_lag::{self, StreamState},
};

/// Between the two snapshots from which rates are computed.
const RATE_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Print one JSON object with all partitions, for programs
    #[arg(long)]
    json: bool,
}

/// Prints a report from two snapshots, a second apart. Works without running projectors and without NATS.
pub async fn status(args: &Args, config: &Config) -> anyhow::Result<()> {
    let mut connection = connect(config).await?;
    let before = Snapshot::read(&mut connection, None).await?;
    let (after, stream) = tokio::try_join!(
        async {
            tokio::time::sleep(RATE_INTERVAL).await;
            Snapshot::read(&mut connection, Some(&before))
                .await
                .map_err(anyhow::Error::from)
        },
        async { Ok(stream(config, &before.heads).await) },
    )?;
    let report = Report::new(&before, &after, Relay::new(&before, &after, stream));
    print(&report, args.json, |report| Ok(table::table(report)))
}

/// What the stream has. Errors, as text for people: why that is unknown.
async fn stream(config: &Config, heads: &Offsets) -> Result<StreamState, String> {
    let nats = nats::connect_once(&config.nats, "projector").await;
    let nats = nats.map_err(|error| format!("cannot connect to NATS: {error}"))?;
    let state = async {
        let mut db = connect(config).await?;
        let key = ProjectorSecrets::read(&mut db).await?.events;
        anyhow::Ok(stream_lag::stream_state(&nats, &key, &mut db, heads).await)
    };
    state.await.map_err(|error| error.to_string())?
}
