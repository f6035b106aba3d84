//! Settings, from flags or the environment; `--help` tells them all.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::anyhow;
use clap::{Args, Parser};
use feedmill_service::{HttpArgs, NatsArgs, TelemetryArgs, secret_file, tokens::Trust};

/// Answers the reads of Feedmill: feeds, digests, conversations, posts and profiles.
#[derive(Debug, Clone, Parser)]
#[command(name = "read-api", version)]
pub struct Config {
    /// Where to listen
    #[arg(long, env = "READ_LISTEN", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// The database of the read tables, with a role that may select from them and needs no more
    #[arg(long, env = "READ_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Connections to the database at most; by default two for each processor: where PostgreSQL has the same processors,
    /// more of them only take these from each other. To a PostgreSQL elsewhere, as many as its processors take
    #[arg(long, env = "READ_DATABASE_CONNECTIONS", default_value_t = connections(), value_parser = clap::value_parser!(u32).range(1..))]
    pub database_connections: u32,
    #[command(flatten)]
    pub cache: CacheArgs,
    #[command(flatten)]
    pub streams: StreamArgs,
    #[command(flatten)]
    pub auth: AuthArgs,
    #[command(flatten)]
    pub cursors: CursorArgs,
    #[command(flatten)]
    pub nats: NatsArgs,
    #[command(flatten)]
    pub http: HttpArgs,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// What is kept in memory.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Memory")]
pub struct CacheArgs {
    /// What answers and posts that are kept in memory may take, in bytes; with 0, none is kept
    #[arg(long, env = "CACHE_MAX_BYTES", default_value = "268435456")]
    pub cache_max_bytes: u64,
    /// So many hundredths of that are for what an answer that is not kept is put together of: posts, their scores, and
    /// who follows whom; the others are for whole answers
    #[arg(long, env = "CACHE_POSTS_PERCENT", default_value = "25", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub cache_posts_percent: u8,
}

impl CacheArgs {
    pub fn shares(&self) -> Shares {
        let parts = self.cache_max_bytes / 100 * u64::from(self.cache_posts_percent);
        Shares {
            answers: self.cache_max_bytes - parts,
            posts: parts - parts / 4,
            scores: parts / 8,
            followed: parts / 8,
        }
    }
}

/// How many bytes each of what is kept in memory may take.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    pub answers: u64,
    pub posts: u64,
    pub scores: u64,
    pub followed: u64,
}

/// Live updates.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Streams")]
pub struct StreamArgs {
    /// Streams that may be open at once; HTTP_MAX_CONNECTIONS has to leave room for reads beside them
    #[arg(long, env = "STREAMS_MAX", default_value = "10000")]
    pub streams_max: usize,
    /// Streams that one account may have open at once
    #[arg(long, env = "STREAMS_MAX_PER_ACCOUNT", default_value = "20")]
    pub streams_max_per_account: usize,
}

/// Whose tokens are accepted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tokens")]
pub struct AuthArgs {
    /// Where write-api is: the keys of its tokens are at /.well-known/jwks.json there. It may be absent at the start
    #[arg(long, env = "WRITE_API_URL", default_value = "http://127.0.0.1:8080")]
    pub write_api_url: String,
    /// The key set of somebody else's identity provider, whose tokens are then taken instead of write-api's
    #[arg(long, env = "AUTH_JWKS_URL")]
    pub jwks_url: Option<String>,
    /// The issuer (iss) that a token must name
    #[arg(long, env = "AUTH_ISSUER", default_value = "feedmill")]
    pub issuer: String,
    /// The audience (aud) that a token must name
    #[arg(long, env = "AUTH_AUDIENCE", default_value = "feedmill")]
    pub audience: String,
}

impl AuthArgs {
    /// Where the keys are.
    pub fn key_set(&self) -> String {
        self.jwks_url.clone().unwrap_or_else(|| {
            format!(
                "{}/.well-known/jwks.json",
                self.write_api_url.trim_end_matches('/')
            )
        })
    }

    pub fn trust(&self) -> Trust {
        Trust {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            external: self.jwks_url.is_some(),
        }
    }
}

/// What cursors are sealed with.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cursors")]
pub struct CursorArgs {
    /// The key: 64 hexadecimal digits, the same for all instances; preferred to the file
    #[arg(long, env = "CURSOR_KEY", hide_env_values = true)]
    pub cursor_key: Option<String>,
    /// A file with the key; it is made if it is not there
    #[arg(long, env = "CURSOR_KEY_FILE", default_value = ".feedmill/cursor.key")]
    pub cursor_key_file: PathBuf,
}

impl CursorArgs {
    /// The key of the setting or of the file, which is made with mode 0600 if it is not there. Errors: what
    /// is no key, and a file that can be neither read nor made.
    pub fn key(&self) -> anyhow::Result<[u8; 32]> {
        if let Some(text) = self.cursor_key.as_deref().filter(|text| !text.is_empty()) {
            return parse(text).ok_or_else(|| anyhow!("CURSOR_KEY must be 64 hexadecimal digits"));
        }
        let file = &self.cursor_key_file;
        let text = secret_file::load_or_create(file, || {
            let key: [u8; 32] = rand::random();
            Ok(key
                .iter()
                .fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
        })?;
        parse(text.trim())
            .ok_or_else(|| anyhow!("{} must hold 64 hexadecimal digits", file.display()))
    }
}

fn parse(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(key)
}

fn connections() -> u32 {
    std::thread::available_parallelism().map_or(4, |processors| 2 * processors.get() as u32)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use std::fs;

    use super::*;

    #[test]
    fn the_flags_fit_together() {
        Config::command().debug_assert();
    }

    #[test]
    fn a_missing_key_file_is_made_once() {
        let folder =
            std::env::temp_dir().join(format!("feedmill-cursor-{:016x}", rand::random::<u64>()));
        let args = CursorArgs {
            cursor_key: None,
            cursor_key_file: folder.join("deep/cursor.key"),
        };
        let key = args.key().unwrap();
        assert_eq!(args.key().unwrap(), key);
        fs::write(&args.cursor_key_file, "short").unwrap();
        assert!(args.key().is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        assert_eq!(parse(&"0f".repeat(32)), Some([15; 32]));
        for bad in [
            "",
            "0f",
            &"0g".repeat(32),
            &"0f".repeat(33),
            &"é".repeat(32),
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
