//! `projector status`

use crate::Config;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// For programs
    #[arg(long)]
    json: bool,
}

pub async fn status(args: &Args, _: &Config) -> anyhow::Result<()> {
    anyhow::bail!("not there yet, {args:?}")
}
