//! `projector pause` and `projector resume`

use feedmill_events::Partition;

use crate::{
    Config,
    projection::{self, Projection},
};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The projection
    #[arg(value_parser = projection::named)]
    name: &'static Projection,
    /// One of its partitions, 0 to 63; without it, the whole
    #[arg(value_parser = partition)]
    partition: Option<Partition>,
    /// Why: it is kept, and `status` shows it
    #[arg(long, default_value = "no reason given")]
    reason: String,
    /// Who: it is kept, and `status` shows it
    #[arg(long, env = "USER", default_value = "unknown")]
    by: String,
}

pub(super) fn partition(text: &str) -> Result<Partition, String> {
    let number: u8 = text
        .parse()
        .map_err(|_| "partitions are 0 to 63".to_owned())?;
    Partition::try_from(number).map_err(|error| error.to_string())
}

pub async fn pause(args: &Args, _: &Config) -> anyhow::Result<()> {
    anyhow::bail!("not there yet, {args:?}")
}

pub async fn resume(args: &Args, _: &Config) -> anyhow::Result<()> {
    anyhow::bail!("not there yet, {args:?}")
}
