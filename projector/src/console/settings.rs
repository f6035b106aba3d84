//! Who may use the console.

use std::path::PathBuf;

use feedmill_service::tokens::Trust;

/// Without any of these, there is no console.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Console")]
pub struct ConsoleArgs {
    /// Who may use the operators' console at `/console` of ADMIN_LISTEN: `name:token` pairs, separated by commas. Names have
    /// `a-z 0-9 _ . -` and are in the audit log; tokens have at least 32 characters. Without tokens and CONSOLE_CLAIM, there is no console
    #[arg(long, env = "CONSOLE_TOKEN", hide_env_values = true)]
    pub console_token: Option<String>,
    /// A file with such pairs, one a line. It is read again when it changes: a token that is removed ends its sessions
    #[arg(long, env = "CONSOLE_TOKEN_FILE")]
    pub console_token_file: Option<PathBuf>,
    /// Let who has a token of the identity provider (AUTH_JWKS_URL) with this claim use the console, such as
    /// `feedmill_role=operator`. If the claim is a list, one of its items must have the value
    #[arg(long, env = "CONSOLE_CLAIM", requires = "jwks_url")]
    pub console_claim: Option<String>,
    /// URL of the key set (JWKS) of the identity provider, for CONSOLE_CLAIM
    #[arg(long, env = "AUTH_JWKS_URL")]
    pub jwks_url: Option<String>,
    /// The issuer (iss) that a token of the identity provider must have
    #[arg(long, env = "AUTH_ISSUER", default_value = "feedmill")]
    pub issuer: String,
    /// The audience (aud) that a token of the identity provider must have
    #[arg(long, env = "AUTH_AUDIENCE", default_value = "feedmill")]
    pub audience: String,
}

impl ConsoleArgs {
    /// Whom the tokens of the identity provider must be from.
    pub fn trust(&self) -> Trust {
        Trust {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            external: true,
        }
    }
}
