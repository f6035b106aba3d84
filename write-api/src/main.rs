//! The binary of the write side; see `write-api --help`.

use std::process::ExitCode;

use feedmill_service::{config, health, telemetry};
use write_api::{
    config::{Cli, Subcommand},
    subcommand,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(config::parse::<Cli>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("write-api: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Cli { subcommand, config }: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let _telemetry = telemetry::init("write-api", &config.telemetry)?;
        match subcommand.unwrap_or(Subcommand::Serve) {
            Subcommand::Serve => subcommand::serve(config).await,
            Subcommand::Health => health::check(config.admin_listen).await,
            Subcommand::Migrate => subcommand::migrate(&config).await,
            Subcommand::FinishRestore => subcommand::finish_restore(&config).await,
            Subcommand::BackupFinished => subcommand::backup_finished(&config).await,
            Subcommand::Log { action } => subcommand::log(&config, &action).await,
            Subcommand::Import { file } => subcommand::import(&config, &file).await,
            Subcommand::Token { account } => subcommand::token(&config, &account).await,
            Subcommand::Account { action } => subcommand::account(&config, &action).await,
        }
    })
}
