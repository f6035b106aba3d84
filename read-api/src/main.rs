//! `read-api`: see `--help`.

use feedmill_service::{Shutdown, config, health, telemetry};
use read_api::{Cli, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { subcommand, config } = config::parse();
    if let Some(Subcommand::Health) = subcommand {
        return health::check(config.admin_listen).await;
    }
    let _telemetry = telemetry::init("read-api", &config.telemetry)?;
    let shutdown = Shutdown::on_signals(config.http.shutdown_drain, config.http.shutdown_grace)?;
    read_api::serve(&config, shutdown).await
}
