//! Settings, from flags or environment variables; `--help` describes them.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::anyhow;
use clap::{Args, Parser};
use feedmill_service::{HttpArgs, NatsArgs, TelemetryArgs, secret_file, tokens::Trust};

/// The read API of Feedmill: feeds, digests, conversations, notifications, posts, profiles and live updates
#[derive(Debug, Parser)]
#[command(name = "read-api", version)]
pub struct Cli {
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,
    #[command(flatten)]
    pub config: Config,
}

#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Answer reads over HTTP (the default)
    Serve,
    /// Ask the instance that runs with these settings whether it is ready; fails if it is not. For the health check of a container
    Health,
}

#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The address to listen on
    #[arg(long, env = "READ_LISTEN", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// The address of metrics and readiness, for operators; clients must not reach it
    #[arg(long, env = "ADMIN_LISTEN", default_value = "127.0.0.1:8091")]
    pub admin_listen: SocketAddr,
    /// URL of the database with the read tables. The role needs only SELECT on them
    #[arg(long, env = "READ_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// The maximum number of database connections. Default: two per processor of this machine. If PostgreSQL runs on
    /// another machine, set it to two per processor of that one
    #[arg(long, env = "READ_DATABASE_CONNECTIONS", default_value_t = default_connections(), value_parser = clap::value_parser!(u32).range(1..))]
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

/// The cache.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cache")]
pub struct CacheArgs {
    /// The maximum size of the cache, in bytes; the process takes some 70 MB more. 0 disables it
    #[arg(long, env = "CACHE_MAX_BYTES", default_value = "234881024")]
    pub cache_max_bytes: u64,
    /// The share of the cache, in percent, for parts that answers are assembled from: single posts, their scores,
    /// followed accounts and unread counts. The rest is for whole answers. Raise it if answers are rarely requested twice
    #[arg(long, env = "CACHE_POSTS_PERCENT", default_value = "25", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub cache_posts_percent: u8,
}

impl CacheArgs {
    pub fn shares(&self) -> CacheShares {
        let (max, percent) = (self.cache_max_bytes, u64::from(self.cache_posts_percent));
        // Not `max / 100 * percent`: 100 % would leave a few bytes for answers, where each is inserted and evicted at once.
        let parts = max / 100 * percent + max % 100 * percent / 100;
        CacheShares {
            answers: max - parts,
            posts: parts - parts / 4,
            scores: parts / 8,
            feeds: parts / 8,
        }
    }
}

/// The maximum size of each cache, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct CacheShares {
    pub answers: u64,
    pub posts: u64,
    pub scores: u64,
    pub feeds: u64,
}

/// Live streams.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Streams")]
pub struct StreamArgs {
    /// The maximum number of open streams. HTTP_MAX_CONNECTIONS must be larger, to leave connections for reads
    #[arg(long, env = "STREAMS_MAX", default_value = "10000")]
    pub streams_max: usize,
    /// The maximum number of open streams per account
    #[arg(long, env = "STREAMS_MAX_PER_ACCOUNT", default_value = "20")]
    pub streams_max_per_account: usize,
}

/// Whose tokens are accepted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tokens")]
pub struct AuthArgs {
    /// URL of write-api, whose /.well-known/jwks.json has the keys of its tokens. It need not be running at the start
    #[arg(long, env = "WRITE_API_URL", default_value = "http://127.0.0.1:8080")]
    pub write_api_url: String,
    /// URL of write-api's ADMIN_LISTEN, whose /ended-sessions has the sessions whose tokens are refused. read-api is not
    /// ready before it has answered
    #[arg(long, env = "WRITE_ADMIN_URL", default_value = "http://127.0.0.1:8090")]
    pub write_admin_url: String,
    /// URL of the key set (JWKS) of another identity provider, whose tokens are accepted instead of write-api's
    #[arg(long, env = "AUTH_JWKS_URL")]
    pub jwks_url: Option<String>,
    /// The issuer (iss) that a token must have
    #[arg(long, env = "AUTH_ISSUER", default_value = "feedmill")]
    pub issuer: String,
    /// The audience (aud) that a token must have
    #[arg(long, env = "AUTH_AUDIENCE", default_value = "feedmill")]
    pub audience: String,
}

impl AuthArgs {
    /// The URL of the key set.
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

/// The secret key of cursors.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cursors")]
pub struct CursorArgs {
    /// The secret key that signs cursors: 64 hexadecimal digits, the same for all instances. Overrides the file
    #[arg(long, env = "CURSOR_KEY", hide_env_values = true)]
    pub cursor_key: Option<String>,
    /// A file with the secret key. Created if it does not exist
    #[arg(long, env = "CURSOR_KEY_FILE", default_value = ".feedmill/cursor.key")]
    pub cursor_key_file: PathBuf,
}

impl CursorArgs {
    /// The key of the setting or of the file, which is created with mode 0600 if it does not exist. Errors: an invalid key,
    /// and a file that can be neither read nor created.
    pub fn key(&self) -> anyhow::Result<[u8; 32]> {
        if let Some(text) = self.cursor_key.as_deref().filter(|text| !text.is_empty()) {
            return parse_key(text)
                .ok_or_else(|| anyhow!("CURSOR_KEY must be 64 hexadecimal digits"));
        }
        let file = &self.cursor_key_file;
        let text = secret_file::load_or_create(file, || {
            let key: [u8; 32] = rand::random();
            Ok(key
                .iter()
                .fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
        })?;
        parse_key(text.trim())
            .ok_or_else(|| anyhow!("{} must hold 64 hexadecimal digits", file.display()))
    }
}

fn parse_key(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(key)
}

fn default_connections() -> u32 {
    std::thread::available_parallelism().map_or(4, |processors| 2 * processors.get() as u32)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use std::fs;

    use super::*;

    #[test]
    fn the_settings_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_shares_are_exact() {
        let shares = |cache_max_bytes, cache_posts_percent| {
            let args = CacheArgs {
                cache_max_bytes,
                cache_posts_percent,
            };
            let shares = args.shares();
            (shares.answers, shares.posts + shares.scores + shares.feeds)
        };
        assert_eq!(shares(268_435_456, 100).0, 0);
        assert_eq!(shares(268_435_456, 0), (268_435_456, 0));
        assert_eq!(shares(1_000, 25), (750, 250));
        assert_eq!(shares(u64::MAX, 100).0, 0);
    }

    #[test]
    fn a_missing_key_file_is_created_once() {
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
        assert_eq!(parse_key(&"0f".repeat(32)), Some([15; 32]));
        for bad in [
            "",
            "0f",
            &"0g".repeat(32),
            &"0f".repeat(33),
            &"é".repeat(32),
        ] {
            assert_eq!(parse_key(bad), None, "{bad:?}");
        }
    }
}
