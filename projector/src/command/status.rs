//! `projector status`

mod report;
mod snapshot;
mod table;

use std::time::Duration;

use async_nats::ConnectOptions;
use feedmill_service::telemetry;

use self::{report::Report, snapshot::Snapshot};
use super::common::connect;
use crate::{config::Config, log::Offsets, stream_lag};

/// Between the two snapshots from which rates are computed.
const RATE_INTERVAL: Duration = Duration::from_secs(1);
const NATS_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Print one JSON object with all partitions, for programs
    #[arg(long)]
    json: bool,
}

/// Prints a report from two snapshots, a second apart. Works without running projectors and without NATS.
pub async fn status(args: &Args, config: &Config) -> anyhow::Result<()> {
    let mut connection = connect(config).await?;
    let before = Snapshot::read(&mut connection).await?;
    let (after, stream) = tokio::try_join!(
        async {
            tokio::time::sleep(RATE_INTERVAL).await;
            Snapshot::read(&mut connection)
                .await
                .map_err(anyhow::Error::from)
        },
        async { Ok(stream(&config.nats.nats_url, &before.heads).await) },
    )?;
    let report = Report::new(&before, &after, stream);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", table::table(&report));
    }
    Ok(())
}

/// The offsets of the stream. Errors, as text for people: why they are unknown.
async fn stream(url: &str, heads: &Offsets) -> Result<Offsets, String> {
    telemetry::crypto();
    let servers: Vec<&str> = url.split(',').collect();
    let connecting = ConnectOptions::new()
        .name("projector status")
        .connection_timeout(NATS_TIMEOUT)
        .connect(servers);
    match tokio::time::timeout(NATS_TIMEOUT, connecting).await {
        Ok(Ok(client)) => stream_lag::stream_offsets(&client, heads).await,
        Ok(Err(error)) => Err(format!("cannot connect to NATS: {error}")),
        Err(_) => Err("NATS does not answer".to_owned()),
    }
}
