//! `projector status`

mod books;
mod report;
mod table;

use std::time::Duration;

use async_nats::ConnectOptions;
use feedmill_service::telemetry;

use self::{books::Books, report::Report};
use super::connect;
use crate::{Config, log::Places, relay};

/// Between the two looks from which the rates are.
const BETWEEN: Duration = Duration::from_secs(1);
const NATS_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// As one JSON object, with every partition, for programs
    #[arg(long)]
    json: bool,
}

/// Looks twice, a second apart, and prints. Needs no projector to be running, and no NATS.
pub async fn status(args: &Args, config: &Config) -> anyhow::Result<()> {
    let mut connection = connect(config).await?;
    let before = Books::read(&mut connection).await?;
    let (after, stream) = tokio::try_join!(
        async {
            tokio::time::sleep(BETWEEN).await;
            Books::read(&mut connection)
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

/// Where the stream is. Errors, for people: why that is not known.
async fn stream(url: &str, heads: &Places) -> Result<Places, String> {
    telemetry::crypto();
    let servers: Vec<&str> = url.split(',').collect();
    let connecting = ConnectOptions::new()
        .name("projector status")
        .connection_timeout(NATS_WITHIN)
        .connect(servers);
    match tokio::time::timeout(NATS_WITHIN, connecting).await {
        Ok(Ok(client)) => relay::places(&client, heads).await,
        Ok(Err(error)) => Err(format!("NATS cannot be reached: {error}")),
        Err(_) => Err("NATS does not answer".to_owned()),
    }
}
