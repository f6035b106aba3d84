use clap::Parser as _;
use feedmill_service as service;
use projector::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    let _telemetry = service::telemetry::init("projector", &config.telemetry)?;
    let shutdown = service::shutdown::Shutdown::on_signals(config.http.shutdown_grace)?;
    projector::run(config, shutdown).await
}
