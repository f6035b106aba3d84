//! `projector skip`

use feedmill_events::Partition;

use super::pause::partition;
use crate::{
    Config,
    projection::{self, Projection},
};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The projection
    #[arg(value_parser = projection::named)]
    name: &'static Projection,
    /// The partition that stands still, 0 to 63
    #[arg(value_parser = partition)]
    partition: Partition,
    /// The event that blocks it, as `status` shows it
    seq: i64,
    /// Why: it is kept, and `status` shows it
    #[arg(long)]
    reason: String,
    /// Who: it is kept, and `status` shows it
    #[arg(long, env = "USER", default_value = "unknown")]
    by: String,
}

pub async fn skip(args: &Args, _: &Config) -> anyhow::Result<()> {
    anyhow::bail!("not there yet, {args:?}")
}
