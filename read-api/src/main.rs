//! `read-api`: see `--help`.

use feedmill_service::{Shutdown, config, telemetry};
use read_api::Config;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = config::parse();
    let _telemetry = telemetry::init("read-api", &config.telemetry)?;
    let shutdown = Shutdown::on_signals(config.http.shutdown_drain, config.http.shutdown_grace)?;
    read_api::serve(&config, shutdown).await
}
