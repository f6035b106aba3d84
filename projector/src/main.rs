use std::{process::ExitCode, time::Duration};

use feedmill_service as service;
use projector::{Cli, command::Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Cli { command, config } = service::config::parse();
    let _telemetry = service::telemetry::init("projector", &config.telemetry)?;
    match command {
        None | Some(Command::Run) => {}
        Some(command) => return projector::command::execute(command, &config).await,
    }
    let shutdown =
        service::shutdown::Shutdown::on_signals(Duration::ZERO, config.http.shutdown_grace)?;
    projector::run(config, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}
