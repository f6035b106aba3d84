//! The machine that the bench ran on.

use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::Path,
    time::Instant,
};

use anyhow::Result;
use serde::Serialize;
use sqlx::PgPool;

use super::{
    process::{command, output},
    row::median,
    settings::Settings,
};

#[derive(Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_gib: f64,
    pub kernel: String,
    pub postgresql: String,
    pub nats: String,
    /// The time to write and flush 8 KiB in milliseconds, median of 200.
    pub fsync_ms: f64,
}

impl Machine {
    /// The folder for temporary files is on the disk of the database.
    pub async fn inspect(settings: &Settings, pool: &PgPool) -> Result<Self> {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':'));
            value.map_or_else(
                || "unknown".to_owned(),
                |(_, value)| value.trim().to_owned(),
            )
        };
        let memory = field("/proc/meminfo", "MemTotal");
        let kib: f64 = memory.trim_end_matches(" kB").parse().unwrap_or(0.0);
        let setting = |name: &'static str| {
            sqlx::query_scalar::<_, String>("SELECT current_setting($1)")
                .bind(name)
                .fetch_one(pool)
        };
        let postgresql = format!(
            "{}, shared_buffers {}, fsync {}, synchronous_commit {}",
            setting("server_version").await?,
            setting("shared_buffers").await?,
            setting("fsync").await?,
            setting("synchronous_commit").await?,
        );
        Ok(Self {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: kib / f64::from(1 << 20),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
                .trim()
                .to_owned(),
            postgresql,
            nats: output(command(&settings.nats_server, &["--version"], &[]))
                .await?
                .trim()
                .to_owned(),
            fsync_ms: fsync(&settings.work)?,
        })
    }

    pub fn description(&self) -> String {
        format!(
            "{} × {}, {:.0} GiB, Linux {}; PostgreSQL {}; {}; fsync of 8 KiB {:.2} ms",
            self.cores,
            self.cpu,
            self.memory_gib,
            self.kernel,
            self.postgresql,
            self.nats,
            self.fsync_ms
        )
    }
}

fn fsync(folder: &Path) -> Result<f64> {
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    let mut durations = Vec::new();
    for _ in 0..200 {
        file.seek(SeekFrom::Start(0))?;
        let start = Instant::now();
        file.write_all(&[7; 8192])?;
        file.sync_data()?;
        durations.push(start.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(path)?;
    Ok(median(durations.into_iter()))
}
