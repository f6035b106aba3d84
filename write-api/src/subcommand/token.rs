use anyhow::bail;

use super::account;
use crate::{config::Config, domain::Clock};

/// `write-api token @handle`: prints an access token for an account. It belongs to no session and cannot be ended before it
/// expires. It needs no password, because whoever can run it has the signing key.
pub async fn token(config: &Config, account: &str) -> anyhow::Result<()> {
    if config.auth.auth_jwks_url.is_some() {
        bail!("tokens are issued by the identity provider of AUTH_JWKS_URL");
    }
    let mut connection = account::connect(config).await?;
    let found = account::find(&mut connection, account).await?;
    let now = Clock::default().now().at();
    let ttl = config.auth.access_token_ttl;
    println!("{}", config.auth.signer()?.sign(found, ttl, now)?);
    Ok(())
}
