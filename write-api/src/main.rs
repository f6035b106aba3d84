//! The write side's binary; see `write-api --help`.

use std::process::ExitCode;

use clap::Parser;
use feedmill_service::telemetry;
use write_api::{
    command,
    config::{Cli, Command},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line: what went wrong, and why.
            eprintln!("write-api: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Cli { command, config }: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let _telemetry = telemetry::init("write-api", &config.telemetry)?;
        match command.unwrap_or(Command::Serve) {
            Command::Serve => command::serve(config).await,
            Command::Migrate => command::migrate(&config).await,
            Command::Import { file } => command::import(&config, &file).await,
            Command::Token { account } => command::token(&config, &account).await,
        }
    })
}
